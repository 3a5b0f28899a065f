"""The arrays made of a world say the same as the world: every point, every address, every class of ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from network_models.district import now
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import End, Ending
from orchestrator.forwarding.lowered_boxes import PROTOCOLS
from orchestrator.forwarding.lowering import DEVICE, lower
from orchestrator.forwarding.points import Classes, classes_of, destinations, guests
from orchestrator.forwarding.simulator import Simulator
from orchestrator.forwarding.walk import Header, Way
from orchestrator.forwarding.world import World
from orchestrator.model.estate import Estate
from tests.whole import planned

OUTCOMES = {Ending.DELIVERED: "delivered", Ending.UNKNOWN: "unknown", Ending.DROPPED: "dropped", Ending.LOOP: "dropped"}


def everything() -> Classes:
    edits = [edit for step in planned().steps for edit in step.edits]
    return classes_of(now(), edits)


def told(network: Network, ends: Iterable[End]) -> set[tuple[str, str]]:
    """(outcome, zone) of each end."""
    return {
        (OUTCOMES[end.ending], network.zone_names[end.zone] if end.ending == Ending.DELIVERED else "") for end in ends
    }


def expected(way: Way, simulator: Simulator) -> tuple[str, str]:
    if way.outcome != "delivered":
        return way.outcome, ""
    return "delivered", way.end if simulator.world.endpoint(way.end) else DEVICE + way.end


class Strange(NamedTuple):
    """A line nobody understood."""

    device: str
    file: str
    line: int
    text: str


def compared(estate: Estate, classes: Classes, unparsed: tuple[Strange, ...] = ()) -> Counter[str]:
    """Hold every packet of every point against both; returns how many had which outcome."""
    visitors = guests(estate, classes)
    simulator = Simulator(estate, unparsed, visitors)
    network = lower(World.of(estate, visitors, unparsed))
    check_network(network)
    plain = Plain(network)
    zone_of = {name: number for number, name in enumerate(network.zone_names)}
    nodes = [*estate.hosts, *estate.servers, *(guest.node for guest in visitors)]
    ends = {node: simulator.world.endpoint(node) for node in nodes}
    addresses = {node: end.address for node, end in ends.items() if end is not None}
    found: Counter[str] = Counter()
    for node, source in addresses.items():
        for destination in destinations(estate, addresses.values()):
            for protocol, port in classes.ports if destination != source else ():
                way = simulator.way(node, Header(source, destination, protocol, 40000, port))
                packet = Packet(4, source, destination, PROTOCOLS[protocol][0], 40000, port)
                assert told(network, plain.ends(zone_of[node], packet)) == {expected(way, simulator)}, (node, packet)
                found[way.outcome] += 1
                if not way.sensitive:  # nobody looks at protocol or port: the others go the same way
                    break
    return found


@pytest.mark.parametrize("batches", [0, 20, 40])
def test_an_estate_on_its_way_says_the_same_as_its_arrays(batches: int) -> None:
    plan = planned()
    estate = now()
    for names in list(plan.batches())[:batches]:
        for name in names:
            estate = estate.apply(plan.step_of[name].edits)
    found = compared(estate, everything())
    assert found["delivered"] > 50
    assert found["unknown"] == 0


@pytest.mark.parametrize(("device", "batches"), [("pe2", 0), ("isp", 0), ("pe2", 25)])
def test_what_a_line_nobody_understood_could_change_is_unknown_in_both(device: str, batches: int) -> None:
    """What a filter drops before it, or translates, is dropped and translated still."""
    plan, estate = planned(), now()
    for names in plan.batches()[:batches]:
        for name in names:
            estate = estate.apply(plan.step_of[name].edits)
    found = compared(estate, everything(), (Strange(device, "frr.conf", 7, "pbr-map X seq 1"),))
    assert found["unknown"] > 50
    assert found["delivered"] > 50
