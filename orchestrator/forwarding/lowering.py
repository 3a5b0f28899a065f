"""A world (one estate, compiled for the plain walk) -> the arrays of the forwarding engine.

Every endpoint is a zone of its own, so that the engine's zone matrix is the matrix of points. Stations of one segment
become pairs of ports, one pair for each way a packet can take between two of them. What the world does not know
becomes an unknown hop with its reason, never a missing one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import product

from orchestrator.forwarding.boxes import Guard, Remote, Translator, Wall
from orchestrator.forwarding.engine.builder import Entry as FilterEntry
from orchestrator.forwarding.engine.builder import Hop, Match, NetworkBuilder, Range, Translation
from orchestrator.forwarding.engine.network import (
    EVERY_PORT,
    EVERY_PROTOCOL,
    NONE,
    Action,
    HopKind,
    Network,
    OperationKind,
    TranslationKind,
)
from orchestrator.forwarding.segments import Doubt, Neighbour
from orchestrator.forwarding.tables import Entry, Exit, Instance, RoutingTable
from orchestrator.forwarding.world import Endpoint, World
from orchestrator.model.network import FilterRule, Nat

PROTOCOLS: dict[str, Range] = {"any": EVERY_PROTOCOL, "tcp": (6, 6), "udp": (17, 17), "icmp": (1, 1)}
DEVICE = "device "
"""What the zone of a device's own addresses is called before its name."""

Station = tuple[str, str]
"""(node, port): somebody on a segment."""


