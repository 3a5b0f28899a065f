"""Phases 3 and 4: systems move, shadows merge, common systems take over; then acceptance and the end of old copies."""

from orchestrator.design.endpoints import leads_to, running
from orchestrator.errors import PlanError
from orchestrator.model.base import Row
from orchestrator.model.census import InformationSystem, ServiceName, Workload
from orchestrator.plan.outages import flows_at
from orchestrator.plan.way import Change, Way

CUTOVER_MINUTES = 30
SWITCH_MINUTES = 5
ENDING = ("retire", "merge", "replace")
"""Dispositions of systems that end."""


def systems_of(way: Way, disposition: str) -> list[InformationSystem]:
    """Systems with a disposition, by code."""
    return [each for _, each in sorted(way.now.systems.items()) if each.disposition == disposition]


def copy_and_cut_over(way: Way, phase: int) -> None:
    """Add first copies and cutovers of the systems that migrate."""
    cutovers = []
    for system in systems_of(way, "migrate"):
        new, old = _pairs(way, system)
        if not new:
            continue
        code, tenant = system.code, new[0].place.split("/")[0]
        copies: list[Change] = [workload.model_copy(update={"state": "standby"}) for workload in new]
        way.step(
            f"copy.{code}",
            phase,
            "copy",
            f"首次复制 {system.name} / first copy of {code}",
            f"迁入租户 {tenant} / moves into tenant {tenant}; the old place keeps serving",
            copies,
            after=[f"tenant.{tenant}", *way.names("access.", "route.", "leg.", "zone.")],
            system=code,
            hosts=tuple(sorted(w.place for w in old)),
        )
        cutovers.append((system, new, old))
    for system, new, old in cutovers:
        _cut_over(way, phase, system, new, old)


def _pairs(way: Way, system: InformationSystem) -> tuple[list[Workload], list[Workload]]:
    new = [w for w in way.added(Workload) if w.system == system.code]
    return new, list(running(way.now, system.code))


def _cut_over(way: Way, phase: int, system: InformationSystem, new: list[Workload], old: list[Workload]) -> None:
    changes: list[Change] = [workload.model_copy(update={"state": "standby"}) for workload in old]
    changes += [*new, *_renamed(way, old)]
    outage = flows_at(way.estate, way.policy, {w.place for w in old})
    way.step(
        f"cutover.{system.code}",
        phase,
        "cutover",
        f"割接 {system.name} / cut {system.code} over",
        "冻结、末次同步、校验、切换域名、验证 / freeze, final sync, checksums, switch the name, verify",
        changes,
        after=[f"copy.{system.code}"],
        system=system.code,
        outage=outage,
        outage_minutes=CUTOVER_MINUTES,
    )


def _renamed(way: Way, workloads: list[Workload]) -> list[Row]:
    """Names that lead to these workloads, as the target has them."""
    names: list[ServiceName] = [name for _, name in sorted(way.estate.service_names.items())]
    led = [name for name in names if any(leads_to(way.estate, name, w) for w in workloads)]
    return [way.target.service_names[name.key] for name in led if name.key in way.target.service_names]


def merge_shadows(way: Way, phase: int) -> None:
    """Add the end of shadow systems: their names lead to the survivor, then they stop."""
    for system in systems_of(way, "merge"):
        _succeed(
            way,
            phase,
            system,
            f"合并影子系统 {system.name} / merge the shadow {system.code}",
            f"并入 / merged into {system.successor}, group {system.shadow_group or 'not named'}",
            [f"cutover.{system.successor}"],
        )


def replace_systems(way: Way, phase: int) -> None:
    """Add the end of systems that a common system replaces."""
    for system in systems_of(way, "replace"):
        after = [*way.names("readdress.", "access.", "filter.", "route.")]
        _succeed(
            way,
            phase,
            system,
            f"{system.name} 改用通用系统 / replace {system.code}",
            f"由 {system.successor} 接替 / {system.successor} takes over",
            after,
        )


def _succeed(way: Way, phase: int, system: InformationSystem, title: str, why: str, after: list[str]) -> None:
    old = [w for _, w in sorted(way.estate.workloads.items()) if w.system == system.code and w.state != "stopped"]
    old = [w for w in old if way.target.workloads[w.key].state == "stopped"]
    if old:
        _must_stay(way, system)
    outage = flows_at(way.estate, way.policy, {w.place for w in old})
    changes: list[Change] = [*_renamed(way, old), *(way.target.workloads[w.key] for w in old)]
    checklist = ("users, accounts and data have been taken over by the successor, signed by the department",)
    way.step(
        f"retire.{system.code}",
        phase,
        "retire",
        title,
        why,
        changes,
        after=after,
        system=system.code,
        outage=outage,
        outage_minutes=SWITCH_MINUTES if outage else 0,
        mode="manual",
        checklist=checklist,
    )


def _must_stay(way: Way, system: InformationSystem) -> None:
    """Raises PlanError when the successor ends by the same plan: users would be led to what is switched off."""
    successor = way.now.systems.get(system.successor or "")
    if successor and successor.disposition in ENDING:
        raise PlanError(
            f"{system.code} is to be taken over by {successor.code}, which is given up itself "
            f"({successor.disposition}): name the system that stays as its successor in form F1"
        )


def accept_and_retire(way: Way, phase: int) -> None:
    """Add acceptance after the trial run, and the end of the old copies."""
    for system in systems_of(way, "migrate"):
        code = system.code
        old = [w for _, w in sorted(way.estate.workloads.items()) if w.system == code and w.state == "standby"]
        if not old:
            continue
        way.step(
            f"accept.{code}",
            phase,
            "record",
            f"{system.name} 试运行结束并验收 / accept {code} after the trial run",
            f"试运行 {way.policy.trial_days} 天 / trial of {way.policy.trial_days} days",
            [way.target.systems[code]],
            after=[f"cutover.{code}"],
            mode="manual",
            system=code,
            checklist=(
                "trial run report without open faults",
                "acceptance signed by the department",
                "backup of the new place restored once",
            ),
        )
        stopped: list[Change] = [way.target.workloads[w.key] for w in old]
        way.step(
            f"retire.{code}",
            phase,
            "retire",
            f"停用 {system.name} 旧副本 / stop the old copy of {code}",
            "已验收 / accepted",
            stopped,
            after=[f"accept.{code}"],
            system=code,
        )
