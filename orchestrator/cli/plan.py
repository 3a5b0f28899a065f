"""onefold plan: the way from now to the target, sealed."""

from pathlib import Path

import click

from orchestrator.cli.common import detailed_exitcode, open_and_read
from orchestrator.cli.session import Session
from orchestrator.pipeline import designed, ordered, planned, save_lock
from orchestrator.plan import late
from orchestrator.plan.seal import save


@click.command(epilog="Example: onefold -C network_models/wangchao plan --out plan.json")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where the plan file goes.")
@click.option("--author", help="Who answers for this plan. [default: ONEFOLD_AUTHOR, else the login name]")
@detailed_exitcode
@click.pass_obj
def command(session: Session, out: Path, author: str | None, detailed_exitcode: bool) -> int:
    """Compute steps, order, waves and dates. Writes a canonical file sealed by SHA-256; changes nothing else.
    When the order breaks a promise on the way, another one is looked for. Exit 3 when the plan that is written still
    breaks a promise, or one of which nobody can tell: prove would refuse it.
    """
    project, reading = open_and_read(session)
    target = designed(project, reading)
    save_lock(project, target.lock)
    session.progress("planning")
    found = ordered(reading, planned(project, reading, target, author), session.ticker)
    plan = found.plan
    findings = (*target.findings, *late(plan, reading.policy, reading.estate), *found.said, *found.verdict.against())
    save(plan, out)
    session.findings(findings)
    for wave in plan.waves:
        number = sum(len(batch) for batch in wave.batches)
        when = f"wave {wave.number}  {wave.night} ({wave.window})"
        session.say(f"  {when}  {number:3} steps in {len(wave.batches)} batches  {wave.title}")
    session.say(f"{len(plan.steps)} steps in {len(plan.waves)} waves; seal {plan.hash}")
    good = found.verdict.result == "pass"
    session.say(
        f"written to {out}; next: onefold -C {session.folder} prove {out}"
        if good
        else f"written to {out}, but nobody can apply it: the proof says {found.verdict.result}: "
        "change what the findings name, then plan again"
    )
    session.result(
        "plan/1",
        {
            "project": project.name,
            "file": str(out),
            "seal": plan.hash,
            "steps": len(plan.steps),
            "waves": [wave.plain() for wave in plan.waves],
            "proof": found.verdict.result,
            "findings": [finding.plain() for finding in findings],
            "built_from": plan.built_from,
            "leads_to": plan.leads_to,
        },
    )
    if not good:
        return 3
    return 2 if detailed_exitcode and plan.steps else 0
