"""The routers, links and addresses of a made-up province: four cores, city pairs, counties, access routers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from network_models.columns import DOCUMENTATION_HIGH, Long
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE

CORES: Final = 4
CITY_BLOCKS: Final = 12  # /16 of 10.0.0.0/8 that a city owns
CITY_HIGH: Final = 1 << 24  # /64 of 2001:db8::/32 that a city owns: a /40
PLATFORM: Final = (10 << 24) + (240 << 16)  # 10.240.0.0/16, the data exchange platform, beyond every city's blocks
MOST_CITIES: Final = 20
UNITS_OF_4: Final = ((23, 512), (24, 256), (24, 256), (24, 256), (26, 64), (27, 32), (28, 16))  # length, addresses
UNITS_OF_6: Final = ((56, 256), (60, 16), (60, 16), (64, 1))  # length, /64s


@dataclass(frozen=True)
class Shape:
    """How big a province is, and what it is made of. The same shape gives the same bytes."""

    routers: int = 30_000
    zones: int = 200
    cities: int = MOST_CITIES
    routes_per_router: float = 34.0  # filled up with full tables at cities
    ipv6: float = 0.2  # share of access routers that speak IPv6 too
    vrfs: float = 0.05  # share of access routers that carry a department's own table
    vrf_zones: float = 0.2  # share of zones that live in such a table
    paired: float = 0.15  # share of access routers with two counties above them
    moved: float = 0.02  # share of prefixes with a more specific part somewhere else
    seed: int = 1

    def __post_init__(self) -> None:
        fewest = CORES + 4 * self.cities + 2 * self.zones
        if not 1 <= self.cities <= MOST_CITIES or self.routers < fewest:
            raise InputError(
                f"province of {self.routers} routers, {self.zones} zones, {self.cities} cities: "
                f"take 1 to {MOST_CITIES} cities and at least {fewest} routers"
            )


@dataclass(frozen=True)
class Sites:
    """Who stands above whom, and by which ports. Ports 2l and 2l + 1 are the two ends of link l.

    Routers: cores, then city pairs (city k: `city[k]`, two routers), counties, access routers.
    """

    routers: int
    city: Long  # (cities, 2) routers
    county: Long  # (counties,) routers
    access: Long  # (access,) routers
    county_city: Long  # (counties,) city of each county
    homes: Long  # (access, 2) counties (index) above an access router; NONE in the second column: one only
    ends: Long  # (links, 2) routers
    mesh: Long  # (4, 4) port of a core towards a core
    city_up: Long  # (cities, 2 routers, 2 cores) ports
    city_core: Long  # (cities, 2) the cores above a city
    core_down: Long  # (cities, 2 routers, 2 cores) ports
    county_up: Long  # (counties, 2) ports
    city_down: Long  # (counties, 2) ports
    access_up: Long  # (access, 2) ports, NONE where there is one home only
    county_down: Long  # (access, 2) ports

    @property
    def access_city(self) -> Long:
        """City of each access router."""
        return self.county_city[self.homes[:, 0]]

    @property
    def links(self) -> int:
        """How many links there are; local ports come after 2 * links."""
        return len(self.ends)


def sites(shape: Shape, random: np.random.Generator) -> Sites:
    """Routers and links of a province."""
    cities = shape.cities
    city = CORES + np.arange(2 * cities).reshape(cities, 2)
    rest = shape.routers - CORES - 2 * cities
    counties = max(1, rest // 12 // cities) * cities
    county = CORES + 2 * cities + np.arange(counties)
    access = np.arange(CORES + 2 * cities + counties, shape.routers)
    county_city = np.arange(counties) % cities
    first = np.arange(len(access)) % counties
    second = (first + cities) % counties  # the next county of the same city
    paired = (random.random(len(access)) < shape.paired) & (second != first)
    homes = np.stack([first, np.where(paired, second, NONE)], axis=1)
    city_core = np.stack([np.arange(cities) % CORES, (np.arange(cities) + 1) % CORES], axis=1)

    cores = [(a, b) for a in range(CORES) for b in range(a + 1, CORES)]
    twins = np.where(paired)[0]
    ends = np.concatenate(
        [
            np.array(cores),
            np.stack([city.repeat(2), np.repeat(city_core, 2, axis=0).ravel()], axis=1),
            city,
            np.stack([county.repeat(2), city[county_city].ravel()], axis=1),
            np.stack([access, county[first]], axis=1),
            np.stack([access[twins], county[second[twins]]], axis=1),
        ]
    )
    mesh = np.full((CORES, CORES), NONE)
    for link, (a, b) in enumerate(cores):
        mesh[a, b], mesh[b, a] = 2 * link, 2 * link + 1
    upper = 2 * (len(cores) + np.arange(4 * cities).reshape(cities, 2, 2))
    begin = len(cores) + 5 * cities
    middle = 2 * (begin + np.arange(2 * counties).reshape(counties, 2))
    begin += 2 * counties
    lower = np.full((len(access), 2), NONE)
    lower[:, 0] = 2 * (begin + np.arange(len(access)))
    lower[twins, 1] = 2 * (begin + len(access) + np.arange(len(twins)))
    return Sites(
        shape.routers, city, county, access, county_city, homes, ends, mesh, upper, city_core, upper + 1,
        middle, middle + 1, lower, np.where(lower == NONE, NONE, lower + 1),
    )  # fmt: skip


@dataclass(frozen=True)
class Leaves:
    """Prefixes of access routers: families, upper and lower halves, lengths, and the access router (index) of each.

    Rows from `moved_from` on are more specific parts of row `parent`, moved to another access router.
    """

    family: Long
    high: Long
    low: Long
    length: Long
    owner: Long
    moved_from: int
    parent: Long


def leaves(shape: Shape, plan: Sites, zone_access: Long, random: np.random.Generator) -> Leaves:
    """Addresses of the access routers: one to three prefixes each, more at zones, a few with a part moved away."""
    count = random.integers(1, 4, len(plan.access))
    count[zone_access] = 4
    six = random.random(len(plan.access)) < shape.ipv6
    six[zone_access] = random.random(len(zone_access)) < min(3 * shape.ipv6, 1)  # zones come first in both families
    four_owner = np.repeat(np.arange(len(plan.access)), count)
    six_owner = np.repeat(np.arange(len(plan.access)), np.where(six, random.integers(1, 3, len(six)), 0))
    four_length, four_at = _allocated(UNITS_OF_4, plan.access_city[four_owner], CITY_BLOCKS << 16, random)
    six_length, six_at = _allocated(UNITS_OF_6, plan.access_city[six_owner], CITY_HIGH, random)
    fours, sixes = len(four_owner), len(six_owner)
    family = np.repeat([4, 6], [fours, sixes])
    high = np.concatenate([np.zeros(fours, np.int64), DOCUMENTATION_HIGH + six_at])
    low = np.concatenate([(10 << 24) + four_at, np.zeros(sixes, np.int64)])
    length, owner = np.concatenate([four_length, six_length]), np.concatenate([four_owner, six_owner])

    parts = np.where((family == 4) & (length <= 24) & ~np.isin(owner, zone_access))[0]
    parts = np.sort(random.choice(parts, int(len(owner) * shape.moved), replace=False))
    away = random.integers(0, len(plan.access), len(parts))
    to_zone = random.random(len(parts)) < 0.25
    away[to_zone] = random.choice(zone_access, int(to_zone.sum()))
    away = np.where(away == owner[parts], (away + 1) % len(plan.access), away)
    inside = random.integers(0, 16, len(parts)) << 4  # a /28 in the first /24 of its parent
    return Leaves(
        np.concatenate([family, family[parts]]), np.concatenate([high, high[parts]]),
        np.concatenate([low, low[parts] + inside]), np.concatenate([length, np.full(len(parts), 28)]),
        np.concatenate([owner, away]), len(owner), np.concatenate([np.full(len(owner), NONE), parts]),
    )  # fmt: skip


def _allocated(
    units: tuple[tuple[int, int], ...], city: Long, room: int, random: np.random.Generator
) -> tuple[Long, Long]:
    """(lengths, places): prefixes one after the other in their city's room, the largest first, so all are aligned."""
    length, size = np.array(units)[random.integers(0, len(units), len(city))].T
    gap = random.random(len(city)) < 0.05  # unused room as large as the prefix before it
    taken = np.where(gap, 2 * size, size)
    order = np.lexsort((-size, city))
    ends = np.cumsum(taken[order])
    begin_of_city = np.searchsorted(city[order], np.arange(city.max(initial=0) + 1))
    before = np.concatenate(([0], ends))[begin_of_city]
    if (np.concatenate(([0], ends))[np.append(begin_of_city[1:], len(city))] - before).max(initial=0) > room:
        raise InputError("a city's prefixes do not fit its address block: take more cities or fewer routers")
    place = np.empty(len(city), np.int64)
    place[order] = ends - taken[order] - before[city[order]] + city[order] * room
    return length.astype(np.int64), place
