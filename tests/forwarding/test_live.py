"""Laws: an engine taken along by updates says what a new one says, and single cells what its whole matrix says."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.forwarding.decisions import Asked, Decisions
from orchestrator.forwarding.ends import DROPPED, LOOPS, UNKNOWN
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine_matrix import DisagreementError, EngineMatrix
from orchestrator.forwarding.live import Live, Moved
from orchestrator.forwarding.lowered_boxes import PROTOCOLS
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of, destinations, guests
from orchestrator.forwarding.simulator import fits
from orchestrator.forwarding.walk import Header
from orchestrator.forwarding.world import World
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import Filter, FilterRule
from tests.forwarding.test_walks import chain
from tests.forwarding.toggles import CLASSES, TOGGLES, turned
from tests.laws import examples

ANYTHING = Moved(None, frozenset())


def world(estate: Estate) -> World:
    return World.of(estate, guests(estate, CLASSES))


def asked(of: World) -> Asked:
    nodes = [*of.estate.hosts, *of.estate.servers, *of.guests]
    ends = {node: of.endpoint(node) for node in nodes}
    sources = {node: end.address for node, end in ends.items() if end is not None}
    return Asked(sources, destinations(of.estate, sources.values()))


@settings(max_examples=examples(12))
@given(edits=st.lists(st.sampled_from(TOGGLES), min_size=1, max_size=10), ahead=st.booleans())
def test_an_engine_taken_along_says_what_a_new_one_says(edits: list[Edit], ahead: bool) -> None:
    """In every state on the way there and on the way back, whether or not it was told what comes."""
    estates, done = [now()], []
    for edit in edits:
        estate, way = turned(estates[-1], edit)
        estates.append(estate)
        done.append(way)
    for way in reversed(done):
        estates.append(estates[-1].apply((way.undo(),)))
    live = Live(world(estates[0]), map(world, estates[1:] if ahead else ()))
    carried = Decisions(live, CLASSES.ports)
    carried.move(asked(live.lowering.world), ANYTHING)
    first = dict(carried.cells)
    for estate in estates[1:]:
        moved = live.move(world(estate))
        carried.move(asked(live.lowering.world), moved)
        fresh = Decisions(Live(world(estate)), CLASSES.ports)
        fresh.move(asked(fresh.live.lowering.world), ANYTHING)
        assert carried.cells == fresh.cells
    assert carried.cells == first
    assert live.builds == 1 or not ahead
    check_network(live.engine.network)


@settings(max_examples=examples(3))
@given(edits=st.lists(st.sampled_from(TOGGLES), max_size=12))
def test_a_cell_says_what_the_whole_matrix_of_the_engine_says(edits: list[Edit]) -> None:
    """Single addresses are read from the graph here, exact sets of packets by the engine's native part."""
    estate = now()
    for edit in edits:
        estate, _way = turned(estate, edit)
    live = Live(world(estate))
    decisions = Decisions(live, CLASSES.ports)
    cells = asked(live.lowering.world)
    decisions.move(cells, ANYTHING)
    zones = live.zones
    reach, upper = live.engine.reach(), live.engine.reach(unknown_reaches=True)
    nobody = (DROPPED,) * len(CLASSES.ports)
    for source, own in list(cells.sources.items())[::6]:
        packets = {end: reach.packets(zones[source], zone) for end, zone in zones.items()}
        possible = {end: upper.packets(zones[source], zone) for end, zone in zones.items()}
        for destination in cells.destinations:
            answer = decisions.cells.get((source, destination), nobody)
            for end, (protocol, port) in zip(answer, CLASSES.ports, strict=True):
                packet = Packet(4, own, destination, PROTOCOLS[protocol][0], 40000, port)
                found = (
                    {zone for zone, those in packets.items() if those.holds(packet)} if own != destination else set()
                )
                assert found == ({end} - {DROPPED, LOOPS, UNKNOWN}) or end == UNKNOWN, (source, packet)
                if not found and own != destination:
                    may = any(those.holds(packet) for those in possible.values())
                    assert end == UNKNOWN or not may, (source, packet)


@pytest.mark.parametrize(("first", "other"), [("accept", "drop"), ("drop", "accept")])
def test_a_filter_whose_default_turns_and_whose_entries_change_is_followed(first: str, other: str) -> None:
    """There and back in every order: what the entries were while the default was another one is no matter."""
    entry = FilterRule.model_validate({"device": "r1", "sequence": 10, "action": "accept", "sources": ["10.9.0.0/24"]})
    filters = [Filter.model_validate({"device": "r1", "default": default}) for default in (first, other)]
    plain, turned_round = chain(filters[0]), chain(filters[1])
    told = plain.with_nouns(entry), turned_round.with_nouns(entry)
    classes = classes_of(told[0])
    carried = EngineMatrix.of(told[0], classes)
    for estate in (told[1], plain, turned_round, plain, told[1], told[0], turned_round):
        carried = carried.advance(estate)
        assert carried.alive == Matrix.of(estate, classes).alive


def test_an_engine_that_is_wrong_about_one_packet_stops_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = EngineMatrix.of(now(), CLASSES)
    wrong = dict(matrix.judges.decisions.cells)
    key = next(key for key, ends in wrong.items() if ends[0] == "portal")
    wrong[key] = ("staff", *wrong[key][1:])
    monkeypatch.setattr(matrix.judges.decisions, "cells", wrong)
    matrix._take()
    with pytest.raises(
        DisagreementError, match=r"the engine says delivered to staff, the simulator delivered at portal"
    ):
        matrix._judge({}, matrix.keys)


def test_an_engine_that_is_wrong_about_an_answer_stops_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = EngineMatrix.of(now(), CLASSES)
    header, node = _some_exchange(matrix)
    assert matrix.talk(node, header).back is not None
    monkeypatch.setattr(matrix.judges.exchanges, "works", lambda *_: False)
    with pytest.raises(DisagreementError, match=r"the engine says it fails, the simulator it works"):
        matrix.talk(node, header)


def test_a_ping_and_its_answer_are_judged_alike_by_engine_and_simulator() -> None:
    source, destination = int(IPv4Address("10.1.0.10")), int(IPv4Address("10.2.0.10"))
    ping = Header(source, destination, "icmp", 40000, 0)
    for estate, works in ((chain(), True), (chain(right=()), False)):
        back = EngineMatrix.of(estate, CLASSES).talk("a", ping).back
        assert back is not None
        assert fits("a", ping, back) is works


def _some_exchange(matrix: EngineMatrix) -> tuple[Header, str]:
    """A packet that reaches the portal, and who sends it."""
    reach = next(reach for reach in matrix.reaches() if reach.way.outcome == "delivered" and reach.end == "portal")
    protocol, port = matrix.classes.ports[reach.ports[0]]
    endpoint = matrix.world.endpoint(reach.source)
    assert endpoint is not None
    return Header(endpoint.address, reach.destination, protocol, 40000, port), reach.source


def test_an_engine_is_built_from_sound_arrays_only() -> None:
    live = Live(world(now()))
    assert isinstance(live.engine, Engine)
    check_network(live.lowering.shape.network(live.state))
