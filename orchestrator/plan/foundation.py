"""Phase 1: what nobody uses yet: VRFs, legs, boundary, provider networks, tenants. And zombies, used no more."""

from ipaddress import IPv4Network

from orchestrator.design.departments import Department, Leg, address_at
from orchestrator.design.endpoints import leads_to
from orchestrator.model.census import ServiceName
from orchestrator.model.cloud import CloudNetwork, ProviderNetwork
from orchestrator.model.network import FilterRule, Nat, Route, Vlan
from orchestrator.plan.tenants import build_tenant
from orchestrator.plan.way import Change, Gone, Way

PHASE = 1


def found(way: Way) -> None:
    """Add the steps of the foundation."""
    _retire_zombies(way)
    for vlan in way.added(Vlan):
        way.step(
            f"vlan.{vlan.device}.{vlan.vlan}",
            PHASE,
            "network",
            f"在 {vlan.device} 登记 VLAN {vlan.vlan} / create VLAN {vlan.vlan} on {vlan.device}",
            f"上云交接 / handover into the cloud: {vlan.description}",
            [vlan],
        )
    for department in way.departments:
        _vrf(way, department)
        _firewall_leg(way, department)
        _handover_leg(way, department)
    networks: list[Change] = [*way.added(ProviderNetwork)]
    way.step(
        "cloud.provider-networks",
        PHASE,
        "cloud",
        "建立云侧外部网络 / create the provider networks",
        "VRF 到云的交接 / handover from the VRFs into the clouds",
        networks,
    )
    for department in way.departments:
        build_tenant(way, department, PHASE)
        _boundary(way, department)


def _retire_zombies(way: Way) -> None:
    for _, system in sorted(way.now.systems.items()):
        if system.disposition != "retire":
            continue
        workloads = [w for _, w in sorted(way.now.workloads.items()) if w.system == system.code]
        names = way.removed(ServiceName)
        names = [n for n in names if any(leads_to(way.now, n, w) for w in workloads)]
        stopped: list[Change] = [*map(Gone, names), *(way.target.workloads[w.key] for w in workloads)]
        marks = "、".join(system.zombie_marks) or "no marks recorded"
        way.step(
            f"retire.{system.code}",
            PHASE,
            "retire",
            f"关停僵尸系统 {system.name} / switch off the zombie {system.code}",
            f"僵尸特征 / zombie marks: {marks}; logins in 12 months: {system.logins_12m}",
            stopped,
            system=system.code,
        )


def _vrf(way: Way, department: Department) -> None:
    for key, vrf in sorted(way.target.vrfs.items()):
        if vrf.name == department.vrf and key not in way.now.vrfs:
            way.step(
                f"vrf.{vrf.device}.{vrf.name}",
                PHASE,
                "network",
                f"在 {vrf.device} 建立 VRF {vrf.name} / create VRF {vrf.name} on {vrf.device}",
                f"专网整合 / private networks {', '.join(department.networks)} fold into the extranet",
                [vrf],
            )


def _port(way: Way, device: str, port: str) -> list[Change]:
    return [each for _, each in sorted(way.target.interfaces.items()) if (each.device, each.name) == (device, port)]


def leg_rows(way: Way, leg: Leg, device: str, port: str, last: bool) -> list[Change]:
    """The rows of one end of a leg; the end that comes last also puts the link into service."""
    rows = _port(way, device, port)
    return [*rows, way.target.links[leg.link]] if last else rows


def _firewall_leg(way: Way, department: Department) -> None:
    leg = department.firewall
    if leg is None:
        return
    why = f"{department.code} 经边界设备互通 / {department.code} reaches other zones through the boundary only (R5)"
    near = f"leg.{leg.pe}.{leg.link}"
    way.step(
        near,
        PHASE,
        "network",
        f"{leg.pe}:{leg.pe_port} 入 VRF {department.vrf} / put the port into the VRF",
        why,
        leg_rows(way, leg, leg.pe, leg.pe_port, last=False),
        after=[f"vrf.{leg.pe}.{department.vrf}"],
    )
    way.step(
        f"leg.{leg.device}.{leg.link}",
        PHASE,
        "network",
        f"启用 {leg.device}:{leg.port} / bring up {leg.device}:{leg.port}",
        why,
        leg_rows(way, leg, leg.device, leg.port, last=True),
        after=[near],
    )


