"""Plan: now + design -> steps in waves. Pure: same inputs, same bytes; the steps compose to exactly the target."""

from collections.abc import Sequence

from orchestrator.design import Design
from orchestrator.errors import PlanError
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Policy
from orchestrator.plan.deadlines import late
from orchestrator.plan.dual import run_both
from orchestrator.plan.finish import fold, narrow_site_filters, narrow_tenants, settle
from orchestrator.plan.foundation import found
from orchestrator.plan.migration import accept_and_retire, copy_and_cut_over, merge_shadows, replace_systems
from orchestrator.plan.release import clear_ports, release, reroute
from orchestrator.plan.renumbering import forget_old_addresses, renumber
from orchestrator.plan.schedule import canaries, waves
from orchestrator.plan.way import Way, with_evidence

__all__ = ["build", "late"]


def build(now: Estate, design: Design, policy: Policy, project: str, author: str) -> Plan:
    """The way from `now` to the design's target, in waves with dates.

    Raises PlanError when no night is free, or when the steps do not end at the target.
    """
    target = design.target
    way = Way(now, target, policy)
    for phase in (_prepare, _migrate, _switch, _clean):
        phase(way)
    plan_waves = waves(now, target, policy, _phases(way, policy))
    order = {
        name: index
        for index, name in enumerate(name for wave in plan_waves for batch in wave.batches for name in batch)
    }
    plan = Plan(
        project=project,
        author=author,
        built_from=now.digest,
        leads_to=target.digest,
        policy_version=policy.version,
        policy_digest=policy.digest,
        steps=tuple(sorted((with_evidence(step) for step in _with_canaries(way)), key=lambda step: order[step.name])),
        waves=plan_waves,
    )
    if plan.target(now).digest != target.digest:
        raise PlanError("the steps do not end at the target: report this plan with its inputs")
    return plan


def _prepare(way: Way) -> None:
    found(way)  # phase 1
    run_both(way)  # phase 2


def _migrate(way: Way) -> None:
    copy_and_cut_over(way, 3)
    merge_shadows(way, 4)
    renumber(way, "renumber", 4)
    replace_systems(way, 4)


def _switch(way: Way) -> None:
    reroute(way, 5)
    accept_and_retire(way, 6)
    clear_ports(way, 6)
    forget_old_addresses(way, "renumber", 6)
    narrow_tenants(way, 6)
    narrow_site_filters(way, 6)
    release(way, 7)


def _clean(way: Way) -> None:
    renumber(way, "translate", 8)
    forget_old_addresses(way, "translate", 9)
    fold(way, 9)
    settle(way, 9)


def _with_canaries(way: Way) -> tuple[Step, ...]:
    numbers = sorted(set(way.phase_of.values()))
    return tuple(
        step for number in numbers for step in canaries([s for s in way.steps if way.phase_of[s.name] == number])
    )


def _phases(way: Way, policy: Policy) -> list[tuple[str, int, int, Sequence[Step]]]:
    """Title, phase waited for (index), days waited, steps: a trial before old copies go, else observation."""
    watch, trial = policy.observation_days, policy.trial_days
    steps = _with_canaries(way)
    plans = (
        ("基础 / foundation", -1, 0),
        ("并行 / dual running", -1, 0),
        ("迁移割接 / migration", -1, 0),
        ("改址与替换 / renumbering and replacement", 2, watch),
        ("出口与线路切换 / exits and lines switch", -1, 0),
        ("验收与清理 / acceptance and clearing", 2, trial),
        ("退租 / release", 5, watch),
        ("末批改址 / last renumbering", 5, watch),
        ("收尾 / finish", 7, watch),
    )
    return [
        (title, waits, days, [step for step in steps if way.phase_of[step.name] == number])
        for number, (title, waits, days) in enumerate(plans, start=1)
    ]
