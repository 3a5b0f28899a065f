"""onefold apply: carry out an approved and proved plan."""

from pathlib import Path

import click

from orchestrator.apply import run as running
from orchestrator.cli.common import open_and_read, plan_file
from orchestrator.cli.session import Session
from orchestrator.cli.world import tell, world_of
from orchestrator.errors import OnefoldError
from orchestrator.pipeline import opened, proven
from orchestrator.records import approvals


@click.command(epilog="Example: onefold -C DIR apply plan.json --wave 1 --yes")
@plan_file
@click.option("--wave", type=int, help="Go no further than this wave.")
@click.option("--limit", multiple=True, metavar="STEP", help="Only these steps.")
@click.option("--confirm", multiple=True, metavar="STEP", help="A manual step whose checklist you have worked through.")
@click.option("--rehearsal", is_flag=True, help="On a lab: maintenance windows do not count.")
@click.pass_obj
def command(
    session: Session,
    plan_file: Path,
    wave: int | None,
    limit: tuple[str, ...],
    confirm: tuple[str, ...],
    rehearsal: bool,
) -> int:
    """Carry out a plan batch by batch: canary first, read-back after each push, real packets after each batch.

    The plan is proved again on the spot, its signatures are checked, and the world must still be the estate it was
    proved for. The first surprise stops the run. Going on with a plan on a later night is the same call.
    """
    plan = opened(plan_file)
    project, reading = open_and_read(session)
    if rehearsal and project.world != "lab":
        raise click.ClickException("--rehearsal is for a lab: this project's world is not one, leave the option out")
    with world_of(session, project, reading.estate) as world:
        try:
            certain = proven(reading, plan)
            held = approvals.load(approvals.file_of(plan_file))
            signed = approvals.check(plan, reading.policy, held)
            session.progress(f"proved in {certain.verdict.states} states, signed by {', '.join(signed) or 'nobody'}")
        except OnefoldError as error:
            world.audit.append(world.who, "apply", "refused", subject=plan.hash, detail={"error": str(error)})
            raise
        session.confirm(f"Apply {len(plan.steps)} steps of plan {plan.hash[:12]} to {project.world}?")
        world.audit.append(world.who, "apply", "begun", subject=plan.hash, detail={"signed": list(signed)})
        try:
            outcome = running.apply(
                certain,
                reading.estate,
                reading.policy,
                world.hands,
                world.prober,
                world.records,
                world.options(rehearsal, wave, limit, confirm),
                session.progress,
                held,
            )
        except OnefoldError as error:
            world.audit.append(world.who, "apply", "failed", subject=plan.hash, detail={"error": str(error)})
            raise
        world.audit.append(world.who, "apply", "done", subject=plan.hash, detail={"done": len(outcome.done)})
    return tell(session, "apply/1", outcome)
