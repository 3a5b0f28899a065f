"""Decision graphs over sets of packets against the same graphs walked by single packets."""

from random import Random

import pytest
from hypothesis import given

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.network import Action, TranslationKind
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import PacketSet, position
from orchestrator.forwarding.engine.rewriting import TooManyBlocksError
from orchestrator.forwarding.engine.slices import UPPER
from tests.forwarding.engine.graphs import (
    RANDOMS,
    ZONES,
    Graph,
    labels_of,
    random_intervals,
    random_network,
    random_packet,
    within,
)


def decider_of(graph: Graph) -> Decider:
    return Decider(graph.network, labels_of(graph.network), graph.outcomes(), graph.variants)


def roots(graph: Graph) -> list[int]:
    """Nodes that packets may begin at: a rewrite stands behind its branch."""
    return [number for number, node in enumerate(graph.nodes) if number > 5 and node[0] != Outcome.REWRITE]


@given(RANDOMS)
def test_sets_go_where_their_packets_go(random: Random) -> None:
    graph = Graph(random, random_network(random))
    decider = decider_of(graph)
    sources, destinations = random_intervals(random), random_intervals(random)
    for node in random.sample(roots(graph), 3):
        may = decider.packets(node, sources, destinations)
        must = decider.packets(node, sources, destinations, every_path=True)
        unknown = decider.unknown(node, sources, destinations)
        for _ in range(20):
            packet = random_packet(random)
            ends = graph.ends(node, packet)
            asked = within(position(packet.family, packet.source), sources)
            asked = asked and within(position(packet.family, packet.destination), destinations)
            for zone in range(ZONES):
                there = (Outcome.DELIVER, zone)
                assert (zone in may and may[zone].holds(packet)) == (asked and there in ends)
                assert (zone in must and must[zone].holds(packet)) == (asked and ends == {there})
            assert unknown.holds(packet) == (asked and (Outcome.UNKNOWN, -1) in ends)


@given(RANDOMS)
def test_examples_are_delivered_and_unknown_packets_have_a_line(random: Random) -> None:
    graph = Graph(random, random_network(random))
    decider = decider_of(graph)
    sources, destinations = random_intervals(random), random_intervals(random)
    everything = PacketSet.product(decider.table.services, sources, destinations, decider.table.services.everything)
    for node in random.sample(roots(graph), 3):
        for zone, found in decider.packets(node, sources, destinations).items():
            packet = found.example()
            assert packet is not None
            assert (Outcome.DELIVER, zone) in graph.ends(node, packet)
        unknown = decider.unknown(node, sources, destinations)
        assert bool(decider.lines(node, everything)) == bool(unknown)
        assert not decider.lines(node, everything - unknown)


@given(RANDOMS)
def test_what_may_be_permitted_holds_what_is_permitted(random: Random) -> None:
    graph = Graph(random, random_network(random))
    decider = decider_of(graph)
    sources, destinations = random_intervals(random), random_intervals(random)
    everything = PacketSet.product(decider.table.services, sources, destinations, decider.table.services.everything)
    for node in random.sample(roots(graph), 3):
        unknown = decider.unknown(node, sources, destinations)
        for zone in range(ZONES):
            surely = decider.delivered(node, everything, zone, every_path=False)
            upper = decider.reached(node, everything, zone, UPPER)
            assert surely <= upper
            assert upper - surely <= unknown


def chain(rule: Translation, behind: Match) -> Decider:
    """A rule, then a filter that permits `behind`, then zone 0."""
    made = NetworkBuilder()
    made.filter([Entry(behind, Action.PERMIT)], Action.DENY)
    made.translation([rule])
    graph = Graph(Random(1), made.build(), size=0)
    graph.nodes += [(Outcome.FILTER, 0, (3,)), (Outcome.REWRITE, 0, (6,)), (Outcome.BRANCH_RULE, 0, (7, 0))]
    return decider_of(graph)


EVERY = [(0, 1 << 32)]


def test_a_port_forwarding_comes_back_as_the_outside_address_and_port() -> None:
    outside = Match(None, "192.0.2.1/32", (6, 6), destination_port=(8443, 8443))
    rule = Translation(outside, TranslationKind.DESTINATION, "10.0.0.5/32", 443)
    decider = chain(rule, Match(None, "10.0.0.5/32", (6, 6), destination_port=(443, 443)))
    found = decider.packets(8, EVERY, EVERY)[0]
    assert [str(box) for box in found.boxes()] == [
        "protocol 6 0.0.0.0-255.255.255.255 -> 192.0.2.1:8443",
    ]


def test_a_prefix_comes_back_address_by_address() -> None:
    rule = Translation(Match(None, "192.0.2.0/28"), TranslationKind.DESTINATION, "10.0.0.16/28")
    decider = chain(rule, Match("198.51.100.0/24", "10.0.0.20/30", (17, 17)))
    found = decider.packets(8, EVERY, EVERY)[0]
    assert [str(box) for box in found.boxes()] == [
        "protocol 17 198.51.100.0-198.51.100.255 -> 192.0.2.4-192.0.2.7",
        "protocol 17 198.51.100.0-198.51.100.255 -> 192.0.2.4-192.0.2.7 later fragments",
    ]


def test_many_sources_behind_one_host_leave_the_source_port_open() -> None:
    rule = Translation(Match("10.0.0.0/8"), TranslationKind.SOURCE, "192.0.2.9/32")
    decider = chain(rule, Match("192.0.2.9/32", None, (6, 6), source_port=(0, 1023)))
    four = [(10 << 24, 11 << 24)]
    may = decider.packets(8, four, EVERY)[0]
    must = decider.packets(8, four, EVERY, every_path=True)[0]
    whole = "protocol 6 10.0.0.0-10.255.255.255 -> 0.0.0.0-255.255.255.255"
    assert [str(box) for box in may.boxes()] == [whole, f"{whole} later fragments"]
    assert [str(box) for box in must.boxes()] == [f"{whole} later fragments"]


def test_a_rule_that_folds_too_much_is_refused() -> None:
    rule = Translation(Match(None, None), TranslationKind.DESTINATION, "10.0.0.4/30")
    decider = chain(rule, Match())
    with pytest.raises(TooManyBlocksError) as caught:
        decider.packets(8, EVERY, EVERY)
    assert str(caught.value) == ("a translation maps 4294967296 addresses onto 4: match the rule on a smaller prefix")
