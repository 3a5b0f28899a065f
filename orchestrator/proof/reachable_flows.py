"""Registered flows over the engine: looked at again only when an answer of the engine that they hang on has changed.

The engine says what becomes of a flow's packet at each of its zone's ports, and of its answer. Where that settles the
flow it is taken; where it hangs on what devices remember beyond the two ends, or on translations, the plain walker
decides. Both agree with `plain_flow.works`, which `tests/proof/test_reachable_engine.py` looks at.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

import numpy as np

from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Action, OperationKind, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.policy import Flow
from orchestrator.forwarding.engine.trail import answer_to
from orchestrator.forwarding.engine.updates import EntryUpdate, InsertEntry, ReplaceEntry, Update
from orchestrator.proof.reachable_graph import Graph
from orchestrator.proof.reachable_senders import Senders
from orchestrator.proof.reachable_walker import Walker
from orchestrator.proof.reachable_ways import Decisions, Meetings, Places, Way


class Verdict(Enum):
    """What the engine's answers say of a flow, or of a part of its way."""

    WORKS = "works"
    FAILS = "fails"  # on some equal-cost way at least
    UNREAD = "unread"  # something nobody could read decides
    SLOW = "slow"  # the walker has to decide


Fate = frozenset[int] | Verdict
"""Zones a packet is surely delivered to, or what else becomes of it."""
Answers = tuple[tuple[int, ...], tuple[tuple[int, tuple[int, ...]], ...]]
"""The engine's nodes that a verdict hangs on: of the packet, and of its answer from each zone."""

EVERY_DEVICE: Final = frozenset({-1})
_BOOL: Final = {Verdict.WORKS: True, Verdict.FAILS: False, Verdict.UNREAD: None}
_ENDS: Final = {Outcome.DROP: Verdict.FAILS, Outcome.LOOP: Verdict.FAILS, Outcome.UNKNOWN: Verdict.UNREAD}


