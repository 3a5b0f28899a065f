"""Services cut into atoms: what filters can tell apart besides addresses.

A packet's service is (protocol, source port, destination port, established, later fragment). The distinct service
matches of a network cut that space into cells; cells that exactly the same matches hold are one *atom*, and a set of
services is a bitset of atoms (a Python integer: bit i is atom i). A later fragment carries no ports, so its cells are
(protocol, established) only. Cells are merged by comparing the whole list of matches that hold them, never a digest.

Where so many matches overlap that the comparison would cost too much memory, cells stay apart (finer, equally exact)
and matches are kept as runs of atoms; above `CELLS` cells `TooManyServicesError` is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.network import Action, Matches, Packet

CELLS: Final = 1 << 22
MERGE_BYTES: Final = 1 << 27
PROTOCOLS: Final = 256
PORTS: Final = 65536

Keys = NDArray[np.int32]
Bool = NDArray[np.bool_]


class TooManyServicesError(OnefoldError):
    """The service matches cut the space of services into more cells than are kept."""


class ServiceBox(NamedTuple):
    """One box of services for people; ranges include both ends, `established` None: either."""

    protocol: tuple[int, int]
    source_port: tuple[int, int]
    destination_port: tuple[int, int]
    established: bool | None
    fragment: bool


def service_keys(match: Matches, action: NDArray[np.int32] | None = None, stateful: Bool | None = None) -> Keys:
    """What of each match's packets depends on the service: rows of nine numbers.

    Columns: protocol, source port, destination port (low, high each), whole packets, later fragments, established.
    `action` decides whether an entry with ports meets later fragments (network.Matches); without one (translations) it
    does not. In a stateful filter (`stateful` per row) an established match waits for a connection: no first packet
    meets it, and its row is all zero.
    """
    low, high = match.source_port_low, match.source_port_high
    first, last = match.destination_port_low, match.destination_port_high
    any_port = (low == 0) & (high == PORTS - 1) & (first == 0) & (last == PORTS - 1)
    later = any_port if action is None else any_port | (action != Action.DENY)
    whole = match.fragment != 1
    if stateful is not None:
        waits = stateful & (match.established == 1)
        whole, later = whole & ~waits, later & ~waits
    columns = [match.protocol_low, match.protocol_high, low, high, first, last, whole, later, match.established == 1]
    keys = np.stack([np.asarray(column, dtype=np.int32) for column in columns], axis=1)
    keys[~whole, 2:6] = (0, PORTS - 1, 0, PORTS - 1)
    keys[~whole & ~later] = 0
    return keys


def distinct_keys(keys: Keys) -> tuple[Keys, NDArray[np.int32]]:
    """The distinct rows of `keys`, and for each row of `keys` which of them it is."""
    wide = keys.astype(np.int64)
    left = wide[:, 0] << 40 | wide[:, 1] << 32 | wide[:, 2] << 16 | wide[:, 3]
    right = wide[:, 4] << 19 | wide[:, 5] << 3 | wide[:, 6] << 2 | wide[:, 7] << 1 | wide[:, 8]
    _, ranks = np.unique(left, return_inverse=True)
    _, first, inverse = np.unique(ranks << 35 | right, return_index=True, return_inverse=True)
    return keys[first], inverse.astype(np.int32)


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

    def extended(self, keys: Keys) -> Services:
        """These services with more matches told apart: old atoms keep their numbers, split-off parts get new ones."""
        together, _ = distinct_keys(np.concatenate([self.keys, keys]))
        if len(together) == len(self.keys):
            return self
        known = {row.tobytes() for row in self.keys}
        fresh = np.array([row for row in together if row.tobytes() not in known], dtype=np.int32).reshape(-1, 9)
        finer = services(np.concatenate([self.keys, fresh]), merge=self.words is not None)
        return renumbered(finer, self)


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


def services(keys: Keys, merge: bool = True) -> Services:
    """Cut the services by distinct matches (rows of `service_keys`). Raises TooManyServicesError above the bound."""
    starts = cuts(keys[:, 0], keys[:, 1], PROTOCOLS)
    cover = (keys[None, :, 0] <= starts[:, None]) & (keys[None, :, 1] >= starts[:, None])
    cover &= (keys[:, 6] | keys[:, 7]).astype(np.bool_)[None, :]
    classes, which = distinct_rows(cover)
    plane_of = which[np.searchsorted(starts, np.arange(PROTOCOLS), side="right") - 1]
    axes = [Axes.of(keys, np.flatnonzero(classes[number])) for number in range(len(classes))]
    cells = sum(axis.cells for axis in axes)
    if cells > CELLS:
        raise TooManyServicesError(
            f"{len(keys)} service matches cut ports and protocols into {cells} cells, more than {CELLS}: "
            "merge port ranges of the filters, or ask about fewer filters at once"
        )
    if merge and cells * (len(keys) + 7) // 8 <= MERGE_BYTES:
        return merged(keys, plane_of, axes)
    return unmerged(keys, plane_of, [Axes.of(keys, axis.members, apart=True) for axis in axes])


def cuts(low: NDArray[np.int32], high: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """Where intervals begin when [0, size) is cut at the ends of the ranges."""
    points = np.unique(np.concatenate([[0], low, high.astype(np.int64) + 1]))
    return np.asarray(points[points < size], dtype=np.int64)


def distinct_rows(rows: Bool) -> tuple[Bool, NDArray[np.int64]]:
    """Distinct rows in order of appearance, and which of them each row is."""
    packed = np.packbits(rows, axis=1)
    seen: dict[bytes, int] = {}
    which = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in packed], dtype=np.int64)
    first = np.full(len(seen), len(rows), dtype=np.int64)
    np.minimum.at(first, which, np.arange(len(rows)))
    return rows[first], which


@dataclass(frozen=True)
class Axes:
    """How the ports of one plane are cut; covers are [classes, members], None where every interval is a class."""

    members: NDArray[np.int64]
    starts: tuple[NDArray[np.int64], NDArray[np.int64]]
    classes: tuple[NDArray[np.int64], NDArray[np.int64]]
    covers: tuple[Bool | None, Bool | None]
    layers: int
    later_layers: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(established, source classes, destination classes)."""
        return self.layers, int(self.classes[0].max()) + 1, int(self.classes[1].max()) + 1

    @property
    def cells(self) -> int:
        """Cells of this plane."""
        layers, sources, destinations = self.shape
        return layers * sources * destinations + self.later_layers

    @classmethod
    def of(cls, keys: Keys, members: NDArray[np.int64], apart: bool = False) -> Axes:
        """Cut source and destination ports by the matches `members`; `apart`: do not merge intervals."""
        rows = keys[members]
        whole = rows[:, 6] == 1
        starts: list[NDArray[np.int64]] = []
        classes: list[NDArray[np.int64]] = []
        covers: list[Bool | None] = []
        for low, high in ((rows[:, 2], rows[:, 3]), (rows[:, 4], rows[:, 5])):
            start = cuts(low[whole], high[whole], PORTS)
            starts.append(start)
            if apart or len(start) * len(rows) > MERGE_BYTES:
                classes.append(np.arange(len(start)))
                covers.append(None)
                continue
            held = (low[None, :] <= start[:, None]) & (high[None, :] >= start[:, None]) & whole[None, :]
            cover, which = distinct_rows(held)
            classes.append(which)
            covers.append(cover)
        established = rows[:, 8] == 1
        layers, later = 1 + int((established & whole).any()), 1 + int((established & (rows[:, 7] == 1)).any())
        return cls(members, (starts[0], starts[1]), (classes[0], classes[1]), (covers[0], covers[1]), layers, later)

    def plane(self, whole: NDArray[np.int32], later: NDArray[np.int32]) -> Plane:
        """The plane whose cells are the given atoms."""
        return Plane(self.starts[0], self.classes[0], self.starts[1], self.classes[1], whole, later)


