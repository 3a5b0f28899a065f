"""The parts of a matrix: one per address family, decided pair by pair or key by key; both can be updated.

`SlicedPart` keeps one question per (attachment, node, zone) with the destinations of that node; an update decides the
questions anew whose way holds the filter and whose addresses overlap the entry. `FastPart` is filters_matrix.c.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.outcomes import Attachments, Classes
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.slices import Long, Sets, Units, UnitView, Whole, check


class Area(NamedTuple):
    """Label ranges [low, high) of an entry: what an update can touch."""

    source: tuple[int, int]
    destination: tuple[int, int]


class Keys(NamedTuple):
    """Questions for `Slicer.decide`."""

    node: Whole
    unit: Whole
    zone: Whole
    destinations: Units

    def rows(self, which: NDArray[Any]) -> Keys:
        """Some of the questions."""
        return Keys(self.node[which], self.unit[which], self.zone[which], gathered(self.destinations, which))


@dataclass
class Ground:
    """What all parts stand on.

    `zone_of`: per node its zone (-1 none, -2 several); `rewrites`: whether translations are below it.
    """

    decider: Decider
    classes: Classes
    attachments: Attachments
    zones: int
    flags: int
    threads: int
    sets: Sets
    zone_of: Whole = field(init=False)
    rewrites: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.decider.slicer.graph
        nodes = int(graph.nodes)
        self.zone_of, self.rewrites = np.empty(nodes, np.int32), np.empty(nodes, np.uint8)
        unknown = np.empty(nodes, np.uint8)
        columns = pointer(self.zone_of), pointer(self.rewrites), pointer(unknown)
        library().filters_reach(ctypes.byref(graph), *columns)

    def below(self, variants: Sequence[int]) -> NDArray[np.bool_]:
        """Per node whether one of the filter variants is at it or below it."""
        graph = self.decider.slicer.graph
        result = np.zeros(int(graph.nodes), np.bool_)
        for variant in variants:
            mark = np.empty(len(result), np.uint8)
            library().filters_below(ctypes.byref(graph), ctypes.c_int32(variant), pointer(mark))
            result |= mark.astype(np.bool_)
        return result

    def expanded(self, node: Whole, unit: Whole, which: NDArray[Any], destinations: Units) -> Keys:
        """Questions per zone: a node that leads to several zones is asked for each of them."""
        zone = self.zone_of[node]
        for several in np.unique(node[zone == -2]).tolist():
            here = np.flatnonzero((node == several) & (zone == -2))
            targets = sorted(self.decider.zones(several))
            zone[here] = targets[0]
            for target in targets[1:]:
                node, unit = np.append(node, node[here]), np.append(unit, unit[here])
                which, zone = np.append(which, which[here]), np.append(zone, np.full(len(here), target))
        kept = np.flatnonzero(zone >= 0)
        kept = kept[np.lexsort((node[kept], unit[kept]))]
        return Keys(node[kept], unit[kept], zone[kept].astype(np.int32), gathered(destinations, which[kept]))

    def decide(self, keys: Keys, units: Units) -> tuple[Whole, Whole]:
        """Numbers of (services of some packet, services of all) per question."""
        some, every = np.zeros(len(keys.node), np.int32), np.zeros(len(keys.node), np.int32)
        rewrites = self.rewrites[keys.node]
        native = np.flatnonzero(rewrites == 0)
        if len(native):
            part = keys.rows(native)
            some[native], every[native] = self.decider.slicer.decide(
                part.node, part.unit, part.zone, units, part.destinations, self.flags, self.threads
            )
        for key in np.flatnonzero(rewrites).tolist():
            some[key], every[key] = self._translated(keys, key, units)
        return some, every

    def _translated(self, keys: Keys, key: int, units: Units) -> tuple[int, int]:
        """One question about a node with translations below it."""
        sources = self.decider.intervals(*bounds_of(units, int(keys.unit[key])))
        destinations = self.decider.intervals(*bounds_of(keys.destinations, key))
        services = self.decider.table.services
        asked = PacketSet.product(services, sources, destinations, services.everything)
        found = self.decider.reached(int(keys.node[key]), asked, int(keys.zone[key]), self.flags)
        some = found.union_of_services()
        missing = (asked - found).union_of_services()
        return self.sets.intern(some), self.sets.intern(some & ~missing)


class SlicedPart:
    """One family, question by question."""

    def __init__(self, ground: Ground, units: Units, packed: Units, rows: Whole) -> None:
        self.ground, self.units = ground, units
        parts = list(self._keys(packed, rows))
        self.keys = Keys(
            np.concatenate([part.node for part in parts]),
            np.concatenate([part.unit for part in parts]),
            np.concatenate([part.zone for part in parts]),
            stacked([part.destinations for part in parts]),
        )
        self.some, self.every = ground.decide(self.keys, units)
        zone = ground.attachments.zone[self.keys.unit].astype(np.int64)
        self.pair = zone * ground.zones + self.keys.zone
        self._order = np.argsort(self.pair, kind="stable")
        self._sorted = self.pair[self._order]
        self._below: dict[tuple[int, ...], NDArray[np.int64]] = {}
        self._hulls: list[Long] = [
            *hull(units, self.keys.unit),
            *hull(self.keys.destinations, np.arange(len(self.keys.node))),
        ]

    def _keys(self, packed: Units, rows: Whole) -> Iterator[Keys]:
        """Questions per attachment: the destinations of each of its nodes, ascending."""
        ground = self.ground
        owner = rows[np.repeat(np.arange(len(rows)), np.diff(packed.first))]
        order = np.argsort(packed.low, kind="stable")
        owner, low, high = owner[order], packed.low[order], packed.high[order]
        leads = ground.zone_of != NONE
        for attachment in np.flatnonzero(np.diff(self.units.first)).tolist():  # others send nothing of this family
            node = ground.classes.node[owner, attachment]
            here = np.flatnonzero(leads[node])
            here = here[np.argsort(node[here], kind="stable")]
            nodes = node[here]
            first = np.flatnonzero(np.diff(nodes, prepend=NONE))
            bounds = np.append(first, len(nodes)).astype(np.int64)
            unit = np.full(len(first), attachment, np.int32)
            yield ground.expanded(nodes[first], unit, np.arange(len(first)), Units(bounds, low[here], high[here]))

    def put(self, some: Whole, every: Whole) -> None:
        """All answers into a matrix (flat)."""
        pairs, first, counts = np.unique(self._sorted, return_index=True, return_counts=True)
        some[pairs], every[pairs] = self.some[self._order[first]], self.every[self._order[first]]
        for pair in pairs[counts > 1].tolist():
            some[pair], every[pair] = self.joined(pair)

    def joined(self, pair: int) -> tuple[int, int]:
        """A pair's answer from all its questions; (-1, -1) without any."""
        low, high = np.searchsorted(self._sorted, [pair, pair + 1]).tolist()
        rows = self._order[low:high]
        return joined_sets(self.ground.sets, self.some[rows].tolist(), self.every[rows].tolist())

    def update(self, variants: Sequence[int], areas: Sequence[Area]) -> NDArray[np.int64]:
        """Decide anew what the filter decides about in these areas; the pairs concerned."""
        key = tuple(variants)
        if key not in self._below:
            self._below[key] = np.flatnonzero(self.ground.below(variants)[self.keys.node])
        rows = self._below[key]
        source_low, source_high, low, high = (column[rows] for column in self._hulls)
        hit = np.zeros(len(rows), np.bool_)
        for area in areas:
            meets = (source_low < area.source[1]) & (source_high > area.source[0])
            hit |= meets & (low < area.destination[1]) & (high > area.destination[0])
        rows = rows[hit | (self.ground.rewrites[self.keys.node[rows]] == 1)]
        if not len(rows):
            return np.zeros(0, np.int64)
        asked = self.keys.rows(rows)
        self.some[rows], self.every[rows] = self.ground.decide(asked, self.units)
        return np.asarray(np.unique(self.pair[rows]), np.int64)


