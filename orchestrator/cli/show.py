"""onefold show: a plan file for people."""

from pathlib import Path

import click

from orchestrator.cli.common import plan_file
from orchestrator.cli.session import Session
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
    """Print steps, reasons, footprint and waves of a plan file; refuses a file whose seal does not fit."""
    plan = opened(plan_file)
    session.say(f"plan {plan.hash[:12]} for {plan.project} by {plan.author}, policy {plan.policy_version}")
    for each in plan.waves:
        if wave is not None and each.number != wave:
            continue
        session.say(
            click.style(f"\nwave {each.number}: {each.title}, night of {each.night}, window {each.window}", bold=True)
        )
        for number, batch in enumerate(each.batches, 1):
            for name in batch:
                step = plan.step_of[name]
                touched = {*step.devices, *step.tenants, *step.hosts, step.system}
                if limit and not touched & set(limit):
                    continue
                outage = f" [outage {step.outage_minutes} min: {', '.join(step.outage)}]" if step.outage else ""
                mode = " [manual]" if step.mode == "manual" else ""
                session.say(f"  {number:2}. {step.name:32} {step.title}{mode}{outage}")
                session.say(f"      because {step.why}")
                for item in step.checklist:
                    session.say(f"      ☐ {item}")
                for edit in step.edits if edits else ():
                    sign = "+" if edit.before is None else "-" if edit.after is None else "~"
                    session.say(f"      {sign} {edit.table}[{edit.key}]")
    session.result("show/1", {"seal": plan.hash, "plan": plan.plain()})
    return 0
