"""Approvals: Ed25519 signatures of the three administrators (三员) over the seal of a plan and of its policy.

The policy says who exists, with which role and public key, and which roles must sign. An approval belongs to one
plan hash and one policy digest; a changed byte in either makes it stale.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from orchestrator.errors import ApprovalError, InputError
from orchestrator.model.base import Noun, canonical, parsed
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Administrator, Policy
from orchestrator.records.disk import alone_in, write_whole


class Approval(Noun):
    """One person's signature. `signature` is base64 over the canonical JSON of the other fields."""

    plan: str  # plan hash
    policy: str  # policy digest
    person: str
    role: str
    at: datetime
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        return canonical(self.model_copy(update={"signature": ""}).plain()).encode()


def make_key(path: Path) -> str:
    """Write a new private key (PEM, 0600) and return its public key in base64. Raises InputError if the file exists."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise InputError(f"{path} exists already: name another file, a key is never overwritten") from error
    path.write_bytes(text)
    return public_text(key)


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file that only its owner may read. Raises InputError."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(
                f"{path} can be read by others, who could sign with it: run 'chmod 600 {path}', "
                "and make a new key when somebody may have"
            )
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} holds no readable private key ({error}): make one with 'onefold keys --out FILE'"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} holds no Ed25519 key: make one with 'onefold keys --out FILE'")
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half in base64, as the policy holds it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def sign(plan: Plan, policy: Policy, person: str, key: Ed25519PrivateKey, at: datetime | None = None) -> Approval:
    """This person's approval of this plan. Raises ApprovalError when the policy does not let them sign it."""
    administrator = _administrator(policy, person)
    _check_person(plan, policy, administrator)
    if public_text(key) != administrator.public_key:
        raise ApprovalError(f"the key is not {person}'s: the policy lists another public key, use the right file")
    approval = Approval(
        plan=plan.hash, policy=policy.digest, person=person, role=administrator.role, at=at or datetime.now(UTC)
    )
    return approval.model_copy(update={"signature": base64.b64encode(key.sign(approval.message())).decode()})


def check(plan: Plan, policy: Policy, approvals: Sequence[Approval]) -> tuple[str, ...]:
    """Names of the people whose signatures let this plan be applied.

    Raises ApprovalError when a required role has not signed, no role is required, or any signature is forged, stale,
    foreign, by the author, or one person's under two roles.
    """
    _check_people(policy)
    if not policy.approvals.required:
        raise ApprovalError(
            f"policy {policy.version} asks nobody to sign: name the roles under approvals.required in policy.yaml"
        )
    for approval in approvals:
        _check_approval(plan, policy, approval)
    missing = [role for role in policy.approvals.required if role not in {approval.role for approval in approvals}]
    if missing:
        raise ApprovalError(
            f"plan {plan.hash[:12]} is not signed by {', '.join(missing)}: let them run 'onefold approve' on it"
        )
    return tuple(approval.person for approval in approvals)


def _check_approval(plan: Plan, policy: Policy, approval: Approval) -> None:
    administrator = _administrator(policy, approval.person)
    _check_person(plan, policy, administrator)
    if approval.role != administrator.role:
        raise ApprovalError(
            f"{approval.person} signed as {approval.role} but is {administrator.role}: ask the right person to sign"
        )
    if approval.plan != plan.hash:
        raise ApprovalError(
            f"the signature of {approval.person} is for plan {approval.plan[:12]}, this is {plan.hash[:12]}: sign anew"
        )
    if approval.policy != policy.digest:
        raise ApprovalError(
            f"the signature of {approval.person} is stale, the policy was changed since: prove and sign the plan anew"
        )
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(administrator.public_key, validate=True))
        public.verify(base64.b64decode(approval.signature, validate=True), approval.message())
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise ApprovalError(
            f"the signature of {approval.person} is forged or damaged: it does not fit the public key in the policy"
        ) from error


def _administrator(policy: Policy, person: str) -> Administrator:
    for administrator in policy.approvals.people:
        if administrator.name == person:
            return administrator
    raise ApprovalError(
        f"{person} is not among the people of policy {policy.version}: only those listed there may sign"
    )


def _check_person(plan: Plan, policy: Policy, administrator: Administrator) -> None:
    _check_people(policy)
    if administrator.name == plan.author:
        raise ApprovalError(f"{plan.author} made this plan and may not sign it: another {administrator.role} must")
    if administrator.role not in policy.approvals.required:
        raise ApprovalError(
            f"{administrator.name} is {administrator.role}, whose signature the policy does not ask for"
        )


def _check_people(policy: Policy) -> None:
    """No person and no key stands in two roles."""
    people = policy.approvals.people
    # the key itself: its text can be written in four ways
    for what, values in (
        ("name", [one.name for one in people]),
        ("public_key", [one.key or one.public_key for one in people]),
    ):
        counted = Counter(values)
        holders = sorted({one.name for one, value in zip(people, values, strict=True) if counted[value] > 1})
        if holders:
            raise ApprovalError(
                f"{', '.join(holders)} stands in two roles of policy {policy.version} (same {what}): "
                "one person, one role, one key"
            )


def load(path: Path) -> tuple[Approval, ...]:
    """The approvals in a file; none when there is no file. Raises ApprovalError when it cannot be read."""
    if not path.exists():
        return ()
    try:
        return tuple(Approval.model_validate(row) for row in parsed(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, ValidationError) as error:  # TypeError: not even a list
        raise ApprovalError(f"{path} is no list of approvals: remove it and let everybody sign anew") from error


def add(path: Path, approval: Approval) -> tuple[Approval, ...]:
    """Write an approval beside those already in the file; a person's newer one takes the place of the older.

    Two who sign at the same moment are both in it. Raises ApprovalError as `load`, OSError.
    """
    with alone_in(path.parent):
        kept = [other for other in load(path) if other.person != approval.person] + [approval]
        rows = [row.plain() for row in sorted(kept, key=lambda row: row.person)]
        write_whole(path, canonical(rows) + "\n")
    return tuple(kept)


def file_of(plan_file: Path) -> Path:
    """Where the approvals of a plan file are kept: beside it."""
    return plan_file.with_name(plan_file.stem + ".approvals.json")
