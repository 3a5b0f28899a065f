"""The engine as a world answers like plain walks through every packet cell, after each of many updates."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine import service_cells, updates
from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import (
    Action,
    HopKind,
    Network,
    OperationKind,
    Prefixes,
    TranslationKind,
    Zones,
)
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.restated import restated
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import InsertEntry, RemoveEntry
from orchestrator.proof.order_network import order_steps
from orchestrator.proof.reachable import Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld
from orchestrator.proof.reachable_walker import Walker
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import every_packet, some_packets
from tests.laws import examples
from tests.proof.plain_world import Rows
from tests.proof.square import Square
from tests.proof.test_reachable import line


def policy_for(random: Random, zones: int, flows: list[Flow]) -> Policy:
    allowed = np.array([[random.random() < 0.4 for _other in range(zones)] for _zone in range(zones)], np.bool_)
    return Policy(allowed.reshape(zones, zones), tuple(flows))


def check(world: EngineWorld, rows: Rows, policy: Policy, random: Random) -> None:
    """Against an engine built anew, against the walker flow by flow, and against some packets for isolation."""
    network = rows.arrays()
    walker, broken = Walker(network), world.broken()
    assert broken == EngineWorld(network, policy).broken()
    assert broken.flows == {
        number for number, flow in enumerate(policy.flows) if walker.works(flow.zone, flow.packet) is not True
    }
    for zone, packet in some_packets(network, random, 60):
        for end in walker.ends(zone, packet):
            if end.ending == Ending.DELIVERED and end.zone != zone and not policy.allowed[zone, end.zone]:
                assert (zone, end.zone) in broken.isolation
            elif end.ending == Ending.UNKNOWN:
                forbidden = {(zone, int(other)) for other in np.flatnonzero(~policy.allowed[zone]) if other != zone}
                assert forbidden <= broken.unknown | broken.isolation


def every_cell(network: Network, policy: Policy) -> set[tuple[int, int]]:
    """Forbidden pairs that some packet of some cell gets across: all there are."""
    walker = Walker(network)
    return {
        (zone, end.zone)
        for zone in range(len(network.zone_names))
        for packet in every_packet(network, zone)
        for end in walker.ends(zone, packet)
        if end.ending == Ending.DELIVERED and end.zone != zone and not policy.allowed[zone, end.zone]
    }


def shuffled(network: Network, random: Random) -> Network:
    """The same zones, written down in another order."""
    order = list(range(len(network.zones.zone)))
    random.shuffle(order)
    zone, port, source = network.zones
    return replace(network, zones=Zones(zone[order], port[order], Prefixes(*(column[order] for column in source))))


def hold(seed: int, turns: int, features: tuple[str, ...] | None = None) -> None:
    random = Random(seed)
    network = shuffled(random_network(random, features), random)
    packets = some_packets(network, random, 12)
    policy = policy_for(random, len(network.zone_names), [Flow(zone, packet) for zone, packet in packets])
    rows, world = Rows(network), EngineWorld(network, policy)
    check(world, rows, policy, random)
    for _turn in range(turns):
        update = line(rows, random, lambda _row: True)
        if update is not None:
            back = world.engine.inverse(Engine(rows.arrays()).apply(update))
            for one in (update, back, update):  # taken back is a way of its own
                rows.apply(one)
                world.apply(one)
                if random.random() < 0.7:  # else the next one comes before anybody asks
                    check(world, rows, policy, random)
    check(world, rows, policy, random)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(40, 2_000), deadline=None)
def test_the_engine_answers_a_policy_like_plain_walks(seed: int) -> None:
    try:
        hold(seed, 3)
    except TooManyTrailsError:
        reject()


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(5, 300), deadline=None)
def test_services_that_are_runs_of_cells_are_judged_alike(seed: int) -> None:
    """As in networks with so many services that sets of them are not written down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_cells, "MERGE_BYTES", 0)
        try:
            hold(seed, 2, ("filters",))
        except TooManyTrailsError:
            reject()


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(5, 500), deadline=None)
def test_isolation_is_what_every_cell_of_packets_says(seed: int) -> None:
    random = Random(seed)
    network = shuffled(random_network(random, ("ecmp", "leaks", "gates")), random)
    policy = policy_for(random, len(network.zone_names), [])
    assert EngineWorld(network, policy).broken().isolation == every_cell(network, policy)


