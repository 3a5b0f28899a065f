"""Segments: which ports share one broadcast domain, and who answers for an address there.

A port is (node, port name). Links that are not released join their two ends; an unmanaged switch joins all its ports;
a link end on a cloud node with a VLAN tag is the provider network of that VLAN; a tenant network is a segment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple

from orchestrator.model.census import Workload
from orchestrator.model.cloud import CloudRouter, Server
from orchestrator.model.estate import Estate
from orchestrator.model.network import Device, Interface, Link

Place = tuple[str, str]
"""A port (node, port), or the name of a segment that is no port: ("vlan", "2010"), ("network", "cz/net")."""

ALWAYS_UP = ("lo", "vlanif", "vlan", "dummy")
TABLE_PLATFORMS = frozenset({"frr", "nftables", "huawei_vrp"})


class Neighbour(NamedTuple):
    """Who answers for an address: the node and the port on which it hears the packet."""

    node: str
    port: str


class Doubt(NamedTuple):
    """Why a question has no certain answer."""

    reason: str
    row: str = ""


class Guest(NamedTuple):
    """A stand-in for the unused addresses of one segment: it sends and receives, nothing real has its address."""

    node: str
    device: str
    port: str
    address: int
    network: int
    mask: int
    gateway: int
    zone: str


def router_node(router: CloudRouter) -> str:
    """The node name of a tenant's router (a server of the tenant may bear the same name)."""
    return f"router {router.key}"


def is_table_device(device: Device) -> bool:
    """True when the device's forwarding tables are known from its configuration."""
    return bool(TABLE_PLATFORMS & set(device.platforms))


@dataclass
class Segments:
    """`segment_of` maps each attached port to its segment; `directory` maps segment -> address -> who answers."""

    segment_of: dict[Place, Place] = field(default_factory=dict)
    directory: dict[Place, dict[int, list[Neighbour]]] = field(default_factory=dict)
    silent: dict[Place, str] = field(default_factory=dict)  # segment -> first device there whose tables nobody knows

    def neighbour(self, node: str, port: str, address: int) -> Neighbour | Doubt | None:
        """Who hears a packet sent out of this port to this address on the segment; None is nobody."""
        segment = self.segment_of.get((node, port))
        if segment is None:
            return None
        found = self.directory.get(segment, {}).get(address, [])
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(sorted(answer.node for answer in found))
            return Doubt(f"{names} both have {IPv4Address(address)} on one segment")
        if segment in self.silent:
            device = self.silent[segment]
            return Doubt(f"{device} has no tables and may have {IPv4Address(address)}", f"devices[{device}]")
        return None

    def add(self, port: Place, segment: Place, *addresses: int) -> None:
        """Attach a port to a segment and let it answer for these addresses."""
        self.segment_of[port] = segment
        answers = self.directory.setdefault(segment, {})
        for address in addresses:
            answers.setdefault(address, []).append(Neighbour(*port))


class _Union:
    """Disjoint sets of places; the smallest member names the set."""

    def __init__(self) -> None:
        self.parent: dict[Place, Place] = {}

    def find(self, place: Place) -> Place:
        root = self.parent.setdefault(place, place)
        while root != self.parent[root]:
            root = self.parent[root]
        self.parent[place] = root
        return root

    def join(self, one: Place, other: Place) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self.parent[high] = low


def _end(devices: Mapping[str, Device], link: Link, node: str, port: str) -> Place:
    """What a link end stands for: a port, a whole unmanaged switch, or a provider VLAN."""
    device = devices.get(node)
    if device and device.kind == "cloud_node" and link.vlan is not None:
        return ("vlan", str(link.vlan))
    if device and device.kind == "switch" and not is_table_device(device):
        return (node, "")
    return (node, port)


def build_segments(estate: Estate, guests: Iterable[Guest] = ()) -> Segments:
    """The segments of an estate, hosts, servers, tenant routers and guests attached."""
    segments = Segments()
    cabling = _cabling(estate)
    for place in list(cabling.parent):
        segments.segment_of[place] = cabling.find(place)
    _attach_interfaces(estate, segments)
    _attach_hosts(estate, segments)
    _attach_cloud(estate, segments, cabling)
    for guest in guests:
        segment = segments.segment_of.get((guest.device, guest.port))
        if segment is not None:
            segments.add((guest.node, "eth0"), segment, guest.address)
    _find_silent(estate, segments)
    return segments


def _cabling(estate: Estate) -> _Union:
    union = _Union()
    for link in estate.links.values():
        if link.state != "released":
            a_end = _end(estate.devices, link, link.a_node, link.a_port)
            union.join(a_end, _end(estate.devices, link, link.b_node, link.b_port))
    return union


def usable(estate: Estate, segments: Segments, interface: Interface) -> bool:
    """True when the interface is up: its VRF exists and its port has a cable, or needs none."""
    if interface.vrf != "default" and f"{interface.device}/{interface.vrf}" not in estate.vrfs:
        return False
    return (interface.device, interface.name) in segments.segment_of


def _attach_interfaces(estate: Estate, segments: Segments) -> None:
    for interface in estate.interfaces.values():
        port = (interface.device, interface.name)
        if port not in segments.segment_of and interface.name.lower().startswith(ALWAYS_UP):
            segments.segment_of[port] = port
        if usable(estate, segments, interface):
            segments.add(port, segments.segment_of[port], int(interface.address))


def host_ports(estate: Estate) -> dict[str, str]:
    """Host name -> the name of its cabled port (the first by link name)."""
    ports: dict[str, str] = {}
    for key in sorted(estate.links):
        link = estate.links[key]
        if link.state != "released":
            for node, port in ((link.a_node, link.a_port), (link.b_node, link.b_port)):
                if node in estate.hosts:
                    ports.setdefault(node, port)
    return ports


def _attach_hosts(estate: Estate, segments: Segments) -> None:
    for name, port in host_ports(estate).items():
        place = (name, port)
        segments.add(place, segments.segment_of[place], int(estate.hosts[name].address))


def _attach_cloud(estate: Estate, segments: Segments, cabling: _Union) -> None:
    for server in estate.servers.values():
        network = ("network", f"{server.tenant}/{server.network}")
        if network[1] in estate.cloud_networks:
            segments.add((server.key, "eth0"), network, int(server.address))
    for router in estate.cloud_routers.values():
        node = router_node(router)
        provider = estate.provider_networks.get(router.provider_network)
        if provider:
            segments.add((node, "provider"), cabling.find(("vlan", str(provider.vlan))), int(router.address))
        for name in router.networks:
            tenant_network = estate.cloud_networks.get(f"{router.tenant}/{name}")
            if tenant_network:
                segments.add((node, name), ("network", tenant_network.key), int(tenant_network.prefix[1]))


def _find_silent(estate: Estate, segments: Segments) -> None:
    for (node, _port), segment in list(segments.segment_of.items()):
        device = estate.devices.get(node)
        if device and device.kind not in ("switch", "cloud_node") and not is_table_device(device):
            segments.silent[segment] = min(node, segments.silent.get(segment, node))


def place_address(estate: Estate, workload: Workload) -> int | None:
    """The address of the host or server a workload is on; None when that place does not exist."""
    host = estate.hosts.get(workload.place)
    if host:
        return int(host.address)
    server: Server | None = estate.servers.get(workload.place)
    return int(server.address) if server else None
