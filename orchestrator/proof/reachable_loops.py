"""Packets that go round and did not before any step: looked for where answers of the engine lead into loops.

In a network that is broken on purpose most destinations of most zones may go round, by few nodes of the graph each: all
destinations of one node at an attachment are decided at once, and only what a change can have touched is decided again.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import numpy as np

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.difference import families
from orchestrator.forwarding.engine.endings import Endings
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.labels import END
from orchestrator.forwarding.engine.packets import Interval, PacketSet, apart
from orchestrator.forwarding.engine.restated import restated

Round = tuple[int, tuple[Interval, ...]]
"""A node below which packets may go round, and the labels [low, high) that have it at an attachment, ascending."""


class Loops:
    """Zones with packets that go round, over one engine. Attachments are looked at when somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._before: dict[int, PacketSet] = {}
        self._decided: dict[tuple[int, Round], bool] = {}
        self._reset()
        self._before = self._packets()
        self._decided = {(attachment, one): False for attachment, rounds in self._found.items() for one in rounds}

    def _reset(self) -> None:
        self._generation = self.engine.generation
        self._endings = Endings(self.engine.decider)
        self._before = {zone: restated(found, self.engine.table) for zone, found in self._before.items()}
        self._zone = self.engine.attachments.zone.tolist()
        self._sources: dict[int, list[Interval]] = {}
        self._found: dict[int, list[Round]] = {}
        self._decided.clear()
        classes = self.engine.classes()
        self._dirty = {
            attachment for attachment in range(len(self._zone)) if self._endings.leads[classes.nodes(attachment)].any()
        }

    def changed(self, change: Change) -> None:
        """What an update made other: answers of the engine, or a filter's entries."""
        if change.way_back is not None and self._generation == self.engine.generation:
            self._forget(change.filter)
        if len(change.records):
            self._dirty.update(np.unique(change.records["attachment"]).tolist())

    def _forget(self, number: int) -> None:
        """Nodes that a filter is on or below are decided again."""
        if not self._decided:
            return
        variants = np.flatnonzero(self.engine.variants.filter == number).tolist()
        meets = self.engine.decider.slicer.below(variants)
        self._decided = {key: known for key, known in self._decided.items() if not meets[key[1][0]]}

    def zones(self) -> frozenset[int]:
        """Zones some of whose packets go round now and did not at the beginning."""
        self._settle()
        found = set[int]()
        for attachment, rounds in self._found.items():
            if self._zone[attachment] not in found and any(self._is_new(attachment, one) for one in rounds):
                found.add(self._zone[attachment])
        return frozenset(found)

    def _settle(self) -> None:
        if self._generation != self.engine.generation:
            self._reset()
        _ = self.engine.decider  # it takes in nodes made since
        self._endings.grow()
        for attachment in self._dirty:
            found = self._rounds(attachment)
            self._found.pop(attachment, None)
            if found:
                self._found[attachment] = found
        self._dirty.clear()

    def _rounds(self, attachment: int) -> list[Round]:
        """The nodes of an attachment's answers that lead into loops, each with its labels."""
        start, node = self.engine.segments(attachment)
        rows = np.flatnonzero(self._endings.leads[node])
        ends = np.append(start[1:], END)[rows]
        found: dict[int, list[Interval]] = {}
        for low, high, one in zip(start[rows].tolist(), ends.tolist(), node[rows].tolist(), strict=True):
            found.setdefault(one, []).append((low, high))
        return [(one, tuple(labels)) for one, labels in found.items()]

    def _is_new(self, attachment: int, one: Round) -> bool:
        known = self._decided.get((attachment, one))
        if known is None:
            packets, before = self._going_round(attachment, one), self._before.get(self._zone[attachment])
            known = self._decided[attachment, one] = bool(packets if before is None else packets - before)
        return known

    def _going_round(self, attachment: int, one: Round) -> PacketSet:
        """The packets that an attachment sends to a node's labels and that may go round."""
        decider, (node, labels) = self.engine.decider, one
        if attachment not in self._sources:
            self._sources[attachment] = self.engine.sources(attachment)
        services = decider.table.services
        parts = [part for pair in labels for part in families(*pair)]
        goals = decider.intervals([low for low, _high in parts], [high for _low, high in parts])
        asked = PacketSet.product(services, self._sources[attachment], goals, services.everything)
        return self._endings.packets(node, asked)

    def _packets(self) -> dict[int, PacketSet]:
        """All packets that go round now, by zone."""
        self._settle()
        services, found = self.engine.table.services, dict[int, list[PacketSet]]()
        for attachment, rounds in self._found.items():
            packets = apart(services, [self._going_round(attachment, one) for one in rounds])
            found.setdefault(self._zone[attachment], []).append(packets)
        return {zone: reduce(or_, sets) for zone, sets in found.items()}
