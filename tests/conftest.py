"""How hard the laws are tried: few examples on every day, thousands in `make soak`."""

import os

from hypothesis import HealthCheck, settings

from tests.laws import FEW, MANY

# a slow machine is no fault of the law: time is measured in benchmarks/, never here
settings.register_profile(
    "fast",
    max_examples=FEW,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),  # what fails there must fail again here
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak", max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("soak" if os.environ.get("ONEFOLD_SOAK") else "fast")
