"""The native engine as an object: every call checks its answer; arrays come back as copies."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.labels import Label
from orchestrator.forwarding.engine.native import NativeError, library, pointer
from orchestrator.forwarding.engine.network import Int
from orchestrator.forwarding.engine.outcomes import Classes, Outcomes
from orchestrator.forwarding.engine.tables import Compiled


class Kind(IntEnum):
    """Kinds of native changes, as in core.h."""

    ADD_ROUTE = 0
    REMOVE_ROUTE = 1
    REPLACE_ROUTE = 2
    PORT_DOWN = 3
    PORT_UP = 4


class AnswerError(OnefoldError):
    """The engine cannot answer this network within its bounds."""


EXISTS: Final = -2
MISSING: Final = -3
BROKEN: Final = {
    -4: "equal-cost ways through loops are too many to follow one by one: break the loops between those tables",
    -5: "a way passes more than 4000 filters, branches or policies: shorten the chain",
}
RECORD: Final = np.dtype(
    [("low", "<i8"), ("high", "<i8"), ("attachment", "<i4"), ("before", "<i4"), ("after", "<i4"), ("", "<i4")]
)
_POINTER = ctypes.c_void_p
_LONG = ctypes.c_int64
_INT = ctypes.c_int32
_SIGNATURES: Final = {
    "engine_new": (_POINTER, (_POINTER, _POINTER)),
    "engine_free": (None, (_POINTER,)),
    "engine_apply": (_INT, (_POINTER, _INT, _INT, _LONG, _LONG, _INT, _POINTER)),
    "engine_patience": (None, (_POINTER, _LONG)),
    "engine_hubs": (_INT, (_POINTER, _LONG)),
    "engine_restore": (_INT, (_POINTER, _INT, _INT, _LONG, _LONG, _INT, _POINTER, _LONG)),
    "engine_batch": (_LONG, (_POINTER, _LONG, *(_POINTER,) * 8)),
    "engine_group": (_INT, (_POINTER, _POINTER, _POINTER, _INT)),
    "engine_maps": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER)),
    "engine_promise": (_INT, (_POINTER, _POINTER)),
    "engine_counts": (None, (_POINTER, _POINTER)),
    "engine_nodes": (None, (_POINTER, _POINTER)),
    "engine_segments": (_LONG, (_POINTER, _INT, _POINTER, _POINTER, _LONG)),
    "engine_at": (_INT, (_POINTER, _INT, _LONG)),
    "engine_classes": (_INT, (_POINTER,)),
    "engine_class_arrays": (None, (_POINTER, *(_POINTER,) * 5)),
    "engine_route": (_INT, (_POINTER, _INT, _LONG, _POINTER, _POINTER)),
    "engine_routes": (_LONG, (_POINTER, *(_POINTER,) * 4)),
    "engine_ups": (None, (_POINTER, _POINTER)),
    "engine_pairs": (None, (_POINTER, _POINTER, _POINTER, _POINTER)),
}


class Counts(NamedTuple):
    """What the engine holds and did, in the order of `engine_counts`."""

    nodes: int
    children: int
    groups: int
    classes: int
    intervals: int
    atoms: int
    column_classes: int
    collisions: int
    sweeps: int
    wrong_pairs: int
    suspect_pairs: int
    full_work: int
    work: int
    columns: int
    kept_read: int


class Applied(NamedTuple):
    """What one native change did. `records`: RECORD rows; `before`: the group, or port state, that it replaced."""

    before: int
    records: NDArray[Any]


class _Told(ctypes.Structure):
    """`Applied` of native/core.h."""

    _fields_ = (("record", _POINTER), ("records", _LONG), ("before", _INT))


class Lent:
    """Memory of the native part that numpy reads in place; it keeps the core alive as long as an array looks there."""

    def __init__(self, core: Core, at: int, size: int) -> None:
        self.core = core
        self.__array_interface__ = {"version": 3, "typestr": "<i4", "shape": (size,), "data": (at, True)}


def _bound() -> Any:
    """The library with its functions' signatures set."""
    loaded = library()
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype = result
        function.argtypes = arguments
    return loaded


