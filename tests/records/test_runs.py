"""Runs on disk: in which world, with whose signatures, in which order, and what a change to their files is worth."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InputError, RefusedError, StaleError
from orchestrator.model.base import canonical
from orchestrator.records import journal as journals
from orchestrator.records.audit import Audit
from orchestrator.records.runs import Records
from tests.apply.memory_world import START, plan

SNAPSHOT = {"texts": {}, "hosts": {}}


def begun(folder: Path, world: str = "lab", **more: Any) -> tuple[Records, str]:
    records = Records(folder, world)
    return records, records.begin(plan(), START, "li", snapshot=SNAPSHOT, **more).name


def test_what_was_rehearsed_was_not_done_in_life(tmp_path: Path) -> None:
    lab, name = begun(tmp_path, rehearsal=True)
    lab.journal.record(name, "done", step="step-cz1")
    life = Records(tmp_path, "real")
    assert (lab.runs(), lab.of_plan(plan()), lab.status(name).done) == ((name,), (name,), ("step-cz1",))
    assert (life.runs(), life.of_plan(plan())) == ((), ())
    with pytest.raises(RefusedError, match="is of the world 'lab', this project's is 'real': what was done there was"):
        life.load(name)
    other = life.begin(plan(), START, "li", snapshot=SNAPSHOT).name
    assert (life.latest(), lab.latest()) == (other, name) != (name, name)


def test_files_of_a_run_are_its_owners_alone_wherever_the_folder_came_from(tmp_path: Path) -> None:
    """Configurations with all their communities are in them, and a restored copy may have any mode."""
    tmp_path.chmod(0o755)
    records, name = begun(tmp_path)
    files = [path for path in records.folder_of(name).iterdir() if path.is_file()]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files} == {
        "run.json": 0o600,
        "snapshot.json": 0o600,
    }


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(canonical(value) + "\n", "utf-8")


FOREIGN = {"plan": "p", "policy": "p", "person": "wu", "role": "planner", "at": "2018-01-08T00:00:00Z", "signature": ""}


@pytest.mark.parametrize(
    "change",
    [{"rehearsal": True}, {"world": "real"}, {"who": "wu"}, {"signed": [FOREIGN]}],
    ids=lambda c: next(iter(c)),
)
def test_every_field_of_a_run_is_held_to_the_journal(tmp_path: Path, change: dict[str, Any]) -> None:
    records, name = begun(tmp_path)
    assert records.load(name).name == name
    changed(records.folder_of(name) / "run.json", lambda run: run.update(change))
    with pytest.raises(StaleError, match="is not what the journal says was begun"):
        records.load(name)


def test_a_snapshot_that_is_gone_or_was_changed_compares_nothing(tmp_path: Path) -> None:
    records, name = begun(tmp_path)
    assert records.snapshot(name) == SNAPSHOT
    path = records.folder_of(name) / "snapshot.json"
    changed(path, lambda value: value["hosts"].update(pc1=["10.0.0.1", "", ""]))
    for damage in (lambda: None, path.unlink):
        damage()
        with pytest.raises(StaleError, match=r"snapshot\.json is not what the journal says was read: put back the"):
            records.snapshot(name)


def test_the_newest_run_is_the_last_begun_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, first = begun(tmp_path)

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz or UTC) - timedelta(days=400)

    monkeypatch.setattr(journals, "datetime", SetBack)
    second = records.begin(plan(), START, "li", snapshot=SNAPSHOT).name
    firsts = records.journal.firsts()
    assert firsts[second].at < firsts[first].at
    assert (records.runs(), records.latest()) == ((first, second), second)


def test_a_run_with_another_on_top_of_it_is_not_to_be_touched(tmp_path: Path) -> None:
    records, first = begun(tmp_path)
    second = records.begin(plan(), START, "li", snapshot=SNAPSHOT).name
    records.hold_newest(first)
    records.journal.record(second, "intent", step="step-cz1")
    with pytest.raises(RefusedError, match=f"run {second} stands on top of {first}: take that one back first"):
        records.hold_newest(first)
    records.hold_newest(second)
    records.journal.record(second, "undone", step="step-cz1", direction="back")
    records.hold_newest(first)


def test_the_state_folder_is_for_its_owner_whoever_makes_it_first(tmp_path: Path) -> None:
    Audit(tmp_path / "one" / "audit.jsonl").append("li", "approve", "done")
    _, name = begun(tmp_path / "two")
    private = ["one", "one/audit.jsonl", "two", "two/journal.db", f"two/runs/{name}"]
    assert {path: oct(stat.S_IMODE((tmp_path / path).stat().st_mode) & 0o077) for path in private} == dict.fromkeys(
        private, "0o0"
    )


def test_files_that_were_taken_away_are_named_and_no_run_is_forgotten(tmp_path: Path) -> None:
    records, name = begun(tmp_path)
    (records.folder_of(name) / "run.json").rename(tmp_path / "kept")
    with pytest.raises(StaleError, match=r"run\.json cannot be read, and the run was begun: put back the file"):
        records.load(name)
    (tmp_path / "kept").rename(records.folder_of(name) / "run.json")
    assert Records(tmp_path, "lab").latest() == name
    with pytest.raises(InputError, match="nothing was applied in this project yet"):
        Records(tmp_path, "real").latest()
    records.journal.close()
    (tmp_path / "journal.db").unlink()
    with pytest.raises(
        StaleError, match=rf"journal\.db knows nothing of run {name}, whose files are there: it was killed before"
    ):
        Records(tmp_path, "lab").latest()
