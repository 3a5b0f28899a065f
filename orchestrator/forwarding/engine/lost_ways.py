"""Ways on which packets are lost by routes alone, natively: which of some tables keep them lost as they stand."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final

import numpy as np

from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE

BITS: Final = 64
"""Marks that are told apart; further ones share a bit."""
_ROOM: Final = 256
_POINTER = ctypes.c_void_p
_LONG = ctypes.c_int64
_INT = ctypes.c_int32
_ARGUMENTS: Final = (_POINTER, _LONG, _POINTER, _LONG, _LONG, _POINTER, _INT, _INT, _POINTER, _LONG)


class LostWays:
    """Questions about one native engine, as it is at that moment."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._ask = library().engine_lost
        self._ask.restype, self._ask.argtypes = _LONG, _ARGUMENTS
        self._sets = np.zeros(_ROOM, np.uint64)

    def of(
        self, starts: Sequence[int], label: int, marked: Sequence[int], changed: tuple[int, int] = (NONE, NONE)
    ) -> list[int]:
        """The smallest sets of marked tables on ways to a label that are lost whatever filters do.

        Ways begin in tables `starts`. Such a way ends without a route, in a null route, at a port without a cable, or
        where it has been before. A set is a sum of bits, 1 << place % BITS of each table in `marked`; 0: packets are
        lost whatever those do. `changed`: a table, and the group that it is taken to have for the label. Of very
        many ways not all are followed.
        """
        first, marks = np.array(starts, np.int32), np.array(marked, np.int32)
        sizes = len(first), len(marks)
        count = self._ask(
            *(self.core.handle, sizes[0], pointer(first), label, sizes[1], pointer(marks)),
            *(*changed, pointer(self._sets), _ROOM),
        )
        found: list[int] = self._sets[:count].tolist()
        return found