def _pointers(arrays: Iterable[NDArray[Any]]) -> list[ctypes.c_void_p]:
    return [pointer(array) for array in arrays]


class Core:
    """One native engine. Not for two threads at a time."""

    def __init__(self, compiled: Compiled) -> None:
        """Build and answer everything. Raises AnswerError beyond bounds, NativeError without memory."""
        self._library = _bound()
        self._compiled = compiled
        self._told = _Told()
        self._low, self._high = _LONG(0), _LONG(0)
        self._kept: dict[str, NDArray[Any]] = {}
        status = _INT(0)
        native = compiled.native()
        self._handle = self._library.engine_new(ctypes.byref(native), ctypes.byref(status))
        self._references = tuple(ctypes.byref(value) for value in (self._low, self._high))
        self._telling = ctypes.byref(self._told)
        if not self._handle:
            raise self._fault(status.value)
        self._here = _POINTER(self._handle)  # made once: updates are many

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "_handle", None):
            self._library.engine_free(self._handle)
            self._handle = None

    @property
    def handle(self) -> int:
        """The native engine's address, for other native parts; theirs to use as long as this object lives."""
        return int(self._handle)

    @staticmethod
    def _fault(status: int) -> OnefoldError:
        if status in BROKEN:
            return AnswerError(BROKEN[status])
        if status == EXISTS:
            return UpdateError("the table has a route for this prefix: replace it, or remove it first")
        if status == MISSING:
            return UpdateError("the table has no route for this prefix: add it")
        if status == -1:
            return NativeError("the forwarding engine ran out of memory: use a machine with more, or a smaller network")
        return NativeError(f"the forwarding engine refused an argument ({status}): check the numbers of the update")

    def _check(self, status: int) -> None:
        if status < 0:
            raise self._fault(status)

    def apply(self, kind: int, at: int, low: int, high: int, group: int) -> Applied:
        """Apply one change. Raises UpdateError when it does not fit."""
        told = self._told
        status = self._library.engine_apply(self._here, kind, at, low, high, group, self._telling)
        if status:
            raise self._fault(status)
        if not told.records:
            return Applied(told.before, _NOTHING)
        rows = ctypes.string_at(told.record, told.records * RECORD.itemsize)
        return Applied(told.before, np.frombuffer(rows, RECORD))

    def restore(self, kind: int, at: int, low: int, high: int, group: int, records: NDArray[Any]) -> None:
        """Take a change back: the inverse change of the tables, and the answers as they were."""
        handle, rows = self._handle, pointer(records)
        self._check(self._library.engine_restore(handle, kind, at, low, high, group, rows, len(records)))

    def batch(self, kind: Int, at: Int, low: Label, high: Label, group: Int) -> tuple[Label, Label]:
        """Apply many changes; nanoseconds and changed answers of each. Raises UpdateError at the first fault."""
        size = len(kind)
        nanoseconds, changed = np.zeros(size, np.int64), np.zeros(size, np.int64)
        status = _INT(0)
        arrays = (kind, at, low, high, group, nanoseconds, changed)
        done = self._library.engine_batch(self._handle, size, *_pointers(arrays), ctypes.byref(status))
        if status.value:
            raise UpdateError(f"update {done} of {size}: {self._fault(status.value)}")
        return nanoseconds, changed

    def group(self, kinds: Int, targets: Int) -> int:
        """A new group of next hops."""
        found = int(self._library.engine_group(self._handle, pointer(kinds), pointer(targets), len(kinds)))
        self._check(found)
        return found

    def set_maps(self, first: Label, start: Label, target: Label) -> None:
        """Translations cut anew."""
        self._kept = {"first": first, "start": start, "target": target}
        self._check(self._library.engine_maps(self._handle, pointer(first), pointer(start), pointer(target)))

    def promise(self, allowed: NDArray[np.bool_]) -> None:
        """Count from now on what gets from a zone to one that `allowed` does not allow."""
        self._check(self._library.engine_promise(self._handle, pointer(np.ascontiguousarray(allowed, np.uint8))))

    def patience(self, steps: int) -> None:
        """Steps that an update may take before all it touches is answered class by class; below 0 that comes at once.

        Answers are the same: it is there so that small networks can be made to take the ways of large ones.
        """
        self._library.engine_patience(self._handle, steps)

    def hubs(self, every: int) -> None:
        """Keep outcomes of every so-manieth table and read them in every update; 0: large tables, in wide updates only.

        An odd number: whose packets get to a changed table is asked of these tables alone, never found route by route.

        Answers are the same: it is there so that small networks can be made to take the ways of large ones.
        """
        self._check(self._library.engine_hubs(self._handle, every))

    def counts(self) -> Counts:
        """What the engine holds."""
        values = np.zeros(len(Counts._fields), np.int64)
        self._library.engine_counts(self._handle, pointer(values))
        return Counts(*values.tolist())

    def pairs(self, zones: int) -> tuple[Label, Label, Label]:
        """Labels per (zone, zone) that get there against what is allowed: surely, if filters let them; unread ones."""
        wrong, suspect = np.zeros((zones, zones), np.int64), np.zeros((zones, zones), np.int64)
        unread = np.zeros(zones, np.int64)
        self._library.engine_pairs(self._handle, pointer(wrong), pointer(suspect), pointer(unread))
        return wrong, suspect, unread

    def outcomes(self) -> Outcomes:
        """All nodes made so far: read in place, and never changed there."""
        counts = self.counts()
        column = (_POINTER * len(Outcomes._fields))()
        self._library.engine_nodes(self._handle, column)
        sizes = counts.nodes, counts.nodes, counts.nodes + 1, counts.children
        return Outcomes(*(np.asarray(Lent(self, at or 0, size)) for at, size in zip(column, sizes, strict=True)))

    def classes(self) -> Classes:
        """Destinations by what becomes of them, anew."""
        self._check(self._library.engine_classes(self._handle))
        counts = self.counts()
        first = np.zeros(counts.classes + 1, np.int64)
        low, high = np.zeros(counts.intervals, np.int64), np.zeros(counts.intervals, np.int64)
        node = np.zeros((counts.classes, counts.columns), np.int32)
        column = np.zeros(len(self._compiled.attachments.port), np.int32)
        self._library.engine_class_arrays(self._handle, *_pointers((first, low, high, node, column)))
        return Classes(first, low, high, node, column)

    def segments(self, attachment: int) -> tuple[Label, Int]:
        """An attachment's answers: where each stretch begins, and its node."""
        count = self._library.engine_segments(self._handle, attachment, None, None, 0)
        start, node = np.zeros(count, np.int64), np.zeros(count, np.int32)
        self._library.engine_segments(self._handle, attachment, pointer(start), pointer(node), count)
        return start, node

    def routes(self) -> tuple[Int, Label, Label, Int]:
        """Columns table, low, high, group of all routes there are now, in no order."""
        count = self._library.engine_routes(self._handle, None, None, None, None)
        table, group = np.zeros(count, np.int32), np.zeros(count, np.int32)
        low, high = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._library.engine_routes(self._handle, *_pointers((table, low, high, group)))
        return table, low, high, group

    def ups(self) -> NDArray[np.bool_]:
        """Which ports carry."""
        up = np.zeros(self._compiled.counts["ports"], np.uint8)
        self._library.engine_ups(self._handle, pointer(up))
        return up.astype(np.bool_)

    def at(self, attachment: int, label: int) -> int:
        """The node that says what becomes of packets to a label."""
        return int(self._library.engine_at(self._handle, attachment, label))

    def route(self, table: int, label: int) -> tuple[int, int, int] | None:
        """(group, low, high) of the route that decides for a label, None without any."""
        low, high = self._references
        group = self._library.engine_route(self._handle, table, label, low, high)
        return None if group < 0 else (group, self._low.value, self._high.value)


_NOTHING: Final = np.zeros(0, RECORD)
