"""A cutover that stops half-way loses no write, whichever way it goes on from there.

Places are lists of writes here (a test aid); the real ones are in tests/lab.
"""

from pathlib import Path
from typing import Any

import pytest

from network_models.district import now
from orchestrator.apply.crew import Crew
from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import NoProber, Options
from orchestrator.apply.run import carry_on
from orchestrator.apply.workload import Move
from orchestrator.errors import PartlyAppliedError, SurpriseError
from orchestrator.model.census import Workload
from orchestrator.model.estate import Edit
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.records.runs import Records, Run
from tests.apply.memory_world import Killed, killing, plan, policy

START = now()
OLD, NEW = "cz-db", "cz/budget-db"
ROW = START.workloads["990102-CZ-0001/db@cz-db"]
OPTIONS = Options(who="li", rehearsal=True, workers=1)
EVENTS = 1 + 4 + 1 + 8
"""The run's intent, the copy's four, a check, and of the cutover: its own two and two for freeze, open and verify.

Behind them stand a check and the run's end; then the way back begins, with as many as the cutover's eight."""


def at(place: str, state: str) -> Workload:
    return Workload.model_validate({**ROW.plain(), "place": place, "state": state})


def edit(before: Workload | None, after: Workload) -> Edit:
    return Edit(table="workloads", key=after.key, before=before and before.plain(), after=after.plain())


def moving() -> Plan:
    copy = Step(name="copy", title="t", why="w", kind="copy", edits=(edit(None, at(NEW, "standby")),))
    edits = (edit(ROW, at(OLD, "standby")), edit(at(NEW, "standby"), at(NEW, "running")))
    cut = Step(name="cut", title="t", why="w", kind="cutover", edits=edits)
    wave = Wave(number=1, title="w", night=plan().waves[0].night, window="night", batches=(("copy",), ("cut",)))
    target = START.apply((*copy.edits, *cut.edits)).digest
    return plan().model_copy(update={"leads_to": target, "steps": (copy, cut), "waves": (wave,)})


class Places(Hands):
    """Two places as lists of writes; `frozen` take none. A citizen writes wherever one is open, whenever we begin."""

    def __init__(self) -> None:
        self.data: dict[str, list[str]] = {OLD: ["first"], NEW: []}
        self.open_at = {OLD}
        self.written = ["first"]
        self.fails = False
        self.carrier = None
        self.mover: Any = self

    def write(self) -> None:
        for place in self.open_at:
            self.written.append(f"write {len(self.written)}")
            self.data[place].append(self.written[-1])

    def copy(self, move: Move, _estate: object) -> dict[str, Any]:
        self.data[move.target] = list(self.data[move.source])
        return {}

    def freeze_and_sync(self, move: Move, estate: object) -> dict[str, Any]:
        if self.fails:
            raise SurpriseError(f"{move.workload} differs")
        self.open_at.discard(move.source)
        return {**self.copy(move, estate), "frozen_at": 0.0}

    def open(self, move: Move, _estate: object) -> dict[str, Any]:
        self.open_at.add(move.target)
        return {"open_at": 1.0}

    def verify(self, _move: Move, _estate: object) -> dict[str, Any]:
        assert len(self.open_at) == 1
        return {}

    def start(self, move: Move, estate: object) -> dict[str, Any]:
        return self.open(move, estate)

    def stop(self, move: Move, _estate: object) -> dict[str, Any]:
        self.open_at.discard(move.target)
        return {}


def forward(run: Run, records: Records, world: Places) -> None:
    world.write()
    carry_on(run, policy(), world, NoProber(), records, OPTIONS)


def back(run: Run, records: Records, world: Places) -> None:
    world.write()
    crew = Crew(run, world, records.journal, "back", OPTIONS, lambda _: None)
    for name in ("cut", "copy"):
        if crew.is_done(name) or crew.is_open(name):
            crew.undo_batch([run.plan.step_of[name]])


def begun(folder: Path) -> tuple[Run, Records, Places]:
    records = Records(folder)
    run = records.begin(moving(), START, "li", rehearsal=True)
    world = Places()
    carry_on(run, policy(), world, NoProber(), records, OPTIONS.model_copy(update={"limit": ("copy",)}))
    return run, records, world


def killed(act: Any, run: Run, records: Records, world: Places, point: int) -> None:
    honest = records.journal.record
    records.journal.record = killing(records.journal, point)  # type: ignore[method-assign]  # the kill
    with pytest.raises(Killed):
        act(run, records, world)
    records.journal.record = honest  # type: ignore[method-assign]  # a new process


@pytest.mark.parametrize("point", range(7, EVENTS + 1))
@pytest.mark.parametrize("then", [forward, back])
def test_a_cutover_killed_at_any_point_keeps_every_write(tmp_path: Path, point: int, then: Any) -> None:
    run, records, world = begun(tmp_path)
    killed(forward, run, records, world, point)
    then(run, records, world)
    assert world.open_at == ({NEW} if then is forward else {OLD})
    assert world.data[NEW if then is forward else OLD] == world.written


@pytest.mark.parametrize("point", range(EVENTS + 3, EVENTS + 11))
@pytest.mark.parametrize("then", [forward, back])
def test_its_way_back_killed_at_any_point_keeps_every_write_too(tmp_path: Path, point: int, then: Any) -> None:
    run, records, world = begun(tmp_path)
    forward(run, records, world)
    killed(back, run, records, world, point)
    then(run, records, world)
    assert world.open_at == ({NEW} if then is forward else {OLD})
    assert world.data[NEW if then is forward else OLD] == world.written


def test_a_cutover_that_was_refused_is_taken_back_without_the_copy_that_was_not_right(tmp_path: Path) -> None:
    """The positive twin: one that was opened is taken back with what was written since."""
    run, records, world = begun(tmp_path)
    world.fails = True
    with pytest.raises(PartlyAppliedError, match="990102-CZ-0001/db differs"):
        forward(run, records, world)
    back(run, records, world)
    assert world.data[OLD] == world.written
    world.fails = False
    forward(run, records, world)
    back(run, records, world)
    assert len(world.written) == 5
    assert (world.data[OLD], world.open_at) == (world.written, {OLD})


def test_a_batch_taken_back_in_the_same_process_keeps_what_was_written_since(tmp_path: Path) -> None:
    run, records, world = begun(tmp_path)
    crew = Crew(run, world, records.journal, "forward", OPTIONS, lambda _: None)
    crew.batch([run.plan.step_of["cut"]])
    world.write()
    crew.undo_batch([run.plan.step_of["cut"]])
    assert (world.data[OLD], world.open_at) == (world.written, {OLD})
