"""The whole program, top to bottom: each stage is a function from values to a value.

read ──▶ design ──▶ plan ──▶ prove ──▶ approve ──▶ apply ──▶ check
Only `read` looks at the world and only `apply` changes it; everything between is computed.
"""

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from unicodedata import category

from orchestrator.design import Design, design
from orchestrator.errors import InputError, RefusedError, StaleError
from orchestrator.intake.openstack_rows import CloudReading
from orchestrator.intake.project import Project
from orchestrator.intake.read import Reading, read
from orchestrator.model.lock import Lock
from orchestrator.model.plan import Plan
from orchestrator.plan import build
from orchestrator.plan.seal import load
from orchestrator.proof import ProvenPlan, Rechecked, Reordered, Verdict, prove, recheck, reordered, verify

Progress = Callable[[str], None]


UNWRITTEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Kinds of characters that are no part of a name (Unicode general categories): controls, halves of letters, lines."""


def silent(_: str) -> None:
    """Progress for nobody."""


def survey(project: Project, cloud: CloudReading | None = None) -> Reading:
    """What there is: workbook, cabling, device configurations (and the cloud, where read), joined with findings."""
    return read(project, cloud)


def designed(project: Project, reading: Reading) -> Design:
    """What it should become, with the reason of every decision."""
    return design(reading.estate, reading.policy, project.read_lock())


def planned(project: Project, reading: Reading, target: Design, author: str | None = None) -> Plan:
    """The way from now to the target."""
    who = author_of_this_call() if author is None else person(author)
    return build(reading.estate, target, reading.policy, project.name, who)


def ordered(reading: Reading, plan: Plan, progress: Progress = silent) -> Reordered:
    """The plan in an order that keeps every promise on the way, when its own does not and there is one; proved."""
    _same_origin(reading, plan)
    return reordered(reading.estate, plan, reading.policy, reading.unparsed, reading.facts, progress)


def verdict_of(reading: Reading, plan: Plan, progress: Progress = silent) -> Verdict:
    """Every reachable state of the plan held to every rule and every registered flow."""
    _same_origin(reading, plan)
    return verify(
        reading.estate, plan, reading.policy, unparsed=reading.unparsed, facts=reading.facts, progress=progress
    )


def audited(reading: Reading, plan: Plan, number: int, seed: int = 0, progress: Progress = silent) -> Rechecked:
    """Sampled states judged once more by a walker that shares nothing with the one that proved them."""
    _same_origin(reading, plan)
    return recheck(reading.estate, plan, reading.policy, number, reading.unparsed, seed, progress)


def proven(reading: Reading, plan: Plan, progress: Progress = silent) -> ProvenPlan:
    """The plan as something that may be applied. Raises RefusedError with the first failing promise."""
    _same_origin(reading, plan)
    return prove(
        reading.estate, plan, reading.policy, unparsed=reading.unparsed, facts=reading.facts, progress=progress
    )


def opened(path: Path) -> Plan:
    """A plan file, its seal checked. Raises SealError."""
    return load(path)


def author_of_this_call() -> str:
    """Who is answerable for what this call makes: ONEFOLD_AUTHOR, else the login name.

    Raises InputError when nobody can be named.
    """
    try:
        return person(os.environ.get("ONEFOLD_AUTHOR") or getpass.getuser())
    except (KeyError, OSError) as error:  # a container's user without a login name
        raise InputError("nobody is named who answers for this call: set ONEFOLD_AUTHOR to your name") from error


def person(name: str) -> str:
    """The name of somebody who answers for something. Raises InputError for one that cannot be read or written."""
    if not name.strip() or any(category(letter) in UNWRITTEN for letter in name):
        raise InputError(f"{name!a} is nobody's name: give the name of the person who answers for this")
    return name.strip()


def save_lock(project: Project, lock: Lock) -> None:
    """Write the allocations lock if it changed."""
    project.write_lock(lock)


def _same_origin(reading: Reading, plan: Plan) -> None:
    if plan.built_from != reading.estate.digest:
        raise StaleError(
            f"the plan is for estate {plan.built_from[:8]}…, the project folder now reads "
            f"{reading.estate.digest[:8]}…: run 'onefold plan' again"
        )
    if plan.policy_digest != reading.policy.digest:
        raise StaleError(
            f"the plan is for policy {plan.policy_version} ({plan.policy_digest[:8]}…), the folder holds "
            f"{reading.policy.version} ({reading.policy.digest[:8]}…): run 'onefold plan' again"
        )


__all__ = [
    "ProvenPlan",
    "RefusedError",
    "audited",
    "author_of_this_call",
    "designed",
    "opened",
    "ordered",
    "person",
    "planned",
    "proven",
    "save_lock",
    "survey",
    "verdict_of",
]
