"""Running commands inside the namespaces of a node, and inside those of a server in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import LabError

#: by this variable every process that the cloud starts inside a node is found again
MARK = "ONEFOLD_LAB_NODE"
_ENTER = ("--mount", "--net", "--uts", "--pid")


def entering(pid: int) -> list[str]:
    """Return the front of a command that runs in the namespaces of one process."""
    return ["nsenter", "-t", str(pid), *_ENTER, "--"]


def run(
    pid: int, command: Sequence[str], environment: Mapping[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a node to its end and return what it said."""
    whole = {**os.environ, **(environment or {})}
    return subprocess.run(
        [*entering(pid), *command], env=whole, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
    )


def script(pid: int, text: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a shell script inside a node up to its first failure; raise :class:`LabError` with what it said."""
    done = run(pid, ["bash", "-ec", text], environment)
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-300:]
        first = text.strip().splitlines()[0][:80]
        raise LabError(f"inside node process {pid}: '{first} …' ended with {done.returncode}: {said}")
    return done.stdout


def started(pid: int) -> str | None:
    """Return when a process started, as the kernel counts, or None when it is not there: its identity over time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def marked(*marks: str) -> list[int]:
    """Return the processes whose environment carries one of these marks."""
    found, wanted = [], {f"{MARK}={mark}" for mark in marks}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted & set((entry / "environ").read_text().split("\0")):
                found.append(int(entry.name))
        except OSError:
            continue  # it has just ended
    return found
