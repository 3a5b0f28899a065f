"""Dispositions: what becomes of every information system, its workloads and its names."""

from ipaddress import IPv4Address, IPv4Network

from orchestrator.design.departments import Department
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import leads_to, place, running
from orchestrator.model.census import InformationSystem, ServiceName, Workload

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
    workloads = [
        w for _, w in sorted(draft.estate.workloads.items()) if w.system == system.code and w.state != "stopped"
    ]
    names = _names(draft, system, workloads)
    return draft.put(*(w.model_copy(update={"state": "stopped"}) for w in workloads)) + draft.drop(*names)


def _names(draft: Draft, system: InformationSystem, workloads: list[Workload]) -> list[ServiceName]:
    """The names that lead to these workloads of a system and to nobody else's; the others are findings."""
    found = []
    for _, name in sorted(draft.now.service_names.items()):
        if not any(leads_to(draft.now, name, workload) for workload in workloads):
            continue
        running = (w for w in draft.now.workloads.values() if w.system != system.code and w.state == "running")
        others = sorted({w.system for w in running if leads_to(draft.now, name, w)})
        if others:
            draft.find(
                f"systems[{system.key}]",
                "unknown",
                f"{name.fqdn} leads to {system.name} and to {', '.join(others)}: nobody has said whose name it is",
                "fill in 域名 of the system in the census",
            )
        else:
            found.append(name)
    return found


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
    old = [w for _, w in sorted(draft.now.workloads.items()) if w.system == system.code and w.state != "stopped"]
    rows += draft.put(*(n.model_copy(update={"address": end.address}) for n in _names(draft, system, old)))
    return rows + draft.put(*(workload.model_copy(update={"state": "stopped"}) for workload in old))


def _migrated(draft: Draft, system: InformationSystem) -> tuple[str, ...]:
    moves: dict[IPv4Address, list[tuple[Workload, IPv4Address]]] = {}
    addresses = []
    for old, new in _pairs(draft, system):
        end = place(draft.estate, new.place)
        if not end or end.address is None or not end.tenant:
            continue
        addresses.append(IPv4Network(end.address))
        was = place(draft.now, old.place) if old else None
        if old and was and was.address:
            moves.setdefault(was.address, []).append((old, end.address))
    rows: tuple[str, ...] = ()
    for address, moved in sorted(moves.items()):
        rows += _own_names(draft, system, address, moved)
    if addresses:
        rows += draft.put(system.model_copy(update={"addresses": tuple(sorted(addresses))}))
    return rows


def _pairs(draft: Draft, system: InformationSystem) -> list[tuple[Workload | None, Workload]]:
    """Each running workload of the target with the one whose place it takes; None for one that was there before."""
    news = sorted(running(draft.estate, system.code), key=lambda each: (each.name, len(each.place), each.place))
    there = {workload.key for workload in news}
    olds: dict[str, list[Workload]] = {}
    for old in running(draft.now, system.code):
        if old.key not in there:
            olds.setdefault(old.name, []).append(old)
    standing = {workload.key for workload in running(draft.now, system.code)}
    queues = {name: iter(each) for name, each in olds.items()}
    return [(None if new.key in standing else next(queues.get(new.name, iter(())), None), new) for new in news]


def _own_names(
    draft: Draft, system: InformationSystem, address: IPv4Address, moved: list[tuple[Workload, IPv4Address]]
) -> tuple[str, ...]:
    """Names that answer with the workloads' own address; names that answer with a published one follow the egress.

    Of several components that stood at one address the name follows the one that people open.
    """
    names = [name for name in _names(draft, system, [old for old, _ in moved]) if name.address == address]
    opened = [becomes for old, becomes in moved if old.kind in ("web", "mail")]
    heads = opened if len(moved) > 1 else [becomes for _, becomes in moved]
    if len(heads) == 1:
        return draft.put(*(name.model_copy(update={"address": heads[0]}) for name in names))
    for name in names:
        draft.find(
            f"systems[{system.key}]",
            "unknown",
            f"{name.fqdn} leads to {' and '.join(old.name for old, _ in moved)} of {system.name}, which part",
            "give each component a name of its own, or say in the census which of them is the web",
        )
    return ()


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