class Flows:
    """The flows of a policy over one engine. `failing` and `unread` hold their numbers after `refresh`."""

    def __init__(self, engine: Engine, walker: Walker, flows: tuple[Flow, ...]) -> None:
        self.engine, self.walker, self.flows = engine, walker, flows
        self.senders = Senders(engine.base)
        self.failing: set[int] = set()
        self.unread: set[int] = set()
        self.walked = 0
        self._devices = _devices_of_filters(engine)
        self._ends = _devices_of_zones(engine)
        self._rows: dict[tuple[int, int], list[int]] = {}  # (zone, port) -> rows of attachments
        self.reset()

    def reset(self) -> None:
        """Everything anew: the engine gave its labels or nodes new numbers, or filters have changed."""
        self._generation = self.engine.generation
        self._fates: list[dict[tuple[int, frozenset[int] | None], Fate]] = [{} for _flow in self.flows]
        self._verdicts: list[dict[Answers, Verdict]] = [{} for _flow in self.flows]
        self._actions: list[dict[tuple[int, bool], int]] = [{} for _flow in self.flows]  # (variant, answer)
        self._decisions = Decisions(self.engine.decider.table)
        self._met = Meetings()
        self._slow: set[int] = set()  # flows that the walker last decided
        self._graph = Graph(self.engine)
        self._rows.clear()
        attachments = self.engine.attachments
        for row, place in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True)):
            self._rows.setdefault(place, []).append(row)
        self._there = [self._way(flow.zone, flow.packet) for flow in self.flows]
        self._back = [self._ways_back(flow.packet) for flow in self.flows]
        self._places = Places(
            [*enumerate(self._there), *((at, way) for at, found in enumerate(self._back) for way in found.values())]
        )
        self._dirty = set(range(len(self.flows)))

    def _way(self, zone: int, packet: Packet) -> Way:
        engine = self.engine
        ports = self.senders.ports(zone, packet.family, packet.source)
        rows = tuple(row for port in ports for row in self._rows.get((zone, port), ()))
        source, destination = (engine.labels.boundary(packet.family, at) for at in (packet.source, packet.destination))
        return Way(rows, packet, source, destination)

    def _ways_back(self, packet: Packet) -> dict[int, Way]:
        """The answer's way from every zone that can send it."""
        answer = answer_to(packet)
        zones = self.senders.zones(packet.family, packet.destination)
        return {zone: self._way(zone, answer) for zone in zones}

    def changed(self, update: Update, records: Any, back: EntryUpdate | None = None) -> None:
        """An update, and the engine's answers that it made others: rows of attachment, low, high.

        `back`: what takes a filter entry's update back.
        """
        if back is not None:
            for number in self._concerned(update, back):
                self._actions[number].clear()
                self._fates[number].clear()
                self._verdicts[number].clear()
                self._dirty.add(number)
        if len(records):
            self._dirty.update(self._places.met(records))
        if self._slow:
            self._dirty |= self._slow  # other ways may lead to the same end over other memories

    def _concerned(self, *updates: Update) -> set[int]:
        """Those flows of whose packets or answers an entry that came or went may decide."""
        interval, found = self.engine.labels.interval, set[int]()
        for update in updates:
            if isinstance(update, InsertEntry | ReplaceEntry):
                match = update.entry.match
                found |= self._met.within(update.filter, interval(match.source), interval(match.destination))
        return found

    def refresh(self) -> None:
        """Look again at the flows whose answers have changed."""
        if self._generation != self.engine.generation:
            self.reset()
        for number in self._dirty:
            verdict = self._verdict(number)
            (self.failing.add if verdict is False else self.failing.discard)(number)
            (self.unread.add if verdict is None else self.unread.discard)(number)
        self._dirty.clear()

    def _verdict(self, number: int) -> bool | None:
        at, there = self.engine.core.at, self._there[number]
        nodes = tuple(sorted({at(row, there.destination) for row in there.attachments}))
        back = {
            zone: tuple(sorted({at(row, way.destination) for row in way.attachments}))
            for zone, way in self._back[number].items()
        }
        key = nodes, tuple(back.items())
        verdict = self._verdicts[number].get(key)
        if verdict is None:
            verdict = self._verdicts[number][key] = self._judge(number, nodes, back)
        (self._slow.add if verdict is Verdict.SLOW else self._slow.discard)(number)
        if verdict is Verdict.SLOW:
            self.walked += 1
            return self.walker.works(self.flows[number].zone, self.flows[number].packet)
        return _BOOL[verdict]

    def _judge(self, number: int, nodes: tuple[int, ...], back: dict[int, tuple[int, ...]]) -> Verdict:
        """The verdict as far as the engine's answers give it."""
        there = self._fate(number, nodes, None)
        if isinstance(there, Verdict):
            return there
        if len(there) != 1:
            return Verdict.FAILS
        (zone,) = there
        if not back.get(zone):
            return Verdict.FAILS
        home = frozenset({self.flows[number].zone})
        if self._fate(number, back[zone], self._crossed(number, zone)) == home:
            return Verdict.WORKS
        hoped = self._fate(number, back[zone], EVERY_DEVICE)
        if hoped == home or hoped is Verdict.SLOW:
            return Verdict.SLOW  # it hangs on what other devices remember
        return hoped if isinstance(hoped, Verdict) else Verdict.FAILS

    def _crossed(self, number: int, zone: int) -> frozenset[int]:
        """Devices that the flow's packet crosses for certain: the one it enters by and the one it leaves by."""
        ports = self.engine.attachments.port
        device = self.engine.base.ports.device
        starts = {int(device[ports[row]]) for row in self._there[number].attachments}
        found = starts if len(starts) == 1 else set()
        ends = self._ends.get(zone, frozenset())
        return frozenset(found) | (ends if len(ends) == 1 else frozenset())

    def _fate(self, number: int, nodes: Iterable[int], crossed: frozenset[int] | None) -> Fate:
        """What becomes of the packet (of its answer, when devices `crossed` know it) at some nodes together."""
        return _together([self._node(number, node, crossed) for node in nodes])

    def _node(self, number: int, node: int, crossed: frozenset[int] | None) -> Fate:
        known, key = self._fates[number], (node, crossed)
        if key not in known:
            known[key] = self._follow(number, node, crossed)
        return known[key]

    def _follow(self, number: int, node: int, crossed: frozenset[int] | None) -> Fate:
        graph = self._graph
        graph.know(node)
        what, below, argument = graph.kind[node], graph.below(node), graph.a[node]
        if what in _ENDS:
            return _ENDS[Outcome(what)]
        if what == Outcome.DELIVER:
            return frozenset({argument})
        if what == Outcome.EITHER:
            return _together([self._node(number, child, crossed) for child in below])
        if what not in (Outcome.FILTER, Outcome.BRANCH_FILTER):
            return Verdict.SLOW
        remembered = crossed if what == Outcome.FILTER else None
        action = self._decide(number, argument, remembered, answer=crossed is not None)
        if action == Action.UNKNOWN:
            return Verdict.UNREAD
        if action == Action.PERMIT:
            return self._node(number, below[0], crossed)
        return self._node(number, below[1], crossed) if what == Outcome.BRANCH_FILTER else Verdict.FAILS

    def _decide(self, number: int, variant: int, crossed: frozenset[int] | None, *, answer: bool) -> int:
        """What a filter does with the packet; a stateful one passes answers of what its device has seen for certain."""
        table = self._decisions.table
        filter_number = int(table.variant_filter[variant])
        self._met.note(filter_number, number, (self._there[number], *self._back[number].values()))
        if crossed is not None and table.stateful[filter_number]:
            devices = self._devices.get(filter_number)
            if crossed is EVERY_DEVICE or (devices and devices <= crossed):
                return int(Action.PERMIT)
        known, key = self._actions[number], (variant, answer)
        if key not in known:
            way = next(iter(self._back[number].values())) if answer else self._there[number]
            known[key] = self._decisions.action(variant, way)
        return known[key]


