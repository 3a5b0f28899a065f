"""The plain walker over a network as it changes: rows are read when a packet meets them, so size does not matter.

For single flows and for audits: what becomes of one packet in one state, without any engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from orchestrator.forwarding.engine.network import NONE, Network, Packet, Prefixes
from orchestrator.forwarding.engine.plain import Plain, TooManyTrailsError
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.rows import Entry, Filter, Match, Port, Route, Rows
from orchestrator.forwarding.engine.rows import Prefix as RowPrefix
from orchestrator.forwarding.engine.trail import End, Ending, answer_to
from orchestrator.forwarding.engine.updates import Hop, InsertEntry, Prefix, ReplaceEntry, Update
from orchestrator.forwarding.engine.updates import Match as UpdateMatch
from orchestrator.proof.reachable_base import WIDTH, Base


class Walker:
    """A network that changes, and packets through it."""

    def __init__(self, network: Network, still: Still | None = None, base: Base | None = None) -> None:
        """`still`: what never changes, from another walker of the same network; `base`: where to begin."""
        self.base = base or Base(network)
        self.still = still or Still.of(network)
        self._pending: list[Update] = []
        self._plain = object.__new__(Plain)
        self._plain.rows = self._live = LiveRows(self.base, self.still)

    def apply(self, update: Update) -> None:
        """Change the network, when the next packet is walked. Raises PlanError then when the update does not fit."""
        self._pending.append(update)

    def _settle(self) -> None:
        for update in self._pending:
            self.base.apply(update)
            if isinstance(update, InsertEntry | ReplaceEntry):
                self._live.tell_apart(update.entry.match.source_port)
        self._pending.clear()

    def works(self, zone: int, packet: Packet) -> bool | None:
        """Whether a flow works, there and back; None when something unread decides, or when ways are too many."""
        self._settle()
        try:
            return works(self._plain, zone, packet)
        except TooManyTrailsError:
            return None

    def unread(self, zone: int, packet: Packet) -> frozenset[int]:
        """Lines (of Network.lines, or NONE) that nobody could read and that a flow meets, there or back.

        None where its ways are too many.
        """
        self._settle()
        found = set[int]()
        with suppress(TooManyTrailsError):
            for trail in self._plain.trails(zone, packet):
                ends, answer = frozenset({trail.end}), answer_to(trail.end.packet)
                if trail.end.ending == Ending.DELIVERED and answer is not None:
                    ends = self._plain.ends(trail.end.zone, answer, trail.memories)
                found |= {end.line for end in ends if end.ending == Ending.UNKNOWN}
        return frozenset(found)

    def ends(self, zone: int, packet: Packet) -> frozenset[End]:
        """Every end that a packet may come to."""
        self._settle()
        return self._plain.ends(zone, packet)


class Still(NamedTuple):
    """Rows of a network that no update changes."""

    rows: Rows

    @classmethod
    def of(cls, network: Network) -> Still:
        """Read them, leaving out routes and entries."""
        prefix = network.routes.prefix
        few = network.routes._replace(
            table=network.routes.table[:0],
            prefix=Prefixes(prefix.family[:0], prefix.high[:0], prefix.low[:0], prefix.length[:0]),
            group=network.routes.group[:0],
        )
        bare = Network(**{**network.__dict__, "routes": few, "route_line": network.route_line[:0]})
        return cls(Rows(bare))


class LiveRows(Rows):
    """Rows as the walker asks for them: routes, entries and port states of the base, the rest still."""

    def __init__(self, base: Base, still: Still) -> None:
        rows = still.rows
        self._base, self._rows = base, rows
        self.routes = []
        self.groups = self._made = _Groups(rows.groups)
        self.ports = _Ports(base, rows.ports)
        self.filters = _Filters(base, rows.filters)
        self.translations, self.policies = rows.translations, rows.policies
        self.attached, self.senders = rows.attached, rows.senders
        self.telling_source_ports = rows.telling_source_ports

    def longest(self, table: int, packet: Packet) -> int:
        """A row made for the longest prefix of a table that holds the packet's destination; NONE without any."""
        width = WIDTH[packet.family]
        routes = self._base.table(table)
        for length in self._base.lengths(table, packet.family):
            rest = width - length
            address = packet.destination >> rest << rest
            hops = routes.get(Prefix(packet.family, address, length))
            if hops is not None:
                group = self._made.take(hops)
                self.routes.append(Route(len(self.routes), RowPrefix(packet.family, address, rest), group))
                return len(self.routes) - 1
        return NONE

    def tell_apart(self, ports: tuple[int, int]) -> None:
        """A range of source ports that some entry now tells from the others."""
        found = {*self.telling_source_ports, ports[0], ports[1] + 1} - {1 << 16}
        self.telling_source_ports = sorted(found)

    def line_of(self, route: int) -> int:
        """Lines of routes are not followed through updates."""
        del route
        return NONE


class _Groups(list[tuple[tuple[int, int], ...]]):
    """Groups of next hops by number; new ones get new numbers."""

    def __init__(self, groups: Iterable[tuple[tuple[int, int], ...]]) -> None:
        super().__init__(groups)
        self._number: dict[tuple[Hop, ...], int] = {}

    def take(self, hops: tuple[Hop, ...]) -> int:
        """The number of a group."""
        known = self._number.get(hops)
        if known is None:
            known = self._number[hops] = len(self)
            self.append(tuple((hop.kind, hop.target) for hop in hops))
        return known


class _Ports(list[Port]):
    """Ports with the state they are in."""

    def __init__(self, base: Base, ports: Iterable[Port]) -> None:
        super().__init__(ports)
        self._base = base

    def __getitem__(self, number: int) -> Port:  # type: ignore[override]  # nobody asks for slices of ports
        port = super().__getitem__(number)
        up = self._base.port(number)
        return port if port.up == up else port._replace(up=up)

    def __iter__(self) -> Iterator[Port]:
        return (self[number] for number in range(len(self)))


class _Filters(list[Filter]):
    """Filters with the entries they have."""

    def __init__(self, base: Base, filters: Iterable[Filter]) -> None:
        super().__init__(filters)
        self._base = base

    def __getitem__(self, number: int) -> Filter:  # type: ignore[override]  # nobody asks for slices of filters
        old = super().__getitem__(number)
        if not self._base.touched(number):
            return old
        entries = [self._base.entry(number, position) for position in range(self._base.count(number))]
        rows = [Entry(row, _match(entry.match), entry.action, entry.line) for row, entry in enumerate(entries)]
        return old._replace(entries=tuple(rows))


def _match(match: UpdateMatch) -> Match:
    return Match(
        _prefix(match.source),
        _prefix(match.destination),
        match.protocol,
        match.source_port,
        match.destination_port,
        match.established,
        match.fragment,
        match.in_port,
    )


def _prefix(prefix: Prefix) -> RowPrefix:
    return RowPrefix(prefix.family, prefix.address, WIDTH.get(prefix.family, 0) - prefix.length)
