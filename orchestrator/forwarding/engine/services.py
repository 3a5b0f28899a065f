"""Services cut into atoms: what filters can tell apart besides addresses.

A packet's service is (protocol, source port, destination port, established, later fragment). The distinct service
matches of a network cut that space into cells; cells that exactly the same matches hold are one *atom*, and a set of
services is a bitset of atoms (a Python integer: bit i is atom i). A later fragment carries no ports, so its cells are
(protocol, established) only. Cells are merged by comparing the whole list of matches that hold them, never a digest.

service_keys.py says what a match is as numbers, service_cells.py cuts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.service_keys import PORTS, Bool, Keys

PROTOCOLS: Final = 256


class ServiceBox(NamedTuple):
    """One box of services for people; ranges include both ends, `established` None: either."""

    protocol: tuple[int, int]
    source_port: tuple[int, int]
    destination_port: tuple[int, int]
    established: bool | None
    fragment: bool


@dataclass(frozen=True)
class Plane:
    """The cells of the protocols that the same matches cover: atoms by (established, source port, destination port)."""

    source_starts: NDArray[np.int64]
    source_class: NDArray[np.int64]
    destination_starts: NDArray[np.int64]
    destination_class: NDArray[np.int64]
    whole: NDArray[np.int32]  # [1 or 2, source classes, destination classes]: one layer when established makes no odds
    later: NDArray[np.int32]  # [1 or 2]

    def atom(self, packet: Packet) -> int:
        """The atom of a packet whose protocol belongs to this plane."""
        if packet.fragment:
            return int(self.later[min(int(packet.established), len(self.later) - 1)])
        source = self.source_class[np.searchsorted(self.source_starts, packet.source_port, side="right") - 1]
        row = np.searchsorted(self.destination_starts, packet.destination_port, side="right") - 1
        layer = min(int(packet.established), len(self.whole) - 1)
        return int(self.whole[layer, source, self.destination_class[row]])


@dataclass(frozen=True)
class Services:
    """The atoms of a network's services, and its distinct matches as sets of atoms.

    `words`: [matches, words] bitsets, or None when `runs` holds them: rows run_first[m] .. run_first[m + 1] of
    [first atom, last atom + 1).
    """

    keys: Keys
    count: int
    plane_of: NDArray[np.int64]  # per protocol
    planes: tuple[Plane, ...]
    words: NDArray[np.uint64] | None
    run_first: NDArray[np.int64]
    runs: NDArray[np.int32]
    splits: tuple[tuple[tuple[int, int], ...], ...] = ()  # per extension: (old atom, atom split off)
    root: object = field(default_factory=object)

    @property
    def width(self) -> int:
        """64-bit words of a bitset."""
        return max(1, (self.count + 63) // 64)

    @property
    def everything(self) -> int:
        """The set of all services."""
        return (1 << self.count) - 1

    def bits(self, match: int) -> int:
        """The services a distinct match holds."""
        if self.words is not None:
            return int.from_bytes(self.words[match].astype("<u8").tobytes(), "little")
        result = 0
        for low, high in self.runs[self.run_first[match] : self.run_first[match + 1]].tolist():
            result |= (1 << high) - (1 << low)
        return result

    def atom(self, packet: Packet) -> int:
        """The atom a packet's service lies in."""
        return self.planes[int(self.plane_of[packet.protocol])].atom(packet)

    def refines(self, other: Services) -> bool:
        """Whether these are the other ones, told apart further: not only equal splits, the very same."""
        pairs = zip(other.splits, self.splits, strict=False)
        same = self.root is other.root and len(self.splits) >= len(other.splits)
        return same and all(one is mine for one, mine in pairs)

    def lift(self, bits: int, version: int) -> int:
        """A bitset made when `len(splits)` was `version`, in the atoms of now."""
        for step in self.splits[version:]:
            for old, new in step:
                if bits >> old & 1:
                    bits |= 1 << new
        return bits

    def boxes(self, bits: int) -> tuple[ServiceBox, ...]:
        """The services of a bitset as boxes that do not overlap."""
        result: list[ServiceBox] = []
        for number, plane in enumerate(self.planes):
            shapes = list(plane_boxes(plane, bits, self.count))
            for low, high in ranges(self.plane_of == number):
                result += [ServiceBox((low, high), *shape) for shape in shapes]
        return tuple(sorted(result, key=lambda box: (box.fragment, box[:3], bool(box.established))))


Shape = tuple[tuple[int, int], tuple[int, int], bool | None, bool]


def ranges(chosen: Bool) -> Iterator[tuple[int, int]]:
    """The runs of True as (first, last) indexes."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    for low, high in edges.reshape(-1, 2).tolist():
        yield low, high - 1


def plane_boxes(plane: Plane, bits: int, count: int) -> Iterator[Shape]:
    """The part of a bitset that lies in one plane, as boxes without the protocol."""
    chosen = np.unpackbits(np.frombuffer(bits.to_bytes(count // 8 + 1, "little"), dtype=np.uint8), bitorder="little")
    sides = (np.append(plane.source_starts, PORTS), np.append(plane.destination_starts, PORTS))
    whole = [list(layer_boxes(chosen[layer], plane, sides)) for layer in plane.whole]
    later = [[((0, PORTS - 1), (0, PORTS - 1))] * int(chosen[atom]) for atom in plane.later.tolist()]
    for layers, fragment in ((whole, False), (later, True)):
        new, answers = layers[0], layers[-1]
        for shape in dict.fromkeys(new + answers):
            flag = None if shape in new and shape in answers else shape in answers
            yield *shape, flag, fragment


def layer_boxes(
    chosen: NDArray[np.uint8], plane: Plane, sides: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Port ranges of the chosen cells [source classes, destination classes]."""
    held = chosen[plane.source_class][:, plane.destination_class].astype(np.bool_)
    first = 0
    for row in range(1, len(held) + 1):
        if row < len(held) and np.array_equal(held[row], held[first]):
            continue
        source = (int(sides[0][first]), int(sides[0][row]) - 1)
        for low, high in ranges(held[first]):
            yield source, (int(sides[1][low]), int(sides[1][high + 1]) - 1)
        first = row


def samples(of: Services) -> list[Packet]:
    """One packet per atom (addresses zero), whole packets without state before others."""
    found: dict[int, Packet] = {}
    for fragment in (False, True):
        for number, plane in enumerate(of.planes):
            protocol = int(np.flatnonzero(of.plane_of == number)[0])
            layers = plane.later[:, None, None] if fragment else plane.whole
            atoms, first = np.unique(layers, return_index=True)
            places = np.stack(np.unravel_index(first, layers.shape), axis=1).tolist()
            for atom, (layer, source, destination) in zip(atoms.tolist(), places, strict=True):
                port = 0 if fragment else int(plane.source_starts[np.argmax(plane.source_class == source)])
                to = 0 if fragment else int(plane.destination_starts[np.argmax(plane.destination_class == destination)])
                found.setdefault(atom, Packet(4, 0, 0, protocol, port, to, bool(layer), fragment))
    return [found[atom] for atom in range(of.count)]
