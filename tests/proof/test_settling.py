"""While routing settles: every mixture of old and new tables is judged, and what breaks only there is found."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations, permutations

import pytest

from network_models.district import now
from orchestrator.forwarding.changes import next_world
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.flows import gone_round
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of, guests
from orchestrator.forwarding.walk import Header
from orchestrator.forwarding.world import World
from orchestrator.model.finding import Finding
from orchestrator.model.network import Route
from orchestrator.proof import Verdict, verify
from orchestrator.proof.judge import Judge
from orchestrator.proof.loops import Loops
from orchestrator.proof.settling import mixtures, settling
from orchestrator.proof.states import states
from orchestrator.rules.moment import Moment
from orchestrator.rules.registry import rules
from tests.proof.plans import NIGHT, drop, plan, policy, put, step

STAFF = "pe2/adm/198.18.16.0/24/198.19.252.2"
"""The route to the staff, made at pe2 and heard of at pe1."""


def nowhere(device: str) -> Route:
    return Route.model_validate({"device": device, "vrf": "adm", "prefix": "0.0.0.0/0", "next_hop": None})


def loops(verdict: Verdict) -> list[str]:
    return [item.what for item in verdict.failures() if item.subject == "loops"]


def test_a_loop_of_devices_that_know_different_routes_is_found() -> None:
    """pe2 has lost its route and follows pe1's default; pe1 has not heard of it and sends packets to pe2."""
    base = now().apply((put(nowhere("pe1")),))
    verdict = verify(base, plan((step("cut", drop(base, "routes", STAFF)),), base=base), policy())
    assert (verdict.states, verdict.settling) == (4, 2)
    where = "go round over pe1, pe2, in 1 of 4 states, first: after batch 1, settled on pe2 and not on pe1"
    assert loops(verdict) == [f"loop: packets to 198.18.16.{last} {where}" for last in (100, 254)]
    bare = verify(now(), plan((step("cut", drop(now(), "routes", STAFF)),)), policy())
    assert (bare.settling, loops(bare)) == (2, [])


def test_what_other_devices_have_heard_may_be_as_old_as_the_step() -> None:
    """Two edits are pushed at once: pe1 may have heard of none, of the first alone, or of both."""
    other = now().routes[STAFF].model_copy(update={"prefix": IPv4Network("198.18.17.0/24")})
    labels = []
    for edits, count in (((put(other),), 2), ((put(other), drop(now(), "routes", STAFF)), 6)):
        the_plan = plan((step("both", *edits),))
        verdict = verify(now(), the_plan, policy())
        assert (verdict.states, verdict.settling) == (1 + len(edits) + count, count)
        world = World.of(now())
        way = [(state, next_world(world, state.estate, ())) for state in states(now(), the_plan, NIGHT)]
        labels += [late.state.label.partition(", ")[2] for late in settling(way)]
    near = ["settled on pe1 and not on pe2", "settled on pe2 and not on pe1"]
    assert labels == [*near, *near, *(f"{text} (of 2 edits)" for text in near)]


def test_that_many_devices_were_judged_two_by_two_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = plan((step("cut", drop(now(), "routes", STAFF)),))
    said = "routing settles on up to 2 devices at once: any two of them were judged in every mixture"
    assert not any(said in limit for limit in verify(now(), cut, policy()).limits)
    monkeypatch.setattr(sys.modules["orchestrator.proof.verify"], "EVERY", 1)
    assert any(said in limit for limit in verify(now(), cut, policy()).limits)


def test_that_routes_of_two_steps_meet_in_a_table_is_said() -> None:
    one, other = (
        now().routes[STAFF].model_copy(update={"prefix": IPv4Network(f"198.18.{number}.0/24")}) for number in (17, 18)
    )
    here = put(Route.model_validate({"device": "pe1", "vrf": "adm", "prefix": "198.18.19.0/24", "next_hop": None}))
    both = plan((step("a", put(one)), step("b", here)))
    assert [text for text in verify(now(), both, policy()).limits if "late" in text] == [
        f"batch 1: routes of a and of b meet in {device} vrf adm: where both are late at one moment was not judged"
        for device in ("pe1", "pe2")
    ]
    for parted in (((step("a", put(one)),), (step("b", here),)), ((step("a", put(one), put(other)),),)):
        assert not any("late" in text for text in verify(now(), plan(*parted), policy()).limits)


