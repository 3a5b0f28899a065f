"""Running one playbook by ansible-runner, in a folder of its own that is gone afterwards."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.apply.inventory import inventory
from orchestrator.apply.warm import Warm
from orchestrator.errors import DeviceError, UnreachableError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
SECONDS = 300
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WARM = Warm()
"""Ansible, imported once for all playbooks of this process."""


class Played(Noun):
    """What one playbook did: host -> task name -> the task's result."""

    results: dict[str, dict[str, dict[str, Any]]]

    def text(self, host: str, task: str) -> str:
        """Standard output of a command task. Raises DeviceError when the task did not run there."""
        if task not in self.results.get(host, {}):
            raise DeviceError(f"{host} did not run '{task}': the playbook ended early, look at its last result")
        return str(self.results[host][task].get("stdout", ""))


def play(
    name: str,
    estate: Estate,
    access: Access,
    limit: tuple[str, ...],
    *,
    values: Mapping[str, Any] | None = None,
    files: Mapping[str, Mapping[str, str]] | None = None,
    check: bool = False,
    secrets: Mapping[str, str] | None = None,
) -> Played:
    """Run `playbooks/NAME.yml` on these hosts.

    `files` (host -> file name -> text) lie in the folder that the playbook knows as `folder`. `secrets` become
    environment variables of Ansible. Raises UnreachableError (host does not answer, or its host key is unknown) and
    DeviceError (a task failed), each with the first host's own words.
    """
    import ansible_runner

    warm = WARM.folder()
    folder = Path(tempfile.mkdtemp(dir=warm, prefix="play-"))
    try:
        _lay_out(folder, estate, access, files or {})
        runner = ansible_runner.run(
            private_data_dir=str(folder),
            playbook=str(PLAYBOOKS / f"{name}.yml"),
            limit=",".join(limit),
            extravars={**(values or {}), "folder": str(folder / "want")},
            envvars={**_environment(warm, folder, access), **(secrets or {})},
            cmdline="--check --diff" if check else "",
            quiet=True,
            timeout=SECONDS,
            fact_cache_type="memory",
            settings={"runner_mode": "subprocess", "suppress_env_files": True},
        )
        played = _collect(name, runner)
        if runner.rc != 0:
            raise DeviceError(
                f"playbook {name} ended with {runner.status} on {', '.join(limit)}: {_last_words(runner)}"
            )
        missing = [host for host in limit if host not in played.results]
        if missing:
            raise DeviceError(f"playbook {name} did nothing on {', '.join(missing)}: no such host in its group")
        return played
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: Path, estate: Estate, access: Access, files: Mapping[str, Mapping[str, str]]) -> None:
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.json").write_text(json.dumps(inventory(estate, access)), encoding="utf-8")
    for host, texts in files.items():
        (folder / "want" / host).mkdir(parents=True)
        for file, text in texts.items():
            (folder / "want" / host / file).write_text(text, encoding="utf-8")


def _environment(warm: Path, folder: Path, access: Access) -> dict[str, str]:
    options = (
        f"-o UserKnownHostsFile={access.known_hosts} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "
        "-o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 -o ControlMaster=auto -o ControlPersist=10s"
    )
    return {
        # the warm ansible-playbook, else the one beside this Python, whatever the caller's own path says
        "PATH": f"{warm / 'bin'}:{Path(sys.executable).parent}:{_PATH}",
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_LIBRARY": str(PLAYBOOKS / "library"),
        "ANSIBLE_MODULE_UTILS": str(PLAYBOOKS / "module_utils"),
        "ANSIBLE_LOCAL_TEMP": str(warm / "tmp"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_ARGS": options,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": "8",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ONEFOLD_KNOWN_HOSTS": str(access.known_hosts),
    }


def _collect(name: str, runner: Any) -> Played:
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for event in runner.events:
        data = event.get("event_data") or {}
        host, task, result = data.get("host"), data.get("task"), data.get("res") or {}
        if event["event"] == "runner_on_unreachable":
            raise UnreachableError(f"{host} cannot be reached: {_words(result)}; check the path to it and its host key")
        if event["event"] == "runner_on_failed" and not data.get("ignore_errors"):
            raise DeviceError(f"{host} refused '{task}' of playbook {name}: {_words(result)}")
        if event["event"] == "runner_on_ok":
            results.setdefault(str(host), {})[str(task)] = result
    return Played(results=results)


def _words(result: Mapping[str, Any]) -> str:
    """What a task said, in one line."""
    parts = [str(result.get(key) or "") for key in ("msg", "stderr", "stdout")]
    text = " | ".join(" ".join(part.split()) for part in parts if part.strip())
    return text[-600:] or "no reason given"


def _last_words(runner: Any) -> str:
    text = runner.stdout.read() if runner.stdout else ""
    return " ".join(text.split())[-400:]
