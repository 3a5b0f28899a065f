"""onefold design: the target, with the reason of every decision."""

import click

from orchestrator.cli.common import detailed_exitcode, open_and_read
from orchestrator.cli.session import Session
from orchestrator.model.estate import difference
from orchestrator.pipeline import designed, save_lock


@click.command(epilog="Example: onefold -C network_models/wangchao design")
@click.option("--lock/--no-lock", "keep", default=True, help="Write new allocations to onefold.lock. [default: --lock]")
@detailed_exitcode
@click.pass_obj
def command(session: Session, keep: bool, detailed_exitcode: bool) -> int:
    """Compute the target: addresses, VRFs, VLANs, tenants, boundary filters.

    A pure function of the project's files and onefold.lock: same inputs, same bytes; what was once allocated stays.
    """
    project, reading = open_and_read(session)
    target = designed(project, reading)
    if keep:
        save_lock(project, target.lock)
    edits = difference(reading.estate, target.target)
    session.table([(d.subject, d.choice, d.reason) for d in target.decisions], ("subject", "decision", "because"))
    session.findings(target.findings)
    session.say(
        f"{len(target.decisions)} decisions, {len(edits)} rows differ from now; target {target.target.digest[:12]}"
    )
    session.result(
        "design/1",
        {
            "project": project.name,
            "now": reading.estate.digest,
            "target": target.target.digest,
            "decisions": [decision.plain() for decision in target.decisions],
            "findings": [finding.plain() for finding in target.findings],
            "allocations": target.lock.allocations,
            "changes": len(edits),
        },
    )
    return 2 if detailed_exitcode and edits else 0
