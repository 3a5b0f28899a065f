"""The district on its lab, its plan made and signed: for the tests that walk it by the command itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import door, network
from lab.openstack import node as cloud_node
from lab.openstack.catalogue import connect
from lab.openstack.settings import Bed
from orchestrator.intake.policy import read_policy
from orchestrator.model.plan import Plan
from orchestrator.plan.seal import load
from orchestrator.records import approvals
from orchestrator.records.journal import Event, Journal

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "network_models" / "wangchao"
MINUTES = 60.0


@dataclass(frozen=True)
class District:
    """The project on its lab, its plan signed by everybody who must."""

    folder: Path
    plan_file: Path

    def run(self, *words: str, stop_at: str = "", seconds: float = 20 * MINUTES) -> subprocess.CompletedProcess[str]:
        """One call of the command in a process group of its own; `stop_at` kills that group at a journal point."""
        environment = dict(os.environ, ONEFOLD_STOP_AT=stop_at, ONEFOLD_AUTHOR="operator")
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "-C", str(self.folder), "--json", "--yes", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def answer(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The JSON answer of a call that must end with this code."""
        done = self.run(*words)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def plan(self) -> Plan:
        return load(self.plan_file)

    def events(self) -> tuple[Event, ...]:
        """The newest run's journal."""
        journal = Journal(self.folder / ".onefold" / "journal.db")
        try:
            names = journal.runs()
            return journal.events(names[-1]) if names else ()
        finally:
            journal.close()


@contextmanager
def raised(folder: Path) -> Iterator[District]:
    """A copy of the project in `folder`, on a lab before a cloud in its first state; taken down at the end."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(".onefold"))
    keys = [sys.executable, "-m", "network_models.write_district", "keys", "--folder", str(folder)]
    subprocess.run(keys, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    found = District(folder, folder / "plan.json")
    estate, texts = door.world(folder)
    network.up(estate, texts, cloud=True)
    try:
        found.answer("plan", "--out", str(found.plan_file), "--author", "planner")
        policy = read_policy(folder / "policy.yaml")
        asked = [person.name for person in policy.approvals.people if person.role in policy.approvals.required]
        for person in asked[1:]:  # as the command would, which proves the plan anew for everybody who signs
            key = approvals.read_key(folder / "keys" / f"{person}.pem")
            approvals.add(approvals.file_of(found.plan_file), approvals.sign(found.plan, policy, person, key))
        key = folder / "keys" / f"{asked[0]}.pem"
        found.answer("approve", str(found.plan_file), "--as", asked[0], "--key", str(key))
        yield found
    finally:
        cloud_node.detach_node()
        network.down()


def cloud_objects(cloud: Bed) -> Counter[tuple[str, str, str]]:
    """(kind, project, name) of everything in the clouds, counted."""
    connection = connect(cloud, "onefold-admin")
    projects = {project.id: project.name for project in connection.identity.projects()}
    found: Counter[tuple[str, str, str]] = Counter()
    for kind, listed in (
        ("network", connection.network.networks()),
        ("subnet", connection.network.subnets()),
        ("router", connection.network.routers()),
        ("group", connection.network.security_groups()),
        ("server", connection.compute.servers(all_projects=True)),
    ):
        for one in listed:
            if one.name != "default":  # every project has this group from its birth
                found[(kind, projects.get(one.project_id, "?"), one.name)] += 1
    for name in projects.values():
        found[("project", "", name)] += 1
    return found
