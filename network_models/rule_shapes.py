"""Rows of filter entries before they are filters: what services there are, and what public firewall sets look like.

The shapes of the second kind follow ClassBench (Taylor and Turner, INFOCOM 2005): five classes of port conditions
(any, 1024 and up, below 1024, a range of its own, one port) in fixed shares, prefixes nested in each other, a few
services that occur again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from network_models.columns import Long, joined, prefixes, taken
from orchestrator.forwarding.engine.network import NONE, Action, Prefixes

TCP, UDP, ICMP = 6, 17, 1
HIGH_RISK: Final = (
    (TCP, 135, 139), (UDP, 135, 139), (TCP, 445, 445), (TCP, 3389, 3389), (TCP, 23, 23), (UDP, 69, 69),
    (TCP, 5900, 5910), (UDP, 1900, 1900),
)  # fmt: skip
SERVICES: Final = (
    (TCP, 443, 443), (TCP, 80, 80), (TCP, 8080, 8090), (TCP, 22, 22), (TCP, 3306, 3306), (TCP, 1521, 1521),
    (TCP, 5236, 5236), (UDP, 53, 53), (TCP, 53, 53), (UDP, 123, 123), (TCP, 9000, 9010), (TCP, 6379, 6379),
    (UDP, 161, 162), (UDP, 514, 514), (TCP, 20000, 20100), (ICMP, 8 * 256, 8 * 256 + 255), (TCP, 25, 25),
    (TCP, 389, 389), (TCP, 636, 636), (TCP, 5432, 5432), (TCP, 8443, 8443), (TCP, 9200, 9300), (UDP, 5060, 5061),
    (UDP, 16384, 32767), (TCP, 7001, 7003), (TCP, 61616, 61616),
)  # fmt: skip
FORBIDDEN: Final = (TCP, 27017, 27018)  # in no intention: a permit of it is an injected fault
_RANGES: Final = ((6000, 6063), (1024, 5000), (33434, 33523), (7000, 7999), (137, 4000), (10000, 20000), (200, 900))
_PORTS: Final = (20, 21, 111, 113, 119, 143, 179, 993, 995, 1433, 1494, 1723, 2049, 3128, 5190, 8000, 8888, 27374)


@dataclass(frozen=True)
class Rows:
    """Entries in no order yet: filter, place in it (any real number), and what they say."""

    filter: Long
    place: np.ndarray[tuple[int], np.dtype[np.float64]]
    source: Prefixes
    destination: Prefixes
    protocol: Long  # (rows, 2)
    source_port: Long  # (rows, 2)
    destination_port: Long  # (rows, 2)
    action: Long

    def __len__(self) -> int:
        """How many entries."""
        return len(self.filter)


def rows(
    filters: Long,
    place: object,
    source: Prefixes,
    destination: Prefixes,
    service: Long,
    action: Action,
    source_port: Long | None = None,
) -> Rows:
    """Entries from columns; `service` is (rows, 3): protocol (NONE: any), lowest and highest destination port."""
    count = len(filters)
    protocol = np.stack([np.maximum(service[:, 0], 0), np.where(service[:, 0] == NONE, 255, service[:, 0])], axis=1)
    ports = np.broadcast_to([0, 65535], (count, 2)) if source_port is None else source_port
    return Rows(
        filters, np.broadcast_to(np.asarray(place, np.float64), (count,)).copy(), source, destination, protocol,
        ports.astype(np.int64), service[:, 1:].astype(np.int64), np.full(count, action),
    )  # fmt: skip


def stacked(parts: Sequence[Rows]) -> Rows:
    """One after the other."""
    return Rows(
        np.concatenate([part.filter for part in parts]), np.concatenate([part.place for part in parts]),
        joined([part.source for part in parts]), joined([part.destination for part in parts]),
        np.concatenate([part.protocol for part in parts]), np.concatenate([part.source_port for part in parts]),
        np.concatenate([part.destination_port for part in parts]), np.concatenate([part.action for part in parts]),
    )  # fmt: skip


def picked(source: Rows, at: Long) -> Rows:
    """These entries."""
    return Rows(
        source.filter[at], source.place[at], taken(source.source, at), taken(source.destination, at),
        source.protocol[at], source.source_port[at], source.destination_port[at], source.action[at],
    )  # fmt: skip


def narrowed(many: Prefixes, by: Long, random: np.random.Generator) -> Prefixes:
    """A random part of each IPv4 prefix, `by` bits longer (at most /32); IPv6 prefixes stay as they are."""
    four = many.family == 4
    length = np.where(four, np.minimum(many.length + by, 32), many.length).astype(np.int64)
    room = random.integers(0, 1 << 32, len(length)) & ((np.int64(1) << (32 - many.length.astype(np.int64) % 33)) - 1)
    inside = (many.low.astype(np.int64) | np.where(four, room, 0)) & ~np.where(
        four, (np.int64(1) << (32 - length)) - 1, 0
    )
    return prefixes(many.family, many.high, inside.astype(np.uint64), length)


def public_services(count: int, random: np.random.Generator) -> tuple[Long, Long]:
    """(services, source ports) in the shares of public sets: any, high, low, a range, one port; mostly TCP."""
    protocol = random.choice([TCP, UDP, ICMP, NONE], count, p=[0.7, 0.2, 0.04, 0.06])
    kinds = np.array([[0, 65535], [1024, 65535], [0, 1023]])
    table = np.concatenate([kinds, np.array(_RANGES), np.repeat(np.array(_PORTS)[:, None], 2, axis=1)])
    share = np.concatenate(
        [[0.12, 0.08, 0.03], np.full(len(_RANGES), 0.22 / len(_RANGES)), np.full(len(_PORTS), 0.55 / len(_PORTS))]
    )
    ports = table[random.choice(len(table), count, p=share)]
    ports[protocol == NONE] = (0, 65535)
    sources = np.array([[0, 65535], [1024, 65535], [53, 53]])[random.choice(3, count, p=[0.85, 0.13, 0.02])]
    sources[(protocol != TCP) & (protocol != UDP)] = (0, 65535)
    return np.concatenate([protocol[:, None], ports], axis=1), sources
