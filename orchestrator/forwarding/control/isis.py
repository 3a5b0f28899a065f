"""IS-IS: two levels, one topology for IPv4 and IPv6 (ISO 10589, 7.2; RFC 1195; wide metrics of RFC 5305)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Literal, NamedTuple

from orchestrator.forwarding.control.design import Family, Interface, Isis, Prefix
from orchestrator.forwarding.control.shortest import Edge, Node, Reached, is_segment, shortest
from orchestrator.forwarding.control.tables import Entry, Hop, Place
from orchestrator.forwarding.control.view import Port, View, address_of, share_network

Level = Literal[1, 2]
LEVELS: tuple[Level, ...] = (1, 2)
_NOT_USED = 0xFFFFFF
Announcing = Callable[[Place, Level], Iterable[tuple[Prefix, int]]]


class Outside(NamedTuple):
    """A route of another protocol that a router announces at a level."""

    origin: Place
    level: Level
    prefix: Prefix
    metric: int


def tables(view: View, outside: Iterable[Outside]) -> dict[Place, list[Entry]]:
    """Return each instance's routes; level 1 before level 2, then the metric, all equal-cost next hops."""
    return _Computation(view, outside).run()


class _Computation:
    def __init__(self, view: View, outside: Iterable[Outside]) -> None:
        self.view = view
        self.processes: dict[Place, Isis] = {
            (router.name, told.vrf): told for router in view.design.routers for told in router.isis
        }
        self.outside: dict[tuple[Place, Level], list[Outside]] = defaultdict(list)
        for one in outside:
            self.outside[one.origin, one.level].append(one)
        self.spf: dict[Level, dict[Place, dict[Node, Reached]]] = {}
        for level in LEVELS:
            graph = self._graph(level)
            speakers = [place for place, told in self.processes.items() if level in told.levels]
            self.spf[level] = {place: shortest(graph, place) for place in speakers}

    def run(self) -> dict[Place, list[Entry]]:
        """Level 1 first, because its routes go up to level 2; then level 2; then the attached bit's default."""
        first = {place: self._routes(place, 1, self._own) for place in self.spf[1]}
        above = {place: self._routes(place, 2, lambda owner, level: self._second(owner, level, first))
                 for place in self.spf[2]}  # fmt: skip
        found: dict[Place, list[Entry]] = {}
        for place in self.processes:
            best = dict(above.get(place, {})) | first.get(place, {})
            found[place] = [*best.values(), *self._attached(place, best)]
        return found

    def _levels(self, port: Port) -> frozenset[Level]:
        """Return the levels at which a port forms adjacencies."""
        told = port.interface.isis
        process = self.processes.get(port.place)
        if told is None or process is None or told.passive:
            return frozenset()
        return frozenset(told.levels) & frozenset(process.levels)

    def _graph(self, level: Level) -> dict[Node, list[Edge]]:
        """Every adjacency as an edge to each neighbour: a segment costs its near end's metric, whoever is behind it.

        A link of the largest metric is announced and leads nowhere (RFC 5305, 3).
        """
        graph: dict[Node, list[Edge]] = defaultdict(list)
        for place in self.processes:
            for port in self.view.ports(place):
                told = port.interface.isis
                if told is None or told.metric == _NOT_USED:
                    continue
                for other in self._neighbours(port, level):
                    graph[place].append(Edge(other.place, told.metric, Hop(port.interface.name, None, other.name)))
        return graph

    def _neighbours(self, port: Port, level: Level) -> Iterator[Port]:
        if level not in self._levels(port):
            return
        for other in self.view.others(port):
            if level not in self._levels(other):
                continue
            same_area = self.processes[port.place].area == self.processes[other.place].area
            if (level == 2 or same_area) and any(
                share_network(port.interface, other.interface, family) for family in (4, 6)
            ):
                yield other

    def _own(self, place: Place, level: Level) -> Iterator[tuple[Prefix, int]]:
        """Yield what a router itself announces at a level: its IS-IS interfaces' prefixes and other protocols'."""
        process = self.processes[place]
        for port in self.view.ports(place):
            told = port.interface.isis
            if told is not None and level in told.levels and level in process.levels:
                for address in port.interface.addresses:
                    yield address.network, told.metric
        for one in self.outside[place, level]:
            yield one.prefix, one.metric

    def _second(
        self, place: Place, level: Level, first: Mapping[Place, Mapping[Prefix, Entry]]
    ) -> Iterator[tuple[Prefix, int]]:
        yield from self._own(place, level)
        told = self.processes[place]
        if told.up_to_level_2 and 1 in told.levels:
            yield from self._own(place, 1)
            yield from ((prefix, entry.metric) for prefix, entry in first.get(place, {}).items())

    def _routes(self, place: Place, level: Level, announced: Announcing) -> dict[Prefix, Entry]:
        told = self.processes[place]
        best: dict[Prefix, Entry] = {}
        for node, reached in self.spf[level][place].items():
            owner: Place = (node[0], node[-1])
            if is_segment(node) or owner == place:
                continue
            for prefix, metric in announced(owner, level):
                hops = self._toward(place, reached.hops, prefix.version)
                entry = Entry(prefix, "isis", told.distance, reached.cost + metric, hops, 0, f"L{level}", told.line)
                if hops:
                    _keep(best, entry)
        return best

    def _toward(self, place: Place, hops: Iterable[Hop], family: Family) -> frozenset[Hop]:
        """Keep the hops both of whose ends speak the family, with the neighbour's address for IPv4.

        There is one topology for both families (RFC 1195), so a way may lead over a cable that lacks one of them; IPv6
        next hops are link-local, and only the neighbour is known.
        """
        found = set()
        for hop in hops:
            near = self._interface((place[0], hop.interface))
            far = self._interface(hop.neighbour or ("", ""))
            gateway = address_of(far, family)
            if gateway is not None and address_of(near, family) is not None:
                found.add(hop._replace(gateway=gateway) if family == 4 else hop)
        return frozenset(found)

    def _interface(self, name: tuple[str, str]) -> Interface:
        return next(one for one in self.view.routers[name[0]].interfaces if one.name == name[1])

    def _attached(self, place: Place, best: Mapping[Prefix, Entry]) -> Iterator[Entry]:
        """A router of level 1 alone sends what it does not know to its nearest attached L1/L2 router."""
        told = self.processes[place]
        if 2 in told.levels or not told.attached_default:
            return
        ways = [(reached.cost, reached.hops) for node, reached in self.spf[1][place].items()
                if (node[0], node[-1]) != place and self._is_attached((node[0], node[-1]))]  # fmt: skip
        if not ways:
            return
        nearest = min(cost for cost, _ in ways)
        hops = frozenset(hop for cost, found in ways if cost == nearest for hop in found)
        for default in (ip_network("0.0.0.0/0"), ip_network("::/0")):
            usable = self._toward(place, hops, default.version)
            if default not in best and usable:
                yield Entry(default, "isis", told.distance, nearest, usable, 0, "L1", told.line)

    def _is_attached(self, place: Place) -> bool:
        """Return whether a router reaches another area by level 2 (ISO 10589, 7.2.9.2)."""
        told = self.processes[place]
        return set(told.levels) == {1, 2} and any(
            self.processes[node[0], node[-1]].area != told.area for node in self.spf[2][place]
        )


def _keep(best: dict[Prefix, Entry], entry: Entry) -> None:
    known = best.get(entry.prefix)
    if known is None or entry.metric < known.metric:
        best[entry.prefix] = entry
    elif entry.metric == known.metric:
        best[entry.prefix] = known._replace(hops=known.hops | entry.hops)
