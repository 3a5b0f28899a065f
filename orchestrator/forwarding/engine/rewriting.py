"""Translation rules over sets of packets: the image a child is asked about, and the way back of its answer.

A rule replaces the leading bits of an address; what is behind them stays. A source translation of many to one leaves
the source port open: on the way back a packet counts when the answer holds some of the ports (may), or all (must).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.network import NONE, Network, Packet, TranslationKind
from orchestrator.forwarding.engine.packets import SIX, Interval, PacketSet, Row, Value, joined, position, union_of
from orchestrator.forwarding.engine.services import Services, samples

BLOCKS: Final = 1 << 16


class TooManyBlocksError(OnefoldError):
    """A translation maps so many blocks of addresses onto one that its answer is not written down."""


@dataclass(frozen=True)
class Rewrite:
    """One translation rule: addresses become `base` + (address modulo `size`), positions; `to_port` NONE: kept."""

    source: bool
    base: int
    size: int
    to_port: int
    open_port: bool

    @classmethod
    def of(cls, network: Network, rule: int) -> Rewrite:
        """Row `rule` of the network's translations."""
        rules = network.translations
        family, length = int(rules.to.family[rule]), int(rules.to.length[rule])
        width = 32 if family == 4 else 128
        address = int(rules.to.high[rule]) << 64 | int(rules.to.low[rule])
        source = rules.kind[rule] == TranslationKind.SOURCE
        half = rules.match.source if source else rules.match.destination
        same = int(half.family[rule]) == family and int(half.length[rule]) == length
        return cls(
            source,
            position(family, address),
            1 << (width - length),
            NONE if source else int(rules.to_port[rule]),
            bool(source and length == width and not same),
        )

    def blocks(self, interval: Interval) -> Iterator[tuple[int, int, int]]:
        """An interval cut where the map jumps: (low, high, what is added to an address)."""
        origin = SIX if self.base >= SIX else 0
        low, high = interval
        if (high - low) // self.size > BLOCKS:
            raise TooManyBlocksError(
                f"a translation maps {high - low} addresses onto {self.size}: match the rule on a smaller prefix"
            )
        while low < high:
            block = origin + (low - origin) // self.size * self.size
            end = min(high, block + self.size)
            yield low, end, self.base - block
            low = end

    def image(self, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
        """Where addresses go."""
        if self.size == 1:
            return ((self.base, self.base + 1),) if any(True for _ in intervals) else ()
        return union_of((low + move, high + move) for each in intervals for low, high, move in self.blocks(each))

    def back(
        self, pieces: Iterable[tuple[int, int, Value]], domain: Iterable[Interval]
    ) -> list[tuple[int, int, Value]]:
        """A function of new addresses as one of old addresses (those of `domain`, ascending)."""
        known = list(pieces)
        result: list[tuple[int, int, Value]] = []
        if self.size == 1:
            found = [value for low, high, value in known if low <= self.base < high]
            return [(low, high, value) for low, high in domain for value in found]
        for each in domain:
            for low, high, move in self.blocks(each):
                for begin, end, value in known:
                    first, last = max(low, begin - move), min(high, end - move)
                    if first < last:
                        result.append((first, last, value))
        return result


@dataclass
class Rewriter:
    """Images and ways back under one set of services; atoms move along one axis (filter_table.with_shadows)."""

    services: Services
    _moves: dict[tuple[int, bool], list[int]] = field(default_factory=dict)
    _samples: list[Packet] = field(default_factory=list)

    def moves(self, rewrite: Rewrite) -> list[int]:
        """Per atom the atoms (bits) its packets may have behind the rule."""
        key = rewrite.to_port, rewrite.open_port
        if key not in self._moves:
            self._moves[key] = [self._move(atom, rewrite) for atom in range(self.services.count)]
        return self._moves[key]

    def _move(self, atom: int, rewrite: Rewrite) -> int:
        if not self._samples:
            self._samples = samples(self.services)
        packet = self._samples[atom]
        if packet.fragment:
            return 1 << atom
        if rewrite.to_port != NONE:
            return 1 << self.services.atom(packet._replace(destination_port=rewrite.to_port))
        if not rewrite.open_port:
            return 1 << atom
        plane = self.services.planes[int(self.services.plane_of[packet.protocol])]
        result = 0
        for port in plane.source_starts.tolist():
            result |= 1 << self.services.atom(packet._replace(source_port=port))
        return result

    def forward(self, bits: int, moves: list[int]) -> int:
        """Services behind the rule of packets with these services before it."""
        result, atom = 0, 0
        while bits >> atom:
            if bits >> atom & 1:
                result |= moves[atom]
            atom += 1
        return result

    def backward(self, bits: int, moves: list[int], every: bool) -> int:
        """Services before the rule whose packets have some (`every`: only) services of `bits` behind it."""
        result = 0
        for atom, move in enumerate(moves):
            if (move & ~bits == 0) if every else (move & bits):
                result |= 1 << atom
        return result

    def image(self, packets: PacketSet, rewrite: Rewrite) -> PacketSet:
        """A set that holds what becomes of the packets (exactly, or more where rows differ)."""
        bits = self.forward(packets.union_of_services(), self.moves(rewrite))
        sources, destinations = packets.sources(), packets.destinations()
        if rewrite.source:
            sources = rewrite.image(sources)
        else:
            destinations = rewrite.image(destinations)
        return PacketSet.product(self.services, sources, destinations, bits)

    def exact_image(self, packets: PacketSet, rewrite: Rewrite) -> PacketSet:
        """What becomes of the packets, each of them."""
        result = PacketSet(self.services)
        for low, high, row in packets.pieces:
            for source, last, bits in row:
                box = PacketSet.product(self.services, [(source, last)], [(low, high)], bits)
                result |= self.image(box, rewrite)
        return result

    def back(self, answer: PacketSet, rewrite: Rewrite, asked: PacketSet, every: bool) -> PacketSet:
        """The packets of `asked` whose image `answer` holds."""
        moves = self.moves(rewrite)
        rows: dict[Row, Row] = {}

        def row(of: Row) -> Row:
            if of not in rows:
                spans = rewrite.back(of, asked.sources()) if rewrite.source else of
                rows[of] = joined((low, high, self.backward(bits, moves, every)) for low, high, bits in spans)
            return rows[of]

        spans = answer.pieces if rewrite.source else rewrite.back(answer.pieces, asked.destinations())
        return PacketSet(self.services, joined((low, high, row(of)) for low, high, of in spans)) & asked
