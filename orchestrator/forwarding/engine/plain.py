"""One concrete packet through a network, one table after the other, exactly as network.py says. Slow, and meant to be.

This is what the engine is compared with, so it shares nothing with it but the arrays. What network.py leaves open:

- A zone sends a packet from each of its ports that has a source prefix holding it; several are equal-cost paths.
- Delivery needs a port without a peer at which a zone is attached; the destination need not be the zone's. Egress
  operations come before a missing cable is noticed; a port that is down carries nothing, operations included.
- `in_port` is the port by which the packet last arrived anywhere; a lookup in another table keeps it.
- Header fields are numbers, whatever the protocol. A later fragment has no ports or flags: entries with ports, or for
  answers, do not match it when they deny, match it by the rest when they permit or are unknown; such translation rules
  do not match it.
- Packets that may match something unknown end there, with the answer unknown; they do not go on as if permitted.
- A stateful filter knows answers by its device's memory alone, so its entries for answers (`established`) never match.
- After a translation of many sources to one host any source port is possible: branches, one for each port that some
  match tells apart.
- A loop is the same place with the same header again; other branches of a loop are walked to their ends.
- Every device that a flow's packet crosses remembers it as it came and as it left. When the answer comes to that
  device, its destination is translated back before the ingress operations and its source after the egress operations;
  between them stateful filters pass it and translations leave it alone. Other devices see a packet like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, OperationKind, Packet
from orchestrator.forwarding.engine.rows import Rows, Rule, fields_fit, holds
from orchestrator.forwarding.engine.trail import End, Ending, Memory, Passed, Step, Trail, answer_to

MOST_TRAILS = 20_000


class Moment(NamedTuple):
    """A packet about to arrive at a port (table NONE), or to be looked up in a table.

    `device`, `came`: the crossing in progress; `known`: what the device remembers, for an answer it recognises.
    """

    port: int
    table: int
    packet: Packet
    device: int
    came: Packet
    known: Memory | None


class Branch(NamedTuple):
    """What may happen next: a step, then another moment or the end; the memories made meanwhile."""

    step: Step
    then: Moment | End
    memories: tuple[Memory, ...] = ()


class Treated(NamedTuple):
    """A packet behind some operations: `group` when a policy took it, `end` when it got no further."""

    packet: Packet
    passed: tuple[Passed, ...] = ()
    group: int = NONE
    end: End | None = None


class TooManyTrailsError(OnefoldError):
    """The plain walker counts branches one by one; this network has more than it is meant for."""


class Plain:
    """A network to walk packets through. `memories`: what devices remember while an answer is walked."""

    def __init__(self, network: Network) -> None:
        self.rows = Rows(network)

    def starts(self, zone: int, packet: Packet) -> list[Moment]:
        """Where a zone sends this packet into the network; nowhere when its source is none of the zone's."""
        ports = {port for port, source in self.rows.senders[zone] if holds(source, packet.family, packet.source)}
        return [Moment(port, NONE, packet, NONE, packet, None) for port in sorted(ports)]

    def ends(self, zone: int, packet: Packet, memories: tuple[Memory, ...] = ()) -> frozenset[End]:
        """Every end that a packet may come to; a loop is one. Raises nothing."""
        found: set[End] = set()
        open_now: set[Moment] = set()
        done: set[Moment] = set()
        todo: list[Moment | None] = list(self.starts(zone, packet))
        order: list[Moment] = []
        while todo:
            moment = todo.pop()
            if moment is None:  # everything behind order[-1] is done
                open_now.discard(order.pop())
            elif moment in open_now:
                found.add(self._loop(moment))
            elif moment not in done:
                done.add(moment)
                open_now.add(moment)
                order.append(moment)
                todo.append(None)
                onward = [branch.then for branch in self.branches(moment, memories)]
                found.update(then for then in onward if isinstance(then, End))
                todo += [then for then in onward if isinstance(then, Moment)]
        return frozenset(found)

    def trails(self, zone: int, packet: Packet, memories: tuple[Memory, ...] = ()) -> list[Trail]:
        """Every branch, each ending where it is dropped, delivered, unknown, or back where it was.

        Raises TooManyTrailsError beyond MOST_TRAILS branches.
        """
        found: list[Trail] = []
        for trail in self.ways(zone, packet, memories):
            found.append(trail)
            if len(found) > MOST_TRAILS:
                raise TooManyTrailsError(f"{packet} has over {MOST_TRAILS} branches: ask the engine, or for its ends")
        return found

    def ways(self, zone: int, packet: Packet, memories: tuple[Memory, ...] = ()) -> Iterator[Trail]:
        """The same, however many, as they are found."""
        for start in self.starts(zone, packet):
            yield from self._onward(start, memories)

    def _onward(self, start: Moment, memories: tuple[Memory, ...]) -> Iterator[Trail]:
        """Depth first, branch by branch; ways may be longer than Python's stack is deep."""
        way, open_now = [start], [self.branches(start, memories)]
        before: list[Branch] = []
        met = {start}
        while open_now:
            branch = next(open_now[-1], None)
            if branch is None:
                open_now.pop()
                met.discard(way.pop())
                del before[-1:]
                continue
            then = branch.then
            if isinstance(then, Moment) and then in met:
                then = self._loop(then)
            if isinstance(then, End):
                steps = (*(one.step for one in before), branch.step)
                made = (memory for one in (*before, branch) for memory in one.memories)
                yield Trail(steps, then, tuple(made))
                continue
            before.append(branch)
            way.append(then)
            met.add(then)
            open_now.append(self.branches(then, memories))

    @staticmethod
    def _loop(moment: Moment) -> End:
        return End(Ending.LOOP, NONE, "loop", NONE, moment.packet)

    def branches(self, moment: Moment, memories: tuple[Memory, ...]) -> Iterator[Branch]:
        """What may happen to a packet next."""
        if moment.table != NONE:
            yield from self._route(moment, Treated(moment.packet), memories)
            return
        ports, port, packet = self.rows.ports, moment.port, moment.packet
        at = moment._replace(table=ports[port].table)
        if not ports[port].up:
            yield self._end(at, Treated(packet), NONE, NONE, "the port is down")
            return
        at = self._enter(at, ports[port].device, memories)
        for treated in self._operate(ports[port].ingress, at.packet, port, at.known):
            yield from self._route(at._replace(packet=treated.packet), treated, memories)

    @staticmethod
    def _enter(at: Moment, device: int, memories: tuple[Memory, ...]) -> Moment:
        """A crossing begins: the device that knows an answer gives it its old destination."""
        packet = at.packet
        known = next((row for row in memories if row.device == device and answer_to(row.left) == packet), None)
        if known is not None:
            back = answer_to(known.came) or packet  # what came has no answer: nothing to give back
            packet = packet._replace(destination=back.destination, destination_port=back.destination_port)
        return at._replace(packet=packet, device=device, came=at.packet, known=known)

    @staticmethod
    def _depart(at: Moment) -> Moment:
        """A crossing ends: the device that knows an answer gives it its old source."""
        if at.known is None:
            return at
        back = answer_to(at.known.came) or at.packet
        return at._replace(packet=at.packet._replace(source=back.source, source_port=back.source_port))

    def _route(self, at: Moment, treated: Treated, memories: tuple[Memory, ...]) -> Iterator[Branch]:
        """Look the packet up, unless a policy took it, and follow every next hop."""
        if treated.end is not None:
            yield Branch(self._step(at, treated, NONE, NONE), treated.end)
            return
        route, group = NONE, treated.group
        if group == NONE:
            route = self.rows.longest(at.table, at.packet)
            if route == NONE:
                yield self._end(at, treated, NONE, NONE, "no route")
                return
            group = self.rows.routes[route].group
        for kind, target in self.rows.groups[group]:
            if kind == HopKind.PORT:
                yield from self._leave(at, treated, route, target, memories)
            elif kind == HopKind.TABLE:
                yield Branch(self._step(at, treated, route, NONE), at._replace(table=target))
            elif kind == HopKind.DROP:
                yield self._end(at, treated, route, NONE, "null route", self.rows.line_of(route))
            else:
                end = End(Ending.UNKNOWN, NONE, "unknown next hop", target, at.packet)
                yield Branch(self._step(at, treated, route, NONE), end)

    def _leave(
        self, at: Moment, treated: Treated, route: int, port: int, memories: tuple[Memory, ...]
    ) -> Iterator[Branch]:
        ports = self.rows.ports
        if not ports[port].up:
            yield self._end(at, treated, route, port, "the port is down")
            return
        made: tuple[Memory, ...] = ()
        if ports[port].device != at.device:  # through a table of another device
            gone = self._depart(at)
            made = (Memory(at.device, at.came, gone.packet),)
            at = self._enter(gone, ports[port].device, memories)
        for out in self._operate(ports[port].egress, at.packet, at.port, at.known):
            both = out._replace(passed=treated.passed + out.passed)
            gone = self._depart(at._replace(packet=out.packet))
            step = self._step(gone, both, route, port)
            remembered = (*made, Memory(gone.device, gone.came, gone.packet))
            yield Branch(step, out.end or self._across(gone.packet, port), () if out.end else remembered)

    def _across(self, packet: Packet, port: int) -> Moment | End:
        row = self.rows.ports[port]
        if row.peer != NONE:
            return Moment(row.peer, NONE, packet, NONE, packet, None)
        zone = self.rows.attached.get(port)
        if zone is None:
            return End(Ending.DROPPED, NONE, "no cable", NONE, packet)
        return End(Ending.DELIVERED, zone, "delivered", NONE, packet)

    def _operate(
        self, operations: tuple[tuple[OperationKind, int], ...], packet: Packet, in_port: int, known: Memory | None
    ) -> list[Treated]:
        """A packet through a port's operations; several results when a translation leaves the source port open."""
        before = [Treated(packet)]
        for kind, index in operations:
            after: list[Treated] = []
            for one in before:
                after += [one] if one.end else self._operation(kind, index, one, in_port, known)
            before = after
        return before

    def _operation(
        self, kind: OperationKind, index: int, one: Treated, in_port: int, known: Memory | None
    ) -> Iterable[Treated]:
        if kind == OperationKind.FILTER:
            return [self._filter(index, one, in_port, known)]
        if kind == OperationKind.POLICY:
            return [self._policy(index, one, in_port)]
        return [one] if known is not None else self._translate(index, one, in_port)

    def _filter(self, index: int, one: Treated, in_port: int, known: Memory | None) -> Treated:
        if known is not None and self.rows.filters[index].stateful:
            return one._replace(passed=(*one.passed, Passed(OperationKind.FILTER, index, NONE)))
        action, row, line = self.decide(index, one.packet, in_port)
        passed = (*one.passed, Passed(OperationKind.FILTER, index, row))
        if action == Action.PERMIT:
            return one._replace(passed=passed)
        if action == Action.UNKNOWN:
            return one._replace(passed=passed, end=End(Ending.UNKNOWN, NONE, "unknown entry", line, one.packet))
        return one._replace(passed=passed, end=End(Ending.DROPPED, NONE, "denied", line, one.packet))

    def decide(self, index: int, packet: Packet, in_port: int) -> tuple[Action, int, int]:
        """What a filter does with a packet nobody remembers: action, row of the entry and its line (NONE: default)."""
        filter_row = self.rows.filters[index]
        for entry in filter_row.entries:
            if filter_row.stateful and entry.match.established == 1:
                continue
            fits = fields_fit(entry.match, packet, in_port, ports_must_fit=entry.action == Action.DENY)
            if fits:
                return entry.action, entry.row, entry.line
        return filter_row.default, NONE, NONE

    def _policy(self, index: int, one: Treated, in_port: int) -> Treated:
        for row, match, group in self.rows.policies[index]:
            action, _entry, line = self.decide(match, one.packet, in_port)
            passed = (*one.passed, Passed(OperationKind.POLICY, index, row))
            if action == Action.UNKNOWN:
                return one._replace(passed=passed, end=End(Ending.UNKNOWN, NONE, "unknown entry", line, one.packet))
            if action == Action.PERMIT:
                return one._replace(passed=passed, group=group)
        return one

    def _translate(self, index: int, one: Treated, in_port: int) -> Iterable[Treated]:
        for rule in self.rows.translations[index]:
            if one.packet.family == rule.to.family and fields_fit(rule.match, one.packet, in_port, ports_must_fit=True):
                passed = (*one.passed, Passed(OperationKind.TRANSLATE, index, rule.row))
                return [one._replace(packet=packet, passed=passed) for packet in self._rewritten(rule, one.packet)]
        return [one]

    def _rewritten(self, rule: Rule, packet: Packet) -> list[Packet]:
        if rule.rewrites_destination:
            port = packet.destination_port if rule.to_port == NONE else rule.to_port
            return [packet._replace(destination=rule.new_address(packet.destination), destination_port=port)]
        moved = packet._replace(source=rule.new_address(packet.source))
        if not rule.many_to_one:
            return [moved]
        return [moved._replace(source_port=port) for port in self.rows.telling_source_ports]

    def _step(self, at: Moment, treated: Treated, route: int, out_port: int) -> Step:
        packet = treated.end.packet if treated.end else at.packet
        return Step(at.port, at.table, route, out_port, treated.passed, packet)

    def _end(self, at: Moment, treated: Treated, route: int, port: int, reason: str, line: int = NONE) -> Branch:
        end = End(Ending.DROPPED, NONE, reason, line, at.packet)
        return Branch(self._step(at, treated, route, port), end)
