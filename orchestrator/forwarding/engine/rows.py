"""A network's arrays as plain Python rows, for the plain walker: read once, then looked at packet by packet."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

from orchestrator.forwarding.engine.network import (
    ANY_FAMILY,
    EVERY_PORT,
    NONE,
    TCP,
    Action,
    HopKind,
    Int,
    Matches,
    Network,
    OperationKind,
    Packet,
    Prefixes,
    TranslationKind,
)

WIDTH: Final = {ANY_FAMILY: 0, 4: 32, 6: 128}


class Prefix(NamedTuple):
    """One prefix; `rest`: how many bits are free."""

    family: int
    network: int
    rest: int


class Match(NamedTuple):
    """One row of network.Matches."""

    source: Prefix
    destination: Prefix
    protocol: tuple[int, int]
    source_port: tuple[int, int]
    destination_port: tuple[int, int]
    established: int
    fragment: int
    in_port: int


class Entry(NamedTuple):
    """One filter entry and its row in network.Filters."""

    row: int
    match: Match
    action: Action
    line: int


class Filter(NamedTuple):
    """One filter."""

    entries: tuple[Entry, ...]
    default: Action
    stateful: bool


class Rule(NamedTuple):
    """One translation rule and its row in network.Translations."""

    row: int
    match: Match
    rewrites_destination: bool
    to: Prefix
    to_port: int
    many_to_one: bool

    def new_address(self, address: int) -> int:
        """The address with its leading bits replaced."""
        return self.to.network | address & ((1 << self.to.rest) - 1)


class Route(NamedTuple):
    """One route and its row in network.Routes."""

    row: int
    prefix: Prefix
    group: int


Operations = tuple[tuple[OperationKind, int], ...]


class Port(NamedTuple):
    """One port."""

    table: int
    device: int
    peer: int
    up: bool
    ingress: Operations
    egress: Operations


class Rows:
    """All rows of a network. `attached`: the zone of an attachment port; `senders`: ports and sources of each zone."""

    def __init__(self, network: Network) -> None:
        self.line_numbers = network.route_line.tolist()
        self.routes, self.tables = _routes(network)
        hops = zip(map(HopKind, network.groups.kind.tolist()), network.groups.target.tolist(), strict=True)
        self.groups = _cut(network.groups.first, hops)
        self.ports = _ports(network)
        self.filters = _filters(network)
        self.translations = _translations(network)
        steps = zip(network.policies.match.tolist(), network.policies.group.tolist(), strict=True)
        numbered = [(row, match, group) for row, (match, group) in enumerate(steps)]
        self.policies = _cut(network.policies.first, numbered)
        self.attached = dict(zip(network.zones.port.tolist(), network.zones.zone.tolist(), strict=True))
        self.senders: list[list[tuple[int, Prefix]]] = [[] for _name in network.zone_names]
        attachments = zip(network.zones.zone.tolist(), network.zones.port.tolist(), strict=True)
        for (zone, port), source in zip(attachments, _prefixes(network.zones.source), strict=True):
            self.senders[zone].append((port, source))
        self.telling_source_ports = _telling_source_ports(network)

    def longest(self, table: int, packet: Packet) -> int:
        """The row of the longest prefix of a table that holds the packet's destination; NONE without any."""
        for route in self.tables[table]:
            if holds(route.prefix, packet.family, packet.destination):
                return route.row
        return NONE

    def line_of(self, route: int) -> int:
        """The line of a route; NONE for no route."""
        return NONE if route == NONE else int(self.line_numbers[route])


def holds(prefix: Prefix, family: int, address: int) -> bool:
    """Whether a prefix holds an address; family 0 holds every address of every family."""
    if prefix.family == ANY_FAMILY:
        return True
    return prefix.family == family and address >> prefix.rest << prefix.rest == prefix.network


def fields_fit(match: Match, packet: Packet, in_port: int, *, ports_must_fit: bool) -> bool:
    """Whether a packet meets a match; a later fragment has no ports and flags, so they fit only when they need not.

    `established` is read as the flag of TCP: who knows connections does not ask here.
    """
    return (
        match.in_port in (NONE, in_port)
        and holds(match.source, packet.family, packet.source)
        and holds(match.destination, packet.family, packet.destination)
        and match.protocol[0] <= packet.protocol <= match.protocol[1]
        and (match.established == NONE or packet.protocol == TCP)
        and (match.fragment == NONE or packet.fragment)
        and _transport_fits(match, packet, ports_must_fit)
    )


