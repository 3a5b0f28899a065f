"""The loop of a run: batches in order, canary first, resume after a kill at every journal point, rollback.

The world here is a dictionary (a test aid); the real one is in tests/lab/test_district.py.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from network_models.district import now
from orchestrator.apply.crew import Crew, StepNotes
from orchestrator.apply.hands import Hands, Notes
from orchestrator.apply.outcome import Checked, NoProber, Options
from orchestrator.apply.resume import direction_of, resume
from orchestrator.apply.rollback import by_hand, rollback
from orchestrator.apply.run import carry_on, forward_again, opening
from orchestrator.errors import (
    ApprovalError,
    DeviceError,
    InputError,
    PartlyAppliedError,
    RefusedError,
    StaleError,
    SurpriseError,
)
from orchestrator.model.estate import Edit, Estate, difference
from orchestrator.model.finding import Finding
from orchestrator.model.network import Interface
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Numbering, Policy, Window
from orchestrator.records.journal import Journal
from orchestrator.records.runs import Records, Run

START = now()
OPTIONS = Options(who="li", rehearsal=True)
LAST_STEP_DONE = 1 + 4 * 4 + 2
"""Number of that event: the run's intent, four events a step, a note of the check after each batch before the last."""


def port(device: str, name: str, last: int) -> Interface:
    return Interface(device=device, name=name, address=IPv4Interface(f"198.18.240.{last}/30"))


def steps() -> tuple[Step, ...]:
    rows = [port("cz1", "up0", 1), port("cz2", "up0", 5), port("cz3", "up0", 9), port("mz1", "up0", 13)]
    made = []
    for row in rows:
        edits = difference(START, START.with_nouns(row))
        made.append(
            Step(name=f"step-{row.device}", title="t", why="w", kind="network", edits=edits, devices=(row.device,))
        )
    return tuple(made)


def plan() -> Plan:
    wave = Wave(
        number=1,
        title="w",
        night=date(2018, 1, 9),
        window="night",
        batches=(("step-cz1",), ("step-cz2", "step-cz3"), ("step-mz1",)),
    )
    target = START
    for step in steps():
        target = target.apply(step.edits)
    return Plan(
        project="p",
        author="a",
        built_from=START.digest,
        leads_to=target.digest,
        policy_version="1",
        policy_digest="d",
        steps=steps(),
        waves=(wave,),
    )


def policy(**more: Any) -> Policy:
    from ipaddress import IPv4Network

    night = Window(name="night", weekdays=(1,), start=time(22), end=time(5))
    fields: dict[str, Any] = {
        "version": "1",
        "t_zero": date(2017, 12, 1),
        "planned_from": date(2018, 1, 8),
        "extranet_pool": IPv4Network("198.18.0.0/15"),
        "zones": (),
        "windows": (night,),
        "numbering": Numbering(autonomous_system=65000),
    }
    return Policy.model_validate({**fields, **more})


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


class World(Hands):
    """A world in memory: rows per device; two parts a step; counts what is done twice."""

    def __init__(self) -> None:
        self.rows = {device: dict[str, Any]() for device in START.devices}
        self.twice: list[str] = []
        self.order: list[str] = []
        self.refuse = ""

    def perform(self, step: Step, before: Estate, after: Estate, notes: Notes, *, resuming: bool) -> dict[str, Any]:
        device = step.devices[0]
        want = {key: row for key, row in after.interfaces.items() if row.device == device}
        notes.write(f"device:{device}", "started", {})
        if step.name == self.refuse:
            raise DeviceError(f"{device} refused a line")
        if self.rows[device] == want and not resuming:
            self.twice.append(step.name)
        self.rows[device] = want
        self.order.append(step.name)
        notes.write(f"device:{device}", "done", {"lines": 1})
        return {f"device:{device}": {"lines": 1}}


def matches(world: World, estate: Estate) -> bool:
    return all(
        world.rows[device] == {k: r for k, r in estate.interfaces.items() if r.device == device}
        for device in ("cz1", "cz2", "cz3", "mz1")
        if world.rows[device]
    )


def begun(folder: Path) -> tuple[Records, Run]:
    records = Records(folder)
    return records, records.begin(plan(), START, "li", rehearsal=True)


def killing(journal: Journal, at: int) -> Callable[..., Any]:
    """Let the journal die right after event `at` is on disk."""
    record = journal.record

    def recording(*arguments: Any, **named: Any) -> Any:
        event = record(*arguments, **named)
        if event.number == at:
            raise Killed
        return event

    return recording


def target() -> Estate:
    return plan().target(START)


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


