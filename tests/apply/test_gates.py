"""What must be true before a batch begins in life."""

from datetime import date, datetime

import pytest

from orchestrator.apply.gates import confirmed, in_window, out_of_reach
from orchestrator.errors import RefusedError
from orchestrator.model.estate import Edit
from orchestrator.model.plan import Step, Wave
from orchestrator.model.policy import Freeze
from tests.apply.memory_world import START, policy

STEP = Step(
    name="release.line", title="release", why="w", kind="record", edits=(), mode="manual", checklist=("write", "wait")
)
OTHER = STEP.model_copy(update={"name": "other", "mode": "automatic"})


def test_a_manual_step_waits_for_whoever_works_through_its_checklist() -> None:
    with pytest.raises(RefusedError) as caught:
        confirmed([OTHER, STEP], ())
    assert str(caught.value) == (
        "release.line is done by hand (write; wait): do that, then run again with '--confirm release.line'"
    )
    confirmed([OTHER, STEP], ("release.line",))
    confirmed([OTHER], ())


WAVE = Wave(number=2, title="w", night=date(2018, 1, 9), window="night", batches=())
OPEN = datetime(2018, 1, 9, 23)
FREEZE = {"name": "year's end", "first": date(2018, 1, 10), "last": date(2018, 1, 12)}


@pytest.mark.parametrize(
    ("wave", "freeze", "why"),
    [
        (WAVE.model_copy(update={"night": date(2018, 1, 10)}), None, "window 'night' does not open"),
        (WAVE, Freeze.model_validate(FREEZE), "a freeze forbids changes"),
        (WAVE, Freeze.model_validate({**FREEZE, "organisation": "cz"}), "a freeze forbids changes"),
    ],
)
def test_a_night_that_the_policy_does_not_allow_is_refused_whatever_the_plan_says(
    wave: Wave, freeze: Freeze | None, why: str
) -> None:
    in_window(WAVE, policy(), OPEN, {"cz"})
    in_window(WAVE, policy(freezes=[Freeze.model_validate({**FREEZE, "organisation": "mz"})]), OPEN, {"cz"})
    with pytest.raises(
        RefusedError, match=f"wave 2 is planned for the night of {wave.night}, on which {why}: plan again"
    ):
        in_window(wave, policy(freezes=[freeze] if freeze else []), OPEN, {"cz"})


@pytest.mark.parametrize(("management", "apart"), [("172.31.0.114", ()), (None, ("cz-user2",))])
def test_a_host_that_gets_another_address_needs_somebody_who_gives_it(
    management: str | None, apart: tuple[str, ...]
) -> None:
    row = START.hosts["cz-user2"].plain()
    one = {**row, "management": management}
    before = START.apply((Edit(table="hosts", key="cz-user2", before=row, after=one),))
    moved = {**one, "address": "198.18.32.100/24"}
    after = before.apply((Edit(table="hosts", key="cz-user2", before=one, after=moved),))
    assert out_of_reach(STEP, before, after) == apart
    assert out_of_reach(STEP, before, before) == ()
