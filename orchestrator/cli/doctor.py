"""onefold doctor: each real part: present, version, reachable, or what to do."""

import click

from orchestrator.cli.common import tally
from orchestrator.cli.session import Session
from orchestrator.errors import InputError
from orchestrator.intake.project import PROJECT_FILE
from orchestrator.model.finding import Finding


@click.command(epilog="Example: onefold -C DIR doctor")
@click.option("--get", is_flag=True, help="Download or build the Pulumi engine when it is missing.")
@click.option("--lab/--no-lab", "with_lab", default=True, help="Also the parts the lab needs.")
@click.pass_obj
def command(session: Session, get: bool, with_lab: bool) -> int:
    """Say for each real part: present, version, reachable, or what to do. Exit 5 when one is missing.

    A probe that cannot run (no ping, say) is an error here and everywhere, never a "blocked".
    """
    from orchestrator.apply import engine, examine

    if get:
        engine.ensure(session.progress)
    findings = list(examine.parts())
    if with_lab:
        from lab import parts

        findings += list(parts.examine())
    if (session.path / PROJECT_FILE).exists():
        findings += _world(session)
    for finding in findings:
        mark = {"pass": "ok", "fail": "MISSING", "unknown": "?"}[finding.result]
        session.say(f"  {mark:8}{finding.subject:28} {finding.what}" + (f"; {finding.fix}" if finding.fix else ""))
    session.say(tally(findings))
    session.result("doctor/1", {"parts": [finding.plain() for finding in findings]})
    return 5 if any(finding.result == "fail" for finding in findings) else 0


def _world(session: Session) -> list[Finding]:
    from orchestrator.apply import examine
    from orchestrator.cli.common import access_of, open_and_read

    project, reading = open_and_read(session)
    try:
        access = access_of(project)
    except InputError as error:
        return [Finding(subject="world", result="unknown", what=str(error))]
    return list(examine.world(reading.estate, access))
