"""Two routers with one identifier in one domain: neighbours take each for the other, and no table can be computed.

OSPF and IS-IS: routers that are joined over segments on which both speak (RFC 2328, C.1; ISO 10589, 7.1.4). BGP: one
autonomous system (RFC 6286, 2.1). Instances of several VRFs on one router may share its identifier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from orchestrator.forwarding.control.design import Design, Interface, Router


class Speaker(NamedTuple):
    """A process of a router, told apart from others of its router by its VRF."""

    router: str
    vrf: str


def shared_identifiers(design: Design) -> Iterator[str]:
    """What two routers of one domain are both called, with the next move."""
    for router_id, system, ones in _of_bgp(design):
        yield f"BGP router id {router_id} of AS {system} {_both(ones)}"
    for family in (4, 6):
        told = {Speaker(router.name, one.vrf): str(one.router_id)
                for router in design.routers for one in router.ospf if one.family == family}  # fmt: skip
        for name, ones in _joined(design, told, f"ospf{'' if family == 4 else '6'}"):
            yield f"OSPF{'' if family == 4 else 'v3'} router id {name} {_both(ones)}"
    told = {Speaker(router.name, one.vrf): one.system_id for router in design.routers for one in router.isis}
    for name, ones in _joined(design, told, "isis"):
        yield f"IS-IS system id {name} {_both(ones)}"


def _both(routers: list[str]) -> str:
    return f"is that of {' and '.join(routers)}, which are in one domain: give each its own"


def _of_bgp(design: Design) -> Iterator[tuple[str, int, list[str]]]:
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for router in design.routers:
        for told in router.bgp:
            found[str(told.router_id), told.autonomous_system].add(router.name)
    yield from ((name, system, sorted(ones)) for (name, system), ones in found.items() if len(ones) > 1)


def _joined(design: Design, told: dict[Speaker, str], protocol: str) -> Iterator[tuple[str, list[str]]]:
    """Identifiers that several routers of one domain have: what speakers are told, joined over their interfaces."""
    domain = _domains(design, told, protocol)
    found: dict[tuple[Speaker, str], set[str]] = defaultdict(set)
    for speaker, name in told.items():
        found[domain[speaker], name].add(speaker.router)
    yield from ((name, sorted(ones)) for (_domain, name), ones in found.items() if len(ones) > 1)


def _domains(design: Design, told: dict[Speaker, str], protocol: str) -> dict[Speaker, Speaker]:
    """One speaker for all of its domain."""
    domain = {speaker: speaker for speaker in told}
    first: dict[Hashable, Speaker] = {}
    members: dict[Speaker, list[Speaker]] = {speaker: [speaker] for speaker in told}
    for speaker, segment in _speaking(design.routers, told, protocol):
        one, other = domain[first.setdefault(segment, speaker)], domain[speaker]
        if one != other:
            less, more = sorted((one, other), key=lambda which: len(members[which]))
            for moved in members[less]:
                domain[moved] = more
            members[more] += members.pop(less)
    return domain


def _speaking(
    routers: tuple[Router, ...], told: dict[Speaker, str], protocol: str
) -> Iterator[tuple[Speaker, Hashable]]:
    """Who may have neighbours where: in OSPF only those of one area."""
    for router in routers:
        for interface in router.interfaces:
            speaker, area = Speaker(router.name, interface.vrf), _area(interface, protocol)
            if speaker in told and area is not None and interface.segment is not None:
                yield speaker, (interface.segment, area)


def _area(interface: Interface, protocol: str) -> int | None:
    """The area in which an interface looks for neighbours (IS-IS: 0, level 2 knows none); None: nowhere."""
    if protocol == "isis":
        return None if interface.isis is None or interface.isis.passive else 0
    port = interface.ospf if protocol == "ospf" else interface.ospf6
    return None if port is None or port.passive else port.area