class Suspicious:
    """A prober whose packets go astray once a port is there."""

    def check(self, estate: Estate, /) -> Checked:
        bad = "cz3/up0/198.18.240.9/30" in estate.interfaces
        found = (Finding(subject="probe", result="fail", what="citizen reaches cz-db"),) if bad else ()
        return Checked(probes=10, findings=found)


def test_a_surprise_takes_the_batch_back_and_stops(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    with pytest.raises(SurpriseError) as caught:
        carry_on(run, policy(), world, Suspicious(), records, OPTIONS)
    assert str(caught.value) == (
        "after step-cz2, step-cz3: citizen reaches cz-db; the batch was taken back: "
        "look there, then resume or roll back"
    )
    assert records.status(run.name).done == ("step-cz1",)
    assert direction_of(run, records) == "forward"
    assert world.rows["cz2"] == {k: r for k, r in START.interfaces.items() if r.device == "cz2"}


def test_the_way_back_undoes_in_reverse_order(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    world = World()
    carry_on(run, policy(), world, NoProber(), records, OPTIONS)
    world.order.clear()
    records.journal.record(run.name, "intent", direction="back")
    assert direction_of(run, records) == "back"
    crew = Crew(run, world, records.journal, "back", OPTIONS, lambda _: None)
    for batch in reversed(run.plan.batches()):
        crew.undo_batch([run.plan.step_of[name] for name in batch])
    assert [world.order[0], {*world.order[1:3]}, world.order[3]] == ["step-mz1", {"step-cz2", "step-cz3"}, "step-cz1"]
    assert crew.estate.digest == START.digest
    assert records.status(run.name).state == "partly applied", "nobody has compared the world with the snapshot"
    records.journal.record(run.name, "undone", direction="back")
    assert records.status(run.name).state == "rolled back"


def test_a_run_that_goes_forward_again_is_not_turned_round_by_its_resume(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    records.journal.record(run.name, "intent", direction="back")
    assert forward_again(run, records, OPTIONS) == run
    assert direction_of(run, records) == "forward"
    events = len(records.journal.events(run.name))
    forward_again(run, records, OPTIONS)
    assert len(records.journal.events(run.name)) == events


def test_a_way_back_without_its_snapshot_is_never_told_as_the_same_world(tmp_path: Path) -> None:
    records, run = begun(tmp_path)
    with pytest.raises(StaleError, match=r"snapshot\.json is not what the journal says was read"):
        rollback(run, World(), NoProber(), records, OPTIONS)
    assert records.status(run.name).state == "partly applied"


APPROVERS = {
    "required": ["security_admin"],
    "people": [{"name": "an", "role": "security_admin", "public_key": "A" * 43 + "="}],
}


def test_a_resume_goes_on_under_the_policy_and_the_signatures_it_was_begun_with(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for allowed, error, message in (
        (policy(), None, ""),
        (policy(version="2"), StaleError, "was approved under policy 1 .* the folder holds 2 .*: put that one back"),
        (policy(approvals=APPROVERS), ApprovalError, "is not signed by security_admin"),
    ):
        of = policy() if error is StaleError else allowed
        run = records.begin(plan().model_copy(update={"policy_digest": of.digest}), START, "li", rehearsal=True)
        if error is None:
            assert resume(run, allowed, World(), NoProber(), records, OPTIONS).left == ()
            continue
        world = World()
        with pytest.raises(error, match=message):
            resume(run, allowed, world, NoProber(), records, OPTIONS)
        assert world.order == []


def test_outside_its_window_a_wave_is_refused_and_a_rehearsal_is_not(tmp_path: Path) -> None:
    records = Records(tmp_path)
    run = records.begin(plan(), START, "li")
    with pytest.raises(RefusedError) as caught:
        carry_on(run, policy(), World(), NoProber(), records, Options(who="li"))
    assert str(caught.value) == (
        "wave 1 may run from 2018-01-09 22:00 to 2018-01-10 05:00, not now: wait, or plan again"
    )
    assert carry_on(run, policy(), World(), NoProber(), records, OPTIONS).left == ()


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


def test_notes_know_only_the_try_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    for state, part in (("started", "freeze:a"), ("done", "freeze:a"), ("started", "open:a")):
        journal.record("r", state, step="s", part=part)  # type: ignore[arg-type]  # all are event states
    notes = StepNotes(journal, "r", "s", "forward", journal.events("r"))
    assert notes.begun("open:a")
    assert notes.finished("freeze:a")
    assert not notes.finished("open:a")
    journal.record("r", "done", step="s")
    fresh = StepNotes(journal, "r", "s", "forward", journal.events("r"))
    assert not fresh.begun("open:a")
    assert datetime.now(UTC) >= journal.events("r")[-1].at
