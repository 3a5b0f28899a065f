"""Ways that lose packets by routes: against all of them followed one by one, and against what really happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine.lost_ways import BITS
from orchestrator.forwarding.engine.network import NONE, HopKind, Network, Packet
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.updates import AddRoute, Hop, Prefix, ReplaceRoute, Update
from orchestrator.proof.order_network import NetworkVerifier
from orchestrator.proof.reachable import Step
from orchestrator.proof.reachable_base import WIDTH, Base
from orchestrator.proof.reachable_engine import EngineWorld
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.forwarding.engine.test_mutations import broken_library
from tests.laws import examples
from tests.proof.plain_world import Rows
from tests.proof.test_reachable import line

BY_ROUTES = ("ipv6", "ecmp", "leaks", "filters", "gates", "down")
Sets = set[frozenset[int]]


def free(network: Network) -> Policy:
    """A policy that promises nothing."""
    zones = len(network.zone_names)
    return Policy(np.ones((zones, zones), np.bool_))


def route_at(rows: Rows, table: int, family: int, address: int) -> tuple[Prefix, tuple[Hop, ...]] | None:
    """The longest prefix of a table that holds an address, and its next hops."""
    held = [
        (prefix, hops)
        for (other, prefix), hops in rows.routes.items()
        if (other, prefix.family) == (table, family) and not (address ^ prefix.address) >> WIDTH[family] - prefix.length
    ]
    return max(held, key=lambda one: one[0].length) if held else None


def lost(rows: Rows, table: int, family: int, address: int, way: tuple[int, ...] = ()) -> Iterator[frozenset[int]]:
    """The tables of every way that begins in a table and is lost."""
    if table in way:
        yield frozenset(way)
        return
    way, ports = (*way, table), rows.network.ports
    found = route_at(rows, table, family, address)
    for kind, target in found[1] if found else (Hop(HopKind.DROP),):
        if kind == HopKind.DROP:
            yield frozenset(way)
        elif kind == HopKind.TABLE:
            yield from lost(rows, target, family, address, way)
        elif kind == HopKind.PORT and ports.peer[target] != NONE:
            yield from lost(rows, int(ports.table[ports.peer[target]]), family, address, way)
        elif kind == HopKind.PORT and target not in rows.network.zones.port:
            yield frozenset(way)


def smallest(sets: Sets) -> Sets:
    return {one for one in sets if not any(other < one for other in sets)}


def another_way(rows: Rows, random: Random, family: int, address: int) -> ReplaceRoute | None:
    """Some table sends packets to an address by a cable, perhaps back to where they come from."""
    table, ports = random.randrange(len(rows.network.tables)), rows.network.ports
    cables = [port for port in range(len(ports.table)) if ports.table[port] == table and ports.peer[port] != NONE]
    there = route_at(rows, table, family, address)
    if not there or not cables:
        return None
    return ReplaceRoute(table, there[0], (Hop(HopKind.PORT, random.choice(cables)),))


def the_lost_ways_hold(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    rows, world = Rows(network), EngineWorld(network, free(network))
    for _turn in range(6):
        packet = next(iter(some_packets(network, random, 1)), (0, Packet(4, 0, 0, 0, 0, 0)))[1]
        update: Update | None = another_way(rows, random, packet.family, packet.destination)
        if update is None or random.random() < 0.4:
            update = line(rows, random, lambda _row: True)
        if update is None:
            continue
        as_if = update if isinstance(update, AddRoute | ReplaceRoute) and random.random() < 0.5 else None
        address = packet.family, packet.destination, packet.destination + 1
        tables = range(len(network.tables))
        starts = random.sample(tables, random.randint(1, len(tables)))
        marked = random.sample(tables, random.randint(0, len(tables)))
        found = [] if as_if is None else world.lost(starts, address, marked, as_if)
        before = route_at(rows, as_if.table, *address[:2]) if as_if else None
        for one in (rows, world):
            one.apply(update)
        if as_if is None:
            found = world.lost(starts, address, marked)
        ways = {way & set(marked) for start in starts for way in lost(rows, start, *address[:2])}
        told = {frozenset(table for place, table in enumerate(marked) if one >> place & 1) for one in found}
        if found or as_if is None or before != route_at(rows, as_if.table, *address[:2]):
            assert told == smallest(ways)
        assert len(found) == len(told)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(60, 8_000), deadline=None)
def test_the_smallest_sets_are_those_of_all_ways(seed: int) -> None:
    the_lost_ways_hold(seed)


def route_steps(rows: Rows, random: Random, flows: Sequence[Flow]) -> list[Step]:
    """Steps that send packets of flows another way, each one table's, all of other routes."""
    found: dict[tuple[int, Prefix], Step] = {}
    for turn in range(12 if flows else 0):
        packet = random.choice(flows).packet
        update = another_way(rows, random, packet.family, random.choice(packet[1:3]))
        if update:
            found[update.table, update.prefix] = Step(str(turn), (update,))
    return list(found.values())


def foreseen(seed: int) -> int:
    """How many broken flows are foreseen, each of which has to be seen then; steps are done all the same."""
    random = Random(seed)
    network = random_network(random, BY_ROUTES)
    flows = [Flow(*one) for one in some_packets(network, random, 40)]
    broken = EngineWorld(network, Policy(free(network).allowed, tuple(flows))).broken().flows
    policy = Policy(free(network).allowed, tuple(flow for number, flow in enumerate(flows) if number not in broken))
    steps = route_steps(Rows(network), random, policy.flows)
    verifier = NetworkVerifier(Base(network), steps, policy, EngineWorld(network, policy))
    count, before = 0, set[object]()
    for step in range(len(steps)):
        told = verifier.foreseen(step)
        verifier.apply(step)
        seen = {violation.promise for violation in verifier.violations()}
        for violation in told:
            assert violation.promise in seen
            assert violation.promise in before or step in (violation.because or ())
        count, before = count + len(told), {*seen}
    return count


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(60, 4_000), deadline=None)
def test_what_is_foreseen_happens(seed: int) -> None:
    foreseen(seed)


def test_something_is_foreseen() -> None:
    assert sum(map(foreseen, range(20))) > 10


BREAKS = {
    "a circle is not taken for lost": ("lose(s, own);\n            return true;", "return true;"),
    "a table is looked at once, whatever the marks": (
        "if (s->at[i].table == table && (s->at[i].own & own) == s->at[i].own) return true;",
        "if (s->at[i].table == table) return true;",
    ),
    "a port without a cable delivers": ("else if (in->port_zone[target] < 0)", "else if (false)"),
    "the line is not taken as applied": ("table == s->changed ? s->group :", "false ? s->group :"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_ways_are_noticed(name: str, tmp_path: Path) -> None:
    with broken_library(tmp_path, (("lost.c", *BREAKS[name]),)):
        assert any(not holds(seed) for seed in range(200))


def holds(seed: int) -> bool:
    try:
        the_lost_ways_hold(seed)
    except AssertionError:
        return False
    return True


def test_more_marks_than_bits_share_them() -> None:
    network = random_network(Random(3), ("ecmp",))
    world = EngineWorld(network, free(network))
    (_zone, packet) = some_packets(network, Random(3), 1)[0]
    address = packet.family, packet.destination, packet.destination + 1
    many = [*([10**6] * BITS), *range(len(network.tables))]
    starts = list(range(len(network.tables)))
    assert world.lost(starts, address, many) == world.lost(starts, address, list(range(len(network.tables))))
