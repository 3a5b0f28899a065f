"""Static routes of the target: sites to their PE, PEs to sites, tenants and boundary, the boundary back."""

from ipaddress import IPv4Address, IPv4Network

from orchestrator.design.crossings import Doorway, crossings, doorways, far_interface, near_interface
from orchestrator.design.departments import Access, Department, address_at
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import Endpoint
from orchestrator.model.network import Route

DEFAULT = IPv4Network("0.0.0.0/0")


def build_routes(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write all routes of the departments' VRFs, sites and crossings."""
    for department in departments:
        rows: tuple[str, ...] = ()
        for access in department.sites:
            rows += _towards_site(draft, department, access)
            rows += _from_site(draft, department, access)
        rows += _towards_tenant(draft, department)
        if uses_platform(draft, department):
            rows += _internet(draft, department)
        draft.decide(
            f"routes {department.code}",
            f"{len(rows)} static routes",
            "静态路由,按需最小 / static, only what is needed",
            rows,
        )
    _crossing_routes(draft, departments)


def domain_of(draft: Draft, department: Department) -> str:
    """The service domain of a department, empty when it is not known."""
    organisation = draft.now.organisations.get(department.code)
    return (organisation.service_domain if organisation else None) or ""


def may_use_internet(draft: Draft, department: Department) -> bool:
    """Whether the department's domain is known and may use the Internet (R3)."""
    return domain_of(draft, department) not in ("", *draft.policy.internet_free_domains)


def uses_platform(draft: Draft, department: Department) -> bool:
    """Whether the department reaches the Internet over the platform in the target: its own exits are consolidated."""
    own = [egress for egress in draft.estate.egresses.values() if egress.organisation == department.code]
    return may_use_internet(draft, department) and any(egress.state == "consolidated" for egress in own)


def _towards_site(draft: Draft, department: Department, access: Access) -> tuple[str, ...]:
    hop = address_at(draft.estate, access.device, access.leg.port)
    prefix = draft.estate.private_sites[access.key].prefix
    return draft.put(Route(device=access.leg.pe, vrf=department.vrf, prefix=prefix, next_hop=hop))


def _from_site(draft: Draft, department: Department, access: Access) -> tuple[str, ...]:
    gateway = address_at(draft.estate, access.leg.pe, access.leg.pe_port)
    rows = draft.put(Route(device=access.device, prefix=draft.policy.extranet_pool, next_hop=gateway))
    reached = {route.prefix for route in draft.estate.routes.values() if route.device == access.device}
    # its old default may already be gone with the line that carried it
    if any(route.device == access.device and route.prefix == DEFAULT for route in draft.now.routes.values()):
        rows += _default(draft, department, access, gateway)
    for other in department.sites:
        prefix = draft.estate.private_sites[other.key].prefix
        if other.key != access.key and not prefix.subnet_of(draft.policy.extranet_pool) and prefix not in reached:
            rows += draft.put(Route(device=access.device, prefix=prefix, next_hop=gateway))
    return rows


def _default(draft: Draft, department: Department, access: Access, gateway: IPv4Address | None) -> tuple[str, ...]:
    old = [r for r in draft.estate.routes.values() if r.device == access.device and r.prefix == DEFAULT]
    if uses_platform(draft, department):
        draft.drop(*old)
        return draft.put(Route(device=access.device, prefix=DEFAULT, next_hop=gateway))
    if domain_of(draft, department) not in draft.policy.internet_free_domains:
        return ()  # its own exit stays for now, and so does the way to it
    draft.drop(*old)
    draft.decide(
        f"default route {access.device}",
        "removed",
        "行政服务域不得有互联网路由 / no Internet route in this domain (R3)",
    )
    return ()


def _towards_tenant(draft: Draft, department: Department) -> tuple[str, ...]:
    rows: tuple[str, ...] = ()
    for _, router in sorted(draft.estate.cloud_routers.items()):
        if router.tenant == department.code and department.handover:
            for name in router.networks:
                prefix = draft.estate.cloud_networks[f"{router.tenant}/{name}"].prefix
                rows += draft.put(
                    Route(device=department.handover.pe, vrf=department.vrf, prefix=prefix, next_hop=router.address)
                )
    return rows


def _internet(draft: Draft, department: Department) -> tuple[str, ...]:
    leg = department.firewall
    if leg is None:
        draft.find(
            f"organisations[{department.code}]",
            "unknown",
            f"{department.code} uses the Internet, no link to the boundary is reserved for it",
            "add a spare link between a PE and the boundary device with reserved_for to topology.yaml",
        )
        return ()
    hop = address_at(draft.estate, leg.device, leg.port)
    return draft.put(Route(device=leg.pe, vrf=department.vrf, prefix=DEFAULT, next_hop=hop))


def _crossing_routes(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Both ends of every crossing: each PE towards the other end, the boundary device back to departments."""
    doors = doorways(draft.estate, draft.policy, departments)
    ours = {department.zone for department in departments}
    rows: dict[str, None] = {}
    for crossing in crossings(draft.estate, draft.policy, departments):
        pairs = ((crossing.source, crossing.destination), (crossing.destination, crossing.source))
        for here, there in pairs:
            if not {here.zone, there.zone} & ours:
                continue
            for route in _pair(draft, doors, here, there, ours):
                rows.update(dict.fromkeys(draft.put(route)))
    if rows:
        draft.decide(
            "routes across the boundary",
            f"{len(rows)} static routes",
            "跨区流量往返都经边界设备 / both directions of every crossing pass the boundary device (R5)",
            tuple(rows),
        )


def _pair(draft: Draft, doors: dict[str, Doorway], here: Endpoint, there: Endpoint, ours: set[str]) -> list[Route]:
    near, far = doors[here.zone], doors[there.zone]
    segment = _segment(draft, there)
    routes = []
    if near.pe and segment:  # towards the Internet a department has its default route
        routes.append((near.pe, near.vrf, segment, near_interface(draft.estate, near)))
    if there.zone in ours and segment:
        routes.append((far.device, "", segment, far_interface(draft.estate, far)))
    return [
        Route.model_validate(
            {"device": device, "prefix": prefix, "next_hop": hop.address.ip} | ({"vrf": vrf} if vrf else {})
        )
        for device, vrf, prefix, hop in routes
        if hop
    ]


def _segment(draft: Draft, end: Endpoint) -> IPv4Network | None:
    """The prefix of the segment on which an end stands; None for a whole zone and for addresses outside the pool."""
    if end.address is None or end.address not in draft.policy.extranet_pool:
        return None
    networks = [host.address.network for host in draft.estate.hosts.values()]
    networks += [network.prefix for network in draft.estate.cloud_networks.values()]
    return next((network for network in networks if end.address in network), None)
