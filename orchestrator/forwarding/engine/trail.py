"""A packet's way as the plain walker tells it: one table after the other, and what the devices remember."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from orchestrator.forwarding.engine.network import ECHO_REQUEST, OperationKind, Packet

_ANSWERED: Final = {
    (4, 1): {ECHO_REQUEST: 0, 13 << 8: 14 << 8, 15 << 8: 16 << 8, 17 << 8: 18 << 8},
    (6, 58): {128 << 8: 129 << 8},
}
"""By family and protocol: requests and their replies, type * 256 + code (RFC 792, RFC 950; RFC 4443, 4.1 and 4.2)."""


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


def answer_to(packet: Packet) -> Packet | None:
    """The packet that comes back: ends exchanged, known as an answer; None when nothing does.

    A request of ICMP (protocol 1 of IPv4, 58 of IPv6) is answered by the reply of its type: echo and, in IPv4,
    timestamp, information and address mask, all of code 0. Other messages have no answer. A later fragment has no type
    to tell.
    """
    back = packet._replace(source=packet.destination, destination=packet.source, established=True)
    replies = _ANSWERED.get((packet.family, packet.protocol))
    if replies is None or packet.fragment:
        return back._replace(source_port=packet.destination_port, destination_port=packet.source_port)
    reply = replies.get(packet.destination_port)
    return None if reply is None else back._replace(destination_port=reply)
