"""What updates mean: the network that they lead to, as new arrays; an engine after `apply` answers like one of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.entry_reader import EntryReader
from orchestrator.forwarding.engine.network import (
    Filters,
    Groups,
    Int,
    Matches,
    Network,
    Prefixes,
    Routes,
)
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    EntryUpdate,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    RouteUpdate,
    Update,
)

Key = tuple[int, Prefix]
Columns = TypeVar("Columns", bound=tuple[Any, ...])
_HALF = (1 << 64) - 1


class UpdateError(InputError):
    """An update does not fit the network as it is. Nothing was changed."""


def check_position(update: EntryUpdate, count: int) -> None:
    """Raise UpdateError when an update's position is none of a filter with `count` entries."""
    number, at = update.filter, update.position
    if not 0 <= at < count + isinstance(update, InsertEntry):
        raise UpdateError(f"filter {number} has {count} entries, none at {at}: correct the position")


def changed(network: Network, updates: Iterable[Update]) -> Network:
    """The network after all updates, in order. Raises UpdateError at the first that does not fit."""
    change = _Change(network)
    for update in updates:
        change.take(update)
    return change.network()


def prefixes_of(rows: Sequence[Prefix]) -> Prefixes:
    """Prefixes as columns."""
    return Prefixes(
        np.array([row.family for row in rows], np.uint8),
        np.array([row.address >> 64 for row in rows], np.uint64),
        np.array([row.address & _HALF for row in rows], np.uint64),
        np.array([row.length for row in rows], np.uint8),
    )


def _matches(rows: Sequence[Match]) -> Matches:
    def column(name: str, end: int | None = None) -> Int:
        values = [getattr(row, name) if end is None else getattr(row, name)[end] for row in rows]
        return np.array(values, np.int32)

    return Matches(
        prefixes_of([row.source for row in rows]),
        prefixes_of([row.destination for row in rows]),
        *(column(name, end) for name in ("protocol", "source_port", "destination_port") for end in (0, 1)),
        *(column(name) for name in ("established", "fragment", "in_port")),
    )


def filters_of(entries: Sequence[Entry]) -> Filters:
    """Entries as the arrays of one filter (its default and state are of no account)."""
    return Filters(
        np.array([0, len(entries)], np.int32),
        np.zeros(1, np.int32),
        np.zeros(1, np.bool_),
        _matches([entry.match for entry in entries]),
        np.array([entry.action for entry in entries], np.int32),
        np.array([entry.line for entry in entries], np.int32),
    )


def joined_columns(one: Columns, two: Columns) -> Columns:
    """Columns of columns, one behind the other."""
    made = [
        joined_columns(mine, yours) if isinstance(mine, tuple) else np.concatenate([mine, yours])
        for mine, yours in zip(one, two, strict=True)
    ]
    return type(one)(*made)


def chosen_columns(columns: Columns, rows: NDArray[Any]) -> Columns:
    """Some rows of columns of columns."""
    return type(columns)(*(chosen_columns(part, rows) if isinstance(part, tuple) else part[rows] for part in columns))


def row_of(network: Network, table: int, prefix: Prefix) -> int | None:
    """The row of a table's route for exactly this prefix; None when there is none. Looks at every route."""
    routes, high, low = network.routes, prefix.address >> 64, prefix.address & _HALF
    same = (routes.table == table) & (routes.prefix.low == np.uint64(low)) & (routes.prefix.high == np.uint64(high))
    same &= (routes.prefix.length == prefix.length) & (routes.prefix.family == prefix.family)
    rows = np.flatnonzero(same)
    return int(rows[0]) if len(rows) else None


