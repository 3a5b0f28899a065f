"""A tree of routers with three zones each, and a filter on every edge in every direction: the hard case for filters.

Zones are /24, numbered in preorder, so a subtree is one run of addresses; tables hold the subtree below and a default
upwards. Lines of filters deny and permit zones, runs of zones, parts of zones and hosts; the last one permits all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from network_models.columns import (
    Flags,
    Long,
    assembled,
    bare_ports,
    block,
    joined,
    matches,
    no_policies,
    no_translations,
    starts,
    version4,
    whole,
    with_filters,
)
from network_models.rule_shapes import SERVICES
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE, Action, Filters, HopKind, Network, Prefixes, Zones

BASE: Final = 10 << 24
ZONES_EACH: Final = 3
_LENGTHS: Final = (14, 16, 18, 20, 21, 22, 23, 24, 24, 24, 24, 26, 28, 32)


@dataclass(frozen=True)
class Tree:
    """The network and its shape. Edge e joins router e + 1 with its parent; filter 2e guards downwards, 2e + 1 upwards.

    Ports 2e (at the parent) and 2e + 1 (at the child) are the ends of edge e; router r's zones are 3r, 3r + 1, 3r + 2.
    """

    network: Network
    parent: Long


def tree(routers: int = 1_000, lines: int = 50, seed: int = 2) -> Tree:
    """A random tree of that many routers, in preorder. Raises InputError for a size that has no addresses."""
    if not 2 <= routers <= 1 << 14 or lines < 1:
        raise InputError(
            f"tree of {routers} routers with {lines} lines: take 2 to {1 << 14} routers, at least one line"
        )
    random = np.random.default_rng(seed)
    parent, end = _preorder(routers, random)
    zones = routers * ZONES_EACH
    zone_address = BASE + (np.arange(zones) << 8)
    child = np.arange(1, routers)
    edges = routers - 1
    lan = 2 * edges + np.arange(zones)
    plan = joined([version4(zone_address, 24), version4([0], 0)])
    owner = np.repeat(np.arange(routers), ZONES_EACH)
    below = np.concatenate([np.arange(ZONES_EACH * node, ZONES_EACH * end[node]) for node in child])
    sizes = ZONES_EACH * (end[child] - child)
    routes, groups = assembled(
        [
            block(owner, np.arange(zones), HopKind.PORT, lan),
            block(np.repeat(parent[1:], sizes), below, HopKind.PORT, np.repeat(2 * (child - 1), sizes)),
            block(child, zones, HopKind.PORT, 2 * (child - 1) + 1),
        ],
        plan,
    )
    table = np.concatenate([np.stack([parent[1:], child], axis=1).ravel(), owner])
    peer = np.concatenate([np.arange(2 * edges) ^ 1, np.full(zones, NONE)])
    ends = np.arange(2 * edges)
    ports = with_filters(bare_ports(table, table, peer), (whole([]), whole([])), (whole(ends), whole(ends)))
    network = Network(
        tables=tuple(f"router{number}" for number in range(routers)),
        zone_names=tuple(f"zone{number}" for number in range(zones)),
        lines=tuple(
            f"edge{edge}-{way}.filter:{line}"
            for edge in range(edges) for way in ("down", "up") for line in range(1, lines + 1)
        ),
        routes=routes, route_line=np.full(len(routes.table), NONE, np.int32), groups=groups, ports=ports,
        filters=_filters(2 * edges, lines, zones, random), translations=no_translations(), policies=no_policies(),
        zones=Zones(whole(np.arange(zones)), whole(lan), version4(zone_address, 24)),
    )  # fmt: skip
    return Tree(network, parent)


def _preorder(routers: int, random: np.random.Generator) -> tuple[Long, Long]:
    """(parents, ends): routers numbered in preorder; the subtree of r is r .. end[r]."""
    above = [NONE, *(int(random.integers(0, node)) for node in range(1, routers))]
    children: list[list[int]] = [[] for _ in range(routers)]
    for node in range(1, routers):
        children[above[node]].append(node)
    number, stack = np.full(routers, NONE), [0]
    for place in range(routers):
        node = stack.pop()
        number[node] = place
        stack += reversed(children[node])
    parent, size = np.full(routers, NONE), np.ones(routers, np.int64)
    parent[number[1:]] = number[np.array(above[1:])]
    for node in range(routers - 1, 0, -1):
        size[parent[node]] += size[node]
    return parent, np.arange(routers) + size


def _filters(count: int, lines: int, zones: int, random: np.random.Generator) -> Filters:
    rows = count * lines
    service = np.array([*SERVICES, *[(NONE, 0, 65535)] * 6])[random.integers(0, len(SERVICES) + 6, rows)]
    last = np.arange(rows) % lines == lines - 1
    service[last] = (NONE, 0, 65535)
    protocol = np.maximum(service[:, 0], 0), np.where(service[:, 0] == NONE, 255, service[:, 0])
    wide = random.random(rows)  # one line in five has any source, one in five any destination, none has both
    match = matches(
        _some(zones, last | (wide < 0.2), random), _some(zones, last | (wide > 0.8), random), protocol,
        destination_port=(service[:, 1], service[:, 2]),
    )  # fmt: skip
    action = np.where(last, Action.PERMIT, random.integers(0, 2, rows))
    return Filters(
        starts(np.full(count, lines)), np.full(count, Action.DENY, np.int32), np.zeros(count, np.bool_), match,
        whole(action), whole(np.arange(rows)),
    )  # fmt: skip


def _some(zones: int, every: Flags, random: np.random.Generator) -> Prefixes:
    """Runs of zones, zones, and parts of zones; any address where `every` says so."""
    length = np.array(_LENGTHS)[random.integers(0, len(_LENGTHS), len(every))]
    address = BASE + (random.integers(0, zones, len(every)) << 8) + random.integers(0, 256, len(every))
    address = np.where(every, 0, address >> (32 - length) << (32 - length))
    chosen = version4(address, np.where(every, 0, length))
    return chosen._replace(family=np.where(every, 0, 4).astype(np.uint8))
