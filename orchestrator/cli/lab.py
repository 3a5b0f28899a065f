"""onefold lab: real routers, switches, firewall and cloud on one machine, raised from the project's own estate."""

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.session import Session
from orchestrator.intake.project import PROJECT_FILE


@click.group(epilog="Example: onefold -C network_models/wangchao lab up")
def command() -> None:
    """Raise, test and take down the lab (root).

    Routers are FRR, switches Open vSwitch, the firewall nftables, the cloud OpenStack with a data plane. A cloud server
    is a namespace that holds real files and services (no machine is started); the VRP box is an emulator.
    """


def _folder(session: Session) -> Path:
    if not (session.path / PROJECT_FILE).exists():
        raise click.ClickException(f"{session.path}: no {PROJECT_FILE} here: name the project with -C DIR")
    return session.path


def _tell(session: Session, verb: str, answer: dict[str, Any]) -> None:
    for key, value in answer.items():
        session.say(f"{key}: {value}")
    session.result(f"lab-{verb}/1", answer)


@command.command()
@click.pass_obj
def prepare(session: Session) -> int:
    """Fetch or build everything the lab needs into the cache."""
    from lab import door

    _tell(session, "prepare", door.prepare(session.progress))
    return 0


@command.command()
@click.option("--network-only", is_flag=True, help="Without the cloud.")
@click.pass_obj
def up(session: Session, network_only: bool) -> int:
    """Raise the project's estate as it is now."""
    from lab import door

    folder = _folder(session)
    door.prepare(session.progress)
    _tell(session, "up", door.up(folder, not network_only, session.progress))
    return 0


@command.command()
@click.pass_obj
def status(session: Session) -> int:
    """What runs."""
    from lab import door

    _tell(session, "status", door.status())
    return 0


@command.command()
@click.pass_obj
def test(session: Session) -> int:
    """Send real packets between every pair of points and compare with the prediction. Exit 1 when they differ."""
    from lab import door

    answer = door.compared(session.progress)
    _tell(session, "test", answer)
    return 0 if answer["equal"] else 1


@command.command()
@click.pass_obj
def down(session: Session) -> int:
    """End everything; nothing is left behind, also after a kill."""
    from lab import door

    _tell(session, "down", door.down(session.progress))
    return 0


@command.command()
@click.pass_obj
def reset(session: Session) -> int:
    """Back to the first state."""
    from lab import door

    _tell(session, "reset", door.reset(session.progress))
    return 0
