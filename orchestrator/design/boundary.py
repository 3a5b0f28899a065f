"""Filters: one explicit 5-tuple for every registered flow, on the boundary device and on filtering site routers."""

from ipaddress import IPv4Network

from orchestrator.design.crossings import Crossing, crossings, doorways
from orchestrator.design.departments import Access, Department
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import Endpoint, destinations, in_force, sources
from orchestrator.model.network import FilterRule, Protocol
from orchestrator.model.policy import Flow

FIRST, STEP, LAST = 1000, 10, 99999


def build_boundary(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write the entries of the boundary device for all flows that cross it, as far as no other entry is theirs."""
    groups: dict[tuple[str, str, str, str], list[Crossing]] = {}
    for crossing in crossings(draft.estate, draft.policy, departments):
        entry, exit_ = crossing.entry, crossing.exit
        groups.setdefault((entry.device, crossing.flow.code, entry.port, exit_.port), []).append(crossing)
    purposes: set[str] = set()
    for (device, code, entry_port, exit_port), group in sorted(groups.items()):
        purpose = f"sequence-{device}/{code}/{entry_port}"
        purpose = f"{purpose}/{exit_port}" if purpose in purposes else purpose
        purposes.add(purpose)
        own = draft.allocator.held(purpose)
        others = [
            rule
            for rule in draft.now.filter_rules.values()
            if (rule.device, rule.flow, rule.action) == (device, code, "accept") and str(rule.sequence) != own
        ]
        if needed := [crossing for crossing in group if not any(_accepts(rule, crossing) for rule in others)]:
            _entry(draft, purpose, needed)
    _unserved(draft, departments)


def _accepts(rule: FilterRule, crossing: Crossing) -> bool:
    """Whether an entry lets a crossing pass, all of it."""
    flow = crossing.flow
    ways = ((rule.in_interfaces, crossing.entry.port), (rule.out_interfaces, crossing.exit.port))
    ends = ((rule.sources, crossing.source.address), (rule.destinations, crossing.destination.address))
    service = rule.protocol in ("any", flow.protocol) and (
        not rule.ports or any(low <= flow.port <= high for low, high in rule.ports)
    )
    return (
        service
        and all(not ports or port in ports for ports, port in ways)
        and all(not nets or (address is not None and any(address in net for net in nets)) for nets, address in ends)
    )


def _entry(draft: Draft, purpose: str, group: list[Crossing]) -> None:
    flow, entry, exit_ = group[0].flow, group[0].entry, group[0].exit
    device = entry.device
    sequence = draft.allocator.number(purpose, range(FIRST, LAST, STEP), sequences(draft, device), LAST)
    rule = FilterRule(
        device=device,
        sequence=sequence,
        action="accept",
        in_interfaces=(entry.port,),
        out_interfaces=(exit_.port,),
        sources=exactly(crossing.source for crossing in group),
        destinations=exactly(crossing.destination for crossing in group),
        **transport(flow),
        flow=flow.code,
    )
    choice = f"{device} {sequence} {entry.port} > {exit_.port} {flow.protocol}/{flow.port}"
    draft.decide(
        f"flow {flow.code}",
        choice,
        f"{flow.purpose} / a registered flow between zones: explicit 5-tuple (R6)",
        draft.put(rule),
    )


def sequences(draft: Draft, device: str) -> list[int]:
    """Sequence numbers that a device's filter has now."""
    return [rule.sequence for rule in draft.now.filter_rules.values() if rule.device == device]


def transport(flow: Flow) -> dict[str, object]:
    """Protocol and ports of a flow, as fields of a filter entry."""
    protocol: Protocol = flow.protocol
    return {"protocol": protocol, "ports": ((flow.port, flow.port),) if protocol in ("tcp", "udp") else ()}


def exactly(ends: object) -> tuple[IPv4Network, ...]:
    """The ends' addresses, each as a /32, sorted; empty when an end is a whole zone."""
    found = {end.address for end in ends}  # type: ignore[attr-defined]  # any iterable of Endpoint
    return () if None in found else tuple(IPv4Network(address) for address in sorted(found))


def _unserved(draft: Draft, departments: tuple[Department, ...]) -> None:
    """A flow that names nobody, or that must cross a boundary with no port towards its zone, is a finding."""
    doors = doorways(draft.estate, draft.policy, departments)
    for flow in draft.policy.flows:
        if not in_force(flow, draft.policy.planned_from):
            continue
        begins, ends = sources(draft.estate, flow), destinations(draft.estate, flow)
        if not begins or not ends:
            draft.find(
                f"flows[{flow.code}]",
                "unknown",
                f"{flow.code} {flow.purpose}: {'nobody asks' if not begins else 'nobody answers'} in the target",
                f"correct {'source' if not begins else 'destination'} of {flow.code} in policy.yaml",
            )
        for zone in sorted({b.zone for b in begins} ^ {e.zone for e in ends}) if begins and ends else ():
            if zone not in doors:
                draft.find(
                    f"flows[{flow.code}]",
                    "unknown",
                    f"{flow.code} {flow.purpose}: no boundary port towards zone {zone}",
                    f"reserve a spare link between a PE and the boundary device for zone {zone}",
                )


def build_site_filters(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write the entries of site routers that filter: what their terminals need through the new uplink."""
    for department in departments:
        for access in department.sites:
            if access.device in draft.now.filters:
                _site_filter(draft, access)


def _site_filter(draft: Draft, access: Access) -> None:
    prefix = draft.estate.private_sites[access.key].prefix
    ports = sorted(
        i.name for i in draft.estate.interfaces.values() if i.device == access.device and i.address.network == prefix
    )
    for flow in sorted(draft.policy.flows, key=lambda each: each.code):
        if not in_force(flow, draft.policy.planned_from) or not ports:
            continue
        begins = [end for end in sources(draft.estate, flow) if _inside(end, prefix)]
        ends = [end for end in destinations(draft.estate, flow) if not _inside(end, prefix)]
        if begins and ends:
            _site_rule(draft, access, flow, ports[0], (begins, ends))


def _site_rule(
    draft: Draft, access: Access, flow: Flow, port: str, ends: tuple[list[Endpoint], list[Endpoint]]
) -> None:
    device = access.device
    purpose = f"sequence-{device}/{flow.code}/{port}"
    sequence = draft.allocator.number(purpose, range(FIRST, LAST, STEP), sequences(draft, device), LAST)
    rule = FilterRule(
        device=device,
        sequence=sequence,
        action="accept",
        in_interfaces=(port,),
        out_interfaces=(access.leg.port,),
        sources=exactly(ends[0]),
        destinations=exactly(ends[1]),
        **transport(flow),
        flow=flow.code,
    )
    choice = f"{device} {sequence} {port} > {access.leg.port} {flow.protocol}/{flow.port}"
    draft.decide(
        f"flow {flow.code} at {access.site}",
        choice,
        f"{flow.purpose} / the site's own filter stays in force",
        draft.put(rule),
    )


def _inside(end: Endpoint, prefix: IPv4Network) -> bool:
    return end.address is not None and end.address in prefix
