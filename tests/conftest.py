"""How hard the laws are tried (few examples on every day, thousands in `make soak`), and what runs beside what.

`make test` runs four processes on two cores (pytest-xdist): the district's whole way, the other tests of the cloud, the
district's ways back, and beside them all the rest, most of which only computes: those three wait for routers, for the
cloud and its engine half of their time. Each process has a network namespace of its own, because a machine holds one
network lab in each.
"""

import ctypes
import functools
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.laws import FEW, MANY, counted, is_soak

ROOT = Path(__file__).parent.parent
NEWNET = 0x40000000
GROUPS = ("district", "cloud", "back")
"""What is begun first, because it takes longest: everything else is done beside it."""
ASIDE = 2
"""How much more willingly (nice) each place leaves the processors to the one before it: the longest may not be last."""

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


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of several a network of its own; threads and processes begun later inherit it."""
    if "PYTEST_XDIST_WORKER" in os.environ and os.geteuid() == 0:
        if ctypes.CDLL(None, use_errno=True).unshare(NEWNET):
            raise OSError(ctypes.get_errno(), "this process can have no network namespace of its own")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long ways first; a soak is made of laws only, those of proofs first."""
    if is_soak():
        config.hook.pytest_deselected(items=[item for item in items if not is_law(item)])
        for item in filter(is_law, items):
            tell(item)
        items[:] = sorted(filter(is_law, items), key=lambda item: not item.nodeid.startswith("tests/proof"))
        return
    items.sort(key=place_of)


def place_of(item: pytest.Item) -> tuple[int, bool]:
    """Where a test stands: the groups first, then files of the lab, which wait a lot, then what only computes."""
    group = group_of(item.nodeid)
    place = GROUPS.index(group) if group in GROUPS else len(GROUPS) + (group == item.nodeid)
    # the cloud's own tests begin with a start that is killed: the start after it serves all others too
    return place, not item.nodeid.startswith("tests/lab/test_cloud.py")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a test stand aside for those before it; what it starts inherits it."""
    if "PYTEST_XDIST_WORKER" in os.environ and os.geteuid() == 0:  # others could not take it back
        os.setpriority(os.PRIO_PROCESS, 0, ASIDE * place_of(item)[0])


def is_law(item: pytest.Item) -> bool:
    """Whether a test is tried on more examples in a soak."""
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        return True
    text = (ROOT / item.nodeid.partition("::")[0]).read_text(encoding="utf-8")
    return "from tests.laws import" in text or "ONEFOLD_SOAK" in text


def tell(item: pytest.Item) -> None:
    """Let a law of hypothesis tell how far it is."""
    law = getattr(item, "obj", None)
    if getattr(law, "is_hypothesis_test", False):
        told = getattr(law, "_hypothesis_internal_use_settings", None)  # of the law itself, else of the profile
        law.hypothesis.inner_test = counted(item.name, told.max_examples if told else MANY, law.hypothesis.inner_test)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process what belongs together, in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    made = LoadScopeScheduling(config, log)
    made._split_scope = group_of
    return made


def group_of(nodeid: str) -> str:
    """What a test shares a process with: the tests of its cloud, those of its file of the lab, none."""
    file = nodeid.partition("::")[0]
    return _group_of_file(file) or nodeid


@functools.cache
def _group_of_file(file: str) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    if "own_cloud" in text:
        return {"test_district.py": "district", "test_district_back.py": "back"}.get(Path(file).name, "cloud")
    return file if "mark.lab" in text else ""
