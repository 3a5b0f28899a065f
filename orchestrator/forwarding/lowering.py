"""A world (one estate, compiled for the plain walk) -> the arrays of the forwarding engine.

Every endpoint is a zone of its own, so that the engine's zone matrix is the matrix of points. Stations of one segment
become pairs of ports, one pair for each way a packet can take between two of them. What the world does not know
becomes an unknown hop with its reason, never a missing one.

A `Lowering` goes from world to world: the routes of a table are made again when the table, what answers on one of its
segments, or what boxes do at ports has changed, and are the same object otherwise.
"""

from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from orchestrator.forwarding.engine.network import Action, HopKind, Network, OperationKind
from orchestrator.forwarding.engine.updates import Entry as FilterEntry
from orchestrator.forwarding.engine.updates import Hop, Prefix
from orchestrator.forwarding.lowered_boxes import defaults_by_port, guard_entries, inbound, outbound, wall_entries
from orchestrator.forwarding.segments import Doubt
from orchestrator.forwarding.shape import Lowered, Made, Operations, Routes, Shape, Station, host
from orchestrator.forwarding.tables import Entry, Exit, Instance, RoutingTable
from orchestrator.forwarding.views import MOST_KEPT, NO_SEGMENT, Answerer, Same, View, Views
from orchestrator.forwarding.world import Endpoint, World

DEVICE = "device "
"""What the zone of a device's own addresses is called before its name."""

DEFAULT = Prefix(4, 0, 0)
DROPPED = Hop(HopKind.DROP)
Fragment = dict[int, Routes]
"""Routes by table number."""


class Kept(NamedTuple):
    """Routes made before, and what they were made of."""

    made_of: tuple[Any, ...]
    views: dict[Station, View]
    fragment: Fragment


