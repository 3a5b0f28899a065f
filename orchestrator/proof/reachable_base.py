"""The rows of a network as a plan goes on: routes, filter entries, ports, read from the arrays when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

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
Interval = tuple[int, int, int]
"""(family, first address, address after the last)."""

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


class Base:
    """What is configured between two batches."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._tables: dict[int, dict[Prefix, Hops]] = {}
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
        other._tables = {table: dict(routes) for table, routes in self._tables.items()}
        other._entries = {number: list(rows) for number, rows in self._entries.items()}
        other._ports = dict(self._ports)
        return other

    @cached_property
    def _by_table(self) -> tuple[np.ndarray, np.ndarray]:
        table = self.network.routes.table
        order = np.argsort(table, kind="stable")
        return order, np.searchsorted(table[order], np.arange(len(self.network.tables) + 1))

    def table(self, table: int) -> dict[Prefix, Hops]:
        """Prefix -> next hops of one table."""
        known = self._tables.get(table)
        if known is None:
            order, first = self._by_table
            routes = self.network.routes
            rows = order[first[table] : first[table + 1]]
            columns = (*(column[rows].tolist() for column in routes.prefix), routes.group[rows].tolist())
            known = {
                Prefix(family, high << 64 | low, length): self._group(group)
                for family, high, low, length, group in zip(*columns, strict=True)
            }
            self._tables[table] = known
        return known

    def _group(self, group: int) -> Hops:
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
            found = {prefix.length for prefix in self.table(table) if prefix.family == family}
            known = self._lengths[table, family] = sorted(found, reverse=True)
        return known

    def hops(self, table: int, prefix: Prefix) -> Hops | None:
        """The next hops of exactly this prefix."""
        return self.table(table).get(prefix)

    def set_route(self, table: int, prefix: Prefix, hops: Hops | None) -> None:
        """Set or remove a route."""
        if hops is None:
            self.table(table).pop(prefix, None)
        else:
            self.table(table)[prefix] = hops
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
