"""A backbone: a few routers, each with the same hundred thousand prefixes, nested as those of the Internet are."""

from __future__ import annotations

from typing import Final

import numpy as np

from network_models.columns import (
    Long,
    assembled,
    bare_ports,
    block,
    joined,
    no_filters,
    no_policies,
    no_translations,
    taken,
    version4,
    whole,
)
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE, HopKind, Network, Prefixes, Zones

_LENGTHS: Final = (16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28)
_SHARES: Final = (0.01, 0.02, 0.03, 0.05, 0.05, 0.1, 0.08, 0.36, 0.06, 0.1, 0.06, 0.08)
_COSTS: Final = 8  # as many different trees lead to each router


def backbone(routers: int = 18, prefixes: int = 100_000, seed: int = 3) -> Network:
    """A ring with chords; each prefix belongs to one router, whose zone gets it. One way to each, without loops.

    Zone r is router r's, port 2 * links + r; the default route leads to router 0. Raises InputError.
    """
    if routers < 3 or not routers <= prefixes <= 500_000:
        raise InputError(
            f"backbone of {routers} routers, {prefixes} prefixes: take 3 or more, and up to 500000 prefixes"
        )
    random = np.random.default_rng(seed)
    ends = _links(routers, random)
    out = np.full((routers, routers), NONE)
    out[ends[:, 0], ends[:, 1]] = 2 * np.arange(len(ends))
    out[ends[:, 1], ends[:, 0]] = 2 * np.arange(len(ends)) + 1
    lan = 2 * len(ends) + np.arange(routers)
    plan = joined([_prefixes(prefixes, random), version4([0], 0)])
    owner = np.concatenate([np.arange(routers), random.integers(0, routers, prefixes - routers), [0]])
    tree = random.integers(0, _COSTS, len(owner))
    towards = np.stack([_next(ends, routers, random) for _ in range(_COSTS)])
    blocks = []
    for router in range(routers):
        hop = out[router, towards[tree, router, owner]]
        blocks.append(block(router, np.arange(len(owner)), HopKind.PORT, np.where(owner == router, lan[router], hop)))
    routes, groups = assembled(blocks, plan)
    table = np.concatenate([ends.ravel(), np.arange(routers)])
    peer = np.concatenate([np.arange(2 * len(ends)) ^ 1, np.full(routers, NONE)])
    return Network(
        tables=tuple(f"router{number}" for number in range(routers)),
        zone_names=tuple(f"zone{number}" for number in range(routers)), lines=(), routes=routes,
        route_line=np.full(len(routes.table), NONE, np.int32), groups=groups, ports=bare_ports(table, table, peer),
        filters=no_filters(), translations=no_translations(), policies=no_policies(),
        zones=Zones(whole(np.arange(routers)), whole(lan), taken(plan, np.arange(routers))),
    )  # fmt: skip


def _links(routers: int, random: np.random.Generator) -> Long:
    """A ring, and half as many chords."""
    ring = {(router, router + 1) for router in range(routers - 1)} | {(0, routers - 1)}
    pairs = [(a, b) for a in range(routers) for b in range(a + 1, routers) if (a, b) not in ring]
    chords = random.permutation(len(pairs))[: routers // 2]
    return np.array(sorted(ring | {pairs[chord] for chord in chords.tolist()}))


def _prefixes(count: int, random: np.random.Generator) -> Prefixes:
    """Distinct prefixes of 10.0.0.0/8, in no order."""
    found = np.zeros((0, 2), np.int64)
    while len(found) < count:
        length = np.array(_LENGTHS)[random.choice(len(_LENGTHS), count, p=_SHARES)]
        address = (10 << 24) + (random.integers(0, 1 << 24, count) >> (32 - length) << (32 - length))
        found = np.unique(np.concatenate([found, np.stack([address, length], axis=1)]), axis=0)
    chosen = found[random.permutation(len(found))[:count]]
    return version4(chosen[:, 0], chosen[:, 1])


def _next(ends: Long, routers: int, random: np.random.Generator) -> Long:
    """(router, owner) -> next router on a shortest way under random costs (Floyd and Warshall)."""
    cost = np.full((routers, routers), 10**6)
    following = np.tile(np.arange(routers), (routers, 1))
    links = random.integers(10, 14, len(ends)) * 1000 + np.arange(len(ends))  # hardly two ways cost the same
    cost[ends[:, 0], ends[:, 1]] = cost[ends[:, 1], ends[:, 0]] = links
    np.fill_diagonal(cost, 0)
    for middle in range(routers):
        shorter = cost[:, middle, None] + cost[None, middle, :]
        better = shorter < cost
        following = np.where(better, following[:, middle, None], following)
        cost = np.where(better, shorter, cost)
    return following
