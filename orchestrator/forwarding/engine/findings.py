"""What is wrong with a network's routes by itself: packets that go round, and zones' addresses that nobody can reach.

    for loop in engine.findings().loops: ...

The packets are the engine's answers: what is lost is delivered, place by place, in a network made for this question
(losses.py). Where packets go round is told by examples of every class of destinations, walked by the plain walker.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.endings import NOT_YET, Endings, leading_to
from orchestrator.forwarding.engine.losses import PORT_DOWN, Loss, Losses
from orchestrator.forwarding.engine.network import NONE, HopKind, OperationKind, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet, combined, union_of
from orchestrator.forwarding.engine.trail import Ending, Step, Trail

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.engine import Engine

MOST_BRANCHES = 50_000
"""Branches of examples walked in one question; what is left then is told without its cycle, zone by zone."""


class Loop(NamedTuple):
    """Packets of a zone that may go round. `packets`: exact; `tables`, `lines`: the cycle of the example, in its order.

    A line is "file:line" of the route taken in that table, "" when it is not known or a policy decided.
    """

    zone: int
    packets: PacketSet
    tables: tuple[str, ...]
    lines: tuple[str, ...]
    example: Packet


class Hole(NamedTuple):
    """Packets of a zone to addresses of other zones that routes lose on some branch, all at one place. All exact.

    `what`: "no route", "null route", "no cable" or "the port is down". `table`: where they were looked up last, or
    whose port is down. `line`: "file:line" of the route taken there, "" without one or when it is not known.
    """

    zone: int
    packets: PacketSet
    what: str
    table: str
    line: str
    example: Packet


class Findings(NamedTuple):
    """Everything found, zone by zone."""

    loops: tuple[Loop, ...]
    holes: tuple[Hole, ...]


class Cycle(NamedTuple):
    """Where an example goes round."""

    tables: tuple[str, ...]
    lines: tuple[str, ...]


NOWHERE = Cycle((), ())


def loops(engine: Engine) -> tuple[Loop, ...]:
    """Packets that may go round, by zone and cycle."""
    return tuple(_Rounds(engine).run())


def holes(engine: Engine, losses: Losses, pairs: NDArray[np.bool_] | None = None) -> tuple[Hole, ...]:
    """Packets to other zones' addresses that routes lose. `engine`: of `losses.network` (losses.py).

    `pairs` [source, owner]: zones to look at, None: all.
    """
    return tuple(_Lost(engine, losses).run(_owned(engine, losses.first, pairs)))


def _owned(engine: Engine, zones: int, pairs: NDArray[np.bool_] | None) -> list[tuple[Interval, ...]]:
    """For the first zones the addresses (positions, ascending) of those that each is asked about, without its own."""
    own: list[list[Interval]] = [[] for _zone in range(zones)]
    for row, zone in enumerate(engine.attachments.zone.tolist()):
        if zone < zones:
            own[zone] += engine.sources(row)
    found = []
    for zone, mine in enumerate(own):
        asked = range(len(own)) if pairs is None else np.flatnonzero(pairs[zone]).tolist()
        others = union_of(interval for other in asked if other != zone for interval in own[other])
        found.append(_without(others, union_of(mine)))
    return found


def _without(intervals: tuple[Interval, ...], others: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Ascending intervals without what ascending others cover."""
    left = tuple((low, high, True) for low, high in intervals)
    right = tuple((low, high, True) for low, high in others)
    return tuple((low, high) for low, high, _ in combined(left, right, False, lambda one, other: one and not other))


def _inside(intervals: Iterable[Interval], targets: tuple[Interval, ...]) -> list[Interval]:
    """What of some intervals lies in ascending disjoint targets; looked up, as both may be many."""
    found = []
    for low, high in intervals:
        at = bisect_right(targets, low, key=itemgetter(1))
        while at < len(targets) and targets[at][0] < high:
            found.append((max(low, targets[at][0]), min(high, targets[at][1])))
            at += 1
    return found


