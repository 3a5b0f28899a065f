"""onefold resume: finish an interrupted run."""

import click

from orchestrator.apply.resume import resume
from orchestrator.cli.common import open_and_read
from orchestrator.cli.session import Session
from orchestrator.cli.world import tell, world_of
from orchestrator.errors import OnefoldError


@click.command(epilog="Example: onefold -C DIR resume --yes")
@click.option("--run", "name", help="Which run. [default: the newest]")
@click.option("--wave", type=int, help="Go no further than this wave.")
@click.option("--confirm", multiple=True, metavar="STEP", help="A manual step whose checklist you have worked through.")
@click.pass_obj
def command(session: Session, name: str | None, wave: int | None, confirm: tuple[str, ...]) -> int:
    """Read the world, judge each open step, adopt what exists, and finish. Nothing is made twice."""
    project, reading = open_and_read(session)
    with world_of(session, project, reading.estate) as world:
        run = world.records.load(name or world.records.latest())
        session.confirm(f"Go on with run {run.name}?")
        world.audit.append(world.who, "resume", "begun", subject=run.plan.hash)
        try:
            options = world.options(run.rehearsal, wave, confirmed=confirm)
            outcome = resume(run, reading.policy, world.hands, world.prober, world.records, options, session.progress)
        except OnefoldError as error:
            world.audit.append(world.who, "resume", "failed", subject=run.plan.hash, detail={"error": str(error)})
            raise
        world.audit.append(world.who, "resume", "done", subject=run.plan.hash)
    return tell(session, "resume/1", outcome)