def beyond(engine: Engine, only: dict[tuple[int, int], PacketSet]) -> dict[tuple[int, int], PacketSet]:
    """Packets from zone to other zone that are not among those allowed, from the whole matrix."""
    matrix, zones = engine.reach(), range(len(engine.base.zone_names))
    found = {(one, other): matrix.packets(one, other) for one in zones for other in zones if one != other}
    rest = {pair: packets - only[pair] if pair in only else packets for pair, packets in found.items()}
    return {pair: packets for pair, packets in rest.items() if packets}


def part_of(packets: PacketSet, random: Random) -> PacketSet:
    """Some of the packets: every second piece, or some of the services."""
    if random.random() < 0.3:
        return packets
    if random.random() < 0.5:
        return PacketSet(packets.services, packets.pieces[::2])
    bits = sum(1 << atom for atom in range(packets.services.count) if random.random() < 0.5)
    return packets & PacketSet.product(packets.services, packets.sources(), packets.destinations(), bits)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(40, 3_000), deadline=None)
def test_pairs_are_judged_by_their_packets(seed: int) -> None:
    """Of forbidden pairs some packets are allowed: after each update exactly the others count."""
    random = Random(seed)
    network = shuffled(random_network(random), random)
    zones = len(network.zone_names)
    rows, world = Rows(network), EngineWorld(network, Policy(np.zeros((zones, zones), np.bool_)))
    everything = beyond(world.engine, {})
    assert world.crossing() == everything
    only = {pair: part_of(packets, random) for pair, packets in everything.items() if random.random() < 0.7}
    world.allow_only(only)
    for turn in range(4):
        only = {pair: restated(packets, world.engine.table) for pair, packets in only.items()}
        crossed = beyond(world.engine, only)
        assert world.broken().isolation == set(crossed)
        assert world.crossing() == crossed
        if random.random() < 0.6:  # other packets are, from now on: those that get across now, or parts of any of them
            every = {pair: packets | crossed[pair] if pair in crossed else packets for pair, packets in only.items()}
            every |= {pair: packets for pair, packets in crossed.items() if pair not in only}
            only = {pair: part_of(packets, random) for pair, packets in every.items() if random.random() < 0.9}
            world.allow_only(only)
        update = line(rows, random, lambda _row: True)
        if update is not None and random.random() < 0.7:
            rows.apply(update)
            world.apply(update)
        if turn == 2:  # the engine is built anew, and tells services apart in another way
            world.engine._build(world.engine.network)


def test_an_entry_behind_a_translation_is_about_what_packets_have_become() -> None:
    made = NetworkBuilder()
    out, server = made.port("gate/x"), made.port("gate/x")
    made.attach("internet", out, "203.0.113.0/24")
    made.attach("server", server, "198.18.1.0/24")
    inward = Translation(Match("0.0.0.0/0", "192.0.2.5/32"), TranslationKind.DESTINATION, "198.18.1.9/32")
    made.ingress(out, OperationKind.TRANSLATE, made.translation([inward]))
    behind = made.filter([Entry(Match(), Action.DENY, "gate.nft:1")])
    made.egress(server, OperationKind.FILTER, behind)
    made.route("gate/x", "198.18.1.0/24", (HopKind.PORT, server), line="gate.conf:1")
    world = EngineWorld(made.build(), Policy(np.zeros((2, 2), np.bool_)))
    assert not world.broken().isolation
    inside = updates.Match(destination=updates.Prefix(4, int(ip_address("198.18.1.9")), 32))
    world.apply(InsertEntry(behind, 0, updates.Entry(inside, Action.PERMIT)))
    assert world.broken().isolation == {(0, 1)}
    world.apply(RemoveEntry(behind, 0))
    assert not world.broken().isolation