class FastPart:
    """One family in native/filters_matrix.c; keeps what it points to alive."""

    def __init__(self, ground: Ground, units: Units, packed: Units, rows: Whole) -> None:
        native = library()
        native.matrix_new.restype = ctypes.c_void_p
        self.ground, self.rows, self.units, self.packed = ground, rows, units, packed
        views = [UnitView(len(each.first) - 1, *(column.ctypes.data for column in each)) for each in (units, packed)]
        self.node = np.ascontiguousarray(ground.classes.node, np.int32)
        self.zone = np.ascontiguousarray(ground.attachments.zone, np.int32)
        status = ctypes.c_int32()
        self.handle = ctypes.c_void_p(
            native.matrix_new(
                ctypes.byref(ground.decider.table.view),
                ctypes.byref(ground.decider.slicer.graph),
                ctypes.byref(views[0]),
                pointer(self.zone),
                ctypes.c_int64(ground.zones),
                ctypes.byref(views[1]),
                pointer(rows),
                pointer(self.node),
                ctypes.c_uint32(ground.flags),
                ctypes.c_int32(ground.threads),
                ctypes.byref(status),
            )
        )
        check(status.value, "a matrix")
        self._conflicts: dict[int, set[int]] = {}  # pairs left out by the native part, with their nodes
        self._branching: Keys | None = None  # questions about nodes that are no chain of filters

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            library().matrix_free(self.handle)

    def put(self, some: Whole, every: Whole, services: int | None = None) -> None:
        """All answers into a matrix (flat, all -1)."""
        count = ctypes.c_int64()
        asked = self.ground.decider.table.services.everything if services is None else services
        status = library().matrix_answer(
            self.handle,
            self.ground.sets.handle,
            ctypes.c_uint64(asked),
            pointer(some),
            pointer(every),
            ctypes.byref(count),
        )
        check(status, "a matrix")
        self._look_closer(count.value, some, every, asked, keep=services is None)

    def service(self, atom: int) -> NDArray[np.bool_]:
        """Per pair (flat) whether packets of one service get there."""
        size = self.ground.zones * self.ground.zones
        reached, count = np.zeros(size, np.uint8), ctypes.c_int64()
        status = library().matrix_service(
            self.handle, self.ground.sets.handle, ctypes.c_int32(atom), pointer(reached), ctypes.byref(count)
        )
        check(status, "a matrix")
        found = reached.astype(np.bool_)
        if count.value:
            some = np.where(found, 1, NONE).astype(np.int32)
            self._look_closer(count.value, some, some.copy(), 1 << atom, keep=False)
            found = some > 0
        return found

    def _look_closer(self, count: int, some: Whole, every: Whole, services: int, *, keep: bool) -> None:
        """Decide the couples (attachment, destination) that the native part left out."""
        if not count:
            return
        attachment, destination = np.empty(count, np.int32), np.empty(count, np.int32)
        branching = np.empty(count, np.uint8)
        library().matrix_rest(self.handle, pointer(attachment), pointer(destination), pointer(branching))
        for branches in (False, True):
            here = np.flatnonzero(branching == branches)
            node = self.ground.classes.node[self.rows[destination[here]], attachment[here]]
            keys = self.ground.expanded(node, attachment[here], destination[here], self.packed)
            self._add(keys, some, every, services)
            if keep and branches and len(here):
                self._branching = keys
            elif keep:
                for pair, number in zip(self._pairs(keys).tolist(), keys.node.tolist(), strict=True):
                    self._conflicts.setdefault(pair, set()).add(number)

    def _pairs(self, keys: Keys) -> NDArray[np.int64]:
        return self.zone[keys.unit].astype(np.int64) * self.ground.zones + keys.zone

    def _add(self, keys: Keys, some: Whole, every: Whole, services: int) -> None:
        """Decide questions and add their answers to those of their pairs."""
        mine, yours = self.ground.decide(keys, self.units)
        sets = self.ground.sets
        for pair, one, other in zip(self._pairs(keys).tolist(), mine.tolist(), yours.tolist(), strict=True):
            found = [sets.masked(one, services)], [sets.masked(other, services)]
            if some[pair] != NONE:
                found[0].append(int(some[pair]))
                found[1].append(int(every[pair]))
            some[pair], every[pair] = joined_sets(sets, *found)

    def update(
        self, variants: Sequence[int], areas: Sequence[Area], some: Whole, every: Whole
    ) -> tuple[NDArray[np.int64], Whole, Whole]:
        """A filter has changed: the pairs computed anew in the matrix, and what they were before."""
        del areas
        forced = self._forced(variants)
        found = [self._update(variant, forced, some, every) for variant in variants]
        if self._branching is not None and found:
            pairs = np.unique(np.concatenate([rows[0] for rows in found]))
            again = np.flatnonzero(np.isin(self._pairs(self._branching), pairs))
            everything = self.ground.decider.table.services.everything
            self._add(self._branching.rows(again), some, every, everything)
        return found[0] if len(found) == 1 else first_of(found)

    def _forced(self, variants: Sequence[int]) -> NDArray[np.int64]:
        """Pairs with questions for filters.c whose way holds one of the variants."""
        if not self._conflicts and self._branching is None:
            return np.zeros(0, np.int64)
        wanted = set(variants)
        pairs = [
            pair
            for pair, nodes in self._conflicts.items()
            if any(wanted & self.ground.decider.variants_below(node) for node in nodes)
        ]
        if self._branching is not None:
            below = self.ground.below(variants)
            pairs += self._pairs(self._branching)[below[self._branching.node]].tolist()
        return np.array(sorted(set(pairs)), np.int64)

    def _update(
        self, variant: int, forced: NDArray[np.int64], some: Whole, every: Whole
    ) -> tuple[NDArray[np.int64], Whole, Whole]:
        changed, rest = ctypes.c_int64(), ctypes.c_int64()
        status = library().matrix_update(
            self.handle,
            ctypes.byref(self.ground.decider.table.view),
            self.ground.sets.handle,
            ctypes.c_int32(variant),
            ctypes.c_int64(len(forced)),
            pointer(forced),
            pointer(some),
            pointer(every),
            ctypes.byref(changed),
            ctypes.byref(rest),
        )
        check(status, "a matrix")
        size = changed.value
        rows = np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.int32)
        library().matrix_changes(self.handle, pointer(rows[0]), pointer(rows[1]), pointer(rows[2]))
        for pair in rows[0].tolist() if self._conflicts else []:
            self._conflicts.pop(pair, None)
        everything = self.ground.decider.table.services.everything
        self._look_closer(rest.value, some, every, everything, keep=True)
        return rows


