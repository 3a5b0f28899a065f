"""Streams of updates for a network: each fits the network as the ones before it have left it. Seeded.

`routes` adds (more specific parts), removes and replaces anywhere; `entries` edits filters; `ports` takes links down
and up again; `mixed` is all of them; `adversarial` changes what most ways depend on: default routes and aggregates at
the most used tables, and their links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from network_models.columns import Long, prefixes
from network_models.rule_shapes import SERVICES
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, Prefixes
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
    ReplaceEntry,
    ReplaceRoute,
    Update,
)

KINDS: Final = ("routes", "entries", "ports", "mixed", "adversarial")
_Key = tuple[int, Prefix]
_HALF: Final = (1 << 64) - 1


class Tables:
    """Routes as they are after the updates so far: those of the network, but for what was touched."""

    def __init__(self, network: Network, random: np.random.Generator) -> None:
        routes = network.routes
        order = np.argsort(routes.table, kind="stable")
        self.row = order
        self.table = routes.table[order]
        self.network, self.random = network, random
        self.begin = np.searchsorted(self.table, np.arange(len(network.tables) + 1))
        self.filled = np.where(np.diff(self.begin) > 1)[0]
        mark = _mixed_up(routes.table, routes.prefix)
        self.marked = np.argsort(mark, kind="stable")
        self.mark = mark[self.marked]
        self.touched: dict[_Key, tuple[Hop, ...] | None] = {}
        self.removed: list[_Key] = []

    def key(self, row: int) -> _Key:
        """Table and prefix of a row of the network's routes."""
        return int(self.network.routes.table[row]), prefix_at(self.network.routes.prefix, row)

    def hops(self, row: int) -> tuple[Hop, ...]:
        """Next hops of a row of the network's routes."""
        groups, group = self.network.groups, self.network.routes.group[row]
        members = range(groups.first[group], groups.first[group + 1])
        return tuple(Hop(HopKind(int(groups.kind[at])), int(groups.target[at])) for at in members)

    def somewhere(self) -> int:
        """A row: in half of the cases any, in the other half one of any table."""
        if self.random.random() < 0.5:
            return int(self.random.integers(0, len(self.row)))
        table = self.filled[self.random.integers(0, len(self.filled))]
        return int(self.row[self.random.integers(self.begin[table], self.begin[table + 1])])

    def beside(self, table: int) -> tuple[Hop, ...]:
        """Next hops that the table has for some other route; one in ten a null route."""
        if self.random.random() < 0.1:
            return (Hop(HopKind.DROP, NONE),)
        return self.hops(int(self.row[self.random.integers(self.begin[table], self.begin[table + 1])]))

    def has(self, key: _Key) -> bool:
        """Is there a route for this prefix in this table now?"""
        if key in self.touched:
            return self.touched[key] is not None
        table, prefix = key
        held, tables = self.network.routes.prefix, self.network.routes.table
        row = prefixes(prefix.family, prefix.address >> 64, prefix.address & _HALF, prefix.length)
        wanted = _mixed_up(np.array([table]), row)
        at = int(np.searchsorted(self.mark, wanted[0]))
        while at < len(self.mark) and self.mark[at] == wanted[0]:  # a hash finds candidates, a comparison decides
            found = int(self.marked[at])
            if tables[found] == table and prefix_at(held, found) == prefix:
                return True
            at += 1
        return False

    def put(self, key: _Key, hops: tuple[Hop, ...]) -> Update:
        """Add or replace, whichever fits."""
        there = self.has(key)
        self.touched[key] = hops
        return ReplaceRoute(*key, hops) if there else AddRoute(*key, hops)

    def drop(self, key: _Key) -> Update:
        """Remove; remembered, to be announced again."""
        self.touched[key] = None
        self.removed.append(key)
        return RemoveRoute(*key)


