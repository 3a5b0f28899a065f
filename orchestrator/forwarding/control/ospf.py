"""OSPF: routes inside areas and between them (RFC 2328, 16.1 and 16.2; RFC 5340 for IPv6), all instances at once.

Stub areas and area ranges as configured; no virtual links, no NSSA. What leaves an area is only what its border routers
announce, and border routers believe only the backbone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import NamedTuple

from orchestrator.forwarding.control.design import Address, Family, Interface, Ospf, OspfPort, Prefix
from orchestrator.forwarding.control.filters import contains
from orchestrator.forwarding.control.shortest import Edge, Node, Reached, is_segment, shortest
from orchestrator.forwarding.control.tables import Hop, Place
from orchestrator.forwarding.control.view import Port, View, address_of, host_prefix, networks, share_network

BACKBONE = 0
INTRA, INTER = 0, 1
Key = Prefix | Place
"""A destination: a prefix, or a router (an AS boundary router) by its table."""


class Path(NamedTuple):
    """The best way to a destination so far: rank (INTRA before INTER), then cost; `areas` is where it runs."""

    rank: int
    cost: int
    hops: frozenset[Hop]
    areas: frozenset[int]


class Domain(NamedTuple):
    """Everything OSPF computes before external routes: per table, its paths, and its paths to routers by area."""

    paths: dict[Place, dict[Key, Path]]
    routers: dict[Place, dict[int, dict[Place, Reached]]]
    borders: frozenset[Place]
    discards: dict[Place, frozenset[Prefix]]  # active ranges: a border router drops what no component covers


def settings(interface: Interface, family: Family) -> OspfPort | None:
    """Return what an interface is told about OSPF of a family."""
    return interface.ospf if family == 4 else interface.ospf6


def everything(family: Family) -> Prefix:
    """Return the default route's prefix."""
    return ip_network("0.0.0.0/0") if family == 4 else ip_network("::/0")


def domain(view: View, family: Family, boundary: Iterable[Place]) -> Domain:
    """Compute all OSPF instances of a family. `boundary` are the AS boundary routers: they are destinations too."""
    return _Computation(view, family, frozenset(boundary)).run()


