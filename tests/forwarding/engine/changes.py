"""Random changes that fit a network as it is: routes, filter entries, ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from orchestrator.forwarding.engine.network import EVERY_PORT, EVERY_PROTOCOL, NONE, Action, HopKind, Network
from orchestrator.forwarding.engine.rows import WIDTH, Rows
from orchestrator.forwarding.engine.rows import Prefix as PrefixRow
from orchestrator.forwarding.engine.updates import (
    EVERYWHERE,
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
from tests.forwarding.engine.networks import ACTIONS, BASE, FREE, PORTS, PROTOCOLS

Some = TypeVar("Some")
Maker = Callable[[Random, Network, Rows], Update | None]


def random_update(random: Random, network: Network) -> Update:
    """One change that fits."""
    rows = Rows(network)
    while True:
        made = _one(random, MAKERS)(random, network, rows)
        if made is not None:
            return made


def _one(random: Random, choices: Sequence[Some]) -> Some:
    return choices[random.randint(0, len(choices) - 1)]


def _prefix(random: Random, family: int) -> Prefix:
    """A prefix of the pools of networks.py, or everything of a family."""
    length = _one(random, (32, 31, 30, 29, 28, 27, 0))
    if not length:
        return Prefix(family, 0, 0)
    rest = 32 - length
    return Prefix(family, (BASE[family] | random.randint(0, (1 << FREE) - 1)) >> rest << rest, WIDTH[family] - rest)


def _hops(random: Random, network: Network, rows: Rows, table: int) -> tuple[Hop, ...]:
    own = [port for port, row in enumerate(rows.ports) if row.table == table]
    kinds = [HopKind.PORT] * 7 + [HopKind.TABLE, HopKind.DROP] + ([HopKind.UNKNOWN] if network.lines else [])
    found = []
    for _hop in range(_one(random, (1, 1, 1, 2, 3))):
        kind = _one(random, kinds)
        if kind == HopKind.PORT and own:
            found.append(Hop(kind, _one(random, own)))
        elif kind == HopKind.TABLE:
            found.append(Hop(kind, random.randint(0, len(network.tables) - 1)))
        elif kind == HopKind.UNKNOWN:
            found.append(Hop(kind, random.randint(0, len(network.lines) - 1)))
        else:
            found.append(Hop(HopKind.DROP))
    return tuple(found)


def _line(random: Random, network: Network) -> int:
    return random.randint(NONE, len(network.lines) - 1)


def _add_route(random: Random, network: Network, rows: Rows) -> Update | None:
    table, prefix = random.randint(0, len(network.tables) - 1), _prefix(random, _one(random, (4, 4, 6)))
    present = {(row.prefix.family, row.prefix.network, row.prefix.rest) for row in rows.tables[table]}
    if (prefix.family, prefix.address, WIDTH[prefix.family] - prefix.length) in present:
        return None
    return AddRoute(table, prefix, _hops(random, network, rows, table), _line(random, network))


def _present(random: Random, network: Network, rows: Rows) -> tuple[int, Prefix] | None:
    if not rows.routes:
        return None
    row = random.randint(0, len(rows.routes) - 1)
    return int(network.routes.table[row]), prefix_of(rows.routes[row].prefix)


def prefix_of(row: PrefixRow) -> Prefix:
    """The same prefix as updates have it."""
    return Prefix(row.family, row.network, WIDTH[row.family] - row.rest)


def _remove_route(random: Random, network: Network, rows: Rows) -> Update | None:
    found = _present(random, network, rows)
    return RemoveRoute(*found) if found else None


def _replace_route(random: Random, network: Network, rows: Rows) -> Update | None:
    found = _present(random, network, rows)
    return ReplaceRoute(*found, _hops(random, network, rows, found[0]), _line(random, network)) if found else None


def _entry(random: Random, network: Network) -> Entry:
    family = _one(random, (4, 4, 6))

    def often(percent: int) -> bool:
        return random.randint(0, 99) < percent

    match = Match(
        _prefix(random, family) if often(50) else EVERYWHERE,
        _prefix(random, family) if often(50) else EVERYWHERE,
        _one(random, PROTOCOLS) if often(50) else EVERY_PROTOCOL,
        _one(random, (*PORTS, (5, 6))) if often(20) else EVERY_PORT,
        _one(random, (*PORTS, (7, 81))) if often(40) else EVERY_PORT,
        1 if often(12) else NONE,
        1 if often(10) else NONE,
        random.randint(0, network.ports.table.size - 1) if often(8) else NONE,
    )
    return Entry(match, _one(random, (*ACTIONS, Action.DENY)), _line(random, network))


def _filter(random: Random, rows: Rows, filled: bool) -> int | None:
    """A filter; `filled`: one with entries."""
    found = [number for number, row in enumerate(rows.filters) if row.entries or not filled]
    return _one(random, found) if found else None


def _insert_entry(random: Random, network: Network, rows: Rows) -> Update | None:
    number = _filter(random, rows, filled=False)
    if number is None:
        return None
    return InsertEntry(number, random.randint(0, len(rows.filters[number].entries)), _entry(random, network))


def _remove_entry(random: Random, _network: Network, rows: Rows) -> Update | None:
    number = _filter(random, rows, filled=True)
    return None if number is None else RemoveEntry(number, random.randint(0, len(rows.filters[number].entries) - 1))


def _replace_entry(random: Random, network: Network, rows: Rows) -> Update | None:
    number = _filter(random, rows, filled=True)
    if number is None:
        return None
    return ReplaceEntry(number, random.randint(0, len(rows.filters[number].entries) - 1), _entry(random, network))


def _port(random: Random, _network: Network, rows: Rows) -> Update | None:
    port = random.randint(0, len(rows.ports) - 1)
    return PortDown(port) if rows.ports[port].up else PortUp(port)


MAKERS: Sequence[Maker] = (
    _add_route,
    _add_route,
    _remove_route,
    _replace_route,
    _insert_entry,
    _remove_entry,
    _replace_entry,
    _port,
)