def _mixed_up(table: NDArray[np.integer], prefix: Prefixes) -> NDArray[np.uint64]:
    """A hash of (table, prefix) rows."""
    mark = table.astype(np.uint64)
    for column in (prefix.family, prefix.high, prefix.low, prefix.length):
        mark = (mark ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mark ^= mark >> np.uint64(29)
    return mark


def prefix_at(many: Prefixes, row: int) -> Prefix:
    """One row of the columns as a value."""
    return Prefix(int(many.family[row]), int(many.high[row]) << 64 | int(many.low[row]), int(many.length[row]))


def stream(network: Network, kind: str, count: int, seed: int = 7) -> list[Update]:
    """`count` updates of one of KINDS. Raises InputError for another kind, or one that the network has nothing for."""
    random = np.random.default_rng(seed)
    makers: dict[str, Callable[[Network, np.random.Generator], Iterator[Update]]] = {
        "routes": _routes, "entries": _entries, "ports": _ports, "mixed": _mixed, "adversarial": _adversarial,
    }  # fmt: skip
    if kind not in makers or (kind == "entries" and not len(network.filters.action)):
        raise InputError(f"updates of kind {kind}: take one of {', '.join(KINDS)} that the network has something for")
    return list(islice(makers[kind](network, random), count))


def _routes(network: Network, random: np.random.Generator) -> Iterator[Update]:
    """A third each: added (a removed one again, or a part of one), removed, replaced."""
    tables = Tables(network, random)
    while True:
        key = tables.key(tables.somewhere())
        kind = random.integers(0, 3)
        if kind == 0:
            again = bool(tables.removed) and random.random() < 0.5
            key = tables.removed.pop(random.integers(0, len(tables.removed))) if again else _part(key, random)
            if not tables.has(key):
                yield tables.put(key, tables.beside(key[0]))
        elif tables.has(key):
            yield tables.drop(key) if kind == 1 else tables.put(key, tables.beside(key[0]))


def _part(key: _Key, random: np.random.Generator) -> _Key:
    """A more specific part of a route's prefix, one to four bits longer."""
    table, prefix = key
    width = 32 if prefix.family == 4 else 64
    length = min(prefix.length + int(random.integers(1, 5)), width)
    room = (1 << (length - prefix.length)) - 1 if length > prefix.length else 0
    step = (32 if prefix.family == 4 else 128) - length
    return table, Prefix(prefix.family, prefix.address | int(random.integers(0, room + 1)) << step, length)


def _entries(network: Network, random: np.random.Generator) -> Iterator[Update]:
    """A third each: an entry inserted, removed, replaced, at any place of any filter that has two or more."""
    sizes = np.diff(network.filters.first).astype(np.int64)
    chances = sizes / sizes.sum()
    drawn = random.choice(len(sizes), 4096, p=chances)
    for turn in range(1 << 30):
        index = int(drawn[turn % len(drawn)])
        position = int(random.integers(0, max(int(sizes[index]), 1)))
        kind = random.integers(0, 3)
        if kind == 0 or sizes[index] < 2:
            sizes[index] += 1
            yield InsertEntry(index, position, _entry(network, random))
        elif kind == 1:
            sizes[index] -= 1
            yield RemoveEntry(index, position)
        else:
            yield ReplaceEntry(index, position, _entry(network, random))


def _entry(network: Network, random: np.random.Generator) -> Entry:
    """Addresses of some entry of the network (or of a zone), a service, an action."""
    match = network.filters.match
    row = int(random.integers(0, len(network.filters.action)))
    source = prefix_at(match.source, row)
    if random.random() < 0.3:
        source = prefix_at(network.zones.source, int(random.integers(0, len(network.zones.zone))))
    other = prefix_at(match.destination, row)
    destination = other if not other.family or not source.family or other.family == source.family else Prefix()
    protocol, low, high = SERVICES[random.integers(0, len(SERVICES))]
    action = Action.PERMIT if random.random() < 0.6 else Action.DENY
    return Entry(Match(source, destination, (protocol, protocol), destination_port=(low, high)), action)


def _ports(network: Network, random: np.random.Generator, down: Long | None = None) -> Iterator[Update]:
    """A port with a cable goes down, then (or another that is down) up again."""
    cabled = np.where(network.ports.peer != NONE)[0] if down is None else down
    dark: list[int] = []
    while True:
        if dark and (len(dark) > 3 or random.random() < 0.5):
            yield PortUp(dark.pop(random.integers(0, len(dark))))
        else:
            port = int(cabled[random.integers(0, len(cabled))])
            if port not in dark:
                dark.append(port)
                yield PortDown(port)


def _mixed(network: Network, random: np.random.Generator) -> Iterator[Update]:
    """Six of ten routes, three entries (routes where there are no filters), one port."""
    routes, ports = _routes(network, random), _ports(network, random)
    entries = _entries(network, random) if len(network.filters.action) else routes
    while True:
        draw = random.random()
        yield next(routes if draw < 0.6 else entries if draw < 0.9 else ports)


def _adversarial(network: Network, random: np.random.Generator) -> Iterator[Update]:
    """Default routes and the shortest prefixes of the largest tables are replaced, removed, announced; links go."""
    tables = Tables(network, random)
    most = np.argsort(-np.diff(tables.begin), kind="stable")[: max(4, len(network.tables) // 500)]
    rows = tables.row[np.isin(tables.table, most)]
    shortest = rows[np.argsort(network.routes.prefix.length[rows], kind="stable")][: 8 * len(most)]
    links = np.where(np.isin(network.ports.table, most) & (network.ports.peer != NONE))[0]
    ports = _ports(network, random, links)
    while True:
        row = int(shortest[random.integers(0, len(shortest))])
        key = tables.key(row)
        if random.random() < 0.2:
            yield next(ports)
        elif not tables.has(key):
            yield tables.put(key, tables.hops(row))
        else:
            yield tables.drop(key) if random.random() < 0.4 else tables.put(key, tables.beside(key[0]))
