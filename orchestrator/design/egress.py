"""Exits and lines: published services and source translation move to the platform, own exits and leased lines go."""

import re
from ipaddress import IPv4Address, IPv4Network

from orchestrator.design.crossings import platform
from orchestrator.design.departments import Access, Department, treatable
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import Endpoint, place, running
from orchestrator.design.routing import DEFAULT, domain_of, may_use_internet
from orchestrator.model.census import InternetEgress, Workload
from orchestrator.model.network import FilterRule, Link, Nat

_TRANSLATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}")  # as the model names translations


def consolidate(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Move the departments' exits onto the platform (R17)."""
    exit_ = platform(draft.now)
    for department in departments:
        for _, egress in sorted(draft.now.egresses.items()):
            if egress.organisation == department.code and not egress.shared_platform:
                _consolidate(draft, department, egress, exit_)


def _consolidate(draft: Draft, department: Department, egress: InternetEgress, exit_: InternetEgress | None) -> None:
    if exit_ is None or department.firewall is None or exit_.device != department.firewall.device:
        draft.find(
            f"egresses[{egress.code}]",
            "unknown",
            f"{egress.code} has no platform to be consolidated onto",
            "mark the platform's exit in F4 and reserve a link between a PE and it for the department",
        )
        return
    if lost := _lost(draft, egress):
        draft.find(
            f"egresses[{egress.code}]",
            "unknown",
            f"{egress.code} stays: its {lost} {getattr(egress, lost)!r} is not in the topology",
            f"correct the {lost} in F4, or add it to topology.yaml",
        )
        return
    if not domain_of(draft, department):
        draft.find(
            f"egresses[{egress.code}]",
            "unknown",
            f"{egress.code} stays: nobody has said to which service domain {department.code} belongs, "
            "and so whether it may use the Internet (R3)",
            f"fill in service_domain of organisation {department.code} in topology.yaml",
        )
        return
    connected = {access.key for access in department.sites}
    sites = [key for key, site in sorted(draft.now.private_sites.items()) if site.network in department.networks]
    if missing := [key for key in sites if key not in connected]:
        draft.find(
            f"egresses[{egress.code}]",
            "unknown",
            f"{egress.code} stays: {', '.join(missing)} would lose the Internet with it",
            "connect every site of the department first",
        )
        return
    rows: tuple[str, ...] = ()
    given: dict[IPv4Network, IPv4Address] = {}
    for nat in [
        each
        for _, each in sorted(draft.now.nats.items())
        if (each.device, each.interface) == (egress.device, egress.interface)
    ]:
        if nat.kind == "destination":
            rows += _publish(draft, department, nat, exit_, given)
        draft.drop(nat)
    if may_use_internet(draft, department):
        rows += _hide(draft, department, exit_)
    rows += draft.put(egress.model_copy(update={"state": "consolidated"}))
    reason = "互联网出口归并到市县一体化接入平台 / own exits are consolidated onto the city-county platform (R17)"
    draft.decide(f"egress {egress.code}", f"consolidated onto {exit_.code}", reason, rows)
    remove_port(draft, egress.device, egress.interface)
    _release(draft, draft.now.links[egress.link], "own exit consolidated")


def _lost(draft: Draft, egress: InternetEgress) -> str:
    """Which of an exit's two places is not known; empty when both are."""
    if egress.link not in draft.now.links:
        return "link"
    return "" if egress.device in draft.now.devices else "device"


def _publish(
    draft: Draft, department: Department, nat: Nat, exit_: InternetEgress, given: dict[IPv4Network, IPv4Address]
) -> tuple[str, ...]:
    """The service behind a published address of the old exit, published on the platform where it runs in the target.

    `given`: old outside address -> new one; services that share an address share the new one, as names lead to both.
    """
    if not may_use_internet(draft, department):
        draft.find(
            f"nats[{nat.key}]",
            "fail",
            f"{nat.outside} publishes {nat.inside} of {department.code}, whose domain has no Internet (R3): "
            "it ends with the exit",
            "move the system into the public service domain, or confirm that the publication ends",
        )
        return ()
    olds = [w for _, w in sorted(draft.now.workloads.items()) if w.state == "running" and _stands(draft, w, nat)]
    news = [new for old in olds for new in running(draft.estate, old.system, old.name)[:1]]
    ends = {end.address: end for new in news if (end := place(draft.estate, new.place)) and end.address}
    if not ends or not all(address in draft.policy.extranet_pool for address in ends):
        fix = "migrate the system behind it or confirm that the publication ends"
        _unpublished(draft, nat, "which has no place in the target", fix)
        return ()
    if len(ends) > 1:
        keys = " and ".join(old.key for old in olds)
        _unpublished(draft, nat, f"where {keys} run: they part in the target", "publish each of them by its port")
        return ()
    end = next(iter(ends.values()))
    name = _free_name(draft, exit_, f"{department.code}-{olds[0].name}", nat, end)
    if nat.outside not in given:
        purpose = f"address/public/{name}"
        given[nat.outside] = draft.allocator.public(purpose, exit_, _outside_in_use(draft), spaced=True)
    address = given[nat.outside]
    rows = draft.put(_published(nat, name, end, exit_, address))
    old_names = [n for _, n in sorted(draft.now.service_names.items()) if n.address == nat.outside.network_address]
    return rows + draft.put(*(n.model_copy(update={"address": address}) for n in old_names))


def _unpublished(draft: Draft, nat: Nat, why: str, fix: str) -> None:
    draft.find(f"nats[{nat.key}]", "unknown", f"{nat.outside} publishes {nat.inside}, {why}", fix)


def _free_name(draft: Draft, exit_: InternetEgress, name: str, nat: Nat, end: Endpoint) -> str:
    """A name of the platform's translations that no other service has: components of two systems may share theirs."""
    wanted = (f"{end.address}/32", nat.protocol, nat.port)
    for each in (name, f"{name}-{nat.port or nat.protocol}", f"{name}-{nat.port or nat.protocol}-{nat.name}"):
        row = draft.estate.nats.get(f"{exit_.device}/{each}")
        if row is None or (str(row.inside), row.protocol, row.port) == wanted:
            return each
    return f"{name}-{nat.device}-{nat.name}"


def _published(nat: Nat, name: str, end: Endpoint, exit_: InternetEgress, address: IPv4Address) -> Nat:
    return Nat.model_validate(
        {
            **nat.plain(),
            "device": exit_.device,
            "name": name,
            "interface": exit_.interface,
            "inside": f"{end.address}/32",
            "outside": f"{address}/32",
        }
    )


def _stands(draft: Draft, workload: Workload, nat: Nat) -> bool:
    """Whether a translation leads to a workload: its address and, where one is named, its port."""
    end = place(draft.now, workload.place)
    port = nat.port if nat.inside_port is None else nat.inside_port
    return bool(end and end.address == nat.inside.network_address and port in (None, workload.port))


def _hide(draft: Draft, department: Department, exit_: InternetEgress) -> tuple[str, ...]:
    """Source translation for every site that leaves through the platform: one outside address for the department."""
    purpose = f"address/hidden/{department.code}"
    address = draft.allocator.public(purpose, exit_, _outside_in_use(draft), spaced=False)
    rows: tuple[str, ...] = ()
    for access in department.sites:
        prefix = draft.estate.private_sites[access.key].prefix
        if prefix.subnet_of(draft.policy.extranet_pool):
            rows += draft.put(
                Nat(
                    device=exit_.device,
                    name=_hiding_name(draft, exit_, access, prefix),
                    kind="source",
                    interface=exit_.interface,
                    inside=prefix,
                    outside=IPv4Network(address),
                )
            )
    return rows


def _hiding_name(draft: Draft, exit_: InternetEgress, access: Access, prefix: IPv4Network) -> str:
    """A name of the platform's translations that no other one has: a site's name is free text and not unique."""
    for name in (access.site, access.device, f"{access.device}-{prefix.network_address}"):
        row = draft.estate.nats.get(f"{exit_.device}/{name}-out")
        mine = row is None or (row.kind, row.inside) == ("source", prefix)
        if mine and _TRANSLATION.fullmatch(f"{name}-out"):
            return f"{name}-out"
    return f"{access.device}-{prefix.network_address}-{prefix.prefixlen}-out"


def _outside_in_use(draft: Draft) -> list[IPv4Address]:
    outsides = [nat.outside.network_address for nat in draft.now.nats.values() if nat.outside.prefixlen == 32]
    routers = [interface.address.ip for interface in draft.now.interfaces.values()]
    return [*outsides, *routers, *(route.next_hop for route in draft.now.routes.values() if route.next_hop)]


def release_lines(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Release the leased lines between sites that all have an access circuit of their own now."""
    for department in departments:
        devices = {access.device for access in department.sites}
        for _, link in sorted(draft.now.links.items()):
            if link.kind == "leased_line" and link.state == "in_service" and {link.a_node, link.b_node} <= devices:
                if exits := _exits_over(draft, department, link):
                    draft.find(
                        f"links[{link.name}]",
                        "unknown",
                        f"{link.name} stays: the way to the Internet over {', '.join(exits)} leads over it",
                        f"consolidate {', '.join(exits)} first",
                    )
                    continue
                remove_port(draft, link.a_node, link.a_port)
                remove_port(draft, link.b_node, link.b_port)
                _release(draft, link, "两端均已接入政务外网 / both ends have an extranet circuit")


def _exits_over(draft: Draft, department: Department, link: Link) -> list[str]:
    """Own exits of the department that stay, where a default route leads over this line."""
    ends = (link.a_node, link.a_port), (link.b_node, link.b_port)
    networks = [i.address.network for i in draft.now.interfaces.values() if (i.device, i.name) in ends]
    routes = (r for r in draft.now.routes.values() if r.device in (link.a_node, link.b_node) and r.prefix == DEFAULT)
    if not any(r.next_hop in network for r in routes if r.next_hop for network in networks):
        return []
    own = (e for e in draft.estate.egresses.values() if e.organisation == department.code and not e.shared_platform)
    return sorted(egress.code for egress in own if egress.state == "in_service")


def _release(draft: Draft, link: Link, reason: str) -> None:
    rent = f", {link.yearly_rent} yuan a year saved" if link.yearly_rent else ""
    rows = draft.put(draft.estate.links[link.name].model_copy(update={"state": "released"}))
    draft.decide(f"line {link.name}", f"released{rent}", reason, rows)


def remove_port(draft: Draft, device: str, port: str) -> None:
    """Take a port out of use: its addresses, routes over it, filter entries and translations that name it."""
    if draft.now.devices[device].role == "outside":
        return  # the carrier's own equipment is not ours to change
    interfaces = [i for i in draft.estate.interfaces.values() if (i.device, i.name) == (device, port)]
    networks = [(interface.vrf, interface.address.network) for interface in interfaces]
    draft.drop(*interfaces)
    routes = [r for r in draft.estate.routes.values() if r.device == device and r.next_hop]
    draft.drop(*(r for r in routes if any(r.vrf == vrf and r.next_hop in network for vrf, network in networks)))
    for rule in [r for r in draft.estate.filter_rules.values() if r.device == device]:
        if port in (*rule.in_interfaces, *rule.out_interfaces):
            _without_port(draft, rule, port)
    draft.drop(*(n for n in list(draft.estate.nats.values()) if (n.device, n.interface) == (device, port)))


def _without_port(draft: Draft, rule: FilterRule, port: str) -> None:
    """Take a port out of a filter entry. An entry of this port alone goes: with an empty list it would match all."""
    left = {
        "in_interfaces": tuple(each for each in rule.in_interfaces if each != port),
        "out_interfaces": tuple(each for each in rule.out_interfaces if each != port),
    }
    if any(getattr(rule, side) and not ports for side, ports in left.items()):
        draft.drop(rule)
    else:
        rows = draft.put(rule.model_copy(update=left))
        draft.decide(f"filter {rule.key}", f"without {port}", "端口停用 / the port is taken out of use", rows)


def drop_moved_prefixes(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Remove routes of site routers to prefixes that no site has any more."""
    for department in departments:
        devices = {access.device for access in department.sites}
        old = {draft.now.private_sites[a.key].prefix for a in department.sites}
        still = {draft.estate.private_sites[a.key].prefix for a in department.sites}
        gone = old - still - {DEFAULT}
        draft.drop(*(r for r in list(draft.estate.routes.values()) if r.device in devices and r.prefix in gone))


def fold_networks(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Private networks of which every site is connected are folded."""
    for department in departments:
        for key in department.networks:
            network = draft.now.private_networks[key]
            sites = [site for _, site in sorted(draft.estate.private_sites.items()) if site.network == key]
            connected = {access.key for access in department.sites}
            missing = [site.site for site in sites if site.key not in connected]
            untreatable = [site.site for site in sites if not treatable(draft.now, site)]
            missing = [name for name in missing if name not in untreatable]
            if untreatable and not missing:
                continue  # said where the sites are treated
            if missing or not sites:
                draft.find(
                    f"private_networks[{key}]",
                    "unknown",
                    f"no access circuit is reserved for {', '.join(missing) or 'any site'} of {network.name}",
                    "add a spare link from a PE with reserved_for to topology.yaml",
                )
                continue
            rows = draft.put(
                network.model_copy(update={"state": "folded", "prefixes": tuple(site.prefix for site in sites)})
            )
            draft.decide(
                f"private network {key}",
                f"folded into VRF {department.vrf}",
                "专网整合 / private networks fold into the extranet",
                rows,
            )
