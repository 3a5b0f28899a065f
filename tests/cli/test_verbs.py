"""The verbs one after the other on a small whole project: what they print, write and end with."""

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.seal import load
from tests.cli.calls import Onefold
from tests.cli.small import FLOW, SYSTEM, replaced, set_disposition
from tests.proof.test_replan import without_order

MENDING = "every answer it could change is unknown: remove the line, or extend the vendor's reader"
AGAIN = "run 'onefold plan' again, or fetch the file that was approved"


def test_a_new_project_is_valid_and_has_nothing_to_do(onefold: Onefold, tmp_path: Path) -> None:
    folder, plan = tmp_path / "new", tmp_path / "plan.json"
    said = onefold("init", folder)
    assert (said.code, said.out) == (0, f"{folder}: written; next: onefold -C {folder} validate\n")
    assert onefold("-C", folder, "validate", "--strict").out == (
        "example: readable; 0 fail, 0 unknown, 0 pass; 0 configuration lines not understood\n"
    )
    assert onefold("-C", folder, "plan", "--out", plan, "--detailed-exitcode").code == 0
    assert load(plan).steps == ()
    again = onefold("init", folder)
    assert (again.code, again.err) == (
        1,
        f"onefold: {folder}: a project is here already: choose another folder, or edit onefold.yaml\n",
    )


def test_planning_to_proving(onefold: Onefold, office: Path) -> None:
    plan = office / "plan.json"
    said = onefold("-C", office, "plan", "--out", plan, "--author", "plan-li")
    assert said.code == 0
    seal = load(plan).hash
    assert said.out.splitlines() == [
        "  wave 1  2018-01-08 (weeknight)    1 steps in 1 batches  基础 / foundation",
        f"1 steps in 1 waves; seal {seal}",
        f"written to {plan}; next: onefold -C {office} prove {plan}",
    ]
    shown = onefold("show", plan, "--edits")
    assert shown.code == 0
    assert shown.out.splitlines()[0] == f"plan {seal[:12]} for example by plan-li, policy 1"
    assert shown.out.splitlines()[-1] == f"      ~ workloads[{SYSTEM}/web@pc1]"
    proved = onefold("-C", office, "prove", plan)
    assert proved.code == 0
    assert proved.out.splitlines()[-2:] == [
        f"pass: 2 states (0 while routing settles), 96 packets judged; rests on 5 unverified facts; plan {seal[:12]}",
        f"next: onefold -C {office} approve {plan} --as NAME --key FILE",
    ]


