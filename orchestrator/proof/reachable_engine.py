"""The engine as the world of a proof: what of a policy does not hold, kept up to date with every update.

    world = EngineWorld(network, policy)
    proof = prove_states(network, batches, policy, world, engine=world.name)

Isolation: the engine names the answers that an update changed; those that may lead to a forbidden zone are decided
exactly, filters and translations included, and what is found is kept by attachment and destinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import orchestrator
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet
from orchestrator.forwarding.engine.policy import Broken, Policy
from orchestrator.forwarding.engine.slices import NO_ANSWER
from orchestrator.forwarding.engine.updates import InsertEntry, RemoveEntry, ReplaceEntry, Update
from orchestrator.proof.reachable_flows import Flows
from orchestrator.proof.reachable_walker import Walker

Stretch = tuple[int, int]
"""Labels [low, high)."""
Reached = tuple[frozenset[int], bool]
"""Forbidden zones that some packet gets to, and whether something unread stands on the way."""
Answer = tuple[int, int, int]
"""Labels [low, high) and the engine's node for them, or ASK."""
NOWHERE: Reached = (frozenset(), False)
ASK = -1
EVERYTHING: Answer = (0, 1 << 62, ASK)


class EngineWorld:
    """A network in the engine, and what of a policy does not hold in it."""

    name = f"engine-{orchestrator.__version__}"

    def __init__(self, network: Network, policy: Policy) -> None:
        """Build and judge the first state. Raises as Engine does, InputError for a policy that does not fit."""
        policy.check(network)
        self.policy = policy
        self.engine = Engine(network)
        self.walker = Walker(network)
        self.flows = Flows(self.engine, self.walker, policy.flows)
        self.isolation = Isolation(self.engine, policy)

    def apply(self, update: Update) -> None:
        """Change the network. Raises UpdateError when the update does not fit."""
        change = self.engine.apply(update)
        self.walker.apply(update)
        self.flows.changed(update, change.records)
        self.isolation.changed(update, change.records)

    def broken(self) -> Broken:
        """What does not hold now. A flow for which something unread decides counts as one that does not work."""
        self.flows.refresh()
        isolation, unknown = self.isolation.broken()
        return Broken(isolation, frozenset(self.flows.failing | self.flows.unread), unknown)


