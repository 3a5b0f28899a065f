"""Approvals: who may sign what, and every way in which a signature is not one."""

import base64
import string
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.errors import ApprovalError, InputError
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Administrator, Approvals, Numbering, Policy
from orchestrator.records import approvals

ROLES = {"li": "system_admin", "zhao": "security_admin", "sun": "audit_admin", "wang": "planner"}
KEYS = {name: Ed25519PrivateKey.generate() for name in ROLES}


def policy(**change: object) -> Policy:
    people = tuple(
        Administrator.model_validate({"name": name, "role": role, "public_key": approvals.public_text(KEYS[name])})
        for name, role in ROLES.items()
    )
    fields: dict[str, object] = {
        "version": "1",
        "t_zero": date(2017, 12, 1),
        "planned_from": date(2018, 1, 8),
        "extranet_pool": IPv4Network("198.18.0.0/15"),
        "zones": (),
        "numbering": Numbering(autonomous_system=65000),
        "approvals": Approvals(required=("system_admin", "security_admin", "audit_admin"), people=people),
    }
    return Policy.model_validate({**fields, **change})


def plan(author: str = "wang", project: str = "wangchao") -> Plan:
    return Plan(
        project=project,
        author=author,
        built_from="a",
        leads_to="b",
        policy_version="1",
        policy_digest="c",
        steps=(),
        waves=(),
    )


def signed(the_plan: Plan, the_policy: Policy, *names: str) -> tuple[approvals.Approval, ...]:
    return tuple(approvals.sign(the_plan, the_policy, name, KEYS[name]) for name in names)


def refusal(the_plan: Plan, the_policy: Policy, *given: approvals.Approval) -> str:
    with pytest.raises(ApprovalError) as caught:
        approvals.check(the_plan, the_policy, given)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_three_administrators_together_let_a_plan_pass() -> None:
    assert approvals.check(plan(), policy(), signed(plan(), policy(), "li", "zhao", "sun")) == ("li", "zhao", "sun")


def test_a_missing_role_is_named() -> None:
    assert refusal(plan(), policy(), *signed(plan(), policy(), "li", "sun")) == (
        f"plan {plan().hash[:12]} is not signed by security_admin: let them run 'onefold approve' on it"
    )


def test_a_forged_signature_is_refused() -> None:
    good = signed(plan(), policy(), "li", "zhao", "sun")
    forged = good[0].model_copy(update={"signature": good[1].signature})
    assert refusal(plan(), policy(), forged, *good[1:]) == (
        "the signature of li is forged or damaged: it does not fit the public key in the policy"
    )


def test_a_signature_for_another_plan_or_an_older_policy_is_stale() -> None:
    other = plan(project="elsewhere")
    assert refusal(plan(), policy(), *signed(other, policy(), "li")) == (
        f"the signature of li is for plan {other.hash[:12]}, this is {plan().hash[:12]}: sign anew"
    )
    assert refusal(plan(), policy(trial_days=31), *signed(plan(), policy(), "li")) == (
        "the signature of li is stale, the policy was changed since: prove and sign the plan anew"
    )


def test_a_foreign_person_is_refused() -> None:
    stranger = signed(plan(), policy(), "li")[0].model_copy(update={"person": "qian"})
    assert refusal(plan(), policy(), stranger) == (
        "qian is not among the people of policy 1: only those listed there may sign"
    )


def test_the_author_may_not_sign() -> None:
    with pytest.raises(ApprovalError, match="li made this plan and may not sign it"):
        approvals.sign(plan(author="li"), policy(), "li", KEYS["li"])


def test_one_key_in_two_roles_is_refused_whoever_signs() -> None:
    people = policy().approvals.people
    key = people[0].public_key
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    other = f"{key[:42]}{digits[digits.index(key[42]) ^ 1]}="  # two bits of the last letter mean nothing
    assert base64.b64decode(other) == base64.b64decode(key)
    for text in (key, other):
        _one_key_twice(text)


def _one_key_twice(text: str) -> None:
    people = policy().approvals.people
    double = people[1].model_copy(update={"public_key": text})
    doubled = policy(approvals=Approvals(required=("system_admin",), people=(people[0], double)))
    with pytest.raises(ApprovalError, match=r"li, zhao stands in two roles .*same public_key"):
        approvals.sign(plan(), doubled, "li", KEYS["li"])


def test_somebody_elses_key_does_not_sign() -> None:
    with pytest.raises(ApprovalError, match="the key is not li's"):
        approvals.sign(plan(), policy(), "li", KEYS["sun"])


def test_approvals_are_kept_beside_the_plan_one_a_person(tmp_path: Path) -> None:
    file = approvals.file_of(tmp_path / "night.plan")
    for one in (*signed(plan(), policy(), "li", "sun"), *signed(plan(), policy(), "li")):
        approvals.add(file, one)
    assert [one.person for one in approvals.load(file)] == ["li", "sun"]


def test_signatures_at_the_same_moment_all_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, load = approvals.file_of(tmp_path / "night.plan"), approvals.load

    def slow(path: Path) -> tuple[approvals.Approval, ...]:
        found = load(path)
        time.sleep(0.05)  # the others sign meanwhile
        return found

    monkeypatch.setattr(approvals, "load", slow)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: approvals.add(file, one), signed(plan(), policy(), "li", "zhao", "sun")))
    assert [one.person for one in load(file)] == ["li", "sun", "zhao"]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ["5", "{", "[{}]", "[" * 100_000, '[{"plan": "a", "plan": "b"}]'])
def test_a_file_that_holds_no_approvals_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "plan.approvals.json").write_text(text, encoding="utf-8")
    with pytest.raises(ApprovalError, match="is no list of approvals"):
        approvals.load(tmp_path / "plan.approvals.json")


def test_a_key_file_is_private_and_read_back(tmp_path: Path) -> None:
    public = approvals.make_key(tmp_path / "li.pem")
    assert (tmp_path / "li.pem").stat().st_mode & 0o777 == 0o600
    assert approvals.public_text(approvals.read_key(tmp_path / "li.pem")) == public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path, mode: int) -> None:
    """Whoever can read it can sign in this person's name; the positive twin is the key of mode 0600."""
    file = tmp_path / "li.pem"
    approvals.make_key(file)
    file.chmod(mode)
    with pytest.raises(InputError) as caught:
        approvals.read_key(file)
    assert str(caught.value) == (
        f"{file} can be read by others, who could sign with it: run 'chmod 600 {file}', "
        "and make a new key when somebody may have"
    )
    file.chmod(0o600)
    assert approvals.read_key(file)
