"""Stretches of attachments' answers that lead to forbidden zones, and the pairs of zones that they cross, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")
Stretch = tuple[int, int]
"""Labels [low, high)."""


class Reached(NamedTuple):
    """Forbidden zones that some packet gets to, and whether something unread decides about others."""

    zones: frozenset[int] = frozenset()
    unread: bool = False


class Bad(NamedTuple):
    """Labels [low, high) of one node at an attachment, and what they lead to."""

    low: int
    high: int
    node: int
    reached: Reached


class BadRows:
    """Bad stretches by attachment, ascending and apart; what changes is counted, so nothing is gone through anew."""

    def __init__(self, zones: list[int]) -> None:
        """`zones`: of attachments."""
        self._zone = zones
        self._rows: dict[int, list[Bad]] = {}
        self._count: Counter[tuple[int, int]] = Counter()  # (zone, forbidden zone) -> stretches that lead there
        self._unread: Counter[int] = Counter()  # zone -> stretches of which something unread decides
        self.version = 0  # of the pairs, and of the zones with something unread

    def __iter__(self) -> Iterator[tuple[int, Bad]]:
        """Every attachment with each of its stretches."""
        return ((attachment, row) for attachment, rows in self._rows.items() for row in rows)

    def of(self, attachment: int) -> list[Bad]:
        """An attachment's bad stretches."""
        return self._rows.get(attachment, [])

    def pairs(self) -> frozenset[tuple[int, int]]:
        """Pairs of zones that some stretch crosses."""
        return frozenset(self._count)

    def unread(self) -> frozenset[int]:
        """Zones for which something unread decides."""
        return frozenset(self._unread)

    def take(self, attachment: int, asked: list[Stretch]) -> list[Stretch]:
        """Forget the stretches that have a part of `asked` (ascending, apart); what is to be looked at instead."""
        rows = self._rows.pop(attachment, [])
        rest, kept, at = list(asked), list[Bad](), 0
        for row in rows:
            while at < len(asked) and asked[at][1] <= row.low:
                at += 1
            if at == len(asked) or asked[at][0] >= row.high:
                kept.append(row)
            else:
                rest += _outside(row, asked, at)
                self._note(attachment, row.reached, -1)
        if kept:
            self._rows[attachment] = kept
        return rest

    def put(self, attachment: int, found: list[Bad]) -> None:
        """More stretches of an attachment, apart from those that it has."""
        if found:
            self._rows[attachment] = sorted([*self.of(attachment), *found])
            for row in found:
                self._note(attachment, row.reached, 1)

    def add(self, attachment: int, found: list[Bad]) -> None:
        """Stretches of an attachment that lead to these zones, too; each is one that it has, or apart from them."""
        rows = {row.low: row for row in self.of(attachment)}
        for row in found:
            known = rows.get(row.low)
            if known is not None:
                zones, unread = known.reached
                self._note(attachment, Reached(row.reached.zones - zones), 1)
                rows[row.low] = known._replace(reached=Reached(row.reached.zones | zones, unread))
            else:
                self._note(attachment, row.reached, 1)
                rows[row.low] = row
        self._rows[attachment] = sorted(rows.values())

    def release(self, pairs: Collection[tuple[int, int]]) -> list[int]:
        """Nothing gets across these pairs any more; attachments of which that makes stretches others."""
        found, freed = list[int](), dict[int, set[int]]()
        for zone, other in pairs:
            if (zone, other) in self._count:
                freed.setdefault(zone, set()).add(other)
        for attachment in [row for row in self._rows if self._zone[row] in freed]:
            gone, old = freed[self._zone[attachment]], self._rows.pop(attachment)
            for row in old:
                self._note(attachment, row.reached, -1)
            rows = [row._replace(reached=row.reached._replace(zones=row.reached.zones - gone)) for row in old]
            self.put(attachment, [row for row in rows if row.reached != Reached()])
            if self.of(attachment) != old:
                found.append(attachment)
        return found

    def by_node(self) -> dict[tuple[int, int], tuple[list[Stretch], set[int]]]:
        """By attachment and node its stretches, and the zones that they lead to."""
        found: dict[tuple[int, int], tuple[list[Stretch], set[int]]] = {}
        for attachment, row in self:
            stretches, zones = found.setdefault((attachment, row.node), ([], set()))
            stretches.append((row.low, row.high))
            zones |= row.reached.zones
        return found

    def _note(self, attachment: int, reached: Reached, step: int) -> None:
        zone = self._zone[attachment]
        for other in reached.zones:
            self._step(self._count, (zone, other), step)
        if reached.unread:
            self._step(self._unread, zone, step)

    def _step(self, count: Counter[Key], key: Key, step: int) -> None:
        now = count.get(key, 0) + step
        if now:
            count[key] = now
        else:
            del count[key]
        if not now or now == step:
            self.version += 1


def _outside(row: Bad, asked: list[Stretch], at: int) -> list[Stretch]:
    """What is left of a row outside the stretches from `at` on."""
    rest, low = list[Stretch](), row.low
    while at < len(asked) and asked[at][0] < row.high:
        if low < asked[at][0]:
            rest.append((low, asked[at][0]))
        low = max(low, asked[at][1])
        at += 1
    if low < row.high:
        rest.append((low, row.high))
    return rest
