"""Batches and nights: footprints never overlap within a batch; waves lie inside windows and outside freezes."""

from collections.abc import Iterable, Sequence, Set
from datetime import date, timedelta
from math import prod

from orchestrator.errors import PlanError
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import GLOBAL
from orchestrator.model.plan import Step, Wave
from orchestrator.model.policy import Freeze, Policy, Window

BATCH = 6
STATES = 48
"""In how many states together the steps of a batch may be: each is proved, and they multiply."""
CANARY = 3
"""From this many similar steps on, one goes alone before the others."""
HORIZON = 1100  # days searched for a night


def canaries(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of one wave with the first of each large family put before the others of the family."""
    families: dict[str, list[str]] = {}
    for step in steps:
        families.setdefault(step.name.split(".")[0], []).append(step.name)
    leader = {name: names[0] for names in families.values() if len(names) >= CANARY for name in names[1:]}
    needed = _ancestors(steps)
    return tuple(
        step.model_copy(update={"after": tuple(sorted({*step.after, leader[step.name]}))})
        if step.name in leader and step.name not in needed[leader[step.name]]
        else step
        for step in steps
    )


def _ancestors(steps: Sequence[Step]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for step in steps:
        found[step.name] = (
            {step.name}.union(*(found.get(each, {each}) for each in step.after)) if step.after else {step.name}
        )
    return found


def batches(steps: Sequence[Step]) -> tuple[tuple[str, ...], ...]:
    """The steps of one wave in batches of at most BATCH: predecessors in earlier batches, footprints disjoint.

    A step that would take the batch beyond STATES waits for a later one. Steps come in a safe order.
    Raises PlanError when predecessors form a circle.
    """
    left = {step.name: step for step in steps}
    found: list[tuple[str, ...]] = []
    while left:
        batch: list[Step] = []
        touched: set[str] = set()
        for step in left.values():
            ready = not left.keys() & set(step.after)
            if ready and has_room(batch, step) and not touched & footprint(step):
                batch.append(step)
                touched |= footprint(step)
        if not batch:
            raise PlanError(
                f"steps wait for each other in a circle: {', '.join(sorted(left))}; report this plan with its inputs"
            )
        found.append(tuple(step.name for step in batch))
        for step in batch:
            del left[step.name]
    return tuple(found)


def has_room(batch: Sequence[Step], step: Step) -> bool:
    """Whether a batch of so many steps, in so many states together, can take one more. One alone is never too much."""
    return not batch or (len(batch) < BATCH and prod(one.states for one in (*batch, step)) <= STATES)


def footprint(step: Step) -> set[str]:
    """What a step occupies: devices, tenants, hosts, rows, and what is shared by all who write it.

    Names are, and VPNs: other devices hear of their routes, and of two steps' routes they may be late with both.
    """
    rows = {f"row {edit.table}[{edit.key}]" for edit in step.edits}
    shared = {f"table {edit.table}" for edit in step.edits if edit.table == "service_names"}
    vpns = {f"vpn {name}" for edit in step.edits for name in _vpns(edit)}
    devices = {f"device {name}" for name in step.devices}
    hosts = {f"host {name}" for name in step.hosts}
    return rows | shared | vpns | devices | hosts | {f"tenant {name}" for name in step.tenants}


def _vpns(edit: Edit) -> set[str]:
    """The VPNs whose routes an edit changes: of a port that moves, the one it leaves and the one it joins."""
    if edit.table not in ("vrfs", "routes", "interfaces"):
        return set()
    field = "name" if edit.table == "vrfs" else "vrf"
    return {str((row or {}).get(field) or GLOBAL) for row in (edit.before, edit.after)} - {GLOBAL}


def organisations(estate: Estate, steps: Iterable[Step]) -> set[str]:
    """The organisations whose freezes bind these steps: owners of devices, tenants, hosts and systems touched."""
    found = set()
    for step in steps:
        found |= {estate.devices[name].organisation for name in step.devices if name in estate.devices}
        found |= {estate.tenants[name].organisation for name in step.tenants if name in estate.tenants}
        found |= {estate.hosts[name].organisation for name in step.hosts if name in estate.hosts}
        found |= {estate.systems[step.system].organisation} if step.system in estate.systems else set()
        found |= _registered(estate, step)
    return found


def _registered(estate: Estate, step: Step) -> set[str]:
    found = set()
    for edit in step.edits:
        if edit.table in ("private_networks", "egresses"):
            found.add(getattr(estate, edit.table)[edit.key].organisation)
        if edit.table == "links" and edit.key in estate.links:
            link = estate.links[edit.key]
            ends = [estate.devices[node].organisation for node in (link.a_node, link.b_node) if node in estate.devices]
            found |= {*ends, link.reserved_for} - {""}
    return found


def night(policy: Policy, earliest: date, touched: set[str], minutes: int = 0) -> tuple[date, str]:
    """The first night from `earliest` on whose window is open to these organisations, and the window's name.

    Windows shorter than the outages that are declared, in `minutes`, do not count. Raises PlanError when there is no
    night within three years.
    """
    windows = [window for window in policy.windows if length(window) >= minutes]
    if policy.windows and not windows:
        raise PlanError(f"no window holds {minutes} minutes of declared outages: add a longer window in policy.yaml")
    for offset in range(min(HORIZON, (date.max - earliest).days)):
        day = earliest + timedelta(days=offset)
        for window in windows:
            closed = any(frozen(policy, each, touched) for each in days_of(day, window))
            if day.weekday() in window.weekdays and not closed:
                return day, window.name
    who = ", ".join(sorted(touched)) or "nobody"
    raise PlanError(
        f"no window is free of freezes for {who} from {earliest} on: widen windows or freezes in policy.yaml"
    )


def length(window: Window) -> int:
    """Minutes from a window's start to its end."""
    start, end = (each.hour * 60 + each.minute for each in (window.start, window.end))
    return end - start if end > start else end - start + 24 * 60


def days_of(day: date, window: Window) -> tuple[date, ...]:
    """The calendar days a window touches when it opens on `day`: an end not after the start is on the next day."""
    return (day, day + timedelta(days=1)) if window.end <= window.start else (day,)


def frozen(policy: Policy, day: date, touched: set[str]) -> bool:
    """Whether a freeze forbids changes to one of these organisations on a day."""
    return any(_covers(freeze, day) for freeze in policy.freezes if freeze.organisation in ("", *touched))


def _covers(freeze: Freeze, day: date) -> bool:
    if freeze.first_day_of_month is not None and freeze.last_day_of_month is not None:
        first, last = freeze.first_day_of_month, freeze.last_day_of_month
        return first <= day.day <= last if first <= last else day.day >= first or day.day <= last
    return (freeze.first or date.min) <= day <= (freeze.last or date.max)


def _bind(policy: Policy, known: Set[str]) -> None:
    for freeze in policy.freezes:
        if freeze.organisation and freeze.organisation not in known:
            raise PlanError(
                f"policy.yaml: the freeze {freeze.name!r} is for {freeze.organisation!r}, an organisation that nobody "
                "knows, so it would bind nobody: correct its code, or add the organisation to topology.yaml"
            )


def _days_after(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise PlanError(
            f"no calendar reaches {days} days after {day}: shorten trial_days or observation_days in policy.yaml"
        ) from error


def waves(
    now: Estate, target: Estate, policy: Policy, phases: Sequence[tuple[str, int, int, Sequence[Step]]]
) -> tuple[Wave, ...]:
    """One wave for every phase with steps: (title, index of the phase it waits for, days to wait, steps).

    Raises PlanError when a freeze is for an organisation that nobody knows: it would bind nobody.
    """
    _bind(policy, now.organisations.keys() | target.organisations.keys())
    found: list[Wave] = []
    nights: list[date | None] = []
    for title, waits_for, days, steps in phases:
        if not steps:
            nights.append(None)
            continue
        earliest = policy.planned_from if not found else found[-1].night + timedelta(days=1)
        reference = nights[waits_for] if 0 <= waits_for < len(nights) else None
        if reference:
            earliest = max(earliest, _days_after(reference, days))
        touched = organisations(now, steps) | organisations(target, steps)
        groups = batches(steps)
        minutes = {step.name: step.outage_minutes for step in steps}
        outages = sum(max(minutes[name] for name in group) for group in groups)
        day, window = night(policy, earliest, touched, outages)
        nights.append(day)
        found.append(Wave(number=len(found) + 1, title=title, night=day, window=window, batches=groups))
    return tuple(found)
