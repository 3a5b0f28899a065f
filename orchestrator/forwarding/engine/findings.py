"""What is wrong with a network's routes by itself: packets that go round, and zones' addresses that nobody can reach.

    for loop in engine.findings().loops: ...

The packets come from the engine's answers. Where they go round or get lost is told by examples of every class of
destinations, walked by the plain walker; tables and lines are those of that walk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.endings import Endings
from orchestrator.forwarding.engine.network import NONE, HopKind, OperationKind, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet, combined, union_of
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.forwarding.engine.trail import Ending, Step, Trail

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.engine import Engine

MOST_WALKS = 2_000
"""Examples walked in one question; what is left then is told without its place, zone by zone."""
MOST_TRIES = 16
"""Examples of one class that are walked to tell what filters deny from what is lost."""


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
    """Packets of a zone to addresses of other zones that routes lose on some branch, and where.

    `packets`: exact where filters alone stand on the way; behind translations and policies also those that a filter
    denies before they would be lost.

    `what`: "no route", "null route", "no cable" or "the port is down" ("" with `table` when it was not walked).
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


class Place(NamedTuple):
    """Where an example goes round (`tables`, `lines`), or where and why it is lost (`what`, one table and line)."""

    what: str
    tables: tuple[str, ...]
    lines: tuple[str, ...]


NOWHERE = Place("", (), ())


def loops(engine: Engine) -> tuple[Loop, ...]:
    """Packets that may go round, by zone and cycle."""
    found = _Search(engine, Outcome.LOOP).run(None)
    return tuple(Loop(zone, packets, place.tables, place.lines, one) for zone, place, packets, one in found)


def holes(engine: Engine, pairs: NDArray[np.bool_] | None = None) -> tuple[Hole, ...]:
    """Packets to other zones' addresses that routes lose. `pairs` [source, owner]: zones to look at, None: all."""
    found = _Search(engine, Outcome.DROP).run(_owned(engine, pairs))
    return tuple(
        Hole(zone, packets, place.what, next(iter(place.tables), ""), next(iter(place.lines), ""), one)
        for zone, place, packets, one in found
    )


def findings(engine: Engine, pairs: NDArray[np.bool_] | None = None) -> Findings:
    """Both; `pairs` as in `holes`."""
    return Findings(loops(engine), holes(engine, pairs))


def _owned(engine: Engine, pairs: NDArray[np.bool_] | None) -> list[tuple[Interval, ...]]:
    """Per zone the addresses (positions, ascending) of the other zones that it is asked about, without its own."""
    own: list[list[Interval]] = [[] for _name in engine.base.zone_names]
    for row, zone in enumerate(engine.attachments.zone.tolist()):
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


class _Search:
    """One question about one kind of end."""

    def __init__(self, engine: Engine, end: Outcome) -> None:
        self._engine, self._decider = engine, engine.decider
        self._endings = Endings(self._decider, end)
        self._end = end
        self._classes = engine.classes()
        self._walks = 0

    def run(self, owned: list[tuple[Interval, ...]] | None) -> Iterator[tuple[int, Place, PacketSet, Packet]]:
        """(zone, place, packets, example) of all that ends so, for these destinations (None: all) of each zone."""
        for zone in range(len(self._engine.base.zone_names)):
            found: dict[Place, tuple[PacketSet, Packet]] = {}
            for packets in self._sets(zone, None if owned is None else owned[zone]):
                for place, told, example in self._told(zone, packets):
                    known = found.get(place)
                    found[place] = (told, example) if known is None else (known[0] | told, known[1])
            yield from ((zone, place, packets, example) for place, (packets, example) in found.items())

    def _sets(self, zone: int, owned: tuple[Interval, ...] | None) -> Iterator[PacketSet]:
        """The packets of a zone that end so: those of one class of destinations and one attachment after another."""
        classes, services = self._classes, self._decider.table.services
        for attachment in np.flatnonzero(self._engine.attachments.zone == zone).tolist():
            sources = self._engine.sources(attachment)
            nodes = classes.nodes(attachment)
            for row in np.flatnonzero(self._endings.leads[nodes]).tolist():
                stretch = slice(int(classes.first[row]), int(classes.first[row + 1]))
                goals = self._decider.intervals(classes.low[stretch].tolist(), classes.high[stretch].tolist())
                asked = PacketSet.product(
                    services, sources, goals if owned is None else _inside(goals, owned), services.everything
                )
                found = self._endings.packets(int(nodes[row]), asked)
                if found:
                    yield found

    def _told(self, zone: int, packets: PacketSet) -> Iterator[tuple[Place, PacketSet, Packet]]:
        """The packets of one class by where examples of them end, without those that filters deny before that."""
        for _try in range(MOST_TRIES):
            example = packets.example()
            if example is None:
                return
            trails = self._trails(zone, example)
            ended = [(place, trail) for trail in trails if (place := self._place(trail)) is not None]
            if self._end == Outcome.LOOP or not trails or not all(map(_only_filters, trails)):
                yield ended[0][0] if ended else NOWHERE, packets, example
                return
            rest = PacketSet(packets.services)
            for trail in trails:
                if trail.end.reason in ("denied", "unknown entry"):  # others may pass and be lost behind it
                    rest |= self._passing(packets, trail)
            for place, trail in ended:
                told = self._passing(packets, trail)
                rest -= told
                yield place, told, example
            packets = rest
        if (example := packets.example()) is not None:
            yield NOWHERE, packets, example

    def _trails(self, zone: int, example: Packet) -> list[Trail]:
        """The branches of an example; none when there are too many, or enough was walked."""
        self._walks += 1
        try:
            return self._engine.path(zone, example) if self._walks <= MOST_WALKS else []
        except TooManyTrailsError:
            return []

    def _passing(self, packets: PacketSet, trail: Trail) -> PacketSet:
        """The packets that pass every filter on a branch, also the one that may have ended it for the example."""
        variants = self._engine.variants
        for step in trail.steps:
            for one in step.passed:
                mine = variants.filter == one.number
                exact = mine & (variants.in_port == step.in_port)
                (variant,) = np.flatnonzero(exact if exact.any() else mine & (variants.in_port == NONE)).tolist()
                packets = self._decider.split(variant, packets)[0]
        return packets

    def _place(self, trail: Trail) -> Place | None:
        """Where a branch ends, when it ends as asked."""
        if self._end == Outcome.LOOP:
            return self._cycle(trail) if trail.end.ending == Ending.LOOP else None
        if trail.end.ending != Ending.DROPPED or trail.end.reason == "denied":
            return None
        return Place(trail.end.reason, *self._named(trail.steps[-1:]))

    def _cycle(self, trail: Trail) -> Place:
        """The part of a branch that repeats, beginning with its first table in the order of tables."""
        steps = trail.steps[_begin(self._engine, trail) :]
        turn = min(range(len(steps)), key=lambda at: steps[at].table)
        return Place("loop", *self._named((*steps[turn:], *steps[:turn])))

    def _named(self, steps: Iterable[Step]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        base, line_of = self._engine.base, self._engine.walker.rows.line_of
        numbers = [(step.table, line_of(step.route)) for step in steps]
        return (
            tuple(base.tables[table] for table, _line in numbers),
            tuple(base.lines[line] if line != NONE else "" for _table, line in numbers),
        )


def _only_filters(trail: Trail) -> bool:
    """Whether filters alone were met: then packets of one class differ in nothing but what those say."""
    return all(one.kind == OperationKind.FILTER for step in trail.steps for one in step.passed)


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