def _transport_fits(match: Match, packet: Packet, ports_must_fit: bool) -> bool:
    if packet.fragment:
        has_ports = match.source_port != EVERY_PORT or match.destination_port != EVERY_PORT
        return not (ports_must_fit and (has_ports or match.established == 1))
    if match.established == 1 and not packet.established:
        return False
    source_fits = match.source_port[0] <= packet.source_port <= match.source_port[1]
    return source_fits and match.destination_port[0] <= packet.destination_port <= match.destination_port[1]


def _cut(first: Int, rows: Any) -> list[tuple[Any, ...]]:
    """Slices of rows."""
    rows, ends = tuple(rows), first.tolist()
    return [rows[low:high] for low, high in pairwise(ends)]


def _prefixes(prefixes: Prefixes) -> list[Prefix]:
    columns = (column.tolist() for column in prefixes)
    rows = zip(*columns, strict=True)
    return [Prefix(family, high << 64 | low, WIDTH[family] - length) for family, high, low, length in rows]


def _matches(matches: Matches) -> list[Match]:
    def ranges(low: Int, high: Int) -> list[tuple[int, int]]:
        return list(zip(low.tolist(), high.tolist(), strict=True))

    columns = (
        _prefixes(matches.source),
        _prefixes(matches.destination),
        ranges(matches.protocol_low, matches.protocol_high),
        ranges(matches.source_port_low, matches.source_port_high),
        ranges(matches.destination_port_low, matches.destination_port_high),
        matches.established.tolist(),
        matches.fragment.tolist(),
        matches.in_port.tolist(),
    )
    return [Match(*row) for row in zip(*columns, strict=True)]


def _routes(network: Network) -> tuple[list[Route], list[list[Route]]]:
    """All routes in order, and those of each table, longest prefix first."""
    columns = zip(_prefixes(network.routes.prefix), network.routes.group.tolist(), strict=True)
    routes = [Route(row, prefix, group) for row, (prefix, group) in enumerate(columns)]
    tables: list[list[Route]] = [[] for _name in network.tables]
    for route, table in zip(routes, network.routes.table.tolist(), strict=True):
        tables[table].append(route)
    for rows in tables:
        rows.sort(key=lambda route: WIDTH[route.prefix.family] - route.prefix.rest, reverse=True)
    return routes, tables


def _ports(network: Network) -> list[Port]:
    ports = network.ports

    def operations(first: Int, kind: Int, index: Int) -> list[Operations]:
        return _cut(first, zip(map(OperationKind, kind.tolist()), index.tolist(), strict=True))

    columns = (
        ports.table.tolist(),
        ports.device.tolist(),
        ports.peer.tolist(),
        [True] * ports.table.size if ports.up is None else ports.up.tolist(),
        operations(ports.ingress_first, ports.ingress_kind, ports.ingress_index),
        operations(ports.egress_first, ports.egress_kind, ports.egress_index),
    )
    return [Port(*row) for row in zip(*columns, strict=True)]


def _filters(network: Network) -> list[Filter]:
    filters = network.filters
    columns = zip(_matches(filters.match), map(Action, filters.action.tolist()), filters.line.tolist(), strict=True)
    entries = [Entry(row, *columns_of_row) for row, columns_of_row in enumerate(columns)]
    defaults = map(Action, filters.default.tolist())
    cut = zip(_cut(filters.first, entries), defaults, filters.stateful.tolist(), strict=True)
    return [Filter(*row) for row in cut]


def _translations(network: Network) -> list[tuple[Rule, ...]]:
    translations = network.translations
    rules = []
    columns = (translations.kind.tolist(), _matches(translations.match), _prefixes(translations.to))
    for row, (kind, match, to) in enumerate(zip(*columns, strict=True)):
        destination = kind == TranslationKind.DESTINATION
        half = match.destination if destination else match.source
        many = (half.family, half.rest) != (to.family, to.rest)
        rules.append(Rule(row, match, destination, to, int(translations.to_port[row]), many))
    return _cut(translations.first, rules)


def _telling_source_ports(network: Network) -> list[int]:
    """One source port of every set of them that no match of the network tells apart."""
    cuts = {0}
    for match in (network.filters.match, network.translations.match):
        cuts.update(match.source_port_low.tolist())
        cuts.update(high + 1 for high in match.source_port_high.tolist())
    return sorted(cuts - {EVERY_PORT[1] + 1})
