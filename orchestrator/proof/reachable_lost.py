"""Ways on which packets to one address are lost by routes alone, as the rows of a batch stand now."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from orchestrator.forwarding.engine.network import NONE, HopKind
from orchestrator.forwarding.engine.updates import Prefix
from orchestrator.proof.reachable_base import WIDTH, Hops, Interval, intervals
from orchestrator.proof.reachable_rows import DROPPED, Rows

_LOST, _ENDS = -2, -3  # instead of a next table: lost there; delivered, or nobody knows


class LostWays:
    """Answers about the present state of some rows; what was found is forgotten where the rows change."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._seen = 0  # of the rows' changes
        self._found: dict[int, dict[Interval, tuple[int, ...]]] = {}  # table -> address -> where packets to it go
        self._known: list[Interval] = []  # the addresses, ascending
        self.lookup: Callable[[int, Interval], Hops] | None = None  # somebody who knows the longest matches faster

    def of(self, starts: Iterable[int], address: Interval, marks: Mapping[int, int], most: int) -> list[int]:
        """The smallest sets of marked tables on ways that begin in `starts` and are lost whatever filters do.

        Such a way ends without a route, in a null route, at a port without a cable, or where it has been before.
        `marks`: a bit for each table that is marked; a set is the sum of its bits. At most `most` tables are looked at,
        each once for every set of marks with which it is met, sets with more marks left out: whatever is lost from
        there is lost with fewer. (Depth first, so of a circle the last table that is left is still on the way.)
        """
        self._forget()
        found: list[int] = []
        met: dict[int, list[int]] = {}
        ways: list[tuple[int, frozenset[int], int]] = [(start, frozenset(), 0) for start in starts]
        while ways and most:
            table, before, own = ways.pop()
            if table == _ENDS or _holds_one_of(found, own):
                continue
            if table == _LOST or table in before:
                found = [other for other in found if other & own != own] + [own]
                continue
            own |= marks.get(table, 0)
            known = met.setdefault(table, [])
            if _holds_one_of(known, own):
                continue
            known.append(own)
            most -= 1
            way = before | {table}
            ways += [(after, way, own) for after in self._after_at(table, address)]
        return found

    def _after_at(self, table: int, address: Interval) -> tuple[int, ...]:
        known = self._found.setdefault(table, {})
        found = known.get(address)
        if found is None:
            found = known[address] = self._onward(table, address)
            place = bisect_left(self._known, address)
            if self._known[place : place + 1] != [address]:
                self._known.insert(place, address)
        return found

    def _forget(self) -> None:
        """Forget what routes said that have changed since."""
        changes = self._rows.changes
        for table, prefix in changes[self._seen :]:
            known = self._found.get(table, {})
            for family, low, high in intervals(prefix) if known else ():
                first, last = (bisect_left(self._known, (family, end)) for end in (low, high))
                for address in self._known[first:last]:
                    known.pop(address, None)
        self._seen = len(changes)

    def _onward(self, table: int, address: Interval) -> tuple[int, ...]:
        """Where a packet goes from a table: other tables, or how it ends."""
        hops = (self.lookup or self.longest)(table, address)
        return tuple({self._after(kind, target) for kind, target in hops})

    def _after(self, kind: HopKind, target: int) -> int:
        if kind == HopKind.TABLE:
            return target
        if kind != HopKind.PORT:
            return _LOST if kind == HopKind.DROP else _ENDS
        ports = self._rows.base.network.ports
        peer = int(ports.peer[target])
        if peer != NONE:
            return int(ports.table[peer])
        return _ENDS if target in self._attached else _LOST

    @cached_property
    def _attached(self) -> frozenset[int]:
        return frozenset(self._rows.base.network.zones.port.tolist())

    def longest(self, table: int, address: Interval) -> Hops:
        """Where a table sends packets to one address, route by route."""
        rows, (family, low, _high) = self._rows, address
        lengths = {*rows.base.lengths(table, family), *self._lengths.get((table, family), ())}
        for length in sorted(lengths, reverse=True):
            shift = WIDTH[family] - length
            key = table, Prefix(family, low >> shift << shift, length)
            hops = rows.present[key] if key in rows.present else rows.base.hops(*key)
            if hops is not None:
                return hops
        return DROPPED

    @cached_property
    def _lengths(self) -> dict[tuple[int, int], set[int]]:
        """(table, family) -> lengths of the prefixes that steps change there."""
        found: dict[tuple[int, int], set[int]] = {}
        for table, prefix in self._rows.routes:
            found.setdefault((table, prefix.family), set()).add(prefix.length)
        return found


def _holds_one_of(sets: list[int], own: int) -> bool:
    return any(other & own == other for other in sets)
