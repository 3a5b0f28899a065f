"""Who may sign, what a signature is worth, and that nothing is applied without all of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.seal import load
from orchestrator.records.audit import Audit
from tests.cli.calls import Onefold, Said
from tests.cli.small import FLOW, PEOPLE, key_of, replaced

SIGNERS = [name for name, role in PEOPLE.items() if role != "planner"]


@pytest.fixture
def sign(onefold: Onefold, office: Path, planned: Path) -> Any:
    def signed(person: str, key: str = "") -> Said:
        return onefold("-C", office, "approve", planned, "--as", person, "--key", key_of(office, key or person))

    return signed


def entries(office: Path) -> list[tuple[str, str, str]]:
    audit = Audit(office / ".onefold/audit.jsonl")
    audit.verify()
    return [(entry.who, entry.what, entry.result) for entry in audit.entries()]


def test_three_roles_sign_one_after_the_other(sign: Any, office: Path, planned: Path) -> None:
    seal = load(planned).hash[:12]
    first = sign("sys-wu")
    assert first.code == 0
    assert first.out.splitlines() == [
        f"sys-wu (system_admin) signed plan {seal}: 2 states proved",
        "still to sign: security_admin, audit_admin",
    ]
    assert sign("sec-an").out.splitlines()[-1] == "still to sign: audit_admin"
    assert sign("aud-he").out.splitlines()[-1] == f"complete; next: onefold -C {office} apply {planned}"
    assert entries(office) == [(name, "approve", "done") for name in SIGNERS]


REFUSED = {
    "a stranger": (
        "mallory",
        "sys-wu",
        "mallory is not among the people of policy 1: only those listed there may sign",
    ),
    "another's key": (
        "sys-wu",
        "sec-an",
        "the key is not sys-wu's: the policy lists another public key, use the right file",
    ),
    "the author": ("plan-li", "plan-li", "plan-li made this plan and may not sign it: another planner must"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_wrong_person_or_key_is_refused_and_written_down(case: str, sign: Any, office: Path, planned: Path) -> None:
    person, key, message = REFUSED[case]
    said = sign(person, key)
    assert (said.code, said.out, said.error) == (3, "", f"onefold: {message}")
    assert not (office / "plan.approvals.json").exists()
    assert entries(office) == [(person, "approve", "refused")]
    assert sign("sys-wu").code == 0, "the right person with the right key may"


def test_a_role_that_nobody_asks_for_does_not_sign(onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    assert onefold("-C", office, "plan", "--out", planned, "--author", "somebody-else").code == 0
    said = sign("plan-li")
    assert (said.code, said.error) == (3, "onefold: plan-li is planner, whose signature the policy does not ask for")


def test_an_administrator_who_made_the_plan_does_not_sign_it(
    onefold: Onefold, sign: Any, office: Path, planned: Path
) -> None:
    assert onefold("-C", office, "plan", "--out", planned, "--author", "sys-wu").code == 0
    said = sign("sys-wu")
    assert (said.code, said.error) == (
        3,
        "onefold: sys-wu made this plan and may not sign it: another system_admin must",
    )
    assert sign("sec-an").code == 0


def test_one_person_or_one_key_in_two_roles_stops_everybody(
    onefold: Onefold, sign: Any, office: Path, planned: Path
) -> None:
    policy = office / "policy.yaml"
    keys = re.findall(r'public_key: "([^"]+)"', policy.read_text("utf-8"))
    for change, fault in (
        ((keys[3], keys[2]), "'aud-he' has the key of 'sec-an'; let each person make a key of their own"),
        (
            ("name: aud-he", "name: sec-an"),
            "'sec-an' is both security_admin and audit_admin; give one of the roles to another person",
        ),
    ):
        whole = policy.read_text("utf-8")
        replaced(policy, change)
        said = sign("sys-wu")
        assert (said.code, said.out, said.error) == (1, "", f"onefold: policy.yaml:25: {fault}")
        policy.write_text(whole, "utf-8")
    assert sign("sys-wu").code == 0


def test_a_plan_that_is_not_proved_cannot_be_signed(onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    replaced(office / "policy.yaml", ("flows: []", FLOW))
    assert onefold("-C", office, "plan", "--out", planned, "--author", "plan-li").code == 3
    said = sign("sys-wu")
    assert said.code == 3
    assert said.error.startswith("onefold: the proof says fail: F-1 fail: ")
    assert said.error.endswith(": run 'onefold prove' to see all")
    assert entries(office) == [("sys-wu", "approve", "refused")]


def test_no_key_file_is_said_with_the_next_move(sign: Any, office: Path) -> None:
    key_of(office, "sys-wu").write_text("no key")
    said = sign("sys-wu")
    assert said.code == 1
    assert said.error.startswith(f"onefold: {key_of(office, 'sys-wu')} holds no readable private key (")
    assert said.error.endswith("): make one with 'onefold keys --out FILE'")


# --- apply ------------------------------------------------------------------------------------------------------------


def apply(onefold: Onefold, office: Path, planned: Path, *more: str) -> Said:
    return onefold("-C", office, "apply", planned, *more)


def test_exit_3_without_signatures_and_the_attempt_is_written_down(
    onefold: Onefold, sign: Any, office: Path, planned: Path
) -> None:
    assert sign("sys-wu").code == 0
    said = apply(onefold, office, planned, "--yes")
    message = (
        f"plan {load(planned).hash[:12]} is not signed by security_admin, audit_admin: "
        "let them run 'onefold approve' on it"
    )
    assert (said.code, said.out, said.error) == (3, "", f"onefold: {message}")
    last = Audit(office / ".onefold/audit.jsonl").entries()[-1]
    assert (last.what, last.result, last.subject) == ("apply", "refused", load(planned).hash)
    assert last.detail == {"error": message}


def damaged(row: dict[str, Any]) -> None:
    row["signature"] = row["signature"][:-4] + ("AAA=" if not row["signature"].endswith("AAA=") else "BBB=")


def promoted(row: dict[str, Any]) -> None:
    row["role"] = "audit_admin"


def elsewhere(row: dict[str, Any]) -> None:
    row["plan"] = "0" * 64


FORGED = {
    "a damaged signature": (
        damaged,
        "the signature of aud-he is forged or damaged: it does not fit the public key in the policy",
    ),
    "another plan's": (elsewhere, "the signature of aud-he is for plan 000000000000, this is {seal}: sign anew"),
}


@pytest.mark.parametrize("case", FORGED)
def test_exit_3_a_forged_signature(case: str, onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    for name in SIGNERS:
        assert sign(name).code == 0
    forge, message = FORGED[case]
    path = office / "plan.approvals.json"
    rows = json.loads(path.read_text("utf-8"))
    forge(next(row for row in rows if row["person"] == "aud-he"))
    path.write_text(json.dumps(rows), "utf-8")
    said = apply(onefold, office, planned, "--yes")
    assert (said.code, said.error) == (3, "onefold: " + message.format(seal=load(planned).hash[:12]))
    assert entries(office)[-1][1:] == ("apply", "refused")


def test_exit_3_a_role_nobody_gave(onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    assert sign("sys-wu").code == 0
    path = office / "plan.approvals.json"
    rows = json.loads(path.read_text("utf-8"))
    promoted(rows[0])
    path.write_text(json.dumps(rows), "utf-8")
    said = apply(onefold, office, planned, "--yes")
    assert (said.code, said.error) == (
        3,
        "onefold: sys-wu signed as audit_admin but is system_admin: ask the right person to sign",
    )


def test_exit_3_signatures_of_yesterday_s_policy(onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    for name in SIGNERS:
        assert sign(name).code == 0
    replaced(office / "policy.yaml", ('version: "1"', 'version: "2"'))
    said = apply(onefold, office, planned, "--yes")
    assert said.code == 3
    assert said.error.startswith("onefold: the plan is for policy 1 (")
    # planned anew the file has another seal: the old signatures are no longer for it
    assert onefold("-C", office, "plan", "--out", planned, "--author", "plan-li").code == 0
    said = apply(onefold, office, planned, "--yes")
    assert said.code == 3
    assert said.error.endswith(f", this is {load(planned).hash[:12]}: sign anew")


def test_exit_5_a_world_that_does_not_answer(onefold: Onefold, sign: Any, office: Path, planned: Path) -> None:
    for name in SIGNERS:
        assert sign(name).code == 0
    said = apply(onefold, office, planned, "--yes")
    assert said.code == 5
    assert said.error.startswith("onefold: pc1 (127.0.0.1) cannot be reached by ssh: ")
    assert said.error.endswith("; check the path to it and its host key")
    assert [result for _, what, result in entries(office) if what == "apply"] == ["begun", "failed"]
    status = onefold("-C", office, "status")
    assert status.code == 1, "nothing was begun in a world that could not be read"


def test_nobody_to_ask_is_an_error_never_a_yes(
    onefold: Onefold, sign: Any, office: Path, planned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SIGNERS:
        assert sign(name).code == 0
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        said = apply(onefold, office, planned)
    question = f"Apply 1 steps of plan {load(planned).hash[:12]} to real?"
    assert (said.code, said.error) == (
        1,
        f"onefold: {question} Nobody is there to answer: run it with --yes",
    )


def test_a_rehearsal_is_for_a_lab(onefold: Onefold, office: Path, planned: Path) -> None:
    said = apply(onefold, office, planned, "--rehearsal", "--yes")
    assert (said.code, said.error) == (
        1,
        "onefold: --rehearsal is for a lab: this project's world is not one, leave the option out",
    )


def test_an_access_file_that_others_can_read_is_refused(onefold: Onefold, office: Path, planned: Path) -> None:
    access = office / "access.json"
    access.chmod(0o644)
    said = apply(onefold, office, planned, "--yes")
    assert (said.code, said.error) == (
        1,
        f"onefold: {access} can be read by others: run 'chmod 600 {access}'",
    )
    access.unlink()
    said = apply(onefold, office, planned, "--yes")
    assert (said.code, said.error) == (
        1,
        f"onefold: {access} is missing: write it, or run 'onefold lab up' for a rehearsal",
    )
