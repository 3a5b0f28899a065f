"""A network in which packets that routes lose are delivered: to a zone for each place where they are lost.

The engine merges everything that nobody gets, whoever drops it. Of the network made here it says exactly which packets
are lost where: whatever stands before a loss (filters, translations, policies, equal-cost ways) decides as before any
other delivery. A place is why, the table, and the line of the route that led there. Routes that lead to none of the
asked zones' addresses, nor to one that a translation makes of them, are left out: most places are of no account then.

`meeting` makes the network in which every filter stays on the ways of the packets that meet it, wherever they are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.changed import chosen_columns, joined_columns, prefixes_of
from orchestrator.forwarding.engine.labels import END, Label, Labels
from orchestrator.forwarding.engine.network import (
    NONE,
    Groups,
    HopKind,
    Int,
    Network,
    OperationKind,
    Policies,
    Ports,
    Routes,
    Zones,
)
from orchestrator.forwarding.engine.updates import Prefix

NO_ROUTE: Final = "no route"
NULL_ROUTE: Final = "null route"
NO_CABLE: Final = "no cable"
PORT_DOWN: Final = "the port is down"


class Loss(NamedTuple):
    """Why, in which table, and the line of the route taken there (index into Network.lines, NONE: none, or unknown)."""

    what: str
    table: int
    line: int


_LOST: Final = Loss("lost", NONE, NONE)
_TAKEN: Final = Loss("taken by a policy", NONE, NONE)
_DEFAULTS: Final = (Prefix(4, 0, 0), Prefix(6, 0, 0))


@dataclass(frozen=True)
class Losses:
    """`network`: zone first + i of it gets what is lost at places[i]; all other zones and tables are as they were."""

    network: Network
    first: int
    places: tuple[Loss, ...]


def delivering(network: Network, asked: NDArray[np.bool_]) -> Losses:
    """The network that delivers what a network loses on the way to the addresses of zones that are `asked` about.

    Packets that a zone sends by a port that is down stay dropped. Of other destinations it says nothing.
    """
    goals = (chosen_columns(network.zones.source, asked[network.zones.zone]), network.translations.to)
    routes = network.routes
    labels = Labels([routes.prefix, *goals])
    low, high = _merged(*(np.concatenate([of(goal) for goal in goals]) for of in (labels.low, labels.high)))
    at = np.searchsorted(high, labels.low(routes.prefix), "right")
    leads = np.append(low, END)[at] < labels.high(routes.prefix)
    families = set(np.concatenate([goal.family for goal in goals]).tolist())
    less = replace(network, routes=chosen_columns(routes, leads), route_line=network.route_line[leads])
    return _Made(less, [default for default in _DEFAULTS if default.family in families]).losses()


def meeting(network: Network) -> Network:
    """The network in which packets meet the filters that they meet in this one, and none of them is left out.

    The engine leaves out a filter before a loss, and one whose packets a policy sends where they go anyhow. Here all
    that is lost is delivered, to one zone, and what a policy takes to another one as well, on an equal-cost path.
    """
    return _Made(network, list(_DEFAULTS), apart=False).losses().network


def _merged(low: Label, high: Label) -> tuple[Label, Label]:
    """Intervals as disjoint ones, ascending."""
    order = np.argsort(low, kind="stable")
    low, reached = low[order], np.maximum.accumulate(high[order])
    first = np.append(True, low[1:] > reached[:-1])[: len(low)]
    return low[first], reached[np.append(first[1:], True)[: len(low)]]


@dataclass
class _Made:
    """What comes behind the rows of a network: next hops, ports and zones. `apart`: a zone for each place."""

    network: Network
    defaults: list[Prefix]
    apart: bool = True
    zone: dict[Loss, int] = field(default_factory=dict)
    port: dict[tuple[Loss, int], int] = field(default_factory=dict)  # behind the egress operations of a port, or NONE
    hops: dict[tuple[tuple[int, int], ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports, groups = self.network.ports, self.network.groups
        count = len(ports.table)
        self._up = np.ones(count, np.bool_) if ports.up is None else ports.up
        attached = np.zeros(count, np.bool_)
        attached[self.network.zones.port] = True
        peer = ports.peer
        cut = (peer == NONE) & ~attached
        unheard = (peer != NONE) & ~self._up[peer]
        self._loses = ~self._up | cut | unheard
        leaves = groups.kind == HopKind.PORT
        lost = groups.kind == HopKind.DROP
        lost[leaves] = self._loses[groups.target[leaves]]
        self._lossy = np.logical_or.reduceat(lost, groups.first[:-1]) if len(lost) else lost

    def losses(self) -> Losses:
        base, routes = self.network, self._routes()
        ingress, policies = self._policies()
        network = replace(
            base,
            tables=(*base.tables, _other_than(frozenset(base.tables), "nowhere")),
            zone_names=(*base.zone_names, *self._zone_names()),
            routes=routes,
            route_line=np.pad(base.route_line, (0, len(routes.table) - len(base.route_line)), constant_values=NONE),
            groups=self._groups(),
            ports=self._ports(ingress),
            policies=policies,
            zones=joined_columns(base.zones, self._zones()),
        )
        return Losses(network, len(base.zone_names), tuple(self.zone))

    # ---- who loses packets ----

    def _routes(self) -> Routes:
        """Routes that lose packets have a group of their own for each table and line; no table is without a default."""
        routes, line = self.network.routes, self.network.route_line
        rows = np.flatnonzero(self._lossy[routes.group])
        keys = np.stack([routes.table[rows], routes.group[rows], line[rows]], axis=1)
        unique, which = np.unique(keys, axis=0, return_inverse=True)
        made = [self._delivering(group, table, line) for table, group, line in unique.tolist()]
        group = routes.group.copy()
        group[rows] = np.array(made, np.int32)[which.reshape(-1)]
        return joined_columns(routes._replace(group=group), self._defaults())

    def _defaults(self) -> Routes:
        """Default routes for tables that have none."""
        routes, tables = self.network.routes, len(self.network.tables)
        table, prefix = list[int](), list[Prefix]()
        for default in self.defaults:
            mine = (routes.prefix.family == default.family) & (routes.prefix.length == 0)
            without = np.setdiff1d(np.arange(tables), routes.table[mine]).tolist()
            table += without
            prefix += [default] * len(without)
        group = [self._group([(HopKind.PORT, self._to(Loss(NO_ROUTE, one, NONE)))]) for one in table]
        return Routes(np.array(table, np.int32), prefixes_of(prefix), np.array(group, np.int32))

    def _policies(self) -> tuple[Int, Policies]:
        """Ingress operations, and policies: one of its own for each table in which one loses packets."""
        ports, policies = self.network.ports, self.network.policies
        index, first = ports.ingress_index.copy(), policies.first.tolist()
        match, group = policies.match.tolist(), policies.group.tolist()
        table = np.repeat(ports.table, np.diff(ports.ingress_first))
        known: dict[tuple[int, int], int] = {}
        for row in np.flatnonzero(ports.ingress_kind == OperationKind.POLICY).tolist():
            key = policy, place = int(index[row]), int(table[row])
            mine = slice(first[policy], first[policy + 1])
            if self.apart and not any(self._lossy[group[mine]]):
                continue
            if key not in known:
                known[key] = len(first) - 1
                match += match[mine]
                group += [self._taking(one, place) for one in group[mine]]
                first.append(len(match))
            index[row] = known[key]
        columns = (np.array(column, np.int32) for column in (first, match, group))
        return index, Policies(*columns)

    # ---- next hops that deliver instead ----

    def _delivering(self, group: int, table: int, line: int) -> int:
        """A group like another one, in which no next hop of packets in this table loses any."""
        return self._group(self._hops(group, table, line))

    def _taking(self, group: int, table: int) -> int:
        """The same for a policy of the table; what it takes is told from what it leaves unless places are `apart`."""
        if not self.apart:
            return self._group([*self._hops(group, table, NONE), (HopKind.PORT, self._to(_TAKEN))])
        return self._delivering(group, table, NONE) if self._lossy[group] else group

    def _hops(self, group: int, table: int, line: int) -> list[tuple[int, int]]:
        groups = self.network.groups
        rows = range(int(groups.first[group]), int(groups.first[group + 1]))
        hops = [self._hop(int(groups.kind[row]), int(groups.target[row]), table, line) for row in rows]
        return list(dict.fromkeys(hops))

    def _hop(self, kind: int, target: int, table: int, line: int) -> tuple[int, int]:
        ports = self.network.ports
        if kind == HopKind.DROP:
            return HopKind.PORT, self._to(Loss(NULL_ROUTE, table, line))
        if kind != HopKind.PORT or not self._loses[target]:
            return kind, target
        if not self._up[target]:
            return HopKind.PORT, self._to(Loss(PORT_DOWN, table, line))
        peer = int(ports.peer[target])
        loss = Loss(NO_CABLE, table, line) if peer == NONE else Loss(PORT_DOWN, int(ports.table[peer]), NONE)
        return HopKind.PORT, self._to(loss, target)

    def _to(self, loss: Loss, behind: int = NONE) -> int:
        """The port that delivers to a place's zone, behind the egress operations of port `behind`."""
        if not self.apart and loss != _TAKEN:
            loss = _LOST
        self.zone.setdefault(loss, len(self.network.zone_names) + len(self.zone))
        return self.port.setdefault((loss, behind), len(self.network.ports.table) + len(self.port))

    def _group(self, hops: list[tuple[int, int]]) -> int:
        return self.hops.setdefault(tuple(hops), len(self.network.groups.first) - 1 + len(self.hops))

    # ---- as arrays ----

    def _groups(self) -> Groups:
        groups = self.network.groups
        ends = int(groups.first[-1]) + np.cumsum([len(hops) for hops in self.hops], dtype=np.int64)
        kind, target = (np.array([hop[at] for hops in self.hops for hop in hops], np.int32) for at in (0, 1))
        return joined_columns(groups, Groups(ends.astype(np.int32), kind, target))

    def _ports(self, ingress: Int) -> Ports:
        """The network's ports with other policies, and those that deliver."""
        ports, behind = self.network.ports, [port for _loss, port in self.port]
        rows = [
            np.arange(*ports.egress_first[port : port + 2]) if port != NONE else np.zeros(0, np.int64)
            for port in behind
        ]
        copied = np.concatenate([np.zeros(0, np.int64), *rows])
        ends = int(ports.egress_first[-1]) + np.cumsum([len(row) for row in rows], dtype=np.int64)
        none = np.full(len(behind), NONE, np.int32)
        made = Ports(
            table=np.full(len(behind), len(self.network.tables), np.int32),
            device=np.array([0 if port == NONE else ports.device[port] for port in behind], np.int32),
            peer=none,
            ingress_first=np.full(len(behind), ports.ingress_first[-1], np.int32),
            ingress_kind=none[:0],
            ingress_index=none[:0],
            egress_first=ends.astype(np.int32),
            egress_kind=ports.egress_kind[copied],
            egress_index=ports.egress_index[copied],
            up=np.ones(len(behind), np.bool_),
        )
        return joined_columns(ports._replace(ingress_index=ingress, up=self._up), made)

    def _zone_names(self) -> list[str]:
        taken = frozenset(self.network.zone_names)
        return [_other_than(taken, f"lost {number}") for number in range(len(self.zone))]

    def _zones(self) -> Zones:
        """Nobody sends from there but one address, which no finding is asked for."""
        port = np.array(list(self.port.values()), np.int32)
        zone = np.array([self.zone[loss] for loss, _behind in self.port], np.int32)
        return Zones(zone, port, prefixes_of([Prefix(4, 0, 32)] * len(port)))


def _other_than(taken: frozenset[str], name: str) -> str:
    """A name that is not taken."""
    while name in taken:
        name += "'"
    return name
