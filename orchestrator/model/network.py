"""Network nouns: devices, cabling, VRFs, interfaces, routes, filters, address translation, hosts.

Every noun lives in one table of the Estate under its `key`; keys are made of names, never of positions in a list,
so that an unrelated addition moves nothing.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.model.base import Noun, Row

Port = Annotated[int, Field(ge=0, le=65535)]
VlanId = Annotated[int, Field(ge=1, le=4094)]
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Protocol = Literal["any", "tcp", "udp", "icmp"]
Platform = Literal["frr", "nftables", "huawei_vrp", "unmanaged"]

GLOBAL = "default"
"""The name of a device's global routing table, as FRR calls it."""


class Device(Row):
    """A box that forwards or manages. `platforms` says which configuration texts it has."""

    name: Name
    kind: Literal["router", "firewall", "switch", "cloud_node", "management"]
    platforms: tuple[Platform, ...] = ()
    site: str
    organisation: str
    management: IPv4Address | None = None
    role: str = ""
    loopback: IPv4Address | None = None
    autonomous_system: int | None = None

    @property
    def key(self) -> str:
        return self.name


class Link(Row):
    """One cable or circuit between two ports, present in the world whether used or not."""

    name: Name
    a_node: Name
    a_port: Name
    b_node: Name
    b_port: Name
    kind: Literal["patch", "fibre", "leased_line", "access_circuit", "internet_circuit"] = "patch"
    carrier: str = ""
    megabits: int | None = None
    yearly_rent: int | None = None  # yuan
    circuit: str = ""  # the carrier's number of the circuit
    state: Literal["in_service", "spare", "released"] = "in_service"
    reserved_for: str = ""  # the organisation a spare circuit was delivered for
    vlan: VlanId | None = None  # the tag of a handover into the cloud's provider switch

    @property
    def key(self) -> str:
        return self.name


class Overlay(Noun):
    """The VXLAN that carries one VRF between two PEs (stands for MPLS L3VPN where the kernel has no MPLS)."""

    vni: Annotated[int, Field(ge=1, le=16777215)]
    local: IPv4Address  # underlay address of this PE
    remote: IPv4Address  # underlay address of the other PE
    address: IPv4Interface  # overlay address of this PE
    peer: IPv4Address  # overlay address of the other PE: the iBGP neighbour


class Vrf(Row):
    """One routing instance on one device (RFC 4364: route distinguisher, import and export route targets)."""

    device: Name
    name: Annotated[str, Field(min_length=1, max_length=12, pattern=r"^[a-z][a-z0-9-]*$")]
    zone: str
    route_distinguisher: str | None = None
    import_targets: tuple[str, ...] = ()
    export_targets: tuple[str, ...] = ()
    overlay: Overlay | None = None

    @property
    def key(self) -> str:
        return f"{self.device}/{self.name}"


class Interface(Row):
    """An addressed port. The port of the same name is one end of a Link; `vrf` names the routing instance."""

    device: Name
    name: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[^\s{}]+$")]  # typed on routers, by Ansible
    vrf: str = GLOBAL
    address: IPv4Interface
    zone: str = ""  # the zone of the segment behind this interface; empty for transit links
    description: str = ""

    @property
    def key(self) -> str:
        return f"{self.device}/{self.name}/{self.address}"


class Route(Row):
    """A static route. `next_hop` None is a null route (blackhole)."""

    device: Name
    vrf: str = GLOBAL
    prefix: IPv4Network
    next_hop: IPv4Address | None
    distance: Annotated[int, Field(ge=1, le=255)] = 1

    @property
    def key(self) -> str:
        return f"{self.device}/{self.vrf}/{self.prefix}/{self.next_hop or 'blackhole'}"


class Filter(Row):
    """A device's forward filter: first match decides, else `default`. `stateful` accepts return traffic first."""

    device: Name
    default: Literal["accept", "drop"] = "drop"
    stateful: bool = True

    @property
    def key(self) -> str:
        return self.device


class FilterRule(Row):
    """One entry of a device's forward filter, ordered by `sequence`. Empty tuples match everything."""

    device: Name
    sequence: Annotated[int, Field(ge=1, le=99999)]
    action: Literal["accept", "drop"]
    in_interfaces: tuple[str, ...] = ()
    out_interfaces: tuple[str, ...] = ()
    sources: tuple[IPv4Network, ...] = ()
    destinations: tuple[IPv4Network, ...] = ()
    protocol: Protocol = "any"
    ports: tuple[tuple[Port, Port], ...] = ()  # inclusive ranges of the destination port
    flow: str = ""  # the registered flow this entry serves, written as the comment

    @model_validator(mode="after")
    def _ports_need_a_transport(self) -> "FilterRule":
        if self.ports and self.protocol not in ("tcp", "udp"):
            raise ValueError("ports need protocol tcp or udp")
        return self

    @property
    def key(self) -> str:
        return f"{self.device}/{self.sequence:05d}"


class Nat(Row):
    """Address translation at one outside interface.

    `prefix`: 1:1 both ways, inside /n <-> outside /n. `source`: inside -> the single outside address when leaving.
    `destination`: outside address and port -> the single inside address and inside_port (a published service).
    """

    device: Name
    name: Name
    kind: Literal["prefix", "source", "destination"]
    interface: Annotated[str, Field(min_length=1, max_length=15)]
    inside: IPv4Network
    outside: IPv4Network
    protocol: Protocol = "any"
    port: Port | None = None
    inside_port: Port | None = None

    @property
    def key(self) -> str:
        return f"{self.device}/{self.name}"


class Vlan(Row):
    """One VLAN in a switch's VLAN database."""

    device: Name
    vlan: VlanId
    description: str = ""

    @property
    def key(self) -> str:
        return f"{self.device}/{self.vlan}"


class Host(Row):
    """An end point: a server or terminal on a department's or platform's own network."""

    name: Name
    organisation: str
    site: str
    zone: str
    address: IPv4Interface
    gateway: IPv4Address
    role: Literal["server", "terminal", "platform", "outside"] = "terminal"
    management: IPv4Address | None = None

    @property
    def key(self) -> str:
        return self.name
