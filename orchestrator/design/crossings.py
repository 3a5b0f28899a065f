"""Which registered flows cross the boundary device between which of its ports."""

from orchestrator.design.departments import Department, interface_at
from orchestrator.design.endpoints import Endpoint, destinations, in_force, sources
from orchestrator.model.base import Noun
from orchestrator.model.census import InternetEgress
from orchestrator.model.estate import Estate
from orchestrator.model.network import Interface, Link
from orchestrator.model.policy import Flow, Policy


class Doorway(Noun):
    """A port of the boundary device and the zone behind it. `pe`, `pe_port`, `vrf` are empty towards the Internet."""

    device: str
    port: str
    zone: str
    pe: str = ""
    pe_port: str = ""
    vrf: str = ""


class Crossing(Noun):
    """One pair of ends of a flow that must pass the boundary device."""

    flow: Flow
    source: Endpoint
    destination: Endpoint
    entry: Doorway
    exit: Doorway


def platform(estate: Estate) -> InternetEgress | None:
    """The city-county access platform's exit, or None."""
    return next((egress for _, egress in sorted(estate.egresses.items()) if egress.shared_platform), None)


def doorways(estate: Estate, policy: Policy, departments: tuple[Department, ...]) -> dict[str, Doorway]:
    """Zone -> the boundary device's port towards it."""
    boundary = next((name for name, device in sorted(estate.devices.items()) if device.role == "boundary"), None)
    if boundary is None:
        return {}
    doors = [door for _, link in sorted(estate.links.items()) for door in _towards_edge(estate, link, boundary)]
    exit_ = platform(estate)
    if exit_ and exit_.device == boundary:
        names = [zone.name for zone in policy.zones if zone.kind == "internet"]
        doors += [Doorway(device=boundary, port=exit_.interface, zone=name) for name in names]
    doors += [door for department in departments if (door := _own(department))]
    return {door.zone: door for door in doors}


def _towards_edge(estate: Estate, link: Link, boundary: str) -> list[Doorway]:
    """The boundary's port on a link whose other end is in a VRF."""
    ends = (link.a_node, link.a_port), (link.b_node, link.b_port)
    found = []
    for (node, port), (other, other_port) in (ends, ends[::-1]):
        edge = interface_at(estate, node, port) if other == boundary else None
        if edge and (vrf := estate.vrfs.get(f"{node}/{edge.vrf}")):
            found.append(Doorway(device=boundary, port=other_port, zone=vrf.zone, pe=node, pe_port=port, vrf=vrf.name))
    return found


def _own(department: Department) -> Doorway | None:
    leg, zone = department.firewall, department.zone
    if leg is None:
        return None
    return Doorway(device=leg.device, port=leg.port, zone=zone, pe=leg.pe, pe_port=leg.pe_port, vrf=department.vrf)


def crossings(estate: Estate, policy: Policy, departments: tuple[Department, ...]) -> tuple[Crossing, ...]:
    """All crossings of the target, by flow, source and destination."""
    doors = doorways(estate, policy, departments)
    found = []
    for flow in sorted(policy.flows, key=lambda each: each.code):
        if not in_force(flow, policy.planned_from):
            continue
        for source in sources(estate, flow):
            for destination in destinations(estate, flow):
                entry, exit_ = doors.get(source.zone), doors.get(destination.zone)
                if entry and exit_ and entry != exit_:
                    found.append(Crossing(flow=flow, source=source, destination=destination, entry=entry, exit=exit_))
    return tuple(found)


def near_interface(estate: Estate, doorway: Doorway) -> Interface | None:
    """The boundary device's own interface at a doorway."""
    return interface_at(estate, doorway.device, doorway.port)


def far_interface(estate: Estate, doorway: Doorway) -> Interface | None:
    """The PE's interface at the other end of a doorway."""
    return interface_at(estate, doorway.pe, doorway.pe_port)
