"""What of an estate's arrays only grows from state to state: tables, zones, ports with what boxes do at them.

States of one plan differ in routes and filter entries alone when everything else that any of them has stays: a port
that a state does not use has no route to it. So an engine is built anew only when something appears for the first time.
A port is named by all it does: when a translation changes, the routes lead to another port, and the old one stays.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network
from typing import NamedTuple

from orchestrator.forwarding.engine.builder import Entry as BuiltEntry
from orchestrator.forwarding.engine.builder import Match as BuiltMatch
from orchestrator.forwarding.engine.builder import NetworkBuilder, Translation
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, OperationKind
from orchestrator.forwarding.engine.updates import EVERYWHERE, Entry, Hop, Prefix

Station = tuple[str, str]
"""(node, port): somebody on a segment."""

FilterKey = tuple[str, str, str, Action, bool]
Operations = tuple[tuple[OperationKind, int], ...]


class Made(NamedTuple):
    """One route: its next hops and where it stands (index into the shape's lines)."""

    hops: tuple[Hop, ...]
    line: int


Routes = dict[Prefix, Made]


class Lowered(NamedTuple):
    """One state over a shape: routes by table, entries by filter. What is the same as before is the same object."""

    routes: dict[int, Routes]
    entries: dict[int, tuple[Entry, ...]]


class _Port(NamedTuple):
    table: str
    device: str
    peer: int
    ingress: Operations
    egress: Operations


class Shape:
    """Numbers for everything that has been met; `version` changes when an engine has to be built anew."""

    def __init__(self) -> None:
        self.version = 0
        self.tables: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self._entering: dict[str, list[tuple[str, int]]] = {}
        self._zones: dict[tuple[str, bool], tuple[str, int]] = {}  # (node, guarded) -> zone's name, its port
        self._attached: dict[tuple[str, int, Prefix], None] = {}
        self._ports: list[_Port] = []
        self._ways: dict[tuple[object, ...], int] = {}
        self._filters: dict[FilterKey, tuple[int, Action, bool]] = {}
        self._translations: dict[tuple[Translation, ...], int] = {}

    def table(self, name: str) -> int:
        """The table of this name."""
        if name not in self.tables:
            self.tables[name] = len(self.tables)
            self.version += 1
        return self.tables[name]

    def line(self, text: str) -> int:
        """The number of a text; engines built before do not know it, which changes none of their answers."""
        return self.lines.setdefault(text, len(self.lines)) if text else NONE

    def filter(self, key: tuple[str, str, str], default: Action, *, stateful: bool) -> int:
        """The filter of this (kind, node, name), default and state."""
        whole = (*key, default, stateful)
        if whole not in self._filters:
            self._filters[whole] = len(self._filters), default, stateful
            self.version += 1
        return self._filters[whole][0]

    def filters(self) -> Iterator[tuple[str, str, str, int, Action]]:
        """(kind, node, name, number, default) of every filter."""
        for key, (number, default, _stateful) in self._filters.items():
            yield key[0], key[1], key[2], number, default

    def entering_of(self, node: str) -> list[tuple[str, int]]:
        """(interface, port) of every way by which packets enter a device."""
        return self._entering.get(node, [])

    def translation(self, rules: tuple[Translation, ...]) -> int:
        """The translation of these rules."""
        if rules not in self._translations:
            self._translations[rules] = len(self._translations)
            self.version += 1
        return self._translations[rules]

    def attachment(self, node: str, table: str, address: Prefix, ingress: Operations, egress: Operations) -> int:
        """The port by which a zone of one node touches a table, sending with this address among others."""
        key = node, bool(ingress or egress)
        if key not in self._zones:
            taken = {name for name, _port in self._zones.values()}
            self._zones[key] = (
                node if node not in taken else f"{node} guarded",
                self._port(_Port(table, node, NONE, ingress, egress)),
            )
        name, port = self._zones[key]
        if (name, port, address) not in self._attached:
            self._attached[(name, port, address)] = None
            self.version += 1
        return port

    def zone(self, node: str, *, guarded: bool) -> str:
        """The name of a node's zone. Raises KeyError when it never had one."""
        return self._zones[(node, guarded)][0]

    def way(self, ends: tuple[Station, Station], tables: tuple[str, str], done: tuple[Operations, Operations]) -> int:
        """The port from one station to another, between two tables, with what is done on leaving and on entering."""
        key = (*ends, *tables, *done)
        if key not in self._ways:
            (here, there), (leaving, entering) = ends, done
            peer = self._port(_Port(tables[1], there[0], NONE, entering, ()))
            self._ways[key] = self._port(_Port(tables[0], here[0], peer, (), leaving))
            self._entering.setdefault(there[0], []).append((there[1], peer))
        return self._ways[key]

    def target(self, port: int) -> int:
        """The table to which a way leads; NONE for an attachment."""
        peer = self._ports[port].peer
        return NONE if peer == NONE else self.tables[self._ports[peer].table]

    def _port(self, port: _Port) -> int:
        self.table(port.table)
        self._ports.append(port)
        self.version += 1
        return len(self._ports) - 1

    def network(self, lowered: Lowered) -> Network:
        """The arrays of one state."""
        made = NetworkBuilder()
        for text in self.lines:
            made.line(text)
        for table in self.tables:
            made.table(table)
        self._put_ports(made)
        texts = list(self.lines)
        for number, default, stateful in self._filters.values():
            entries = lowered.entries.get(number, ())
            made.filter([_built(entry, texts) for entry in entries], default, stateful=stateful)
        for rules in self._translations:
            made.translation(rules)
        names = list(self.tables)
        for table_number, routes in lowered.routes.items():
            for prefix, route in routes.items():
                line = texts[route.line] if route.line != NONE else ""
                hops = [(hop.kind, hop.target) for hop in route.hops]
                made.route(names[table_number], _network(prefix), *hops, line=line)
        return made.build()

    def _put_ports(self, made: NetworkBuilder) -> None:
        for port in self._ports:
            made.port(port.table, port.device)
        for number, port in enumerate(self._ports):
            if port.peer != NONE:
                made.connect(number, port.peer, one_way=True)
            for kind, index in port.ingress:
                made.ingress(number, kind, index)
            for kind, index in port.egress:
                made.egress(number, kind, index)
        for name, port_number, address in self._attached:
            made.attach(name, port_number, _network(address))


@lru_cache(maxsize=65536)
def _network(prefix: Prefix) -> IPv4Network | None:
    return IPv4Network((prefix.address, prefix.length)) if prefix.family else None


def _built(entry: Entry, texts: list[str]) -> BuiltEntry:
    source, destination = _network(entry.match.source), _network(entry.match.destination)
    match = BuiltMatch(source, destination, *entry.match[2:])
    return BuiltEntry(match, entry.action, texts[entry.line] if entry.line != NONE else "")


def prefix_of(network: IPv4Network | None) -> Prefix:
    """A network as the engine's updates name it; None is every address."""
    return EVERYWHERE if network is None else Prefix(4, int(network.network_address), network.prefixlen)


def host(address: int) -> Prefix:
    """One address."""
    return Prefix(4, address, 32)


def leads(routes: Iterable[Made], shape: Shape) -> frozenset[int]:
    """Tables to which routes lead."""
    found = set()
    for route in routes:
        for hop in route.hops:
            if hop.kind == HopKind.PORT:
                found.add(shape.target(hop.target))
            elif hop.kind == HopKind.TABLE:
                found.add(hop.target)
    return frozenset(found - {NONE})