def test_an_entry_that_no_packet_meets_opens_nothing_when_it_goes() -> None:
    """A stateful filter accepts answers before its entries; behind the last one this filter lets everybody through."""
    made = NetworkBuilder()
    out, server = made.port("gate/x"), made.port("gate/x")
    made.attach("internet", out, "203.0.113.0/24")
    made.attach("server", server, "198.18.1.0/24")
    never = updates.Match(protocol=(6, 6), established=1)
    answers = Entry(Match(protocol=(6, 6), established=True), Action.DENY, "gate.nft:1")
    everybody = Entry(Match(), Action.DENY, "gate.nft:2")
    filter_ = made.filter([answers, everybody], Action.PERMIT, stateful=True)
    made.egress(server, OperationKind.FILTER, filter_)
    made.route("gate/x", "198.18.1.0/24", (HopKind.PORT, server), line="gate.conf:1")
    world = EngineWorld(made.build(), Policy(np.zeros((2, 2), np.bool_)))
    assert not world.broken().isolation
    world.apply(RemoveEntry(filter_, 0))
    assert not world.broken().isolation
    world.apply(InsertEntry(filter_, 0, updates.Entry(never, Action.PERMIT)))
    assert not world.broken().isolation
    world.apply(RemoveEntry(filter_, 1))
    assert world.broken().isolation == {(0, 1)}


def test_a_plan_is_proved_with_the_engine() -> None:
    square = Square()
    steps = [Step("r3", (square.to_b("r3", "r4"),)), Step("r2", (square.to_b("r2", "r3"),))]
    good = EngineWorld(square.network, square.policy)
    assert prove_states(square.network, [steps[:1], steps[1:]], square.policy, good).result == "pass"
    bad = prove_states(square.network, [steps], square.policy, EngineWorld(square.network, square.policy))
    assert [finding.state for finding in bad.findings] == ["batch 1 with r2 done"]


def test_more_packets_across_a_pair_that_was_broken_before_are_a_finding() -> None:
    build = NetworkBuilder()
    office, centre = build.port("r1"), build.port("r2")
    build.attach("a", office, "198.18.1.0/24")
    build.attach("b", centre, "198.18.2.0/24")
    out, entry = build.link("r1", "r2")
    build.route("r1", "198.18.2.0/24", (HopKind.PORT, out))
    build.route("r2", "198.18.2.0/24", (HopKind.PORT, centre))
    https = Match(protocol=(6, 6), destination_port=(443, 443))
    build.ingress(entry, OperationKind.FILTER, build.filter([Entry(https, Action.PERMIT)], Action.DENY))
    network = build.build()
    policy = Policy(np.eye(2, dtype=np.bool_))
    left = "isolation: a -> b", 0, "before any step, and still at the end"
    for port, more in ((443, ()), (22, (("isolation: a -> b", 1, "batch 1 with open done"),))):
        opened = updates.Entry(updates.Match(protocol=(6, 6), destination_port=(port, port)), Action.PERMIT)
        batches = [[Step("open", (updates.InsertEntry(0, 0, opened),))], [Step("close", (updates.RemoveEntry(0, 0),))]]
        proof = prove_states(network, batches, policy, EngineWorld(network, policy))
        assert [(finding.subject, finding.batch, finding.state) for finding in proof.findings] == [left, *more]
        assert audit(network, batches, policy, proof, number=10, seed=1).contradictions == ()
        found = order_steps(network, batches[0], policy, EngineWorld(network, policy))
        assert bool(found.result.conflicts) == bool(more)
        assert found.result.existing == {("broken", (0, 1))}
    hidden = proof.model_copy(update={"findings": proof.findings[:1]})
    assert audit(network, batches, policy, hidden, number=10, seed=1).contradictions != ()
