"""The journal: what it says is on disk, also after a kill, and a full disk stops the work before its next action."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.records.journal import Journal, JournalError

WRITER = """
import sys
from pathlib import Path
from orchestrator.records.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    journal.record("r", "intent", step=f"s{number}", detail={"filling": "x" * 2000})
    print("action", number, flush=True)
"""


def run_writer(path: Path, count: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(path), str(count)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )


def test_events_come_back_in_order_and_the_last_one_of_a_step_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record("r", "intent", step="a")
    journal.record("r", "started", step="a", part="pe1", detail={"lines": 3})
    journal.record("r", "done", step="a")
    journal.record("other", "intent", step="b")
    journal.close()
    journal = Journal(tmp_path / "journal.db")
    assert [(e.number, e.step, e.part, e.state) for e in journal.events("r")] == [
        (1, "a", "", "intent"),
        (2, "a", "pe1", "started"),
        (3, "a", "", "done"),
    ]
    assert journal.steps("r") == {"a": "done"}
    assert journal.runs() == ("r", "other")
    journal.close()


def test_to_look_at_a_journal_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).record("r", "intent")
    os.utime(path, (0, 0))
    assert [event.state for event in Journal(path).events("r")] == ["intent"]
    assert path.stat().st_mtime == 0


def test_a_kill_at_a_journal_point_leaves_exactly_the_events_up_to_it(tmp_path: Path) -> None:
    finished = run_writer(tmp_path / "journal.db", 6, ONEFOLD_STOP_AT="4")
    assert finished.returncode == -9
    assert finished.stdout.split() == ["action", "0", "action", "1", "action", "2"]
    journal = Journal(tmp_path / "journal.db")
    assert [event.step for event in journal.events("r")] == ["s0", "s1", "s2", "s3"]
    journal.close()


def test_without_the_hook_every_action_follows_its_event(tmp_path: Path) -> None:
    finished = run_writer(tmp_path / "journal.db", 6)
    assert (finished.returncode, len(finished.stdout.splitlines())) == (0, 6)


@pytest.mark.lab
def test_a_full_disk_stops_before_the_next_action_and_loses_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", small], check=True)
    try:
        finished = run_writer(small / "journal.db", 200)
        actions = [line for line in finished.stdout.splitlines() if line.startswith("action")]
        assert finished.returncode == 1
        assert "database or disk is full; nothing further was begun: free space" in finished.stderr
        journal = Journal(small / "journal.db")
        assert 0 < len(actions) == len(journal.events("r"))
        journal.close()
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_journal_in_an_impossible_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("no database, just a long enough text to be read as a header of something")
    with pytest.raises(JournalError, match=r"cannot .* the journal .*: file is not a database"):
        Journal(tmp_path / "journal.db")


@pytest.mark.parametrize("name", ["plan?mode=ro", "50% done", "a#b", "规划"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """A path is no URL: behind a question mark the journal was kept in another file, readable by all."""
    file = tmp_path / name / "journal.db"
    journal = Journal(file)
    journal.record("r", "intent")
    journal.close()
    assert file.stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(Journal(file).events("r")) == 1