class _Lost:
    """What an engine delivers to zones that stand for losses."""

    def __init__(self, engine: Engine, losses: Losses) -> None:
        self._engine, self._losses, self._decider = engine, losses, engine.decider
        outcomes = self._decider.slicer.outcomes
        asked = (outcomes.kind == Outcome.DELIVER) & (outcomes.a >= losses.first)
        self._leads, self._classes = leading_to(outcomes, asked, NOT_YET), engine.classes()

    def run(self, owned: list[tuple[Interval, ...]]) -> Iterator[Hole]:
        """Zone by zone, for these destinations of each, and place by place."""
        network = self._losses.network
        for zone, goals in enumerate(owned):
            found: dict[Loss, PacketSet] = {}
            for attachment in np.flatnonzero(self._engine.attachments.zone == zone).tolist():
                for loss, packets in self._sets(attachment, goals):
                    found[loss] = found[loss] | packets if loss in found else packets
            for loss, packets in sorted(found.items()):
                if (example := packets.example()) is not None:
                    line = "" if loss.line == NONE else network.lines[loss.line]
                    yield Hole(zone, packets, loss.what, network.tables[loss.table], line, example)

    def _sets(self, attachment: int, goals: tuple[Interval, ...]) -> Iterator[tuple[Loss, PacketSet]]:
        """What of the packets that enter by an attachment is lost where."""
        services, sources = self._decider.table.services, self._engine.sources(attachment)

        def packets_to(destinations: Iterable[Interval]) -> PacketSet:
            return PacketSet.product(services, sources, destinations, services.everything)

        port, up = int(self._engine.attachments.port[attachment]), self._losses.network.ports.up
        if up is not None and not up[port]:
            yield Loss(PORT_DOWN, int(self._losses.network.ports.table[port]), NONE), packets_to(goals)
            return
        classes, nodes = self._classes, self._classes.nodes(attachment)
        for node in np.unique(nodes[self._leads[nodes]]).tolist():
            rows = np.flatnonzero(nodes == node).tolist()
            parts = np.concatenate([np.arange(classes.first[row], classes.first[row + 1]) for row in rows])
            inside = union_of(self._decider.intervals(classes.low[parts].tolist(), classes.high[parts].tolist()))
            asked = packets_to(_inside(inside, goals))
            for place in sorted(self._decider.zones(node)) if asked else ():
                if place >= self._losses.first:
                    packets = self._decider.delivered(node, asked, place, every_path=False)
                    yield self._losses.places[place - self._losses.first], packets


class _Rounds:
    """One question about packets that go round."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._decider = engine, engine.decider
        self._endings, self._classes = Endings(self._decider), engine.classes()
        self._left = MOST_BRANCHES

    def run(self) -> Iterator[Loop]:
        """Zone by zone, and cycle by cycle as examples show them."""
        for zone in range(len(self._engine.base.zone_names)):
            found: dict[Cycle, tuple[PacketSet, Packet]] = {}
            for packets in self._sets(zone):
                if (example := packets.example()) is None:
                    continue
                cycle = self._shown(zone, example)
                known = found.get(cycle)
                found[cycle] = (packets, example) if known is None else (known[0] | packets, known[1])
            for cycle, (packets, example) in found.items():
                yield Loop(zone, packets, cycle.tables, cycle.lines, example)

    def _sets(self, zone: int) -> Iterator[PacketSet]:
        """The packets of a zone that go round: those of one class of destinations and one attachment after another."""
        classes, services = self._classes, self._decider.table.services
        for attachment in np.flatnonzero(self._engine.attachments.zone == zone).tolist():
            sources = self._engine.sources(attachment)
            nodes = classes.nodes(attachment)
            for row in np.flatnonzero(self._endings.leads[nodes]).tolist():
                stretch = slice(int(classes.first[row]), int(classes.first[row + 1]))
                goals = self._decider.intervals(classes.low[stretch].tolist(), classes.high[stretch].tolist())
                asked = PacketSet.product(services, sources, goals, services.everything)
                yield self._endings.packets(int(nodes[row]), asked)

    def _shown(self, zone: int, example: Packet) -> Cycle:
        """The cycle that an example's first branch with one shows; nowhere when enough was walked."""
        for trail in self._engine.walker.ways(zone, example):
            self._left -= 1
            if self._left < 0:
                break
            if trail.end.ending == Ending.LOOP:
                return self._cycle(trail)
        return NOWHERE

    def _cycle(self, trail: Trail) -> Cycle:
        """The part of a branch that repeats, beginning with its first table in the order of tables."""
        steps = trail.steps[_begin(self._engine, trail) :]
        turn = min(range(len(steps)), key=lambda at: steps[at].table)
        base, line_of = self._engine.base, self._engine.walker.rows.line_of
        numbers = [(step.table, line_of(step.route)) for step in (*steps[turn:], *steps[:turn])]
        return Cycle(
            tuple(base.tables[table] for table, _line in numbers),
            tuple(base.lines[line] if line != NONE else "" for _table, line in numbers),
        )


def _begin(engine: Engine, trail: Trail) -> int:
    """The step of a loop's trail at which it comes to be again, with the same header, behind its last step."""
    steps, last = trail.steps, trail.steps[-1]
    for at in range(len(steps) - 1, 0, -1):
        before, step = steps[at - 1], steps[at]
        if before.packet != trail.end.packet or (before.out_port == NONE) != (last.out_port == NONE):
            continue
        if last.out_port != NONE and step.in_port == int(engine.base.ports.peer[last.out_port]):
            return at
        if last.out_port == NONE and step.in_port == last.in_port and step.table in _tables_after(engine, last):
            return at
    return 0


def _tables_after(engine: Engine, step: Step) -> set[int]:
    """The tables in which a step's next hops look a packet up again."""
    rows = engine.walker.rows
    if step.route != NONE:
        group = rows.routes[step.route].group
    else:
        policy = next(one for one in step.passed if one.kind == OperationKind.POLICY and one.row != NONE)
        group = next(group for row, _match, group in rows.policies[policy.number] if row == policy.row)
    return {target for kind, target in rows.groups[group] if kind == HopKind.TABLE}
