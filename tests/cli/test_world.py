"""The verbs that ask the world or the journal: what they say when nothing was done, half was done, nobody answers."""

from pathlib import Path

import pytest

from orchestrator.apply.outcome import Outcome
from orchestrator.cli.session import Session
from orchestrator.cli.world import tell
from orchestrator.intake.project import Project
from orchestrator.pipeline import survey
from orchestrator.plan.seal import load
from orchestrator.records.runs import Records
from tests.cli.calls import Onefold
from tests.cli.small import SYSTEM, replaced

STEP = f"retire.{SYSTEM}"
UNREACHABLE = "onefold: pc1 (127.0.0.1) cannot be reached by ssh: "
NOTHING = "onefold: nothing was applied in this project yet: run 'onefold apply PLAN' first"


def begun(office: Path, planned: Path) -> tuple[Records, str]:
    """A run of the plan as the journal knows it after its begin."""
    records = Records(office / ".onefold", "real")
    run = records.begin(load(planned), survey(Project.open(office)).estate, "sys-wu")
    return records, run.name


def test_exit_4_while_a_run_is_under_way_and_0_when_it_stands(onefold: Onefold, office: Path, planned: Path) -> None:
    records, run = begun(office, planned)
    before = onefold("-C", office, "status", "--steps")
    assert (before.code, before.out.splitlines()) == (
        4,
        [
            f"run {run}: partly applied; 0 of 1 steps done",
            f"{STEP}  not begun",
            f"  next step: {STEP}",
            "next: onefold resume, or onefold rollback",
        ],
    )
    records.journal.record(run, "intent", step=STEP)
    within = onefold("-C", office, "status")
    assert (within.code, within.out.splitlines()) == (
        4,
        [f"run {run}: under way; 0 of 1 steps done", f"  open: {STEP}", "next: onefold resume, or onefold rollback"],
    )
    records.journal.record(run, "done", step=STEP)
    unchecked = onefold("-C", office, "status", "--json")
    assert (unchecked.code, unchecked.json["state"]) == (4, "partly applied"), "no packet was sent after the last step"
    records.journal.record(run, "done")
    after = onefold("-C", office, "status", "--json")
    assert (after.code, after.json["schema"], after.json["state"], after.json["done"]) == (
        0,
        "onefold/status/1",
        "applied",
        [STEP],
    )


@pytest.mark.parametrize("verb", ["status", "resume", "rollback"])
def test_exit_1_when_nothing_was_ever_applied(verb: str, onefold: Onefold, office: Path) -> None:
    said = onefold("-C", office, verb)
    assert (said.code, said.out, said.error) == (1, "", NOTHING)


def test_a_run_that_does_not_exist_is_named(onefold: Onefold, office: Path, planned: Path) -> None:
    name = begun(office, planned)[1]
    said = onefold("-C", office, "status", "--run", "nope")
    assert (said.code, said.error) == (
        1,
        f"onefold: there is no readable run nope in {office}/.onefold: there are {name}",
    )


def test_exit_5_drift_in_a_world_that_does_not_answer(onefold: Onefold, office: Path) -> None:
    said = onefold("-C", office, "drift", "--detailed-exitcode", "--json")
    assert said.code == 5
    assert said.json["exit_code"] == 5
    assert said.error.startswith(UNREACHABLE)


def test_exit_5_doctor_names_each_part_that_is_missing(onefold: Onefold, office: Path) -> None:
    said = onefold("-C", office, "doctor", "--no-lab")
    assert said.code == 5
    assert any(line.startswith("  MISSING ssh: pc1 ") for line in said.out.splitlines())
    assert any(line.startswith("  ok      python: pulumi ") for line in said.out.splitlines())


def test_a_check_that_sends_nothing_is_no_success(onefold: Onefold, office: Path) -> None:
    said = onefold("-C", office, "check")
    what = "no packet was sent: nothing in the world 'real' sends probes, so nothing is known"
    move = "send them by hand, or rehearse on a lab with 'onefold lab up'"
    assert (said.code, said.out, said.error) == (1, "", f"onefold: {what}; {move}")


@pytest.mark.parametrize(("checks", "lines"), [(0, 2), (12, 1)])
def test_a_run_without_a_packet_says_so(checks: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(run="r", done=("s",), left=(), seconds=1, checks=checks)
    assert tell(Session(folder=".", as_json=False, yes=True), "apply/1", outcome) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == lines
    assert (
        said[1:]
        == ["  no real packet was compared with the prediction: send some by hand where nothing here can"][: lines - 1]
    )


@pytest.mark.parametrize("verb", ["validate", "census"])
def test_asking_a_cloud_that_nobody_named(verb: str, onefold: Onefold, office: Path) -> None:
    assert onefold("-C", office, verb).code == 0
    said = onefold("-C", office, verb, "--cloud")
    assert (said.code, said.out, said.error) == (
        1,
        "",
        "onefold: the access file names no clouds file: write a clouds.yaml and name it as clouds_file",
    )


def test_a_lab_that_is_not_up_is_said(onefold: Onefold, office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(office / "onefold.yaml", ("world: real", "world: lab"))
    monkeypatch.setenv("ONEFOLD_LAB", str(office / "lab"))
    said = onefold("-C", office, "check")
    assert (said.code, said.error) == (
        1,
        f"onefold: {office}/lab/access.json is missing: write it, or run 'onefold lab up' for a rehearsal",
    )
