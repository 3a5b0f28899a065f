"""onefold status: what is done, what is open, what comes next. From the journal alone; needs no device."""

import click

from orchestrator.cli.common import state_folder
from orchestrator.cli.session import Session
from orchestrator.intake.project import Project
from orchestrator.records.runs import Records

NEXT = {
    "under way": "onefold resume, or onefold rollback",
    "partly applied": "onefold resume, or onefold rollback",
    "applied": "onefold check, onefold drift",
    "rolled back": "onefold plan",
}


@click.command(epilog="Example: onefold -C DIR status --steps")
@click.option("--run", "name", help="Which run. [default: the newest]")
@click.option("--steps", is_flag=True, help="Every step with its state.")
@click.pass_obj
def command(session: Session, name: str | None, steps: bool) -> int:
    """Where the newest run stands. Exit 4 when it is partly applied."""
    project = Project.open(session.path)
    records = Records(state_folder(project), project.world)
    status = records.status(name or records.latest())
    total = len(status.done) + len(status.open) + len(status.left) + len(status.failed)
    session.say(f"run {status.run}: {status.state}; {len(status.done)} of {total} steps done")
    for label, names in (("failed", status.failed), ("open", status.open)):
        for step in names:
            session.say(f"  {label}: {step}")
    if steps:
        session.table([(step, "done") for step in status.done] + [(step, "not begun") for step in status.left])
    if status.left:
        session.say(f"  next step: {status.left[0]}")
    session.say(f"next: {NEXT.get(status.state, 'onefold resume')}")
    session.result("status/1", {"project": project.name, **status.plain()})
    return 4 if status.state in ("partly applied", "under way") else 0
