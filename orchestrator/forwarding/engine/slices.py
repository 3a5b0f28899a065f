"""What gets through a filter or a part of the decision graph, for one product of addresses or for many at once.

`Slicer.permitted` gives the exact set of packets; `Slicer.decide` gives, for arrays of products, which services some
packet has that gets through, and which services get through between all addresses of the product: both are exact, and
when they are equal the answer is the whole product with these services.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.filter_table import FilterTable, FilterView
from orchestrator.forwarding.engine.labels import END, Labels
from orchestrator.forwarding.engine.native import NativeError, library, pointer
from orchestrator.forwarding.engine.network import NONE, Network, Prefixes
from orchestrator.forwarding.engine.outcomes import Attachments, Outcomes
from orchestrator.forwarding.engine.packets import (
    FAMILIES,
    SIX,
    Interval,
    PacketSet,
    Piece,
    Row,
    address_at,
    common,
    joined,
    position,
    union_of,
)
from orchestrator.forwarding.engine.service_sets import Sets

Long = NDArray[np.int64]
Whole = NDArray[np.int32]
ANY_ZONE: Final = -1
NO_ANSWER: Final = -2
GOES_ROUND: Final = -3
UPPER: Final = 1
EVERY_PATH: Final = 2
LIMIT: Final = 1 << 26  # words of one answer where it is made: with what is read of it about 1 GB
THREADS: Final = 2


class Status(IntEnum):
    """What native/filters.c says."""

    FINE = 0
    NO_MEMORY = 1
    TOO_LARGE = 2
    REWRITES = 3


class TooManyPiecesError(OnefoldError):
    """An exact answer has more pieces than are kept."""


class GraphView(ctypes.Structure):
    """`graph_view` of native/filters.h."""

    _fields_ = (
        ("nodes", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("kind", "a", "first", "children")),
    )


class UnitView(ctypes.Structure):
    """`unit_view` of native/filters.h."""

    _fields_ = (("units", ctypes.c_int64), *((name, ctypes.c_void_p) for name in ("first", "low", "high")))


class SliceResult(ctypes.Structure):
    """The part of `slice_result` in native/filters.h that is read here."""

    _fields_ = (
        ("pieces", ctypes.c_int64),
        *((name, ctypes.POINTER(ctypes.c_int64)) for name in ("low", "high", "row")),
        ("rows", ctypes.c_int64),
        ("row_first", ctypes.POINTER(ctypes.c_int64)),
        ("cells", ctypes.c_int64),
        *((name, ctypes.POINTER(ctypes.c_int64)) for name in ("source_low", "source_high")),
        ("services", ctypes.POINTER(ctypes.c_uint64)),
    )


class Units(NamedTuple):
    """Sets of source addresses: set u is the label intervals in rows first[u] : first[u + 1], ascending, apart."""

    first: Long
    low: Long
    high: Long


def check(status: int, what: str) -> None:
    """Raise what a status of the native part means."""
    if status == Status.NO_MEMORY:
        raise NativeError(f"no memory is left to decide {what}: ask about fewer filters or addresses at once")
    if status == Status.TOO_LARGE:
        raise TooManyPiecesError(f"{what} falls into too many pieces: ask about fewer addresses at once")
    if status == Status.REWRITES:
        raise TooManyPiecesError(f"{what} translates addresses: ask Decider.packets, which follows translations")


def label_intervals(labels: Labels, intervals: Iterable[Interval]) -> tuple[Long, Long]:
    """Intervals of positions as labels; new IPv6 boundaries get theirs."""
    pairs = [
        (labels.boundary(*address_at(low)), END if high >= FAMILIES[1][1] else label_before(labels, high))
        for low, high in intervals
    ]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


def label_before(labels: Labels, high: int) -> int:
    """The label of an interval's end; the end of all IPv4 addresses is a label too."""
    return high if high <= FAMILIES[0][1] else labels.boundary(6, high - SIX)


def positions(labels: Labels, low: Iterable[int], high: Iterable[int]) -> list[Interval]:
    """Label intervals as positions."""
    return [
        (position(*labels.address(one)), position(*labels.address(other))) for one, other in zip(low, high, strict=True)
    ]


def sent_by(network: Network, labels: Labels, attachments: Attachments, attachment: int) -> list[Interval]:
    """What a zone sends with at an attachment, as positions."""
    zones = network.zones
    mine = (zones.port == attachments.port[attachment]) & (zones.zone == attachments.zone[attachment])
    family, high, low, length = zones.source
    prefixes = Prefixes(family[mine], high[mine], low[mine], length[mine])
    ends = labels.low(prefixes).tolist(), labels.high(prefixes).tolist()  # boxes() is for plain numbers
    return list(union_of(positions(labels, *ends)))


def _number(words: NDArray[np.uint64]) -> int:
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


