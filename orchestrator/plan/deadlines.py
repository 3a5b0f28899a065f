"""Deadlines: month offsets from T0 held against the nights of a plan; a task that ends later is a finding."""

from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from math import ceil
from typing import Final, NamedTuple

from orchestrator.errors import PlanError
from orchestrator.model.finding import Finding, Result
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Deadline, Policy


class Task(NamedTuple):
    """Steps that end a task of the policy: how they are called, what they are for, what share of them is due."""

    prefix: str
    disposition: str = ""
    share: float = 1.0


TASKS: Final[dict[str, Task]] = {
    "zombie_retired": Task("retire.", "zombie"),
    "mail_unified": Task("retire.", "replace"),
    "mail_retired": Task("retire.", "replace"),
    "egress_consolidated": Task("consolidate."),
    "private_network_folded": Task("fold."),
    "cloud_migration_70_percent": Task("cutover.", share=0.7),
    "cloud_migration": Task("cutover."),
}
PAPERS: Final = frozenset({"census", "zombie_list", "private_network_plan", "egress_plan"})
"""Tasks that end with a document: no step of a plan is about them."""


def late(plan: Plan, policy: Policy) -> tuple[Finding, ...]:
    """Findings for every deadline: pass, fail with the steps that are late, unknown for a task that nobody knows.

    Raises PlanError for a deadline that no calendar has.
    """
    return tuple(finding for deadline in policy.deadlines for finding in _judged(plan, policy, deadline))


def last_day(policy: Policy, months: int) -> date:
    """The first day after the last month of a deadline. Raises PlanError when no calendar has it."""
    index = policy.t_zero.year * 12 + policy.t_zero.month - 1 + months + 1
    if not MINYEAR <= index // 12 <= MAXYEAR:
        raise PlanError(f"policy.yaml: no calendar has the deadline {months} months from t_zero: correct its months")
    return date(index // 12, index % 12 + 1, 1)


def _judged(plan: Plan, policy: Policy, deadline: Deadline) -> Iterator[Finding]:
    end = last_day(policy, deadline.months)
    if deadline.task in PAPERS:
        return
    if deadline.task not in TASKS:
        known = ", ".join(sorted((*TASKS, *PAPERS)))
        what = f"nobody knows which steps end {deadline.task}, so whether it ends before {end}"
        yield _finding(deadline, "unknown", what, f"write one of {known} in policy.yaml, or watch over it yourself")
        return
    task = TASKS[deadline.task]
    night_of = {name: wave.night for wave in plan.waves for batch in wave.batches for name in batch}
    nights = sorted(
        (night_of[step.name], step.name)
        for step in plan.steps
        if step.name.startswith(task.prefix) and task.disposition in step.title
    )
    due = nights[: ceil(task.share * len(nights))]
    for night, name in (one for one in due if one[0] >= end):
        what = f"{name} is planned for {night}, the deadline ends before {end}"
        yield _finding(deadline, "fail", what, "start earlier (planned_from) or shorten freezes in policy.yaml")
    if due and due[-1][0] < end:
        of = "" if len(due) == len(nights) else f" of {len(nights)}"
        yield _finding(deadline, "pass", f"{len(due)}{of} steps, the last on {due[-1][0]}, before {end}")


def _finding(deadline: Deadline, result: Result, what: str, fix: str = "") -> Finding:
    return Finding(subject=f"deadline {deadline.task}", result=result, source=deadline.source, what=what, fix=fix)
