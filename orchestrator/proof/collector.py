"""Garbage collected seldom while a proof runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, MIDDLE, OLD = 50_000, 20, 50
"""Thresholds of the three generations (gc.set_threshold)."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for cycles seldom: a proof makes and keeps millions of small values, hardly any in a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