def merged(keys: Keys, plane_of: NDArray[np.int64], axes: list[Axes]) -> Services:
    """Atoms are cells that the same matches hold, compared match by match."""
    seen: dict[bytes, int] = {}

    def atoms(held: Bool, members: NDArray[np.int64]) -> NDArray[np.int32]:
        full = np.zeros((len(held), len(keys)), dtype=np.bool_)
        full[:, members] = held
        packed = np.packbits(full, axis=1)
        return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in packed], dtype=np.int32)

    planes = []
    for axis in axes:
        rows = keys[axis.members]
        layers, sources, destinations = axis.shape
        left, right = axis.covers
        if left is None or right is None:
            return unmerged(keys, plane_of, [Axes.of(keys, each.members, apart=True) for each in axes])
        whole = np.empty((layers, sources, destinations), dtype=np.int32)
        for layer in range(layers):
            open_to = (rows[:, 8] == 0) | (layer == 1)
            for source in range(sources):
                whole[layer, source] = atoms(right & left[source] & open_to, axis.members)
        free = [(rows[:, 8] == 0) | (layer == 1) for layer in range(axis.later_layers)]
        later = [atoms(((rows[:, 7] == 1) & is_free)[None, :], axis.members) for is_free in free]
        planes.append(axis.plane(whole, np.concatenate(later)))
    table = np.frombuffer(b"".join(seen), dtype=np.uint8).reshape(len(seen), -1)
    held = np.unpackbits(table, axis=1, count=len(keys)).T if len(keys) else np.zeros((0, len(seen)), dtype=np.uint8)
    width = max(1, (len(seen) + 63) // 64)
    padded = np.zeros((len(keys), width * 64), dtype=np.uint8)
    padded[:, : len(seen)] = held
    words = np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    nothing = np.zeros(len(keys) + 1, dtype=np.int64)
    return Services(keys, len(seen), plane_of, tuple(planes), words, nothing, np.zeros((0, 2), dtype=np.int32))


def unmerged(keys: Keys, plane_of: NDArray[np.int64], axes: list[Axes]) -> Services:
    """Every cell is an atom; matches are runs of atoms along the destination ports."""
    base, planes = 0, []
    owners: list[NDArray[np.int64]] = []
    lows: list[NDArray[np.int64]] = []
    highs: list[NDArray[np.int64]] = []
    for axis in axes:
        rows = keys[axis.members]
        layers, sources, destinations = axis.shape
        size = layers * sources * destinations
        atoms = np.arange(base, base + axis.cells, dtype=np.int32)
        planes.append(axis.plane(atoms[:size].reshape(axis.shape), atoms[size:]))
        whole, later = rows[:, 6] == 1, rows[:, 7] == 1
        first = np.searchsorted(axis.starts[0], rows[:, 2])
        number = np.searchsorted(axis.starts[0], rows[:, 3], side="right") - first
        column = np.searchsorted(axis.starts[1], rows[:, 4])
        beyond = np.searchsorted(axis.starts[1], rows[:, 5], side="right")
        for layer in range(layers):
            chosen = np.flatnonzero(whole & ((rows[:, 8] == 0) | (layer == 1)))
            repeats = np.repeat(chosen, number[chosen])
            step = np.arange(len(repeats)) - np.repeat(np.cumsum(number[chosen]) - number[chosen], number[chosen])
            offset = base + (layer * sources + first[repeats] + step) * destinations
            owners.append(axis.members[repeats])
            lows.append(offset + column[repeats])
            highs.append(offset + beyond[repeats])
        for layer in range(axis.later_layers):
            chosen = np.flatnonzero(later & ((rows[:, 8] == 0) | (layer == 1)))
            owners.append(axis.members[chosen])
            lows.append(np.full(len(chosen), base + size + layer))
            highs.append(np.full(len(chosen), base + size + layer + 1))
        base += axis.cells
    owner, low, high = np.concatenate(owners), np.concatenate(lows), np.concatenate(highs)
    order = np.lexsort((low, owner))
    run_first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(keys)))]).astype(np.int64)
    runs = np.stack([low[order], high[order]], axis=1).astype(np.int32)
    return Services(keys, base, plane_of, tuple(planes), None, run_first, runs)