class Slicer:
    """The native part's questions over one table of filters and one decision graph."""

    def __init__(self, table: FilterTable, outcomes: Outcomes) -> None:
        self.table = table
        self.set_outcomes(outcomes)
        self.sets = Sets(table.services, table.everything)

    def set_outcomes(self, outcomes: Outcomes) -> None:
        """Another decision graph (rows keep their numbers when it only grew)."""
        columns = [np.ascontiguousarray(column, np.int32) for column in outcomes]
        self.outcomes = Outcomes(*columns)
        self.graph = GraphView(len(columns[0]), *(column.ctypes.data for column in columns))

    def below(self, variants: Iterable[int]) -> NDArray[np.bool_]:
        """Per node whether one of the filter variants is at it or below it."""
        result = np.zeros(int(self.graph.nodes), np.bool_)
        for variant in variants:
            mark = np.empty(len(result), np.uint8)
            library().filters_below(ctypes.byref(self.graph), ctypes.c_int32(variant), pointer(mark))
            result |= mark.view(np.bool_)
        return result

    def current_sets(self) -> Sets:
        """Distinct sets in the services of now."""
        if self.sets.services is not self.table.services:
            self.sets = Sets(self.table.services, self.table.everything)
        return self.sets

    def decide(
        self,
        node: Whole,
        unit: Whole,
        zone: Whole,
        units: Units,
        destinations: Units,
        flags: int = 0,
        threads: int = THREADS,
    ) -> tuple[Whole, Whole]:
        """Per key (services some packet has that gets through, services between all addresses), numbers of `sets`.

        Key k: packets from units[unit[k]] to destinations[k] at node[k], delivered to zone[k] (or ANY_ZONE, NO_ANSWER,
        GOES_ROUND).
        Addresses of a key are of one family. Graphs with translations are refused: Raises TooManyPiecesError.
        """
        keys = len(node)
        some, every = np.empty(keys, np.int32), np.empty(keys, np.int32)
        columns = [np.ascontiguousarray(column, np.int32) for column in (node, unit, zone)]
        sources = UnitView(len(units.first) - 1, *(column.ctypes.data for column in units))
        view: FilterView = self.table.view
        status = library().filters_decide(
            ctypes.byref(view),
            ctypes.byref(self.graph),
            ctypes.byref(sources),
            self.current_sets().handle,
            ctypes.c_int64(keys),
            *(pointer(column) for column in columns),
            *(pointer(column) for column in destinations),
            ctypes.c_uint32(flags),
            ctypes.c_int32(threads),
            pointer(some),
            pointer(every),
        )
        check(status, "a matrix")
        return some, every

    def permitted(
        self,
        sources: Iterable[Interval],
        destinations: Iterable[Interval],
        *,
        node: int = NONE,
        variant: int = NONE,
        zone: int = ANY_ZONE,
        flags: int = 0,
    ) -> PacketSet:
        """The packets (positions) that one filter variant permits, or that node `node` delivers to `zone`.

        `zone` may be one of the three names that are none: ANY_ZONE, NO_ANSWER, GOES_ROUND.
        """
        result = PacketSet(self.table.services)
        ones, others = union_of(sources), union_of(destinations)
        for family in FAMILIES:
            mine, yours = common(ones, [family]), common(others, [family])
            if mine and yours:
                pieces = self._pieces(mine, yours, node, variant, zone, flags)
                result = PacketSet(result.services, result.pieces + pieces)
        return result

    def _pieces(self, sources: Iterable[Interval], destinations: Iterable[Interval], *where: int) -> tuple[Piece, ...]:
        node, variant, zone, flags = where
        mine, yours = label_intervals(self.table.labels, sources), label_intervals(self.table.labels, destinations)
        native = library()
        native.filters_slice.restype = ctypes.POINTER(SliceResult)
        status = ctypes.c_int32()
        view = self.table.view
        answer = native.filters_slice(
            ctypes.byref(view),
            ctypes.byref(self.graph),
            ctypes.c_int32(node),
            ctypes.c_int32(variant),
            ctypes.c_int32(zone),
            ctypes.c_int64(len(mine[0])),
            *map(pointer, mine),
            ctypes.c_int64(len(yours[0])),
            *map(pointer, yours),
            ctypes.c_uint32(flags),
            ctypes.c_int64(LIMIT),
            ctypes.byref(status),
        )
        check(status.value, "a filter's answer")
        try:
            return self._read(answer.contents)
        finally:
            native.filters_slice_free(answer)

    def _read(self, answer: SliceResult) -> tuple[Piece, ...]:
        width, labels = self.table.services.width, self.table.labels
        cells = int(answer.cells)
        lows, highs = answer.source_low[:cells], answer.source_high[:cells]
        words = np.ctypeslib.as_array(answer.services, (cells, width)) if cells else np.zeros((0, width), np.uint64)
        values: dict[int, int] = {}  # many cells have the services of others: one number for all of them
        bits = [values.setdefault(value, value) for value in map(_number, words)]
        spans = [(low, high, value) for (low, high), value in zip(positions(labels, lows, highs), bits, strict=True)]
        first = answer.row_first[: answer.rows + 1] if answer.rows else []
        known: dict[Row, Row] = {}
        rows = [joined(spans[begin:end]) for begin, end in pairwise(first)]
        rows = [known.setdefault(row, row) for row in rows]
        count = int(answer.pieces)
        places = positions(labels, answer.low[:count], answer.high[:count])
        return joined((low, high, rows[row]) for (low, high), row in zip(places, answer.row[:count], strict=True))
