"""One packet for every set of packets that a network cannot tell apart: for small networks, all there is to ask.

Addresses are cut at both ends of every prefix, and where a 1:1 translation carries such an end back to; ports and
protocols at both ends of every range. Between two cuts nothing in the network sees a difference.
"""

from __future__ import annotations

from itertools import product
from random import Random
from typing import NamedTuple

from orchestrator.forwarding.engine.network import NONE, TCP, Network, Packet
from orchestrator.forwarding.engine.rows import WIDTH, Match, Prefix, Rows, holds


class Points(NamedTuple):
    """The first value of every cell, ascending; addresses by family."""

    addresses: dict[int, list[int]]
    protocols: list[int]
    source_ports: list[int]
    destination_ports: list[int]


def points(network: Network) -> Points:
    """The cells of a network."""
    rows = Rows(network)
    matches = [entry.match for one in rows.filters for entry in one.entries]
    matches += [rule.match for one in rows.translations for rule in one]
    return Points(
        {family: _addresses(rows, matches, family) for family in (4, 6)},
        _cuts([_protocols(match) for match in matches], 255),
        _cuts([match.source_port for match in matches], 65535),
        _cuts([match.destination_port for match in matches], 65535),
    )


def _protocols(match: Match) -> tuple[int, int]:
    """The protocols a match is about; whether a flag is set is asked of TCP alone."""
    return match.protocol if match.established == NONE else (TCP, TCP)


def _cuts(ranges: list[tuple[int, int]], last: int) -> list[int]:
    found = {0} | {low for low, _high in ranges} | {high + 1 for _low, high in ranges}
    return sorted(value for value in found if value <= last)


def _addresses(rows: Rows, matches: list[Match], family: int) -> list[int]:
    prefixes = [route.prefix for route in rows.routes]
    prefixes += [source for zone in rows.senders for _port, source in zone]
    prefixes += [half for match in matches for half in (match.source, match.destination)]
    rules = [rule for one in rows.translations for rule in one if rule.to.family == family and not rule.many_to_one]
    found = {0}
    for prefix in [*prefixes, *(rule.to for rule in rules)]:
        if prefix.family == family:
            found |= {prefix.network, end_of(prefix)}
    grown = 0
    while grown != len(found):
        grown = len(found)
        for rule in rules:
            half = rule.match.destination if rule.rewrites_destination else rule.match.source
            inside = [cut - rule.to.network for cut in found if rule.to.network < cut < end_of(rule.to)]
            found |= {half.network + offset for offset in inside}
    return sorted(cut for cut in found if cut < 1 << WIDTH[family])


def end_of(prefix: Prefix) -> int:
    """The first address behind a prefix."""
    return prefix.network + (1 << prefix.rest)


def every_packet(network: Network, zone: int) -> list[Packet]:
    """One packet of every cell that the zone can send."""
    cells, found = points(network), []
    blank = Packet(4, 0, 0, 0, 0, 0)
    ports = product(cells.protocols, cells.source_ports, cells.destination_ports, (False, True))
    services = [blank._replace(protocol=a, source_port=b, destination_port=c, established=d) for a, b, c, d in ports]
    flags = product(cells.protocols, (False, True))
    services += [blank._replace(protocol=a, established=b, fragment=True) for a, b in flags]
    for family in (4, 6):
        addresses = cells.addresses[family]
        senders = [source for _port, source in Rows(network).senders[zone]]
        sources = [address for address in addresses if any(holds(source, family, address) for source in senders)]
        for source, destination in product(sources, addresses):
            ends = {"family": family, "source": source, "destination": destination}
            found += [Packet(**{**service._asdict(), **ends}) for service in services]
    return found


def some_packets(network: Network, random: Random, count: int) -> list[tuple[int, Packet]]:
    """Random packets at the edges and in the midst of cells, each with a zone that can send it."""
    cells, found = points(network), []
    senders = [(zone, source) for zone, rows in enumerate(Rows(network).senders) for _port, source in rows]
    for _number in range(count if senders else 0):
        zone, source = senders[random.randint(0, len(senders) - 1)]
        addresses = cells.addresses[source.family]
        mine = [address for address in addresses if holds(source, source.family, address)]
        shape = random.randint(0, 9)
        fragment = shape == 9
        packet = Packet(
            source.family,
            _near(random, mine, end_of(source) - 1),
            _near(random, addresses, (1 << WIDTH[source.family]) - 1),
            _near(random, cells.protocols, 255),
            0 if fragment else _near(random, cells.source_ports, 65535),
            0 if fragment else _near(random, cells.destination_ports, 65535),
            random.randint(0, 4) == 4,
            fragment,
        )
        found.append((zone, pinged(packet) if shape == 8 else packet))
    return found


def pinged(packet: Packet) -> Packet:
    """A message of ICMP instead: mostly an echo request, else its reply or one whose answer only IPv4 knows."""
    echo, reply = (8, 0) if packet.family == 4 else (128, 129)
    kind = (echo, echo, echo, reply, 13)[packet.destination_port % 5]
    protocol = 1 if packet.family == 4 else 58
    return packet._replace(protocol=protocol, source_port=0, destination_port=kind << 8)


def _near(random: Random, cuts: list[int], last: int) -> int:
    """A value of a random cell: its first, its last, or one between."""
    place = random.randint(0, len(cuts) - 1)
    low, high = cuts[place], cuts[place + 1] - 1 if place + 1 < len(cuts) else last
    high = max(low, min(high, last))
    where = random.randint(0, 2)
    return (low, high)[where] if where < 2 else random.randint(low, high)