class Isolation:
    """Forbidden pairs of zones over one engine: which destinations at which attachments lead there."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine, self.policy = engine, policy
        forbidden = ~policy.allowed
        np.fill_diagonal(forbidden, val=False)
        self._forbidden = [frozenset(np.flatnonzero(row).tolist()) for row in forbidden]
        self._reset()

    def _reset(self) -> None:
        self._generation = self.engine.generation
        self._zones: list[frozenset[int]] = []  # node -> zones that may get something
        self._doubtful: list[bool] = []  # node -> whether something unread may stand on the way
        self._decided: dict[tuple[int, int, tuple[Stretch, ...]], Reached] = {}
        self._found: dict[int, list[tuple[int, int, Reached]]] = {}  # attachment -> stretches that lead to forbidden
        self._dirty: dict[int, list[Answer]] = {}
        attachments = self.engine.attachments
        self._sources: list[list[Interval]] = [[] for _row in attachments.port]
        number = {
            key: row for row, key in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True))
        }
        zones, labels = self.engine.base.zones, self.engine.labels
        low, high = labels.low(zones.source).tolist(), labels.high(zones.source).tolist()
        for key, one, other in zip(zip(zones.zone.tolist(), zones.port.tolist(), strict=True), low, high, strict=True):
            self._sources[number[key]] += self.engine.decider.intervals([one], [other])
        for attachment in range(len(attachments.port)):
            self._dirty[attachment] = [EVERYTHING]

    def changed(self, update: Update, records: Any) -> None:
        """An update, and the engine's answers that it made others."""
        if isinstance(update, InsertEntry | RemoveEntry | ReplaceEntry):
            self._decided.clear()
            for attachment in range(len(self._sources)):
                self._dirty.setdefault(attachment, []).append(EVERYTHING)
        columns = (records[name].tolist() for name in ("attachment", "low", "high", "after"))
        for attachment, low, high, after in zip(*columns, strict=True):
            self._dirty.setdefault(attachment, []).append((low, high, after))

    def broken(self) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]:
        """Forbidden pairs that some packet gets across, and those of which something unread makes it unknown."""
        if self._generation != self.engine.generation:
            self._reset()
        for attachment, answers in self._dirty.items():
            self._look(attachment, _last(answers))
        self._dirty.clear()
        wrong, doubt = set(), set()
        zone_of = self.engine.attachments.zone
        for attachment, found in self._found.items():
            zone = int(zone_of[attachment])
            for _low, _high, (zones, unread) in found:
                wrong |= {(zone, other) for other in zones}
                doubt |= {(zone, other) for other in self._forbidden[zone]} if unread else set()
        return frozenset(wrong), frozenset(doubt - wrong)

    def _look(self, attachment: int, answers: list[Answer]) -> None:
        """Decide some of an attachment's answers anew, and what was found bad and is partly among them."""
        kept = []
        for old in self._found.pop(attachment, []):
            rest = _without(old, answers)
            if rest == [old[:2]]:
                kept.append(old)
            else:
                answers = answers + [(low, high, ASK) for low, high in rest]
        by_node: dict[int, list[Stretch]] = {}
        for node, low, high in self._risky(attachment, answers):
            by_node.setdefault(node, []).append((low, high))
        for node, found in by_node.items():
            if self._reached(attachment, node, found) != NOWHERE:
                kept += [(*one, self._reached(attachment, node, [one])) for one in found]
        kept = [item for item in kept if item[2] != NOWHERE]
        if kept:
            self._found[attachment] = kept

    def _risky(self, attachment: int, answers: list[Answer]) -> Iterable[tuple[int, int, int]]:
        """(node, low, high) of those answers that may lead to forbidden zones."""
        forbidden = self._forbidden[int(self.engine.attachments.zone[attachment])]
        for low, high, after in answers:
            for node, start, end in [(after, low, high)] if after != ASK else self._segments(attachment, low, high):
                self._know(node)
                if self._zones[node] & forbidden or (self._doubtful[node] and forbidden):
                    yield node, start, end

    def _segments(self, attachment: int, low: int, high: int) -> Iterable[tuple[int, int, int]]:
        start, node = self.engine.segments(attachment)
        first = max(0, int(np.searchsorted(start, low, side="right")) - 1)
        last = int(np.searchsorted(start, high, side="left"))
        ends = np.append(start[first + 1 : last], high)
        for one, begin, end in zip(node[first:last].tolist(), start[first:last].tolist(), ends.tolist(), strict=True):
            yield one, max(begin, low), min(end, high)

    def _know(self, node: int) -> None:
        """Zones below every node up to this one; children stand before their parents."""
        if node < len(self._zones):
            return
        outcomes = self.engine.outcomes()
        begin = len(self._zones)
        kind, a = outcomes.kind[begin:].tolist(), outcomes.a[begin:].tolist()
        first, children = outcomes.first.tolist(), outcomes.children.tolist()
        unread = self._unread_variants()
        for offset, (what, argument) in enumerate(zip(kind, a, strict=True)):
            below = children[first[begin + offset] : first[begin + offset + 1]]
            zones = frozenset({argument}) if what == Outcome.DELIVER else frozenset[int]()
            for child in below:
                zones |= self._zones[child]
            filters = what in (Outcome.FILTER, Outcome.BRANCH_FILTER) and argument in unread
            self._zones.append(zones)
            self._doubtful.append(what == Outcome.UNKNOWN or filters or any(self._doubtful[child] for child in below))

    def _unread_variants(self) -> frozenset[int]:
        """Variants of filters that may meet an entry nobody understood: every one, once entries change."""
        table = self.engine.decider.table
        return frozenset(
            variant
            for variant, number in enumerate(table.variant_filter[: table.rule_base].tolist())
            if table.otherwise[number] == 2 or (table.columns["action"][table.rows(number)] == 2).any()
        )

    def _reached(self, attachment: int, node: int, stretches: list[Stretch]) -> Reached:
        """What one answer leads to for some destinations."""
        key = attachment, node, tuple(stretches)
        if key not in self._decided:
            self._decided[key] = self._decide(attachment, node, stretches)
        return self._decided[key]

    def _decide(self, attachment: int, node: int, stretches: Sequence[Stretch]) -> Reached:
        decider = self.engine.decider
        low, high = [one for one, _other in stretches], [other for _one, other in stretches]
        wanted = self._forbidden[int(self.engine.attachments.zone[attachment])] & self._zones[node]
        services = decider.table.services
        packets = PacketSet.product(
            services, self._sources[attachment], decider.intervals(low, high), services.everything
        )
        zones = frozenset(zone for zone in wanted if decider.delivered(node, packets, zone, every_path=False))
        unread = self._doubtful[node] and bool(decider.delivered(node, packets, NO_ANSWER, every_path=False))
        return zones, unread


def _last(answers: list[Answer]) -> list[Answer]:
    """Answers without what later ones of them say anew."""
    found: list[Answer] = []
    for low, high, after in reversed(answers):
        found += [(one, other, after) for one, other in _without((low, high), found)]
    return found


def _without(stretch: Sequence[Any], answers: list[Answer]) -> list[Stretch]:
    """What is left of a stretch outside some answers."""
    parts: list[Stretch] = [(stretch[0], stretch[1])]
    for low, high, _after in answers:
        cut = [((begin, min(end, low)), (max(begin, high), end)) for begin, end in parts]
        parts = [(begin, end) for both in cut for begin, end in both if begin < end]
    return parts
