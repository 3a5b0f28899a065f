"""How many examples a law is tried on, with which seeds, and how far a long run is."""

import os
import sys
from collections.abc import Iterable, Iterator

from hypothesis import settings

FEW = 50
MANY = 3000
TELL = 1000
FIRST = int(os.environ.get("ONEFOLD_SEED", "0"))
"""The first seed of the laws that count their networks: another one makes a soak of other networks."""


def is_soak() -> bool:
    """Whether laws are tried long (`make soak`)."""
    return settings.get_current_profile_name() == "soak"


def examples(few: int, many: int | None = None) -> int:
    """`few` on every day; in the soak `many`, by default as many more as the profiles differ."""
    if is_soak():
        return many or few * MANY // FEW
    return few


def told(what: str, seeds: Iterable[int]) -> Iterator[int]:
    """The seeds; in the soak every thousandth is told past pytest, which shows nothing before a test has ended."""
    for number, seed in enumerate(seeds, start=1):
        yield seed
        if is_soak() and number % TELL == 0:
            print(f"{what}: {number} networks, the last of seed {seed}", file=sys.__stderr__, flush=True)
