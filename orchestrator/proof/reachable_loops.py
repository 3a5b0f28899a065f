"""Packets that go round and did not before any step: looked for where answers of the engine lead into loops."""

from __future__ import annotations

import numpy as np

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.difference import families
from orchestrator.forwarding.engine.endings import Endings
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.labels import END
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.restated import restated

Stretch = tuple[int, int, int]
"""Labels [low, high) and the engine's node for them."""


class Loops:
    """Zones with packets that go round, over one engine. Attachments are looked at when somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._before: dict[int, PacketSet] = {}
        self._reset()
        self._before = self._packets()
        self._decided.clear()

    def _reset(self) -> None:
        self._generation = self.engine.generation
        self._endings = Endings(self.engine.decider, Outcome.LOOP)
        self._before = {zone: restated(found, self.engine.table) for zone, found in self._before.items()}
        self._zone = self.engine.attachments.zone.tolist()
        self._found: dict[int, list[Stretch]] = {}
        self._decided: dict[tuple[int, Stretch], bool] = {}
        classes = self.engine.classes()
        self._dirty = {
            attachment for attachment in range(len(self._zone)) if self._endings.leads[classes.nodes(attachment)].any()
        }

    def changed(self, change: Change) -> None:
        """What an update made other: answers of the engine, or a filter's entries."""
        if change.way_back is not None:
            self._decided.clear()
        if len(change.records):
            self._dirty.update(np.unique(change.records["attachment"]).tolist())

    def zones(self) -> frozenset[int]:
        """Zones some of whose packets go round now and did not at the beginning."""
        self._settle()
        found = set[int]()
        for attachment, stretches in self._found.items():
            if self._zone[attachment] not in found and any(self._is_new(attachment, one) for one in stretches):
                found.add(self._zone[attachment])
        return frozenset(found)

    def _settle(self) -> None:
        if self._generation != self.engine.generation:
            self._reset()
        _ = self.engine.decider  # it takes in nodes made since
        self._endings.grow()
        for attachment in self._dirty:
            start, node = self.engine.segments(attachment)
            rows = np.flatnonzero(self._endings.leads[node])
            end = np.append(start[1:], END)
            stretches = zip(start[rows].tolist(), end[rows].tolist(), node[rows].tolist(), strict=True)
            self._found[attachment] = list(stretches)
        self._dirty.clear()
        self._found = {attachment: found for attachment, found in self._found.items() if found}

    def _is_new(self, attachment: int, stretch: Stretch) -> bool:
        known = self._decided.get((attachment, stretch))
        if known is None:
            packets, before = self._going_round(attachment, stretch), self._before.get(self._zone[attachment])
            known = self._decided[attachment, stretch] = bool(packets if before is None else packets - before)
        return known

    def _going_round(self, attachment: int, stretch: Stretch) -> PacketSet:
        """The packets that an attachment sends to some labels and that may go round."""
        decider, (low, high, node) = self.engine.decider, stretch
        services = decider.table.services
        goals = [one for begin, end in families(low, high) for one in decider.intervals([begin], [end])]
        asked = PacketSet.product(services, self.engine.sources(attachment), goals, services.everything)
        return self._endings.packets(node, asked)

    def _packets(self) -> dict[int, PacketSet]:
        """All packets that go round now, by zone."""
        self._settle()
        found: dict[int, PacketSet] = {}
        for attachment, stretches in self._found.items():
            zone = self._zone[attachment]
            for one in stretches:
                packets = self._going_round(attachment, one)
                found[zone] = found[zone] | packets if zone in found else packets
        return found
