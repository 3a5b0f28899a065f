"""Does a flow work, there and back? The plain walker's answer, counting every branch."""

from __future__ import annotations

from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import Ending, Trail, answer_to


def works(plain: Plain, zone: int, packet: Packet) -> bool | None:
    """True when every branch of the packet ends in one zone and every branch of each answer comes back as it must.

    False when any branch fails for certain; None when only something unknown stands against it.
    """
    trails = plain.trails(zone, packet)
    ends = {trail.end.zone for trail in trails if trail.end.ending == Ending.DELIVERED}
    if not trails or len(ends) > 1:
        return False
    verdicts = [_branch_works(plain, zone, packet, trail) for trail in trails]
    return False if False in verdicts else None if None in verdicts else True


def _branch_works(plain: Plain, zone: int, packet: Packet, trail: Trail) -> bool | None:
    if trail.end.ending != Ending.DELIVERED:
        return _verdict(trail.end.ending)
    ends = plain.ends(trail.end.zone, answer_to(trail.end.packet), trail.memories)
    if not ends:
        return False
    back = answer_to(packet)
    verdicts = [
        _verdict(end.ending) if end.ending != Ending.DELIVERED else (end.zone, end.packet) == (zone, back)
        for end in ends
    ]
    return False if False in verdicts else None if None in verdicts else True


def _verdict(ending: Ending) -> bool | None:
    return None if ending == Ending.UNKNOWN else False
