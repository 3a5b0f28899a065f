"""Where packets are sent from and to, and which packets: one representative of each class that anything can tell apart.

Sources are every host, every server, and per segment with a zone one stand-in ("guest") for each class of unused
addresses. Two addresses of a segment are of one class when exactly the same prefixes of filters, translations, routes
and security groups hold them; two ports when exactly the same port conditions accept them. The classes are taken over
all rows of all states, so that they stay the same while a plan runs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from orchestrator.forwarding.boxes import Span, span
from orchestrator.forwarding.segments import Guest
from orchestrator.model.base import Noun
from orchestrator.model.cloud import CloudNetwork, SecurityRule, Server
from orchestrator.model.estate import NOUN_OF, Edit, Estate
from orchestrator.model.network import FilterRule, Host, Interface, Nat, Route


class Point(Noun):
    """A place from and to which packets are judged."""

    node: str
    zone: str
    address: IPv4Address


@dataclass(frozen=True)
class Classes:
    """What can be told apart in any state: (protocol, port) representatives, prefixes, addresses in use."""

    ports: tuple[tuple[str, int], ...]
    spans: frozenset[Span]
    taken: frozenset[int]

    @cached_property
    def guests_of(self) -> dict[str, tuple[Guest, ...]]:
        """Guests already worked out, by interface row."""
        return {}

    def told(self, ports: Iterable[int]) -> str:
        """These classes of ports in words: tcp/443, icmp; "any packet" for all of them."""
        chosen = sorted(ports)
        if len(chosen) == len(self.ports):
            return "any packet"
        named = [self.ports[index] for index in chosen]
        return " ".join(protocol if protocol == "icmp" else f"{protocol}/{port}" for protocol, port in named)


def probe_points(estate: Estate) -> tuple[Point, ...]:
    """Every host and every server, by name."""
    hosts = [Point(node=row.name, zone=row.zone, address=row.address.ip) for row in estate.hosts.values()]
    in_clouds = [(row.key, server_zone(estate, row), row.address) for row in estate.servers.values()]
    servers = [Point(node=node, zone=zone, address=address) for node, zone, address in in_clouds]
    return tuple(sorted([*hosts, *servers], key=lambda point: point.node))


def server_zone(estate: Estate, server: Server) -> str:
    """The zone of a server: its tenant's; empty when the tenant is not there."""
    tenant = estate.tenants.get(server.tenant)
    return tenant.zone if tenant else ""


def zone_of(estate: Estate, node: str, guests: dict[str, Guest]) -> str:
    """The zone of a host, server or guest; empty for anything else."""
    host = estate.hosts.get(node)
    if host:
        return host.zone
    server = estate.servers.get(node)
    if server:
        return server_zone(estate, server)
    guest = guests.get(node)
    return guest.zone if guest else ""


def classes_of(estate: Estate, edits: Iterable[Edit] = (), ports: Iterable[tuple[str, int]] = ()) -> Classes:
    """The classes of an estate and of every row the edits bring; `ports` are always represented."""
    rows = list(_rows(estate, edits))
    spans = frozenset(span(prefix) for row in rows for prefix in _prefixes(row))
    taken = frozenset(int(address) for row in rows for address in _addresses(row))
    return Classes(ports=_port_classes(rows, ports), spans=spans, taken=taken)


def _rows(estate: Estate, edits: Iterable[Edit]) -> Iterator[Noun]:
    for table in estate.tables().values():
        yield from table.values()
    for edit in edits:
        for side in (edit.before, edit.after):
            if side is not None:
                yield NOUN_OF[edit.table].model_validate(side)


def _prefixes(row: Noun) -> Iterator[IPv4Network]:
    if isinstance(row, FilterRule):
        yield from row.sources
        yield from row.destinations
    elif isinstance(row, Nat):
        yield row.inside
        yield row.outside
    elif isinstance(row, Route):
        yield row.prefix
    elif isinstance(row, SecurityRule) and row.remote_prefix is not None:
        yield row.remote_prefix
    elif isinstance(row, CloudNetwork):
        yield row.prefix


def _addresses(row: Noun) -> Iterator[IPv4Address]:
    if isinstance(row, Interface | Host):
        yield row.address.ip
    elif isinstance(row, Server):
        yield row.address


