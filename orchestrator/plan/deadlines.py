"""Deadlines: month offsets from T0 held against the nights of a plan; a task that ends later is a finding."""

from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from math import ceil
from typing import Final, NamedTuple

from orchestrator.errors import PlanError
from orchestrator.model.census import Disposition
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding, Result
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Deadline, Policy


class Task(NamedTuple):
    """Steps that end a task of the policy: how they are called, for which systems they are, what share is due."""

    prefix: str
    disposition: Disposition | None = None  # None: what is ended is no system
    share: float = 1.0


TASKS: Final[dict[str, Task]] = {
    "zombie_retired": Task("retire.", "retire"),
    "mail_unified": Task("retire.", "replace"),
    "mail_retired": Task("retire.", "replace"),
    "egress_consolidated": Task("consolidate."),
    "private_network_folded": Task("fold."),
    "cloud_migration_70_percent": Task("cutover.", "migrate", share=0.7),
    "cloud_migration": Task("cutover.", "migrate"),
}
PAPERS: Final = frozenset({"census", "zombie_list", "private_network_plan", "egress_plan"})
"""Tasks that end with a document: no step of a plan is about them."""
SOME = 5
"""So many names are told, then how many more there are."""


def late(plan: Plan, policy: Policy, now: Estate) -> tuple[Finding, ...]:
    """Findings for every deadline of a plan from `now` on: pass, fail with the steps that are late, unknown.

    Unknown is a task that nobody knows, and one of which the plan does not end all: what it leaves out (a system
    that is to migrate and of which nobody knows where it runs), and systems of which nobody has decided.
    Raises PlanError for a deadline that no calendar has.
    """
    return tuple(finding for deadline in policy.deadlines for finding in _judged(plan, policy, deadline, now))


def last_day(policy: Policy, months: int) -> date:
    """The first day after the last month of a deadline. Raises PlanError when no calendar has it."""
    index = policy.t_zero.year * 12 + policy.t_zero.month - 1 + months + 1
    if not MINYEAR <= index // 12 <= MAXYEAR:
        raise PlanError(f"policy.yaml: no calendar has the deadline {months} months from t_zero: correct its months")
    return date(index // 12, index % 12 + 1, 1)


def _judged(plan: Plan, policy: Policy, deadline: Deadline, now: Estate) -> Iterator[Finding]:
    end = last_day(policy, deadline.months)
    if deadline.task in PAPERS:
        return
    if deadline.task not in TASKS:
        known = ", ".join(sorted((*TASKS, *PAPERS)))
        what = f"nobody knows which steps end {deadline.task}, so whether it ends before {end}"
        yield _finding(deadline, "unknown", what, f"write one of {known} in policy.yaml, or watch over it yourself")
        return
    yield from _held(plan, deadline, TASKS[deadline.task], end, now)


def _held(plan: Plan, deadline: Deadline, task: Task, end: date, now: Estate) -> Iterator[Finding]:
    night_of = {name: wave.night for wave in plan.waves for batch in wave.batches for name in batch}
    wanted = _wanted(task, now)
    nights = sorted(
        (night_of[task.prefix + code], task.prefix + code) for code in wanted if task.prefix + code in night_of
    )
    open_ones = sorted(code for code in wanted if task.prefix + code not in night_of)
    number = len(wanted)
    due = ceil(task.share * number)
    missed = [one for one in nights[:due] if one[0] >= end]
    for night, name in missed:
        what = f"{name} is planned for {night}, the deadline ends before {end}"
        yield _finding(deadline, "fail", what, "start earlier (planned_from) or shorten freezes in policy.yaml")
    if len(nights) < due:
        more = f" and {len(open_ones) - SOME} more" if len(open_ones) > SOME else ""
        what = f"the plan ends {len(nights)} of {number}, due are {due}: not {', '.join(open_ones[:SOME])}{more}"
        yield _finding(deadline, "unknown", what, "decide and complete them in the census, or watch over them yourself")
    elif not missed:
        of = "" if due == number else f" of {number}"
        last = f"the last on {nights[due - 1][0]}, before {end}" if due else "nothing waits for it"
        yield _finding(deadline, "pass", f"{due}{of} steps, {last}")


def _wanted(task: Task, now: Estate) -> list[str]:
    """Codes of what the task is to end, and of systems that may be of them as nobody has decided."""
    if task.disposition:
        either = (task.disposition, "unknown")
        return [code for code, system in now.systems.items() if system.disposition in either]
    if task.prefix == "fold.":
        return [key for key, row in now.private_networks.items() if row.target in ("extranet", "unknown")]
    return [key for key, row in now.egresses.items() if not row.shared_platform and row.state == "in_service"]


def _finding(deadline: Deadline, result: Result, what: str, fix: str = "") -> Finding:
    return Finding(subject=f"deadline {deadline.task}", result=result, source=deadline.source, what=what, fix=fix)
