"""Which registered flows cross the boundary device between which of its ports."""

from orchestrator.design.departments import Department, interface_at
from orchestrator.design.endpoints import Endpoint, destinations, in_force, sources
from orchestrator.model.base import Noun
from orchestrator.model.census import InternetEgress
from orchestrator.model.estate import Estate
from orchestrator.model.network import Interface
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
    found: dict[str, Doorway] = {}
    boundary = next((name for name, device in sorted(estate.devices.items()) if device.role == "boundary"), None)
    if boundary is None:
        return found
    for link in estate.links.values():
        for near, far in (((link.a_node, link.a_port), (link.b_node, link.b_port)), ((link.b_node, link.b_port), (link.a_node, link.a_port))):
            edge = interface_at(estate, *near)
            if far[0] == boundary and edge and (vrf := estate.vrfs.get(f"{near[0]}/{edge.vrf}")):
                found[vrf.zone] = Doorway(
                    device=boundary, port=far[1], zone=vrf.zone, pe=near[0], pe_port=near[1], vrf=vrf.name
                )
    exit_ = platform(estate)
    if exit_ and exit_.device == boundary:
        for zone in policy.zones:
            if zone.kind == "internet":
                found[zone.name] = Doorway(device=boundary, port=exit_.interface, zone=zone.name)
    for department in departments:
        if leg := department.firewall:
            found[department.zone] = Doorway(
                device=leg.device, port=leg.port, zone=department.zone, pe=leg.pe, pe_port=leg.pe_port, vrf=department.vrf
            )
    return found


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
