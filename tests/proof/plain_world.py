"""A world for the laws of reachable states: a network changed row by row, and asked packet by packet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.forwarding.engine.network import ANY_FAMILY, Groups, Matches, Network, Packet, Prefixes
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.policy import Broken, Policy
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    Update,
)
from orchestrator.proof.reachable_base import Base


class Rows:
    """Everything of a network that updates change, as dictionaries and lists."""

    def __init__(self, network: Network) -> None:
        base = Base(network)
        self.network = network
        self.routes: dict[tuple[int, Prefix], tuple[Hop, ...]] = {
            (table, prefix): hops for table in range(len(network.tables)) for prefix, hops in base.table(table).items()
        }
        count = len(network.filters.default)
        self.entries = [[base.entry(number, row) for row in range(base.count(number))] for number in range(count)]
        self.up = [base.port(port) for port in range(len(network.ports.table))]

    def copy(self) -> Rows:
        other = object.__new__(Rows)
        other.network, other.routes, other.up = self.network, dict(self.routes), list(self.up)
        other.entries = [list(entries) for entries in self.entries]
        return other

    def apply(self, update: Update) -> None:
        if isinstance(update, PortDown | PortUp):
            self.up[update.port] = isinstance(update, PortUp)
        elif isinstance(update, InsertEntry):
            assert 0 <= update.position <= len(self.entries[update.filter])
            self.entries[update.filter].insert(update.position, update.entry)
        elif isinstance(update, RemoveEntry):
            del self.entries[update.filter][update.position]
        elif isinstance(update, RemoveRoute):
            del self.routes[update.table, update.prefix]
        elif hasattr(update, "entry"):
            self.entries[update.filter][update.position] = update.entry
        else:
            assert ((update.table, update.prefix) in self.routes) != isinstance(update, AddRoute)
            self.routes[update.table, update.prefix] = update.hops

    def arrays(self) -> Network:
        """The network as it is now."""
        old = self.network
        lists = list(self.routes.items())
        first = np.cumsum([0] + [len(hops) for _key, hops in lists]).astype(np.int32)
        flat = [hop for _key, hops in lists for hop in hops]
        routes = old.routes._replace(
            table=_ints(key[0] for key, _hops in lists),
            prefix=_prefixes([key[1] for key, _hops in lists]),
            group=_ints(range(len(lists))),
        )
        # groups of policies keep their numbers, behind the routes' own
        base = Base(old)
        kept = [base.group(int(group)) for group in old.policies.group]
        for hops in kept:
            flat.extend(hops)
            first = np.append(first, np.int32(first[-1] + len(hops)))
        policies = old.policies._replace(group=_ints(range(len(lists), len(lists) + len(kept))))
        entries = [entry for one in self.entries for entry in one]
        filters = old.filters._replace(
            first=np.cumsum([0] + [len(one) for one in self.entries]).astype(np.int32),
            match=_matches(entries),
            action=_ints(entry.action for entry in entries),
            line=_ints(entry.line for entry in entries),
        )
        return Network(
            old.tables,
            old.zone_names,
            old.lines,
            routes,
            _ints(-1 for _ in lists),
            Groups(first, _ints(hop.kind for hop in flat), _ints(hop.target for hop in flat)),
            old.ports._replace(up=np.array(self.up, np.bool_)),
            filters,
            old.translations,
            policies,
            old.zones,
        )


def _ints(values: object) -> np.ndarray:
    return np.array(list(values), np.int32)  # type: ignore[call-overload]  # any iterable of numbers


def _prefixes(prefixes: Sequence[Prefix]) -> Prefixes:
    half = (1 << 64) - 1
    return Prefixes(
        np.array([prefix.family if prefix.length or prefix.family else ANY_FAMILY for prefix in prefixes], np.uint8),
        np.array([prefix.address >> 64 for prefix in prefixes], np.uint64),
        np.array([prefix.address & half for prefix in prefixes], np.uint64),
        np.array([prefix.length for prefix in prefixes], np.uint8),
    )


def _matches(entries: Sequence[Entry]) -> Matches:
    matches = [entry.match for entry in entries]
    return Matches(
        _prefixes([match.source for match in matches]),
        _prefixes([match.destination for match in matches]),
        _ints(match.protocol[0] for match in matches),
        _ints(match.protocol[1] for match in matches),
        _ints(match.source_port[0] for match in matches),
        _ints(match.source_port[1] for match in matches),
        _ints(match.destination_port[0] for match in matches),
        _ints(match.destination_port[1] for match in matches),
        _ints(match.established for match in matches),
        _ints(match.fragment for match in matches),
        _ints(match.in_port for match in matches),
    )


Crossing = dict[tuple[int, int], frozenset[tuple[int, Packet]]]
"""Pairs of zones, and the packets (with their zones) that get across."""


class PlainWorld:
    """Answers about `packets` only, each by a walk: all of isolation there is in these tests."""

    def __init__(self, network: Network, policy: Policy, packets: Sequence[tuple[int, Packet]]) -> None:
        self.rows, self.policy, self.packets = Rows(network), policy, tuple(packets)
        self.only: Crossing = {}
        self.round = looping(self.rows, self.packets)
        self.asked = 0

    def apply(self, update: Update) -> None:
        self.rows.apply(update)

    def broken(self) -> Broken:
        self.asked += 1
        return judged(self.rows, self.policy, self.packets, self.only)

    def loops(self) -> frozenset[int]:
        return frozenset(zone for zone, _packet in looping(self.rows, self.packets) - self.round)

    def crossing(self) -> Crossing:
        return crossing(self.rows, self.policy, self.packets, self.only)

    def allow_only(self, only: Crossing) -> None:
        self.only = dict(only)


def looping(rows: Rows, packets: Sequence[tuple[int, Packet]]) -> frozenset[tuple[int, Packet]]:
    """The packets that go round on some branch."""
    plain = Plain(rows.arrays())
    ends = ((zone, packet, plain.ends(zone, packet)) for zone, packet in packets)
    return frozenset((zone, packet) for zone, packet, found in ends if any(end.ending == Ending.LOOP for end in found))


def crossing(
    rows: Rows, policy: Policy, packets: Sequence[tuple[int, Packet]], only: Crossing | None = None
) -> Crossing:
    """The packets that get across forbidden pairs and are not among those that may (`only`)."""
    plain = Plain(rows.arrays())
    found: dict[tuple[int, int], set[tuple[int, Packet]]] = {}
    for zone, packet in packets:
        for end in plain.ends(zone, packet):
            pair = zone, end.zone
            if end.ending != Ending.DELIVERED or end.zone == zone or policy.allowed[pair]:
                continue
            if (zone, packet) not in (only or {}).get(pair, ()):
                found.setdefault(pair, set()).add((zone, packet))
    return {pair: frozenset(across) for pair, across in found.items()}


def judged(rows: Rows, policy: Policy, packets: Sequence[tuple[int, Packet]], only: Crossing | None = None) -> Broken:
    """What of the policy does not hold; `only`: packets that may get across forbidden pairs."""
    plain = Plain(rows.arrays())
    isolation = frozenset(crossing(rows, policy, packets, only))
    unknown: set[tuple[int, int]] = set()
    zones = range(len(rows.network.zone_names))
    for zone, packet in packets:
        if any(end.ending == Ending.UNKNOWN for end in plain.ends(zone, packet)):
            unknown |= {(zone, other) for other in zones if other != zone and not policy.allowed[zone, other]}
    works_ = [works(plain, flow.zone, flow.packet) for flow in policy.flows]
    flows = frozenset(index for index, answer in enumerate(works_) if answer is not True)
    unread = frozenset(index for index, answer in enumerate(works_) if answer is None)
    return Broken(isolation, flows, frozenset(unknown - isolation), unread)