@dataclass
class _Change:
    """What differs from the arrays: routes by key (None: gone), whole filters, port states."""

    base: Network
    rows: dict[Key, int | None] = field(default_factory=dict)
    routes: dict[Key, tuple[tuple[Hop, ...], int] | None] = field(default_factory=dict)
    filters: dict[int, list[Entry]] = field(default_factory=dict)
    ports: dict[int, bool] = field(default_factory=dict)

    def take(self, update: Update) -> None:
        """One update more."""
        if isinstance(update, AddRoute | RemoveRoute | ReplaceRoute):
            self._route(update)
        elif isinstance(update, PortDown | PortUp):
            self._number("port", update.port, len(self.base.ports.table))
            self.ports[update.port] = isinstance(update, PortUp)
        else:
            self._entry(update)

    @staticmethod
    def _number(what: str, number: int, count: int) -> None:
        if not 0 <= number < count:
            raise UpdateError(f"{what} {number} is none of the network's {count}: correct the update's number")

    def _route(self, update: RouteUpdate) -> None:
        self._number("table", update.table, len(self.base.tables))
        key = update.table, update.prefix
        if key not in self.rows:
            self.rows[key] = row_of(self.base, *key)
        exists = self.routes[key] is not None if key in self.routes else self.rows[key] is not None
        name = f"table {self.base.tables[update.table]} and prefix {tuple(update.prefix)}"
        if isinstance(update, AddRoute) == exists:
            move = "replace it, or remove it first" if exists else "add it"
            raise UpdateError(f"{name} have {'a' if exists else 'no'} route: {move}")
        self.routes[key] = None if isinstance(update, RemoveRoute) else (update.hops, update.line)

    def _entry(self, update: InsertEntry | RemoveEntry | ReplaceEntry) -> None:
        first = self.base.filters.first
        self._number("filter", update.filter, len(first) - 1)
        if update.filter not in self.filters:
            rows = range(int(first[update.filter]), int(first[update.filter + 1]))
            reader = EntryReader(self.base.filters)
            self.filters[update.filter] = [reader.entry(row) for row in rows]
        entries = self.filters[update.filter]
        self._number("entry", update.position, len(entries) + isinstance(update, InsertEntry))
        if isinstance(update, InsertEntry):
            entries.insert(update.position, update.entry)
        elif isinstance(update, ReplaceEntry):
            entries[update.position] = update.entry
        else:
            del entries[update.position]

    def network(self) -> Network:
        """The arrays of what there is now."""
        base = self.base
        routes, lines, groups = self._routes()
        ports = base.ports
        if self.ports:
            up = np.ones(len(ports.table), np.bool_) if ports.up is None else ports.up.copy()
            up[list(self.ports)] = list(self.ports.values())
            ports = ports._replace(up=up)
        return Network(
            tables=base.tables,
            zone_names=base.zone_names,
            lines=base.lines,
            routes=routes,
            route_line=lines,
            groups=groups,
            ports=ports,
            filters=self._filters() if self.filters else base.filters,
            translations=base.translations,
            policies=base.policies,
            zones=base.zones,
        )

    def _routes(self) -> tuple[Routes, Int, Groups]:
        base = self.base
        gone = [self.rows[key] for key in self.routes if self.rows[key] is not None]
        keep = np.ones(len(base.routes.table), np.bool_)
        keep[np.array(gone, np.int64)] = False
        new = [(key, value) for key, value in self.routes.items() if value is not None]
        hops = list(dict.fromkeys(value[0] for _key, value in new))
        number = {group: len(base.groups.first) - 1 + index for index, group in enumerate(hops)}
        added = Routes(
            np.array([key[0] for key, _value in new], np.int32),
            prefixes_of([key[1] for key, _value in new]),
            np.array([number[value[0]] for _key, value in new], np.int32),
        )
        ends = len(base.groups.kind) + np.cumsum([len(group) for group in hops], dtype=np.int64)
        groups = Groups(
            np.concatenate([base.groups.first, ends.astype(np.int32)]),
            np.concatenate([base.groups.kind, np.array([hop.kind for group in hops for hop in group], np.int32)]),
            np.concatenate([base.groups.target, np.array([hop.target for group in hops for hop in group], np.int32)]),
        )
        lines = np.concatenate([base.route_line[keep], np.array([value[1] for _key, value in new], np.int32)])
        return joined_columns(chosen_columns(base.routes, keep), added), lines, groups

    def _filters(self) -> Filters:
        old = self.base.filters
        sizes = np.diff(old.first)
        rows = [
            np.arange(old.first[number], old.first[number + 1]) if number not in self.filters else None
            for number in range(len(sizes))
        ]
        entries = [entry for number in sorted(self.filters) for entry in self.filters[number]]
        match = joined_columns(old.match, _matches([entry.match for entry in entries]))
        action = np.concatenate([old.action, np.array([entry.action for entry in entries], np.int32)])
        line = np.concatenate([old.line, np.array([entry.line for entry in entries], np.int32)])
        behind = len(old.action)
        for number in sorted(self.filters):
            rows[number] = np.arange(behind, behind + len(self.filters[number]))
            behind += len(self.filters[number])
            sizes[number] = len(self.filters[number])
        order = np.concatenate([part for part in rows if part is not None]).astype(np.int64)
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        return Filters(first, old.default, old.stateful, chosen_columns(match, order), action[order], line[order])
