"""The world as the walk sees it: a handful of questions, each answered from one compiled part of the estate.

A packet's way is a pure function of the answers to the questions it asked. That is what makes reuse between two
estates certain: if every question of a walk has the same answer, the walk is the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol

from orchestrator.forwarding.boxes import (
    Guard,
    Judgement,
    Translated,
    Translator,
    Wall,
    build_guards,
    build_translators,
    build_walls,
)
from orchestrator.forwarding.segments import (
    Doubt,
    Guest,
    Neighbour,
    Segments,
    build_segments,
    host_ports,
    is_table_device,
)
from orchestrator.forwarding.tables import Entry, Tables, build_tables
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL


class UnparsedLine(Protocol):
    """A configuration line nobody understood (vendors.parsed.Unparsed has this shape)."""

    @property
    def device(self) -> str:
        """Name of the device."""

    @property
    def file(self) -> str:
        """File it stands in."""

    @property
    def line(self) -> int:
        """Line number, from 1."""

    @property
    def text(self) -> str:
        """The line itself."""


class Endpoint(NamedTuple):
    """Where packets start and end: a host, a server, a guest. `port` "" is not cabled, `gateway` None is none."""

    port: str
    address: int
    network: int
    mask: int
    gateway: int | None
    guarded: bool


SEGMENT_TABLES = frozenset(
    {"devices", "links", "vrfs", "interfaces", "hosts", "servers", "cloud_networks", "cloud_routers"}
) | {"provider_networks"}
ROUTING_TABLES = (SEGMENT_TABLES - {"hosts", "servers"}) | {"routes"}
WALL_TABLES = frozenset({"filters", "filter_rules"})
TRANSLATOR_TABLES = frozenset({"nats", "cloud_routers", "cloud_networks"})
GUARD_TABLES = frozenset({"servers", "security_groups", "security_rules"})
ALL_TABLES = SEGMENT_TABLES | ROUTING_TABLES | WALL_TABLES | TRANSLATOR_TABLES | GUARD_TABLES


@dataclass
class World:
    """Compiled parts of one estate. Every public method is a question; its answer is a value."""

    estate: Estate
    guests: dict[str, Guest]
    segments: Segments
    tables: Tables
    walls: dict[str, Wall]
    translators: dict[str, Translator]
    guards: dict[str, Guard]
    doubtful: dict[str, Doubt]
    ports: dict[str, str]

    @classmethod
    def of(cls, estate: Estate, guests: Iterable[Guest] = (), unparsed: Iterable[UnparsedLine] = ()) -> "World":
        """Compile an estate. Lines nobody understood make their device doubtful."""
        visitors = {guest.node: guest for guest in guests}
        segments = build_segments(estate, visitors.values())
        doubtful: dict[str, Doubt] = {}
        for line in unparsed:
            reason = f"line not understood: {line.file}:{line.line} {line.text.strip()!r}"
            doubtful.setdefault(line.device, Doubt(reason, f"devices[{line.device}]"))
        return cls(
            estate=estate,
            guests=visitors,
            segments=segments,
            tables=build_tables(estate, segments, doubtful),
            walls=build_walls(estate),
            translators=build_translators(estate),
            guards=build_guards(estate),
            doubtful=doubtful,
            ports=host_ports(estate),
        )

    def endpoint(self, node: str) -> Endpoint | None:
        """The endpoint of this name, None when there is none."""
        host = self.estate.hosts.get(node)
        if host:
            network = host.address.network
            ends = (int(network.network_address), int(network.netmask), int(host.gateway))
            return Endpoint(self.ports.get(node, ""), int(host.address), *ends, guarded=False)
        guest = self.guests.get(node)
        if guest:
            return Endpoint("eth0", guest.address, guest.network, guest.mask, guest.gateway, guarded=False)
        return self._server(node)

    def _server(self, node: str) -> Endpoint | None:
        server = self.estate.servers.get(node)
        if not server:
            return None
        network = self.estate.cloud_networks.get(f"{server.tenant}/{server.network}")
        if not network:
            return Endpoint("", int(server.address), 0, 0, None, guarded=True)
        prefix = network.prefix
        ends = (int(prefix.network_address), int(prefix.netmask), int(prefix[1]))
        return Endpoint("eth0", int(server.address), *ends, guarded=True)

    def neighbour(self, node: str, port: str, address: int) -> Neighbour | Doubt | None:
        """Who hears a packet sent out of this port to this address."""
        return self.segments.neighbour(node, port, address)

    def instance(self, node: str, port: str) -> str | None:
        """The VRF that receives packets on this port, None when the port is not addressed."""
        if node.startswith("router "):
            return GLOBAL
        for interface in self.estate.interfaces.values():
            if interface.device == node and interface.name == port:
                return interface.vrf
        return None

    def home(self, node: str, address: int) -> str | None:
        """The VRF in which the device itself has this address."""
        for interface in self.estate.interfaces.values():
            if interface.device == node and int(interface.address) == address:
                return interface.vrf
        return GLOBAL if node.startswith("router ") else None

    def lookup(self, node: str, vrf: str, address: int) -> Entry | Doubt | None:
        """The active route for an address."""
        table = self.tables.get((node, vrf))
        return table.lookup(address) if table else None

    def doubt(self, node: str) -> Doubt | None:
        """Why the device's behaviour is not known, None when it is."""
        device = self.estate.devices.get(node)
        if device and not is_table_device(device):
            return Doubt(f"{node} is unmanaged: its tables are not known", f"devices[{node}]")
        return self.doubtful.get(node)

    def stateful(self, node: str) -> bool:
        """True when the device's filter accepts return traffic of connections it has let through."""
        wall = self.walls.get(node)
        return wall is not None and wall.stateful

    def tracks(self, node: str) -> bool:
        """True when the device remembers connections: it has a stateful filter or translates."""
        return node in self.translators or self.stateful(node)

    def judge(
        self, node: str, way: tuple[str, str], ends: tuple[int, int], protocol: str, port: int
    ) -> Judgement | None:
        """The forward filter's answer; None when the device has no filter."""
        wall = self.walls.get(node)
        return wall.judge(way, ends, protocol, port) if wall else None

    def inbound(self, node: str, port_name: str, destination: int, protocol: str, port: int) -> Translated:
        """Destination translation on entry."""
        translator = self.translators.get(node)
        return translator.inbound(port_name, destination, protocol, port) if translator else Translated(None, False)

    def outbound(self, node: str, port_name: str, source: int, protocol: str, port: int) -> Translated:
        """Source translation on leaving."""
        translator = self.translators.get(node)
        return translator.outbound(port_name, source, protocol, port) if translator else Translated(None, False)

    def guard(self, node: str, direction: str, peer: int, protocol: str, port: int) -> Judgement:
        """The security groups' answer for a server."""
        guard = self.guards.get(node)
        if guard is None:
            return Judgement(False, f"no server {node}", f"servers[{node}]", False)
        return guard.judge(direction, peer, protocol, port)


@lru_cache(maxsize=65536)
def text_of(address: int) -> str:
    """An address as people write it."""
    return str(IPv4Address(address))
