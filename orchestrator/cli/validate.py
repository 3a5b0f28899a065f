"""onefold validate: are the project's files whole, and where do they contradict each other."""

import click

from orchestrator.cli.common import open_and_read, tally, with_cloud
from orchestrator.cli.session import Session


@click.command(epilog="Example: onefold -C network_models/wangchao validate")
@click.option("--strict", is_flag=True, help="Exit 3 when there is any contradiction or unknown.")
@with_cloud
@click.pass_obj
def command(session: Session, strict: bool, with_cloud: bool) -> int:
    """Read the project's files and list every fault and contradiction.

    A fault in a file stops the import with one line per fault (file, sheet and cell or line, next move); nothing is
    half-imported. Contradictions between claimed, configured and observed are findings, not faults.
    """
    project, reading = open_and_read(session, with_cloud)
    findings = reading.findings
    session.findings(findings)
    session.say(
        f"{project.name}: readable; {tally(findings)}; {len(reading.unparsed)} configuration lines not understood"
    )
    session.result(
        "validate/1",
        {
            "project": project.name,
            "estate": reading.estate.digest,
            "findings": [finding.plain() for finding in findings],
            "unparsed": [
                {"device": u.device, "file": u.file, "line": u.line, "text": u.text} for u in reading.unparsed
            ],
        },
    )
    open_ends = bool(reading.unparsed) or any(finding.result != "pass" for finding in findings)
    return 3 if strict and open_ends else 0
