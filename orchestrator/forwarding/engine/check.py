"""Is a network of arrays sound? One clear line names the array, the row, and the next move.

Everything is looked at in whole columns, so a million routes cost a fraction of a second. What passes here needs no
second look anywhere: neither the compiled parts nor the plain walker check an index again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from orchestrator.forwarding.engine.check_columns import (
    Column,
    NetworkError,
    check_between,
    check_column,
    check_names,
    check_one_of,
    check_prefixes,
    check_range,
    check_slices,
    equal_rows,
    refuse,
)
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
    TranslationKind,
    Translations,
    Zones,
)

FLAGS: Final = (NONE, 1)
FAMILIES: Final = (4, 6)


def check_network(network: Network) -> None:
    """Refuse a network whose arrays break a rule of network.py; raises NetworkError with the first fault found."""
    _numbering(network)
    check_names("tables", network.tables)
    check_names("zone_names", network.zone_names)
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
        check_column(where, getattr(getattr(network, part), name), np.int32)


def _groups(network: Network) -> None:
    groups = network.groups
    check_column("groups.kind", groups.kind, np.int32)
    check_column("groups.target", groups.target, np.int32, groups.kind.size)
    check_slices("groups.first", groups.first, None, groups.kind.size)
    empty = groups.first[1:] == groups.first[:-1]
    refuse("groups.first", groups.first[:-1], empty, "the group has no next hop; give it one of kind DROP")
    check_one_of("groups.kind", groups.kind, tuple(HopKind), "a kind of next hop")
    sizes = ((HopKind.PORT, network.ports.table.size, "ports"), (HopKind.TABLE, len(network.tables), "tables"))
    for kind, size, word in sizes:
        bad = (groups.kind == kind) & ((groups.target < 0) | (groups.target >= size))
        refuse("groups.target", groups.target, bad, f"there are {size} {word}; correct the number")
    bad = (groups.kind == HopKind.UNKNOWN) & ((groups.target < NONE) | (groups.target >= len(network.lines)))
    refuse("groups.target", groups.target, bad, f"there are {len(network.lines)} lines; name one, or {NONE}")


def _routes(network: Network) -> None:
    routes = network.routes
    size = routes.table.size
    check_column("routes.group", routes.group, np.int32, size)
    check_column("route_line", network.route_line, np.int32, size)
    check_between("routes.table", routes.table, 0, len(network.tables) - 1, "tables")
    check_between("routes.group", routes.group, 0, network.groups.first.size - 2, "groups")
    check_between("route_line", network.route_line, NONE, len(network.lines) - 1, "lines")
    check_prefixes("routes.prefix", routes.prefix, size, FAMILIES)
    twice = equal_rows(routes.table, *routes.prefix)
    if twice is not None:
        one, two = twice
        raise NetworkError(
            f"routes[{two}] has the table and prefix of routes[{one}]: put equal-cost next hops into one group"
        )


def _matches(where: str, match: Matches, size: int, ports: int) -> None:
    check_prefixes(f"{where}.source", match.source, size, (0, *FAMILIES))
    check_prefixes(f"{where}.destination", match.destination, size, (0, *FAMILIES))
    mixed = (match.source.family * match.destination.family) == 24
    refuse(f"{where}.source.family", match.source.family, mixed, "the destination is of the other family; no packet is")
    check_range(f"{where}.protocol", match.protocol_low, match.protocol_high, EVERY_PROTOCOL, size)
    check_range(f"{where}.source_port", match.source_port_low, match.source_port_high, EVERY_PORT, size)
    check_range(f"{where}.destination_port", match.destination_port_low, match.destination_port_high, EVERY_PORT, size)
    check_column(f"{where}.established", match.established, np.int32, size)
    check_column(f"{where}.fragment", match.fragment, np.int32, size)
    check_column(f"{where}.in_port", match.in_port, np.int32, size)
    check_one_of(f"{where}.established", match.established, FLAGS, "the condition")
    check_one_of(f"{where}.fragment", match.fragment, FLAGS, "the condition")
    check_between(f"{where}.in_port", match.in_port, NONE, ports - 1, "ports")


def _filters(network: Network) -> None:
    filters = network.filters
    check_column("filters.action", filters.action, np.int32)
    size = filters.action.size
    check_slices("filters.first", filters.first, None, size)
    check_column("filters.default", filters.default, np.int32, filters.first.size - 1)
    check_column("filters.stateful", filters.stateful, np.bool_, filters.first.size - 1)
    check_column("filters.line", filters.line, np.int32, size)
    check_one_of("filters.default", filters.default, tuple(Action), "an action")
    check_one_of("filters.action", filters.action, tuple(Action), "an action")
    check_between("filters.line", filters.line, NONE, len(network.lines) - 1, "lines")
    _matches("filters.match", filters.match, size, network.ports.table.size)


def _translations(translations: Translations, network: Network) -> None:
    kind, match, to = translations.kind, translations.match, translations.to
    check_column("translations.kind", kind, np.int32)
    check_slices("translations.first", translations.first, None, kind.size)
    check_column("translations.to_port", translations.to_port, np.int32, kind.size)
    check_column("translations.line", translations.line, np.int32, kind.size)
    check_one_of("translations.kind", kind, tuple(TranslationKind), "a kind of translation")
    check_between("translations.line", translations.line, NONE, len(network.lines) - 1, "lines")
    check_between("translations.to_port", translations.to_port, NONE, EVERY_PORT[1], "ports of a header")
    source = kind == TranslationKind.SOURCE
    bad = source & (translations.to_port != NONE)
    refuse("translations.to_port", translations.to_port, bad, f"only a destination rule sets a port; give {NONE}")
    _matches("translations.match", match, kind.size, network.ports.table.size)
    check_prefixes("translations.to", to, kind.size, FAMILIES)
    for half in (match.source, match.destination):
        other = (half.family != 0) & (half.family != to.family)
        refuse("translations.to.family", to.family, other, "the rule matches the other family; translate within one")
    length = np.where(source, match.source.length, match.destination.length)
    family = np.where(source, match.source.family, match.destination.family)
    fits = (to.length == np.where(to.family == 4, 32, 128)) | (family == to.family) & (to.length == length)
    refuse("translations.to.length", to.length, ~fits, "give the length of the matched prefix (1:1) or one host")


def _policies(policies: Policies, network: Network) -> None:
    check_column("policies.match", policies.match, np.int32)
    check_column("policies.group", policies.group, np.int32, policies.match.size)
    check_slices("policies.first", policies.first, None, policies.match.size)
    check_between("policies.match", policies.match, 0, network.filters.first.size - 2, "filters")
    check_between("policies.group", policies.group, 0, network.groups.first.size - 2, "groups")
    stateful = network.filters.stateful[policies.match]
    refuse(
        "policies.match", policies.match, stateful, "a stateful filter has no place in a policy; use a stateless one"
    )


def _ports(network: Network) -> None:
    ports = network.ports
    size = ports.table.size
    for name in ("table", "device", "peer"):
        check_column(f"ports.{name}", getattr(ports, name), np.int32, size)
    if ports.up is not None:
        check_column("ports.up", ports.up, np.bool_, size)
    check_between("ports.table", ports.table, 0, len(network.tables) - 1, "tables")
    refuse("ports.device", ports.device, ports.device < 0, "devices are numbered from 0; correct the number")
    check_between("ports.peer", ports.peer, NONE, size - 1, "ports")
    refuse("ports.peer", ports.peer, ports.peer == np.arange(size), f"a port is not its own peer; give {NONE} for none")
    _operations("ports.ingress", (ports.ingress_first, ports.ingress_kind, ports.ingress_index), network)
    _operations("ports.egress", (ports.egress_first, ports.egress_kind, ports.egress_index), network)
    policy = ports.egress_kind == OperationKind.POLICY
    refuse("ports.egress_kind", ports.egress_kind, policy, "a policy stands before the lookup; make it an ingress one")
    last = np.zeros(ports.ingress_kind.size, np.bool_)
    ends = ports.ingress_first[1:][ports.ingress_first[1:] > ports.ingress_first[:-1]]
    last[ends - 1] = True
    early = (ports.ingress_kind == OperationKind.POLICY) & ~last
    refuse(
        "ports.ingress_kind", ports.ingress_kind, early, "a policy is a port's last ingress operation; move it there"
    )


def _operations(where: str, columns: tuple[Column, Column, Column], network: Network) -> None:
    first, kind, index = columns
    check_column(f"{where}_kind", kind, np.int32)
    check_column(f"{where}_index", index, np.int32, kind.size)
    check_slices(f"{where}_first", first, network.ports.table.size, kind.size)
    check_one_of(f"{where}_kind", kind, tuple(OperationKind), "a kind of operation")
    sizes = (network.filters.first.size, network.translations.first.size, network.policies.first.size)
    for number, word in zip(OperationKind, ("filters", "translations", "policies"), strict=True):
        count = sizes[number] - 1
        bad = (kind == number) & ((index < 0) | (index >= count))
        refuse(f"{where}_index", index, bad, f"there are {count} {word}; correct the number")


def _zones(zones: Zones, network: Network) -> None:
    check_column("zones.port", zones.port, np.int32, zones.zone.size)
    check_between("zones.zone", zones.zone, 0, len(network.zone_names) - 1, "zones")
    check_between("zones.port", zones.port, 0, network.ports.table.size - 1, "ports")
    check_prefixes("zones.source", zones.source, zones.zone.size, FAMILIES)
    order = np.argsort(zones.port, kind="stable")
    port, zone = zones.port[order], zones.zone[order]
    shared = np.zeros(order.size, np.bool_)
    shared[order[1:]] = (port[1:] == port[:-1]) & (zone[1:] != zone[:-1])
    refuse("zones.port", zones.port, shared, "another zone is attached there too; give each zone its own port")