@pytest.mark.parametrize("name", ["", "  ", "li\nwu", "li\x1b[2J", os.fsdecode(b"li\xff")])
def test_somebody_who_can_be_named_answers_for_what_is_done(
    onefold: Onefold, office: Path, planned: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name in another alphabet's bytes ended in a traceback, a blank one stood as the author of a plan."""
    refusal = f"onefold: {name!a} is nobody's name: give the name of the person who answers for this"
    out = office / "other.json"
    said = onefold("-C", office, "plan", "--out", out, "--author", name)
    assert (said.code, said.error, out.exists()) == (1, refusal, False)
    said = onefold("-C", office, "approve", planned, "--as", name, "--key", office / "keys" / "sec-an.pem")
    assert (said.code, said.error) == (1, refusal)
    assert not (office / ".onefold").exists()
    monkeypatch.setenv("ONEFOLD_AUTHOR", name)
    said = onefold("-C", office, "plan", "--out", out)
    assert (said.code, said.error) == ((1, refusal) if name else (0, ""))
    monkeypatch.setenv("ONEFOLD_AUTHOR", "计划\u3000李")
    assert onefold("-C", office, "plan", "--out", out).code == 0
    assert load(out).author == "计划\u3000李"


def test_a_login_without_a_name_is_asked_for_one(
    onefold: Onefold, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nobody)
    said = onefold("-C", office, "plan", "--out", office / "plan.json")
    assert (said.code, said.error) == (
        1,
        "onefold: nobody is named who answers for this call: set ONEFOLD_AUTHOR to your name",
    )


def test_an_audit_says_how_many_states_there_are(onefold: Onefold, office: Path, planned: Path) -> None:
    """Asked for more than there are, it takes them all, and says so."""
    for number, looked in ((1, 1), (50, 2)):
        said = onefold("-C", office, "prove", planned, "--audit", number)
        told = f"in {looked} of 2 states walked again by an independent walker, 0 differ"
        assert (said.code, told in said.out) == (0, True), said.out
    checked = onefold("-C", office, "prove", planned, "--audit", 50, "--json").json["audit"]
    assert (len(checked["states"]), checked["reachable"]) == (2, 2)


def test_show_of_one_wave_and_of_one_thing(onefold: Onefold, planned: Path) -> None:
    title = f"retire.{SYSTEM}"
    assert title in onefold("show", planned, "--wave", 1).out
    assert title in onefold("show", planned, "--limit", SYSTEM).out
    other = onefold("show", planned, "--limit", "fw1")
    assert (other.code, other.out.splitlines()[-1]) == (0, "no step touches fw1")
    none = onefold("show", planned, "--wave", 2)
    assert (none.code, none.out, none.error) == (1, "", f"onefold: {planned} has no wave 2: it has 1, counted from 1")


def test_census_and_design_say_what_there_is_and_why(onefold: Onefold, office: Path) -> None:
    census = onefold("-C", office, "census")
    assert census.code == 0
    assert f"{SYSTEM}  Example system  office        unknown  retire       pc1" in census.out.splitlines()
    design = onefold("-C", office, "design")
    assert design.code == 0
    assert any(line.startswith(f"{SYSTEM}") or SYSTEM in line for line in design.out.splitlines())
    assert onefold("-C", office, "design", "--detailed-exitcode").code == 2


def test_design_without_lock_writes_nothing(onefold: Onefold, office: Path) -> None:
    lock = office / "onefold.lock"
    assert onefold("-C", office, "design", "--no-lock").code == 0
    assert not lock.exists()
    assert onefold("-C", office, "design").code == 0
    assert json.loads(lock.read_text("utf-8")) == {}


def test_plans_of_the_same_inputs_are_the_same_bytes(onefold: Onefold, office: Path) -> None:
    for name in ("one.json", "two.json"):
        assert onefold("-C", office, "plan", "--out", office / name, "--author", "plan-li").code == 0
    assert (office / "one.json").read_bytes() == (office / "two.json").read_bytes()


def test_report_writes_one_file_and_says_the_verdict(onefold: Onefold, office: Path) -> None:
    out = office / "report.html"
    said = onefold("-C", office, "report", "--out", out)
    assert (said.code, said.out) == (0, f"{out}: 1 steps, 2 states, verdict pass\n")
    assert out.read_text("utf-8").startswith("<!doctype html>")


def test_keys_are_made_once_and_for_their_owner_alone(onefold: Onefold, tmp_path: Path) -> None:
    key = tmp_path / "security.key"
    said = onefold("--json", "keys", "--out", key)
    assert said.code == 0
    assert said.json == {"schema": "onefold/keys/1", "file": str(key), "public_key": said.json["public_key"]}
    assert key.stat().st_mode & 0o777 == 0o600
    again = onefold("keys", "--out", key)
    assert again.code == 1
    assert again.err == f"onefold: {key} exists already: name another file, a key is never overwritten\n"


# --- exit codes -------------------------------------------------------------------------------------------------------


def test_exit_1_no_project(onefold: Onefold, tmp_path: Path) -> None:
    said = onefold("-C", tmp_path, "validate")
    assert (said.code, said.out, said.err) == (
        1,
        "",
        f"onefold: {tmp_path}: no onefold.yaml here: use -C DIR, or make a project with 'onefold init {tmp_path}'\n",
    )


def test_exit_1_a_place_that_cannot_be_written(onefold: Onefold, office: Path) -> None:
    out = office / "nowhere" / "report.html"
    said = onefold("-C", office, "report", "--out", out)
    assert (said.code, said.error) == (
        1,
        f"onefold: {out}: No such file or directory: name another place, give access or make room",
    )


def test_exit_1_nothing_was_applied_yet(onefold: Onefold, office: Path) -> None:
    said = onefold("-C", office, "status")
    assert (said.code, said.out, said.err) == (
        1,
        "",
        "onefold: nothing was applied in this project yet: run 'onefold apply PLAN' first\n",
    )


def test_exit_2_only_when_asked_for_and_something_changes(onefold: Onefold, office: Path) -> None:
    words = ("-C", office, "plan", "--out", office / "plan.json")
    assert onefold(*words).code == 0
    assert onefold(*words, "--detailed-exitcode").code == 2
    set_disposition(office, "保留")
    assert onefold(*words, "--detailed-exitcode").code == 0


def test_exit_3_a_plan_that_breaks_a_registered_flow(onefold: Onefold, office: Path) -> None:
    replaced(office / "policy.yaml", ("flows: []", FLOW))
    plan = office / "plan.json"
    planned = onefold("-C", office, "plan", "--out", plan)
    said = onefold("-C", office, "prove", plan)
    assert said.code == 3
    assert said.out.splitlines()[0] == (
        f"  fail    F-1: no workload {SYSTEM}/web is running, in 1 of 2 states, first: after batch 1; change the order "
        "of the steps, or declare the outage in the step that causes it"
    )
    assert planned.code == 3  # no order mends what is broken at the end: planning tells it too
    assert said.out.splitlines()[0] in planned.out.splitlines()
    assert "nobody can apply it: the proof says fail: " in planned.out
    again = onefold("-C", office, "plan", "--out", plan, "--json")
    assert (again.code, again.json["proof"]) == (3, "fail")
    assert [row["subject"] for row in again.json["findings"] if row["result"] == "fail"] == ["F-1"]
    assert said.out.splitlines()[-1].startswith("fail: 2 states (0 while routing settles), ")


def test_rules_out_of_force_and_flows_held_nowhere_are_told_beside_a_pass(onefold: Onefold, office: Path) -> None:
    ended = FLOW.replace("port: 8080", "port: 8080, expires: 2017-01-01")
    replaced(office / "policy.yaml", ("flows: []", f"rules: [R1, R3, R4]\n{ended}"))
    plan = office / "plan.json"
    assert onefold("-C", office, "plan", "--out", plan).code == 0
    said = onefold("-C", office, "prove", plan)
    assert said.code == 0
    out = [line for line in said.out.splitlines() if line.startswith("not covered: ")]
    assert out[0].startswith("not covered: the policy puts R2, R5, R6, ")
    assert "R4" not in out[0]
    assert out[1:] == ["not covered: F-1 was held in no state: it ended on 2017-01-01"]
    assert onefold("-C", office, "prove", plan, "--json").json["verdict"]["proof"]["limits"] == [
        line.removeprefix("not covered: ") for line in out
    ]


def test_a_port_behind_which_nobody_is_known_is_told_beside_a_pass(
    onefold: Onefold, office: Path, planned: Path
) -> None:
    assert "not covered" not in onefold("-C", office, "prove", planned).out
    port = "interface lan7\n ip address 10.50.0.1/24\nexit\n!\n"
    replaced(office / "configs/r1/frr.conf", ("interface lan0\n", f"{port}interface lan0\n"))
    assert onefold("-C", office, "plan", "--out", planned).code == 0
    said = onefold("-C", office, "prove", planned)
    behind = "nobody is known behind r1:lan7 (10.50.0.0/24)"
    out = [line for line in said.out.splitlines() if line.startswith("not covered: ")]
    assert (said.code, out) == (0, [f"not covered: {behind}: who reaches it, and whom it reaches, was not asked"])


def test_a_report_that_does_not_fit_leaves_the_old_one(onefold: Onefold, office: Path) -> None:
    out = office / "report.html"
    assert onefold("-C", office, "report", "--out", out).code == 0
    old, files = out.read_bytes(), sorted(office.iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2, before[1]))  # as a disk that is full
    try:
        said = onefold("-C", office, "report", "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (said.code, said.error) == (
        1,
        f"onefold: {out}: File too large: name another place, give access or make room",
    )
    assert (out.read_bytes(), sorted(office.iterdir())) == (old, files)


