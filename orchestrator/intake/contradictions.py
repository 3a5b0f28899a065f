"""What two sources say differently about one thing, and what one source names that no other knows: Findings."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from orchestrator.intake.devices import Configurations
from orchestrator.intake.join import Joined, row_name
from orchestrator.intake.topology import Topology
from orchestrator.intake.workbook.census import Census
from orchestrator.intake.workbook.tables import Row
from orchestrator.model.census import InternetEgress, PrivateNetwork, PrivateSite, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding, Result, Where
from orchestrator.model.network import Host, Interface, Link, Nat
from orchestrator.model.policy import Policy

_CABLELESS = ("lo", "Vlanif", "LoopBack", "vx-", "dummy")


def contradictions(
    estate: Estate,
    joined: Joined,
    topology: Topology,
    census: Census,
    configurations: Configurations,
    policy: Policy,
    policy_name: str,
) -> Iterator[Finding]:
    """All of them, by source."""
    yield from _lines(estate, joined, census)
    yield from _used_addresses(estate, census)
    yield from _egresses(estate, joined, census)
    yield from _systems(estate, census)
    yield from _workloads(estate, joined)
    yield from _attributes(estate, joined, configurations)
    yield from _ports(estate, joined)
    yield from _hosts(estate, joined)
    yield from _zones(estate, joined, topology, policy)
    yield from _flows(estate, policy, policy_name)
    yield from _owners(estate, policy, policy_name)


def _finding(subject: str, where: Where | None, what: str, fix: str, result: Result = "fail") -> Finding:
    return Finding(subject=subject, result=result, where=where, what=what, fix=fix)


def _place(joined: Joined, link: Link) -> Where:
    return joined.facts[row_name(link)].where


def _lines(estate: Estate, joined: Joined, census: Census) -> Iterator[Finding]:
    """F3's circuit columns against the leased lines of the cabling; and its prefixes against those of its sites."""
    sites: dict[str, list[PrivateSite]] = {}
    for site in estate.private_sites.values():
        sites.setdefault(site.network, []).append(site)
    ending: dict[str, list[Link]] = {}
    for link in estate.links.values():
        for node in {link.a_node, link.b_node} if link.kind == "leased_line" else ():
            ending.setdefault(node, []).append(link)
    for code, (network, row) in census.networks.items():
        ours = sites.get(code, [])
        lines = {link.key: link for device in {site.device for site in ours} for link in ending.get(device, [])}
        if lines:
            yield from _circuit(row, [lines[name] for name in sorted(lines)], joined)
        yield from _site_prefixes(network, {site.prefix for site in ours}, row)


def _circuit(row: Row, lines: list[Link], joined: Joined) -> Iterator[Finding]:
    """A line of which something is not told could be the one that is claimed: unknown is no other value."""
    rents = [line.yearly_rent for line in lines]
    known: dict[str, set[Any]] = {
        "carrier": {line.carrier or None for line in lines},
        "megabits": {line.megabits for line in lines},
        "yearly_rent": {None if None in rents else sum(rent or 0 for rent in rents)},
    }
    units = {"carrier": "", "megabits": " Mbit/s", "yearly_rent": " yuan a year"}
    for column, values in known.items():
        claimed = row.values.get(column)
        if claimed is not None and not values & {claimed, None}:
            other = "/".join(f"{value}{units[column]}" for value in sorted(map(str, values)))
            places = ", ".join(f"{line.name} at {_place(joined, line)}" for line in lines)
            yield _finding(
                "census", row.where(column), f"{claimed}{units[column]} claimed, {other} by {places}", "ask the carrier"
            )


def _site_prefixes(network: PrivateNetwork, there: set[IPv4Network], row: Row) -> Iterator[Finding]:
    for prefix in sorted(set(network.prefixes) ^ there):
        what = "has no site" if prefix in network.prefixes else "is at a site and missing here"
        yield _finding("census", row.where("prefixes"), f"{prefix} of {network.code} {what}", "complete the list")


def _used_addresses(estate: Estate, census: Census) -> Iterator[Finding]:
    for key, (_, row) in census.sites.items():
        site = estate.private_sites[key]
        for used in row.values.get("used", ()):
            if not used.subnet_of(site.prefix):
                yield _finding(
                    "census", row.where("used"), f"{used} is not in {site.prefix} of site {site.site}", "correct it"
                )


