"""onefold show: a plan file for people."""

from pathlib import Path

import click

from orchestrator.cli.common import plan_file
from orchestrator.cli.session import Session
from orchestrator.errors import InputError
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.pipeline import opened


@click.command(epilog="Example: onefold show plan.json --wave 1")
@plan_file
@click.option("--wave", type=int, help="Only this wave.")
@click.option(
    "--limit", multiple=True, metavar="NAME", help="Only steps that touch this device, tenant, host or system."
)
@click.option("--edits", is_flag=True, help="Also every row that changes.")
@click.pass_obj
def command(session: Session, plan_file: Path, wave: int | None, limit: tuple[str, ...], edits: bool) -> int:
    """Print steps, reasons, footprint and waves of a plan file; refuses a file whose seal does not fit.

    With --json the whole plan, and under `shown` the names of the steps that were asked for.
    """
    plan = opened(plan_file)
    waves = [each for each in plan.waves if wave in (None, each.number)]
    if wave is not None and not waves:
        raise InputError(f"{plan_file} has no wave {wave}: it has {len(plan.waves)}, counted from 1")
    session.say(f"plan {plan.hash[:12]} for {plan.project} by {plan.author}, policy {plan.policy_version}")
    shown = [name for each in waves for name in _wave(session, plan, each, frozenset(limit), edits)]
    if not shown:
        session.say(f"no step{f' of wave {wave}' if wave else ''} touches {' or '.join(limit) or 'anything'}")
    session.result("show/1", {"seal": plan.hash, "shown": shown, "plan": plan.plain()})
    return 0


def _wave(session: Session, plan: Plan, wave: Wave, limit: frozenset[str], edits: bool) -> list[str]:
    """Print a wave's steps (those that touch one of `limit`, if any are named) and return their names."""
    session.say(
        click.style(f"\nwave {wave.number}: {wave.title}, night of {wave.night}, window {wave.window}", bold=True)
    )
    steps = [(number, plan.step_of[name]) for number, batch in enumerate(wave.batches, 1) for name in batch]
    steps = [(n, step) for n, step in steps if not limit or _touched(step) & limit]
    for number, step in steps:
        outage = f" [outage {step.outage_minutes} min: {', '.join(step.outage)}]" if step.outage else ""
        mode = " [manual]" if step.mode == "manual" else ""
        session.say(f"  {number:2}. {step.name:32} {step.title}{mode}{outage}")
        session.say(f"      because {step.why}")
        for item in step.checklist:
            session.say(f"      ☐ {item}")
        for edit in step.edits if edits else ():
            sign = "+" if edit.before is None else "-" if edit.after is None else "~"
            session.say(f"      {sign} {edit.table}[{edit.key}]")
    return [step.name for _number, step in steps]


def _touched(step: Step) -> set[str]:
    return {*step.devices, *step.tenants, *step.hosts, step.system}
