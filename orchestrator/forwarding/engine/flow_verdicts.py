"""Registered flows natively: which of them an update concerns, and whether they work, as far as the answers say it.

Which flows an update concerns is marked as updates come; marked flows are judged when somebody asks. What translations
or devices' memories decide is SLOW: for a walker to decide, after every update.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.filter_rows import Row
from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.native import NativeError, library, pointer

_NO_MEMORY: Final = "no memory is left to judge flows: ask about a smaller network"
_POINTER = ctypes.c_void_p
_LONG = ctypes.c_int64
_INT = ctypes.c_int32
_AREA: Final = Struct("<4q")  # Area of native/flows.h
_SIGNATURES: Final = {
    "flows_new": (_POINTER, (_POINTER, _POINTER, _LONG)),
    "flows_free": (None, (_POINTER,)),
    "flows_changed": (_LONG, (_POINTER, _POINTER, _LONG)),
    "flows_entries": (_LONG, (_POINTER, _INT, _POINTER, _LONG)),
    "flows_judge": (_LONG, (_POINTER, _POINTER, _POINTER)),
}
_Long = NDArray[np.int64]
_Int = NDArray[np.int32]


class Verdict(IntEnum):
    """What the engine's answers say of a flow."""

    WORKS = 0
    FAILS = 1  # on some equal-cost way at least
    UNREAD = 2  # something nobody could read decides
    SLOW = 3  # a walker has to decide


class FlowRows(NamedTuple):
    """Flows in the engine's numbers, as `FlowRows` of native/flows.h: C-contiguous, addresses as labels.

    `atom` [flows, 2] is changed in place when services are told apart further. A flow's first way is its packet's.
    """

    source: _Long
    destination: _Long
    atom: _Int
    way_first: _Int
    way_zone: _Int
    start_first: _Int
    start: _Int
    place_first: _Int
    place_label: _Long
    place_flow: _Int
    attachment_device: _Int
    zone_device: _Int
    filter_first: _Int
    filter_device: _Int
    stateful: NDArray[np.uint8]


class _Native(ctypes.Structure):
    _fields_ = (("flows", _LONG), *((name, _POINTER) for name in FlowRows._fields))


class FlowVerdicts:
    """Verdicts over one native engine and one table of filters; at first all flows are marked."""

    def __init__(self, core: Core, table: FilterTable, rows: FlowRows) -> None:
        """Raises NativeError without memory."""
        self._library = library()
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._core, self._table, self._rows = core, table, rows
        self._told = _POINTER()
        native = _Native(len(rows.source), *(pointer(column) for column in rows))
        self._handle = self._library.flows_new(core.handle, ctypes.byref(native), len(table.start))
        if not self._handle:
            raise NativeError(_NO_MEMORY)
        self._here = _POINTER(self._handle)  # made once: updates are many
        self._marked = len(rows.source)
        self._slow = set[int]()

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "_handle", None):
            self._library.flows_free(self._handle)
            self._handle = None

    def changed(self, records: NDArray[Any]) -> None:
        """Mark flows that hang on changed answers (core.RECORD), and those that a walker decides."""
        count = len(records)
        if not (count or self._slow):
            return
        self._marked = self._library.flows_changed(self._here, records.ctypes.data if count else None, count)
        self._check(self._marked)

    def entries(self, number: int, rows: Iterable[Row]) -> None:
        """Mark flows that meet filter `number` with a header that one of these entries is about.

        `changed` is to be told of the same update afterwards.
        """
        areas = b"".join([_AREA.pack(*row[:4]) for row in rows])
        self._marked = self._library.flows_entries(self._here, number, areas, len(areas) // _AREA.size)
        self._check(self._marked)

    def judge(self) -> list[list[int]]:
        """Judge what is marked: [flow, Verdict] of those with another one, and of all of them that are slow."""
        if not self._marked:
            return []
        view, told = ctypes.byref(self._table.view), ctypes.byref(self._told)
        count = self._library.flows_judge(self._here, view, told)
        self._check(count)
        self._marked = 0
        if not count:
            return []
        found: list[list[int]] = (
            np.frombuffer(ctypes.string_at(self._told.value or 0, 8 * count), np.int32).reshape(-1, 2).tolist()
        )
        for flow, verdict in found:
            (self._slow.add if verdict == Verdict.SLOW else self._slow.discard)(flow)
        return found

    @staticmethod
    def _check(status: int) -> None:
        if status < 0:
            raise NativeError(_NO_MEMORY)
