"""Filters on a province's zones: what is meant (who may reach whom), the entries that say so, and faults put into them.

Half of the boundary filters look like e-government ones: high-risk ports denied to everybody, a group of permits per
permitted zone, default deny. The other half are like public firewall sets as well: entries for addresses that no zone
has, ranges that overlap, entries that can never match behind earlier ones. Their noise changes no zone's packets, so
the truth is known: `opened` and `cut` are all that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from network_models.columns import (
    Flags,
    Long,
    anywhere,
    matches,
    prefixes,
    starts,
    taken,
    whole,
    with_filters,
)
from network_models.province import EXCHANGE as PLATFORM_ZONE
from network_models.province import GLOBAL_SCOPE, INTERNET, Province
from network_models.rule_noise import noise_of
from network_models.rule_shapes import (
    FORBIDDEN,
    HIGH_RISK,
    ICMP,
    SERVICES,
    Rows,
    narrowed,
    picked,
    rows,
    stacked,
)
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE, Action, Filters, Network, Packet, Ports, Prefixes
from orchestrator.forwarding.engine.policy import Flow, Policy

FAULTS = 20


@dataclass(frozen=True)
class Guarded:
    """A network with filters on its zones, what is meant, and exactly what of it the filters do not keep.

    `opened`: pairs (source zone, destination zone) that are not allowed and that some packet crosses; `cut`: indexes
    of `policy.flows` that do not work. Filter z guards what enters zone z, filter zones + z what leaves it.
    """

    network: Network
    policy: Policy
    opened: frozenset[tuple[int, int]]
    cut: frozenset[int]


@dataclass(frozen=True)
class _Meant:
    """Allowed pairs with their services (rows of SERVICES), and the permits that say so."""

    allowed: Flags
    permits: Rows
    zone: Long  # source zone of each permit


def guarded(
    province: Province, entries: int = 250_000, flows: int = 2_000, faults: int = FAULTS, seed: int = 4
) -> Guarded:
    """The province with this many filter entries in all, and about `faults` wrong ones of each kind.

    Raises InputError when so few entries cannot say what is meant.
    """
    random = np.random.default_rng(seed)
    fixed = [*_risks(province), _leaving(province)]
    room = entries - sum(len(part) for part in fixed) - 3 * faults
    meant = _meant(province, int(room * 0.6), random)
    opened, openings = _openings(province, meant, faults, random)
    registered, cut, cuts = _registered(province, meant, flows, faults, random)
    noise = entries - sum(len(part) for part in (*fixed, meant.permits, openings, cuts))
    if noise < 0:
        raise InputError(f"{entries} entries do not hold what is meant: ask for at least {entries - noise}")
    every = stacked([*fixed, meant.permits, openings, cuts, *noise_of(province, meant.permits, noise, random)])
    network = replace(province.network, filters=_filters(province, every), lines=())
    network = replace(network, lines=_lines(network), ports=_on_ports(province))
    return Guarded(network, Policy(meant.allowed, registered), opened, cut)


def _usable(province: Province) -> list[Flags]:
    """Rows of network.zones that count in the common table, and in each department's, once per zone."""
    zones, scope = province.network.zones, province.scope
    first = zones.port == province.zone_port[zones.zone]
    departments = range(int(scope.max()) + 1)
    inside = [(scope[zones.zone] == number) & ~province.published for number in departments]
    platform = zones.zone == PLATFORM_ZONE
    return [first & (part | platform) for part in inside] + [first & province.published]


def _routed(province: Province) -> Flags:
    """Pairs of zones between which routes lead: the common table, within a department, the platform with everybody."""
    scope = province.scope
    pairs: Flags = scope[:, None] == scope[None, :]
    pairs[PLATFORM_ZONE, :] = pairs[:, PLATFORM_ZONE] = True
    np.fill_diagonal(pairs, val=False)
    return pairs


