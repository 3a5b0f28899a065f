"""Phase 2: the sites join their VRF while the old lines still carry everything."""

from ipaddress import IPv4Network

from orchestrator.design.departments import Access, Department, address_at
from orchestrator.design.endpoints import place
from orchestrator.errors import PlanError
from orchestrator.model.census import PrivateSite
from orchestrator.model.network import FilterRule, Nat, Route
from orchestrator.plan.foundation import leg_rows
from orchestrator.plan.tenants import COPY_PORT, copy_flow, moves
from orchestrator.plan.way import Change, Way

PHASE = 2
COPY_SEQUENCE = 900


def run_both(way: Way) -> None:
    """Add the steps that connect every site and let old and new addresses live side by side."""
    for department in way.departments:
        for access in department.sites:
            _pe_side(way, department, access)
        for access in department.sites:
            _site_side(way, department, access)
            _zone(way, department, access)
        _widen(way, department)
        for key in department.networks:
            network = way.estate.private_networks[key]
            if network.state == "separate":
                way.step(
                    f"dual.{key}",
                    PHASE,
                    "record",
                    f"{network.name} 并行运行 / {key} runs on both",
                    "各站点已接入 / its sites have joined the VRF",
                    [network.model_copy(update={"state": "dual_running"})],
                    after=way.names("zone."),
                )


def sites_of(way: Way, access: Access) -> tuple[PrivateSite, PrivateSite]:
    """A site as it is now and as it will be."""
    return way.now.private_sites[access.key], way.target.private_sites[access.key]


def _pe_side(way: Way, department: Department, access: Access) -> None:
    leg = access.leg
    was, becomes = sites_of(way, access)
    hop = address_at(way.target, leg.device, leg.port)
    prefixes = (
        [becomes.prefix] if becomes.treatment == "translate" else list(dict.fromkeys((was.prefix, becomes.prefix)))
    )
    routes: list[Change] = [Route(device=leg.pe, vrf=department.vrf, prefix=each, next_hop=hop) for each in prefixes]
    way.step(
        f"access.{leg.pe}.{access.site}",
        PHASE,
        "network",
        f"{leg.pe} 接入站点 {access.site} / connect site {access.site} on {leg.pe}",
        f"{becomes.treatment}: {', '.join(map(str, prefixes))} 入 VRF {department.vrf}",
        [*leg_rows(way, leg, leg.pe, leg.pe_port, last=False), *routes],
        after=[f"vrf.{leg.pe}.{department.vrf}", f"route.{leg.pe}.{department.code}"],
    )


def _site_side(way: Way, department: Department, access: Access) -> None:
    leg = access.leg
    was, becomes = sites_of(way, access)
    changes: list[Change] = leg_rows(way, leg, leg.device, leg.port, last=True)
    if becomes.treatment == "translate" and was.prefix != becomes.prefix:
        # before any route: nothing may leave untranslated
        changes.append(
            Nat(
                device=access.device,
                name=f"{access.site}-fold",
                kind="prefix",
                interface=leg.port,
                inside=was.prefix,
                outside=becomes.prefix,
            )
        )
    changes += _uplink_rules(way, access)
    changes += _sister_routes(way, department, access)
    gateway = address_at(way.target, leg.pe, leg.pe_port)
    changes.append(Route(device=access.device, prefix=way.policy.extranet_pool, next_hop=gateway))
    way.step(
        f"access.{access.device}",
        PHASE,
        "network",
        f"站点 {access.site} 接入 / site {access.site} joins through {access.device}:{leg.port}",
        f"{becomes.treatment}: 新旧并行 / old and new run side by side",
        changes,
        after=[f"access.{leg.pe}.{access.site}"],
    )


def _uplink_rules(way: Way, access: Access) -> list[Change]:
    """The target's entries of the site's own filter, for old and new addresses; and one for each copy."""
    was, becomes = sites_of(way, access)
    found: list[Change] = []
    for rule in way.added(FilterRule):
        if rule.device == access.device:
            both = both_addresses(rule.sources, becomes.prefix, was.prefix)
            found.append(rule.model_copy(update={"sources": both}))
    return found + _copy_rules(way, access)


def both_addresses(networks: tuple[IPv4Network, ...], new: IPv4Network, old: IPv4Network) -> tuple[IPv4Network, ...]:
    """The networks, and for each within `new` the one in the same place of `old`."""
    shift = int(old.network_address) - int(new.network_address)
    twins = {IPv4Network((int(n.network_address) + shift, n.prefixlen)) for n in networks if n.subnet_of(new)}
    return tuple(sorted({*networks, *twins}))


