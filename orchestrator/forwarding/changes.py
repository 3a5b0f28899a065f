"""From one compiled world to the next: which parts are built again, which questions may have another answer."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from orchestrator.forwarding.boxes import CompiledRule, build_guards, build_translators, build_walls, compiled, on_way
from orchestrator.forwarding.segments import Guest, build_segments, host_ports, router_node
from orchestrator.forwarding.tables import RoutingTable, Tables, build_tables
from orchestrator.forwarding.world import (
    ALL_TABLES,
    GUARD_TABLES,
    ROUTING_TABLES,
    SEGMENT_TABLES,
    TRANSLATOR_TABLES,
    WALL_TABLES,
    World,
)
from orchestrator.model.estate import Estate

Asked = dict[str, dict[str, set[tuple[Any, ...]]]]
"""kind of question -> node -> questions asked so far."""


def next_world(world: World, estate: Estate, guests: Iterable[Guest]) -> World:
    """The world of another estate; what is made of unchanged tables is the same."""
    changed = {name for name in ALL_TABLES if getattr(estate, name) is not getattr(world.estate, name)}
    return stale_questions(world, estate, guests, changed, {})[1]


def stale_questions(
    world: World, estate: Estate, guests: Iterable[Guest], changed: set[str], asked: Asked
) -> tuple[set[tuple[Any, ...]], World]:
    """The questions to ask again, and the world to ask. A question not returned has the same answer as before."""
    new = replace(world, estate=estate, guests={guest.node: guest for guest in guests})
    stale: set[tuple[Any, ...]] = set()
    if changed & SEGMENT_TABLES:
        new.segments = build_segments(estate, new.guests.values())
        new.ports = host_ports(estate)
        for kind in ("endpoint", "neighbour", "instance", "home", "doubt"):
            stale.update(_all(asked, kind))
    if changed & ROUTING_TABLES:
        new.tables = _kept_tables(world.tables, build_tables(estate, new.segments, new.doubtful))
        stale.update(stale_lookups(asked, world.tables, new.tables))
    if changed & WALL_TABLES:
        new.walls = build_walls(estate)
        whole = _devices(world.estate, estate, frozenset({"filters"}))
        stale.update(_on_nodes(asked, ("judge", "stateful", "tracks"), whole))
        stale.update(_met_by_rules(asked, _changed_rules(world.estate, estate)))
    if changed & TRANSLATOR_TABLES:
        new.translators = build_translators(estate)
        nodes = _devices(world.estate, estate, frozenset({"nats"})) | _routers(world.estate) | _routers(estate)
        stale.update(_on_nodes(asked, ("inbound", "outbound", "tracks"), nodes))
    if changed & GUARD_TABLES:
        new.guards = build_guards(estate)
        stale.update(question for question in _all(asked, "guard") if question[1] in new.guards)
    return stale, new


def _all(asked: Asked, kind: str) -> Iterator[tuple[Any, ...]]:
    for questions in asked.get(kind, {}).values():
        yield from questions


def _on_nodes(asked: Asked, kinds: tuple[str, ...], nodes: set[str]) -> Iterator[tuple[Any, ...]]:
    for kind in kinds:
        for node in nodes:
            yield from asked.get(kind, {}).get(node, ())


def _devices(before: Estate, after: Estate, tables: frozenset[str]) -> set[str]:
    """Devices with a changed row in these tables."""
    found = set()
    for table in tables:
        old, new = getattr(before, table), getattr(after, table)
        for key in old.keys() | new.keys():
            if old.get(key) is not new.get(key):
                found.add((old.get(key) or new[key]).device)
    return found


def _changed_rules(before: Estate, after: Estate) -> list[CompiledRule]:
    """Filter entries that are only in one of the two estates."""
    old, new = before.filter_rules, after.filter_rules
    keys = [key for key in old.keys() | new.keys() if old.get(key) is not new.get(key)]
    return [compiled(table[key]) for key in keys for table in (old, new) if key in table]


def _met_by_rules(asked: Asked, rules: list[CompiledRule]) -> Iterator[tuple[Any, ...]]:
    """Questions about packets that one of these entries would take; the others' answers do not depend on them."""
    for one in rules:
        for question in asked.get("judge", {}).get(one.rule.device, ()):
            if on_way(one, question[2], question[3]):
                yield question


def _routers(estate: Estate) -> set[str]:
    return {router_node(router) for router in estate.cloud_routers.values()}


def _kept_tables(before: Tables, after: Tables) -> Tables:
    """The new tables; one that says the same as before is the old one, with what it remembers."""
    return {instance: _same(before.get(instance), table) for instance, table in after.items()}


def _same(before: RoutingTable | None, after: RoutingTable) -> RoutingTable:
    if before and before.entries == after.entries and before.doubt == after.doubt:
        return before
    return after


def stale_lookups(asked: Asked, before: Tables, after: Tables) -> Iterator[tuple[Any, ...]]:
    """Questions asked so far about routing tables that are others."""
    changed = {instance for instance in before.keys() | after.keys() if before.get(instance) is not after.get(instance)}
    for node in {node for node, _vrf in changed}:
        for question in asked.get("lookup", {}).get(node, ()):
            if (node, question[2]) in changed:
                yield question
