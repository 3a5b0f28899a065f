"""The rows of a network as a plan goes on: routes, filter entries, ports, read from the arrays when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import PlanError
from orchestrator.forwarding.engine.network import Action, HopKind, Matches, Network, Prefixes
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceRoute,
    Update,
)

Hops = tuple[Hop, ...]
NewRoute = AddRoute | ReplaceRoute
Interval = tuple[int, int, int]
"""(family, first address, address after the last)."""

_HALF = (1 << 64) - 1
WIDTH = {4: 32, 6: 128}
EVERY_ADDRESS: tuple[Interval, ...] = ((4, 0, 1 << 32), (6, 0, 1 << 128))


def prefix_at(columns: Prefixes, row: int) -> Prefix:
    """One row of prefix columns as a value."""
    address = int(columns.high[row]) << 64 | int(columns.low[row])
    return Prefix(int(columns.family[row]), address, int(columns.length[row]))


def intervals(prefix: Prefix) -> tuple[Interval, ...]:
    """The addresses of a prefix; family 0 is every address of both families."""
    if prefix.family not in WIDTH:
        return EVERY_ADDRESS
    size = 1 << (WIDTH[prefix.family] - prefix.length)
    return ((prefix.family, prefix.address, prefix.address + size),)


def match_at(columns: Matches, row: int) -> Match:
    """One row of match columns as a value."""
    return Match(
        prefix_at(columns.source, row),
        prefix_at(columns.destination, row),
        (int(columns.protocol_low[row]), int(columns.protocol_high[row])),
        (int(columns.source_port_low[row]), int(columns.source_port_high[row])),
        (int(columns.destination_port_low[row]), int(columns.destination_port_high[row])),
        int(columns.established[row]),
        int(columns.fragment[row]),
        int(columns.in_port[row]),
    )


_MIX = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing; a comparison decides in any case


def _mixed(
    family: NDArray[np.uint8], high: NDArray[np.uint64], low: NDArray[np.uint64], length: NDArray[np.uint8]
) -> NDArray[np.uint64]:
    """One word per prefix, to find it by: addresses alone would leave all short IPv6 prefixes in one place."""
    kind = family.astype(np.uint64) << np.uint64(8) | length.astype(np.uint64)
    return ((high * np.uint64(_MIX) + low) * np.uint64(_MIX)) + kind


def _mixed_one(prefix: Prefix) -> int:
    high, low = prefix.address >> 64, prefix.address & _HALF
    return ((high * _MIX + low) * _MIX + (prefix.family << 8 | prefix.length)) & _HALF


class Table:
    """The routes of one table: rows of the arrays, found by their prefix, and what has changed since."""

    def __init__(self, base: Base, rows: NDArray[np.int64]) -> None:
        self._base = base
        prefix = base.network.routes.prefix
        mixed = _mixed(prefix.family[rows], prefix.high[rows], prefix.low[rows], prefix.length[rows])
        order = np.argsort(mixed, kind="stable")
        self._rows = rows[order]
        self._mixed = mixed[order]
        self.changed: dict[Prefix, Hops | None] = {}

    def copy(self, base: Base) -> Table:
        """The same routes, to be changed apart."""
        other = object.__new__(Table)
        other._base, other._rows, other._mixed, other.changed = base, self._rows, self._mixed, dict(self.changed)
        return other

    def get(self, prefix: Prefix) -> Hops | None:
        """The next hops of exactly this prefix."""
        if prefix in self.changed:
            return self.changed[prefix]
        mixed = np.uint64(_mixed_one(prefix))
        place = int(self._mixed.searchsorted(mixed))
        routes = self._base.network.routes
        while place < len(self._rows) and self._mixed[place] == mixed:
            row = int(self._rows[place])
            if prefix_at(routes.prefix, row) == prefix:
                return self._base.group(int(routes.group[row]))
            place += 1
        return None

    def items(self) -> Iterator[tuple[Prefix, Hops]]:
        """Every route there is."""
        routes = self._base.network.routes
        for row in self._rows.tolist():
            prefix = prefix_at(routes.prefix, row)
            if prefix not in self.changed:
                yield prefix, self._base.group(int(routes.group[row]))
        yield from ((prefix, hops) for prefix, hops in self.changed.items() if hops is not None)

    def lengths(self, family: int) -> list[int]:
        """Prefix lengths that occur, longest first."""
        prefix = self._base.network.routes.prefix
        mine = self._rows[prefix.family[self._rows] == family]
        found = set(np.unique(prefix.length[mine]).tolist())
        return sorted(found | {prefix.length for prefix in self.changed if prefix.family == family}, reverse=True)


class Base:
    """What is configured between two batches."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._tables: dict[int, Table] = {}
        self._entries: dict[int, list[int | Entry]] = {}
        self._ports: dict[int, bool] = {}
        self._groups: dict[int, Hops] = {}
        self._lengths: dict[tuple[int, int], list[int]] = {}

    def copy(self) -> Base:
        """The same rows, to be changed apart."""
        other = Base(self.network)
        other.__dict__ |= {
            name: self.__dict__[name] for name in ("_by_table", "policed", "links") if name in self.__dict__
        }
        other._tables = {table: routes.copy(other) for table, routes in self._tables.items()}
        other._entries = {number: list(rows) for number, rows in self._entries.items()}
        other._ports = dict(self._ports)
        return other

    @cached_property
    def _by_table(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        table = self.network.routes.table
        order = np.argsort(table, kind="stable")
        return order, np.searchsorted(table[order], np.arange(len(self.network.tables) + 1))

    def table(self, table: int) -> Table:
        """The routes of one table."""
        known = self._tables.get(table)
        if known is None:
            order, first = self._by_table
            known = self._tables[table] = Table(self, order[first[table] : first[table + 1]])
        return known

    def group(self, group: int) -> Hops:
        """The next hops of a group, in one order."""
        known = self._groups.get(group)
        if known is None:
            groups = self.network.groups
            rows = range(int(groups.first[group]), int(groups.first[group + 1]))
            hops = (Hop(HopKind(int(groups.kind[row])), int(groups.target[row])) for row in rows)
            known = self._groups[group] = tuple(sorted(hops))
        return known

    def lengths(self, table: int, family: int) -> list[int]:
        """Prefix lengths that a table may hold, longest first."""
        known = self._lengths.get((table, family))
        if known is None:
            known = self._lengths[table, family] = self.table(table).lengths(family)
        return known

    def hops(self, table: int, prefix: Prefix) -> Hops | None:
        """The next hops of exactly this prefix."""
        return self.table(table).get(prefix)

    def set_route(self, table: int, prefix: Prefix, hops: Hops | None) -> None:
        """Set or remove a route."""
        if hops is None:
            self.table(table).changed[prefix] = None
        else:
            self.table(table).changed[prefix] = hops
            if prefix.length not in self.lengths(table, prefix.family):
                del self._lengths[table, prefix.family]

    @staticmethod
    def outer(prefix: Prefix) -> Iterator[Prefix]:
        """The prefixes that cover this one, nearest first."""
        width = WIDTH[prefix.family]
        for length in range(prefix.length - 1, -1, -1):
            shift = width - length
            yield Prefix(prefix.family, prefix.address >> shift << shift, length)

    def _rows(self, number: int) -> list[int | Entry]:
        """A filter's entries: rows of the network's arrays, or values that came later."""
        known = self._entries.get(number)
        if known is None:
            first = self.network.filters.first
            known = self._entries[number] = list(range(int(first[number]), int(first[number + 1])))
        return known

    def touched(self, number: int) -> bool:
        """Whether anybody looked at a filter's entries here: they may differ from the network's."""
        return number in self._entries

    def count(self, number: int) -> int:
        """How many entries a filter has."""
        return len(self._rows(number))

    def entry(self, number: int, position: int) -> Entry:
        """One entry of a filter."""
        row = self._rows(number)[position]
        if isinstance(row, Entry):
            return row
        filters = self.network.filters
        return Entry(match_at(filters.match, row), Action(int(filters.action[row])), int(filters.line[row]))

    def change_entries(self, number: int, position: int, new: Entry | None, there: bool) -> None:
        """Insert a new entry before a position if it is there, or (no new one) remove the old one unless it is."""
        rows = self._rows(number)
        if new is not None and there:
            rows.insert(position, new)
        elif new is None and not there:
            del rows[position]

    def apply(self, update: Update) -> None:
        """Any update, one after the other. Raises PlanError when it does not fit."""
        if isinstance(update, PortDown | PortUp):
            self.set_port(update.port, isinstance(update, PortUp))
        elif isinstance(update, AddRoute | RemoveRoute | ReplaceRoute):
            if (self.hops(update.table, update.prefix) is None) != isinstance(update, AddRoute):
                raise PlanError(f"{update} does not fit the table: plan it anew")
            self.set_route(update.table, update.prefix, None if isinstance(update, RemoveRoute) else update.hops)
        else:
            rows = self._rows(update.filter)
            if not 0 <= update.position < len(rows) + isinstance(update, InsertEntry):
                raise PlanError(f"{update} does not fit the filter: plan it anew")
            after = update.position + (not isinstance(update, InsertEntry))
            rows[update.position : after] = [] if isinstance(update, RemoveEntry) else [update.entry]

    def port(self, port: int) -> bool:
        """Whether a port is up."""
        up = self.network.ports.up
        return self._ports.get(port, True if up is None else bool(up[port]))

    def set_port(self, port: int, up: bool) -> None:
        """Set a port."""
        self._ports[port] = up

    @cached_property
    def policed(self) -> frozenset[int]:
        """Filters that decide where packets go: what they permit is not 'more', it is elsewhere."""
        return frozenset(int(number) for number in self.network.policies.match)

    @cached_property
    def links(self) -> list[tuple[Interval, ...]]:
        """Addresses that stand for each other: what each translation rule matches and what it makes of it."""
        rules = self.network.translations
        found = []
        for row in range(len(rules.kind)):
            match = match_at(rules.match, row)
            half = match.destination if rules.kind[row] else match.source
            found.append((*intervals(half), *intervals(prefix_at(rules.to, row))))
        return found
