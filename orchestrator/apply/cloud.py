"""The cloud's part of a step: one Pulumi stack a tenant, its preview held to the plan before anything is made.

The order for one stack is always: free it of a dead run's lock; take over what a dead run made and did not note;
refresh; preview and compare with the rows of the plan; up with that preview as a second lock; read the world.
"""

import contextlib
import json
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from orchestrator.apply import cloud_world, engine
from orchestrator.apply.access import Access
from orchestrator.errors import EngineError, SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from stacks import provider_networks, tenant
from stacks.resource import Change, Resource, changes, worldly

# gRPC's threads (the engine's language side) and our forks (Ansible, ssh) do not mix: its handlers for forks break both
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

PROJECT = "onefold"
_MARK = "ONEFOLD_STACKS"  # in the environment of engine and plugins: whose they are
Note = Callable[[str, str], None]
"""Told of every resource: its logical name and "started" or "done"."""

_ENGINE = threading.Lock()  # Pulumi's inline programs share the process's runtime settings
_HALF_MADE = ("server", "port", "group")  # in the order in which they let each other go
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


class Raised(Noun):
    """What an `up` did to a stack."""

    stack: str
    changed: dict[str, Change]
    adopted: tuple[str, ...] = ()


def stacks_of(estate: Estate) -> dict[str, tuple[Resource, ...]]:
    """Stack name -> its resources, for every cloud and tenant of the estate; empty tables are left out."""
    tables = {tenant.stack_name(name): tenant.resources(estate, name) for name in estate.tenants}
    for name in estate.clouds:
        tables[provider_networks.stack_name(name)] = provider_networks.resources(estate, name)
    return {name: table for name, table in tables.items() if table}


