"""Exact sets of packets: source addresses x destination addresses x services.

A set is a function: each destination has a *row*, each row gives each source a bitset of service atoms (services.py).
Both are kept as sorted, maximal intervals with equal values, empty ones left out. That form is unique, so two sets are
equal exactly when their tuples are. Addresses are *positions*: IPv4 address a is a, IPv6 address a is 2**33 + a;
intervals are [low, high). A packet's source and destination have one family, and no operation mixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from operator import and_, itemgetter, or_
from typing import Final, NamedTuple, TypeVar

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.services import ServiceBox, Services

SIX: Final = 1 << 33
FAMILIES: Final = ((0, 1 << 32), (SIX, SIX + (1 << 128)))

Interval = tuple[int, int]
Row = tuple[tuple[int, int, int], ...]  # (low, high, services)
Piece = tuple[int, int, Row]
Value = TypeVar("Value")


class PacketsError(OnefoldError):
    """Two sets of packets that speak of different services were put together."""


class PacketBox(NamedTuple):
    """One box of packets for people: address ranges (both ends included) and services."""

    source: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]
    destination: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]
    service: ServiceBox

    def __str__(self) -> str:
        service = self.service
        sides = [f"{low}" if low == high else f"{low}-{high}" for low, high in (self.source, self.destination)]
        ports = [
            "" if span == (0, 65535) else f":{span[0]}" if span[0] == span[1] else f":{span[0]}-{span[1]}"
            for span in (service.source_port, service.destination_port)
        ]
        low, high = service.protocol
        name = "any protocol" if (low, high) == (0, 255) else f"protocol {low}" if low == high else f"{low}-{high}"
        notes = {True: " established", False: " new", None: ""}[service.established]
        return f"{name} {sides[0]}{ports[0]} -> {sides[1]}{ports[1]}{notes}{' later fragments' * service.fragment}"


def position(family: int, address: int) -> int:
    """The place of an address in the order of all addresses."""
    return address if family == 4 else SIX + address


def address_at(place: int) -> tuple[int, int]:
    """(family, address) of a position."""
    return (4, place) if place < SIX else (6, place - SIX)


def text_at(place: int) -> IPv4Address | IPv6Address:
    """A position as an address for people."""
    return IPv4Address(place) if place < SIX else IPv6Address(place - SIX)


def union_of(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted intervals that neither overlap nor touch."""
    result: list[Interval] = []
    for low, high in sorted(intervals):
        if high <= low:
            continue
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


def common(left: Iterable[Interval], right: Iterable[Interval]) -> tuple[Interval, ...]:
    """What two lists of intervals share."""
    ones, others = union_of(left), union_of(right)
    result: list[Interval] = []
    one = other = 0
    while one < len(ones) and other < len(others):
        low, high = max(ones[one][0], others[other][0]), min(ones[one][1], others[other][1])
        if low < high:
            result.append((low, high))
        if ones[one][1] <= others[other][1]:
            one += 1
        else:
            other += 1
    return tuple(result)


def joined(pieces: Iterable[tuple[int, int, Value]]) -> tuple[tuple[int, int, Value], ...]:
    """Sorted disjoint pieces with empty values left out and equal neighbours made one."""
    result: list[tuple[int, int, Value]] = []
    for low, high, value in pieces:
        if not value:
            continue
        if result and result[-1][1] == low and result[-1][2] == value:
            result[-1] = (result[-1][0], high, value)
        else:
            result.append((low, high, value))
    return tuple(result)


def combined(
    left: tuple[tuple[int, int, Value], ...],
    right: tuple[tuple[int, int, Value], ...],
    empty: Value,
    operation: Callable[[Value, Value], Value],
) -> tuple[tuple[int, int, Value], ...]:
    """Two functions of an address put together point by point; `empty` where one of them has no piece."""
    points = sorted({point for pieces in (left, right) for low, high, _ in pieces for point in (low, high)})

    def swept() -> Iterator[tuple[int, int, Value]]:
        one = other = 0
        for low, high in pairwise(points):
            while one < len(left) and left[one][1] <= low:
                one += 1
            while other < len(right) and right[other][1] <= low:
                other += 1
            mine = left[one][2] if one < len(left) and left[one][0] <= low else empty
            yours = right[other][2] if other < len(right) and right[other][0] <= low else empty
            yield low, high, operation(mine, yours)

    return joined(swept())


