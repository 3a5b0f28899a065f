"""Does a flow work, there and back? The plain walker's answer, counting every branch."""

from __future__ import annotations

from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import Ending, Trail, answer_to


def works(plain: Plain, zone: int, packet: Packet) -> bool | None:
    """True when every branch of the packet ends in one zone and every branch of each answer comes back as it must.

    False when any branch fails for certain, and for a packet that has no answer (trail.answer_to); None when only
    something unknown stands against it.
    """
    back = answer_to(packet)
    if back is None:
        return False
    trails = plain.trails(zone, packet)
    ends = {trail.end.zone for trail in trails if trail.end.ending == Ending.DELIVERED}
    if not trails or len(ends) > 1:
        return False
    worst: bool | None = True
    for trail in trails:
        works_here = _branch_works(plain, zone, back, trail)
        if works_here is False:
            return False
        worst = works_here and worst
    return worst


def _branch_works(plain: Plain, zone: int, back: Packet, trail: Trail) -> bool | None:
    if trail.end.ending != Ending.DELIVERED:
        return _verdict(trail.end.ending)
    answer = answer_to(trail.end.packet)
    ends = plain.ends(trail.end.zone, answer, trail.memories) if answer is not None else frozenset()
    if not ends:
        return False
    verdicts = [
        _verdict(end.ending) if end.ending != Ending.DELIVERED else (end.zone, end.packet) == (zone, back)
        for end in ends
    ]
    return False if False in verdicts else None if None in verdicts else True


def _verdict(ending: Ending) -> bool | None:
    return None if ending == Ending.UNKNOWN else False
