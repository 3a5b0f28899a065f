"""The cloud's part of a step: one Pulumi stack a tenant, its preview held to the plan before anything is made.

The order for one stack is always: free it of a dead run's lock; take over what a dead run made and did not note;
refresh; preview and compare with the rows of the plan; up with that preview as a second lock; read the world.
"""

import contextlib
import json
import os
import secrets
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from orchestrator.apply import cloud_world, engine
from orchestrator.apply.access import Access
from orchestrator.apply.cloud_orphans import clear_default_groups, orphans, unmake
from orchestrator.apply.cloud_stack import Note, compare, free, mend, open_stack, operations, reporting, settle, settled
from orchestrator.apply.device import rows_apart
from orchestrator.apply.playbook import WARM
from orchestrator.errors import EngineError, InputError, SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.records.disk import write_whole
from stacks import provider_networks, tenant
from stacks.resource import Change, Resource, changes, worldly

# gRPC's threads (the engine's language side) and our forks (Ansible, ssh) do not mix: its handlers for forks break both
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

_OF_A_TENANT = ("cloud_networks", "cloud_routers", "security_groups", "security_rules", "servers")
_TABLES = ("clouds", "provider_networks", "tenants", *_OF_A_TENANT)
_CLOUD = threading.RLock()  # the connection is no matter for several threads
_STACKS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # one at a time in each; side by side otherwise


class Raised(Noun):
    """What an `up` did to a stack."""

    stack: str
    changed: dict[str, Change]
    adopted: tuple[str, ...] = ()


def stacks_of(estate: Estate) -> dict[str, tuple[Resource, ...]]:
    """Stack name -> its resources, for every cloud and tenant of the estate; empty tables are left out."""
    names = [*map(tenant.stack_name, estate.tenants), *map(provider_networks.stack_name, estate.clouds)]
    return {name: table for name in names if (table := stack_of(estate, name))}


def stack_of(estate: Estate, name: str) -> tuple[Resource, ...]:
    """The resources of one stack; none when the estate has no such tenant or cloud."""
    cloud, owner = name.removeprefix(provider_networks.stack_name("")), name.removeprefix(tenant.stack_name(""))
    return provider_networks.resources(estate, cloud) if cloud != name else tenant.resources(estate, owner)


