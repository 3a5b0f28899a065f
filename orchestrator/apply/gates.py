"""What must be true before a batch may begin in life: the night's window is open, its manual steps are confirmed."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from orchestrator.errors import RefusedError
from orchestrator.model.plan import Step, Wave
from orchestrator.model.policy import Policy, Window


def in_window(wave: Wave, policy: Policy, now: datetime) -> None:
    """Raises RefusedError when the wave's window is not open (local time)."""
    window = next((window for window in policy.windows if window.name == wave.window), None)
    if window is None:
        raise RefusedError(
            f"wave {wave.number} names window {wave.window!r}, which the policy does not have: plan again"
        )
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


def confirmed(steps: Iterable[Step], names: Collection[str]) -> None:
    """Raises RefusedError for the first manual step that nobody has confirmed: its checklist is the next move."""
    for step in steps:
        if step.mode == "manual" and step.name not in names:
            raise RefusedError(
                f"{step.name} is done by hand ({'; '.join(step.checklist) or step.title}): "
                f"do that, then run again with '--confirm {step.name}'"
            )
