"""A node: one set of process, network, mount and host-name namespaces, ended whole by ending its first process.

Of its own are processes, interfaces, /run, /srv, /usr/local/sbin, /var/log and every change to /etc (an overlay in
memory); programs are the machine's. The data plane is the node's main network namespace. Management is out of band:
a second network namespace, bound at /run/management, in which only the sshd listens, so that no packet of the district
can take the way over the management network.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import folders
from orchestrator.errors import LabError

MARK = "ONEFOLD_LAB_NETWORK"
_SECONDS = 20
_INIT = """
set -e
read -r pid rest < /proc/self/stat  # /proc is still the machine's: the number by which others know this process
exec >"$1/start.log" 2>&1
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --bind "$1/srv" /srv
mount --bind "$2" /usr/local/sbin
mkdir -p /var/tmp/frr
mount -t tmpfs -o mode=0755 tmpfs /var/tmp/frr
mount -t tmpfs -o mode=0755 tmpfs /var/log
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/netns /run/frr /run/sshd /run/openvswitch /run/lock /run/onefold /run/etc/changes /run/etc/work
mkdir -p /var/log/frr
chown frr:frr /run/frr /var/log/frr /var/tmp/frr
# an overlay in memory, not binds over single files: those are lost as soon as a program renames the file
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/changes,workdir=/run/etc/work /etc
hostname "$3"
touch /run/management
unshare --net=/run/management ip link set lo up
ip link set lo up
onefold-forwarding "$4"
echo "$pid" > "$1/pid.new"; mv "$1/pid.new" "$1/pid"
cd /
trap 'exit 0' TERM
sleep infinity & wait $!
"""


@dataclass(frozen=True)
class Place:
    """Where the network lab keeps its state."""

    folder: Path

    @property
    def nodes(self) -> Path:
        """One folder per running node; gone with `down`."""
        return self.folder / "nodes"

    @property
    def programs(self) -> Path:
        """The programs that every node sees as /usr/local/sbin."""
        return self.folder / "programs"

    @property
    def keys(self) -> Path:
        """ssh keys of nodes and of the operator, kept over restarts."""
        return self.folder.parent / "keys"

    @property
    def hosts(self) -> Path:
        """One folder per host: what it sees as /srv."""
        return self.folder.parent / "hosts"

    @property
    def access(self) -> Path:
        """How to reach everything (0600)."""
        return self.folder.parent / "access.json"


def place() -> Place:
    """Return the network's part of the lab's state folder."""
    state = folders.state()
    if state.is_relative_to("/run") or state.is_relative_to("/srv"):
        raise LabError(
            f"ONEFOLD_LAB is {state}, but every node has a /run and a /srv of its own: choose another folder"
        )
    folder = state / "network"
    folder.mkdir(mode=0o700, exist_ok=True)
    return Place(folder)


def start(name: str, forwarding: bool, files: Path | None = None, lock: int | None = None) -> int:
    """Start a node and return its process id; raise LabError with what it said when it does not come up.

    `files` is what the node sees as /srv (its own empty folder by default). `lock` is a file descriptor that the node
    keeps open as long as it lives.
    """
    where = place()
    folder = where.nodes / name
    folder.mkdir(parents=True, mode=0o755)
    if files is None:
        (folder / "srv").mkdir()
    else:
        files.mkdir(parents=True, exist_ok=True)
        (folder / "srv").symlink_to(files)
    words = ["setsid", "--fork", "unshare", "--fork", "--kill-child=KILL", "--pid", "--net", "--mount", "--uts"]
    command = [*words, "bash", "-c", _INIT, "node", str(folder), str(where.programs), name, "1" if forwarding else "0"]
    environment = {
        "PATH": f"{where.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/run/onefold",
        "LANG": "C.UTF-8",
        MARK: f"{where.folder}:{name}",
    }
    subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=True, pass_fds=() if lock is None else (lock,),
    )  # fmt: skip
    end = time.monotonic() + _SECONDS
    while (found := pid(name)) is None:
        if time.monotonic() > end:
            raise LabError(f"node {name} did not start in {_SECONDS} s: see {folder / 'start.log'}")
        time.sleep(0.01)
    return found


def pid(name: str) -> int | None:
    """Return the running node's first process, or None."""
    where = place()
    try:
        number = int((where.nodes / name / "pid").read_text())
        marks = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return number if f"{MARK}={where.folder}:{name}".encode() in marks else None


