"""The space of services cut into atoms by the matches of a network (services.py).

Where so many matches overlap that the comparison would cost too much memory, cells stay apart (finer, equally exact)
and matches are kept as runs of atoms; above `CELLS` cells `TooManyServicesError` is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.service_keys import PORTS, Bool, Keys, distinct_keys
from orchestrator.forwarding.engine.services import PROTOCOLS, Plane, Services, samples

CELLS: Final = 1 << 22
MERGE_BYTES: Final = 1 << 27


class TooManyServicesError(OnefoldError):
    """The service matches cut the space of services into more cells than are kept."""


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
        layers = 1 + int(((rows[:, 8] != 0) & whole).any())
        later = 1 + int(((rows[:, 8] == 1) & (rows[:, 7] == 1)).any())
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
        free = [(rows[:, 8] != 1) | (layer == 1) for layer in range(axis.later_layers)]
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
            chosen = np.flatnonzero(later & ((rows[:, 8] != 1) | (layer == 1)))
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


def extended(older: Services, keys: Keys) -> Services:
    """Services with more matches told apart: old atoms keep their numbers, split-off parts get new ones."""
    together, _ = distinct_keys(np.concatenate([older.keys, keys]))
    if len(together) == len(older.keys):
        return older
    known = {row.tobytes() for row in older.keys}
    fresh = np.array([row for row in together if row.tobytes() not in known], dtype=np.int32).reshape(-1, 9)
    finer = services(np.concatenate([older.keys, fresh]), merge=older.words is not None)
    return renumbered(finer, older)
