"""Ways on which packets to one address are lost by routes alone, as the rows of a batch stand now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from orchestrator.forwarding.engine.network import NONE, HopKind
from orchestrator.forwarding.engine.updates import Prefix
from orchestrator.proof.reachable_base import WIDTH, Hops, Interval
from orchestrator.proof.reachable_rows import DROPPED, Rows

_LOST, _ENDS = -2, -3  # instead of a next table: lost there; delivered, or nobody knows


class LostWays:
    """Answers about the present state of some rows; what was found is forgotten where the rows change."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._seen = 0  # of the rows' changes
        self._found: dict[int, dict[Interval, tuple[int, ...]]] = {}  # table -> address -> where packets to it go
        self.lookup: Callable[[int, Interval], Hops] | None = None  # somebody who knows the longest matches faster

    def of(self, start: int, address: Interval, most: int) -> Iterator[tuple[int, ...]]:
        """The tables of each way that begins in table `start` and is lost whatever filters do.

        Such a way ends without a route, in a null route, at a port without a cable, or where it has been before. At
        most `most` ways are followed to their ends.
        """
        self._forget()
        ways: list[tuple[int, tuple[int, ...]]] = [(start, ())]
        while ways and most:
            table, before = ways.pop()
            if table < 0 or table in before:
                most -= 1
                if table != _ENDS:
                    yield before
                continue
            known = self._found.setdefault(table, {})
            found = known.get(address)
            if found is None:
                found = known[address] = self._onward(table, address)
            way = (*before, table)
            ways += [(after, way) for after in found]

    def _forget(self) -> None:
        """Forget what routes said that have changed since."""
        changes = self._rows.changes
        for table, prefix in changes[self._seen :]:
            known, shift = self._found.get(table, {}), WIDTH[prefix.family] - prefix.length
            inside = prefix.family, prefix.address >> shift
            for address in [one for one in known if (one[0], one[1] >> shift) == inside]:
                del known[address]
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
