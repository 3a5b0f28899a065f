"""What the parts of a matrix stand on, and the part that is decided question by question (matrix_fast.py is the other).

`SlicedPart` keeps one question per (attachment, node, zone) with the destinations of that node; an update decides the
questions anew whose way holds the filter and whose addresses overlap the entry. A part is one address family.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.outcomes import Attachments, Classes
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.service_sets import Sets
from orchestrator.forwarding.engine.slices import Long, Units, Whole

FEW_NODES: Final = 64  # asked about so few, the graph is searched below each of them and not looked through as a whole


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
    """What all parts stand on."""

    decider: Decider
    classes: Classes
    attachments: Attachments
    zones: int
    flags: int
    threads: int
    sets: Sets

    @cached_property
    def _reach(self) -> tuple[Whole, NDArray[np.bool_]]:
        """Only when asked for: where all ways are chains of filters hardly anybody does."""
        graph = self.decider.slicer.graph
        nodes = int(graph.nodes)
        zone_of, rewrites = np.empty(nodes, np.int32), np.empty(nodes, np.uint8)
        library().filters_reach(ctypes.byref(graph), pointer(zone_of), pointer(rewrites))
        return zone_of, rewrites.view(np.bool_)

    def _few(self, nodes: Whole) -> bool:
        return "_reach" not in self.__dict__ and len(nodes) <= FEW_NODES

    def zone_of(self, nodes: Whole) -> Whole:
        """Per node its zone (-1 none, -2 several)."""
        if not self._few(nodes):
            return self._reach[0][nodes]
        zones = [self.decider.zones(node) for node in nodes.tolist()]
        return np.array([min(found, default=NONE) if len(found) < 2 else -2 for found in zones], np.int32)

    def rewrites(self, nodes: Whole) -> NDArray[np.bool_]:
        """Per node whether translations are below it."""
        if not self._few(nodes):
            return self._reach[1][nodes]
        return np.array([self.decider.translates(node) for node in nodes.tolist()], np.bool_)

    def expanded(self, node: Whole, unit: Whole, which: NDArray[Any], destinations: Units) -> Keys:
        """Questions per zone: a node that leads to several zones is asked for each of them."""
        zone = self.zone_of(node)
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
        rewrites = self.rewrites(keys.node)
        native = np.flatnonzero(~rewrites)
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
        for attachment in np.flatnonzero(np.diff(self.units.first)).tolist():  # others send nothing of this family
            node = ground.classes.nodes(attachment)[owner]
            here = np.flatnonzero(ground.zone_of(node) != NONE)
            here = here[np.argsort(node[here], kind="stable")]
            nodes = node[here]
            first = np.flatnonzero(np.diff(nodes, prepend=NONE))
            bounds = np.append(first, len(nodes)).astype(np.int64)
            unit = np.full(len(first), attachment, np.int32)
            yield ground.expanded(nodes[first], unit, np.arange(len(first)), Units(bounds, low[here], high[here]))

    def put(self, some: Whole, every: Whole) -> None:
        """All answers into a matrix (flat); NONE where no destination leads."""
        some.fill(NONE)
        every.fill(NONE)
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
            self._below[key] = np.flatnonzero(self.ground.decider.slicer.below(variants)[self.keys.node])
        rows = self._below[key]
        source_low, source_high, low, high = (column[rows] for column in self._hulls)
        hit = np.zeros(len(rows), np.bool_)
        for area in areas:
            meets = (source_low < area.source[1]) & (source_high > area.source[0])
            hit |= meets & (low < area.destination[1]) & (high > area.destination[0])
        rows = rows[hit | self.ground.rewrites(self.keys.node[rows])]
        if not len(rows):
            return np.zeros(0, np.int64)
        asked = self.keys.rows(rows)
        self.some[rows], self.every[rows] = self.ground.decide(asked, self.units)
        return np.asarray(np.unique(self.pair[rows]), np.int64)


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