@dataclass
class _Lowering:
    """One lowering in progress."""

    world: World
    made: NetworkBuilder = field(default_factory=NetworkBuilder)
    owners: dict[str, int] = field(default_factory=dict)
    pairs: dict[tuple[str, Station, Station], tuple[int, int]] = field(default_factory=dict)
    entering: dict[Station, list[int]] = field(default_factory=dict)
    leaving: dict[Station, list[int]] = field(default_factory=dict)

    def network(self) -> Network:
        """The whole world: endpoints, then tables, then what boxes do at the ports that came up meanwhile."""
        for node in self._endpoints():
            endpoint = self.world.endpoint(node)
            if endpoint is not None:
                self._endpoint(node, endpoint)
        for instance, table in self.world.tables.items():
            self._table(instance, table)
        self._translate()
        self._filter()
        self._translate_out()
        return self.made.build()

    def _endpoints(self) -> list[str]:
        estate = self.world.estate
        return [*estate.hosts, *estate.servers, *self.world.guests]

    def _endpoint(self, node: str, endpoint: Endpoint) -> None:
        """A zone, a table in which its packets begin and one in which those for it end."""
        sends, hears = f"{node}/sends", f"{node}/hears"
        address = f"{_text(endpoint.address)}/32"
        port = self.made.port(sends, node)
        self.made.attach(node, port, address)
        self.made.route(sends, address, (HopKind.PORT, port))
        self.made.route(hears, address, (HopKind.TABLE, self.made.table(sends)))
        guard = self.world.guards.get(node) if endpoint.guarded else None
        if guard is not None:
            self.made.ingress(port, OperationKind.FILTER, self._guard(guard, "egress"))
            self.made.egress(port, OperationKind.FILTER, self._guard(guard, "ingress"))
        if endpoint.port:
            self._first_hops(node, endpoint, sends)

    def _first_hops(self, node: str, endpoint: Endpoint, table: str) -> None:
        here = (node, endpoint.port)
        if endpoint.gateway is not None:
            self.made.route(table, "0.0.0.0/0", self._hop(table, here, endpoint.gateway))
        network = IPv4Network((endpoint.network, bin(endpoint.mask).count("1")))
        if network.prefixlen < 32:
            self.made.route(table, network, self._nobody(here, int(network.broadcast_address)))
        for address in sorted(self._directory(here)):
            if address & endpoint.mask == endpoint.network and address != endpoint.address:
                self.made.route(table, IPv4Network(address), self._hop(table, here, address))

    def _directory(self, here: Station) -> dict[int, list[Neighbour]]:
        segment = self.world.segments.segment_of.get(here)
        return self.world.segments.directory.get(segment, {}) if segment is not None else {}

    def _nobody(self, here: Station, address: int) -> Hop:
        """What becomes of a packet for an address of the segment that nobody is known to have."""
        answer = self.world.neighbour(*here, address) if address not in self._directory(here) else None
        return self._unknown(answer) if isinstance(answer, Doubt) else (HopKind.DROP, NONE)

    def _unknown(self, doubt: Doubt) -> Hop:
        return HopKind.UNKNOWN, self.made.line(f"{doubt.row} {doubt.reason}".strip())

    def _table(self, instance: Instance, table: RoutingTable) -> None:
        name = "/".join(instance)
        self.made.table(name)
        if table.doubt is not None:
            self.made.route(name, "0.0.0.0/0", self._unknown(table.doubt))
            return
        for (length, network), entry in table.entries.items():
            prefix = IPv4Network((network, length))
            self.made.route(name, prefix, *self._hops(instance, entry), line=entry.row)
            if entry.kind == "connected" or any(exit_.next_hop is None and exit_.port for exit_ in entry.exits):
                self._stations(instance, table, entry, prefix)

    def _hops(self, instance: Instance, entry: Entry) -> list[Hop]:
        if entry.kind == "local":
            return [(HopKind.TABLE, self._own(instance[0]))]
        return [self._exit(instance, exit_, entry) for exit_ in entry.exits]

    def _own(self, device: str) -> int:
        """The table in which packets for a device's own addresses end: a zone that sends nothing real."""
        name = f"{device}/own"
        if device not in self.owners:
            self.owners[device] = self.made.table(name)
            port = self.made.port(name, device)
            self.made.attach(DEVICE + device, port, "0.0.0.0/32")
            self.made.route(name, "0.0.0.0/0", (HopKind.PORT, port))
        return self.owners[device]

    def _exit(self, instance: Instance, exit_: Exit, entry: Entry) -> Hop:
        device, vrf = instance
        if exit_.instance is not None:
            doubt = self.world.doubt(exit_.instance[0])
            here, there = (device, f"vx-{exit_.instance[1]}"), (exit_.instance[0], f"vx-{exit_.instance[1]}")
            return (
                self._unknown(doubt) if doubt else self._way("/".join(instance), here, there, "/".join(exit_.instance))
            )
        here = (device, exit_.port)
        if exit_.next_hop is not None:
            return self._hop(f"{device}/{vrf}", here, exit_.next_hop)
        network = IPv4Network(entry.prefix)
        return self._nobody(here, int(network.network_address))

    def _stations(self, instance: Instance, table: RoutingTable, entry: Entry, prefix: IPv4Network) -> None:
        """A host route to everybody on the segment for whom this route is the best."""
        name = "/".join(instance)
        here = (instance[0], entry.exits[0].port)
        for address in sorted(self._directory(here)):
            held = prefix.prefixlen < 32 and int(prefix.network_address) == address & int(prefix.netmask)
            if held and table.lookup(address) is entry:
                self.made.route(name, IPv4Network(address), self._hop(name, here, address), line=entry.row)

    def _hop(self, table: str, here: Station, address: int) -> Hop:
        """Towards whoever answers for an address on a segment."""
        answer = self.world.neighbour(*here, address)
        if answer is None:
            return HopKind.DROP, NONE
        if isinstance(answer, Doubt):
            return self._unknown(answer)
        if self.world.endpoint(answer.node) is not None:
            return self._way(table, here, (answer.node, answer.port), f"{answer.node}/hears")
        doubt = self.world.doubt(answer.node)
        if doubt is not None:
            return self._unknown(doubt)
        vrf = self.world.instance(answer.node, answer.port)
        if vrf is None:
            return HopKind.DROP, NONE
        return self._way(table, here, (answer.node, answer.port), f"{answer.node}/{vrf}")

    def _way(self, table: str, here: Station, there: Station, other: str) -> Hop:
        """The pair of ports between two stations, from one table to the other."""
        key = (f"{table} > {other}", here, there)
        if key not in self.pairs:
            self.pairs[key] = self.made.port(table, here[0]), self.made.port(other, there[0])
            self.made.connect(*self.pairs[key], one_way=True)
            self.leaving.setdefault(here, []).append(self.pairs[key][0])
            self.entering.setdefault(there, []).append(self.pairs[key][1])
        return HopKind.PORT, self.pairs[key][0]

    def _translate(self) -> None:
        for (node, name), ports in sorted(self.entering.items()):
            translator = self.world.translators.get(node)
            rules = list(_inbound(translator, name)) if translator and not name.startswith("vx-") else []
            if rules:
                number = self.made.translation(rules)
                for port in ports:
                    self.made.ingress(port, OperationKind.TRANSLATE, number)

    def _translate_out(self) -> None:
        for (node, name), ports in sorted(self.leaving.items()):
            translator = self.world.translators.get(node)
            rules = list(_outbound(translator, name)) if translator else []
            if rules:
                number = self.made.translation(rules)
                for port in ports:
                    self.made.egress(port, OperationKind.TRANSLATE, number)

    def _filter(self) -> None:
        for (node, name), ports in sorted(self.leaving.items()):
            wall = self.world.walls.get(node)
            if wall is not None:
                number = self._wall(wall, node, name)
                for port in ports:
                    self.made.egress(port, OperationKind.FILTER, number)

    def _wall(self, wall: Wall, node: str, out: str) -> int:
        entries: list[FilterEntry] = []
        for item in wall.rules:
            rule = item.rule
            if not rule.out_interfaces or out in rule.out_interfaces:
                for in_port in self._in_ports(node, rule):
                    entries += _entries(rule, in_port)
        default = Action.PERMIT if wall.policy.default == "accept" else Action.DENY
        return self.made.filter(entries, default, stateful=wall.stateful)

    def _in_ports(self, node: str, rule: FilterRule) -> list[int]:
        if not rule.in_interfaces:
            return [NONE]
        return [port for name in rule.in_interfaces for port in self.entering.get((node, name), ())]

    def _guard(self, guard: Guard, direction: str) -> int:
        entries = []
        for rule, remote in guard.rules:
            if rule.direction != direction:
                continue
            for peer in _remotes(remote):
                peers = Match(source=peer) if direction == "ingress" else Match(destination=peer)
                match = peers._replace(protocol=PROTOCOLS[rule.protocol], destination_port=rule.ports or EVERY_PORT)
                entries.append(FilterEntry(match, Action.PERMIT, f"security_rules[{rule.key}]"))
        return self.made.filter(entries, Action.DENY, stateful=True)


