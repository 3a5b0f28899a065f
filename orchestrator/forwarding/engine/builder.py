"""A `Network` put together by name and by hand: tables, ports, routes one after the other, arrays at the end.

For small networks, examples and the readers of an estate. A generator of provinces writes the arrays itself. A value
that no network can have is refused where it is given, and nothing is added then; numbers of things that are not there
are found when the engine looks at the arrays (`check_network`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

import numpy as np

from orchestrator.forwarding.engine.check_values import (
    BuildError,
    entry_of,
    instance,
    next_hops,
    one_of,
    pairs,
    prefix,
    prefix_or_any,
    rule_of,
    text,
    whole,
)
from orchestrator.forwarding.engine.network import (
    ANY_FAMILY,
    EVERY_PORT,
    EVERY_PROTOCOL,
    NONE,
    Action,
    Filters,
    Groups,
    HopKind,
    Int,
    Matches,
    Network,
    OperationKind,
    Policies,
    Ports,
    Prefixes,
    Routes,
    TranslationKind,
    Translations,
    Zones,
)

AnyPrefix = IPv4Network | IPv6Network | str | None
Hop = tuple[HopKind, int]
Range = tuple[int, int]
Operation = tuple[OperationKind, int]
_HALF = (1 << 64) - 1


class Match(NamedTuple):
    """One header match; what is left out matches everything. See `network.Matches` for the meaning of each field."""

    source: AnyPrefix = None
    destination: AnyPrefix = None
    protocol: Range = EVERY_PROTOCOL
    source_port: Range = EVERY_PORT
    destination_port: Range = EVERY_PORT
    established: int = NONE
    fragment: int = NONE
    in_port: int = NONE


class Entry(NamedTuple):
    """One filter entry: what it matches, what it does, and where it stands."""

    match: Match
    action: Action
    line: str = ""


class Translation(NamedTuple):
    """One translation rule: what it matches, which half it rewrites to what."""

    match: Match
    kind: TranslationKind
    to: AnyPrefix
    to_port: int = NONE
    line: str = ""


@dataclass
class _Port:
    table: int
    device: int
    peer: int = NONE
    ingress: list[Operation] = field(default_factory=list)
    egress: list[Operation] = field(default_factory=list)


class NetworkBuilder:
    """Every method adds one thing and returns its number. All raise BuildError for values that cannot be."""

    def __init__(self) -> None:
        self._tables: dict[str, int] = {}
        self._devices: dict[str, int] = {}
        self._zones: dict[str, int] = {}
        self._lines: dict[str, int] = {}
        self._groups: dict[tuple[Hop, ...], int] = {}
        self._ports: list[_Port] = []
        self._routes: list[tuple[int, AnyPrefix, int, int]] = []
        self._filters: list[tuple[tuple[Entry, ...], Action, bool]] = []
        self._translations: list[tuple[Translation, ...]] = []
        self._policies: list[tuple[tuple[int, int], ...]] = []
        self._attached: list[tuple[int, int, AnyPrefix]] = []

    def table(self, name: str) -> int:
        """The table of this name ("device/VRF"), made when it is new."""
        return self._tables.setdefault(text("table", name), len(self._tables))

    def zone(self, name: str) -> int:
        """The zone of this name, made when it is new."""
        return self._zones.setdefault(text("zone", name), len(self._zones))

    def line(self, where: str) -> int:
        """The number of a "file:line"; NONE for an empty text."""
        return self._lines.setdefault(where, len(self._lines)) if text("line", where) else NONE

    def port(self, table: str, device: str = "") -> int:
        """A port of a table; `device` (default: the table's name up to the slash) shares connection state."""
        name = text("device", device) or text("table", table).partition("/")[0]
        self._ports.append(_Port(self.table(table), self._devices.setdefault(name, len(self._devices))))
        return len(self._ports) - 1

    def connect(self, port: int, peer: int, *, one_way: bool = False) -> None:
        """A cable between two ports; `one_way`: packets travel from `port` to `peer` only.

        Raises BuildError for a port that has another cable.
        """
        near, far = self._port(port), self._port(peer)
        if near is far:
            raise BuildError(f"port {port} is not its own peer: take two ports")
        for number, end, other in [(port, near, peer), (peer, far, port)][: 1 if one_way else 2]:
            if end.peer not in (NONE, other):
                raise BuildError(f"port {number} has a cable to port {end.peer}: take another port")
        near.peer = peer
        if not one_way:
            far.peer = port

    def link(self, table: str, other: str, *, one_way: bool = False) -> tuple[int, int]:
        """Two new ports and the cable between them."""
        text("table", other)
        ends = self.port(table), self.port(other)
        self.connect(*ends, one_way=one_way)
        return ends

    def ingress(self, port: int, kind: OperationKind, index: int) -> None:
        """Add an operation behind those that packets entering by this port pass already."""
        self._port(port).ingress.append((one_of("operation", kind, OperationKind), whole("index", index, 0)))

    def egress(self, port: int, kind: OperationKind, index: int) -> None:
        """Add an operation behind those that packets leaving by this port pass already."""
        self._port(port).egress.append((one_of("operation", kind, OperationKind), whole("index", index, 0)))

    def _port(self, number: int) -> _Port:
        if not self._ports:
            raise BuildError(f"port {number!r} is not made yet: call port() first")
        return self._ports[whole("port", number, 0, len(self._ports) - 1)]

    def group(self, *hops: Hop) -> int:
        """A group of equal-cost next hops."""
        return self._groups.setdefault(next_hops(hops), len(self._groups))

    def route(self, table: str, destination: AnyPrefix, *hops: Hop, line: str = "") -> None:
        """A route of a table to a group of next hops; no hop is a null route."""
        goal, asked = prefix("destination", destination), next_hops(hops)
        text("table", table)
        number = self.line(line)
        self._routes.append((self.table(table), goal, self.group(*(asked or ((HopKind.DROP, number),))), number))

    def filter(self, entries: Iterable[Entry], default: Action = Action.DENY, *, stateful: bool = True) -> int:
        """An ordered filter."""
        checked = tuple(
            entry_of(f"entry {row}", instance(f"entry {row}", entry, Entry)) for row, entry in enumerate(entries)
        )
        self._filters.append((checked, one_of("default", default, Action), bool(stateful)))
        return len(self._filters) - 1

    def translation(self, rules: Iterable[Translation]) -> int:
        """An ordered table of translations."""
        self._translations.append(
            tuple(rule_of(f"rule {row}", instance(f"rule {row}", rule, Translation)) for row, rule in enumerate(rules))
        )
        return len(self._translations) - 1

    def policy(self, entries: Iterable[tuple[int, int]]) -> int:
        """Policy routing: (filter, group) in order."""
        checked = pairs("entry", entries, "filter, group")
        self._policies.append(tuple((whole("filter", one, 0), whole("group", other, 0)) for one, other in checked))
        return len(self._policies) - 1

    def attach(self, zone: str, port: int, *sources: AnyPrefix) -> None:
        """A zone behind a port, sending with these source prefixes: at least one."""
        if not sources:
            raise BuildError(f"zone {zone} is attached without a source prefix: name what it sends with")
        self._port(port)
        rows = [prefix("source", source) for source in sources]
        self._attached += [(self.zone(zone), port, source) for source in rows]

    def build(self) -> Network:
        """The arrays."""
        entries = [entry for filter_entries, _default, _stateful in self._filters for entry in filter_entries]
        rules = [rule for translation in self._translations for rule in translation]
        filter_lines = numbers(self.line(entry.line) for entry in entries)
        rule_lines = numbers(self.line(rule.line) for rule in rules)
        steps = [entry for policy in self._policies for entry in policy]
        return Network(
            tables=tuple(self._tables),
            zone_names=tuple(self._zones),
            lines=tuple(self._lines),
            routes=Routes(
                numbers(row[0] for row in self._routes),
                prefixes([row[1] for row in self._routes]),
                numbers(row[2] for row in self._routes),
            ),
            route_line=numbers(row[3] for row in self._routes),
            groups=self._built_groups(),
            ports=self._built_ports(),
            filters=Filters(
                firsts(len(row[0]) for row in self._filters),
                numbers(row[1] for row in self._filters),
                np.array([row[2] for row in self._filters], np.bool_),
                matches([entry.match for entry in entries]),
                numbers(entry.action for entry in entries),
                filter_lines,
            ),
            translations=Translations(
                firsts(len(row) for row in self._translations),
                numbers(rule.kind for rule in rules),
                matches([rule.match for rule in rules]),
                prefixes([rule.to for rule in rules]),
                numbers(rule.to_port for rule in rules),
                rule_lines,
            ),
            policies=Policies(
                firsts(len(row) for row in self._policies),
                numbers(step[0] for step in steps),
                numbers(step[1] for step in steps),
            ),
            zones=Zones(
                numbers(row[0] for row in self._attached),
                numbers(row[1] for row in self._attached),
                prefixes([row[2] for row in self._attached]),
            ),
        )

    def _built_groups(self) -> Groups:
        hops = [hop for group in self._groups for hop in group]
        first = firsts(len(group) for group in self._groups)
        return Groups(first, numbers(hop[0] for hop in hops), numbers(hop[1] for hop in hops))

    def _built_ports(self) -> Ports:
        ingress = [operation for port in self._ports for operation in port.ingress]
        egress = [operation for port in self._ports for operation in port.egress]
        return Ports(
            table=numbers(port.table for port in self._ports),
            device=numbers(port.device for port in self._ports),
            peer=numbers(port.peer for port in self._ports),
            ingress_first=firsts(len(port.ingress) for port in self._ports),
            ingress_kind=numbers(operation[0] for operation in ingress),
            ingress_index=numbers(operation[1] for operation in ingress),
            egress_first=firsts(len(port.egress) for port in self._ports),
            egress_kind=numbers(operation[0] for operation in egress),
            egress_index=numbers(operation[1] for operation in egress),
        )


def numbers(values: Iterable[int]) -> Int:
    """A column of 32-bit numbers."""
    return np.array(list(values), np.int32)


def firsts(lengths: Iterable[int]) -> Int:
    """Where each list begins in a column of all of them, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(list(lengths), dtype=np.int32))).astype(np.int32)


def prefixes(values: Sequence[AnyPrefix]) -> Prefixes:
    """Columns of prefixes; None is any address of any family. Raises BuildError for a prefix with host bits."""
    read = [prefix_or_any("prefix", value) for value in values]
    base = [0 if one is None else int(one.network_address) for one in read]
    return Prefixes(
        np.array([ANY_FAMILY if one is None else one.version for one in read], np.uint8),
        np.array([address >> 64 for address in base], np.uint64),
        np.array([address & _HALF for address in base], np.uint64),
        np.array([0 if one is None else one.prefixlen for one in read], np.uint8),
    )


def matches(values: Sequence[Match]) -> Matches:
    """Columns of header matches."""
    return Matches(
        source=prefixes([match.source for match in values]),
        destination=prefixes([match.destination for match in values]),
        protocol_low=numbers(match.protocol[0] for match in values),
        protocol_high=numbers(match.protocol[1] for match in values),
        source_port_low=numbers(match.source_port[0] for match in values),
        source_port_high=numbers(match.source_port[1] for match in values),
        destination_port_low=numbers(match.destination_port[0] for match in values),
        destination_port_high=numbers(match.destination_port[1] for match in values),
        established=numbers(match.established for match in values),
        fragment=numbers(match.fragment for match in values),
        in_port=numbers(match.in_port for match in values),
    )