def _copy_rules(way: Way, access: Access) -> list[Change]:
    rules: list[Change] = []
    if access.device not in way.now.filters:
        return rules
    taken = {rule.sequence for rule in way.estate.filter_rules.values() if rule.device == access.device}
    free = (number for number in range(COPY_SEQUENCE, 99999) if number not in taken)
    for old, new in moves(way):
        begin, end = place(way.now, old), place(way.target, new)
        if begin and end and begin.site == access.site and begin.address and end.address:
            rules.append(
                FilterRule(
                    device=access.device,
                    sequence=next(free),
                    action="accept",
                    in_interfaces=(_port_of(way, access),),
                    out_interfaces=(access.leg.port,),
                    sources=(IPv4Network(begin.address),),
                    destinations=(IPv4Network(end.address),),
                    protocol="tcp",
                    ports=((COPY_PORT, COPY_PORT),),
                    flow=copy_flow(way, new),
                )
            )
    return rules


def _port_of(way: Way, access: Access) -> str:
    """The site router's port with the site's prefix. Raises PlanError when it has none."""
    was, _ = sites_of(way, access)
    for interface in way.now.interfaces.values():
        if interface.device == access.device and interface.address.network == was.prefix:
            return interface.name
    raise PlanError(
        f"data is copied from site {access.site}, and {access.device} is not configured with its prefix {was.prefix}: "
        "correct the prefix in form F3 or read the device's whole configuration, then plan again"
    )


def _sister_routes(way: Way, department: Department, access: Access) -> list[Change]:
    """Explicit routes to sister sites that the default route reaches now: the default will move."""
    mine = [route for route in way.estate.routes.values() if route.device == access.device]
    default = next((route for route in mine if route.prefix.prefixlen == 0), None)
    known = {route.prefix for route in mine}
    found: list[Change] = []
    for other in department.sites:
        prefix = way.now.private_sites[other.key].prefix
        if (
            default
            and other.key != access.key
            and prefix not in known
            and _leads_to_sister(way, department, access, default)
        ):
            found.append(default.model_copy(update={"prefix": prefix}))
    return found


def _leads_to_sister(way: Way, department: Department, access: Access, default: Route) -> bool:
    """Whether the default route leaves over a line between two sites of the department."""
    devices = {other.device for other in department.sites} - {access.device}
    others = [i for i in way.now.interfaces.values() if i.device in devices]
    return any(interface.address.ip == default.next_hop for interface in others)


def _zone(way: Way, department: Department, access: Access) -> None:
    was, becomes = sites_of(way, access)
    hosts: list[Change] = [
        host.model_copy(update={"zone": department.zone})
        for _, host in sorted(way.estate.hosts.items())
        if host.site == access.site and host.organisation == department.code
    ]
    ports: list[Change] = [
        interface.model_copy(update={"zone": department.zone})
        for _, interface in sorted(way.estate.interfaces.items())
        if interface.device == access.device and interface.address.network == was.prefix
    ]
    site = was.model_copy(update={"treatment": becomes.treatment})
    way.step(
        f"zone.{access.site}",
        PHASE,
        "record",
        f"站点 {access.site} 划入 {department.zone} / site {access.site} belongs to {department.zone}",
        "站点已接入 VRF / the site has joined its VRF",
        [*ports, *hosts, site],
        after=[f"access.{access.device}"],
    )


def _widen(way: Way, department: Department) -> None:
    """What a sister site filters or translates for the old prefix: the same for the new one, beforehand."""
    for access in department.sites:
        was, becomes = sites_of(way, access)
        if becomes.treatment != "renumber" or was.prefix == becomes.prefix:
            continue
        for other in department.sites:
            if other.key != access.key and other.device in way.now.filters:
                changes = _widened(way, other.device, was.prefix, becomes.prefix)
                way.step(
                    f"widen.{other.device}.{access.site}",
                    PHASE,
                    "network",
                    f"{other.device} 预先放行 {access.site} 新地址 / {other.device} also serves the new addresses",
                    f"{access.site} 改址 {was.prefix} -> {becomes.prefix}",
                    changes,
                    after=[f"access.{other.device}"],
                )


def _widened(way: Way, device: str, old: IPv4Network, new: IPv4Network) -> list[Change]:
    routes = [r for _, r in sorted(way.estate.routes.items()) if r.device == device and r.prefix == old]
    nats = [
        n for _, n in sorted(way.estate.nats.items()) if n.device == device and n.kind == "source" and n.inside == old
    ]
    rules = [r for _, r in sorted(way.estate.filter_rules.items()) if r.device == device]
    changes: list[Change] = [
        rule.model_copy(
            update={
                "sources": both_addresses(rule.sources, old, new),
                "destinations": both_addresses(rule.destinations, old, new),
            }
        )
        for rule in rules
    ]
    changes += [nat.model_copy(update={"name": f"{nat.name}-new", "inside": new}) for nat in nats]
    return changes + [route.model_copy(update={"prefix": new}) for route in routes]