def _port_classes(rows: list[Noun], wanted: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """One port of each class: the wanted ones first, then the lowest port of every interval nobody stands for yet."""
    conditions = {found for row in rows for found in _conditions(row)}
    chosen: dict[frozenset[tuple[str, int, int]], tuple[str, int]] = {}
    starts = {first for _protocol, first, _last in conditions} | {last + 1 for _protocol, _first, last in conditions}
    # port 9 (discard) stands for the ports that nothing names
    lowest = [9, *sorted(start for start in starts if start <= 65535)]
    kept = sorted(set(wanted))
    for protocol, port in [*((name, start) for name in ("tcp", "udp") for start in lowest), ("icmp", 0)]:
        met = frozenset(found for found in conditions if found[0] in ("any", protocol) and found[1] <= port <= found[2])
        chosen.setdefault(frozenset({*met, (protocol, -1, -1)}), (protocol, port))
    return tuple(sorted({*kept, *chosen.values()}))


def _conditions(row: Noun) -> Iterator[tuple[str, int, int]]:
    if isinstance(row, FilterRule):
        yield from ((row.protocol, first, last) for first, last in row.ports)
    elif isinstance(row, Nat) and row.port is not None:
        yield (row.protocol, row.port, row.port)
        if row.inside_port is not None:
            yield (row.protocol, row.inside_port, row.inside_port)
    elif isinstance(row, SecurityRule) and row.ports is not None:
        yield (row.protocol, *row.ports)


def guests(estate: Estate, classes: Classes) -> tuple[Guest, ...]:
    """The guests of every segment with a zone: one for each class of its unused addresses."""
    found: list[Guest] = []
    for key in sorted(estate.interfaces):
        interface = estate.interfaces[key]
        if interface.zone:
            cache_key = f"{key}/{interface.zone}"
            if cache_key not in classes.guests_of:
                classes.guests_of[cache_key] = tuple(_segment_guests(interface, classes))
            found.extend(classes.guests_of[cache_key])
    return tuple(found)


def _segment_guests(interface: Interface, classes: Classes) -> Iterator[Guest]:
    network = interface.address.network
    first, mask = span(network)
    for address in _unused(network, classes):
        node = f"guest {interface.device}:{interface.name} {IPv4Address(address)}"
        ends = (address, first, mask, int(interface.address))
        yield Guest(node, interface.device, interface.name, *ends, interface.zone)


def _unused(network: IPv4Network, classes: Classes) -> list[int]:
    """The highest unused address of each class, from the highest on.

    Of two prefixes that share an address one holds the other: so a class is what the narrower ones leave of a prefix.
    """
    whole, top = span(network), int(network.broadcast_address) - 1
    inner = {item for item in classes.spans if item[1] > whole[1] and item[0] & whole[1] == whole[0]}
    masks = sorted({mask for _first, mask in inner})
    found = []
    for first, mask in {whole, *inner}:
        narrower = [other for other in masks if other > mask]
        address = min(first | (mask ^ 0xFFFFFFFF), top)
        while address >= max(first, whole[0] + 1):
            held = next((other for other in narrower if (address & other, other) in inner), None)
            if held is None and address not in classes.taken:
                found.append(address)
                break
            address = address - 1 if held is None else (address & held) - 1
    return sorted(found, reverse=True)


def destinations(estate: Estate, addresses: Iterable[int]) -> tuple[int, ...]:
    """Addresses worth sending to: these, and what translations make of them on the outside, one after the other."""
    spans = [(nat.kind, span(nat.inside), span(nat.outside)) for nat in estate.nats.values()]
    published = {outside[0] for kind, _inside, outside in spans if kind != "prefix"}
    pairs = [(inside, outside) for kind, inside, outside in spans if kind == "prefix"]
    found, new = set[int](), {*addresses, *published}
    while new:
        found |= new
        moved = {
            outside[0] | (item & ~outside[1] & 0xFFFFFFFF)
            for item in new
            for inside, outside in pairs
            if item & inside[1] == inside[0]
        }
        new = moved - found
    return tuple(sorted(found))


def leads_to(estate: Estate, address: int) -> frozenset[int]:
    """The addresses behind an address: itself and what a translation turns it into on the way in."""
    found = {address}
    for nat in estate.nats.values():
        inside, outside = span(nat.inside), span(nat.outside)
        if nat.kind != "source" and address & outside[1] == outside[0]:
            found.add(inside[0] if nat.kind == "destination" else inside[0] | (address & ~inside[1] & 0xFFFFFFFF))
    return frozenset(found)
