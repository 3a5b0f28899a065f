"""A proof shared by several processes says what one alone says, and one that loses a process says nothing."""

import os
from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.errors import PlanError
from orchestrator.model.network import Route
from orchestrator.model.plan import Plan
from orchestrator.proof import Verdict, stretches, verify
from orchestrator.proof.judge import Judge
from orchestrator.proof.states import count, states
from orchestrator.proof.stretches import ProcessEndedError, divided
from tests.proof.plans import NIGHT, drop, in_waves, plan, policy, put, step, whole_policy
from tests.whole import planned

AWAY = Route.model_validate({"device": "cz2", "prefix": "10.8.1.10/32", "next_hop": "10.8.254.1"})
BACK = Route.model_validate({"device": "cz1", "prefix": "10.8.1.10/32", "next_hop": "10.8.254.2"})


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Four batches: a loop that comes and goes, a registered flow that fails twice; each worth a process."""
    monkeypatch.setattr(stretches, "WORTH", 1)
    looped = now().apply((put(AWAY), put(BACK)))
    cut = drop(now(), "filter_rules", "fw1/00100")
    return plan(
        (step("a", put(AWAY)), step("b", put(BACK))),
        (step("cut", cut, outage=("F-010",)),),
        (step("mend", cut.undo()),),
        (step("c", drop(looped, *_row(AWAY))), step("d", drop(looped, *_row(BACK)))),
    )


def _row(route: Route) -> tuple[str, str]:
    return "routes", route.key


def without_costs(verdict: Verdict) -> str:
    """All that a verdict says of the plan; not how long it took."""
    return verdict.model_copy(update={"walked": 0, "seconds": 0.0}).model_dump_json()


def test_several_processes_say_what_one_says(troubled: Plan) -> None:
    alone = verify(now(), troubled, policy(), processes=1)
    told = {item.subject for item in alone.failures()}
    assert {"F-001", "F-010"} <= told
    for processes in (2, 3, 5):
        assert 2 <= len(divided(troubled, processes)) <= processes
        assert without_costs(verify(now(), troubled, policy(), processes=processes)) == without_costs(alone)


def test_a_night_after_an_exception_begins_alike_in_a_stretch_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "WORTH", 1)
    nights = [date(2018, 1, day) for day in (8, 15, 22)]
    idle = in_waves(plan(*((step(f"s{number}"),) for number in range(3))), *nights)
    for last_day in (8, 15):
        grants = [{**grant.plain(), "expires": date(2018, 1, last_day)} for grant in whole_policy().exceptions]
        pack = policy(exceptions=grants)
        alone = verify(now(), idle, pack, processes=1)
        assert alone.states == 5
        assert f"first: after batch {nights.index(date(2018, 1, last_day)) + 1}, on 2018" in str(alone.failures())
        for processes in (2, 3):
            assert without_costs(verify(now(), idle, pack, processes=processes)) == without_costs(alone)


def test_batches_without_steps_are_nobodys_end(troubled: Plan) -> None:
    """The last one may be a stretch of its own, which leads nowhere; the target is judged as the target."""
    bare = policy(exceptions=())
    wave = troubled.waves[0]
    batches = ((), *wave.batches[:2], (), *wave.batches[2:], (), ())
    parted = troubled.model_copy(update={"waves": (wave.model_copy(update={"batches": batches}),)})
    whole = verify(now(), troubled, bare, processes=1)
    assert "R17" in {item.subject for item in whole.failures()}  # true before, and left in the target
    for processes in (1, 2, 3, 5):
        told = verify(now(), parted, bare, processes=processes)
        assert {item.subject for item in told.failures()} == {item.subject for item in whole.failures()}
        assert told.states == whole.states
    nothing = verify(now(), plan(()), bare)
    assert [item.subject for item in nothing.failures()] == ["R17"]


def test_each_process_tells_how_far_it_is(troubled: Plan) -> None:
    told: list[str] = []
    verdict = verify(now(), troubled, policy(), processes=3, progress=told.append)
    assert {line.partition(":")[0] for line in told} == {"proving 4 batches in 3 processes"}
    assert all(int(line.split()[-4]) <= verdict.states for line in told)


def test_what_a_process_raises_is_raised(troubled: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_judge: Judge, state: Any, _matrix: Any) -> None:
        if "c" in state.done:
            raise PlanError("no further")

    monkeypatch.setattr(Judge, "state", refuse)
    with pytest.raises(PlanError, match=r"^no further$"):
        verify(now(), troubled, policy(), processes=3)


def test_a_process_that_is_killed_leaves_nothing_proved(troubled: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()

    def die(_judge: Judge, state: Any, _matrix: Any) -> None:
        if "c" in state.done and os.getpid() != parent:
            os._exit(9)

    monkeypatch.setattr(Judge, "state", die)
    with pytest.raises(ProcessEndedError, match="nothing is proved, run it again"):
        verify(now(), troubled, policy(), processes=3)


def test_states_are_counted_as_they_are_walked() -> None:
    whole = planned()
    walked = Counter(state.batch for state in states(now(), whole, NIGHT))
    assert walked[0] == 1
    for number, names in enumerate(whole.batches(), start=1):
        assert walked[number] == count([whole.step_of[name] for name in names]), names


@given(processes=st.integers(1, 40), worth=st.integers(1, 300))
def test_stretches_are_all_batches_once_and_in_order(processes: int, worth: int) -> None:
    whole = planned()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stretches, "WORTH", worth)
        parts = divided(whole, processes)
    assert [number for part in parts for number in part] == list(range(len(whole.batches()) + 1))
    assert all(len(part) for part in parts)
    assert len(parts) <= processes


def test_a_long_batch_tells_how_far_it_is() -> None:
    told: list[str] = []
    rows = [{"device": "ce1", "prefix": f"10.77.{number}.0/24", "next_hop": None} for number in range(120)]
    long = step("long", *(put(Route.model_validate(row)) for row in rows))
    assert verify(now(), plan((long,)), policy(), processes=1, progress=told.append).states == 121
    assert told == [f"proving batch 1 of 1: {number} states so far" for number in (1, 51, 101)]
