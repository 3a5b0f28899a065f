"""Routing tables per (device, VRF): connected, static with its next hop on a connected segment, VPN by route targets.

Preference follows FRR: connected 0, static by its distance, iBGP 200; the longest prefix first. iBGP routes are
connected and active static routes of the other routing instances whose export targets meet the import targets
(RFC 4364); they are never passed on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Interface, IPv4Network
from typing import Literal, NamedTuple

from orchestrator.forwarding.segments import Doubt, Segments, router_node, usable
from orchestrator.model.cloud import CloudRouter
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Interface, Route, Vrf

Instance = tuple[str, str]
"""(device, VRF)."""

IBGP_DISTANCE = 200
_INFINITE = 255
EVERYWHERE = 0xFFFFFFFF


class Exit(NamedTuple):
    """One way on: out of `port` to `next_hop` (None: the destination itself), or into another instance."""

    port: str = ""
    next_hop: int | None = None
    instance: Instance | None = None


class Entry(NamedTuple):
    """One active route: `exits` has more than one member when several are equally good; none is a null route."""

    prefix: str
    kind: Literal["local", "connected", "static", "blackhole", "vpn"]
    distance: int
    exits: tuple[Exit, ...]
    row: str


@dataclass
class RoutingTable:
    """Active routes of one instance by prefix length; lookups are remembered."""

    entries: dict[tuple[int, int], Entry] = field(default_factory=dict)  # (length, network) -> entry
    doubt: Doubt | None = None
    _lengths: list[int] = field(default_factory=list)
    _known: dict[int, Entry | Doubt | None] = field(default_factory=dict)

    def offer(self, network: IPv4Network | tuple[int, int], entry: Entry) -> None:
        """Install the entry unless a better one is there; equally good static routes share the traffic."""
        key = (network.prefixlen, int(network.network_address)) if isinstance(network, IPv4Network) else network
        standing = self.entries.get(key)
        if standing is None or entry.distance < standing.distance:
            self.entries[key] = entry
        elif entry.distance == standing.distance and entry.kind == standing.kind == "static":
            self.entries[key] = standing._replace(exits=tuple(sorted({*standing.exits, *entry.exits}, key=str)))

    def lookup(self, address: int) -> Entry | Doubt | None:
        """The route for this address; None when there is none; a Doubt when unread lines could change the answer."""
        if address not in self._known:
            self._known[address] = self.doubt or self._longest(address)
        return self._known[address]

    def _longest(self, address: int) -> Entry | None:
        if not self._lengths:
            self._lengths = sorted({length for length, _network in self.entries}, reverse=True)
        for length in self._lengths:
            mask = EVERYWHERE << (32 - length) & EVERYWHERE
            entry = self.entries.get((length, address & mask))
            if entry is not None:
                return entry
        return None


Tables = dict[Instance, RoutingTable]


def build_tables(estate: Estate, segments: Segments, doubtful: dict[str, Doubt] | None = None) -> Tables:
    """Every routing table of the estate. `doubtful` names devices with configuration lines nobody understood."""
    tables: Tables = {(vrf.device, vrf.name): RoutingTable() for vrf in estate.vrfs.values()}
    for key, interface in sorted(estate.interfaces.items()):
        if usable(estate, segments, interface):
            table = tables.setdefault((interface.device, interface.vrf), RoutingTable())
            _connect(table, interface, f"interfaces[{key}]")
    for key, route in sorted(estate.routes.items()):
        instance = (route.device, route.vrf)
        if instance in tables and not _never(estate, route):
            _static(tables[instance], route, f"routes[{key}]")
    _exchange(estate, tables, doubtful or {})
    for router in estate.cloud_routers.values():
        tables[(router_node(router), GLOBAL)] = _tenant_table(estate, router)
    return tables


def _connect(table: RoutingTable, interface: Interface, row: str) -> None:
    address, own, key, network = _parts(interface.address)
    if key[0] < 32:
        table.offer(key, Entry(network, "connected", 0, (Exit(interface.name),), row))
    table.offer((32, address), Entry(own, "local", -1, (), row))


@lru_cache(maxsize=65536)
def _parts(address: IPv4Interface) -> tuple[int, str, tuple[int, int], str]:
    """Own address as a number and as text, its network as (length, number) and as text."""
    network = address.network
    return int(address.ip), f"{address.ip}/32", (network.prefixlen, int(network.network_address)), str(network)


def _never(estate: Estate, route: Route) -> bool:
    """Whether the route is kept and never used: distance 255 is infinite on FRR, and BGP's own on VRP."""
    return route.distance == _INFINITE and "frr" in estate.devices[route.device].platforms


