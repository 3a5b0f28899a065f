"""Small things several verbs need: options, and reading the project once."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.apply.access import Access, load_access
from orchestrator.cli.session import Session
from orchestrator.intake.project import Project
from orchestrator.intake.read import Reading
from orchestrator.model.finding import Finding
from orchestrator.pipeline import survey

Function = TypeVar("Function", bound=Callable[..., Any])

plan_file = click.argument("plan_file", type=click.Path(path_type=Path, dir_okay=False), metavar="PLAN")


def detailed_exitcode(function: Function) -> Function:
    """The option --detailed-exitcode: 2 instead of 0 when there are changes."""
    option = click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when changes are present, 0 when none.")
    return option(function)


def with_cloud(function: Function) -> Function:
    """The option --cloud: also ask the clouds' APIs, so that what is in them is observed and not unknown."""
    option = click.option("--cloud", "with_cloud", is_flag=True, help="Also read the clouds by their API.")
    return option(function)


def open_and_read(session: Session, cloud: bool = False) -> tuple[Project, Reading]:
    """The project and what its files say. Raises InputError with every fault when they cannot be read."""
    project = Project.open(session.path)
    session.progress(f"reading {project.name}")
    reading = survey(project)
    if not cloud:
        return project, reading
    from orchestrator.apply.cloud_world import connect
    from orchestrator.intake.openstack import read_cloud

    session.progress("reading the clouds")
    return project, survey(project, read_cloud(connect(access_of(project)), reading.estate))


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings of each result."""
    return dict(Counter(finding.result for finding in findings))


def tally(findings: Iterable[Finding]) -> str:
    """The same as one phrase."""
    number = counts(findings)
    return ", ".join(f"{number.get(kind, 0)} {kind}" for kind in ("fail", "unknown", "pass"))


def state_folder(project: Project) -> Path:
    """Where a project keeps its records: `.onefold/` in its folder, or ONEFOLD_STATE."""
    return Path(os.environ.get("ONEFOLD_STATE") or project.folder / ".onefold")


def access_of(project: Project) -> Access:
    """How the project's world is reached: the lab's access file for `world: lab`, else access.json in the folder.

    Raises InputError when there is none: the message says which file.
    """
    if project.world == "lab":
        return load_access(
            Path(os.environ.get("ONEFOLD_LAB") or "~/.local/state/onefold/lab").expanduser() / "access.json"
        )
    return load_access(project.path("access.json"))
