"""A plan of thousands of steps: prefixes of zones move from one machine room to their second one, router by router.

Each prefix is one story of about a dozen steps, each on one router, in eight layers: the new access router, the
counties and the city above it, the cores next to that city, the other cores, then the old city, counties and access
router. Layer after layer every state delivers every packet; a step too early makes a loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from network_models.columns import Long, joined, taken, whole, with_filters
from network_models.province import GLOBAL_SCOPE, Province, province
from network_models.province_sites import CORES, Shape, Sites
from network_models.rule_sets import guarded
from network_models.update_streams import Tables, prefix_at
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import NONE, HopKind, Network, Zones
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.updates import Hop, Update

LAYERS: Final = 8
_EARLIEST: Final = 3  # layer from which on a step makes a loop when it comes before all others of its prefix


class Move(NamedTuple):
    """One step: `update` on one router for prefix number `story`, in this layer."""

    story: int
    layer: int
    update: Update


@dataclass(frozen=True)
class Moves:
    """A plan. `moves` in a safe order, layer by layer; `given`: a permutation of them in which some come too early.

    `early`: numbers of the moves that `given` does before all others of their prefix: a tenth, and each makes a loop.
    """

    network: Network
    policy: Policy
    moves: tuple[Move, ...]
    given: tuple[int, ...]
    early: frozenset[int]


def moves(
    shape: Shape | None = None, steps: int = 5_000, conflicts: float = 0.1, entries: int = 60_000, seed: int = 6
) -> Moves:
    """A plan of exactly so many steps. Raises InputError when the province has too few prefixes with flows."""
    random = np.random.default_rng(seed)
    made = province(shape)
    filtered = guarded(made, entries=entries, flows=steps, faults=0)
    second = _second_rooms(made, random)
    network = _two_rooms(made, filtered.network, second)
    tables = Tables(network, random)
    found: list[Move] = []
    stories = 0
    for row in _wanted(made, filtered.policy, second, random):
        found += _story(made, tables, row, int(second[made.network.zones.zone[row]]), stories)
        stories += 1
        if len(found) >= steps:
            break
    if len(found) < steps:
        raise InputError(f"the province has prefixes for {len(found)} steps only: ask for as many, or take more zones")
    found = sorted(found[:steps], key=lambda move: move.layer)
    early = _early(found, round(conflicts * steps), random)
    order = _interleaved(found, early, stories, random)
    return Moves(network, filtered.policy, tuple(found), order, frozenset(early))


def _second_rooms(made: Province, random: np.random.Generator) -> Long:
    """Per zone of the common table an access router (index) of another city, its second room; NONE: no such zone."""
    links = made.sites.links
    first = made.zone_port - 2 * links
    common = (made.scope == GLOBAL_SCOPE) & (np.arange(len(first)) > 1)
    free = np.setdiff1d(np.arange(len(made.sites.access)), first[common])
    chosen = random.choice(free, len(first), replace=False)
    same = made.sites.access_city[chosen] == made.sites.access_city[np.where(common, first, 0)]
    return np.where(common & ~same, chosen, NONE)


def _two_rooms(made: Province, network: Network, second: Long) -> Network:
    """The network with the second attachments: same addresses, same filters, and one memory of connections for both.

    Without the shared memory (a cluster's) a zone that sends from both rooms would not recognise its answers.
    """
    zones = network.zones
    both = np.where(second[zones.zone] != NONE)[0]
    port = whole(2 * made.sites.links + second[zones.zone[both]])
    wider = Zones(
        np.concatenate([zones.zone, zones.zone[both]]), np.concatenate([zones.port, port]),
        joined([zones.source, taken(zones.source, both)]),
    )  # fmt: skip
    ports, at = np.unique(wider.port, return_index=True)
    zone = wider.zone[at]
    twin = np.arange(made.sites.routers)
    able = np.where(second != NONE)[0]
    twin[made.sites.access[second[able]]] = made.network.ports.device[made.zone_port[able]]
    bare = made.network.ports._replace(device=whole(twin[made.network.ports.device]))
    guarded_ports = with_filters(bare, (whole(ports), whole(zone + len(second))), (whole(ports), zone))
    return replace(network, zones=wider, ports=guarded_ports)


def _wanted(made: Province, policy: Policy, second: Long, random: np.random.Generator) -> Iterator[int]:
    """Rows of network.zones that some registered flow is addressed to and whose zone has a second room."""
    zones = made.network.zones
    reached = {(flow.packet.family, flow.packet.destination) for flow in policy.flows}
    places = np.array(sorted(address for family, address in reached if family == 4))
    for row in random.permutation(len(zones.zone)).tolist():
        if second[zones.zone[row]] == NONE or zones.source.family[row] != 4:
            continue
        low = int(zones.source.low[row])
        at = int(np.searchsorted(places, low))
        if at < len(places) and places[at] < low + (1 << 32 - int(zones.source.length[row])):
            yield row


def _story(made: Province, tables: Tables, row: int, new: int, story: int) -> Iterator[Move]:
    """The steps that bring one prefix from its zone's first room to the access router `new`."""
    plan, zones = made.sites, made.network.zones
    prefix = prefix_at(zones.source, row)
    old = int(zones.port[row]) - 2 * plan.links
    for layer, table, ports in (*_new_side(plan, new), *_cores(plan, new), *_old_side(plan, old)):
        hops = tuple(Hop(HopKind.PORT, int(port)) for port in sorted(set(ports)) if port != NONE)
        yield Move(story, layer, tables.put((int(table), prefix), hops))


_Turn = tuple[int, int, tuple[int, ...]]


def _new_side(plan: Sites, new: int) -> Iterator[_Turn]:
    homes, city = plan.homes[new], int(plan.access_city[new])
    yield 0, plan.access[new], (2 * plan.links + new,)
    for side in (0, 1):
        if homes[side] != NONE:
            yield 1, plan.county[homes[side]], (plan.county_down[new, side],)
    for side in (0, 1):
        yield 2, plan.city[city, side], tuple(plan.city_down[home, side] for home in homes if home != NONE)


def _cores(plan: Sites, new: int) -> Iterator[_Turn]:
    city = int(plan.access_city[new])
    above = plan.city_core[city].tolist()
    for column, core in enumerate(above):
        yield 3, core, tuple(plan.core_down[city, :, column])
    for core in range(CORES):
        if core not in above:
            yield 4, core, tuple(plan.mesh[core, above])


def _old_side(plan: Sites, old: int) -> Iterator[_Turn]:
    city = int(plan.access_city[old])
    for side in (0, 1):
        yield 5, plan.city[city, side], tuple(plan.city_up[city, side])
    for home in plan.homes[old]:
        if home != NONE:
            yield 6, plan.county[home], tuple(plan.county_up[home])
    yield 7, plan.access[old], tuple(plan.access_up[old])


def _early(found: list[Move], count: int, random: np.random.Generator) -> list[int]:
    """Numbers of moves that come too early in the given order."""
    able = [number for number, move in enumerate(found) if move.layer >= _EARLIEST]
    return sorted(random.choice(able, min(count, len(able)), replace=False).tolist())


def _interleaved(found: list[Move], early: list[int], stories: int, random: np.random.Generator) -> tuple[int, ...]:
    """All stories at the same time, each layer by layer, but for its early moves, which it begins with."""
    start, hurried = random.random(stories), set(early)

    def key(number: int) -> tuple[float, int]:
        move = found[number]
        return start[move.story] + (0.0 if number in hurried else 0.01 * (1 + move.layer)), number

    return tuple(sorted(range(len(found)), key=key))