def test_a_rule_that_looks_at_tables_is_asked_while_they_settle() -> None:
    """What it said of the state's own tables is not taken for what it would say of a mixture."""
    asked: list[object] = []

    def check(moment: Moment) -> Iterator[Finding]:
        asked.append(moment.matrix.world.tables)
        yield moment.passes("R16", "looked")

    looking = next(one._replace(check=check) for one in rules() if one.name == "R16")
    route = Route.model_validate({"device": "pe2", "vrf": "adm", "prefix": "10.99.0.0/16", "next_hop": None})
    the_plan = plan((step("nobody", put(route)),), (step("back", put(route).undo()),))
    first = Matrix.of(now(), classes_of(now(), the_plan.steps[0].edits, []))
    judge = Judge(the_plan, policy(), {}, (looking,), Loops.since(first))
    way = [(state, first.advance(state.estate)) for state in states(now(), the_plan, NIGHT, (0, 1))]
    judge.state(*way[1])
    judge.state(*way[1])
    assert len(asked) == 1
    for late in settling([(state, matrix.world) for state, matrix in way]):
        if late.base == 1:
            judge.settling(late.state, way[1][1].settling(late.tables))
    assert len(asked) == 2


def test_one_device_alone_has_nothing_to_settle() -> None:
    change = put(Route.model_validate({"device": "ce1", "prefix": "10.99.0.0/24", "next_hop": None}))
    verdict = verify(now(), plan((step("alone", change),)), policy())
    assert (verdict.states, verdict.settling) == (2, 0)


@pytest.mark.parametrize("kind", [Matrix, EngineMatrix])
def test_a_mixture_carried_along_is_one_made_of_nothing(kind: type[Matrix]) -> None:
    base = now().apply((put(nowhere("pe1")),))
    the_plan = plan((step("cut", drop(base, "routes", STAFF)),), base=base)
    classes = classes_of(base, [edit for one in the_plan.steps for edit in one.edits], [])
    first = kind.of(base, classes)
    way = [(state, first.advance(state.estate)) for state in states(base, the_plan, NIGHT)]
    found = list(settling([(state, matrix.world) for state, matrix in way]))
    assert [(late.state.label.partition(", ")[2], late.base) for late in found] == [
        ("settled on pe1 and not on pe2", 0),
        ("settled on pe2 and not on pe1", 1),
    ]
    made = []
    for late in found:
        matrix = way[late.base][1].settling(late.tables)
        made.append(matrix)
        world = World.of(late.state.estate, guests(late.state.estate, classes))
        assert _told(matrix) == _told(Matrix.walked(replace(world, tables=late.tables), classes))
        assert (late.state.done, late.state.stopped) == ({"cut"}, (("cut", 1),))
    begin, end = (matrix for _state, matrix in way)
    ways = [matrix.way("exchange", Header(*ENDS, "tcp", 40000, 443)) for matrix in (begin, *made, end)]
    assert [(way.outcome, gone_round(way)) for way in ways] == [
        ("delivered", ""),
        ("dropped", ""),
        ("dropped", "pe1, pe2"),
        ("dropped", ""),
    ]


ENDS = (int(IPv4Address("198.18.0.10")), int(IPv4Address("198.18.16.100")))


def _told(matrix: Matrix) -> list[tuple[object, ...]]:
    return [(reach.source, reach.destination, reach.end, reach.ports, reach.way) for reach in matrix.reaches()]


@pytest.mark.parametrize("count", range(2, 40))
def test_of_each_two_devices_each_settles_before_the_other(count: int) -> None:
    devices = [f"r{number}" for number in range(count)]
    found = list(mixtures(devices))
    for one, other in permutations(devices, 2):
        assert any(one in settled and other not in settled for settled in found)
    assert all(0 < len(settled) < count for settled in found)
    if count <= 4:
        every = [set(some) for size in range(1, count) for some in combinations(devices, size)]
        assert sorted(map(sorted, found)) == sorted(map(sorted, every))
    assert len(found) <= 14
