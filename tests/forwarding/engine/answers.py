"""The engine asked about single packets, in the words of the plain walker."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.rows import holds
from orchestrator.forwarding.engine.slices import NO_ANSWER
from orchestrator.forwarding.engine.trail import Ending


class Answer(NamedTuple):
    """Zones that may get a packet, those that surely do (on every branch), and whether something unknown stands by."""

    may: frozenset[int]
    must: frozenset[int]
    unknown: bool


def plain_answer(plain: Plain, zone: int, packet: Packet) -> Answer:
    """What the plain walker says."""
    ends = plain.ends(zone, packet)
    may = frozenset(end.zone for end in ends if end.ending == Ending.DELIVERED)
    sure = all(end.ending == Ending.DELIVERED for end in ends) and len(may) == 1
    return Answer(may, may if sure else frozenset(), any(end.ending == Ending.UNKNOWN for end in ends))


def nodes(engine: Engine, plain: Plain, zone: int, packet: Packet) -> list[int]:
    """The outcomes of a packet at every attachment that may send it."""
    senders = plain.rows.senders[zone]
    ports = {port for port, source in senders if holds(source, packet.family, packet.source)}
    pairs = zip(engine.attachments.port.tolist(), engine.attachments.zone.tolist(), strict=True)
    label = engine.labels.of(packet.family, packet.destination)
    return [engine.core.at(row, label) for row, (port, where) in enumerate(pairs) if where == zone and port in ports]


def engine_answer(engine: Engine, plain: Plain, zone: int, packet: Packet) -> Answer:
    """What the engine's outcomes and filters say."""
    found = nodes(engine, plain, zone, packet)
    decider = engine.decider
    one = PacketSet.of(decider.table.services, packet)
    zones = range(len(engine.base.zone_names))
    may = frozenset(to for to in zones if any(decider.delivered(node, one, to, False) for node in found))
    must = frozenset(to for to in zones if found and all(decider.delivered(node, one, to, True) for node in found))
    return Answer(may, must, any(decider.delivered(node, one, NO_ANSWER, False) for node in found))
