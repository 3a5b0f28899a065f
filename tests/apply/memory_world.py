"""A run whose world is a dictionary (a test aid): a plan of four steps, and a journal that dies where it is told to."""

from collections.abc import Callable
from datetime import date, time
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from network_models.district import now
from orchestrator.apply.hands import Hands, Notes
from orchestrator.apply.outcome import Options
from orchestrator.errors import (
    DeviceError,
)
from orchestrator.model.estate import Estate, difference
from orchestrator.model.network import Interface
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Numbering, Policy, Window
from orchestrator.records.journal import Journal
from orchestrator.records.runs import Records, Run

START = now()
OPTIONS = Options(who="li", rehearsal=True)
LAST_STEP_DONE = 1 + 4 * 4 + 2
"""Number of that event: the run's intent, four events a step, a note of the check after each batch before the last."""


def port(device: str, name: str, last: int) -> Interface:
    return Interface(device=device, name=name, address=IPv4Interface(f"198.18.240.{last}/30"))


def steps() -> tuple[Step, ...]:
    rows = [port("cz1", "up0", 1), port("cz2", "up0", 5), port("cz3", "up0", 9), port("mz1", "up0", 13)]
    made = []
    for row in rows:
        edits = difference(START, START.with_nouns(row))
        made.append(
            Step(name=f"step-{row.device}", title="t", why="w", kind="network", edits=edits, devices=(row.device,))
        )
    return tuple(made)


def plan() -> Plan:
    wave = Wave(
        number=1,
        title="w",
        night=date(2018, 1, 9),
        window="night",
        batches=(("step-cz1",), ("step-cz2", "step-cz3"), ("step-mz1",)),
    )
    target = START
    for step in steps():
        target = target.apply(step.edits)
    return Plan(
        project="p",
        author="a",
        built_from=START.digest,
        leads_to=target.digest,
        policy_version="1",
        policy_digest="d",
        steps=steps(),
        waves=(wave,),
    )


def policy(**more: Any) -> Policy:
    from ipaddress import IPv4Network

    night = Window(name="night", weekdays=(1,), start=time(22), end=time(5))
    fields: dict[str, Any] = {
        "version": "1",
        "t_zero": date(2017, 12, 1),
        "planned_from": date(2018, 1, 8),
        "extranet_pool": IPv4Network("198.18.0.0/15"),
        "zones": (),
        "windows": (night,),
        "numbering": Numbering(autonomous_system=65000),
    }
    return Policy.model_validate({**fields, **more})


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


class World(Hands):
    """A world in memory: rows per device; two parts a step; counts what is done twice."""

    def __init__(self) -> None:
        self.rows = {device: dict[str, Any]() for device in START.devices}
        self.twice: list[str] = []
        self.order: list[str] = []
        self.refuse = ""

    def perform(
        self, step: Step, before: Estate, after: Estate, notes: Notes, *, resuming: bool, back: bool = False
    ) -> dict[str, Any]:
        device = step.devices[0]
        want = {key: row for key, row in after.interfaces.items() if row.device == device}
        notes.write(f"device:{device}", "started", {})
        if step.name == self.refuse:
            raise DeviceError(f"{device} refused a line")
        if self.rows[device] == want and not resuming:
            self.twice.append(step.name)
        self.rows[device] = want
        self.order.append(step.name)
        notes.write(f"device:{device}", "done", {"lines": 1})
        return {f"device:{device}": {"lines": 1}}


def matches(world: World, estate: Estate) -> bool:
    return all(
        world.rows[device] == {k: r for k, r in estate.interfaces.items() if r.device == device}
        for device in ("cz1", "cz2", "cz3", "mz1")
        if world.rows[device]
    )


def begun(folder: Path) -> tuple[Records, Run]:
    records = Records(folder)
    return records, records.begin(plan(), START, "li", rehearsal=True)


def killing(journal: Journal, at: int) -> Callable[..., Any]:
    """Let the journal die right after event `at` is on disk."""
    record = journal.record

    def recording(*arguments: Any, **named: Any) -> Any:
        event = record(*arguments, **named)
        if event.number == at:
            raise Killed
        return event

    return recording


def target() -> Estate:
    return plan().target(START)