def renumbered(finer: Services, older: Services) -> Services:
    """`finer` with the atom numbers of `older`: the first part of an atom keeps its number, the others are appended."""
    sample = samples(finer)
    parent = [older.atom(packet) for packet in sample]
    number, taken = [0] * finer.count, set[int]()
    splits: list[tuple[int, int]] = []
    for atom, old in enumerate(parent):
        if old in taken:
            number[atom] = older.count + len(splits)
            splits.append((old, number[atom]))
        else:
            number[atom] = old
            taken.add(old)
    new = np.array(number, dtype=np.int32)
    planes = tuple(
        Plane(p.source_starts, p.source_class, p.destination_starts, p.destination_class, new[p.whole], new[p.later])
        for p in finer.planes
    )
    words, run_first, runs = finer.words, finer.run_first, finer.runs
    if words is not None:
        spread = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
        moved = np.zeros_like(spread)
        moved[:, new] = spread[:, : finer.count]
        words = np.packbits(moved, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    else:
        length = runs[:, 1] - runs[:, 0]
        step = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        single = new[np.repeat(runs[:, 0], length) + step]
        runs = np.stack([single, single + 1], axis=1).astype(np.int32)
        run_first = np.concatenate([[0], np.cumsum(length)])[run_first].astype(np.int64)
    return Services(
        finer.keys,
        finer.count,
        finer.plane_of,
        planes,
        words,
        run_first,
        runs,
        (*older.splits, tuple(splits)),
        older.root,
    )


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
