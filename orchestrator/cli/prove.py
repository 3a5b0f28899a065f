"""onefold prove: every reachable state of a plan against every rule and registered flow."""

from pathlib import Path

import click

from orchestrator.cli.common import open_and_read, plan_file
from orchestrator.cli.session import Session
from orchestrator.pipeline import opened, verdict_of


@click.command(epilog="Example: onefold -C network_models/wangchao prove plan.json")
@plan_file
@click.option("--all", "everything", is_flag=True, help="Also list what passes.")
@click.pass_obj
def command(session: Session, plan_file: Path, everything: bool) -> int:
    """Hold every reachable state (before, after each step, inside batches, after a failure, on the way back)
    to every boundary rule and every registered flow. Exit 3 when a promise breaks or cannot be judged.
    """
    plan = opened(plan_file)
    project, reading = open_and_read(session)
    verdict = verdict_of(reading, plan, session.ticker)
    session.findings(verdict.findings, show_passes=everything)
    session.say(
        f"{verdict.result}: {verdict.states} states, {verdict.packets} packets judged; "
        f"rests on {len(verdict.rests_on)} unverified facts; plan {plan.hash[:12]}"
    )
    if verdict.result == "pass":
        session.say(f"next: onefold -C {session.folder} approve {plan_file} --as NAME --key FILE")
    session.result("prove/1", {"project": project.name, "seal": plan.hash, "verdict": verdict.plain()})
    return 0 if verdict.result == "pass" else 3
