"""onefold report: the dry-run report for people who have no access to any machine."""

import contextlib
import os
from pathlib import Path
from typing import Literal

import click

from orchestrator.cli.common import open_and_read
from orchestrator.cli.session import Session
from orchestrator.pipeline import designed, opened, ordered, planned, verdict_of


@click.command(epilog="Example: onefold -C network_models/wangchao report --out report.html")
@click.argument("plan_file", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[PLAN]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True)
@click.option(
    "--language",
    type=click.Choice(["zh", "en", "both"]),
    default=lambda: os.environ.get("ONEFOLD_LANGUAGE"),
    help="What it opens in. [default: ONEFOLD_LANGUAGE, else the project's report.language]",
)
@click.pass_obj
def command(session: Session, plan_file: Path | None, out: Path, language: Literal["zh", "en", "both"] | None) -> int:
    """Write one self-contained HTML file (Chinese and English): what moves when and why, proofs, diffs, risks.

    Without PLAN the plan is computed on the spot. Needs no lab, no cloud, no engine; changes nothing.
    """
    from orchestrator.report.dry_run import render

    project, reading = open_and_read(session)
    session.progress("designing")
    target = designed(project, reading)
    session.progress("planning")
    plan = opened(plan_file) if plan_file else planned(project, reading, target)
    session.progress("proving")
    if plan_file:
        verdict = verdict_of(reading, plan, session.ticker)
    else:
        plan, verdict, _said = ordered(reading, plan, session.ticker)
    session.progress("writing")
    text = render(
        reading.estate,
        target,
        plan,
        verdict,
        reading.policy,
        reading.findings,
        language or project.report.language,
        reading.unparsed,
    )
    _write(text, out)
    session.say(f"{out}: {len(plan.steps)} steps, {verdict.states} states, verdict {verdict.result}")
    session.result(
        "report/1", {"file": str(out), "seal": plan.hash, "verdict": verdict.result, "states": verdict.states}
    )
    return 0 if verdict.result == "pass" else 3


def _write(text: str, out: Path) -> None:
    """Write the report whole, or leave the old one as it is. Raises OSError that names the file."""
    place = out.resolve()
    whole = place.is_file() or not place.exists()  # a pipe or a terminal takes it as it comes
    fresh = place.with_name(f".{place.name}.{os.getpid()}.new") if whole else place
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
        if whole:
            fresh.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            if whole:
                fresh.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(out)) from error
