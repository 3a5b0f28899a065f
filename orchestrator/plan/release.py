"""The end of old lines and exits: traffic moves first, rows go next, the carrier is told last (drain before delete)."""

from orchestrator.design.departments import Access, Department
from orchestrator.model.base import Row
from orchestrator.model.network import FilterRule, Interface, Link, Nat, Route
from orchestrator.plan.outages import flows_at
from orchestrator.plan.way import Change, Gone, Way

BACKUP_DISTANCE = 10
SWITCH_MINUTES = 1


def reroute(way: Way, phase: int) -> None:
    """Add the move of each site's routes from old lines to the access circuit, farthest site first.

    A site whose default leaves over a sister's exit moves before the sister: so the sister's stateful filter never
    sees one direction only.
    """
    for department in way.departments:
        accesses = sorted(department.sites, key=lambda each: (_has_exit(way, each.device), each.site))
        previous: list[str] = []
        for access in accesses:
            before = len(way.steps)
            _reroute(way, phase, department, access, previous)
            previous = [way.steps[-1].name] if len(way.steps) > before else previous


def _has_exit(way: Way, device: str) -> bool:
    return any(egress.device == device for egress in way.now.egresses.values())


def _reroute(way: Way, phase: int, department: Department, access: Access, previous: list[str]) -> None:
    old = [r for r in way.removed(Route) if r.device == access.device]
    new = {r.prefix: r for r in way.added(Route) if r.device == access.device}
    changes: list[Change] = []
    for route in old:
        if route.prefix in new:
            # beside the old one first, so that there is no moment without a route
            successor = new[route.prefix]
            changes += [successor.model_copy(update={"distance": BACKUP_DISTANCE}), Gone(route), successor]
    if not changes:
        return
    hosts = {host.name for host in way.estate.hosts.values() if host.site == access.site}
    internet = any(route.prefix.prefixlen == 0 for route in old)
    outage = tuple(code for code in flows_at(way.estate, way.policy, hosts) if internet and _leaves(way, code))
    way.step(
        f"reroute.{access.device}",
        phase,
        "network",
        f"{access.device} 路由切到政务外网 / {access.device} routes over the extranet",
        f"腾空旧线路 / drain the old lines of {department.code}",
        changes,
        outage=outage,
        outage_minutes=SWITCH_MINUTES if outage else 0,
        after=[f"access.{access.device}", *previous, *way.names("cutover.", "retire.", "readdress.", "route.", "nat.")],
    )


def _leaves(way: Way, code: str) -> bool:
    """Whether a flow ends at the Internet: its connections change their outside address when the exit moves."""
    internet = {zone.name for zone in way.policy.zones if zone.kind == "internet"}
    outside = {host.name for host in way.estate.hosts.values() if host.zone in internet}
    return any(flow.code == code and flow.destination.partition(":")[2] in outside for flow in way.policy.flows)


def clear_ports(way: Way, phase: int) -> None:
    """Add the removal of everything at ports of lines and exits that will be released."""
    drained = way.names("reroute.", "readdress.", "retire.", "cutover.")
    for name, link in sorted(way.target.links.items()):
        if link.state != "released" or way.now.links[name].state == "released":
            continue
        for device, port in ((link.a_node, link.a_port), (link.b_node, link.b_port)):
            changes = _at_port(way, device, port)
            way.step(
                f"clear.{device}.{port}",
                phase,
                "network",
                f"清空 {device}:{port} / clear {device}:{port}",
                f"{link.name} 即将退租 / {link.name} is about to be released",
                changes,
                after=drained,
            )


def _at_port(way: Way, device: str, port: str) -> list[Change]:
    """Routes, filter entries and translations of a port that the target has not, then its addresses."""
    ports = [i for i in way.removed(Interface) if (i.device, i.name) == (device, port)]
    networks = [interface.address.network for interface in ports]
    routes = [r for r in way.removed(Route) if r.device == device and r.next_hop]
    rules = [r for r in way.removed(FilterRule) if r.device == device]
    gone: list[Row] = [r for r in routes if any(r.next_hop in network for network in networks)]
    gone += [rule for rule in rules if port in (*rule.in_interfaces, *rule.out_interfaces)]
    gone += [n for n in way.removed(Nat) if (n.device, n.interface) == (device, port)]
    return [Gone(noun) for noun in (*gone, *ports)]


def release(way: Way, phase: int) -> None:
    """Add the release of lines by their carriers and the consolidation of exits in the register."""
    for name, link in sorted(way.target.links.items()):
        if link.state != "released" or way.now.links[name].state == "released":
            continue
        cleared = [f"clear.{link.a_node}.{link.a_port}", f"clear.{link.b_node}.{link.b_port}"]
        way.step(
            f"release.{name}",
            phase,
            "record",
            f"退租 {name}({link.carrier} {link.circuit}) / release {name}",
            f"年租费 {link.yearly_rent or 0} 元 / rent of {link.yearly_rent or 0} yuan a year ends",
            [link],
            after=cleared,
            mode="manual",
            checklist=_letters(link),
        )
    for code, egress in sorted(way.target.egresses.items()):
        way.step(
            f"consolidate.{code}",
            phase,
            "record",
            f"出口 {code} 已归并 / exit {code} is consolidated",
            "互联网出口归并 / own exits are consolidated onto the platform (R17)",
            [egress],
            after=[f"release.{egress.link}"],
        )


def _letters(link: Link) -> tuple[str, ...]:
    return (
        f"no traffic on {link.name} during the observation days (carrier's or own counters)",
        f"termination letter for {link.circuit or link.name} sent to {link.carrier or 'the carrier'} and confirmed",
        "final bill received; the filing register is updated",
    )
