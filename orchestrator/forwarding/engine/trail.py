"""A packet's way as the plain walker tells it: one table after the other, and what the devices remember."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from orchestrator.forwarding.engine.network import OperationKind, Packet


class Ending(IntEnum):
    """What became of a packet."""

    DROPPED = 0
    LOOP = 1
    UNKNOWN = 2
    DELIVERED = 3


class Passed(NamedTuple):
    """An operation that a packet met, and the row (entry, rule, policy entry) that decided; NONE: the default."""

    kind: OperationKind
    number: int
    row: int


class Step(NamedTuple):
    """One table on the way. `route`: row of Network.routes, NONE when a policy or nothing decided."""

    in_port: int
    table: int
    route: int
    out_port: int
    passed: tuple[Passed, ...]
    packet: Packet  # as it went on or ended


class Memory(NamedTuple):
    """What a device remembers of a packet that crossed it: the header as it came and as it left."""

    device: int
    came: Packet
    left: Packet


class End(NamedTuple):
    """The end of a branch. `place`: the zone of a delivery, the port (or NONE) otherwise."""

    ending: Ending
    zone: int
    reason: str
    line: int
    packet: Packet


class Trail(NamedTuple):
    """One branch from its zone to its end, and what the devices on it remember."""

    steps: tuple[Step, ...]
    end: End
    memories: tuple[Memory, ...]


def answer_to(packet: Packet) -> Packet:
    """The packet that comes back: ends exchanged, known as an answer."""
    return packet._replace(
        source=packet.destination,
        destination=packet.source,
        source_port=packet.destination_port,
        destination_port=packet.source_port,
        established=True,
    )
