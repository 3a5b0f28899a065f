"""Reachable states: which they are, each once, and that the way back meets no others."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.errors import PlanError
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import Route
from orchestrator.model.plan import Step
from orchestrator.proof.states import State, count, states
from tests.proof.plans import NIGHT, plan, put, step


def route(number: int, index: int) -> Edit:
    return put(Route.model_validate({"device": "ce1", "prefix": f"10.{number}.{index}.0/24", "next_hop": None}))


def routes(name: str, number: int, count: int) -> Step:
    return step(name, *(route(number, index) for index in range(count)))


def test_steps_of_a_batch_may_each_be_anywhere_at_one_moment() -> None:
    the_plan = plan((routes("a", 1, 3), routes("b", 2, 2)))
    assert [state.label for state in states(now(), the_plan, NIGHT)] == [
        "now",
        "batch 1 with none done, a stopped after 1 of 3 edits",
        "batch 1 with none done, a stopped after 2 of 3 edits",
        "batch 1 with a done",
        "batch 1 with none done, b stopped after 1 of 2 edits",
        "batch 1 with none done, a stopped after 1 of 3 edits, b stopped after 1 of 2 edits",
        "batch 1 with none done, a stopped after 2 of 3 edits, b stopped after 1 of 2 edits",
        "batch 1 with a done, b stopped after 1 of 2 edits",
        "batch 1 with b done",
        "batch 1 with b done, a stopped after 1 of 3 edits",
        "batch 1 with b done, a stopped after 2 of 3 edits",
        "after batch 1",
    ]


def test_a_state_comes_after_its_origin_and_differs_from_it_by_one_edit() -> None:
    seen: set[State] = set()
    for state in states(now(), plan((routes("a", 1, 3), routes("b", 2, 2)), (routes("c", 3, 2),)), NIGHT):
        if state.origin is not None:
            assert state.origin in seen
            assert len(state.estate.routes) == len(state.origin.estate.routes) + 1
        seen.add(state)


def test_only_the_last_state_is_final_and_it_is_the_target() -> None:
    the_plan = plan((routes("a", 1, 2),), (routes("b", 2, 2), routes("c", 3, 2)))
    found = list(states(now(), the_plan, NIGHT))
    assert [state.final for state in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].estate.digest == the_plan.leads_to
    assert len({state.estate.digest for state in found}) == len(found)


def test_batches_without_steps_add_no_state_and_the_target_is_still_final() -> None:
    one = routes("a", 1, 2)
    found = list(states(now(), plan((), (one,), (), ()), NIGHT))
    assert [state.final for state in found] == [False, False, True]
    assert found[-1].estate.digest == plan((one,)).leads_to
    assert [state.final for state in states(now(), plan(()), NIGHT)] == [True]


def _brute_force(steps: tuple[Step, ...], base: Estate) -> set[str]:
    """Each step stopped anywhere in its edits, none of them and all of them among that, whatever the others are."""
    found = set()
    for counts in product(*(range(len(one.edits) + 1) for one in steps)):
        estate = base
        for one, done in zip(steps, counts, strict=True):
            estate = estate.apply(one.edits[:done])
        found.add(estate.digest)
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
    """Steps of a batch go back side by side: any of them may be the next to take an edit back."""
    batches = ((routes("a", 1, 3), routes("b", 2, 2)), (routes("c", 3, 2),))
    found = {state.estate.digest: state for state in states(now(), plan(*batches), NIGHT)}
    for state in found.values():
        left = dict(state.stopped) | {
            one.name: len(one.edits) for one in batches[state.batch - 1] if _is_done(one, state)
        }
        for one in batches[state.batch - 1]:
            if left.get(one.name):
                back = state.estate.apply((one.edits[left[one.name] - 1].undo(),))
                assert back.digest in found
                assert found[back.digest].batch == state.batch or sum(left.values()) == 1
        assert left or state.label == "now"


def _is_done(one: Step, state: State) -> bool:
    return one.name in state.done


@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=3))
def test_there_are_as_many_states_as_are_counted(lengths: list[list[int]]) -> None:
    batches = [
        tuple(routes(f"s{number}{index}", 10 * number + index, length) for index, length in enumerate(batch))
        for number, batch in enumerate(lengths)
    ]
    found = list(states(now(), plan(*batches), NIGHT))
    assert len(found) == 1 + sum(count(batch) for batch in batches)
    assert len({state.estate.digest for state in found}) == len({state.label for state in found}) == len(found)


def test_a_batch_of_too_many_states_is_refused_and_a_long_step_alone_is_not() -> None:
    batch = tuple(routes(f"s{number}", number, 3) for number in range(7))
    with pytest.raises(PlanError, match=r"^batch 1 can be in 16,383 states: split it into batches of at most 4,096$"):
        list(states(now(), plan(batch), NIGHT))
    long = step("long", *(route(number, index) for number in range(20) for index in range(250)))
    assert len(list(states(now(), plan((long,)), NIGHT))) == 5001


def test_a_plan_of_nothing_has_one_state() -> None:
    assert [(state.label, state.final) for state in states(now(), plan(), NIGHT)] == [("now", True)]