def _handover_leg(way: Way, department: Department) -> None:
    leg = department.handover
    if leg is None:
        return
    way.step(
        f"leg.{leg.pe}.{leg.link}",
        PHASE,
        "network",
        f"{leg.pe}:{leg.pe_port} 交接上云 / hand VRF {department.vrf} over into the cloud",
        f"{department.code} 的系统上云 / the systems of {department.code} move onto the cloud",
        leg_rows(way, leg, leg.pe, leg.pe_port, last=True),
        after=[f"vrf.{leg.pe}.{department.vrf}"],
    )


def prefixes_of(way: Way, department: Department) -> set[IPv4Network]:
    """The prefixes of a department in the target: sites and tenant networks."""
    sites = {way.target.private_sites[access.key].prefix for access in department.sites}
    networks: list[CloudNetwork] = list(way.target.cloud_networks.values())
    return sites | {network.prefix for network in networks if network.tenant == department.code}


def _boundary(way: Way, department: Department) -> None:
    """Filter entries and translations first, routes after: a route must never open a way that nothing filters yet."""
    leg = department.firewall
    if leg is None:
        return
    device, code, prefixes = leg.device, department.code, prefixes_of(way, department)
    rules = [r for r in way.added(FilterRule) if r.device == device]
    rules = [r for r in rules if leg.port in (*r.in_interfaces, *r.out_interfaces)]
    flows = ", ".join(rule.flow for rule in rules)
    legs = [f"leg.{device}.{leg.link}"]
    way.step(
        f"filter.{device}.{code}",
        PHASE,
        "network",
        f"在 {device} 放行 {code} 已登记业务流 / accept the registered flows of {code} on {device}",
        f"已登记业务流 / registered flows {flows}, explicit 5-tuples (R6)",
        rules,
        after=legs,
    )
    nats = [n for n in way.added(Nat) if n.device == device]
    nats = [n for n in nats if any(n.inside.subnet_of(prefix) for prefix in prefixes)]
    way.step(
        f"nat.{device}.{code}",
        PHASE,
        "network",
        f"在 {device} 建立 {code} 的地址转换 / translate addresses of {code} on {device}",
        "互联网出口归并 / the platform publishes and hides for the department (R17)",
        nats,
        after=[f"filter.{device}.{code}"],
    )
    _boundary_routes(way, department, leg, prefixes)


def _boundary_routes(way: Way, department: Department, leg: Leg, prefixes: set[IPv4Network]) -> None:
    device, code = leg.device, department.code
    pe_address = address_at(way.target, leg.pe, leg.pe_port)
    routes = way.added(Route)
    guarded = [f"filter.{device}.{code}", f"nat.{device}.{code}", f"leg.{device}.{leg.link}"]
    back = [route for route in routes if route.device == device and route.next_hop == pe_address]
    why = "跨区往返都经边界设备 / both directions of every crossing pass the boundary device (R5)"
    way.step(
        f"route.{device}.{code}",
        PHASE,
        "network",
        f"{device} 到 {code} 的路由 / routes of {device} towards {code}",
        why,
        back,
        after=guarded,
    )
    guarded.append(f"route.{device}.{code}")
    common = [r for r in routes if r.device == leg.pe and r.vrf != department.vrf and r.prefix in prefixes]
    way.step(
        f"route.{leg.pe}.common.{code}",
        PHASE,
        "network",
        f"{leg.pe} 公用网络区到 {code} 的回程 / return routes of the common zone towards {code}",
        why,
        common,
        after=guarded,
    )
    hops = {a for access in department.sites if (a := address_at(way.target, access.device, access.leg.port))}
    own = [r for r in routes if r.device == leg.pe and r.vrf == department.vrf and r.next_hop not in hops]
    way.step(
        f"route.{leg.pe}.{code}",
        PHASE,
        "network",
        f"{leg.pe} VRF {department.vrf} 到云与边界 / routes of VRF {department.vrf} towards cloud and boundary",
        why,
        own,
        after=[*guarded, *way.names("leg.")],
    )
