"""onefold init: a small valid project folder to start from."""

from pathlib import Path

import click

from orchestrator.cli.session import Session
from orchestrator.intake.example import write_example


@click.command(epilog="Example: onefold init my-district && onefold -C my-district validate")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def command(session: Session, folder: Path) -> int:
    """Write a small valid project folder: workbook, topology, policy, one device. Never overwrites a file."""
    write_example(folder)
    session.say(f"{folder}: written; next: onefold -C {folder} validate")
    session.result("init/1", {"folder": str(folder)})
    return 0
