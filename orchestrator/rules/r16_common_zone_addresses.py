"""R16: the common zone holds extranet-assigned addresses only; private prefixes never leak into it. (DB34/T 4319)"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from orchestrator.forwarding.matrix import Reach, is_private
from orchestrator.forwarding.points import server_zone
from orchestrator.forwarding.tables import Entry
from orchestrator.forwarding.walk import Mark
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment, delivered

RULE = "R16"
SOURCE = "operations handbook, DB34/T 4319"
READS = (
    "reaches", "hosts", "servers", "tenants", "interfaces", "vrfs", "routes", "links",
    "cloud_networks", "cloud_routers", "provider_networks",
)  # fmt: skip
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Addresses of hosts, servers and interfaces there, routes in its VRFs, and packets seen inside its VRFs.

    What may be the common zone's, as nobody knows its zone, is unknown where it holds such an address.
    """
    instances = _instances(moment)
    names = ", ".join(sorted(f"{device}/{vrf}" for device, vrf in instances))
    checked = f"addresses, routes and packets of {len(instances)} instances ({names}), none private"
    yield from moment.answer(RULE, _find(moment, instances), checked)


def _instances(moment: Moment) -> set[tuple[str, str]]:
    """The routing instances of common zones."""
    return {(vrf.device, vrf.name) for vrf in moment.estate.vrfs.values() if moment.zone(vrf.zone).kind == "common"}


def _find(moment: Moment, instances: set[tuple[str, str]]) -> Iterator[Finding]:
    yield from _addresses(moment)
    for instance in sorted(instances):
        for entry in _private_routes(moment, instance):
            what = f"{instance[0]} has the private route {entry.prefix} in the common zone's VRF {instance[1]}"
            yield moment.fails(RULE, entry.row, what, "remove the route or stop its export")
    yield from _zoneless(moment)
    yield from _packets(moment, instances)


def _private_routes(moment: Moment, instance: tuple[str, str]) -> list[Entry]:
    table = moment.matrix.world.tables.get(instance)
    entries = sorted(table.entries.items()) if table else []
    return [entry for (length, network), entry in entries if length and is_private(network)]


def _zoneless(moment: Moment) -> Iterator[Finding]:
    """VRFs of no zone, or of zones nobody knows, that hold private routes: they may be the common zone's."""
    for key, vrf in sorted(moment.estate.vrfs.items()):
        routes = [] if vrf.zone in moment.policy.zone_of else _private_routes(moment, (vrf.device, vrf.name))
        for route in routes:
            what = f"{key} has the private route {route.prefix}, and its zone {vrf.zone!r} is none of the policy"
            fix = "name its zone in topology.yaml, or add the zone to policy.yaml"
            yield Finding(subject=RULE, result="unknown", what=what, where=moment.where(f"vrfs[{key}]"), fix=fix)


def _addresses(moment: Moment) -> Iterator[Finding]:
    pool = moment.policy.extranet_pool
    for table, key, zone, address in _addressed(moment.estate):
        row = f"{table}[{key}]"
        if zone and moment.zone(zone).kind == "common" and address not in pool:
            what = f"{key} in {zone} has {address}, which is not from the extranet pool {pool}"
            yield moment.fails(RULE, row, what, "give it an extranet address")
        elif zone and zone not in moment.policy.zone_of and address not in pool:
            has = f"{key} has {address}, not from the extranet pool {pool}"
            what = f"{has}, and its zone {zone!r} is none of the policy"
            fix = "add the zone to policy.yaml, or correct its name in topology.yaml"
            yield Finding(subject=RULE, result="unknown", what=what, where=moment.where(row), fix=fix)


def _addressed(estate: Estate) -> Iterator[tuple[str, str, str, IPv4Address]]:
    """(table, key, zone, address) of all that has an address others in its zone may see."""
    for host in estate.hosts.values():
        yield "hosts", host.key, host.zone, host.address.ip
    for interface in estate.interfaces.values():
        yield "interfaces", interface.key, interface.zone, interface.address.ip
    hiding = [router for router in estate.cloud_routers.values() if router.source_nat]
    hidden = {f"{router.tenant}/{name}" for router in hiding for name in router.networks}
    for server in estate.servers.values():
        if f"{server.tenant}/{server.network}" not in hidden:
            yield "servers", server.key, server_zone(estate, server), server.address


def _packets(moment: Moment, instances: set[tuple[str, str]]) -> Iterator[Finding]:
    """Packets with a private address inside the VRFs, on their way in or out of the zone's hosts."""
    fix = "translate it at the boundary, or remove the entry that lets it in"
    yield from moment.doubts(RULE, moment.crossings)
    found: dict[tuple[str, str], list[tuple[Mark, Reach]]] = {}
    for reach in moment.matrix.reaches():
        for mark in reach.inside:
            if (mark.node, mark.vrf) in instances and _leaks(reach, mark):
                found.setdefault((reach.source, mark.node), []).append((mark, reach))
    for (source, node), leaks in found.items():
        mark, reach = leaks[0]
        what = f"a packet of {source} is in {mark.vrf} on {node} with a private address"
        yield moment.fails(RULE, mark.row, what, fix, moment.trace(reach), (each for _mark, each in leaks))
    for crossing in delivered(moment.crossings):
        reach = crossing.reach
        enters = moment.zone(crossing.end_zone).kind == "common" and is_private(reach.way.header.source)
        leaves = moment.zone(crossing.source_zone).kind == "common" and is_private(reach.destination)
        if enters or leaves:
            what = f"{reach.source} and {reach.end} meet in the common zone with a private address"
            yield moment.fails(RULE, reach.way.marks[-1].row, what, fix, moment.trace(reach), (reach,))


def _leaks(reach: Reach, mark: Mark) -> bool:
    """A private source has leaked in; a private destination leaks only when its packet arrives."""
    return is_private(mark.source) or reach.way.outcome == "delivered"