def lower(world: World) -> Network:
    """The engine's arrays for a world. Zones are named after hosts, servers and guests; `DEVICE` + name is a device."""
    return _Lowering(world).network()


def _text(address: int) -> str:
    return str(IPv4Network(address).network_address)


def _remotes(remote: Remote) -> list[IPv4Network | None]:
    if remote is None:
        return [None]
    if isinstance(remote, frozenset):
        return [IPv4Network(address) for address in sorted(remote)]
    return [IPv4Network((remote[0], bin(remote[1]).count("1")))]


def _entries(rule: FilterRule, in_port: int) -> Iterator[FilterEntry]:
    action = Action.PERMIT if rule.action == "accept" else Action.DENY
    for source, destination, ports in product(
        rule.sources or (None,), rule.destinations or (None,), rule.ports or (EVERY_PORT,)
    ):
        match = Match(source, destination, PROTOCOLS[rule.protocol], destination_port=ports, in_port=in_port)
        yield FilterEntry(match, action, f"filter_rules[{rule.key}]")


def _inbound(translator: Translator, port: str) -> Iterator[Translation]:
    """What is done to packets that enter by this port: see Translator.inbound, whose order is kept."""
    for row, _inside, _outside in translator.rows:
        if row.kind != "source" and row.interface == port:
            to = IPv4Network(row.inside.network_address) if row.kind == "destination" else row.inside
            yield _rule(row, Match(destination=row.outside), TranslationKind.DESTINATION, to)


def _outbound(translator: Translator, port: str) -> Iterator[Translation]:
    """What is done to packets that leave by this port: see Translator.outbound, whose order is kept."""
    for row, _inside, _outside in translator.rows:
        if row.kind != "destination" and row.interface == port:
            to = IPv4Network(row.outside.network_address) if row.kind == "source" else row.outside
            yield _rule(row, Match(source=row.inside), TranslationKind.SOURCE, to)


def _rule(row: Nat, match: Match, kind: TranslationKind, to: IPv4Network) -> Translation:
    ports = (row.port, row.port) if row.port is not None else EVERY_PORT
    narrowed = match._replace(protocol=PROTOCOLS[row.protocol], destination_port=ports)
    to_port = row.inside_port if kind == TranslationKind.DESTINATION and row.inside_port is not None else NONE
    return Translation(narrowed, kind, to, to_port, f"nats[{row.key}]")
