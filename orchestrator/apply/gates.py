"""What must be true before a batch may begin: it was proved, the night's window is open, manual steps are confirmed."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from orchestrator.apply.device import managed
from orchestrator.apply.outcome import Options
from orchestrator.errors import InputError, RefusedError
from orchestrator.forwarding.segments import is_table_device
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy, Window
from orchestrator.plan.schedule import days_of, frozen
from orchestrator.vendors.registry import render_device


def proved(plan: Plan, options: Options, done: Collection[str]) -> None:
    """Hold what is asked for to what was proved: some steps of one batch, on top of all batches before it.

    Raises InputError for a step or a wave that the plan does not have, RefusedError for a step before which others
    are left: the state it would make is none of those that anybody looked at.
    """
    unknown = [name for name in (*options.limit, *options.confirmed) if name not in plan.step_of]
    if unknown:
        raise InputError(f"the plan has no step {unknown[0]}: 'onefold show' lists its steps")
    if options.wave is not None and options.wave not in {wave.number for wave in plan.waves}:
        raise InputError(f"the plan has no wave {options.wave}: it has {len(plan.waves)}, counted from 1")
    left = ""
    for batch in plan.batches():
        chosen = [name for name in batch if name in options.limit and name not in done]
        if chosen and left:
            raise RefusedError(
                f"{chosen[0]} comes after {left}, which is not done: nobody proved that state, so do {left} first"
            )
        left = left or next((name for name in batch if name not in options.limit and name not in done), "")


def in_window(wave: Wave, policy: Policy, now: datetime, touched: Collection[str] = ()) -> None:
    """Raises RefusedError when the wave's window is not open (local time), or its night is none that the policy allows
    to these organisations: a plan file says its nights itself, and the proof is not about them.
    """
    window = next((window for window in policy.windows if window.name == wave.window), None)
    if window is None:
        raise RefusedError(
            f"wave {wave.number} names window {wave.window!r}, which the policy does not have: plan again"
        )
    closed = any(frozen(policy, day, set(touched)) for day in days_of(wave.night, window))
    if closed or wave.night.weekday() not in window.weekdays:
        why = "a freeze forbids changes" if closed else f"window {window.name!r} does not open"
        raise RefusedError(f"wave {wave.number} is planned for the night of {wave.night}, on which {why}: plan again")
    opens, closes = opening(wave, window)
    if not opens <= now < closes:
        raise RefusedError(
            f"wave {wave.number} may run from {opens:%Y-%m-%d %H:%M} to {closes:%Y-%m-%d %H:%M}, not now: "
            "wait, or plan again"
        )


def opening(wave: Wave, window: Window) -> tuple[datetime, datetime]:
    """When a wave's window opens and closes, local time; an end not after the start is on the next day (ISO 8601)."""
    opens = datetime.combine(wave.night, window.start)
    closes = datetime.combine(wave.night, window.end)
    return opens, closes if closes > opens else closes + timedelta(days=1)


def out_of_reach(step: Step, before: Estate, after: Estate) -> tuple[str, ...]:
    """Devices and hosts that a step changes and that have no management address: nobody here can push to them."""
    devices = [
        name
        for name in step.devices
        if name in before.devices
        and name in after.devices
        and not managed(after, name)
        and is_table_device(after.devices[name])
        and render_device(before, name) != render_device(after, name)
    ]
    hosts = [
        name
        for name, host in after.hosts.items()
        if host.management is None and name in before.hosts and _place(before.hosts[name]) != _place(host)
    ]
    return (*devices, *sorted(hosts))


def _place(host: Host) -> tuple[str, str]:
    return str(host.address), str(host.gateway)


def reached(step: Step, before: Estate, after: Estate, names: Collection[str]) -> None:
    """Raises RefusedError for a step that only people can do, unless they have confirmed it: nothing would be pushed,
    nothing read back, and it would be told as done.
    """
    apart = out_of_reach(step, before, after)
    if apart and step.name not in names:
        raise RefusedError(
            f"{step.name} changes {', '.join(apart)} without a management address: name it in topology.yaml and plan "
            f"again, or do that by hand, then run again with '--confirm {step.name}'"
        )


def confirmed(steps: Iterable[Step], names: Collection[str]) -> None:
    """Raises RefusedError for the first manual step that nobody has confirmed: its checklist is the next move."""
    for step in steps:
        if step.mode == "manual" and step.name not in names:
            raise RefusedError(
                f"{step.name} is done by hand ({'; '.join(step.checklist) or step.title}): "
                f"do that, then run again with '--confirm {step.name}'"
            )
