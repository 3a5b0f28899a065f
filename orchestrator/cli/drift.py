"""onefold drift: what changed in the world by other hands, where, and which rule or flow it endangers."""

from datetime import UTC, datetime

import click

from orchestrator.apply.drift import drift
from orchestrator.cli.common import detailed_exitcode, open_and_read
from orchestrator.cli.session import Session
from orchestrator.cli.world import estate_now, world_of


@click.command(epilog="Example: onefold -C DIR drift --detailed-exitcode")
@detailed_exitcode
@click.pass_obj
def command(session: Session, detailed_exitcode: bool) -> int:
    """Read every device, host and tenant and hold them to the estate in which they should be; changes nothing.

    A renamed network, a hand-edited router, a removed firewall rule: what, where, and the promise it endangers.
    """
    project, reading = open_and_read(session)
    with world_of(session, project, reading.estate) as world:
        estate = estate_now(world.records, reading.estate)
        session.progress("reading the world")
        found = drift(estate, reading.policy, world.hands, datetime.now(UTC).date())
    for difference in found.differences:
        session.say(f"  changed  {difference}")
    session.findings(found.endangered)
    session.say(f"{len(found.differences)} changes, {len(found.endangered)} promises endangered")
    session.result("drift/1", {"estate": estate.digest, **found.plain()})
    return 2 if detailed_exitcode and found.differences else 0
