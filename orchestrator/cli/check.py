"""onefold check: real packets against the prediction, in the state in which the project's world should be."""

import click

from orchestrator.cli.common import open_and_read
from orchestrator.cli.session import Session
from orchestrator.cli.world import estate_now, world_of


@click.command(epilog="Example: onefold -C DIR check")
@click.pass_obj
def command(session: Session) -> int:
    """Send real packets between every pair of points and compare each with the prediction. Exit 3 when one differs.

    What must pass and what must not are always sent together. A probe that cannot run is an error, never "blocked".
    """
    project, reading = open_and_read(session)
    with world_of(session, project, reading.estate) as world:
        estate = estate_now(world.records, reading.estate)
        entries, seal = world.audit.verify()
        session.progress("probing every pair of points")
        found = world.prober.check(estate)
    if not found.probes:
        raise click.ClickException(
            f"no packet was sent: nothing in the world {project.world!r} sends probes, so nothing is known; "
            "send them by hand, or rehearse on a lab with 'onefold lab up'"
        )
    session.findings(found.findings)
    session.say(f"{found.probes} packets sent, {len(found.findings)} did otherwise than predicted")
    session.say(f"audit trail: {entries} entries, unbroken, last {seal[:12]}")
    session.result(
        "check/1",
        {
            "audit": {"entries": entries, "last": seal},
            "estate": estate.digest,
            "packets": found.probes,
            "differences": [finding.plain() for finding in found.findings],
        },
    )
    return 3 if found.findings else 0