def _static(table: RoutingTable, route: Route, row: str) -> None:
    if route.next_hop is None:
        table.offer(route.prefix, Entry(str(route.prefix), "blackhole", route.distance, (), row))
        return
    hop = int(route.next_hop)
    way = _connected_way(table, hop)
    if way is not None:  # a next hop on no connected segment leaves the route inactive
        table.offer(route.prefix, Entry(str(route.prefix), "static", route.distance, (Exit(way, hop),), row))


def _connected_way(table: RoutingTable, hop: int) -> str | None:
    """The port of the longest connected network that holds the next hop."""
    longest, port = -1, None
    for (length, network), entry in table.entries.items():
        held = hop & (EVERYWHERE << (32 - length)) & EVERYWHERE == network
        if entry.kind == "connected" and held and length > longest:
            longest, port = length, entry.exits[0].port
    return port


def _exchange(estate: Estate, tables: Tables, doubtful: dict[str, Doubt]) -> None:
    """Give each VPN instance the routes of the others whose route targets it imports."""
    speakers = [vrf for vrf in estate.vrfs.values() if vrf.overlay and _underlay_works(tables, vrf)]
    speakers.sort(key=lambda row: row.key)
    own = {vrf.key: _own_routes(tables[(vrf.device, vrf.name)]) for vrf in speakers}
    for vrf in speakers:
        table = tables[(vrf.device, vrf.name)]
        table.doubt = _peer_doubt(vrf, speakers, doubtful)
        for other in speakers:
            if other.key != vrf.key and set(vrf.import_targets) & set(other.export_targets):
                for key, entry in own[other.key]:
                    way = Exit(instance=(other.device, other.name))
                    table.offer(key, Entry(entry.prefix, "vpn", IBGP_DISTANCE, (way,), entry.row))


def _underlay_works(tables: Tables, vrf: Vrf) -> bool:
    """True when the other PE's tunnel end is reachable in the device's global table."""
    if vrf.overlay is None:
        return False
    table = tables.get((vrf.device, GLOBAL))
    found = table.lookup(int(vrf.overlay.remote)) if table else None
    return isinstance(found, Entry) and bool(found.exits)


def _own_routes(table: RoutingTable) -> list[tuple[tuple[int, int], Entry]]:
    return [(key, entry) for key, entry in table.entries.items() if entry.kind in ("connected", "static", "blackhole")]


def _peer_doubt(vrf: Vrf, speakers: Iterable[Vrf], doubtful: dict[str, Doubt]) -> Doubt | None:
    """Unread lines on any other VPN router could announce a better route: then nothing here is certain."""
    for other in speakers:
        if other.device != vrf.device and other.device in doubtful:
            return doubtful[other.device]
    return None


def _tenant_table(estate: Estate, router: CloudRouter) -> RoutingTable:
    table = RoutingTable()
    row = f"cloud_routers[{router.key}]"
    for name in router.networks:
        network = estate.cloud_networks.get(f"{router.tenant}/{name}")
        if network:
            _attach(table, network.prefix, int(network.prefix[1]), name, row)
    provider = estate.provider_networks.get(router.provider_network)
    if provider:
        _attach(table, provider.prefix, int(router.address), "provider", row)
        hop = Exit("provider", int(provider.gateway))
        table.offer(IPv4Network("0.0.0.0/0"), Entry("0.0.0.0/0", "static", 1, (hop,), row))
    return table


def _attach(table: RoutingTable, prefix: IPv4Network, address: int, port: str, row: str) -> None:
    table.offer(prefix, Entry(str(prefix), "connected", 0, (Exit(port),), row))
    table.offer((32, address), Entry(f"{prefix} own address", "local", -1, (), row))