def node_pid(name: str) -> int:
    """Return the running node's first process; raise LabError when the node is not up."""
    found = pid(name)
    if found is None:
        raise LabError(f"node {name} is not up: run 'onefold lab up', or look at 'onefold lab status'")
    return found


def entering(number: int, vrf: str | None = None) -> list[str]:
    """Return the front of a command that runs inside a node, or inside one of its VRFs."""
    return ["nsenter", "-t", str(number), "--mount", "--net", "--uts", "--pid", "--",
            *(["ip", "netns", "exec", vrf] if vrf else [])]  # fmt: skip


def execute(
    node: str,
    argv: Sequence[str],
    vrf: str | None = None,
    input: str | None = None,  # noqa: A002  # as subprocess calls it
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a node to its end; the answer holds return code, output and errors.

    Raises LabError when the node is not up or the command takes longer than `timeout` seconds.
    """
    command = [*entering(node_pid(node), vrf), *argv]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/run/onefold",
        "LANG": "C.UTF-8",
        MARK: f"{place().folder}:{node}",
    }
    fed = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, **fed)
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"on {node} '{' '.join(argv)[:80]}' took longer than {timeout:.0f} s: run it by hand to see why"
        ) from error


def script(node: str, text: str, vrf: str | None = None, timeout: float = 60) -> str:
    """Run a shell script inside a node, stopping at its first failure; raise LabError with what it said."""
    done = execute(node, ["bash", "-e", "-s"], vrf, text, timeout)
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-400:]
        raise LabError(f"on {node} '{text.strip().splitlines()[0][:80]} …' ended with {done.returncode}: {said}")
    return done.stdout


def write(node: str, path: str, text: str, mode: int = 0o644, owner: str | None = None) -> None:
    """Write a file inside a node, whole or not at all."""
    file = Path(f"/proc/{node_pid(node)}/root") / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    new.chmod(mode)
    if owner:
        shutil.chown(new, owner, owner)
    new.rename(file)


def running() -> dict[str, int]:
    """Return the nodes that are up: name -> first process. Found by their mark, so a lost file hides nothing."""
    prefix = f"{MARK}={place().folder}:".encode()
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marks = (entry / "environ").read_bytes().split(b"\0")
            if not any(mark.startswith(prefix) for mark in marks) or not _is_first(entry):
                continue
        except OSError:
            continue  # it has just ended
        name = next(mark for mark in marks if mark.startswith(prefix)).removeprefix(prefix).decode()
        found[name] = int(entry.name)
    return found


def members(number: int) -> dict[int, str]:
    """Return every process of a node: process id -> its command line."""
    ours = Path(f"/proc/{number}/ns/pid").stat().st_ino
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "ns/pid").stat().st_ino == ours:
                found[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
        except OSError:
            continue
    return found


def kill(numbers: Sequence[int]) -> None:
    """End nodes by their first processes, and whatever waits for them outside; return when the kernel is done.

    Raises LabError naming processes that do not end.
    """
    for number in [*numbers, *marked()]:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    end = time.monotonic() + _SECONDS
    while left := sorted({*(number for number in numbers if _alive(number)), *marked()}):
        if time.monotonic() > end:
            raise LabError(f"processes {left} do not end: look for what they wait for with 'ps -o pid,stat,wchan -p'")
        time.sleep(0.02)


def marked() -> list[int]:
    """Return every living process that carries the mark of this lab, wherever it runs."""
    prefix = f"{MARK}={place().folder}:".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and prefix in (entry / "environ").read_bytes() and _alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue  # it has just ended
    return found


def _is_first(entry: Path) -> bool:
    numbers = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("NSpid:")).split()
    return len(numbers) == 3 and numbers[-1] == "1"  # the label, the machine's number, its own number


def _alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
