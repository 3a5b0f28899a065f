"""Zones with new packets that go round, carried along over updates, are those that two engines built anew tell."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from orchestrator.forwarding.engine.endings import Endings
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.restated import restated
from orchestrator.forwarding.engine.updates import Update
from orchestrator.proof.reachable_loops import Loops
from tests.forwarding.engine.changes import random_update
from tests.forwarding.engine.networks import random_network
from tests.laws import FIRST, examples, told


def going_round(engine: Engine) -> dict[int, PacketSet]:
    """The packets of each zone that go round: class by class of destinations."""
    classes, decider, found = engine.classes(), engine.decider, dict[int, PacketSet]()
    services, endings = decider.table.services, Endings(decider)
    for attachment, zone in enumerate(engine.attachments.zone.tolist()):
        nodes, sources = classes.nodes(attachment), engine.sources(attachment)
        for row in np.flatnonzero(endings.leads[nodes]).tolist():
            stretch = slice(int(classes.first[row]), int(classes.first[row + 1]))
            goals = decider.intervals(classes.low[stretch].tolist(), classes.high[stretch].tolist())
            packets = endings.packets(int(nodes[row]), PacketSet.product(services, sources, goals, services.everything))
            found[zone] = found[zone] | packets if zone in found else packets
    return {zone: packets for zone, packets in found.items() if packets}


def new_zones(before: dict[int, PacketSet], network: Network) -> frozenset[int]:
    """The zones of which packets go round in a network and did not before."""
    engine = Engine(network)
    known = {zone: restated(packets, engine.table) for zone, packets in before.items()}
    now = {zone: restated(packets, engine.table) for zone, packets in going_round(engine).items()}
    return frozenset(zone for zone, packets in now.items() if zone not in known or packets - known[zone])


def carried_along(seed: int, loops: type[Loops] = Loops) -> tuple[int, int]:
    """(states asked about, those with a new loop). Raises AssertionError where the two ways differ."""
    random = Random(seed)
    engine = Engine(random_network(random))
    before, world, asked, new = going_round(engine), loops(engine), 0, 0
    for _turn in range(6):
        engine_update(engine, world, random_update(random, engine.network))
        if random.random() < 0.7:  # else the next one comes before anybody asks
            expected = new_zones(before, engine.network)
            assert world.zones() == expected, f"network {seed}"
            asked, new = asked + 1, new + bool(expected)
    return asked, new


def engine_update(engine: Engine, world: Loops, update: Update) -> None:
    """One update, told as a world of a proof tells it."""
    world.changed(engine.apply(update))


def test_new_loops_are_those_of_two_engines_built_anew() -> None:
    states = new = 0
    for seed in told("new loops", range(FIRST, FIRST + examples(40, 5_000))):
        counted = carried_along(seed)
        states, new = states + counted[0], new + counted[1]
    assert states > new > states / 20


class Deaf(Loops):
    """Does not hear of changed filters."""

    def _forget(self, number: int) -> None:
        assert number >= 0


def test_loops_behind_a_changed_filter_are_looked_at_again() -> None:
    """The law notices when they are not."""
    with pytest.raises(AssertionError, match="network 1"):
        [carried_along(seed, Deaf) for seed in (13, 17)]
