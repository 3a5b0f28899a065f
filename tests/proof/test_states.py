"""Reachable states: which they are, each once, and that the way back meets no others."""

from itertools import combinations

import pytest

from network_models.district import now
from orchestrator.errors import PlanError
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import Route
from orchestrator.model.plan import Step
from orchestrator.proof.states import Limits, states
from tests.proof.plans import NIGHT, plan, put, step


def route(number: int, index: int) -> Edit:
    return put(Route.model_validate({"device": "ce1", "prefix": f"10.{number}.{index}.0/24", "next_hop": None}))


def routes(name: str, number: int, count: int) -> Step:
    return step(name, *(route(number, index) for index in range(count)))


def test_a_batch_of_two_has_its_subsets_and_each_stop_in_the_middle() -> None:
    the_plan = plan((routes("a", 1, 3), routes("b", 2, 1)))
    assert [state.label for state in states(now(), the_plan, NIGHT)] == [
        "now",
        "batch 1 with none done, a stopped after 1 of 3 edits",
        "batch 1 with none done, a stopped after 2 of 3 edits",
        "batch 1 with a done",
        "batch 1 with b done",
        "batch 1 with b done, a stopped after 1 of 3 edits",
        "batch 1 with b done, a stopped after 2 of 3 edits",
        "after batch 1",
    ]


def test_only_the_last_state_is_final_and_it_is_the_target() -> None:
    the_plan = plan((routes("a", 1, 2),), (routes("b", 2, 2), routes("c", 3, 2)))
    found = list(states(now(), the_plan, NIGHT))
    assert [state.final for state in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].estate.digest == the_plan.leads_to
    assert len({state.estate.digest for state in found}) == len(found)


def _brute_force(steps: tuple[Step, ...], base: Estate) -> set[str]:
    """Every subset done, at most one other step stopped anywhere in its edits."""
    found = set()
    for size in range(len(steps) + 1):
        for done in combinations(steps, size):
            estate = base
            for one in done:
                estate = estate.apply(one.edits)
            found.add(estate.digest)
            for other in steps:
                if other not in done:
                    found |= {estate.apply(other.edits[:count]).digest for count in range(1, len(other.edits))}
    return found


def test_the_states_are_those_of_the_definition_and_no_others() -> None:
    first = (routes("a", 1, 3), routes("b", 2, 2), routes("c", 3, 2))
    second = (routes("d", 4, 2), routes("e", 5, 1))
    middle = now()
    for one in first:
        middle = middle.apply(one.edits)
    expected = _brute_force(first, now()) | _brute_force(second, middle)
    assert {state.estate.digest for state in states(now(), plan(first, second), NIGHT)} == expected


def test_the_way_back_from_every_state_meets_only_these_states() -> None:
    batches = ((routes("a", 1, 3), routes("b", 2, 2)), (routes("c", 3, 2),))
    the_plan = plan(*batches)
    found = {state.estate.digest: state for state in states(now(), the_plan, NIGHT)}
    for state in list(found.values()):
        estate = state.estate
        if state.partial:
            edits = the_plan.step_of[state.partial].edits
            count = int(state.label.rsplit("stopped after ", 1)[1].split()[0])
            for edit in reversed(edits[:count]):
                estate = estate.apply((edit.undo(),))
                assert estate.digest in found
        for name in sorted(state.done, reverse=True):
            for edit in the_plan.step_of[name].undo():
                estate = estate.apply((edit,))
                assert estate.digest in found
        base = now().digest if state.batch < 2 else found[estate.digest].estate.digest
        assert estate.digest == base


def test_many_partial_states_are_put_on_none_and_on_all_of_the_others_and_it_is_said() -> None:
    limits = Limits()
    batch = tuple(routes(name, number, 6) for number, name in enumerate("abcd", start=1))
    found = list(states(now(), plan(batch), NIGHT, limits))
    assert len(found) == 16 + 4 * 5 * 2
    assert limits.narrowed == [
        (
            "batch 1: a step stopped in its middle is judged with none and with all of the others done, "
            "not with every subset (160 states)"
        )
    ]
    few = Limits()
    assert len(list(states(now(), plan(batch[:2]), NIGHT, few))) == 4 + 2 * 5 * 2
    assert few.narrowed == []


def test_a_batch_of_too_many_steps_is_refused() -> None:
    batch = tuple(routes(f"s{number}", number, 1) for number in range(11))
    with pytest.raises(PlanError, match=r"^batch 1 has 11 steps: split it into batches of at most 10$"):
        list(states(now(), plan(batch), NIGHT))


def test_a_plan_of_nothing_has_one_state() -> None:
    assert [(state.label, state.final) for state in states(now(), plan(), NIGHT)] == [("now", True)]
