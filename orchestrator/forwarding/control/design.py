"""What routers are told: addresses, static routes, OSPF, IS-IS, BGP and VPNs, as small frozen values of their own.

Nothing here belongs to one vendor. Where vendors differ (what counts as a default) the value says it, not the reader.
A *segment* joins the interfaces that name it; two interfaces alone on a segment are a cable: one end down, both down.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.model.base import Noun

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Family = Literal[4, 6]
Distance = Annotated[int, Field(ge=1, le=255)]
Metric = Annotated[int, Field(ge=0, le=0xFFFFFF)]
Cost = Annotated[int, Field(ge=0, le=65535)]
Tag = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
AutonomousSystem = Annotated[int, Field(ge=1, le=0xFFFFFFFF)]
Protocol = Literal["connected", "static", "ospf", "isis", "bgp"]
DEFAULT_VRF = "default"


class PrefixRule(Noun):
    """One line of a prefix list: `prefix`, and how long what it covers may be."""

    permit: bool
    prefix: Prefix
    at_least: int | None = None
    at_most: int | None = None


class PrefixList(Noun):
    """Lines in order; the first that matches decides; nothing matches: deny."""

    name: str
    rules: tuple[PrefixRule, ...]


class MapEntry(Noun):
    """One entry of a route map: all given conditions must hold, then the given values are set."""

    permit: bool
    match_prefixes: str | None = None
    match_tag: Tag | None = None
    match_community: str | None = None
    set_local_preference: int | None = None
    set_metric: Metric | None = None
    set_external_type: Literal[1, 2] | None = None
    set_tag: Tag | None = None
    set_prepend: tuple[AutonomousSystem, ...] = ()
    set_communities: tuple[str, ...] = ()


class RouteMap(Noun):
    """Entries in order; the first that matches decides; nothing matches: deny."""

    name: str
    entries: tuple[MapEntry, ...]


class Redistribution(Noun):
    """Routes of `source` that won in the same VRF's table are announced by this protocol too."""

    source: Protocol
    metric: Metric | None = None
    external_type: Literal[1, 2] = 2
    route_map: str | None = None


class OspfPort(Noun):
    """OSPF on an interface. `point_to_point` must be equal at both ends.

    A loopback is announced at its cost: 0 by RFC 2328, 12.4.1.1, the interface's own in FRR.
    """

    area: int = 0
    cost: Cost = 10
    passive: bool = False
    point_to_point: bool = True


class IsisPort(Noun):
    """IS-IS on an interface; `levels` are the circuit's."""

    metric: Annotated[int, Field(ge=1, le=0xFFFFFF)] = 10
    passive: bool = False
    levels: tuple[Literal[1, 2], ...] = (1, 2)


class Interface(Noun):
    """A routed interface: its VRF, its addresses and what it is joined to. Names are unique per router."""

    name: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    vrf: str = DEFAULT_VRF
    segment: str | None = None
    up: bool = True
    loopback: bool = False
    ospf: OspfPort | None = None
    ospf6: OspfPort | None = None
    isis: IsisPort | None = None


class StaticRoute(Noun):
    """A static route: through `via`, out of `interface`, into another VRF's table, or (`discard`) nowhere.

    With `next_hop_vrf` and `via` the next hop is resolved in that VRF; with `next_hop_vrf` alone packets are looked up
    again in that VRF's table.
    """

    prefix: Prefix
    via: Address | None = None
    interface: str | None = None
    vrf: str = DEFAULT_VRF
    next_hop_vrf: str | None = None
    discard: bool = False
    distance: Distance = 1
    tag: Tag = 0
    line: str = ""


class OspfRange(Noun):
    """An area range: its components are announced to other areas as this one prefix, or (`hide`) not at all."""

    area: int
    prefix: IPv4Network | IPv6Network
    hide: bool = False


class OspfDefault(Noun):
    """A default route announced as external; without `always` only while the table has one of another protocol."""

    always: bool = False
    metric: Metric = 10
    external_type: Literal[1, 2] = 2


class Ospf(Noun):
    """An OSPF process of one VRF: version 2 for family 4 (RFC 2328), version 3 for family 6 (RFC 5340)."""

    router_id: IPv4Address
    vrf: str = DEFAULT_VRF
    family: Family = 4
    stub_areas: tuple[int, ...] = ()
    closed_areas: tuple[int, ...] = ()  # "totally stub": the area border routers announce only a default into them
    stub_cost: Cost = 1
    ranges: tuple[OspfRange, ...] = ()
    redistribute: tuple[Redistribution, ...] = ()
    default: OspfDefault | None = None
    external_metric: Metric = 20
    distance: Distance = 110
    line: str = ""


class Isis(Noun):
    """An IS-IS process (ISO 10589, RFC 1195, wide metrics by RFC 5305) with one topology for both families."""

    area: str
    system_id: str
    vrf: str = DEFAULT_VRF
    levels: tuple[Literal[1, 2], ...] = (1, 2)
    redistribute: tuple[Redistribution, ...] = ()
    redistribute_levels: tuple[Literal[1, 2], ...] = (2,)
    up_to_level_2: bool = True  # level 1 routes of an L1/L2 router go to level 2 (RFC 1195, 3.2)
    attached_default: bool = True  # level 1 routers follow the attached bit (RFC 1195, 3.2)
    distance: Distance = 115
    line: str = ""


class Neighbour(Noun):
    """A BGP session to `address`; the same must be said at the other end."""

    address: Address
    remote_as: AutonomousSystem
    source: Address | None = None  # the own address of the session; None: that of the connected interface
    unicast: bool = True
    vpn: bool = False
    next_hop_self: bool = False
    reflector_client: bool = False
    multihop: bool = False
    import_map: str | None = None
    export_map: str | None = None
    import_prefixes: str | None = None
    export_prefixes: str | None = None


class Bgp(Noun):
    """A BGP instance of one VRF (RFC 4271). Ties end with router identifiers; MED is deterministic."""

    autonomous_system: AutonomousSystem
    router_id: IPv4Address
    vrf: str = DEFAULT_VRF
    neighbours: tuple[Neighbour, ...] = ()
    networks: tuple[Prefix, ...] = ()
    redistribute: tuple[Redistribution, ...] = ()
    local_preference: int = 100
    always_compare_med: bool = False
    external_paths: Annotated[int, Field(ge=1)] = 1
    internal_paths: Annotated[int, Field(ge=1)] = 1
    external_distance: Distance = 20
    internal_distance: Distance = 200
    line: str = ""


class Vrf(Noun):
    """A VRF of a router; with a route distinguisher its BGP routes are exported to the VPN (RFC 4364)."""

    name: str
    route_distinguisher: str = ""
    import_targets: tuple[str, ...] = ()
    export_targets: tuple[str, ...] = ()


class Router(Noun):
    """One router with everything it is told."""

    name: str
    interfaces: tuple[Interface, ...] = ()
    vrfs: tuple[Vrf, ...] = ()
    static: tuple[StaticRoute, ...] = ()
    ospf: tuple[Ospf, ...] = ()
    isis: tuple[Isis, ...] = ()
    bgp: tuple[Bgp, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    route_maps: tuple[RouteMap, ...] = ()
    resolve_by_default: bool = False  # whether next hops may be found through a default route


class Design(Noun):
    """A network of routers."""

    routers: tuple[Router, ...]