class Lowering:
    """One world after the other over one growing shape."""

    def __init__(self) -> None:
        self.shape = Shape()
        self._world: World | None = None
        self._boxes: tuple[Any, ...] = ()
        self._views: dict[tuple[str, str], View] = {}
        self._kept: dict[tuple[str, ...], list[Kept]] = {}
        self._routes: Same[int, Routes] = Same()
        self._lists: Same[int, tuple[FilterEntry, ...]] = Same()
        self._segments = Views()
        self._zones: dict[str, str] = {}
        self._ends: Fragment = {}
        self._entries: dict[int, tuple[tuple[Any, ...], tuple[FilterEntry, ...]]] = {}
        self._operations: dict[tuple[Station, bool], Operations] = {}
        self._used: dict[Station, View] = {}
        self._fragment: Fragment = {}

    def of(self, world: World) -> Lowered:
        """The arrays of a world, as routes and entries over the shape."""
        before, self._world = self._world, world
        still = self._look(before)  # then only tables that are others have other routes
        if not still or before is None or before.guests != world.guests or before.guards.keys() != world.guards.keys():
            self._ends = self._endpoints()
        routes = dict(self._ends)
        for instance, table in world.tables.items():
            if still and before is not None and before.tables.get(instance) is table:
                routes.update(self._kept[instance][0].fragment)
            else:
                routes.update(self._keep(instance, (table,), partial(self._table, instance, table)))
        return Lowered(routes, self._filters())

    def _endpoints(self) -> Fragment:
        """The routes of all endpoints."""
        world, routes = self.world, dict[int, Routes]()
        self._zones.clear()
        for node in (*world.estate.hosts, *world.estate.servers, *world.guests):
            endpoint = world.endpoint(node)
            if endpoint is not None:
                guarded = endpoint.guarded and node in world.guards
                made_of = (endpoint, guarded)
                routes.update(self._keep((node,), made_of, partial(self._endpoint, node, endpoint, guarded)))
                self._zones[node] = self.shape.zone(node, guarded=guarded)
        return routes

    def zone(self, node: str) -> str | None:
        """The zone of a host, server or guest of the present world; None for anything else."""
        return self._zones.get(node)

    @property
    def world(self) -> World:
        """The world last lowered. Raises ValueError before any."""
        if self._world is None:
            raise ValueError("nothing is lowered yet: call of(world)")
        return self._world

    # ---- what routes are made of ----

    def _look(self, before: World | None) -> bool:
        """What boxes do at ports, and who answers on each segment; True when all that is as it was."""
        still = self._look_at_boxes(before)
        if before is not None and before.segments is self.world.segments:
            return still
        self._views = self._segments.of(self.world)
        return False

    def _look_at_boxes(self, before: World | None) -> bool:
        world = self.world
        parts = ("walls", "translators", "doubtful")
        same = before is not None and all(getattr(before, part) is getattr(world, part) for part in parts)
        if same and before is not None and before.estate.devices is world.estate.devices:
            return True
        walls = {node: (wall.policy.default, wall.stateful) for node, wall in world.walls.items()}
        translators = {node: tuple(row for row, *_ in one.rows) for node, one in world.translators.items()}
        boxes = (world.estate.devices, world.doubtful, walls, translators)
        if self._boxes == boxes:
            return True
        self._boxes, self._operations = boxes, {}
        self._kept.clear()
        return False

    def _keep(self, key: tuple[str, ...], made_of: tuple[Any, ...], make: Callable[[], None]) -> Fragment:
        """The routes of one endpoint or table, made again where they may differ from all those kept."""
        known = self._kept.setdefault(key, [])
        for kept in known:
            if kept.made_of == made_of and self._sees(kept.views):
                if known[0] is not kept:
                    known.remove(kept)
                    known.insert(0, kept)
                return kept.fragment
        self._used, self._fragment = {}, {}
        make()
        fragment = {table: self._routes.same(table, routes) for table, routes in self._fragment.items()}
        known.insert(0, Kept(made_of, self._used, fragment))
        del known[MOST_KEPT:]
        return fragment

    def _sees(self, views: dict[Station, View]) -> bool:
        return all(self._view(station) is view for station, view in views.items())

    def _view(self, station: Station) -> View:
        segment = self.world.segments.segment_of.get(station)
        return self._views.get(segment, NO_SEGMENT) if segment is not None else NO_SEGMENT

    def _seen(self, station: Station) -> View:
        """As `_view`, and noted: the routes being made hang on it."""
        self._used[station] = view = self._view(station)
        return view

    # ---- endpoints ----

    def _endpoint(self, node: str, endpoint: Endpoint, guarded: bool) -> None:
        """A zone, a table in which its packets begin and one in which those for it end."""
        sends, hears = f"{node}/sends", f"{node}/hears"
        ingress: Operations = ()
        egress: Operations = ()
        if guarded:
            ingress, egress = (
                ((OperationKind.FILTER, self.shape.filter(("guard", node, side), Action.DENY, stateful=True)),)
                for side in ("egress", "ingress")
            )
        own = host(endpoint.address)
        port = self.shape.attachment(node, sends, own, ingress, egress)
        self._route(sends, own, Hop(HopKind.PORT, port))
        self._route(hears, own, Hop(HopKind.TABLE, self.shape.table(sends)))
        if endpoint.port:
            self._first_hops(node, endpoint, sends)

    def _first_hops(self, node: str, endpoint: Endpoint, table: str) -> None:
        here = (node, endpoint.port)
        if endpoint.gateway is not None:
            self._route(table, DEFAULT, self._hop(table, here, endpoint.gateway))
        length = endpoint.mask.bit_count()
        if length < 32:
            last = endpoint.network | (endpoint.mask ^ 0xFFFFFFFF)
            self._route(table, Prefix(4, endpoint.network, length), self._nobody(table, here, last))
        for address in self._seen(here).answerers:
            if address & endpoint.mask == endpoint.network and address != endpoint.address:
                self._route(table, host(address), self._hop(table, here, address))

    # ---- tables of devices ----

    def _table(self, instance: Instance, table: RoutingTable) -> None:
        name = "/".join(instance)
        self.shape.table(name)
        if table.doubt is not None:
            self._route(name, DEFAULT, self._unknown(table.doubt))
            return
        for (length, network), entry in table.entries.items():
            hops = self._hops(instance, entry)
            self._route(name, Prefix(4, network, length), *hops, line=entry.row)
            if entry.kind == "connected" or any(exit_.next_hop is None and exit_.port for exit_ in entry.exits):
                self._stations(instance, table, entry, (length, network))

    def _hops(self, instance: Instance, entry: Entry) -> list[Hop]:
        if entry.kind == "local":
            return [Hop(HopKind.TABLE, self._own(instance[0]))]
        return [self._exit(instance, exit_, entry) for exit_ in entry.exits]

    def _own(self, device: str) -> int:
        """The table in which packets for a device's own addresses end: a zone that sends nothing real."""
        name = f"{device}/own"
        port = self.shape.attachment(DEVICE + device, name, host(0), (), ())
        self._route(name, DEFAULT, Hop(HopKind.PORT, port))
        return self.shape.table(name)

    def _exit(self, instance: Instance, exit_: Exit, entry: Entry) -> Hop:
        device, vrf = instance
        name = f"{device}/{vrf}"
        if exit_.instance is not None:
            doubt = self.world.doubt(exit_.instance[0])
            tunnel = f"vx-{exit_.instance[1]}"
            there = Answerer((exit_.instance[0], tunnel), "/".join(exit_.instance))
            here = (device, tunnel)
            return self._behind(name, here, doubt) if doubt else self._way(name, here, there)
        here = (device, exit_.port)
        if exit_.next_hop is not None:
            return self._hop(name, here, exit_.next_hop)
        return self._nobody(name, here, int(IPv4Network(entry.prefix).network_address))

    def _stations(self, instance: Instance, table: RoutingTable, entry: Entry, held: tuple[int, int]) -> None:
        """A host route to everybody on the segment for whom this route is the best."""
        name, (length, network) = "/".join(instance), held
        here = (instance[0], entry.exits[0].port)
        mask = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
        for address in self._seen(here).answerers:
            if length < 32 and address & mask == network and table.lookup(address) is entry:
                self._route(name, host(address), self._hop(name, here, address), line=entry.row)

    # ---- hops ----

    def _hop(self, table: str, here: Station, address: int) -> Hop:
        """Towards whoever answers for an address on a segment."""
        answerer = self._seen(here).answerers.get(address)
        if answerer is None:
            return self._nobody(table, here, address)
        if answerer.doubt is not None:
            return self._behind(table, here, answerer.doubt)
        return self._way(table, here, answerer)

    def _nobody(self, table: str, here: Station, address: int) -> Hop:
        """What becomes of a packet for an address of the segment that nobody is known to have."""
        view = self._seen(here)
        answer = self.world.neighbour(*here, address) if view.silent and address not in view.answerers else None
        return self._behind(table, here, answer) if isinstance(answer, Doubt) else DROPPED

    def _behind(self, table: str, here: Station, doubt: Doubt) -> Hop:
        """Nobody knows what becomes of packets behind a port: of those that its boxes let out."""
        done = self._done(here, leaving=True)
        if not done:
            return self._unknown(doubt)
        beyond = f"beyond {doubt.row} {doubt.reason}"
        self._route(beyond, DEFAULT, self._unknown(doubt))
        return Hop(HopKind.PORT, self.shape.way((here, (beyond, "")), (table, beyond), (done, ())))

    def _unknown(self, doubt: Doubt) -> Hop:
        return Hop(HopKind.UNKNOWN, self.shape.line(f"{doubt.row} {doubt.reason}".strip()))

    def _way(self, table: str, here: Station, there: Answerer) -> Hop:
        """Between two stations, from one table to the other."""
        if there.station is None:
            return DROPPED
        done = self._done(here, leaving=True), self._done(there.station, leaving=False)
        return Hop(HopKind.PORT, self.shape.way((here, there.station), (table, there.table), done))

    def _done(self, station: Station, *, leaving: bool) -> Operations:
        """What is done to packets that leave, or enter, by a port."""
        known = self._operations.get((station, leaving))
        if known is None:
            known = self._operations[(station, leaving)] = tuple(self._boxes_at(*station, leaving=leaving))
        return known

    def _boxes_at(self, node: str, port: str, *, leaving: bool) -> Iterator[tuple[OperationKind, int]]:
        wall, translator = self.world.walls.get(node), self.world.translators.get(node)
        if wall is not None and leaving:
            default = Action.PERMIT if wall.policy.default == "accept" else Action.DENY
            number = self.shape.filter(("wall", node, port), default, stateful=wall.stateful)
            yield OperationKind.FILTER, number
        rules = tuple((outbound if leaving else inbound)(translator, port)) if translator else ()
        if rules and (leaving or not port.startswith("vx-")):
            yield OperationKind.TRANSLATE, self.shape.translation(rules)

    def _route(self, table: str, prefix: Prefix, *hops: Hop, line: str = "") -> None:
        """A route of a table; no hop is a null route."""
        number = self.shape.line(line)
        made = Made(hops or (Hop(HopKind.DROP, number),), number)
        self._fragment.setdefault(self.shape.table(table), {})[prefix] = made

    # ---- filters ----

    def _filters(self) -> dict[int, tuple[FilterEntry, ...]]:
        """The entries of every filter that something in this world has."""
        found = {}
        for kind, node, name, number, default in self.shape.filters():
            if kind == "wall" and node in self.world.walls:
                found[number] = self._wall(node, name, number, default)
            elif kind == "guard" and node in self.world.guards:
                found[number] = self._guard(node, name, number)
        return found

    def _wall(self, node: str, out: str, number: int, default: Action) -> tuple[FilterEntry, ...]:
        """The entries with this default: the device may have another one now, and this one again later."""
        wall = self.world.walls[node]
        ports = self.shape.entering_of(node)
        made_of = (len(ports), *(item.rule for item in wall.rules))
        kept = self._entries.get(number)
        if kept is None or kept[0] != made_of:
            rules = [
                item.rule for item in wall.rules if not item.rule.out_interfaces or out in item.rule.out_interfaces
            ]
            entries = [entry for rule in rules for entry in wall_entries(rule, ports, self.shape.line)]
            entries += defaults_by_port(default, ports)
            kept = self._entries[number] = made_of, self._lists.same(number, tuple(entries))
        return kept[1]

    def _guard(self, node: str, direction: str, number: int) -> tuple[FilterEntry, ...]:
        made_of = tuple(self.world.guards[node].rules)
        kept = self._entries.get(number)
        if kept is None or kept[0] != made_of:
            entries = tuple(guard_entries(self.world.guards[node], direction, self.shape.line))
            kept = self._entries[number] = made_of, self._lists.same(number, entries)
        return kept[1]


def lower(world: World) -> Network:
    """The engine's arrays for a world. Zones are named after hosts, servers and guests; `DEVICE` + name is a device."""
    lowering = Lowering()
    lowered = lowering.of(world)
    return lowering.shape.network(lowered)


__all__ = ["DEVICE", "Lowering", "lower"]
