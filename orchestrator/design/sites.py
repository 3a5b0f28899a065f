"""Addresses of sites: keep, renumber or translate, each with its reason.

keep       nothing outside the department's own VPN is needed: private addresses may stay inside the VRF.
renumber   the common zone is needed, where only extranet addresses are allowed (R16), and the site can be renumbered.
translate  as renumber, but equipment there is fixed: 1:1 at the site's router while both run, renumbered at the end
           to the very prefix it was translated to, so that nobody outside sees a change.
"""

from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from orchestrator.design.departments import Access, Department, moved, moved_interface, treatable
from orchestrator.design.draft import Draft, row
from orchestrator.design.endpoints import owners
from orchestrator.design.pools import pool
from orchestrator.model.census import PrivateSite
from orchestrator.model.network import GLOBAL, Host, Interface

Treatment = Literal["undecided", "keep", "renumber", "translate"]

REASONS: dict[str, str] = {
    "keep": "无需访问公用网络区,专网地址可留在VPN内 / needs no common zone: its addresses may stay inside the VPN",
    "renumber": "需访问公用网络区,只许用外网统一地址 / "
    "needs the common zone, where only extranet addresses are allowed (R16)",
    "translate": "需访问公用网络区但设备地址一时不能改,先1:1转换,末批改为同一网段 / "
    "needs the common zone, equipment is fixed: 1:1 translation first, renumbered to the same prefix in the last wave",
}


def treat_sites(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Decide every site of the departments and write what it becomes: prefix, hosts, site interface, zone."""
    for department in departments:
        for access in department.sites:
            _treat(draft, department, access)
    networks = {key for department in departments for key in department.networks}
    for key, site in sorted(draft.now.private_sites.items()):
        if site.network in networks and not treatable(draft.now, site):
            draft.find(
                f"private_sites[{key}]",
                "unknown",
                f"{site.site} needs 1:1 translation, which its router {site.device} cannot do",
                f"give {site.device} a platform that translates, or free the site of fixed equipment",
            )


def treatment_of(site: PrivateSite) -> Treatment:
    """What becomes of a site. A treatment already decided stays."""
    if site.treatment != "undecided":
        return site.treatment
    if not site.needs_common_zone:
        return "keep"
    return "translate" if site.fixed_addresses else "renumber"


def _treat(draft: Draft, department: Department, access: Access) -> None:
    site = draft.now.private_sites[access.key]
    treatment = treatment_of(site)
    prefix = site.prefix
    if treatment != "keep" and not site.prefix.subnet_of(draft.policy.extranet_pool):
        prefix = _outside(draft, department, site)
    rows = draft.put(site.model_copy(update={"treatment": treatment, "prefix": prefix}))
    _parts(draft, department, site)
    rows += _interfaces(draft, department, site, prefix)
    rows += _hosts(draft, department, site, prefix)
    choice = f"{treatment} {site.prefix}" + (f" -> {prefix}" if prefix != site.prefix else "")
    draft.decide(f"site {access.key}", choice, REASONS[treatment], rows)


def _outside(draft: Draft, department: Department, site: PrivateSite) -> IPv4Network:
    block = pool(draft.policy, "sites")
    alike = (s for s in draft.now.private_sites.values() if s.network in department.networks and s.site == site.site)
    first = min(each.key for each in alike) == site.key  # names of sites are unique in a network only
    name = site.site if first else site.key
    return draft.allocator.network(f"prefix/{department.code}/{name}", block.prefix, site.prefix.prefixlen, exact=True)


def _parts(draft: Draft, department: Department, site: PrivateSite) -> None:
    """What stands at a site in a segment that is only a part of its prefix (or more than it): nobody moves it."""
    ports = [i for _, i in sorted(draft.now.interfaces.items()) if i.device == site.device and i.vrf == GLOBAL]
    hosts = [h for _, h in sorted(draft.now.hosts.items()) if (h.site, h.organisation) == (site.site, department.code)]
    rows: list[Interface | Host] = [*ports, *hosts]
    for each in rows:
        network = each.address.network
        if network != site.prefix and network.overlaps(site.prefix):
            part = "a part of" if network.subnet_of(site.prefix) else "more than"
            draft.find(
                row(each),
                "unknown",
                f"{each.key} stands in {network}, {part} {site.prefix} of site {site.site}: "
                "it does not move with the site",
                "make each segment a site of its own on the F3 sheet, or correct the prefix",
            )


def _interfaces(draft: Draft, department: Department, site: PrivateSite, prefix: IPv4Network) -> tuple[str, ...]:
    rows: tuple[str, ...] = ()
    for _, interface in sorted(draft.now.interfaces.items()):
        if interface.device == site.device and interface.address.network == site.prefix:
            draft.drop(interface)
            address = moved_interface(interface.address, site.prefix, prefix)
            rows += draft.put(interface.model_copy(update={"address": address, "zone": department.zone}))
    return rows


def _hosts(draft: Draft, department: Department, site: PrivateSite, prefix: IPv4Network) -> tuple[str, ...]:
    rows: tuple[str, ...] = ()
    for _, host in sorted(draft.now.hosts.items()):
        if host.site == site.site and host.organisation == department.code and host.address.network == site.prefix:
            address = moved_interface(host.address, site.prefix, prefix)
            gateway = moved(host.gateway, site.prefix, prefix)
            update = {"address": address, "gateway": gateway, "zone": department.zone}
            rows += draft.put(host.model_copy(update=update)) + _names(draft, host, address.ip)
    return rows


def _names(draft: Draft, host: Host, address: IPv4Address) -> tuple[str, ...]:
    """The names that lead to a host follow it. Private addresses occur twice: a name is its system's, or is unique."""
    if host.address.ip == address:
        return ()
    workloads = [w for w in draft.now.workloads.values() if w.place == host.name]
    twins = sorted(h.name for h in draft.now.hosts.values() if h.address.ip == host.address.ip)
    rows: tuple[str, ...] = ()
    for key, name in sorted(draft.now.service_names.items()):
        if name.address != host.address.ip:
            continue
        owned = owners(draft.now, name.fqdn)
        if len(twins) == 1 or any(w.system in owned for w in workloads):
            rows += draft.put(name.model_copy(update={"address": address}))
        elif not owned:
            draft.find(
                f"service_names[{key}]",
                "unknown",
                f"{name.address} is the address of {' and '.join(twins)}, which of them the name leads to is not known",
                "fill in 域名 of its system in the census",
            )
    return rows
