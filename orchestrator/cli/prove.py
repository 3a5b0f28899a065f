"""onefold prove: every reachable state of a plan against every rule and registered flow."""

from pathlib import Path

import click

from orchestrator.cli.common import open_and_read, plan_file
from orchestrator.cli.session import Session
from orchestrator.pipeline import audited, opened, verdict_of
from orchestrator.proof import Rechecked


@click.command(epilog="Example: onefold -C network_models/wangchao prove plan.json --audit 20")
@plan_file
@click.option("--all", "everything", is_flag=True, help="Also list what passes.")
@click.option("--audit", type=click.IntRange(min=1), help="Judge N sampled states again by an independent walker.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which states the audit takes.")
@click.pass_obj
def command(session: Session, plan_file: Path, everything: bool, audit: int | None, seed: int) -> int:
    """Hold every reachable state (before, after each step, inside batches, after a failure, on the way back)
    to every boundary rule and every registered flow. Exit 3 when a promise breaks or cannot be judged, or when an
    audit finds a packet that goes another way than proved.
    """
    plan = opened(plan_file)
    project, reading = open_and_read(session)
    verdict = verdict_of(reading, plan, session.ticker)
    session.findings(verdict.findings, show_passes=everything)
    session.say(
        f"{verdict.result}: {verdict.states} states ({verdict.settling} while routing settles), "
        f"{verdict.packets} packets judged; "
        f"rests on {len(verdict.rests_on)} unverified facts; plan {plan.hash[:12]}"
    )
    for limit in verdict.limits:
        session.say(f"not covered: {limit}")
    checked = audited(reading, plan, audit, seed, session.ticker) if audit else None
    agreed = checked is None or not checked.differences
    if checked:
        _told(session, checked)
    if verdict.result == "pass" and agreed:
        session.say(f"next: onefold -C {session.folder} approve {plan_file} --as NAME --key FILE")
    answer = {"project": project.name, "seal": plan.hash, "verdict": verdict.plain()}
    session.result("prove/1", answer | ({"audit": checked.plain()} if checked else {}))
    return 0 if verdict.result == "pass" and agreed else 3


def _told(session: Session, checked: Rechecked) -> None:
    for difference in checked.differences[:20]:
        session.say(f"audit: {difference}: do not apply this plan, report both walks")
    session.say(
        f"audit: {checked.packets} packets in {len(checked.states)} of {checked.reachable} states walked again by an "
        "independent walker, "
        f"{len(checked.differences)} differ"
    )
