"""How many examples a law is tried on, with which seeds, and how far a long run is."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

from hypothesis import settings

FEW = 50
MANY = 3000
TELL = 60.0
"""Seconds between two lines about a law that a soak is in the middle of."""
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


class Told:
    """How far a law is, told once a minute past pytest, which shows nothing before a test has ended."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._number, self._last = what, total, 0, time.monotonic()

    def one(self) -> None:
        """One more example begins."""
        self._number += 1
        if is_soak() and time.monotonic() - self._last > TELL:
            self._last = time.monotonic()
            print(f"{self._what}: {self._number} of {self._total}", file=sys.__stderr__, flush=True)


def told(what: str, seeds: Sequence[int]) -> Iterator[int]:
    """The seeds; in the soak it is told how many of them are done."""
    progress = Told(what, len(seeds))
    for seed in seeds:
        progress.one()
        yield seed


def counted(what: str, total: int, law: Callable[..., Any]) -> Callable[..., Any]:
    """A law that tells how many of its examples it has had; of those that are refused another is tried."""
    progress = Told(what, total)

    @wraps(law)
    def wrapped(*values: Any, **named: Any) -> Any:
        progress.one()
        return law(*values, **named)

    return wrapped
