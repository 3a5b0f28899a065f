"""All verbs as one command: their names, what holds for each of them, and how their errors are told."""

import contextlib
import importlib
import json
import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from orchestrator import __version__
from orchestrator.cli import INTERRUPTED
from orchestrator.errors import OnefoldError

VERBS: dict[str, str] = {
    "init": "Write a small valid project folder to start from.",
    "validate": "Read the project's files and list every fault and contradiction.",
    "census": "Who there is, what they run, what they rent, and how each fact is known.",
    "design": "Compute the target: addresses, VRFs, VLANs, tenants, boundary filters.",
    "plan": "Compute the way from now to the target: steps, waves, dates. Writes a sealed file.",
    "show": "Print a plan file: steps, reasons, waves.",
    "prove": "Hold every reachable state of a plan to every rule and every registered flow.",
    "approve": "Sign a plan as one of the three administrators.",
    "apply": "Carry out an approved and proved plan, batch by batch.",
    "status": "What is done, what is open, what comes next.",
    "resume": "Finish an interrupted run: read the world, adopt, go on.",
    "rollback": "Take a run back to its snapshot.",
    "check": "Send real packets and compare them with the prediction.",
    "drift": "What changed in the world since, where, and which rule or flow it endangers.",
    "report": "Write the dry-run report as one HTML file that opens offline.",
    "doctor": "Say for each real part: present, version, reachable, or what to do.",
    "lab": "Raise, test and take down the lab: real routers, firewall, cloud.",
    "keys": "Make an administrator's signing key.",
}

EXAMPLES = """\b
Examples:
  onefold -C network_models/wangchao report --out report.html   no machine needed
  onefold -C DIR plan --out plan.json && onefold -C DIR prove plan.json
  onefold -C DIR apply plan.json --wave 1

\b
Exit codes: 0 fine or no change · 1 broken · 2 changes present (--detailed-exitcode)
            3 refused by a rule or an approval · 4 partly applied · 5 world unreachable · 130 stopped by Ctrl-C"""


class LazyGroup(click.Group):
    """Knows every verb's name and sentence; imports a verb's module only when it runs (help stays fast)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a verb, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "-C",
    "folder",
    default=lambda: os.environ.get("ONEFOLD_PROJECT", "."),
    metavar="DIR",
    help="Project folder (with onefold.yaml). [default: .]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    default=lambda: bool(os.environ.get("ONEFOLD_JSON")),
    help="Print one JSON object (versioned schema).",
)
@click.option("--yes", is_flag=True, help="Do not ask; also for scripts.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
@click.version_option(__version__, prog_name="onefold")
@click.pass_context
def group(ctx: click.Context, folder: str, as_json: bool, yes: bool, quiet: bool) -> None:
    """Onefold: from a census workbook to a changed cloud and changed routers; planned, proved, applied, undone."""
    from orchestrator.cli.session import Session

    ctx.obj = Session(folder=folder, as_json=as_json, yes=yes, quiet=quiet)


def run(arguments: list[str] | None = None) -> int:
    """Run one call. Returns the exit code; errors are one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal of another alphabet shows \u6d4b, and ends no call
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in arguments or bool(os.environ.get("ONEFOLD_JSON"))
    # these may stand anywhere, as people type them
    for flag in ("--quiet", "--yes", "--json"):
        if flag in arguments:
            arguments = [flag, *(word for word in arguments if word != flag)]
    try:
        result = group.main(arguments, prog_name="onefold", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        # the reader of our output has gone (head, less): nothing to say to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, click.ClickException, OnefoldError, OSError) as error:
        with contextlib.suppress(OSError):  # where nothing can be said any more, the exit code still tells
            return _fail(error, as_json)
        return 1
    return result if isinstance(result, int) else 0


def _fail(error: Exception, as_json: bool) -> int:
    """Say what stopped the call, for people and under --json for programs. Returns the exit code."""
    message, code = _said(error), _code(error)
    if as_json:
        body = {"schema": "onefold/error/1", "error": message, "exit_code": code, "findings": _faults(error)}
        click.echo(json.dumps(body, ensure_ascii=False))
    click.echo(f"onefold: {message}", err=True)
    return code


def _code(error: Exception) -> int:
    if isinstance(error.__cause__, KeyboardInterrupt):
        return INTERRUPTED
    return error.exit_code if isinstance(error, OnefoldError) else 1


def _said(error: Exception) -> str:
    match error:
        case click.Abort():
            return "stopped by you; nothing more was done: 'onefold status' tells where things stand"
        case click.UsageError(ctx=click.Context() as context):
            return f"{error.format_message().rstrip('.')}: see '{context.command_path} --help'"
        case click.ClickException():
            return error.format_message()
        case OSError(strerror=str()):
            place = error.filename or "what was said"
            return f"{place}: {error.strerror}: name another place, give access or make room"
    return str(error)


def _faults(error: Exception) -> list[dict[str, Any]]:
    """The faults of bad input, one by one; none for any other error."""
    # imported here: only a call that read files can have failed this way, and help must stay fast
    from orchestrator.intake.faults import FaultyInputError

    return [finding.plain() for finding in error.findings] if isinstance(error, FaultyInputError) else []