def first_of(found: list[tuple[NDArray[np.int64], Whole, Whole]]) -> tuple[NDArray[np.int64], Whole, Whole]:
    """Several lists of (pair, before, before) as one: what each pair was before the first."""
    pairs, some, every = (np.concatenate([rows[column] for rows in found]) for column in range(3))
    kept, first = np.unique(pairs, return_index=True)
    return kept, some[first], every[first]


def joined_sets(sets: Sets, some: list[int], every: list[int]) -> tuple[int, int]:
    """The answer for a pair from the answers for its parts; (-1, -1) for none."""
    if not some:
        return NONE, NONE
    mine, yours = some[0], every[0]
    for one, other in zip(some[1:], every[1:], strict=True):
        mine, yours = sets.union(mine, one), sets.intersection(yours, other)
    return mine, yours


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


def stacked(parts: list[Units]) -> Units:
    """Lists of sets, one after the other."""
    sizes = np.concatenate([np.diff(part.first) for part in parts])
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Units(first, np.concatenate([part.low for part in parts]), np.concatenate([part.high for part in parts]))


def hull(units: Units, which: NDArray[Any]) -> tuple[Long, Long]:
    """First label and end of each of these sets; an empty set begins behind its end."""
    empty = units.first[which] == units.first[which + 1]
    if not len(units.low):
        return np.ones(len(which), np.int64), np.zeros(len(which), np.int64)
    low = units.low[np.minimum(units.first[which], len(units.low) - 1)]
    high = units.high[np.maximum(units.first[which + 1] - 1, 0)]
    return np.where(empty, 1, low), np.where(empty, 0, high)