def stacks_changed(before: Estate, after: Estate) -> tuple[str, ...]:
    """Stacks whose resources differ, among those that have other rows. Provider networks come first."""
    apart = {table: list(rows_apart(getattr(before, table), getattr(after, table))) for table in _TABLES}
    clouds = {row.name for row in apart["clouds"]} | {row.cloud for row in apart["provider_networks"]}
    tenants = {row.name for row in apart["tenants"]} | {row.tenant for table in _OF_A_TENANT for row in apart[table]}
    if apart["clouds"]:
        tenants |= {row.name for estate in (before, after) for row in estate.tenants.values() if row.cloud in clouds}
    names = [*map(provider_networks.stack_name, sorted(clouds)), *map(tenant.stack_name, sorted(tenants))]
    return tuple(name for name in names if stack_of(before, name) != stack_of(after, name))


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
        with _CLOUD:
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
        old, new = stack_of(before, stack), stack_of(after, stack)
        with _STACKS[stack], self._logins(stack, before, after) as (logins, environment):
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

        known = self._facts((*old, *new))
        if resuming:
            mend(stack, self._backend())
        pulumi_stack = self._stack(stack, program((), {}, {}), environment)
        if resuming:
            free(pulumi_stack, self._backend())
        with reporting(stack, "read the state of"):
            state = settled(pulumi_stack, self._backend())
        with _CLOUD, cloud_world.asking():
            adopt = orphans(self.connection, new, state, domain)
        if adopt and not resuming:
            raise SurpriseError(
                f"{stack}: {', '.join(sorted(adopt))} exists already and is in no plan: "
                "remove it, or run 'onefold resume' if an interrupted run made it"
            )
        planned = changes(old, new)
        with _CLOUD, cloud_world.asking():
            adopt = unmake(self.connection, new, adopt, planned)
        if state:  # refreshing needs no program, only the logins
            with reporting(stack, "refresh"):
                pulumi_stack.refresh(on_output=lambda _: None)
        if resuming:
            stays = {resource.name for resource in new}
            gone = tuple(resource for resource in old if resource.name not in stays)
            retrieving = partial(program, facts=known, logins=logins)
            self._retrieve(stack, pulumi_stack, old, gone, domain, retrieving)
        pulumi_stack.workspace.program = program(new, known, logins, adopt)
        done = self._raise(stack, pulumi_stack, planned, set(adopt), resuming, note, empty=not new)
        if adopt:
            pulumi_stack.workspace.program = program(new, known, logins)
            settle(stack, pulumi_stack, set(adopt))
        if not new:
            self._clear(stack, pulumi_stack, domain)
        return Raised(stack=stack, changed=done, adopted=tuple(sorted(adopt)))

    def _raise(
        self,
        stack: str,
        pulumi_stack: Any,
        planned: Mapping[str, Change],
        adopted: set[str],
        resuming: bool,
        note: Note,
        *,
        empty: bool,
    ) -> dict[str, Change]:
        """Preview, hold it to the plan, and do just that."""
        done: dict[str, Change] = {}
        with tempfile.TemporaryDirectory(prefix="onefold-") as folder:
            update_plan = str(Path(folder) / "plan.json")
            with reporting(stack, "preview"):
                foreseen = operations(lambda listen: pulumi_stack.preview(on_event=listen, plan=update_plan))
            compare(stack, planned, foreseen, adopted, resuming)
            # an empty stack may still hold its login, which is no resource of ours
            if foreseen or empty:
                with reporting(stack, "up"):
                    done = operations(lambda listen: pulumi_stack.up(on_event=listen, plan=update_plan), note)
        return done

    def preview(self, stack: str, estate: Estate) -> dict[str, Change]:
        """What the world of one stack differs in from an estate (with refresh, nothing is changed)."""
        from stacks.program import program

        table = stack_of(estate, stack)
        with _STACKS[stack], self._logins(stack, estate, estate) as (logins, environment):
            known = self._facts(table)
            pulumi_stack = self._stack(stack, program(table, known, logins), environment)
            with reporting(stack, "preview"):
                return operations(lambda listen: pulumi_stack.preview(on_event=listen, refresh=True))

    def _facts(self, table: tuple[Resource, ...]) -> dict[str, str]:
        """What programs of these resources need to be there: facts of the world, and their classes."""
        from orchestrator.apply.quiet_stack import load

        with _CLOUD, cloud_world.asking():
            load({resource.type for resource in table})
            wanted = worldly([dict(resource.arguments) for resource in table])
            return cloud_world.facts(self.connection, wanted, self.access)

    def _stack(self, name: str, program: Callable[[], None], environment: Mapping[str, str]) -> Any:
        with _CLOUD:
            self._engine = self._engine or engine.find()
            passphrase = self._passphrase()
        if self._engine is None:
            raise EngineError("no Pulumi engine is here: run 'onefold doctor' to see how to get one")
        return open_stack(name, self._engine, self._backend(), passphrase, program, environment)

    def _backend(self) -> str:
        chosen = os.environ.get("PULUMI_BACKEND_URL") or self.access.pulumi_backend
        if "://" in chosen:
            return chosen
        folder = Path(chosen).expanduser()
        if not chosen:
            raise InputError(
                "the access file names no pulumi_backend: write the whole path of a folder or a URL for stacks' states"
            )
        if not folder.is_absolute():
            raise InputError(
                f"pulumi_backend {chosen!r} is no whole path: stacks' states must not hang on where a call is made"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return f"file://{folder}"

    def _passphrase(self) -> Path:
        """The file that guards secrets in the stacks' states; made once, 0600. Raises InputError."""
        beside = Path(self.access.pulumi_backend.removeprefix("file://")).expanduser()
        chosen = self.access.passphrase_file
        if chosen is None and not beside.is_absolute():
            raise InputError(
                "the access file names no passphrase_file: write the whole path of one, it guards secrets in stacks' "
                "states"
            )
        chosen = chosen or beside / "passphrase"
        if not chosen.exists():
            chosen.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(chosen, secrets.token_hex(32), 0o600)  # a kill must not leave an empty one
        return chosen.absolute()

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
        state = settled(pulumi_stack, self._backend())
        with _CLOUD, cloud_world.asking():
            found = orphans(self.connection, gone, state, domain)
            lost = unmake(self.connection, gone, found, {resource.name: "create" for resource in gone})
        if not lost:
            return
        pulumi_stack.workspace.program = program(tuple(r for r in old if r.name in state or r.name in lost), adopt=lost)
        with reporting(stack, "take over what must go in"):
            pulumi_stack.up(on_output=lambda _: None)

    def _clear(self, stack: str, pulumi_stack: Any, domain: tuple[str, str] | None) -> None:
        """Leave nothing of an empty stack: its state, and the default groups of projects that are gone."""
        with reporting(stack, "remove"):
            pulumi_stack.workspace.remove_stack(stack)
        if domain is not None:
            with _CLOUD, cloud_world.asking():
                clear_default_groups(self.connection)

    @contextlib.contextmanager
    def _logins(self, stack: str, before: Estate, after: Estate) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """A private clouds file for the engine, with an entry that acts inside the tenant's project; then gone."""
        if self.access.clouds_file is None:
            raise InputError(cloud_world.NO_CLOUDS_FILE)
        known = yaml.safe_load(Path(self.access.clouds_file).read_text(encoding="utf-8"))
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
        # in the warm process's folder, which goes with us by whatever death: passwords are in this file
        with tempfile.TemporaryDirectory(dir=WARM.folder(), prefix="cloud-") as folder:
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
