"""Zone by zone: which packets get from each to each.

For a pair the matrix holds two sets of services by number (`Sets`): those that some packet has that gets there, and
those that get there between all addresses that are routed there. Where they are equal, the answer is that product; else
`packets` writes down the exact set. Both are exact in any case; -1: no destination leads there.

Two native ways give the same: pair by pair over chains of filters (filters_matrix.c), when there are many pairs and few
services; or for each distinct (attachment, node), sliced and swept (filters.c). Translations are decided in Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.labels import V4_END
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE, Network, Packet
from orchestrator.forwarding.engine.outcomes import Attachments, Classes
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.slices import (
    EVERY_PATH,
    THREADS,
    UPPER,
    Long,
    Status,
    Units,
    UnitView,
    Whole,
    check,
)

MANY_KEYS: Final = 200_000
ATOMS: Final = 62

Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Keys:
    """Questions for `Slicer.decide`, and the zone that asks."""

    node: Whole
    unit: Whole
    zone: Whole
    destinations: Units


def chosen(units: Units, rows: NDArray[Any], order: NDArray[np.int64] | None = None) -> Units:
    """The intervals that `rows` (flags per interval) chooses, set by set."""
    del order
    owner = np.repeat(np.arange(len(units.first) - 1), np.diff(units.first))[rows]
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(units.first) - 1))])
    return Units(first.astype(np.int64), units.low[rows], units.high[rows])


def source_units(network: Network, decider: Decider, attachments: Attachments) -> Units:
    """What each attachment sends with: ascending label intervals that neither overlap nor touch."""
    labels, zones = decider.table.labels, network.zones
    number = {
        key: row for row, key in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True))
    }
    owner = np.array(
        [number[key] for key in zip(zones.zone.tolist(), zones.port.tolist(), strict=True)], dtype=np.int64
    )
    low, high = labels.low(zones.source), labels.high(zones.source)
    order = np.lexsort((-high, low, owner))
    owner, low, high = owner[order], low[order], high[order]
    keep = np.ones(len(owner), np.bool_)
    last, reached = NONE, NONE
    for row, (whose, begin, end) in enumerate(zip(owner.tolist(), low.tolist(), high.tolist(), strict=True)):
        keep[row] = whose != last or end > reached  # prefixes nest: one inside another adds nothing
        last, reached = whose, end if keep[row] else reached
    counts = np.bincount(owner[keep], minlength=len(attachments.zone))
    return Units(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), low[keep], high[keep])


class Matrix:
    """The answer of one decision graph for all pairs of zones.

    `some`, `every`: [zones, zones] numbers of `sets` (module docstring). `upper` counts what is unknown as permitted.
    """

    def __init__(
        self,
        decider: Decider,
        classes: Classes,
        attachments: Attachments,
        *,
        upper: bool = False,
        threads: int = THREADS,
    ) -> None:
        self.decider, self.threads = decider, threads
        self.flags = UPPER if upper else 0
        self.network = decider.network
        self.zones = len(self.network.zone_names)
        order = np.argsort(attachments.zone, kind="stable")
        if np.array_equal(order, np.arange(len(order))):
            self.attachments, self.classes = attachments, classes
        else:
            self.attachments = Attachments(*(np.ascontiguousarray(column[order]) for column in attachments))
            self.classes = classes._replace(node=np.ascontiguousarray(classes.node[:, order]))
        self.units = source_units(self.network, decider, self.attachments)
        self.zone_of, self.rewrites, self.unknown = reach(decider)
        shape = (self.zones, self.zones)
        self.some: Whole = np.full(shape, NONE, np.int32)
        self.every: Whole = np.full(shape, NONE, np.int32)
        self.sets = decider.slicer.current_sets()
        self.fast: list[FastMatrix] = []
        for six in (False, True):
            self._family(six)

    def _family(self, six: bool) -> None:
        units = chosen(self.units, (self.units.low >= V4_END) == six)
        every = Units(self.classes.first, self.classes.low, self.classes.high)
        destinations = chosen(every, (self.classes.low >= V4_END) == six)
        if not len(units.low) or not len(destinations.low):
            return
        rows = np.flatnonzero(np.diff(destinations.first)).astype(np.int32)
        first = np.append(destinations.first[rows], len(destinations.low)).astype(np.int64)
        packed = Units(first, destinations.low, destinations.high)
        if len(rows) * len(self.attachments.zone) >= MANY_KEYS and self.decider.table.services.count <= ATOMS:
            fast = FastMatrix(self, units, packed, rows)
            self.fast.append(fast)
            self._merge(self._rest_keys(*fast.answer(self.some, self.every), packed, rows), units)
            return
        for keys in self._keys(units, packed, rows):
            self._merge(keys, units)

    def _rest_keys(self, attachment: Whole, destination: Whole, packed: Units, rows: Whole) -> Keys:
        """Pairs that need a closer look, as questions."""
        node = self.classes.node[rows[destination], attachment]
        return self._expanded(node, attachment, destination, packed)

    def _expanded(self, node: Whole, unit: Whole, which: NDArray[Any], destinations: Units) -> Keys:
        """Questions per zone: a node that leads to several zones is asked for each of them."""
        zone = self.zone_of[node]
        for several in np.unique(node[zone == -2]).tolist():
            here = np.flatnonzero((node == several) & (zone == -2))
            targets = sorted(self.decider.zones(several))
            zone[here] = targets[0]
            for target in targets[1:]:
                node, unit = np.append(node, node[here]), np.append(unit, unit[here])
                which, zone = np.append(which, which[here]), np.append(zone, np.full(len(here), target))
        kept = zone >= 0
        node, unit, which, zone = node[kept], unit[kept], which[kept], zone[kept]
        order = np.lexsort((node, unit))
        return Keys(node[order], unit[order], zone[order].astype(np.int32), gathered(destinations, which[order]))

    def _keys(self, units: Units, packed: Units, rows: Whole) -> Iterator[Keys]:
        """Questions per attachment: the destinations of each of its nodes, ascending."""
        del units
        owner = rows[np.repeat(np.arange(len(rows)), np.diff(packed.first))]
        order = np.argsort(packed.low, kind="stable")
        owner, low, high = owner[order], packed.low[order], packed.high[order]
        leads = self.zone_of != NONE
        for attachment in range(len(self.attachments.zone)):
            node = self.classes.node[owner, attachment]
            here = np.flatnonzero(leads[node])
            here = here[np.argsort(node[here], kind="stable")]
            nodes = node[here]
            first = np.flatnonzero(np.diff(nodes, prepend=NONE))
            bounds = np.append(first, len(nodes)).astype(np.int64)
            unit = np.full(len(first), attachment, np.int32)
            yield self._expanded(nodes[first], unit, np.arange(len(first)), Units(bounds, low[here], high[here]))

    def _merge(self, keys: Keys, units: Units) -> None:
        """Decide the questions and put their answers into the matrix."""
        if not len(keys.node):
            return
        python = np.flatnonzero(self.rewrites[keys.node])
        native = np.flatnonzero(self.rewrites[keys.node] == 0)
        some, every = np.zeros(len(keys.node), np.int32), np.zeros(len(keys.node), np.int32)
        if len(native):
            asked = gathered(keys.destinations, native)
            some[native], every[native] = self.decider.slicer.decide(
                keys.node[native], keys.unit[native], keys.zone[native], units, asked, self.flags, self.threads
            )
        for key in python.tolist():
            some[key], every[key] = self._translated(keys, key, units)
        source = self.attachments.zone[keys.unit]
        for a, b, mine, yours in zip(source.tolist(), keys.zone.tolist(), some.tolist(), every.tolist(), strict=True):
            if self.some[a, b] == NONE:
                self.some[a, b], self.every[a, b] = mine, yours
            else:
                self.some[a, b] = self.sets.union(int(self.some[a, b]), mine)
                self.every[a, b] = self.sets.intersection(int(self.every[a, b]), yours)

    def _translated(self, keys: Keys, key: int, units: Units) -> tuple[int, int]:
        """One question about a node with translations below it: its services, as numbers."""
        unit = int(keys.unit[key])
        sources = self.decider.intervals(*bounds_of(units, unit))
        destinations = self.decider.intervals(*bounds_of(keys.destinations, key))
        services = self.decider.table.services
        asked = PacketSet.product(services, sources, destinations, services.everything)
        found = self.decider.delivered(int(keys.node[key]), asked, int(keys.zone[key]), bool(self.flags & EVERY_PATH))
        some = found.union_of_services()
        missing = (asked - found).union_of_services()
        return self.sets.intern(some), self.sets.intern(some & ~missing)

    def reaches(self) -> Bool:
        """[zones, zones]: whether any packet gets from one to the other."""
        return self.some > 0

    def services(self, source: int, destination: int) -> int:
        """Services that some packet from one zone to the other has that gets there."""
        number = int(self.some[source, destination])
        return self.sets.bits(number) if number > 0 else 0

    def exact(self, source: int, destination: int) -> bool:
        """Whether the services get there between all addresses that are routed there."""
        return bool(self.some[source, destination] == self.every[source, destination])

    def packets(self, source: int, destination: int, *, every_path: bool = False) -> PacketSet:
        """The exact set of packets that get from one zone to the other (`every_path`: by all equal-cost paths)."""
        found = PacketSet(self.decider.table.services)
        every = Units(self.classes.first, self.classes.low, self.classes.high)
        for attachment in np.flatnonzero(self.attachments.zone == source).tolist():
            node = self.classes.node[:, attachment]
            leads = self.zone_of[node]
            sources = self.decider.intervals(*bounds_of(self.units, attachment))
            for number in np.unique(node[(leads == destination) | (leads == -2)]).tolist():
                if destination not in self.decider.zones(number):
                    continue
                asked = gathered(every, np.flatnonzero(node == number))
                addresses = self.decider.intervals(asked.low.tolist(), asked.high.tolist())
                services = self.decider.table.services
                whole = PacketSet.product(services, sources, addresses, services.everything)
                found |= self.decider.delivered(number, whole, destination, every_path)
        return found


def bounds_of(units: Units, number: int) -> tuple[list[int], list[int]]:
    """Lows and highs of one set."""
    rows = slice(int(units.first[number]), int(units.first[number + 1]))
    return units.low[rows].tolist(), units.high[rows].tolist()


def gathered(units: Units, which: NDArray[Any]) -> Units:
    """These sets, one after the other."""
    sizes = np.diff(units.first)[which]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.repeat(units.first[which] - first[:-1], sizes) + np.arange(first[-1])
    return Units(first, units.low[rows], units.high[rows])


def reach(decider: Decider) -> tuple[Whole, NDArray[np.uint8], NDArray[np.uint8]]:
    """Per node: its zone (-1 none, -2 several), whether translations are below it, unknown next hops."""
    nodes = int(decider.slicer.graph.nodes)
    zone, rewrites, unknown = np.empty(nodes, np.int32), np.empty(nodes, np.uint8), np.empty(nodes, np.uint8)
    library().filters_reach(ctypes.byref(decider.slicer.graph), pointer(zone), pointer(rewrites), pointer(unknown))
    return zone, rewrites, unknown


class FastMatrix:
    """One family's matrix in native/filters_matrix.c; keeps what it points to alive."""

    def __init__(self, of: Matrix, units: Units, destinations: Units, rows: Whole) -> None:
        native = library()
        native.matrix_new.restype = ctypes.c_void_p
        self.of, self.rows, self.units, self.destinations = of, rows, units, destinations
        views = [
            UnitView(len(each.first) - 1, *(column.ctypes.data for column in each)) for each in (units, destinations)
        ]
        self.node = np.ascontiguousarray(of.classes.node, np.int32)
        self.zone = np.ascontiguousarray(of.attachments.zone, np.int32)
        status = ctypes.c_int32()
        self.kept = (of.decider.table.view, of.decider.slicer.graph, views)
        self.handle = ctypes.c_void_p(
            native.matrix_new(
                ctypes.byref(of.decider.table.view),
                ctypes.byref(of.decider.slicer.graph),
                ctypes.byref(views[0]),
                pointer(self.zone),
                ctypes.c_int64(of.zones),
                ctypes.byref(views[1]),
                pointer(rows),
                pointer(self.node),
                ctypes.c_uint32(of.flags),
                ctypes.c_int32(of.threads),
                ctypes.byref(status),
            )
        )
        check(status.value, "a matrix")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            library().matrix_free(self.handle)

    def answer(self, some: Whole, every: Whole, services: int | None = None) -> tuple[Whole, Whole]:
        """Fill the matrix; pairs (attachment, destination) that need a closer look."""
        count = ctypes.c_int64()
        asked = self.of.decider.table.services.everything if services is None else services
        status = library().matrix_answer(
            self.handle,
            self.of.sets.handle,
            ctypes.c_uint64(asked),
            pointer(some),
            pointer(every),
            ctypes.byref(count),
        )
        check(status, "a matrix")
        rest = np.empty(count.value, np.int32), np.empty(count.value, np.int32)
        library().matrix_rest(self.handle, *map(pointer, rest))
        return rest
