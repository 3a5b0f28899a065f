"""Deadlines: month offsets from T0 held against the nights of a plan; a task that ends later is a finding."""

from collections.abc import Iterator
from datetime import date

from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Policy

TASKS: dict[str, tuple[str, str]] = {
    # task of the policy: what its last step is called, and a disposition that step must serve
    "zombie_retired": ("retire.", "zombie"),
    "mail_unified": ("retire.", "replace"),
    "mail_retired": ("retire.", "replace"),
    "egress_consolidated": ("consolidate.", ""),
    "private_network_folded": ("fold.", ""),
    "cloud_migration": ("cutover.", ""),
}


def late(plan: Plan, policy: Policy) -> tuple[Finding, ...]:
    """One finding for every deadline the plan can be held against: pass, or fail with the step that is late."""
    return tuple(_judged(plan, policy))


def last_day(policy: Policy, months: int) -> date:
    """The first day after the last month of a deadline."""
    index = policy.t_zero.year * 12 + policy.t_zero.month - 1 + months + 1
    return date(index // 12, index % 12 + 1, 1)


def _judged(plan: Plan, policy: Policy) -> Iterator[Finding]:
    night_of = {name: wave.night for wave in plan.waves for batch in wave.batches for name in batch}
    for deadline in policy.deadlines:
        if deadline.task not in TASKS:
            continue
        steps = [step for step in plan.steps if _serves(step, *TASKS[deadline.task])]
        end = last_day(policy, deadline.months)
        for step in (each for each in steps if night_of[each.name] >= end):
            yield Finding(
                subject=f"deadline {deadline.task}",
                result="fail",
                source=deadline.source,
                what=f"{step.name} is planned for {night_of[step.name]}, the deadline ends before {end}",
                fix="start earlier (planned_from) or shorten freezes in policy.yaml",
            )
        if steps and all(night_of[each.name] < end for each in steps):
            yield Finding(
                subject=f"deadline {deadline.task}",
                result="pass",
                source=deadline.source,
                what=f"{len(steps)} steps, the last on {max(night_of[s.name] for s in steps)}, before {end}",
            )


def _serves(step: Step, prefix: str, word: str) -> bool:
    return step.name.startswith(prefix) and word in step.title
