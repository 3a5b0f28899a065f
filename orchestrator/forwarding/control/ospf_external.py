"""OSPF: routes of other protocols (AS external routes, RFC 2328, 16.4), and the finished OSPF tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.forwarding.control.design import Address, Family, Ospf, Prefix
from orchestrator.forwarding.control.ospf import BACKBONE, INTER, INTRA, Domain, Path
from orchestrator.forwarding.control.tables import DISCARD, Entry, Hop, Place, Source, Table
from orchestrator.forwarding.control.view import View

_INFINITY = 0xFFFFFF
_RANKS = {INTRA: "intra", INTER: "inter"}


class External(NamedTuple):
    """What an AS boundary router announces. `forwarding` is set where the next hop stands on an OSPF network."""

    origin: Place
    prefix: Prefix
    metric: int
    kind: int  # 1 or 2
    tag: int = 0
    forwarding: Address | None = None


class _Way(NamedTuple):
    """How a router gets to where an external route begins; `weight` prefers non-backbone intra-area (16.4.1)."""

    weight: int
    cost: int
    hops: frozenset[Hop]


def tables(view: View, family: Family, found: Domain, externals: Iterable[External]) -> dict[Place, list[Entry]]:
    """Return each instance's routes: intra-area, inter-area, ranges and externals, in that order of preference."""
    offered = list(externals)
    processes = [
        ((router.name, told.vrf), told)
        for router in view.design.routers for told in router.ospf if told.family == family
    ]  # fmt: skip
    return {place: _table(found, place, told, _heard(offered, view.own(place))) for place, told in processes}


def _heard(offered: Iterable[External], own: frozenset[Address]) -> list[External]:
    """Return the externals that lead somewhere (RFC 2328, 16.4 (1)), and not to the router itself."""
    return [one for one in offered if one.metric < _INFINITY and one.forwarding not in own]


def _table(found: Domain, place: Place, told: Ospf, offered: list[External]) -> list[Entry]:
    source: Source = "ospf" if told.family == 4 else "ospf6"
    inside = [
        Entry(key, source, told.distance, path.cost, path.hops, 0, _RANKS[path.rank], told.line)
        for key, path in found.paths[place].items() if not isinstance(key, tuple)
    ]  # fmt: skip
    known = {entry.prefix for entry in inside}
    drops = [
        Entry(prefix, source, told.distance, 0, frozenset((DISCARD,)), 0, "range", told.line)
        for prefix in found.discards.get(place, ()) if prefix not in known
    ]  # fmt: skip
    known |= {entry.prefix for entry in drops}
    best: dict[Prefix, tuple[tuple[int, ...], Entry]] = {}
    networks = Table(inside if any(one.forwarding is not None for one in offered) else ())
    for one in offered:
        if one.prefix not in known and one.origin != place:
            _consider(best, found, place, told, networks, one)
    return [*inside, *drops, *(entry for _, entry in best.values())]


def _consider(
    best: dict[Prefix, tuple[tuple[int, ...], Entry]],
    found: Domain, place: Place, told: Ospf, networks: Table, one: External,
) -> None:  # fmt: skip
    way = _to_router(found, place, one.origin)
    if way is not None and one.forwarding is not None:
        way = _to_address(found, place, networks, one.forwarding)
    if way is None:
        return
    metric = one.metric + way.cost if one.kind == 1 else one.metric
    rank = (1, 0, way.weight, metric) if one.kind == 1 else (2, metric, way.weight, way.cost)
    source: Source = "ospf" if told.family == 4 else "ospf6"
    entry = Entry(one.prefix, source, told.distance, metric, way.hops, one.tag, f"E{one.kind}", told.line)
    before = best.get(one.prefix)
    if before is None or rank < before[0]:
        best[one.prefix] = rank, entry
    elif rank == before[0]:
        best[one.prefix] = rank, before[1]._replace(hops=before[1].hops | entry.hops)


def _to_router(found: Domain, place: Place, origin: Place) -> _Way | None:
    """Return the preferred way to an AS boundary router (RFC 2328, 16.4.1, RFC1583Compatibility disabled)."""
    own = found.routers.get(place, {})
    ways = [
        (area, _Way(int(area == BACKBONE), reached[origin].cost, reached[origin].hops))
        for area, reached in own.items() if origin in reached
    ]  # fmt: skip
    inter = found.paths[place].get(origin)
    if inter is not None and inter.rank != INTRA:
        ways.append((BACKBONE, _Way(1, inter.cost, inter.hops)))
    return min(ways, key=lambda entry: (entry[1].weight, entry[1].cost, -entry[0]))[1] if ways else None


def _to_address(found: Domain, place: Place, networks: Table, address: Address) -> _Way | None:
    entry = networks.longest(address, default=False)
    if entry is None:
        return None
    path: Path = found.paths[place][entry.prefix]
    weight = int(path.rank != INTRA or BACKBONE in path.areas)
    hops = frozenset(hop if hop.gateway or hop.neighbour else Hop(hop.interface, address) for hop in path.hops)
    return _Way(weight, path.cost, hops)
