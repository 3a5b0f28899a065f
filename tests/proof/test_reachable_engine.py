"""The engine as a world answers like plain walks through every packet cell, after each of many updates."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.proof.reachable import Step, prove_states
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


def hold(seed: int, turns: int) -> None:
    random = Random(seed)
    network = random_network(random)
    packets = some_packets(network, random, 12)
    policy = policy_for(random, len(network.zone_names), [Flow(zone, packet) for zone, packet in packets])
    rows, world = Rows(network), EngineWorld(network, policy)
    check(world, rows, policy, random)
    for _turn in range(turns):
        update = line(rows, random, lambda _row: True)
        if update is not None:
            rows.apply(update)
            world.apply(update)
            check(world, rows, policy, random)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(40, 10_000), deadline=None)
def test_the_engine_answers_a_policy_like_plain_walks(seed: int) -> None:
    try:
        hold(seed, 3)
    except TooManyTrailsError:
        reject()


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(5, 500), deadline=None)
def test_isolation_is_what_every_cell_of_packets_says(seed: int) -> None:
    random = Random(seed)
    network = random_network(random, ("ecmp", "leaks", "gates"))
    policy = policy_for(random, len(network.zone_names), [])
    assert EngineWorld(network, policy).broken().isolation == every_cell(network, policy)


def test_a_plan_is_proved_with_the_engine() -> None:
    square = Square()
    steps = [Step("r3", (square.to_b("r3", "r4"),)), Step("r2", (square.to_b("r2", "r3"),))]
    good = EngineWorld(square.network, square.policy)
    assert prove_states(square.network, [steps[:1], steps[1:]], square.policy, good).result == "pass"
    bad = prove_states(square.network, [steps], square.policy, EngineWorld(square.network, square.policy))
    assert [finding.state for finding in bad.findings] == ["batch 1 with r2 done"]
