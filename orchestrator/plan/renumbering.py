"""New addresses for a site: the router gets the new one beside the old, hosts change, the old one goes later."""

from orchestrator.design.departments import Access, moved_interface
from orchestrator.design.endpoints import place
from orchestrator.model.census import PrivateSite
from orchestrator.model.network import Interface, Nat
from orchestrator.plan.dual import sites_of
from orchestrator.plan.outages import flows_at
from orchestrator.plan.way import Change, Gone, Way

READDRESS_MINUTES = 20


def renumber(way: Way, treatment: str, phase: int) -> None:
    """Add the renumbering of all sites with this treatment."""
    for department in way.departments:
        for access in department.sites:
            was, becomes = sites_of(way, access)
            if becomes.treatment == treatment and was.prefix != becomes.prefix:
                _alongside(way, phase, access)
                _readdress(way, phase, access)


def _alongside(way: Way, phase: int, access: Access) -> None:
    was, becomes = sites_of(way, access)
    ports: list[Change] = [
        interface.model_copy(update={"address": moved_interface(interface.address, was.prefix, becomes.prefix)})
        for interface in _at_prefix(way, access.device, was)
    ]
    way.step(
        f"alongside.{access.device}",
        phase,
        "network",
        f"{access.device} 增配新地址 / {access.device} gets the new address beside the old one",
        f"{access.site}: {was.prefix} -> {becomes.prefix}",
        ports,
        after=[f"access.{access.device}", f"zone.{access.site}", *way.names("widen.")],
    )


def _at_prefix(way: Way, device: str, site: PrivateSite) -> list[Interface]:
    found = [each for _, each in sorted(way.estate.interfaces.items()) if each.device == device]
    return [each for each in found if each.address.network == site.prefix]


def _readdress(way: Way, phase: int, access: Access) -> None:
    was, becomes = sites_of(way, access)
    names = [
        key
        for key, host in sorted(way.estate.hosts.items())
        if host.site == access.site and host.address.network == was.prefix
    ]
    outage = flows_at(way.estate, way.policy, set(names))
    changes: list[Change] = [way.target.hosts[name] for name in names]
    changes += _renamed(way, names)
    changes.append(becomes)
    checklist = (
        "fixed equipment has been replaced or reconfigured by its supplier",
        "the supplier is on site during the window",
    )
    after = [f"alongside.{access.device}", *way.names("retire.", "cutover.")]
    way.step(
        f"readdress.{access.site}",
        phase,
        "readdress",
        f"站点 {access.site} 改址 / renumber site {access.site}",
        f"{was.prefix} -> {becomes.prefix}",
        changes,
        after=after,
        outage=outage,
        outage_minutes=READDRESS_MINUTES,
        mode="manual" if was.fixed_addresses else "automatic",
        checklist=checklist if was.fixed_addresses else (),
    )


def _renamed(way: Way, hosts: list[str]) -> list[Change]:
    """Names of services that still run at the site follow their hosts."""
    found: list[Change] = []
    for host in hosts:
        old, new = place(way.estate, host), place(way.target, host)
        if old and new:
            names = [name for _, name in sorted(way.estate.service_names.items()) if name.address == old.address]
            found += [name.model_copy(update={"address": new.address}) for name in names]
    return found


def forget_old_addresses(way: Way, treatment: str, phase: int) -> None:
    """Add the end of old addresses and of translations, once the hosts have moved."""
    for department in way.departments:
        for access in department.sites:
            was, becomes = sites_of(way, access)
            if becomes.treatment == treatment and was.prefix != becomes.prefix:
                _forget_at_site(way, phase, access)
                for other in department.sites:
                    _forget_at_sister(way, phase, access, other.device)
                _forget_at_pe(way, phase, access, department.vrf)


def _forget_at_site(way: Way, phase: int, access: Access) -> None:
    was, becomes = sites_of(way, access)
    changes: list[Change] = [Gone(n) for _, n in sorted(way.estate.nats.items()) if _translates(n, access, was)]
    changes += [Gone(interface) for interface in _at_prefix(way, access.device, was)]
    changes += [
        way.target.filter_rules[key]
        for key, rule in sorted(way.estate.filter_rules.items())
        if rule.device == access.device and key in way.target.filter_rules
    ]
    verb = (
        "撤销1:1转换 / end the 1:1 translation"
        if becomes.treatment == "translate"
        else "撤销旧地址 / remove the old address"
    )
    way.step(
        f"forget.{access.device}",
        phase,
        "network",
        f"{access.device} {verb}",
        f"{access.site} 已改址 / {access.site} has been renumbered",
        changes,
        after=[f"readdress.{access.site}"],
    )


def _forget_at_sister(way: Way, phase: int, access: Access, device: str) -> None:
    """Routes of other sites to the old prefix. Those over a line that is released go when the line is cleared."""
    was, _ = sites_of(way, access)
    routes: list[Change] = [
        Gone(route)
        for key, route in sorted(way.estate.routes.items())
        if (route.device, route.prefix) == (device, was.prefix) and key not in way.target.routes
    ]
    way.step(
        f"forget.{device}.{access.site}",
        phase,
        "network",
        f"{device} 撤销 {access.site} 旧路由 / {device} forgets the old prefix of {access.site}",
        f"{was.prefix} 不再使用 / is no longer used",
        routes,
        after=[f"readdress.{access.site}"],
    )


def _translates(nat: Nat, access: Access, was: PrivateSite) -> bool:
    return nat.device == access.device and nat.kind == "prefix" and nat.inside == was.prefix


def _forget_at_pe(way: Way, phase: int, access: Access, vrf: str) -> None:
    was, _ = sites_of(way, access)
    routes: list[Change] = [
        Gone(route)
        for key, route in sorted(way.estate.routes.items())
        if (route.device, route.vrf, route.prefix) == (access.leg.pe, vrf, was.prefix) and key not in way.target.routes
    ]
    way.step(
        f"forget.{access.leg.pe}.{access.site}",
        phase,
        "network",
        f"{access.leg.pe} 撤销 {access.site} 旧路由 / remove the old route of {access.site}",
        f"{was.prefix} 不再使用 / is no longer used",
        routes,
        after=[f"readdress.{access.site}"],
    )
