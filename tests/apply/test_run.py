"""The loop of a run: batches in order, canary first, resume after a kill at every journal point.

The world here is a dictionary (a test aid); the real one is in tests/lab/test_district.py.
"""

from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.apply import run as running
from orchestrator.apply.crew import Crew, StepNotes
from orchestrator.apply.outcome import Checked, NoProber, Options
from orchestrator.apply.rollback import by_hand
from orchestrator.apply.run import carry_on, opening
from orchestrator.errors import (
    InputError,
    PartlyAppliedError,
    RefusedError,
    SurpriseError,
)
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan
from orchestrator.records.journal import Journal
from orchestrator.records.runs import Records, Run
from tests.apply.memory_world import (
    LAST_STEP_DONE,
    OPTIONS,
    START,
    Killed,
    World,
    begun,
    killing,
    matches,
    plan,
    policy,
    steps,
    target,
)


def test_steps_are_done_in_order_with_the_canary_first(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    outcome = carry_on(run, policy(), world, NoProber(), records, OPTIONS)
    assert outcome.done == ("step-cz1", "step-cz2", "step-cz3", "step-mz1")
    assert outcome.left == ()
    assert world.order == ["step-cz1", "step-cz2", "step-cz3", "step-mz1"]
    assert outcome.total("lines") == 4
    assert matches(world, target())
    assert records.status(run.name).state == "applied"


@pytest.mark.parametrize("point", range(2, LAST_STEP_DONE + 2))
def test_a_kill_at_any_journal_point_is_resumed_with_nothing_lost_and_nothing_doubled(
    tmp_path: Path, point: int
) -> None:
    records, run = begun(tmp_path)
    world = World()
    honest = records.journal.record
    records.journal.record = killing(records.journal, point)  # type: ignore[method-assign]  # the kill
    with pytest.raises(Killed):
        carry_on(run, policy(), world, NoProber(), records, Options(who="li", rehearsal=True, workers=1))
    records.journal.record = honest  # type: ignore[method-assign]  # a new process
    outcome = carry_on(records.load(run.name), policy(), world, NoProber(), records, OPTIONS)
    assert outcome.left == ()
    assert world.twice == []
    assert matches(world, target())
    states = records.journal.steps(run.name)
    assert states == {step.name: "done" for step in steps()}


class Counting:
    """A prober that remembers which estates it was asked about."""

    def __init__(self, bad: str = "") -> None:
        self.seen: list[str] = []
        self.bad = bad

    def check(self, estate: Estate, /) -> Checked:
        self.seen.append(estate.digest)
        found = (Finding(subject="probe", result="fail", what="astray"),) if estate.digest == self.bad else ()
        return Checked(probes=10, findings=found)


def killed_before_the_last_check(folder: Path) -> tuple[Records, Run, World]:
    """Every step stands; the kill came before real packets were sent for the last batch."""
    records, run = begun(folder)
    world, honest = World(), records.journal.record
    records.journal.record = killing(records.journal, LAST_STEP_DONE)  # type: ignore[method-assign]  # the kill
    with pytest.raises(Killed):
        carry_on(run, policy(), world, Counting(), records, Options(who="li", rehearsal=True, workers=1))
    records.journal.record = honest  # type: ignore[method-assign]  # a new process
    assert (len(records.status(run.name).done), records.status(run.name).state) == (4, "partly applied")
    return records, run, world


def test_a_kill_between_a_batch_and_its_check_does_not_save_the_check(tmp_path: Path) -> None:
    records, run, world = killed_before_the_last_check(tmp_path)
    prober = Counting()
    assert carry_on(run, policy(), world, prober, records, OPTIONS).checks == 10
    assert prober.seen == [target().digest]
    again = Counting()
    assert carry_on(run, policy(), world, again, records, OPTIONS).checks == 0
    assert again.seen == []


def unmanaged(device: str) -> tuple[Estate, Plan]:
    """The district in which nobody here has a way to a device, and the plan that changes it."""
    row = START.devices[device].plain()
    start = START.apply((Edit(table="devices", key=device, before=row, after={**row, "management": None}),))
    moved = plan()
    for_it = moved.model_copy(update={"built_from": start.digest, "leads_to": moved.target(start).digest})
    return start, for_it


def test_a_device_nobody_can_reach_is_not_told_as_done(tmp_path: Path) -> None:
    start, moved = unmanaged("cz2")
    records = Records(tmp_path)
    run = records.begin(moved, start, "li", rehearsal=True)
    world = World()
    with pytest.raises(RefusedError) as caught:
        carry_on(run, policy(), world, NoProber(), records, OPTIONS)
    assert str(caught.value) == (
        "step-cz2 changes cz2 without a management address: name it in topology.yaml and plan again, "
        "or do that by hand, then run again with '--confirm step-cz2'"
    )
    assert records.status(run.name).done == ("step-cz1",)
    options = OPTIONS.model_copy(update={"confirmed": ("step-cz2",)})
    assert carry_on(run, policy(), world, NoProber(), records, options).left == ()
    records.journal.record(run.name, "intent", direction="back")
    crew = Crew(run, world, records.journal, "back", OPTIONS, lambda _: None)
    told = [str(one) for one in by_hand(crew, ("step-cz3", "step-cz2"))]
    assert told == [
        "step-cz2 unknown: cz2: no management address, so nothing was taken back there; take that back by hand"
    ]


def test_what_the_late_check_finds_takes_that_batch_back_and_no_other(tmp_path: Path) -> None:
    records, run, world = killed_before_the_last_check(tmp_path)
    with pytest.raises(SurpriseError, match="after step-mz1: astray; the batch was taken back"):
        carry_on(run, policy(), world, Counting(target().digest), records, OPTIONS)
    assert records.status(run.name).done == ("step-cz1", "step-cz2", "step-cz3")


def test_a_failing_step_stops_the_run_and_says_what_stands(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    world.refuse = "step-cz3"
    with pytest.raises(PartlyAppliedError) as caught:
        carry_on(run, policy(), world, NoProber(), records, OPTIONS)
    assert str(caught.value) == (
        "cz3 refused a line; 2 of 4 steps stand: mend that, then 'onefold resume' or 'onefold rollback'"
    )
    status = records.status(run.name)
    assert (status.done, status.failed, status.left) == (("step-cz1", "step-cz2"), ("step-cz3",), ("step-mz1",))
    assert status.state == "under way"
    world.refuse = ""
    assert carry_on(run, policy(), world, NoProber(), records, OPTIONS).left == ()


def test_no_step_of_a_batch_is_begun_after_one_has_failed(tmp_path: Path) -> None:
    """Those that wait for a free hand stay undone; here there is one."""
    wave = plan().waves[0].model_copy(update={"batches": (tuple(step.name for step in steps()),)})
    records = Records(tmp_path)
    run = records.begin(plan().model_copy(update={"waves": (wave,)}), START, "li", rehearsal=True)
    world = World()
    world.refuse = "step-cz2"
    with pytest.raises(PartlyAppliedError, match="cz2 refused a line"):
        carry_on(run, policy(), world, NoProber(), records, OPTIONS.model_copy(update={"workers": 1}))
    assert world.order == ["step-cz1"]
    assert records.status(run.name).left == ("step-cz3", "step-mz1")
    world.refuse = ""
    assert carry_on(run, policy(), world, NoProber(), records, OPTIONS).left == ()


def test_outside_its_window_a_wave_is_refused_and_a_rehearsal_is_not(tmp_path: Path) -> None:
    records = Records(tmp_path)
    run = records.begin(plan(), START, "li")
    with pytest.raises(RefusedError) as caught:
        carry_on(run, policy(), World(), NoProber(), records, Options(who="li"))
    assert str(caught.value) == (
        "wave 1 may run from 2018-01-09 22:00 to 2018-01-10 05:00, not now: wait, or plan again"
    )
    assert carry_on(run, policy(), World(), NoProber(), records, OPTIONS).left == ()


def test_what_freezes_bind_is_computed_once_a_run_not_once_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a province's plan the target alone is minutes of work."""
    made: list[str] = []
    target_of = Plan.target
    monkeypatch.setattr(Plan, "target", lambda self, start: (made.append(self.hash), target_of(self, start))[1])
    monkeypatch.setattr(running, "in_window", lambda *_: None)
    run = Records(tmp_path).begin(plan(), START, "li")
    assert carry_on(run, policy(), World(), NoProber(), Records(tmp_path), Options(who="li")).left == ()
    assert len(made) == 1


def chosen(*names: str, wave: int | None = None) -> Options:
    return Options(who="li", rehearsal=True, limit=names, wave=wave)


def test_some_steps_of_the_next_batch_may_go_alone_and_the_rest_follows(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    assert carry_on(run, policy(), world, NoProber(), records, chosen("step-cz1", "step-cz3")).done == (
        "step-cz1",
        "step-cz3",
    )
    assert carry_on(run, policy(), world, NoProber(), records, OPTIONS).left == ()
    assert world.order == ["step-cz1", "step-cz3", "step-cz2", "step-mz1"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("step-mz1",), "step-mz1 comes after step-cz1, which is not done"),
        (("step-cz2",), "step-cz2 comes after step-cz1, which is not done"),
        (("step-cz1", "step-cz3", "step-mz1"), "step-mz1 comes after step-cz2, which is not done"),
    ],
)
def test_a_choice_that_leads_to_a_state_nobody_proved_is_refused_before_anything(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    records, run = begun(tmp_path)
    world = World()
    with pytest.raises(RefusedError, match=message):
        carry_on(run, policy(), world, NoProber(), records, chosen(*names))
    assert world.order == []
    carry_on(run, policy(), world, NoProber(), records, chosen("step-cz1", "step-cz2", "step-cz3"))
    assert carry_on(run, policy(), world, NoProber(), records, chosen("step-mz1")).left == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (chosen("step-cz9"), "the plan has no step step-cz9"),
        (Options(who="li", rehearsal=True, confirmed=("step-cz9",)), "the plan has no step step-cz9"),
        (chosen(wave=2), "the plan has no wave 2: it has 1, counted from 1"),
        (chosen(wave=0), "the plan has no wave 0"),
    ],
)
def test_steps_and_waves_that_the_plan_does_not_have_are_no_success(
    options: Options, message: str, tmp_path: Path
) -> None:
    records, run = begun(tmp_path)
    with pytest.raises(InputError, match=message):
        carry_on(run, policy(), World(), NoProber(), records, options)
    assert carry_on(run, policy(), World(), NoProber(), records, chosen(wave=1)).left == ()


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    wave, window = plan().waves[0], policy().windows[0]
    assert opening(wave, window) == (datetime(2018, 1, 9, 22), datetime(2018, 1, 10, 5))


def test_notes_know_which_way_a_part_was_begun_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    assert StepNotes(journal, "r", "s", "forward").begun_last("open:a") == ""
    for step, part, direction in (("s", "open:a", "forward"), ("other", "open:a", "back"), ("s", "freeze:a", "back")):
        journal.record("r", "started", step=step, part=part, direction=direction)  # type: ignore[arg-type]  # both are
    journal.record("r", "done", step="s")
    notes = StepNotes(journal, "r", "s", "back")
    assert [notes.begun_last(part) for part in ("open:a", "freeze:a", "stop:a")] == ["forward", "back", ""]
    notes.write("open:a", "started", {})
    assert StepNotes(journal, "r", "s", "forward").begun_last("open:a") == "back"
