"""onefold rollback: take a run back to its snapshot."""

import click

from orchestrator.apply.rollback import rollback
from orchestrator.cli.common import open_and_read
from orchestrator.cli.session import Session
from orchestrator.cli.world import tell, world_of
from orchestrator.errors import OnefoldError


@click.command(epilog="Example: onefold -C DIR rollback --yes")
@click.option("--run", "name", help="Which run. [default: the newest]")
@click.pass_obj
def command(session: Session, name: str | None) -> int:
    """Undo every step that stands or was left open, in reverse order, and show that the world equals the snapshot:
    same device configurations (order aside), same cloud objects, same reachability.
    """
    project, reading = open_and_read(session)
    with world_of(session, project, reading.estate) as world:
        run = world.records.load(name or world.records.latest())
        session.confirm(f"Take run {run.name} back?")
        world.audit.append(world.who, "rollback", "begun", subject=run.plan.hash)
        try:
            outcome = rollback(
                run, world.hands, world.prober, world.records, world.options(run.rehearsal), session.progress
            )
        except OnefoldError as error:
            world.audit.append(world.who, "rollback", "failed", subject=run.plan.hash, detail={"error": str(error)})
            raise
        world.audit.append(world.who, "rollback", "done", subject=run.plan.hash)
    session.say("the world equals the snapshot")
    return tell(session, "rollback/1", outcome)
