"""Forbidden pairs natively: which changed answers may cross one, and which forbidden zones answers lead to.

What the native part says is exact as far as it says it; it leaves open what translations, unread entries or too
many boxes of packets decide. `decide.py` decides those.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.filter_rows import MATCH, Row
from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.native import NativeError, library, pointer
from orchestrator.forwarding.engine.slices import Units

BUDGET: Final = 50_000  # steps of one search: about a quarter of a millisecond
_NO_MEMORY: Final = "no memory is left to judge forbidden pairs: ask about a smaller network"
_REACH: Final = np.dtype([("low", "<i8"), ("high", "<i8"), ("at", "<i4"), ("", "<i4")])
_SEEN: Final = np.dtype([("low", "<i8"), ("high", "<i8"), *((name, "<i4") for name in ("at", "node", "open", "zones"))])
_CHANGE: Final = Struct("<4q4i").pack  # Change of native/judge.h
_POINTER = ctypes.c_void_p
_LONG = ctypes.c_int64
_INT = ctypes.c_int32
_SIGNATURES: Final = {
    "judge_new": (_POINTER, (_POINTER, *(_POINTER,) * 4, _LONG)),
    "judge_free": (None, (_POINTER,)),
    "judge_bad": (_INT, (_POINTER, _INT, _LONG, _POINTER)),
    "judge_harmful": (_LONG, (_POINTER, _POINTER, _LONG, _POINTER)),
    "judge_entry": (_LONG, (_POINTER, _POINTER, _INT, _LONG, *(_POINTER,) * 3)),
    "judge_look": (_LONG, (_POINTER, _POINTER, _LONG, *(_POINTER,) * 4)),
}
Place = tuple[int, int, int]
"""Labels [low, high) at an attachment."""


class EntryChange(NamedTuple):
    """An entry of a filter that came or went: its numbers in the table of filters, and its place.

    `gains`: packets may get through because of it; `loses`: packets may not get through any more.
    """

    row: Row
    position: int
    gains: bool
    loses: bool


class Seen(NamedTuple):
    """One node's stretch of an attachment's answers, and the zones asked about that some packet gets to.

    `is_open`: there may be more; translations, something unread or too many boxes of packets stood on the way.
    """

    attachment: int
    low: int
    high: int
    node: int
    zones: frozenset[int]
    is_open: bool


class Judge:
    """Questions about forbidden pairs over one native engine and one table of filters."""

    def __init__(self, core: Core, table: FilterTable, units: Units, forbidden: NDArray[np.bool_]) -> None:
        """`units`: what attachments send with, in labels; `forbidden`: [zones, zones]. Raises NativeError."""
        self._library = library()
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._core, self._table = core, table
        self._forbidden = np.ascontiguousarray(forbidden, np.uint8)
        self._kept = [np.ascontiguousarray(column, np.int64) for column in units]
        self._seen, self._zones = _POINTER(), _POINTER()
        self._found = ctypes.byref(self._seen), ctypes.byref(self._zones)
        arrays = [pointer(array) for array in self._kept] + [pointer(self._forbidden)]
        self._handle = self._library.judge_new(core.handle, *arrays, BUDGET)
        if not self._handle:
            raise NativeError(_NO_MEMORY)
        self._here = _POINTER(self._handle)  # made once: updates are many

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "_handle", None):
            self._library.judge_free(self._handle)
            self._handle = None

    def set_bad(self, attachment: int, rows: Sequence[tuple[int, int, int]]) -> None:
        """An attachment's stretches (low, high, node) that lead to forbidden zones, ascending, instead of those it had.

        Every change there is of account.
        """
        given = np.array([(low, high, node, 0) for low, high, node in rows], _REACH)
        if self._library.judge_bad(self._here, attachment, len(given), given.ctypes.data):
            raise NativeError(_NO_MEMORY)

    def harmful(self, records: NDArray[Any]) -> list[Place]:
        """Of changed answers (core.RECORD) those by which the forbidden pairs that are crossed may become others."""
        rows = np.empty(len(records), np.int32)
        count = self._library.judge_harmful(self._here, records.ctypes.data, len(records), rows.ctypes.data)
        found: list[Place] = records[["attachment", "low", "high"]][rows[:count]].tolist() if count else []
        return found

    def entry(self, number: int, changes: Sequence[EntryChange]) -> list[Seen]:
        """Answers by which other pairs may be crossed, since entries of this filter have changed.

        Those that are not open are bad ones from now on, and lead to these zones besides those that they led to.
        """
        given = b"".join([_CHANGE(*row[:4], at, row[MATCH], gains, loses) for row, at, gains, loses in changes])
        view = ctypes.byref(self._table.view)
        return self._read(self._library.judge_entry(self._here, view, number, len(changes), given, *self._found))

    def look(self, places: Sequence[Place], wanted: NDArray[np.uint8]) -> list[Seen]:
        """What there leads to zones that are `wanted` ([zones, zones] flags, C-contiguous), node by node."""
        given = np.array([(low, high, attachment, 0) for attachment, low, high in places], _REACH)
        view, flags = ctypes.byref(self._table.view), wanted.ctypes.data
        return self._read(
            self._library.judge_look(self._here, view, len(given), given.ctypes.data, flags, *self._found)
        )

    def _read(self, count: int) -> list[Seen]:
        if count < 0:
            raise NativeError(_NO_MEMORY)
        if not count:
            return []
        rows = np.frombuffer(ctypes.string_at(self._seen.value or 0, count * _SEEN.itemsize), _SEEN)
        last = np.cumsum(rows["zones"]).tolist()
        zones = np.frombuffer(ctypes.string_at(self._zones.value or 0, 4 * last[-1]), np.int32).tolist()
        return [
            Seen(at, low, high, node, frozenset(zones[end - count : end]), bool(is_open))
            for (low, high, at, node, is_open, count), end in zip(rows.tolist(), last, strict=True)
        ]
