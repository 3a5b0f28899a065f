"""With --json, wherever it stands, a call prints exactly one JSON object with a versioned schema; also in failure."""

import re
from pathlib import Path

import pytest

from tests.cli.calls import Onefold
from tests.cli.small import key_of, replaced

READING = [
    ("validate",),
    ("census",),
    ("design", "--no-lock"),
    ("plan", "--out", "PLAN"),
    ("show", "PLAN"),
    ("prove", "PLAN"),
    ("report", "PLAN", "--out", "REPORT"),
    ("doctor", "--no-lab"),
]


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_object_with_a_schema(
    words: tuple[str, ...], place: str, onefold: Onefold, office: Path, planned: Path
) -> None:
    names = {"PLAN": str(planned), "REPORT": str(office / "report.html")}
    call = ["-C", str(office), *(names.get(word, word) for word in words)]
    said = onefold("--json", *call) if place == "first" else onefold(*call, "--json")
    assert said.json["schema"] == f"onefold/{words[0]}/1"
    assert len(said.json) > 1
    assert said.error == "", "only progress is said beside the object"


def test_quiet_calls_say_nothing_beside_the_object(onefold: Onefold, office: Path) -> None:
    call = ("-C", office, "validate", "--json")
    assert onefold(*call).err != ""
    said = onefold(*call, "--quiet")
    assert (said.json["schema"], said.err) == ("onefold/validate/1", "")


def test_approve_tells_who_is_missing(onefold: Onefold, office: Path, planned: Path) -> None:
    key = key_of(office, "sec-an")
    answer = onefold("-C", office, "approve", planned, "--as", "sec-an", "--key", key, "--json").json
    assert answer == {
        "schema": "onefold/approve/1",
        "seal": answer["seal"],
        "person": "sec-an",
        "role": "security_admin",
        "missing": ["system_admin", "audit_admin"],
    }
    assert re.fullmatch(r"[0-9a-f]{64}", answer["seal"])


def test_the_proof_tells_its_verdict(onefold: Onefold, office: Path, planned: Path) -> None:
    verdict = onefold("-C", office, "prove", planned, "--json").json["verdict"]
    assert (verdict["result"], verdict["states"], verdict["packets"]) == ("pass", 2, 96)


def test_the_steps_that_were_asked_for_are_named(onefold: Onefold, planned: Path) -> None:
    answer = onefold("show", planned, "--wave", 1, "--limit", "pc1", "--json").json
    assert answer["shown"] == [step["name"] for step in answer["plan"]["steps"]] == ["retire.990102-XX-0001"]
    assert onefold("show", planned, "--limit", "pc2", "--json").json["shown"] == []


def test_an_error_is_one_object_too(onefold: Onefold, tmp_path: Path) -> None:
    said = onefold("-C", tmp_path, "validate", "--json")
    message = f"{tmp_path}: no onefold.yaml here: use -C DIR, or make a project with 'onefold init {tmp_path}'"
    assert said.json == {"schema": "onefold/error/1", "error": message, "exit_code": 1, "findings": []}
    assert (said.code, said.err) == (1, f"onefold: {message}\n")
    slip = onefold("plan", "--json")
    assert slip.json == {
        "schema": "onefold/error/1",
        "error": "Missing option '--out': see 'onefold plan --help'",
        "exit_code": 1,
        "findings": [],
    }


def test_faults_of_a_file_come_one_by_one(onefold: Onefold, office: Path) -> None:
    replaced(office / "policy.yaml", ("t_zero: 2017-12-01", "t_zero: 2017-13-01"), ("flows: []", "flow: []"))
    said = onefold("-C", office, "validate", "--json")
    assert said.code == 1
    places = [(f["where"]["source"], f["where"]["line"], f["result"], f["fix"]) for f in said.json["findings"]]
    assert places == [
        ("policy.yaml", 3, "fail", "correct the value"),
        ("policy.yaml", 9, "fail", "remove it or correct its spelling"),
    ]
    assert len(said.error.splitlines()) == 2


def test_faults_of_the_workbook_name_sheet_and_cell(onefold: Onefold, office: Path) -> None:
    from openpyxl import load_workbook

    book = load_workbook(office / "census.xlsx")
    book["F1"]["D2"] = "maybe"
    book.save(office / "census.xlsx")
    said = onefold("-C", office, "census", "--json")
    assert said.code == 1
    assert [(f["where"]["sheet"], f["where"]["cell"]) for f in said.json["findings"]] == [("F1", "D2")]
    assert said.error.startswith("onefold: census.xlsx, sheet F1, cell D2: ")
