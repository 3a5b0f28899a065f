"""Entries of filters in columns: one run of rows each, with room for entries to come where some have come before."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.native import library

Long = NDArray[np.int64]
Column = NDArray[np.int64] | NDArray[np.int32]
SPARE: Final = 1024
ADDRESSES: Final = ("source_low", "source_high", "destination_low", "destination_high")
NAMES: Final = (*ADDRESSES, "action", "match", "in_port", "line")
MATCH: Final = NAMES.index("match")
ACTION: Final = NAMES.index("action")
IN_PORT: Final = NAMES.index("in_port")
Row = tuple[int, ...]
"""One entry's numbers, as in NAMES."""
_WIDTH: Final = len(NAMES)
_NO_ROOM: Final = 1  # as in native/filters_rows.c
_NO_ROW: Final = 2


class _Native(ctypes.Structure):
    """`filter_rows` of native/filters.h."""

    _fields_ = (
        ("column", ctypes.c_void_p * _WIDTH),
        *((name, ctypes.c_void_p) for name in ("start", "count", "room")),
        ("values", ctypes.c_int64 * _WIDTH),
        ("old", ctypes.c_int64 * _WIDTH),
    )


class RowChange(IntEnum):
    """What happens to a row, as in native/filters_rows.c."""

    COMES = 0
    GOES = 1
    REPLACED = 2


class FilterRows:
    """Rows `start[f]` .. `start[f] + count[f]` of the columns are filter f's entries, in order."""

    def __init__(self, columns: dict[str, Column], start: Long, count: Long) -> None:
        """`columns`: one for every name of NAMES, all of one length; addresses int64, the others int32."""
        self._change, self._move = library().filters_row, library().filters_move
        long, address = ctypes.c_int64, ctypes.c_void_p
        self._change.restype, self._move.restype = ctypes.c_int32, None
        self._change.argtypes = (address, ctypes.c_int32, long, ctypes.c_int32)
        self._move.argtypes = (address, long, long, long)
        self.start, self.count, self._room = start, count, count.copy()
        self._used = len(columns["action"])
        self._native = _Native(start=start.ctypes.data, count=count.ctypes.data, room=self._room.ctypes.data)
        self._here = address(ctypes.addressof(self._native))
        room = SPARE + self._used // 2  # columns move hardly ever: that takes milliseconds
        self._set({name: _with_room(columns[name], room) for name in NAMES})

    def _set(self, columns: dict[str, Column]) -> None:
        self.columns = columns
        self._native.column[:] = [columns[name].ctypes.data for name in NAMES]

    def change(self, number: int, position: int, kind: RowChange, values: Row | None) -> tuple[bool, Row | None]:
        """One entry of a filter comes, goes or is replaced: whether the columns are new ones, and what went.

        Raises IndexError when the filter has no such place.
        """
        if values:
            self._native.values[:] = values
        moved, status = False, self._change(self._here, number, position, kind)
        if status == _NO_ROOM:
            moved = self._make_room(number, int(self.count[number]))
            self._change(self._here, number, position, kind)
        elif status == _NO_ROW:
            raise IndexError(f"filter {number} has no place {position}")
        return moved, None if kind == RowChange.COMES else tuple(self._native.old)

    def _make_room(self, number: int, count: int) -> bool:
        """The filter's rows move to the end, half as many free ones behind them; whether the columns are new ones."""
        begin, room = int(self.start[number]), count + count // 2 + 8
        at_end = begin + count == self._used
        to = begin if at_end else self._used
        new = to + room > len(self.columns["action"])
        if new:
            self._set({name: _with_room(column, to + room) for name, column in self.columns.items()})
        if not at_end:
            self._move(self._here, begin, to, count)
        self.start[number], self._room[number], self._used = to, room, to + room
        return new


def _with_room(column: Column, more: int) -> Column:
    """The column with so much room behind it, written to: memory that is new when an entry comes makes it wait."""
    wider = np.full(len(column) + more, 0, dtype=column.dtype)
    wider[: len(column)] = column
    return wider
