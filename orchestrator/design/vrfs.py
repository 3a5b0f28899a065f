"""One VRF per department on every PE: route distinguisher, route target, overlay, legs on reserved links."""

import re
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from orchestrator.design.departments import Department, Leg, foreign_port, interface_at, provider_edges, reserved
from orchestrator.design.draft import Draft
from orchestrator.design.pools import pool, transit_pool
from orchestrator.errors import DesignError
from orchestrator.model.cloud import ProviderNetwork
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Interface, Overlay, Vrf

HIGHEST_VNI = 2**24 - 1
HIGHEST_VLAN = 4094
HIGHEST_TARGET = 65535
_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")  # as the model names VRFs


def build_vrfs(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write the VRFs, then the legs towards sites, firewall and cloud."""
    for department in departments:
        _misplaced(draft, department)
        _vrf(draft, department)
        _legs(draft, department)
        _handover(draft, department)


def _vrf(draft: Draft, department: Department) -> None:
    edges = provider_edges(draft.now)
    if len(edges) != 2:
        raise DesignError(
            f"{len(edges)} provider edges ({', '.join(edges) or 'none'}), the overlay joins two: "
            "give two devices the role provider_edge"
        )
    numbering, code = draft.policy.numbering, department.code
    if not _NAME.fullmatch(code) or code == GLOBAL:
        raise DesignError(
            f"organisation {code!r} cannot name a VRF: give it a code of at most 12 small letters, digits and hyphens "
            f"in topology.yaml, beginning with a letter and other than {GLOBAL!r}"
        )
    candidates = range(numbering.route_target_base, HIGHEST_TARGET)
    number = draft.allocator.number(f"number/{code}", candidates, _numbers_in_use(draft.now))
    used = [vrf.overlay.vni for vrf in draft.now.vrfs.values() if vrf.overlay]
    vni = draft.allocator.number(f"vni/{code}", range(numbering.vni_first, HIGHEST_VNI), used, HIGHEST_VNI)
    link = draft.allocator.network(f"overlay/{code}", numbering.overlay_pool, 30)
    target = f"{numbering.autonomous_system}:{number}"
    vrfs = [
        Vrf(
            device=here,
            name=department.vrf,
            zone=department.zone,
            route_distinguisher=target,
            import_targets=(target,),
            export_targets=(target,),
            overlay=_overlay(draft.now, vni, link, here, there, first=here == edges[0]),
        )
        for here, there in (edges, edges[::-1])
    ]
    reason = "每个部门一个VRF,RT不与他部门共用 / one VRF per department, no route target shared with another (R15)"
    draft.decide(f"vrf {department.vrf}", f"RD and RT {target}, VNI {vni}, overlay {link}", reason, draft.put(*vrfs))


def _misplaced(draft: Draft, department: Department) -> None:
    """Cables reserved for a department whose port is another VPN's: to take it would cut that one off."""
    for link in reserved(draft.now, department.code):
        if port := foreign_port(draft.now, department.code, link):
            draft.find(
                f"links[{link.name}]",
                "unknown",
                f"{link.name} is reserved for {department.code}, and its port {port.device}:{port.name} stands in VRF "
                f"{port.vrf}",
                f"correct reserved_for in topology.yaml, or take the port out of VRF {port.vrf}",
            )


def _numbers_in_use(estate: Estate) -> set[int]:
    """The numbers of all route distinguishers and targets: a target that another VRF imports would join the two."""
    texts = [
        text
        for vrf in estate.vrfs.values()
        for text in (vrf.route_distinguisher or "", *vrf.import_targets, *vrf.export_targets)
    ]
    numbers = (text.rpartition(":")[2] for text in texts)
    return {int(number) for number in numbers if number.isascii() and number.isdecimal() and len(number) <= 12}


def _overlay(estate: Estate, vni: int, link: IPv4Network, here: str, there: str, first: bool) -> Overlay:
    ends = (link[1], link[2]) if first else (link[2], link[1])
    local, remote = _underlay(estate, here, there)
    return Overlay(vni=vni, local=local, remote=remote, address=IPv4Interface((ends[0], 30)), peer=ends[1])


def _underlay(estate: Estate, here: str, there: str) -> tuple[IPv4Address, IPv4Address]:
    """The addresses of two PEs between them: as their other VRFs use them, else the ends of one addressed link."""
    for _, vrf in sorted(estate.vrfs.items()):
        if vrf.device == here and vrf.overlay:
            return vrf.overlay.local, vrf.overlay.remote
    for _, link in sorted(estate.links.items()):
        ports = {link.a_node: link.a_port, link.b_node: link.b_port}
        if ports.keys() == {here, there} and link.state == "in_service":
            ends = [interface_at(estate, device, ports[device]) for device in (here, there)]
            local, remote = (end.address.ip if end and end.vrf == GLOBAL else None for end in ends)
            if local and remote:
                return local, remote
    raise DesignError(
        f"no link between {here} and {there} has an address at both ends: "
        "add it to the topology and both to the configurations"
    )


def _legs(draft: Draft, department: Department) -> None:
    legs = [access.leg for access in department.sites] + ([department.firewall] if department.firewall else [])
    for leg in legs:
        near, far = _ends(draft, department, leg)
        gone = _clear(draft, near, far)
        rows = draft.put(near, far) + _in_service(draft, leg)
        draft.decide(
            f"link {leg.link}",
            f"{leg.pe}:{leg.pe_port} {near.address} in VRF {department.vrf}, "
            f"{leg.device}:{leg.port} {far.address}{gone}",
            "已为该单位交付的备用线路 / the spare circuit delivered for this organisation",
            rows,
        )


def _ends(draft: Draft, department: Department, leg: Leg) -> tuple[Interface, Interface]:
    """The two ends as they are numbered already, or one of them is; else with addresses of a new link."""
    transit = transit_pool(draft.policy)
    nears, fars = _at(draft.now, leg.pe, leg.pe_port), _at(draft.now, leg.device, leg.port)
    met = [(near, far) for near in nears for far in fars if near.address.network == far.address.network]
    met += [(near, _opposite(near, leg.device, leg.port)) for near in nears if near.address.network.prefixlen < 32]
    met += [(_opposite(far, leg.pe, leg.pe_port), far) for far in fars if far.address.network.prefixlen < 32]
    if met:
        return met[0][0].model_copy(update={"vrf": department.vrf}), met[0][1]
    network = draft.allocator.network(f"transit/{leg.link}", transit.prefix, transit.length)
    return (
        Interface(
            device=leg.pe, name=leg.pe_port, vrf=department.vrf, address=IPv4Interface((network[1], network.prefixlen))
        ),
        Interface(device=leg.device, name=leg.port, address=IPv4Interface((network[2], network.prefixlen))),
    )


def _at(estate: Estate, device: str, port: str) -> list[Interface]:
    """All addresses of a port, lowest first."""
    found = (each for each in estate.interfaces.values() if (each.device, each.name) == (device, port))
    return sorted(found, key=lambda each: each.address)


def _opposite(end: Interface, device: str, port: str) -> Interface:
    """The other end of a cable of which one end has an address: the first other address of its network."""
    network = end.address.network
    other = next(address for address in network.hosts() if address != end.address.ip)
    return Interface(device=device, name=port, address=IPv4Interface((other, network.prefixlen)))


def _clear(draft: Draft, *ends: Interface) -> str:
    """Take other addresses off these ports, with which the ends would not meet; what to say of it."""
    keys = {end.key for end in ends}
    gone = [row for end in ends for row in _at(draft.estate, end.device, end.name) if row.key not in keys]
    draft.drop(*gone)
    return "".join(f"; {row.address} on {row.device}:{row.name} goes" for row in gone)


def _handover(draft: Draft, department: Department) -> None:
    leg = department.handover
    organisation = draft.now.organisations.get(department.code)
    domain = organisation.service_domain if organisation else None
    cloud = _cloud(draft, department, domain)
    if leg is None or cloud is None or _tag_taken(draft, department, leg):
        return
    block = pool(draft.policy, "provider")
    prefix = draft.allocator.network(f"provider/{department.code}", block.prefix, block.length)
    # a tag given with the cable is a fact of the cable; only a cable without one takes a number of ours
    numbering = draft.policy.numbering
    used = [link.vlan for link in draft.now.links.values() if link.vlan]
    used += [each.vlan for each in draft.now.vlans.values()]
    used += [each.vlan for each in draft.now.provider_networks.values()]
    candidates = range(numbering.vlan_first, numbering.vlan_last + 1)
    vlan = leg.vlan or draft.allocator.number(f"vlan/{department.code}", candidates, used, HIGHEST_VLAN)
    network = ProviderNetwork(name=f"prov-{department.code}", cloud=cloud, vlan=vlan, prefix=prefix, gateway=prefix[1])
    address = IPv4Interface((prefix[1], prefix.prefixlen))
    port = Interface(device=leg.pe, name=leg.pe_port, vrf=department.vrf, address=address)
    gone = _clear(draft, port)
    rows = draft.put(network, port) + _in_service(draft, leg, vlan)
    reason = f"{domain} 的业务上本域的云 / a department's systems go onto the cloud of its own service domain"
    draft.decide(
        f"handover {department.code}",
        f"{prefix} on VLAN {vlan} into {cloud}, gateway {prefix[1]} on {leg.pe}{gone}",
        reason,
        rows,
    )


def _cloud(draft: Draft, department: Department, domain: str | None) -> str | None:
    """The cloud of a domain, of several the one into which the department is handed over already; None if unknown."""
    clouds = [name for name, each in sorted(draft.now.clouds.items()) if each.service_domain == domain]
    stands = draft.now.provider_networks.get(f"prov-{department.code}")
    if len(clouds) < 2 or (stands and stands.cloud in clouds):
        return stands.cloud if stands and stands.cloud in clouds else next(iter(clouds), None)
    if department.handover:
        link = department.handover.link
        draft.find(
            f"links[{link}]",
            "unknown",
            f"{link} may lead into {' or '.join(clouds)}, both of {domain}: nobody has said into which",
            "take the one that is not for departments out of topology.yaml",
        )
    return None


def _tag_taken(draft: Draft, department: Department, leg: Leg) -> bool:
    """Whether the tag given with the cable is another provider network's: two departments on one VLAN are joined."""
    others = [
        name
        for name, network in sorted(draft.estate.provider_networks.items())
        if network.vlan == leg.vlan and name != f"prov-{department.code}"
    ]
    for name in others:
        draft.find(
            f"links[{leg.link}]",
            "fail",
            f"VLAN {leg.vlan} of {leg.link} is that of {name} already: both would be one segment",
            "correct the tag in topology.yaml, or have the carrier deliver another one",
        )
    return bool(others)


def _in_service(draft: Draft, leg: Leg, vlan: int | None = None) -> tuple[str, ...]:
    link = draft.estate.links[leg.link]
    return draft.put(link.model_copy(update={"state": "in_service", "vlan": vlan or link.vlan}))