@dataclass(frozen=True)
class PacketSet:
    """A set of packets in its unique form. `==` compares the sets (of equal services)."""

    services: Services
    pieces: tuple[Piece, ...] = ()

    @classmethod
    def product(
        cls, services: Services, sources: Iterable[Interval], destinations: Iterable[Interval], bits: int
    ) -> PacketSet:
        """Every packet from `sources` to `destinations` (positions) with a service of `bits`, family by family."""
        pieces: list[Piece] = []
        ones, others = union_of(sources), union_of(destinations)
        for family in FAMILIES if bits else ():
            row: Row = tuple((low, high, bits) for low, high in common(ones, [family]))
            pieces += [(low, high, row) for low, high in common(others, [family]) if row]
        return cls(services, tuple(pieces))

    @classmethod
    def of(cls, services: Services, packet: Packet) -> PacketSet:
        """The packets that nothing tells apart from this one, with its addresses."""
        source, destination = position(packet.family, packet.source), position(packet.family, packet.destination)
        bits = 1 << services.atom(packet)
        return cls.product(services, [(source, source + 1)], [(destination, destination + 1)], bits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PacketSet):
            return NotImplemented
        left, right = together(self, other)
        return left.pieces == right.pieces

    def __hash__(self) -> int:
        return hash(tuple((low, high) for low, high, _ in self.pieces))  # the same in finer services

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __or__(self, other: PacketSet) -> PacketSet:
        left, right = together(self, other)
        if not (left.pieces and right.pieces):
            return left if left.pieces else right
        return left.combine(right, or_)

    def __and__(self, other: PacketSet) -> PacketSet:
        return self.combine(other, and_)

    def __sub__(self, other: PacketSet) -> PacketSet:
        left, right = together(self, other)
        return left.combine(right, lambda mine, yours: mine & ~yours) if right.pieces else left

    def __le__(self, other: PacketSet) -> bool:
        return self is other or not self - other

    @property
    def is_empty(self) -> bool:
        """No packet at all."""
        return not self.pieces

    def combine(self, other: PacketSet, operation: Callable[[int, int], int]) -> PacketSet:
        """Both sets put together, services by services; `operation` of two empty sets has to be empty."""
        left, right = together(self, other)
        known: dict[tuple[int, int], Row] = {}
        rows: dict[Row, Row] = {}

        def either(mine: int, yours: int) -> int:  # services are large numbers: none is kept twice
            result = operation(mine, yours)
            return mine if result == mine else yours if result == yours else result

        def both(mine: Row, yours: Row) -> Row:
            key = (id(mine), id(yours))  # rows live as long as the two sets: the same objects, the same answer
            if key not in known:
                row = combined(mine, yours, 0, either)
                known[key] = rows.setdefault(row, row)
            return known[key]

        return PacketSet(left.services, combined(left.pieces, right.pieces, (), both))

    def lifted(self, services: Services) -> PacketSet:
        """The same set in the atoms of `services`, which tell apart at least as much."""
        if services is self.services:
            return self
        version = len(self.services.splits)
        if not services.refines(self.services):
            raise PacketsError("the sets speak of different services: make both with one engine's services")

        def row(of: Row) -> Row:
            return tuple((low, high, services.lift(bits, version)) for low, high, bits in of)

        return PacketSet(services, tuple((low, high, row(of)) for low, high, of in self.pieces))

    def holds(self, packet: Packet) -> bool:
        """Whether a packet is in the set."""
        return bool(self & PacketSet.of(self.services, packet))

    def union_of_services(self) -> int:
        """Services that some packet of the set has."""
        return reduce(or_, (bits for _, _, row in self.pieces for _, _, bits in row), 0)

    def restricted(self, sources: Iterable[Interval], destinations: Iterable[Interval]) -> PacketSet:
        """The packets of the set between the given addresses."""
        return self & PacketSet.product(self.services, sources, destinations, self.services.everything)

    def sources(self) -> tuple[Interval, ...]:
        """Source addresses of some packet of the set."""
        rows = {id(row): row for _, _, row in self.pieces}
        return union_of((low, high) for row in rows.values() for low, high, _ in row)

    def destinations(self) -> tuple[Interval, ...]:
        """Destination addresses of some packet of the set."""
        return union_of((low, high) for low, high, _ in self.pieces)

    def example(self) -> Packet | None:
        """One packet of the set (a whole, new one rather than a fragment or an answer), or None."""
        found: Packet | None = None
        for low, _, row in self.pieces:
            for source, _, bits in row:
                box = self.services.boxes(bits)[0]
                family, destination = address_at(low)
                packet = Packet(
                    family,
                    address_at(source)[1],
                    destination,
                    box.protocol[0],
                    box.source_port[0],
                    box.destination_port[0],
                    bool(box.established),
                    box.fragment,
                )
                if not (packet.fragment or packet.established):
                    return packet
                if found is None or (found.fragment, found.established) > (packet.fragment, packet.established):
                    found = packet
        return found

    def boxes(self) -> Iterator[PacketBox]:
        """The set as boxes that do not overlap, destinations ascending."""
        for low, high, row in self.pieces:
            for source, last, bits in row:
                for service in self.services.boxes(bits):
                    yield PacketBox((text_at(source), text_at(last - 1)), (text_at(low), text_at(high - 1)), service)


def apart(services: Services, sets: Iterable[PacketSet]) -> PacketSet:
    """The union of sets whose destinations have nothing in common: their pieces side by side."""
    pieces = [piece for one in sets for piece in one.lifted(services).pieces]
    return PacketSet(services, joined(sorted(pieces, key=itemgetter(0))))


def together(left: PacketSet, right: PacketSet) -> tuple[PacketSet, PacketSet]:
    """Both sets in the finer services of the two."""
    if left.services is right.services:
        return left, right
    if len(left.services.splits) >= len(right.services.splits):
        return left, right.lifted(left.services)
    return left.lifted(right.services), right
