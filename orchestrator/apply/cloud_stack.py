"""Driving one Pulumi stack, and what a kill of the engine leaves of it: half a state file, live plugins, a lock."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.apply.engine import Engine
from orchestrator.apply.stack_files import PROJECT, deployment, is_there, may_be_locked, state_file
from orchestrator.errors import EngineError, SurpriseError
from stacks.resource import Change

_MARK = "ONEFOLD_STACKS"  # in the environment of engine and plugins: whose they are
Note = Callable[[str, str], None]
"""Told of every resource: its logical name and "started" or "done"."""

_OPERATIONS: dict[str, Change] = {
    "create": "create",
    "import": "create",
    "delete": "delete",
    "discard": "delete",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
}


def open_stack(
    name: str,
    engine: Engine,
    backend: str,
    passphrase: Path,
    program: Callable[[], None],
    environment: Mapping[str, str],
) -> Any:
    """The stack of this name, made when there is none. Raises EngineError."""
    from pulumi import automation

    from orchestrator.apply.quiet_stack import opened

    options = automation.LocalWorkspaceOptions(
        pulumi_home=str(engine.home),
        pulumi_command=engine.command(),
        env_vars={
            **engine.environment(),
            "PULUMI_BACKEND_URL": backend,
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            _MARK: _owner(name, backend),
            **environment,
        },
        project_settings=automation.ProjectSettings(
            name=PROJECT, runtime="python", main=str(Path.cwd()), backend=automation.ProjectBackend(url=backend)
        ),
    )
    with reporting(name, "open"):
        return opened(name, program, options, known=is_there(name, backend))


def _owner(stack: str, backend: str) -> str:
    """Whose an engine is: another stack's is not ours to end."""
    return f"{backend} {stack}"


def mend(stack: str, backend: str) -> None:
    """Put a readable state in the place of one that the engine was killed while writing (it writes in place).

    The copy before the last write will do, or none at all: what the state does not know is found in the world.
    """
    path = state_file(stack, backend)
    if path is None:
        return
    for sidecar in path.parent.glob(f"{stack}.json*.attrs"):
        # the backend's own notes on a file; it does without, and stops at half a one
        if not _readable(sidecar):
            sidecar.unlink()
    if not path.exists() or _readable(path):
        return
    copy = path.with_name(path.name + ".bak")
    if _readable(copy):
        path.write_bytes(copy.read_bytes())
    else:
        path.unlink()


def _readable(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def free(stack: Any, backend: str) -> None:
    """End what a killed run left alive (the engine's plugins are process groups of their own) and its lock.

    Only a caller that holds the project's claim may do this: then whoever holds the lock is dead.
    """
    mark = f"{_MARK}={_owner(stack.name, backend)}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
    if may_be_locked(stack.name, backend):
        with reporting(stack.name, "unlock"):
            stack.cancel()


def settled(stack: Any, backend: str) -> set[str]:
    """Forget what a killed run was in the middle of; returns the logical names of what the stack's state holds."""
    content = deployment(stack.name, backend)
    if content is None or content.get("pending_operations"):
        exported = stack.export_stack()
        content = exported.deployment or {}
        if content.get("pending_operations"):
            # what they made, if anything, is looked for in the world and adopted: trust neither yes nor no here
            content["pending_operations"] = []
            stack.import_stack(exported)
    ours = (r["urn"] for r in content.get("resources", []) if not r["type"].startswith("pulumi:"))
    return {urn.split("::")[-1] for urn in ours}


def operations(run: Callable[[Callable[[Any], None]], Any], note: Note = lambda *_: None) -> dict[str, Change]:
    """Run an engine operation and gather what it does to each resource (providers and the stack itself aside)."""
    seen: dict[str, Change] = {}

    def listen(event: Any) -> None:
        for kind, state in (("resource_pre_event", "started"), ("res_outputs_event", "done")):
            metadata = getattr(getattr(event, kind, None), "metadata", None)
            if metadata is None:
                continue
            change = _OPERATIONS.get(str(getattr(metadata.op, "value", metadata.op)))
            if change and not metadata.type.startswith("pulumi:"):
                name = metadata.urn.split("::")[-1]
                seen[name] = change
                note(name, state)

    run(listen)
    return seen


def settle(stack: str, pulumi_stack: Any, adopted: set[str]) -> None:
    """Let the state of what was taken over hold also what the cloud does not tell. Nothing may be made anew."""
    with reporting(stack, "settle"):
        left = operations(lambda listen: pulumi_stack.preview(on_event=listen))
    strange = sorted(name for name, change in left.items() if change != "update" or name not in adopted)
    if strange:
        raise SurpriseError(
            f"{stack}: {strange[0]} was taken over, but the engine would still {left[strange[0]]} it: "
            "look at it in the cloud, remove it there if it is not right, then resume"
        )
    if left:
        with reporting(stack, "settle"):
            pulumi_stack.up(on_output=lambda _: None)


def compare(
    stack: str, planned: Mapping[str, Change], foreseen: Mapping[str, Change], adopted: set[str], resuming: bool
) -> None:
    """The preview must be the plan; when resuming it may be a part of it. Raises SurpriseError."""
    for name, change in foreseen.items():
        if name not in adopted and planned.get(name) != {"replace": "update"}.get(change, change):
            raise SurpriseError(
                f"{stack}: the engine would {change} {name}, the plan says {planned.get(name, 'leave it alone')}: "
                "nothing was made; run 'onefold drift'"
            )
    lacking = sorted(set(planned) - set(foreseen))
    if lacking and not resuming:
        raise SurpriseError(
            f"{stack}: the engine sees nothing to {planned[lacking[0]]} at {lacking[0]}, the plan does: "
            "nothing was made; run 'onefold drift'"
        )


@contextlib.contextmanager
def reporting(stack: str, action: str) -> Iterator[None]:
    """Tell an engine's failure in one line. Raises EngineError instead of the Automation API's errors."""
    from pulumi.automation import errors

    try:
        yield
    except errors.ConcurrentUpdateError as error:
        raise EngineError(
            f"stack {stack} is locked: another onefold works on it, or a killed one left the lock: run 'onefold resume'"
        ) from error
    except errors.CommandError as error:
        if "failed to load checkpoint" in str(error):  # the engine writes it in place: somebody is, or was, at it
            raise EngineError(
                f"stack {stack} is locked: another onefold works on it, or a killed one left half a state: "
                "run 'onefold resume'"
            ) from error
        lines = [line.strip() for line in str(error).splitlines()]
        said = [line for line in lines if line.startswith(("error:", "* "))] or [
            lines[-1] if lines else "no reason given"
        ]
        # what the update plan then misses is only what the first error kept from being made
        first = [line for line in said if "expected resource operations" not in line] or said
        told = " | ".join(dict.fromkeys(first))
        raise EngineError(
            f"stack {stack}: {action} failed: {told[:600]}; mend that, then run 'onefold resume'"
        ) from error
