from pathlib import Path

import pytest

from orchestrator.errors import ProjectError
from orchestrator.intake.example import write_example
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.project import Project
from orchestrator.model.lock import Lock
from tests.intake.books import district_copy, reading_of


def test_a_folder_without_a_project_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        Project.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no onefold.yaml here: use -C DIR, or make a project with 'onefold init {tmp_path}'"
    )


def test_a_project_file_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "onefold.yaml").write_text("name: x\npolicy: ../policy.yaml\ncensus: c.xls\ncensor: 1\n", "utf-8")
    with pytest.raises(FaultyInputError) as caught:
        Project.open(tmp_path)
    assert str(caught.value) == (
        "onefold.yaml:2: 'policy' leads out of the project folder; use a path below the folder"
    )


def test_the_lock_is_written_whole_and_read_back(tmp_path: Path) -> None:
    project = Project.open(district_copy(tmp_path))
    assert project.read_lock() == Lock() or project.read_lock().allocations
    lock = Lock(allocations={"vlan/cz": "2010", "prefix/cz-2": "198.18.32.0/24"})
    project.write_lock(lock)
    assert project.read_lock() == lock
    project.path(project.lock).write_text('{"vlan/cz": 1', "utf-8")
    with pytest.raises(ProjectError, match=r"onefold\.lock: not a lock file"):
        project.read_lock()


def test_the_example_is_a_valid_project_without_findings(tmp_path: Path) -> None:
    write_example(tmp_path / "new")
    reading = reading_of(tmp_path / "new")
    assert [str(finding) for finding in reading.findings] == []
    assert reading.unparsed == ()
    assert set(reading.estate.systems) == {"990102-XX-0001"}
    with pytest.raises(ProjectError, match="a project is here already"):
        write_example(tmp_path / "new")


@pytest.mark.parametrize("name", ["census.xlsx", "policy.yaml", "configs/r1/frr.conf"])
def test_the_example_never_takes_the_place_of_a_file_that_is_there(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("a month of work", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        write_example(tmp_path)
    assert str(caught.value) == f"{tmp_path}: {name} is here already: choose another folder, or move it away"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text(encoding="utf-8") == "a month of work"
    mine.unlink()
    write_example(tmp_path)
    assert set(reading_of(tmp_path).estate.systems) == {"990102-XX-0001"}
