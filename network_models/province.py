"""A province as the engine's arrays: core, city, county, access; full tables above, defaults at the edge.

Clean by construction: no loops, and every zone is delivered what is addressed to it. Equal-cost paths wherever a pair
stands above. Some access routers carry a department's own table (a VRF) whose private addresses overlap other
departments'; it reaches its other sites by tunnels, and the exchange platform by a leaked route and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from network_models.columns import (
    DOCUMENTATION_HIGH,
    Block,
    Flags,
    Long,
    assembled,
    bare_ports,
    block,
    joined,
    no_filters,
    no_policies,
    no_translations,
    prefixes,
    taken,
    version4,
    version6,
    whole,
)
from network_models.province_sites import CITY_BLOCKS, CITY_HIGH, CORES, PLATFORM, Leaves, Shape, Sites, leaves, sites
from orchestrator.forwarding.engine.network import NONE, HopKind, Network, Prefixes, Zones

GLOBAL_SCOPE: Final = -1
INTERNET, EXCHANGE = 0, 1  # zones
DEPARTMENT_BITS, PUBLISHED_BITS = 22, 26  # a site's private prefix in its department, and its own of the extranet
PRIVATE, EXTRANET = (172 << 24) + (16 << 16), (198 << 24) + (18 << 16)
INTERNET_4 = ((192 << 24) + (2 << 8), (198 << 24) + (51 << 16) + (100 << 8), (203 << 24) + (113 << 8))
INTERNET_6 = DOCUMENTATION_HIGH + (0xFFFF << 16)  # 2001:db8:ffff::/48


@dataclass(frozen=True)
class Province:
    """A province's network and what its makers know of it. Zone 0 is the Internet, zone 1 the exchange platform.

    `scope[z]`: department of zone z, GLOBAL_SCOPE for the common table. `published`: row of `network.zones` says an
    address that is unique in the whole province (not a department's private one).
    """

    shape: Shape
    sites: Sites
    network: Network
    scope: Long  # (zones,)
    zone_port: Long  # (zones,) the zone's (first) port
    published: Flags  # (rows of network.zones,)
    foreign: Prefixes  # IPv4 prefixes that no zone sends with, nor with a part of them


@dataclass(frozen=True)
class _Plan:
    """Rows of the list of prefixes that all routes are taken from."""

    prefixes: Prefixes
    leaf: Leaves
    aggregate: Long  # (cities, blocks)
    default: Long  # (2,)
    null: Long
    platform: int
    private: Long  # (departments' sites,)
    own: Long  # (departments' sites,)


@dataclass(frozen=True)
class _Departments:
    """Tables of departments: access router (index), department and number within it of each site; ports by number."""

    access: Long
    department: Long
    number: Long
    table: Long
    port: Long


def province(shape: Shape | None = None) -> Province:
    """The province of this shape (default: 30,000 routers, a million routes, 200 zones). Raises InputError."""
    shape = shape or Shape()
    random = np.random.default_rng(shape.seed)
    plan = sites(shape, random)
    departments = _departments(shape, plan)
    in_tables = min(int((shape.zones - 2) * shape.vrf_zones), len(departments.access))  # one zone per table
    zone_site = np.linspace(0, len(departments.access) - 1, in_tables).astype(np.int64)
    zone_access = _spread(len(plan.access), shape.zones - 2 - in_tables, random)
    leaf = leaves(shape, plan, zone_access, random)
    rows = _prefixes(plan, leaf, departments)
    routes, groups = assembled(_blocks(shape, plan, rows, departments), rows.prefixes)
    lan = 2 * plan.links
    last = int(departments.port.max(initial=lan + len(plan.access) - 1))
    carriers = np.array([last + 1, last + 2])
    ports_of = np.concatenate([carriers, [last + 3], lan + zone_access, departments.port[zone_site]])
    zone_of = np.concatenate([[INTERNET, INTERNET, EXCHANGE], np.arange(2, shape.zones)])
    zones, published = _zones(rows, zone_of, ports_of, zone_access, zone_site)
    link_table = plan.ends.ravel()
    table = np.concatenate([link_table, plan.access, departments.table, [0, 1, 0]])
    device = np.concatenate([link_table, plan.access, plan.access[departments.access], [0, 1, 0]])
    peer = np.full(len(table), NONE)
    peer[: len(link_table)] = np.arange(len(link_table)) ^ 1
    scope = np.full(shape.zones, GLOBAL_SCOPE)
    scope[2 + len(zone_access) :] = departments.department[zone_site]
    network = Network(
        tables=_table_names(plan, departments), zone_names=_zone_names(scope), lines=(), routes=routes,
        route_line=np.full(len(routes.table), NONE, np.int32), groups=groups, ports=bare_ports(table, device, peer),
        filters=no_filters(), translations=no_translations(), policies=no_policies(), zones=zones,
    )  # fmt: skip
    first_port = ports_of[np.searchsorted(zone_of, np.arange(shape.zones))]
    foreign = (leaf.family == 4) & ~np.isin(leaf.owner, zone_access)
    foreign[leaf.parent[leaf.moved_from :]] = False
    return Province(shape, plan, network, scope, first_port, published, taken(rows.prefixes, np.where(foreign)[0]))


def _spread(room: int, count: int, random: np.random.Generator) -> Long:
    """Distinct numbers below `room`, about as far apart from each other as they can be."""
    edges = np.linspace(0, room, count + 1).astype(np.int64)
    return edges[:-1] + (random.random(count) * np.diff(edges)).astype(np.int64)


def _departments(shape: Shape, plan: Sites) -> _Departments:
    count = max(2, int(len(plan.access) * shape.vrfs))
    access = np.linspace(0, len(plan.access) - 1, count).astype(np.int64)
    many = max(2, count // 60)
    number = np.arange(count)
    port = 2 * plan.links + len(plan.access) + number
    return _Departments(access, number % many, number // many, shape.routers + number, port)


def _prefixes(plan: Sites, leaf: Leaves, departments: _Departments) -> _Plan:
    cities = len(plan.city)
    blocks = (10 << 24) + (np.arange(cities * CITY_BLOCKS) << 16)
    parts = [
        prefixes(leaf.family, leaf.high, leaf.low, leaf.length),
        version4(blocks, 16),
        version6(DOCUMENTATION_HIGH + np.arange(cities) * CITY_HIGH, 40),
        prefixes([4, 6], 0, 0, 0),
        version4([10 << 24, PRIVATE, EXTRANET], [8, 12, 15]),
        version6([DOCUMENTATION_HIGH], 32),
        version4([PLATFORM], 16),
        version4(PRIVATE + (departments.number << (32 - DEPARTMENT_BITS)), DEPARTMENT_BITS),
        version4(EXTRANET + (np.arange(len(departments.access)) << (32 - PUBLISHED_BITS)), PUBLISHED_BITS),
    ]
    begin = np.concatenate(([0], np.cumsum([len(part.family) for part in parts])))
    own = [np.arange(a, b) for a, b in pairwise(begin.tolist())]
    aggregate = np.concatenate([own[1].reshape(cities, CITY_BLOCKS), own[2][:, None]], axis=1)
    nulls = np.concatenate([own[4], own[5]])
    return _Plan(joined(parts), leaf, aggregate, own[3], nulls, int(begin[6]), own[7], own[8])


def _blocks(shape: Shape, plan: Sites, rows: _Plan, departments: _Departments) -> list[Block]:
    parts = [
        *_edge(plan, rows),
        *_middle(plan, rows),
        *_cores(plan, rows, departments),
        *_vrfs(plan, rows, departments),
    ]
    missing = shape.routes_per_router * shape.routers - sum(len(part.table) for part in parts)
    full = np.clip(round(missing / len(rows.leaf.owner)), 0, 2 * len(plan.city))
    return [*parts, *_full_tables(plan, rows, int(full))]


def _edge(plan: Sites, rows: _Plan) -> list[Block]:
    """Access routers and counties: their own, and defaults upwards; what moved away goes upwards too."""
    leaf, port, every = rows.leaf, HopKind.PORT, np.arange(len(rows.leaf.owner))
    homes = plan.homes[leaf.owner]
    parts = [block(plan.access[leaf.owner], every, port, 2 * plan.links + leaf.owner)]
    for side in (0, 1):
        held = np.where(homes[:, side] != NONE)[0]
        parts.append(block(plan.county[homes[held, side]], held, port, plan.county_down[leaf.owner[held], side]))
    for default in rows.default:
        parts.append(block(plan.access, default, port, plan.access_up[:, 0], plan.access_up[:, 1]))
        parts.append(block(plan.county, default, port, plan.county_up[:, 0], plan.county_up[:, 1]))
    moved = every[leaf.moved_from :]
    before = leaf.owner[leaf.parent[moved]]
    parts.append(block(plan.access[before], moved, port, plan.access_up[before, 0], plan.access_up[before, 1]))
    for side in (0, 1):
        old = plan.homes[before, side]
        left = (old != NONE) & (homes[moved] != old[:, None]).all(axis=1)
        county = old[left]
        parts.append(
            block(plan.county[county], moved[left], port, plan.county_up[county, 0], plan.county_up[county, 1])
        )
    return parts


def _middle(plan: Sites, rows: _Plan) -> list[Block]:
    """City pairs: all prefixes of their city, null routes for its aggregates, the rest upwards."""
    leaf, port = rows.leaf, HopKind.PORT
    homes, down = plan.homes[leaf.owner], plan.city_down
    city = plan.county_city[homes[:, 0]]
    parts = []
    for side in (0, 1):
        second = np.where(homes[:, 1] == NONE, NONE, down[homes[:, 1], side])
        parts.append(block(plan.city[city, side], np.arange(len(city)), port, down[homes[:, 0], side], second))
        routers, up = plan.city[:, side], plan.city_up[:, side]
        wide = rows.aggregate.shape[1]
        parts.append(block(routers.repeat(wide), rows.aggregate.ravel(), HopKind.DROP, NONE))
        parts += [block(routers, default, port, up[:, 0], up[:, 1]) for default in rows.default]
    return parts


def _towards(plan: Sites, core: int, city: Long) -> tuple[Long, Long]:
    """The two ports of a core towards these cities: to their pair, else to the two cores that stand above it."""
    above = plan.city_core[city]
    column = np.argmax(above == core, axis=1)
    near = (above == core).any(axis=1)
    first = np.where(near, plan.core_down[city, 0, column], plan.mesh[core, above[:, 0]])
    return first, np.where(near, plan.core_down[city, 1, column], plan.mesh[core, above[:, 1]])


def _cores(plan: Sites, rows: _Plan, departments: _Departments) -> list[Block]:
    """Cores: every prefix, every aggregate, departments' own prefixes by tunnel, null routes, the Internet."""
    port, leaf = HopKind.PORT, rows.leaf
    city, wide = plan.access_city[leaf.owner], rows.aggregate.shape[1]
    carrier = 2 * plan.links + len(plan.access) + len(departments.access)
    parts = []
    for core in range(CORES):
        parts.append(block(core, np.arange(len(city)), port, *_towards(plan, core, city)))
        cities = np.arange(len(plan.city)).repeat(wide)
        parts.append(block(core, rows.aggregate.ravel(), port, *_towards(plan, core, cities)))
        parts.append(block(core, rows.own, HopKind.TABLE, departments.table))
        parts.append(block(core, rows.null, HopKind.DROP, NONE))
        parts.append(block(core, rows.platform, port, carrier + 2 if core == 0 else plan.mesh[core, 0]))
        out = (carrier + core, NONE) if core < 2 else (plan.mesh[core, 0], plan.mesh[core, 1])
        parts.append(block(core, rows.default, port, *out))
    return parts


def _vrfs(plan: Sites, rows: _Plan, departments: _Departments) -> list[Block]:
    """Departments' tables: their sites by tunnel, the platform by a leak into the common table, nothing else."""
    parts = [
        block(departments.table, rows.private, HopKind.PORT, departments.port),
        block(departments.table, rows.own, HopKind.PORT, departments.port),
        block(departments.table, rows.platform, HopKind.TABLE, plan.access[departments.access]),
    ]
    many = int(departments.department.max()) + 1
    for department in range(many):
        members = np.where(departments.department == department)[0]
        here, there = np.repeat(members, len(members)), np.tile(members, len(members))
        here, there = here[here != there], there[here != there]
        parts.append(block(departments.table[here], rows.private[there], HopKind.TABLE, departments.table[there]))
    return parts


def _full_tables(plan: Sites, rows: _Plan, full: int) -> list[Block]:
    """Cities with a full table: every other city's prefixes too; the others send what moved away upwards."""
    leaf, parts = rows.leaf, []
    city = plan.access_city[leaf.owner]
    moved = np.arange(leaf.moved_from, len(city))
    before = plan.access_city[leaf.owner[leaf.parent[moved]]]
    for number in range(2 * len(plan.city)):
        own, side = divmod(number, 2)
        others = np.where(city != own)[0] if number < full else moved[(before == own) & (city[moved] != own)]
        parts.append(block(plan.city[own, side], others, HopKind.PORT, *plan.city_up[own, side]))
    return parts


def _zones(rows: _Plan, zone_of: Long, ports_of: Long, zone_access: Long, zone_site: Long) -> tuple[Zones, Flags]:
    """Attachments with the addresses that each sends with."""
    leaf = rows.leaf
    internet = joined([version4(INTERNET_4, 24), version6([INTERNET_6], 48)])
    place = np.full(max(int(leaf.owner.max()), int(zone_access.max(initial=0))) + 1, NONE)
    place[zone_access] = np.arange(len(zone_access))
    held = np.where(place[leaf.owner] != NONE)[0]
    sources = joined(
        [
            internet, internet, taken(rows.prefixes, np.array([rows.platform])), taken(rows.prefixes, held),
            taken(rows.prefixes, rows.private[zone_site]), taken(rows.prefixes, rows.own[zone_site]),
        ]
    )  # fmt: skip
    sites_from = 3 + len(zone_access)
    tables = np.arange(sites_from, sites_from + len(zone_site))
    attachment = np.concatenate([[0] * 4, [1] * 4, [2], 3 + place[leaf.owner[held]], tables, tables]).astype(np.int64)
    published = np.ones(len(attachment), np.bool_)
    published[len(attachment) - 2 * len(tables) : len(attachment) - len(tables)] = False
    order = np.argsort(attachment, kind="stable")
    attachment = attachment[order]
    zones = Zones(whole(zone_of[attachment]), whole(ports_of[attachment]), taken(sources, order))
    return zones, published[order]


def _table_names(plan: Sites, departments: _Departments) -> tuple[str, ...]:
    names = [f"core{i}" for i in range(CORES)]
    names += [f"city{k:02}{side}" for k in range(len(plan.city)) for side in "ab"]
    names += [f"county{i}" for i in range(len(plan.county))]
    names += [f"access{i}" for i in range(len(plan.access))]
    pairs = zip(departments.access.tolist(), departments.department.tolist(), strict=True)
    return tuple(names + [f"access{access}/department{number}" for access, number in pairs])


def _zone_names(scope: Long) -> tuple[str, ...]:
    return (
        "internet",
        "exchange-platform",
        *(
            f"zone{number}" if department == GLOBAL_SCOPE else f"zone{number}-department{department}"
            for number, department in enumerate(scope[2:].tolist(), 2)
        ),
    )
