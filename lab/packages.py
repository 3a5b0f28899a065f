"""The Debian packages that the lab stands on: listed once, and installed only where missing.

Debian starts and enables a daemon as soon as its package is installed. The lab brings its own databases, brokers and
routers up inside its own folders and namespaces, so nothing that comes with a package may start by itself: a
``policy-rc.d`` forbids it during the installation, and units that came with a new package are disabled afterwards.
Packages that were there before, and their daemons, are left exactly as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.progress import Progress, silent
from orchestrator.errors import LabError

#: package -> the units it brings along (Debian 12)
PACKAGES: dict[str, tuple[str, ...]] = {
    "curl": (),
    "dnsmasq-base": (),
    "frr": ("frr.service",),
    "frr-pythontools": (),
    "iproute2": (),
    "iputils-ping": (),
    "mariadb-client": (),
    "mariadb-server": ("mariadb.service",),
    "nftables": ("nftables.service",),
    "openssh-client": (),
    "openssh-server": ("ssh.service", "ssh.socket"),
    "procps": (),
    "python3": (),
    "python3-venv": (),
    "rabbitmq-server": ("rabbitmq-server.service", "epmd.service", "epmd.socket"),
    "rsync": (),
}

_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = "#!/bin/sh\n# No daemon may start by itself while the lab installs its packages.\nexit 101\n"
_SECONDS = 1800


def missing() -> tuple[str, ...]:
    """Return the packages of the list that are not installed, sorted."""
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *PACKAGES], text=True, capture_output=True
    )
    present = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    return tuple(sorted(set(PACKAGES) - present))


def ensure(progress: Progress = silent) -> tuple[str, ...]:
    """Install what is missing and return its names; raise :class:`LabError` when that cannot be done."""
    wanted = missing()
    if not wanted:
        return ()
    sudo = _sudo()
    progress(f"packages: installing {' '.join(wanted)}")
    with _nothing_starts(sudo):
        _run([*sudo, "apt-get", "-qq", "update"])
        options = ["-o", "DPkg::Lock::Timeout=300", "--no-install-recommends"]
        _run([*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", *options, *wanted])
    _disable(sudo, [unit for package in wanted for unit in PACKAGES[package]])
    if still := missing():
        raise LabError(f"packages still missing after installation: {' '.join(still)}: install them by hand")
    return wanted


def _sudo() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise LabError("packages are missing and this user may not install them: run as root, or install sudo")
    return ["sudo", "-n"]


@contextmanager
def _nothing_starts(sudo: Sequence[str]) -> Iterator[None]:
    """Forbid the start of daemons while the block runs; put back whatever policy was there."""
    before = _POLICY.read_text() if _POLICY.exists() else None
    _install_policy(sudo, _FORBID)
    try:
        yield
    finally:
        if before is None or before == _FORBID:
            _run([*sudo, "rm", "-f", str(_POLICY)])
        else:
            _install_policy(sudo, before)


def _install_policy(sudo: Sequence[str], text: str) -> None:
    _run([*sudo, "install", "-m", "0755", "/dev/stdin", str(_POLICY)], text)


def _disable(sudo: Sequence[str], units: Sequence[str]) -> None:
    """Disable units that came with new packages; units that this release does not have are passed over."""
    if shutil.which("systemctl") is None:
        return
    for unit in units:
        subprocess.run([*sudo, "systemctl", "disable", unit], capture_output=True, text=True)


def _run(command: Sequence[str], text: str = "") -> None:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"'{' '.join(command)}' took longer than {_SECONDS} s: run it by hand to see why") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise LabError(f"'{' '.join(command)}' ended with {done.returncode}: {last[0]}: run it by hand to see why")