def _egresses(estate: Estate, joined: Joined, census: Census) -> Iterator[Finding]:
    nats: dict[tuple[str, str], list[Nat]] = {}
    for nat in estate.nats.values():
        nats.setdefault((nat.device, nat.interface), []).append(nat)
    for egress, row in census.egresses.values():
        link = estate.links.get(egress.link)
        if link is None or (egress.device, egress.interface) not in _ends(link):
            yield _finding(
                "census",
                row.where("link"),
                f"the line {egress.link!r} does not end at {egress.device}:{egress.interface}",
                "correct the line, the device or the interface",
                "unknown",
            )
        else:
            yield from _circuit(row, [link], joined)
        yield from _public_addresses(nats.get((egress.device, egress.interface), []), joined, egress, row)


def _public_addresses(nats: list[Nat], joined: Joined, egress: InternetEgress, row: Row) -> Iterator[Finding]:
    for nat in nats:
        if not any(nat.outside.subnet_of(prefix) for prefix in egress.public_prefixes):
            where = joined.facts[row_name(nat)].where
            yield _finding(
                "census",
                row.where("public_prefixes"),
                f"{egress.device} translates to {nat.outside} ({where}), which is not claimed here",
                "complete the public addresses",
            )


def _systems(estate: Estate, census: Census) -> Iterator[Finding]:
    placed: dict[str, list[Workload]] = {}
    for workload in estate.workloads.values():
        placed.setdefault(workload.system, []).append(workload)
    for code, (system, row) in census.systems.items():
        workloads = placed.get(code, [])
        running = {estate.hosts[w.place].address.ip for w in workloads if w.place in estate.hosts}
        for address in sorted(running):
            if system.addresses and not any(address in prefix for prefix in system.addresses):
                yield _finding(
                    "census",
                    row.where("addresses"),
                    f"{code} runs on {address}, which is not claimed",
                    "add the address",
                )
        if not workloads and not system.classified and system.disposition in ("migrate", "merge", "replace", "retire"):
            yield _finding(
                "census",
                row.where("code"),
                f"where {code} runs is unknown",
                "add its workloads to the topology file",
                "unknown",
            )


def _workloads(estate: Estate, joined: Joined) -> Iterator[Finding]:
    for workload in estate.workloads.values():
        where = joined.facts[row_name(workload)].where
        if workload.system not in estate.systems:
            yield _finding("topology", where, f"the system {workload.system!r} is not in form F1", "add it there")
        if workload.place not in estate.hosts and workload.place not in estate.servers:
            yield _finding(
                "topology", where, f"the place {workload.place!r} is not known", "add the host or correct it", "unknown"
            )


def _attributes(estate: Estate, joined: Joined, configurations: Configurations) -> Iterator[Finding]:
    for device, attribute, where in configurations.attributes:
        claimed = getattr(estate.devices[device], attribute.name, None)
        if str(claimed) != attribute.value:
            place = joined.facts[row_name(estate.devices[device])].where
            yield _finding(
                "configurations",
                where,
                f"{device} has {attribute.name} {attribute.value} configured, {claimed} claimed ({place})",
                "correct the topology file",
            )


def _ends(link: Link) -> tuple[tuple[str, str], tuple[str, str]]:
    return (link.a_node, link.a_port), (link.b_node, link.b_port)


def _ports(estate: Estate, joined: Joined) -> Iterator[Finding]:
    links = sorted(estate.links.values(), key=lambda link: link.state != "released")  # a port may have had another
    cables = {end: link for link in links for end in _ends(link)}
    for interface in estate.interfaces.values():
        where = joined.facts[row_name(interface)].where
        cable = cables.get((interface.device, interface.name))
        if cable is None:
            yield from _cableless(interface, where)
        elif cable.state != "in_service":
            place = _place(joined, cable)
            yield _finding(
                "configurations",
                where,
                f"{interface.device}:{interface.name} is addressed, its cable {cable.name} is {cable.state} ({place})",
                "correct the state of the cable",
            )


def _cableless(interface: Interface, where: Where) -> Iterator[Finding]:
    if not interface.name.startswith(_CABLELESS):
        yield _finding(
            "configurations",
            where,
            f"{interface.device}:{interface.name} is addressed and has no cable in the topology",
            "add the cable",
            "unknown",
        )


