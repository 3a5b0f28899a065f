"""Is a network of arrays sound? One clear line names the array, the row, and the next move.

Everything is looked at in whole columns, so a million routes cost a fraction of a second. What passes here needs no
second look anywhere: neither the compiled parts nor the plain walker check an index again.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import (
    EVERY_PORT,
    EVERY_PROTOCOL,
    NONE,
    Action,
    HopKind,
    Matches,
    Network,
    OperationKind,
    Policies,
    Prefixes,
    TranslationKind,
    Translations,
    Zones,
)

FLAGS: Final = (NONE, 1)
FAMILIES: Final = (4, 6)
Column = NDArray[Any]


class NetworkError(InputError):
    """An array of the network is not what network.py says. Nothing was built."""


def check_network(network: Network) -> None:
    """Refuse a network whose arrays break a rule of network.py; raises NetworkError with the first fault found."""
    _numbering(network)
    _names("tables", network.tables)
    _names("zone_names", network.zone_names)
    _groups(network)
    _routes(network)
    _filters(network)
    _translations(network.translations, network)
    _policies(network.policies, network)
    _ports(network)
    _zones(network.zones, network)


def _numbering(network: Network) -> None:
    """The columns whose sizes say how many of a thing there are."""
    for where in ("routes.table", "groups.first", "ports.table", "filters.first", "translations.first", "zones.zone"):
        part, name = where.split(".")
        _column(where, getattr(getattr(network, part), name), np.int32)


def _names(where: str, names: tuple[str, ...]) -> None:
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in seen:
            raise NetworkError(f"{where}[{row}] is {name!r} like {where}[{seen[name]}]: give every one its own name")
        seen[name] = row


def _column(where: str, column: Column, kind: type[np.generic], size: int | None = None) -> None:
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise NetworkError(f"{where} is no array of one dimension: give numpy.asarray(..., numpy.{kind.__name__})")
    if column.dtype != kind:
        raise NetworkError(f"{where} holds {column.dtype}, not {kind.__name__}: convert it with .astype")
    if size is not None and column.size != size:
        raise NetworkError(f"{where} has {column.size} rows where {size} are needed: give every row all its columns")


def _first_row(bad: Column) -> int | None:
    """The first row that is bad, None when all are well."""
    return int(bad.argmax()) if bad.size and bool(bad.any()) else None


def _refuse(where: str, column: Column, bad: Column, why: str) -> None:
    row = _first_row(bad)
    if row is not None:
        raise NetworkError(f"{where}[{row}] is {column[row]}: {why}")


def _between(where: str, column: Column, low: int, high: int, of_what: str) -> None:
    """Every value from low to high, both included."""
    if column.size and (int(column.min()) < low or int(column.max()) > high):
        there_are = f"{of_what} are numbered from {low} to {high}" if high >= low else f"there are no {of_what}"
        _refuse(where, column, (column < low) | (column > high), f"{there_are}; correct the number")


def _one_of(where: str, column: Column, allowed: tuple[int, ...], of_what: str) -> None:
    words = ", ".join(str(int(value)) for value in allowed)
    _refuse(where, column, ~np.isin(column, allowed), f"{of_what} is one of {words}")


def _slices(where: str, first: Column, count: int | None, rows: int) -> None:
    """`first` cuts `rows` rows into `count` slices (None: as many as it says)."""
    _column(where, first, np.int32, None if count is None else count + 1)
    if not first.size or first[0] != 0:
        raise NetworkError(
            f"{where}[0] is not 0: it holds the first row of every slice, and the number of rows at last"
        )
    falls = np.append(False, first[1:] < first[:-1])
    _refuse(where, first, falls, "a slice ends before it begins; the column never falls")
    if int(first[-1]) != rows:
        raise NetworkError(f"{where}[{first.size - 1}] is {first[-1]}, but there are {rows} rows: let it end there")


def _beyond(kept: Column) -> Column:
    """For halves of which the first `kept` bits (0 to 64) belong to the prefix: the mask of the others."""
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    return np.where(kept >= 64, np.uint64(0), every >> np.minimum(kept, 63).astype(np.uint64))


def _prefixes(where: str, prefixes: Prefixes, size: int, families: tuple[int, ...]) -> None:
    family, high, low, length = prefixes
    _column(f"{where}.family", family, np.uint8, size)
    _column(f"{where}.high", high, np.uint64, size)
    _column(f"{where}.low", low, np.uint64, size)
    _column(f"{where}.length", length, np.uint8, size)
    _one_of(f"{where}.family", family, families, "a family here")
    four, six = family == 4, family == 6
    widest = np.where(four, 32, np.where(six, 128, 0))
    _refuse(f"{where}.length", length, length > widest, "an IPv4 prefix has 0 to 32 bits, IPv6 0 to 128, any family 0")
    wide = ~six & (high != 0) | four & (low > np.uint64(0xFFFFFFFF)) | (family == 0) & (low != 0)
    _refuse(f"{where}.low", low, wide, "IPv4 addresses are below 2**32 with high 0, any family is all 0")
    bits = length.astype(np.int64)
    host_low = low & _beyond(np.where(four, bits + 32, np.maximum(bits - 64, 0)))
    host_high = high & _beyond(np.minimum(bits, 64))
    _refuse(f"{where}.low", low, (four | six) & (host_low != 0), "bits beyond the prefix's length are set; clear them")
    _refuse(f"{where}.high", high, six & (host_high != 0), "bits beyond the prefix's length are set; clear them")


def _groups(network: Network) -> None:
    groups = network.groups
    _column("groups.kind", groups.kind, np.int32)
    _column("groups.target", groups.target, np.int32, groups.kind.size)
    _slices("groups.first", groups.first, None, groups.kind.size)
    empty = groups.first[1:] == groups.first[:-1]
    _refuse("groups.first", groups.first[:-1], empty, "the group has no next hop; give it one of kind DROP")
    _one_of("groups.kind", groups.kind, tuple(HopKind), "a kind of next hop")
    sizes = ((HopKind.PORT, network.ports.table.size, "ports"), (HopKind.TABLE, len(network.tables), "tables"))
    for kind, size, word in sizes:
        bad = (groups.kind == kind) & ((groups.target < 0) | (groups.target >= size))
        _refuse("groups.target", groups.target, bad, f"there are {size} {word}; correct the number")
    bad = (groups.kind == HopKind.UNKNOWN) & ((groups.target < NONE) | (groups.target >= len(network.lines)))
    _refuse("groups.target", groups.target, bad, f"there are {len(network.lines)} lines; name one, or {NONE}")


def _routes(network: Network) -> None:
    routes = network.routes
    size = routes.table.size
    _column("routes.group", routes.group, np.int32, size)
    _column("route_line", network.route_line, np.int32, size)
    _between("routes.table", routes.table, 0, len(network.tables) - 1, "tables")
    _between("routes.group", routes.group, 0, network.groups.first.size - 2, "groups")
    _between("route_line", network.route_line, NONE, len(network.lines) - 1, "lines")
    _prefixes("routes.prefix", routes.prefix, size, FAMILIES)
    twice = _duplicate(routes.table, *routes.prefix)
    if twice is not None:
        one, two = twice
        raise NetworkError(
            f"routes[{two}] has the table and prefix of routes[{one}]: put equal-cost next hops into one group"
        )


def _duplicate(*columns: Column) -> tuple[int, int] | None:
    """Two equal rows. A 64-bit mix finds the few candidates, a comparison of all columns decides."""
    mixed = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    ordered = np.sort(mixed)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if not again.size:
        return None
    rows = np.flatnonzero(np.isin(mixed, again))
    rows = rows[np.lexsort([column[rows] for column in reversed(columns)])]
    same = np.ones(rows.size - 1, np.bool_)
    for column in columns:
        same &= column[rows[1:]] == column[rows[:-1]]
    place = _first_row(same)
    if place is None:
        return None
    one, two = sorted((int(rows[place]), int(rows[place + 1])))
    return one, two


def _range(where: str, low: Column, high: Column, ends: tuple[int, int], size: int) -> None:
    _column(f"{where}_low", low, np.int32, size)
    _column(f"{where}_high", high, np.int32, size)
    _between(f"{where}_low", low, *ends, "values")
    _between(f"{where}_high", high, *ends, "values")
    _refuse(f"{where}_low", low, low > high, "it is above the range's upper end; exchange them")


def _matches(where: str, match: Matches, size: int, ports: int) -> None:
    _prefixes(f"{where}.source", match.source, size, (0, *FAMILIES))
    _prefixes(f"{where}.destination", match.destination, size, (0, *FAMILIES))
    mixed = (match.source.family * match.destination.family) == 24
    _refuse(
        f"{where}.source.family", match.source.family, mixed, "the destination is of the other family; no packet is"
    )
    _range(f"{where}.protocol", match.protocol_low, match.protocol_high, EVERY_PROTOCOL, size)
    _range(f"{where}.source_port", match.source_port_low, match.source_port_high, EVERY_PORT, size)
    _range(f"{where}.destination_port", match.destination_port_low, match.destination_port_high, EVERY_PORT, size)
    _column(f"{where}.established", match.established, np.int32, size)
    _column(f"{where}.fragment", match.fragment, np.int32, size)
    _column(f"{where}.in_port", match.in_port, np.int32, size)
    _one_of(f"{where}.established", match.established, FLAGS, "the condition")
    _one_of(f"{where}.fragment", match.fragment, FLAGS, "the condition")
    _between(f"{where}.in_port", match.in_port, NONE, ports - 1, "ports")


def _filters(network: Network) -> None:
    filters = network.filters
    _column("filters.action", filters.action, np.int32)
    size = filters.action.size
    _slices("filters.first", filters.first, None, size)
    _column("filters.default", filters.default, np.int32, filters.first.size - 1)
    _column("filters.stateful", filters.stateful, np.bool_, filters.first.size - 1)
    _column("filters.line", filters.line, np.int32, size)
    _one_of("filters.default", filters.default, tuple(Action), "an action")
    _one_of("filters.action", filters.action, tuple(Action), "an action")
    _between("filters.line", filters.line, NONE, len(network.lines) - 1, "lines")
    _matches("filters.match", filters.match, size, network.ports.table.size)


def _translations(translations: Translations, network: Network) -> None:
    kind, match, to = translations.kind, translations.match, translations.to
    _column("translations.kind", kind, np.int32)
    _slices("translations.first", translations.first, None, kind.size)
    _column("translations.to_port", translations.to_port, np.int32, kind.size)
    _column("translations.line", translations.line, np.int32, kind.size)
    _one_of("translations.kind", kind, tuple(TranslationKind), "a kind of translation")
    _between("translations.line", translations.line, NONE, len(network.lines) - 1, "lines")
    _between("translations.to_port", translations.to_port, NONE, EVERY_PORT[1], "ports of a header")
    source = kind == TranslationKind.SOURCE
    bad = source & (translations.to_port != NONE)
    _refuse("translations.to_port", translations.to_port, bad, f"only a destination rule sets a port; give {NONE}")
    _matches("translations.match", match, kind.size, network.ports.table.size)
    _prefixes("translations.to", to, kind.size, FAMILIES)
    for half in (match.source, match.destination):
        other = (half.family != 0) & (half.family != to.family)
        _refuse("translations.to.family", to.family, other, "the rule matches the other family; translate within one")
    length = np.where(source, match.source.length, match.destination.length)
    family = np.where(source, match.source.family, match.destination.family)
    fits = (to.length == np.where(to.family == 4, 32, 128)) | (family == to.family) & (to.length == length)
    _refuse("translations.to.length", to.length, ~fits, "give the length of the matched prefix (1:1) or one host")


def _policies(policies: Policies, network: Network) -> None:
    _column("policies.match", policies.match, np.int32)
    _column("policies.group", policies.group, np.int32, policies.match.size)
    _slices("policies.first", policies.first, None, policies.match.size)
    _between("policies.match", policies.match, 0, network.filters.first.size - 2, "filters")
    _between("policies.group", policies.group, 0, network.groups.first.size - 2, "groups")
    stateful = network.filters.stateful[policies.match]
    _refuse(
        "policies.match", policies.match, stateful, "a stateful filter has no place in a policy; use a stateless one"
    )


def _ports(network: Network) -> None:
    ports = network.ports
    size = ports.table.size
    for name in ("table", "device", "peer"):
        _column(f"ports.{name}", getattr(ports, name), np.int32, size)
    if ports.up is not None:
        _column("ports.up", ports.up, np.bool_, size)
    _between("ports.table", ports.table, 0, len(network.tables) - 1, "tables")
    _refuse("ports.device", ports.device, ports.device < 0, "devices are numbered from 0; correct the number")
    _between("ports.peer", ports.peer, NONE, size - 1, "ports")
    _refuse(
        "ports.peer", ports.peer, ports.peer == np.arange(size), f"a port is not its own peer; give {NONE} for none"
    )
    _operations("ports.ingress", (ports.ingress_first, ports.ingress_kind, ports.ingress_index), network)
    _operations("ports.egress", (ports.egress_first, ports.egress_kind, ports.egress_index), network)
    policy = ports.egress_kind == OperationKind.POLICY
    _refuse("ports.egress_kind", ports.egress_kind, policy, "a policy stands before the lookup; make it an ingress one")
    last = np.zeros(ports.ingress_kind.size, np.bool_)
    ends = ports.ingress_first[1:][ports.ingress_first[1:] > ports.ingress_first[:-1]]
    last[ends - 1] = True
    early = (ports.ingress_kind == OperationKind.POLICY) & ~last
    _refuse(
        "ports.ingress_kind", ports.ingress_kind, early, "a policy is a port's last ingress operation; move it there"
    )


def _operations(where: str, columns: tuple[Column, Column, Column], network: Network) -> None:
    first, kind, index = columns
    _column(f"{where}_kind", kind, np.int32)
    _column(f"{where}_index", index, np.int32, kind.size)
    _slices(f"{where}_first", first, network.ports.table.size, kind.size)
    _one_of(f"{where}_kind", kind, tuple(OperationKind), "a kind of operation")
    sizes = (network.filters.first.size, network.translations.first.size, network.policies.first.size)
    for number, word in zip(OperationKind, ("filters", "translations", "policies"), strict=True):
        count = sizes[number] - 1
        bad = (kind == number) & ((index < 0) | (index >= count))
        _refuse(f"{where}_index", index, bad, f"there are {count} {word}; correct the number")


def _zones(zones: Zones, network: Network) -> None:
    _column("zones.port", zones.port, np.int32, zones.zone.size)
    _between("zones.zone", zones.zone, 0, len(network.zone_names) - 1, "zones")
    _between("zones.port", zones.port, 0, network.ports.table.size - 1, "ports")
    _prefixes("zones.source", zones.source, zones.zone.size, FAMILIES)
    order = np.argsort(zones.port, kind="stable")
    port, zone = zones.port[order], zones.zone[order]
    shared = np.zeros(order.size, np.bool_)
    shared[order[1:]] = (port[1:] == port[:-1]) & (zone[1:] != zone[:-1])
    _refuse("zones.port", zones.port, shared, "another zone is attached there too; give each zone its own port")
