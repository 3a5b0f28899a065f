"""Dispositions: what becomes of every information system, its workloads and its names."""

from ipaddress import IPv4Network

from orchestrator.design.departments import Department
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import leads_to, place, running
from orchestrator.model.census import InformationSystem, Workload

REASONS = {
    "migrate": "上云 / moves onto the cloud of its service domain",
    "replace": "改用通用系统 / a common system takes its place",
    "retire": "僵尸系统关停 / a zombie system is switched off",
    "merge": "影子系统合并 / a shadow system is merged into its survivor",
    "keep": "保留 / stays as it is",
    "untouchable": "涉密,不得触碰 / classified: never touched (R2)",
}


def dispose_systems(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write the dispositions of all systems. What is classified or undecided is not touched."""
    codes = {department.code for department in departments}
    for _, system in sorted(draft.now.systems.items()):
        item = f"systems[{system.key}]"
        if system.classified:
            if system.disposition not in ("untouchable", "unknown"):
                draft.find(
                    item,
                    "fail",
                    f"a classified system is marked {system.disposition}: it is never touched (R2)",
                    "set its disposition to untouchable in the census",
                )
            draft.decide(f"system {system.code}", "untouched", REASONS["untouchable"])
        elif system.disposition == "unknown":
            draft.find(
                item, "unknown", f"nobody has decided what becomes of {system.name}", "fill in 处置意见 in the census"
            )
        else:
            rows = _dispose(draft, system, system.organisation in codes)
            if system.disposition == "migrate" and system.organisation not in codes:
                draft.find(
                    item,
                    "unknown",
                    f"{system.name} is to migrate, but no private network of {system.organisation} is folded",
                    "decide 去向 of its private network on the F3 sheet first",
                )
            draft.decide(f"system {system.code}", system.disposition, REASONS[system.disposition], rows)
            _dependencies(draft, system)


def _dispose(draft: Draft, system: InformationSystem, folded: bool) -> tuple[str, ...]:
    if system.disposition == "migrate" and folded:
        return _migrated(draft, system)
    if system.disposition in ("replace", "merge"):
        return _succeeded(draft, system)
    if system.disposition == "retire":
        return _stopped(draft, system)
    return ()


def _stopped(draft: Draft, system: InformationSystem) -> tuple[str, ...]:
    workloads = [w for w in list(draft.estate.workloads.values()) if w.system == system.code and w.state != "stopped"]
    names = [name for name in draft.now.service_names.values() for w in workloads if leads_to(draft.now, name, w)]
    return draft.put(*(w.model_copy(update={"state": "stopped"}) for w in workloads)) + draft.drop(*names)


def _succeeded(draft: Draft, system: InformationSystem) -> tuple[str, ...]:
    survivors = running(draft.estate, system.successor or "")
    survivor = next((w for w in survivors if w.kind in ("web", "mail")), None)
    end = place(draft.estate, survivor.place) if survivor else None
    if end is None or end.address is None:
        draft.find(
            f"systems[{system.key}]",
            "unknown",
            f"{system.name} has no successor that runs",
            "fill in the successor's code in the census",
        )
        return ()
    rows: tuple[str, ...] = ()
    for workload in [w for w in list(draft.now.workloads.values()) if w.system == system.code and w.state != "stopped"]:
        for name in [n for n in draft.now.service_names.values() if leads_to(draft.now, n, workload)]:
            rows += draft.put(name.model_copy(update={"address": end.address}))
        rows += draft.put(workload.model_copy(update={"state": "stopped"}))
    return rows


def _migrated(draft: Draft, system: InformationSystem) -> tuple[str, ...]:
    rows: tuple[str, ...] = ()
    addresses = []
    for new in running(draft.estate, system.code):
        end = place(draft.estate, new.place)
        if not end or end.address is None or not end.tenant:
            continue
        addresses.append(IPv4Network(end.address))
        old = next((w for w in running(draft.now, system.code, new.name) if w.place != new.place), None)
        rows += _own_names(draft, old, end.address) if old else ()
    if addresses:
        rows += draft.put(system.model_copy(update={"addresses": tuple(sorted(addresses))}))
    return rows


def _own_names(draft: Draft, old: Workload, address: object) -> tuple[str, ...]:
    """Names that answer with the workload's own address; names that answer with a published one follow the egress."""
    was = place(draft.now, old.place)
    names = [name for name in draft.now.service_names.values() if was and name.address == was.address]
    return draft.put(*(name.model_copy(update={"address": address}) for name in names))


def _dependencies(draft: Draft, system: InformationSystem) -> None:
    """A migrating system needs a registered flow to every system that it depends on; none is invented here."""
    if system.disposition != "migrate":
        return
    for code in system.dependencies:
        served = any(_serves(draft, flow.source, flow.destination, system.code, code) for flow in draft.policy.flows)
        if not served:
            draft.find(
                f"systems[{system.key}]",
                "unknown",
                f"{system.name} depends on {code}, but no registered flow leads there",
                "register the flow in policy.yaml, or strike the dependency from the census",
            )


def _serves(draft: Draft, source: str, destination: str, system: str, other: str) -> bool:
    places = {f"host:{w.place}" for w in draft.now.workloads.values() if w.system == other}
    begins = source == f"system:{system}" or source.startswith(f"workload:{system}/")
    return begins and (destination in places or destination.startswith(f"workload:{other}/"))