def _hosts(estate: Estate, joined: Joined) -> Iterator[Finding]:
    ports: dict[IPv4Address, list[Interface]] = {}
    for interface in estate.interfaces.values():
        ports.setdefault(interface.address.ip, []).append(interface)
    for host in estate.hosts.values():
        for what, fix in _host(host, ports.get(host.gateway, [])):
            yield _finding("topology", joined.facts[row_name(host)].where, what, fix)


def _host(host: Host, gateways: list[Interface]) -> Iterator[tuple[str, str]]:
    if not gateways:
        yield f"no device is configured with {host.name}'s gateway {host.gateway}", "correct it"
    if host.gateway not in host.address.network:
        what = f"{host.name}'s gateway {host.gateway} is not in its network {host.address.network}"
        yield what, "correct one of the two"
    elif gateways and all(port.zone not in ("", host.zone) for port in gateways):
        port = min(gateways, key=lambda port: port.key)
        what = f"{host.name} is in zone {host.zone}, its gateway's port {port.device}:{port.name} in zone {port.zone}"
        yield what, "correct one of them"


def _zones(estate: Estate, joined: Joined, topology: Topology, policy: Policy) -> Iterator[Finding]:
    named = [(host.zone, joined.facts[row_name(host)].where) for host in estate.hosts.values()]
    named += [(zone, topology.places[vrf]) for vrf, zone in topology.vrf_zones.items()]
    named += [(zone, topology.places[f"{device}:{port}"]) for (device, port), zone in topology.port_zones.items()]
    for zone, where in named:
        if zone not in policy.zone_of:
            yield _finding("topology", where, f"the zone {zone!r} is not in the policy", "add it there or correct it")
    yield from _reached(estate, joined, topology)


def _reached(estate: Estate, joined: Joined, topology: Topology) -> Iterator[Finding]:
    """Zones that come to lie nowhere by a slip in a name: rules would be asked of less than there is."""
    there = {(interface.device, interface.name) for interface in estate.interfaces.values()}
    for (device, port), zone in topology.port_zones.items():
        if (device, port) not in there:
            what = f"no configuration has the port {device}:{port}: what lies in zone {zone} is not whole"
            where = topology.places[f"{device}:{port}"]
            yield _finding("topology", where, what, "correct it, or export the device", "unknown")
    for vrf in estate.vrfs.values():
        if not vrf.zone:
            what, where = f"the zone of VRF {vrf.name} of {vrf.device} is not told", joined.facts[row_name(vrf)].where
            yield _finding("topology", where, what, "name it in topology.yaml under zones, vrfs", "unknown")


def _flows(estate: Estate, policy: Policy, policy_name: str) -> Iterator[Finding]:
    known = {
        "host": set(estate.hosts),
        "organisation": set(estate.organisations),
        "system": set(estate.systems),
        "workload": {f"{workload.system}/{workload.name}" for workload in estate.workloads.values()},
        "service": {name.fqdn for name in estate.service_names.values()},
    }
    for flow in policy.flows:
        where = Where(source=policy_name, item=f"flow {flow.code}")
        for end in (flow.source, flow.destination):
            kind, _, name = end.partition(":")
            if kind in known and name not in known[kind]:
                yield _finding("policy", where, f"the {kind} {name!r} is not known", "add or correct it", "unknown")
        if flow.gateway and flow.gateway not in estate.devices:
            yield _finding("policy", where, f"the gateway {flow.gateway!r} is not a device", "correct it", "unknown")


def _owners(estate: Estate, policy: Policy, policy_name: str) -> Iterator[Finding]:
    """Zones and freezes of an organisation that nobody knows: such a freeze would bind nobody."""
    owned = [(f"zone {zone.name}", zone.organisation, "") for zone in policy.zones]
    owned += [(f"freeze {one.name}", one.organisation, ", whose changes it forbids") for one in policy.freezes]
    for item, code, whose in owned:
        if code and code not in estate.organisations:
            what = f"the organisation {code!r} is not known{whose}"
            where = Where(source=policy_name, item=item)
            yield _finding("policy", where, what, "add or correct it", "unknown")