class _Computation:
    def __init__(self, view: View, family: Family, boundary: frozenset[Place]) -> None:
        self.view, self.family, self.boundary = view, family, boundary
        self.processes: dict[Place, Ospf] = {
            (router.name, one.vrf): one
            for router in view.design.routers for one in router.ospf if one.family == family
        }  # fmt: skip
        self.ports: dict[Place, dict[int, list[tuple[Port, OspfPort]]]] = {}
        for place in self.processes:
            by_area: dict[int, list[tuple[Port, OspfPort]]] = defaultdict(list)
            for port in view.ports(place):
                if (told := settings(port.interface, family)) is not None:
                    by_area[told.area].append((port, told))
            self.ports[place] = dict(by_area)
        self.borders = frozenset(place for place, areas in self.ports.items() if BACKBONE in areas and len(areas) > 1)
        self.announced: dict[tuple[Place, int], list[tuple[Prefix, int, str]]] = {}
        self.shared: dict[tuple[Node, int], set[Prefix]] = {}
        self.spf: dict[Place, dict[int, dict[Node, Reached]]] = {}
        self.paths: dict[Place, dict[Key, Path]] = {place: {} for place in self.processes}

    def run(self) -> Domain:
        """Intra-area routes, what borders announce into the backbone, then what they announce out of it."""
        graphs = self._graphs()
        for place, areas in self.ports.items():
            self.spf[place] = {area: shortest(graphs[area], place) for area in areas}
            for area in areas:
                self._intra(place, area)
        self._between([BACKBONE], frozenset(self.ports))
        outside = sorted({area for areas in self.ports.values() for area in areas} - {BACKBONE})
        self._between(outside, frozenset(self.ports) - self.borders)
        routers = {
            place: {area: self._reached_routers(place, area) for area in areas} for place, areas in self.ports.items()
        }
        discards = {
            place: frozenset(prefix for prefix, hidden in self._active(place).items() if not hidden)
            for place in self.borders
        }
        return Domain(self.paths, routers, self.borders, discards)

    def _graphs(self) -> dict[int, dict[Node, list[Edge]]]:
        graphs: dict[int, dict[Node, list[Edge]]] = defaultdict(lambda: defaultdict(list))
        for areas in self.ports.values():
            for area, ports in areas.items():
                for port, told in ports:
                    self._edges(graphs[area], port, told)
        return graphs

    def _edges(self, graph: dict[Node, list[Edge]], port: Port, told: OspfPort) -> None:
        """Both ends decide: an edge stands only where two ports would become neighbours (RFC 2328, 10.5)."""
        neighbours = list(self._neighbours(port, told))
        if told.point_to_point:
            for other in neighbours:
                hop = Hop(port.interface.name, self._gateway(other), other.name)
                graph[port.place].append(Edge(other.place, told.cost, hop))
        elif neighbours:
            segment = self._segment(port)
            graph[port.place].append(Edge(segment, told.cost, Hop(port.interface.name)))
            graph[segment].append(Edge(port.place, 0, Hop("", self._gateway(port), port.name)))

    def _neighbours(self, port: Port, told: OspfPort) -> Iterator[Port]:
        for other in self.view.others(port):
            theirs = settings(other.interface, self.family)
            if theirs is None or other.place not in self.processes:
                continue
            agree = (theirs.area, theirs.point_to_point) == (told.area, told.point_to_point)
            stub = self._is_stub(port.place, told.area) == self._is_stub(other.place, told.area)
            silent = told.passive or theirs.passive
            near = self.family == 6 or share_network(port.interface, other.interface, 4)
            if agree and stub and near and not silent:
                yield other

    def _gateway(self, port: Port) -> Address | None:
        return address_of(port.interface, 4) if self.family == 4 else None

    def _segment(self, port: Port) -> Node:
        shared = networks(port.interface, 4)[0] if self.family == 4 else ""
        return (f"{port.interface.segment} {shared}",)

    def _is_stub(self, place: Place, area: int) -> bool:
        told = self.processes[place]
        return area in told.stub_areas or area in told.closed_areas

    def _intra(self, place: Place, area: int) -> None:
        for node, reached in self.spf[place][area].items():
            if is_segment(node):
                for network in self._networks(node, area):
                    self._offer(place, network, Path(INTRA, reached.cost, reached.hops, frozenset((area,))))
                continue
            owner: Place = (node[0], node[1])
            if owner in self.boundary and owner != place and not self._is_stub(place, area):  # no externals in there
                self._offer_router(place, owner, Path(INTRA, reached.cost, reached.hops, frozenset((area,))))
            for prefix, cost, interface in self._stubs_of(owner, area):
                hops = reached.hops if owner != place else frozenset((Hop(interface),))
                self._offer(place, prefix, Path(INTRA, reached.cost + cost, hops, frozenset((area,))))

    def _networks(self, node: Node, area: int) -> Iterable[Prefix]:
        """Return the prefixes of a segment; for IPv6 those of all that speak on it (RFC 5340, 4.4.3.9)."""
        if self.family == 4:
            return [ip_network(node[0].rpartition(" ")[2])]
        if (node, area) not in self.shared:
            members = [port for port in self.view.members[node[0].rpartition(" ")[0]] if port.name in self.view.up]
            self.shared[node, area] = {
                network for port in members if self._speaks(port, area) for network in networks(port.interface, 6)
            }
        return self.shared[node, area]

    def _speaks(self, port: Port, area: int) -> bool:
        """Return whether a port has neighbours on a shared segment."""
        told = settings(port.interface, self.family)
        if told is None or told.area != area or told.point_to_point or port.place not in self.processes:
            return False
        return any(self._neighbours(port, told))

    def _stubs_of(self, place: Place, area: int) -> list[tuple[Prefix, int, str]]:
        if (place, area) not in self.announced:
            self.announced[place, area] = list(self._stubs(place, area))
        return self.announced[place, area]

    def _stubs(self, place: Place, area: int) -> Iterator[tuple[Prefix, int, str]]:
        """Yield the prefixes a router announces itself: all but those of segments it shares (RFC 2328, 12.4.1)."""
        for port, told in self.ports[place].get(area, ()):
            if not told.point_to_point and any(self._neighbours(port, told)):
                continue
            for address in port.interface.addresses:
                if address.version == self.family:
                    alone = port.interface.loopback
                    yield host_prefix(address.ip) if alone else address.network, told.cost, port.interface.name

    def _offer(self, place: Place, key: Key, path: Path) -> None:
        known = self.paths[place].get(key)
        if known is None or path[:2] < known[:2]:
            self.paths[place][key] = path
        elif path[:2] == known[:2]:
            self.paths[place][key] = Path(path.rank, path.cost, known.hops | path.hops, known.areas | path.areas)

    def _offer_router(self, place: Place, owner: Place, path: Path) -> None:
        """Keep the preferred way to an AS boundary router, which a border announces (RFC 2328, 12.4.3 and 16.4.1)."""
        known = self.paths[place].get(owner)
        if known is None or _preference(path) < _preference(known):
            self.paths[place][owner] = path

    def _between(self, areas: Iterable[int], listeners: frozenset[Place]) -> None:
        """Let every border announce into the areas, and those who listen take what is best (RFC 2328, 16.2)."""
        active = {place: self._active(place) for place in listeners}
        announced: dict[int, dict[Place, dict[Key, int]]] = {
            area: {border: self._announce(border, area) for border in self.borders if area in self.ports[border]}
            for area in areas
        }
        for area, by_border in announced.items():
            for place, own_areas in self.ports.items():
                if area not in own_areas or place not in listeners:
                    continue
                for border, summaries in by_border.items():
                    heard = {key: cost for key, cost in summaries.items() if key != place and key not in active[place]}
                    self._listen(place, area, border, heard)

    def _listen(self, place: Place, area: int, border: Place, summaries: Mapping[Key, int]) -> None:
        reached = self.spf[place][area].get(border)
        if border != place and reached is not None:
            for key, cost in summaries.items():
                self._offer(place, key, Path(INTER, reached.cost + cost, reached.hops, frozenset((area,))))

    def _announce(self, border: Place, area: int) -> dict[Key, int]:
        """Return what a border router announces into an area: key -> cost (RFC 2328, 12.4.3)."""
        told = self.processes[border]
        if self._is_stub(border, area):
            closed = {} if area in told.closed_areas else self._summaries(border, area)
            found: dict[Key, int] = {key: cost for key, cost in closed.items() if not isinstance(key, tuple)}
            return found | {everything(self.family): told.stub_cost}
        return self._summaries(border, area)

    def _summaries(self, border: Place, area: int) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for key, path in self.paths[border].items():
            if area in path.areas or (area == BACKBONE and path.rank == INTER):
                continue
            covering = self._range_of(border, key, path)
            if covering is None:
                found[key] = path.cost
            elif not covering[1]:
                found[covering[0]] = max(path.cost, found.get(covering[0], 0))
        if border in self.boundary:
            found[border] = 0
        return found

    def _range_of(self, border: Place, key: Key, path: Path) -> tuple[Prefix, bool] | None:
        """Return the longest range (and whether it hides) that covers an intra-area prefix of its area."""
        if isinstance(key, tuple) or path.rank != INTRA:
            return None
        covering = [
            one for one in self.processes[border].ranges if one.area in path.areas and contains(one.prefix, key)
        ]
        best = max(covering, key=lambda one: one.prefix.prefixlen, default=None)
        return None if best is None else (best.prefix, best.hide)

    def _active(self, border: Place) -> dict[Prefix, bool]:
        """A border router's ranges with a component of their own, and whether they hide them (RFC 2328, 12.4.3).

        Only these keep another border's announcement of the same range out (16.2); one without components is nothing.
        """
        if border not in self.borders or not self.processes[border].ranges:
            return {}
        found = (self._range_of(border, key, path) for key, path in self.paths[border].items())
        return dict(one for one in found if one is not None)

    def _reached_routers(self, place: Place, area: int) -> dict[Place, Reached]:
        if self._is_stub(place, area):
            return {}
        spf = self.spf[place][area]
        return {one: spf[one] for one in self.boundary if one != place and one in spf}


def _preference(path: Path) -> tuple[bool, int, int]:
    """Other areas before the backbone, then the cost, then the largest area."""
    return BACKBONE in path.areas, path.cost, -max(path.areas)
