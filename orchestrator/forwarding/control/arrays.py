"""Computed tables -> the forwarding engine's arrays: ports, groups, routes with their line or reason.

Each interface becomes one port towards every other interface on its segment, and one towards the segment itself, which
a zone may stand on. Each table has one port more for its own addresses: what is sent to the router ends there. A zone
on an interface that is down sends into a table of that interface's own, which drops everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator.forwarding.control.check import DesignFaultError
from orchestrator.forwarding.control.compute import Result
from orchestrator.forwarding.control.design import Design, Prefix
from orchestrator.forwarding.control.tables import Entry, Hop, Place
from orchestrator.forwarding.control.view import Port, View, host_prefix
from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.network import HopKind

PortName = tuple[str, str]
"""(router, interface)."""
EVERYTHING = ("0.0.0.0/0", "::/0")


class ZoneAt(NamedTuple):
    """A zone on the segment of an interface, sending with these prefixes."""

    zone: str
    port: PortName
    sources: tuple[Prefix, ...]


class Plumbing(NamedTuple):
    """A network under construction: filters and translations may still be put on its ports, then `builder.build()`.

    `ports` are the engine's ports of each interface: one towards each neighbour, the last one towards the segment;
    `places` the table of each interface; `own` the port behind which each table's own addresses are.
    """

    builder: NetworkBuilder
    ports: dict[PortName, tuple[int, ...]]
    places: dict[PortName, Place]
    own: dict[Place, int]


def plumb(design: Design, result: Result, zones: Iterable[ZoneAt] = ()) -> Plumbing:
    """Return the tables of a result as an engine network that has no filters yet.

    Where the result is not certain, everything that a table would look up is UNKNOWN, with the first doubt as its line.
    Raises DesignFaultError for a zone on an interface that the design does not have.
    """
    return _Plumber(View(design), result).run(zones)


def table_name(place: Place) -> str:
    """Return the engine's name of a table: "router/VRF"."""
    return "/".join(place)


class _Plumber:
    def __init__(self, view: View, result: Result) -> None:
        self.view, self.result = view, result
        self.builder = NetworkBuilder()
        self.named = {port.name: port for place in view.places for port in view.ports(place)}
        self.towards: dict[tuple[PortName, PortName], int] = {}
        self.segment: dict[PortName, int] = {}
        self.own: dict[Place, int] = {}

    def run(self, zones: Iterable[ZoneAt]) -> Plumbing:
        ports: dict[PortName, list[int]] = defaultdict(list)
        for place in self.view.places:
            self.builder.table(table_name(place))
            self.own[place] = self._port(place)
            for port in self.view.ports(place):
                for other in self.view.others(port):
                    self.towards[port.name, other.name] = self._port(place)
                    ports[port.name].append(self.towards[port.name, other.name])
                self.segment[port.name] = self._port(place)
                ports[port.name].append(self.segment[port.name])
        for port in self.view.down:
            self.segment[port.name] = self._dead(port)
            ports[port.name].append(self.segment[port.name])
        for (near, far), number in self.towards.items():
            self.builder.connect(number, self.towards[far, near], one_way=True)
        for place in self.view.places:
            self._routes(place)
        for one in zones:
            self._attach(one)
        places = {port.name: port.place for port in (*self.named.values(), *self.view.down)}
        return Plumbing(self.builder, {name: tuple(numbers) for name, numbers in ports.items()}, places, self.own)

    def _attach(self, one: ZoneAt) -> None:
        if one.port not in self.segment:
            where = " ".join(one.port)
            raise DesignFaultError(
                f"zone {one.zone} stands on {where}, which the design does not have: correct the name"
            )
        self.builder.attach(one.zone, self.segment[one.port], *one.sources)

    def _port(self, place: Place) -> int:
        return self.builder.port(table_name(place), place[0])

    def _dead(self, port: Port) -> int:
        """Return a port by which nothing gets in, and nothing out."""
        name, line = f"{table_name(port.place)}/{port.interface.name}", f"{' '.join(port.name)} is down"
        for everything in EVERYTHING:
            self.builder.route(name, everything, line=line)
        return self.builder.port(name, port.router)

    def _routes(self, place: Place) -> None:
        name = table_name(place)
        table = self.result.tables[place]
        hosts = dict(self._neighbours(place)) | dict(self._addresses(place))
        for prefix, (number, line) in hosts.items():
            self.builder.route(name, prefix, (HopKind.PORT, number), line=line)
        if not self.result.certain:
            doubt = self.builder.line(self.result.doubts[0])
            for everything in EVERYTHING:
                self.builder.route(name, everything, (HopKind.UNKNOWN, doubt), line=self.result.doubts[0])
            return
        for prefix, entry in table.items():
            if prefix not in hosts:
                hops = sorted({self._hop(place, hop) for hop in entry.hops})
                self.builder.route(name, prefix, *hops, line=reason(place, entry))

    def _addresses(self, place: Place) -> Iterator[tuple[Prefix, tuple[int, str]]]:
        for port in self.view.ports(place):
            for address in port.interface.addresses:
                yield host_prefix(address.ip), (self.own[place], f"{'/'.join(place)} own address {address.ip}")

    def _neighbours(self, place: Place) -> Iterator[tuple[Prefix, tuple[int, str]]]:
        """Addresses of other routers on connected segments, where nothing more specific leads elsewhere."""
        table = self.result.tables[place]
        for port in self.view.ports(place):
            for other in self.view.others(port):
                for address in other.interface.addresses:
                    best = table.longest(address.ip)
                    if best is not None and any(self._delivers(hop, port) for hop in best.hops):
                        number = self.towards[port.name, other.name]
                        yield host_prefix(address.ip), (number, reason(place, best))

    @staticmethod
    def _delivers(hop: Hop, port: Port) -> bool:
        return hop.interface == port.interface.name and hop.delivers

    def _hop(self, place: Place, hop: Hop) -> tuple[HopKind, int]:
        if hop.discard:
            return HopKind.DROP, 0
        if hop.table is not None:
            return HopKind.TABLE, self.builder.table(table_name(hop.table))
        name = (place[0], hop.interface)
        if hop.neighbour is not None:
            return HopKind.PORT, self.towards[name, hop.neighbour]
        other = self.view.gateway(self.named[name], hop.gateway) if hop.gateway is not None else None
        return HopKind.PORT, self.segment[name] if other is None else self.towards[name, other.name]


def reason(place: Place, entry: Entry) -> str:
    """Return where a route comes from: its line in the sources when it is known, else what computed it."""
    return entry.line or f"{'/'.join(place)} {entry.source} {entry.detail}".rstrip() + f" {entry.prefix}"