def test_a_report_goes_into_a_pipe_or_over_a_link(onefold: Onefold, office: Path) -> None:
    place, link = office / "place.html", office / "link.html"
    link.symlink_to(place)
    assert onefold("-C", office, "report", "--out", link).code == 0
    assert (link.is_symlink(), place.is_symlink()) == (True, False)
    assert place.read_text("utf-8").rstrip().endswith("</html>")
    assert onefold("-C", office, "report", "--out", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_exit_3_a_report_of_a_plan_that_fails_is_written_all_the_same(onefold: Onefold, office: Path) -> None:
    replaced(office / "policy.yaml", ("flows: []", FLOW))
    out = office / "report.html"
    said = onefold("-C", office, "report", "--out", out)
    assert (said.code, said.out) == (3, f"{out}: 1 steps, 2 states, verdict fail\n")
    assert f"no workload {SYSTEM}/web is running" in out.read_text("utf-8")


def test_exit_3_a_changed_byte(onefold: Onefold, office: Path, planned: Path) -> None:
    assert onefold("show", planned).code == 0
    replaced(planned, ("plan-li", "plan-lo"))
    for words in (("show",), ("-C", office, "prove"), ("-C", office, "apply")):
        said = onefold(*words, planned)
        assert (said.code, said.out, said.error) == (
            3,
            "",
            f"onefold: {planned}: the seal does not fit, the file was changed after it was written: {AGAIN}",
        )


def test_exit_3_a_policy_or_an_estate_that_moved_on(onefold: Onefold, office: Path, planned: Path) -> None:
    replaced(office / "policy.yaml", ('version: "1"', 'version: "2"'))
    said = onefold("-C", office, "prove", planned)
    assert said.code == 3
    assert said.error.startswith("onefold: the plan is for policy 1 (")
    assert said.error.endswith("): run 'onefold plan' again")
    assert ", the folder holds 2 (" in said.error
    replaced(office / "policy.yaml", ('version: "2"', 'version: "1"'))
    assert onefold("-C", office, "prove", planned).code == 0
    set_disposition(office, "保留")
    said = onefold("-C", office, "prove", planned)
    assert said.code == 3
    assert said.error.startswith(f"onefold: the plan is for estate {load(planned).built_from[:8]}…, the project folder")


def test_exit_3_strict_validation_with_open_ends(onefold: Onefold, office: Path) -> None:
    assert onefold("-C", office, "validate", "--strict").code == 0
    replaced(office / "configs/r1/frr.conf", ("interface lan0\n", "interface lan0\n surprise me\n"))
    assert onefold("-C", office, "validate").code == 0
    said = onefold("-C", office, "validate", "--strict")
    assert said.code == 3
    assert said.out.splitlines() == [
        f"  unknown configurations: configs/r1/frr.conf:12: not understood: 'surprise me'; {MENDING}",
        "example: readable; 0 fail, 1 unknown, 0 pass; 1 configuration lines not understood",
    ]
    assert onefold("-C", office, "validate", "--json").json["unparsed"] == [
        {"device": "r1", "file": "frr.conf", "line": 12, "text": "surprise me"}
    ]


# --- settings: flags > environment > project file ---------------------------------------------------------------------


def test_the_flag_beats_the_environment(
    onefold: Onefold, office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = office / "plan.json"
    monkeypatch.setenv("ONEFOLD_PROJECT", str(office))
    monkeypatch.setenv("ONEFOLD_AUTHOR", "plan-li")
    assert onefold("plan", "--out", plan).code == 0
    assert load(plan).author == "plan-li"
    assert onefold("plan", "--out", plan, "--author", "sys-wu").code == 0
    assert load(plan).author == "sys-wu"
    assert onefold("-C", tmp_path / "none", "plan", "--out", plan).code == 1


def test_the_environment_beats_the_project(
    onefold: Onefold, office: Path, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("-C", office, "approve", planned, "--as", "sys-wu", "--key", office / "keys/sys-wu.pem")
    assert onefold(*words).code == 0
    assert (office / ".onefold/audit.jsonl").exists()
    monkeypatch.setenv("ONEFOLD_STATE", str(tmp_path / "elsewhere"))
    assert onefold(*words).code == 0
    assert len((tmp_path / "elsewhere/audit.jsonl").read_text().splitlines()) == 1
    assert len((office / ".onefold/audit.jsonl").read_text().splitlines()) == 1


def test_the_environment_asks_for_json(onefold: Onefold, office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEFOLD_JSON", "1")
    assert onefold("-C", office, "validate").json["schema"] == "onefold/validate/1"


def test_a_plan_without_a_safe_order_says_so_and_ends_with_3(
    onefold: Onefold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The district's registers as they are, with two steps that cut F-010 whichever is first; its twin ends with 0."""
    from orchestrator.cli import plan as verb

    folder = Path(__file__).parents[2] / "network_models" / "wangchao"

    def impossible(project: Any, reading: Any, *_: Any) -> Any:
        told = {"policy_version": reading.policy.version, "policy_digest": reading.policy.digest}
        return without_order().model_copy(update=told)

    monkeypatch.setattr(verb, "planned", impossible)
    monkeypatch.setattr(verb, "save_lock", lambda *_: None)
    said = onefold("-C", folder, "plan", "--out", tmp_path / "plan.json")
    assert said.code == 3
    assert "exclude" in said.out
    assert "nobody can apply it" in said.out