def stacks_changed(before: Estate, after: Estate) -> tuple[str, ...]:
    """Stacks whose resources differ. Provider networks come first when made; `rollback` turns the order round."""
    old, new = stacks_of(before), stacks_of(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(sorted(names, key=lambda name: (not name.startswith("provider-"), name)))


class Cloud:
    """The clouds of one access file through one engine."""

    def __init__(self, access: Access, progress: Callable[[str], None] = lambda _: None) -> None:
        """Find the engine and the cloud when first used."""
        self.access = access
        self._progress = progress
        self._engine: engine.Engine | None = None
        self._connection: Any = None

    @property
    def connection(self) -> Any:
        """The admin's connection. Raises InputError, UnreachableError."""
        if self._connection is None:
            self._connection = cloud_world.connect(self.access)
        return self._connection

    def push(
        self, stack: str, before: Estate, after: Estate, *, resuming: bool = False, note: Note = lambda *_: None
    ) -> Raised:
        """Bring one stack from `before` to `after`.

        `resuming`: an earlier try may have done a part: its objects are taken over and only the rest is made.
        Raises SurpriseError when the preview is not what the plan says, EngineError, UnreachableError.
        """
        old, new = stacks_of(before).get(stack, ()), stacks_of(after).get(stack, ())
        with _ENGINE, self._logins(stack, before, after) as (logins, environment):
            return self._push(stack, old, new, _tenant_of(stack, before, after), logins, environment, resuming, note)

    def _push(
        self,
        stack: str,
        old: tuple[Resource, ...],
        new: tuple[Resource, ...],
        domain: tuple[str, str] | None,
        logins: Mapping[str, str],
        environment: Mapping[str, str],
        resuming: bool,
        note: Note,
    ) -> Raised:
        from stacks.program import program

        known = cloud_world.facts(self.connection, worldly([dict(r.arguments) for r in (*old, *new)]), self.access)
        if resuming:
            _mend(stack, self._backend())
        pulumi_stack = self._stack(stack, program((), {}, {}), environment)
        if resuming:
            _free(pulumi_stack, self._backend())
        with _reporting(stack, "read the state of"):
            state = _settled(pulumi_stack)
        adopt = self._orphans(new, state, domain)
        if adopt and not resuming:
            raise SurpriseError(
                f"{stack}: {', '.join(sorted(adopt))} exists already and is in no plan: "
                "remove it, or run 'onefold resume' if an interrupted run made it"
            )
        planned = changes(old, new)
        adopt = self._unmake(new, adopt, planned)
        # refreshing needs no program, only the logins
        with _reporting(stack, "refresh"):
            pulumi_stack.refresh(on_output=lambda _: None)
        if resuming:
            stays = {resource.name for resource in new}
            gone = tuple(resource for resource in old if resource.name not in stays)
            retrieving = partial(program, facts=known, logins=logins)
            self._retrieve(stack, pulumi_stack, old, gone, domain, retrieving)
        pulumi_stack.workspace.program = program(new, known, logins, adopt)
        done: dict[str, Change] = {}
        with tempfile.TemporaryDirectory(prefix="onefold-") as folder:
            update_plan = str(Path(folder) / "plan.json")
            with _reporting(stack, "preview"):
                foreseen = _operations(lambda listen: pulumi_stack.preview(on_event=listen, plan=update_plan))
            _compare(stack, planned, foreseen, set(adopt), resuming)
            # an empty stack may still hold its login, which is no resource of ours
            if foreseen or not new:
                with _reporting(stack, "up"):
                    done = _operations(lambda listen: pulumi_stack.up(on_event=listen, plan=update_plan), note)
        if adopt:
            pulumi_stack.workspace.program = program(new, known, logins)
            self._settle(stack, pulumi_stack, set(adopt))
        if not new:
            self._clear(stack, pulumi_stack, domain)
        return Raised(stack=stack, changed=done, adopted=tuple(sorted(adopt)))

    def preview(self, stack: str, estate: Estate) -> dict[str, Change]:
        """What the world of one stack differs in from an estate (with refresh, nothing is changed)."""
        from stacks.program import program

        table = stacks_of(estate).get(stack, ())
        with _ENGINE, self._logins(stack, estate, estate) as (logins, environment):
            known = cloud_world.facts(self.connection, worldly([dict(r.arguments) for r in table]), self.access)
            pulumi_stack = self._stack(stack, program(table, known, logins), environment)
            with _reporting(stack, "preview"):
                return _operations(lambda listen: pulumi_stack.preview(on_event=listen, refresh=True))

    def _stack(self, name: str, program: Callable[[], None], environment: Mapping[str, str]) -> Any:
        from pulumi import automation

        self._engine = self._engine or engine.find()
        if self._engine is None:
            raise EngineError("no Pulumi engine is here: run 'onefold doctor' to see how to get one")
        backend = self._backend()
        options = automation.LocalWorkspaceOptions(
            pulumi_home=str(self._engine.home),
            pulumi_command=self._engine.command(),
            env_vars={
                **self._engine.environment(),
                "PULUMI_BACKEND_URL": backend,
                "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._passphrase()),
                _MARK: backend,
                **environment,
            },
            project_settings=automation.ProjectSettings(
                name=PROJECT, runtime="python", backend=automation.ProjectBackend(url=backend)
            ),
        )
        with _reporting(name, "open"):
            return automation.create_or_select_stack(
                stack_name=name, project_name=PROJECT, program=program, opts=options
            )

    def _backend(self) -> str:
        chosen = os.environ.get("PULUMI_BACKEND_URL") or self.access.pulumi_backend
        if "://" in chosen:
            return chosen
        folder = Path(chosen).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return f"file://{folder}"

    def _passphrase(self) -> Path:
        """The file that guards secrets in the stacks' states; made once, 0600."""
        chosen = self.access.passphrase_file or Path(self.access.pulumi_backend).expanduser() / "passphrase"
        if not chosen.exists():
            chosen.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            chosen.touch(mode=0o600)
            chosen.write_text(secrets.token_hex(32), encoding="utf-8")
        return chosen.absolute()

    def _orphans(self, table: tuple[Resource, ...], state: set[str], domain: tuple[str, str] | None) -> dict[str, str]:
        """What the world holds already of resources that the stack's state does not."""
        project = self._project(domain)
        if domain is not None and project is None:
            return {}
        missing = [resource for resource in table if resource.name not in state]
        found = {resource.name: cloud_world.find_id(self.connection, project, resource) for resource in missing}
        return {name: identity for name, identity in found.items() if identity}

    def _retrieve(
        self,
        stack: str,
        pulumi_stack: Any,
        old: tuple[Resource, ...],
        gone: tuple[Resource, ...],
        domain: tuple[str, str] | None,
        program: Callable[..., Callable[[], None]],
    ) -> None:
        """Take into the state what a killed run made, did not note, and must go now: the engine removes it."""
        state = _settled(pulumi_stack)
        lost = self._unmake(gone, self._orphans(gone, state, domain), {resource.name: "create" for resource in gone})
        if not lost:
            return
        pulumi_stack.workspace.program = program(tuple(r for r in old if r.name in state or r.name in lost), adopt=lost)
        with _reporting(stack, "take over what must go in"):
            pulumi_stack.up(on_output=lambda _: None)

    def _unmake(
        self, table: tuple[Resource, ...], adopt: dict[str, str], planned: Mapping[str, Change]
    ) -> dict[str, str]:
        """Orphans that can be taken over as they are; the half-made others are removed, to be made anew.

        A group is made with rules that let everything out, removed only afterwards; of a server and its port the API
        does not tell all it was made with. Only what this very step was to make is removed: nothing can use it yet.
        """
        kind_of = {resource.name: resource.find.get("kind", "") for resource in table}
        left = dict(adopt)
        for kind in _HALF_MADE:
            for name in sorted(name for name in left if kind_of[name] == kind and planned.get(name) == "create"):
                self._remove(kind, left.pop(name))
                if kind == "group":
                    inside = {
                        r.name for r in table if r.find.get("kind") == "rule" and f"group-{r.find['group']}" == name
                    }
                    left = {other: identity for other, identity in left.items() if other not in inside}
        return left

    def _remove(self, kind: str, identity: str) -> None:
        network, compute = self.connection.network, self.connection.compute
        if kind == "server":
            compute.delete_server(identity, force=True)
            compute.wait_for_delete(compute.get_server(identity), wait=120)
        elif kind == "port":
            network.delete_port(identity)
        else:
            network.delete_security_group(identity)

    def _project(self, domain: tuple[str, str] | None) -> str | None:
        if domain is None:
            return None
        found = self.connection.identity.find_domain(domain[0])
        if found is None:
            return None
        return next((str(p.id) for p in self.connection.identity.projects(name=domain[1], domain_id=found.id)), None)

    def _settle(self, stack: str, pulumi_stack: Any, adopted: set[str]) -> None:
        """Let the state of what was taken over hold also what the cloud does not tell. Nothing may be made anew."""
        with _reporting(stack, "settle"):
            left = _operations(lambda listen: pulumi_stack.preview(on_event=listen))
        strange = sorted(name for name, change in left.items() if change != "update" or name not in adopted)
        if strange:
            raise SurpriseError(
                f"{stack}: {strange[0]} was taken over, but the engine would still {left[strange[0]]} it: "
                "look at it in the cloud, remove it there if it is not right, then resume"
            )
        if left:
            with _reporting(stack, "settle"):
                pulumi_stack.up(on_output=lambda _: None)

    def _clear(self, stack: str, pulumi_stack: Any, domain: tuple[str, str] | None) -> None:
        """Leave nothing of an empty stack: its state, and the default groups of projects that are gone."""
        with _reporting(stack, "remove"):
            pulumi_stack.workspace.remove_stack(stack)
        if domain is not None:
            alive = {project.id for project in self.connection.identity.projects()}
            for group in self.connection.network.security_groups(name="default"):
                if group.project_id and group.project_id not in alive:
                    self.connection.network.delete_security_group(group, ignore_missing=True)

    @contextlib.contextmanager
    def _logins(self, stack: str, before: Estate, after: Estate) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """A private clouds file for the engine, with an entry that acts inside the tenant's project; then gone."""
        known = yaml.safe_load(Path(str(self.access.clouds_file)).read_text(encoding="utf-8"))
        logins = {"cloud": self.access.admin_cloud}
        row = next((e.tenants[stack.removeprefix("tenant-")] for e in (after, before)
                    if stack.removeprefix("tenant-") in e.tenants and stack.startswith("tenant-")), None)  # fmt: skip
        if row is not None:
            entry = json.loads(json.dumps(known["clouds"].get(row.cloud) or known["clouds"][self.access.admin_cloud]))
            estate = after if row.cloud in after.clouds else before
            domain = estate.clouds[row.cloud].keystone_domain
            entry["auth"] |= {"project_name": row.name, "project_domain_name": domain}
            known["clouds"][stack] = entry
            logins["tenant"] = stack
        with tempfile.TemporaryDirectory(prefix="onefold-") as folder:
            file = Path(folder) / "clouds.yaml"
            file.touch(mode=0o600)
            file.write_text(yaml.safe_dump(known), encoding="utf-8")
            yield logins, {"OS_CLIENT_CONFIG_FILE": str(file)}


def _tenant_of(stack: str, before: Estate, after: Estate) -> tuple[str, str] | None:
    """(Keystone domain, project name) of a tenant's stack; None for provider networks."""
    name = stack.removeprefix("tenant-")
    if name == stack:
        return None
    estate = after if name in after.tenants else before
    return estate.clouds[estate.tenants[name].cloud].keystone_domain, name


def _mend(stack: str, backend: str) -> None:
    """Put a readable state in the place of one that the engine was killed while writing (it writes in place).

    The copy before the last write will do, or none at all: what the state does not know is found in the world.
    """
    if not backend.startswith("file://"):
        return
    path = Path(backend.removeprefix("file://")) / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
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


def _free(stack: Any, backend: str) -> None:
    """End what a killed run left alive (the engine's plugins are process groups of their own) and its lock.

    Only a caller that holds the project's claim may do this: then whoever holds the lock is dead.
    """
    mark = f"{_MARK}={backend}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
    with _reporting(stack.name, "unlock"):
        stack.cancel()


def _settled(stack: Any) -> set[str]:
    """Forget what a killed run was in the middle of; returns the logical names in the stack's state."""
    deployment = stack.export_stack()
    content = deployment.deployment or {}
    if content.get("pending_operations"):
        # what they made, if anything, is looked for in the world and adopted: trust neither yes nor no here
        content["pending_operations"] = []
        stack.import_stack(deployment)
    return {resource["urn"].split("::")[-1] for resource in content.get("resources", [])}


def _operations(run: Callable[[Callable[[Any], None]], Any], note: Note = lambda *_: None) -> dict[str, Change]:
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


def _compare(
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
def _reporting(stack: str, action: str) -> Iterator[None]:
    from pulumi.automation import errors

    try:
        yield
    except errors.ConcurrentUpdateError as error:
        raise EngineError(
            f"stack {stack} is locked: another onefold works on it, or a killed one left the lock: run 'onefold resume'"
        ) from error
    except errors.CommandError as error:
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
