"""The vendor box: Huawei VRP's command line, emulated (lab.vrp_emulator). A test aid: it forwards no packet."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from lab.network import management, node
from orchestrator.errors import LabError

FILE = "vrp.cfg"
KIND = "vrp8"
_SECONDS = 30


def start(name: str, address: IPv4Address, texts: Mapping[str, str]) -> dict[str, str]:
    """Start the emulator in the node's management namespace and return what `access.json` must know of it.

    The operator comes in by the same key as everywhere; for clients that know passwords only, the generated one lies
    in a 0600 file. Raises LabError when the device has no text or the emulator does not listen.
    """
    if FILE not in texts:
        raise LabError(
            f"{name} is a Huawei VRP box without a {FILE}: export its configuration into configs/{name}/{FILE}"
        )
    folder = node.place().nodes / name
    state, (users, password) = folder / "vrp", _password()
    (folder / FILE).write_text(texts[FILE])
    command = [
        *node.entering(node.node_pid(name)), "nsenter", "--net=/run/management",
        sys.executable, "-m", "lab.vrp_emulator", "--address", str(address),
        "--config", str(folder / FILE), "--state", str(state), "--kind", KIND,
        "--host-key", str(management.host_key(name)), "--users", str(users),
        "--authorized-keys", str(management.operator_key().with_suffix(".pub")),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        node.MARK: f"{node.place().folder}:{name}",
    }
    with (folder / "vrp.log").open("w") as log:
        subprocess.run(
            ["setsid", "--fork", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    _wait(name, state / "ready", folder / "vrp.log")
    return {"vrp_user": management.USER, "vrp_password_file": str(password)}


def _wait(name: str, ready: Path, log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while not ready.exists():
        if time.monotonic() > end:
            said = log.read_text().strip().splitlines()[-1:] or ["nothing said"]
            raise LabError(f"the VRP emulator of {name} does not listen: {said[0]}: see {log}")
        time.sleep(0.05)


def _password() -> tuple[Path, Path]:
    """Return the emulator's list of users and the operator's own password file, both 0600, made at the first call."""
    users, password = node.place().keys / "vrp_users", node.place().keys / "vrp_password"
    if not users.exists():
        secret = secrets.token_urlsafe(18)
        for file, text in ((password, secret), (users, f"{management.USER}:{secret}")):
            file.touch(mode=0o600)
            file.write_text(text + "\n")
    return users, password