def _together(fates: list[Fate]) -> Fate:
    """Equal-cost ways: lost when any is lost, else for the walker when any is, else unread, else all the zones."""
    for verdict in (Verdict.FAILS, Verdict.SLOW, Verdict.UNREAD):
        if verdict in fates:
            return verdict
    zones = frozenset[int]().union(*(fate for fate in fates if isinstance(fate, frozenset)))
    return zones or Verdict.FAILS


def _devices_of_filters(engine: Engine) -> dict[int, frozenset[int]]:
    """Filter -> devices at whose ports packets meet it."""
    ports = engine.base.ports
    found: dict[int, set[int]] = {}
    for first, kind, index in (
        (ports.ingress_first, ports.ingress_kind, ports.ingress_index),
        (ports.egress_first, ports.egress_kind, ports.egress_index),
    ):
        owner = np.repeat(np.arange(len(ports.table)), np.diff(first))
        chosen = kind == OperationKind.FILTER
        for port, number in zip(owner[chosen].tolist(), index[chosen].tolist(), strict=True):
            found.setdefault(number, set()).add(int(ports.device[port]))
    return {number: frozenset(devices) for number, devices in found.items()}


def _devices_of_zones(engine: Engine) -> dict[int, frozenset[int]]:
    """Zone -> devices at which it is attached."""
    zones, device = engine.base.zones, engine.base.ports.device
    found: dict[int, set[int]] = {}
    for zone, port in zip(zones.zone.tolist(), zones.port.tolist(), strict=True):
        found.setdefault(zone, set()).add(int(device[port]))
    return {zone: frozenset(devices) for zone, devices in found.items()}