def _meant(province: Province, room: int, random: np.random.Generator) -> _Meant:
    """Up to half of the routed pairs, as many as `room` entries can say."""
    zones = province.network.zones
    count = len(province.network.zone_names)
    chosen = np.argwhere(_routed(province))
    chosen = chosen[random.permutation(len(chosen))[: len(chosen) // 2]]
    usable = _usable(province)
    lists = [[np.where(flags & (zones.zone == zone))[0] for zone in range(count)] for flags in usable]
    sizes = np.array([[len(rows_of) for rows_of in part] for part in lists])
    view = province.scope[chosen[:, 1]]  # the common table is the last list, as its scope is -1
    width = sizes[view, chosen[:, 0]]
    services = random.integers(1, 4, len(chosen))
    keep = np.searchsorted(np.cumsum(width * services), room, side="right")
    chosen, view, width, services = chosen[:keep], view[:keep], width[:keep], services[:keep]
    allowed = np.zeros((count, count), np.bool_)
    allowed[chosen[:, 0], chosen[:, 1]] = True
    kinds = random.random((keep, len(SERVICES))).argsort(axis=1)[:, :3]
    pair = np.repeat(np.arange(keep), services * width)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(services * width) - services * width, services * width)
    flat = np.concatenate([rows_of for part in lists for rows_of in part])
    begin = starts(sizes.ravel())[:-1].reshape(sizes.shape)
    source = flat[begin[view, chosen[:, 0]][pair] + within % width[pair]]
    service = np.array(SERVICES)[kinds[pair, within // width[pair]]]
    host = _hosts(province, chosen[pair], zones.source.family[source], random)
    permits = rows(
        chosen[pair, 1], 1 + random.random(keep)[pair] + within * 1e-9, taken(zones.source, source), host, service,
        Action.PERMIT,
    )  # fmt: skip
    return _Meant(allowed, permits, chosen[pair, 0])


def _addressed(province: Province, pairs: Long, family: int, random: np.random.Generator) -> Long:
    """A row of network.zones under which the first zone of each pair reaches the second; NONE: none of this family."""
    zones, found = province.network.zones, np.full(len(pairs), NONE)
    inside = (province.scope[pairs[:, 1]] != GLOBAL_SCOPE) & (pairs[:, 0] != PLATFORM_ZONE)
    for private in (False, True):
        rows_of = np.where((zones.source.family == family) & (province.published != private))[0]
        held = rows_of[np.argsort(zones.zone[rows_of], kind="stable")]
        count = np.bincount(zones.zone[held], minlength=len(province.network.zone_names))
        wanted = np.where((inside == private) & (count[pairs[:, 1]] > 0))[0]
        zone = pairs[wanted, 1]
        found[wanted] = held[starts(count)[zone] + (random.random(len(wanted)) * count[zone]).astype(np.int64)]
    return found


def _hosts(province: Province, pairs: Long, family: Long, random: np.random.Generator) -> Prefixes:
    """Destinations of permits: any in seven of ten, else one or a few hosts of the zone."""
    hosts = narrowed(
        taken(province.network.zones.source, _addressed(province, pairs, 4, random)), np.full(len(pairs), 8), random
    )
    everybody = (random.random(len(pairs)) < 0.7) | (family != 4)
    zero = np.uint8(0)
    return Prefixes(
        np.where(everybody, zero, hosts.family), hosts.high, np.where(everybody, np.uint64(0), hosts.low),
        np.where(everybody, zero, hosts.length),
    )  # fmt: skip


def _risks(province: Province) -> list[Rows]:
    """High-risk ports, denied to everybody at the top of every filter."""
    filters = np.arange(2 * len(province.network.zone_names)).repeat(len(HIGH_RISK))
    service = np.tile(np.array(HIGH_RISK), (2 * len(province.network.zone_names), 1))
    every = anywhere(len(filters))
    return [rows(filters, 0, every, every, service, Action.DENY)]


def _leaving(province: Province) -> Rows:
    """A zone sends with its own addresses only."""
    zones = province.network.zones
    own = np.where(zones.port == province.zone_port[zones.zone])[0]
    service = np.broadcast_to([NONE, 0, 65535], (len(own), 3))
    filters = len(province.network.zone_names) + zones.zone[own].astype(np.int64)
    return rows(filters, 1, taken(zones.source, own), anywhere(len(own)), service, Action.PERMIT)


def _openings(
    province: Province, meant: _Meant, faults: int, random: np.random.Generator
) -> tuple[frozenset[tuple[int, int]], Rows]:
    """Permits of a service nobody may use, between zones of the common table that may not talk at all."""
    common = province.scope == GLOBAL_SCOPE
    pairs = np.argwhere(common[:, None] & common[None, :] & ~meant.allowed & _routed(province))
    pairs = pairs[np.sort(random.choice(len(pairs), min(faults, len(pairs)), replace=False))]
    zones = province.network.zones
    four = np.where(zones.source.family == 4)[0]
    source = taken(zones.source, four[np.unique(zones.zone[four], return_index=True)[1]][pairs[:, 0]])
    service = np.broadcast_to(FORBIDDEN, (len(pairs), 3))
    wrong = rows(pairs[:, 1], 1.5, source, anywhere(len(pairs)), service, Action.PERMIT)
    return frozenset((int(a), int(b)) for a, b in pairs), wrong


def _registered(
    province: Province, meant: _Meant, flows: int, faults: int, random: np.random.Generator
) -> tuple[tuple[Flow, ...], frozenset[int], Rows]:
    """Flows that permits are there for, and denials of single ones before the permits.

    None to or from the Internet: its two carriers do not know each other's connections.
    """
    permits, zones = meant.permits, province.network.zones
    pairs = np.stack([meant.zone, permits.filter], axis=1)
    family = permits.source.family
    four, six = (_addressed(province, pairs, number, random) for number in (4, 6))
    there = np.where(family == 4, four, six)
    fit = np.where((pairs != INTERNET).all(axis=1) & (there != NONE))[0]
    chosen = np.sort(random.choice(fit, min(flows, len(fit)), replace=False))
    named = permits.destination.family[chosen] != 0
    sources = _members(taken(permits.source, chosen), random)
    targets = _members(taken(zones.source, there[chosen]), random)
    hosts = _members(taken(permits.destination, chosen), random)
    registered = []
    for row, source, target, host, by_name in zip(chosen.tolist(), sources, targets, hosts, named, strict=True):
        protocol, port = int(permits.protocol[row, 0]), int(permits.destination_port[row, 0])
        packet = Packet(
            int(family[row]), source, host if by_name else target, protocol, 0 if protocol == ICMP else 50_000, port
        )
        registered.append(Flow(int(meant.zone[row]), packet))
    cut = np.sort(random.choice(len(chosen), min(faults, len(chosen)), replace=False))
    packets = [registered[index].packet for index in cut]
    service = np.array([(packet.protocol, packet.destination_port, packet.destination_port) for packet in packets])
    denied = rows(
        permits.filter[chosen[cut]], 0.5, _exactly(packets, "source"), _exactly(packets, "destination"),
        service.reshape(-1, 3), Action.DENY,
    )  # fmt: skip
    return tuple(registered), frozenset(cut.tolist()), denied


def _members(many: Prefixes, random: np.random.Generator) -> list[int]:
    """One address of each prefix, but not its first."""
    found = []
    tails = random.integers(1, 1 << 62, len(many.family)).tolist()
    for family, high, low, length, tail in zip(*(column.tolist() for column in many), tails, strict=True):
        width = 32 if family == 4 else 128
        found.append(high << 64 | low | tail & ((1 << (width - length)) - 1))
    return found


def _exactly(packets: list[Packet], half: str) -> Prefixes:
    """Host prefixes of the packets' sources or destinations."""
    addresses = [int(getattr(packet, half)) for packet in packets]
    family = np.array([packet.family for packet in packets], np.uint8)
    high = np.array([address >> 64 for address in addresses], np.uint64)
    low = np.array([address & ((1 << 64) - 1) for address in addresses], np.uint64)
    return prefixes(family, high, low, np.where(family == 4, 32, 128))


def _filters(province: Province, every: Rows) -> Filters:
    order = np.lexsort((every.place, every.filter))
    entry = picked(every, order)
    count = 2 * len(province.network.zone_names)
    match = matches(
        entry.source, entry.destination, (entry.protocol[:, 0], entry.protocol[:, 1]),
        (entry.source_port[:, 0], entry.source_port[:, 1]),
        (entry.destination_port[:, 0], entry.destination_port[:, 1]),
    )  # fmt: skip
    return Filters(
        starts(np.bincount(entry.filter, minlength=count)), np.full(count, Action.DENY, np.int32),
        np.ones(count, np.bool_), match, whole(entry.action), whole(np.arange(len(entry))),
    )  # fmt: skip


def _lines(network: Network) -> tuple[str, ...]:
    """Where each entry is written: a file per filter."""
    names = [f"{name}-enter.filter" for name in network.zone_names]
    names += [f"{name}-leave.filter" for name in network.zone_names]
    sizes = np.diff(network.filters.first).tolist()
    return tuple(f"{name}:{row}" for name, size in zip(names, sizes, strict=True) for row in range(1, size + 1))


def _on_ports(province: Province) -> Ports:
    zones = province.network.zones
    port, first = np.unique(zones.port, return_index=True)
    zone = zones.zone[first]
    leaving = whole(zone + len(province.network.zone_names))
    return with_filters(province.network.ports, (whole(port), leaving), (whole(port), zone))
