"""The cloud's processes: all in one process namespace, so that ending its first process ends every one of them.

The *keeper* is the first process of that namespace. It holds a lock on the cloud's ports for as long as it lives, and
the kernel ends everything in the namespace with it: no process survives, whoever started it and however that ended.
The network namespace stays the machine's own (the services listen on its loopback).
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.openstack.settings import Bed, port_base
from orchestrator.errors import LabError

_MARK = "ONEFOLD_LAB_SERVICE"
#: what must be asked politely and given time, because it keeps data
_KEEPS_DATA = frozenset({"mariadb", "rabbitmq", "portmapper", "ovn-nb", "ovn-sb"})
_INIT = """
set -e
mount --make-rprivate /
read -r pid rest < /proc/self/stat  # /proc is still the machine's: the number by which others know this process
mount -t proc proc /proc
echo "$pid" > "$1.new"; mv "$1.new" "$1"
trap 'exit 0' TERM
sleep infinity & wait $!
"""


def _lock_file() -> Path:
    return Path("/run/lock") / f"onefold-lab-cloud-{port_base()}.lock"


@contextmanager
def alone(bed: Bed) -> Iterator[None]:
    """Let one caller at a time bring this cloud up; another waits. The lock falls with its holder, however it ends."""
    with (bed.folder / "start.lock").open("w") as lock:
        if not wait(lambda: _locked(lock.fileno()), 900, 0.5):
            raise LabError(f"another start of the cloud in {bed.folder} goes on since 15 minutes: end it first")
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def keeper(bed: Bed) -> int | None:
    """Return the process id of the running keeper of this cloud, or None."""
    try:
        pid = int((bed.folder / "keeper.pid").read_text())
        # a number may have been given to another process since: only a keeper carries this cloud's folder as its mark
        ours = f"{_MARK}=keeper:{bed.folder}" in Path(f"/proc/{pid}/environ").read_text().split("\0")
    except (OSError, ValueError):
        return None
    return pid if ours else None


def start_keeper(bed: Bed) -> None:
    """Take the ports and open the process namespace; raise :class:`LabError` when another lab has them."""
    if os.geteuid() != 0:
        raise LabError("the lab's cloud needs namespaces of its own: run as root, or with sudo")
    file = bed.folder / "keeper.pid"
    file.unlink(missing_ok=True)
    with _lock_file().open("a+") as lock:
        _take(lock.fileno(), bed)
        lock.seek(0)
        lock.truncate()
        lock.write(str(bed.folder))
        lock.flush()
        apart = ["setsid", "--fork", "unshare", "--fork", "--pid", "--mount"]
        command = [*apart, "bash", "-c", _INIT, "keeper", str(file)]
        environment = {**os.environ, _MARK: f"keeper:{bed.folder}"}
        with (bed.folder / "keeper.log").open("w") as log:
            subprocess.run(
                command, env=environment, pass_fds=(lock.fileno(),), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
    if not wait(lambda: keeper(bed) is not None, 10):
        raise LabError(f"the cloud's keeper did not start: see {bed.folder / 'keeper.log'}")


def _take(descriptor: int, bed: Bed) -> None:
    """Lock the ports, waiting a little for a lab that is just ending."""
    if wait(lambda: _locked(descriptor), 5):
        return
    holder = _lock_file().read_text().strip() or "another lab"
    remedy = "run 'python -m lab.openstack down'" if holder == str(bed.folder) else "end that lab"
    raise LabError(f"the cloud in {holder} holds the ports from {port_base()}: {remedy}, or set ONEFOLD_LAB_PORTS")


def start(bed: Bed, name: str, command: Iterable[str], environment: Mapping[str, str] | None = None) -> None:
    """Start one service in the namespace, in a session of its own, with its output in its log."""
    pid = keeper(bed)
    if pid is None:
        raise LabError(f"'{name}' cannot start, the cloud is down: run 'python -m lab.openstack up'")
    whole = {**os.environ, **(environment or {}), _MARK: name}
    with (bed.logs / f"{name}.out").open("a") as log:
        subprocess.run(
            ["setsid", "--fork", "nsenter", "-t", str(pid), "--pid", "--mount", "--", *command],
            env=whole, cwd=bed.run, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, umask=0o077,
        )  # fmt: skip


def members(bed: Bed) -> dict[int, str]:
    """Return every process of the cloud: process id -> name of its service."""
    pid = keeper(bed)
    if pid is None:
        return {}
    ours = Path(f"/proc/{pid}/ns/pid").stat().st_ino
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == pid:
            continue
        try:
            if (entry / "ns/pid").stat().st_ino != ours:
                continue
            marks = [item for item in (entry / "environ").read_text().split("\0") if item.startswith(f"{_MARK}=")]
        except OSError:
            continue  # it has just ended
        # some services overwrite their environment with their title: then the title names them
        name = marks[0].partition("=")[2] if marks else (entry / "comm").read_text().strip()
        if not name.startswith("keeper:"):
            found[int(entry.name)] = name
    return found


def stop(bed: Bed, gently: bool = True) -> None:
    """End every process of the cloud: gently (databases write everything out) or at once (the state is not wanted)."""
    pid = keeper(bed)
    if pid is None:
        return
    if gently:
        _ask([one for one, name in members(bed).items() if name not in _KEEPS_DATA], 4)
        _ask([one for one, name in members(bed).items() if name in _KEEPS_DATA], 60)
    os.kill(pid, signal.SIGKILL)
    if not wait(lambda: not Path(f"/proc/{pid}").exists(), 20):
        raise LabError(f"the cloud's keeper {pid} does not end: look for state D in 'ps -eo pid,stat,args'")
    (bed.folder / "keeper.pid").unlink(missing_ok=True)


def _ask(pids: list[int], seconds: float) -> None:
    """Ask processes to end and wait for them, but not for ever: the keeper's end ends them anyway."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds)


def wait(ready: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Ask until the answer is yes or the time is over; return the last answer."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def wait_for(bed: Bed, name: str, ready: Callable[[], bool], seconds: float) -> None:
    """Wait until a service answers; raise :class:`LabError` naming its log when it died or takes too long."""
    end = time.monotonic() + seconds
    begun = time.monotonic()
    while not ready():
        late = time.monotonic() > end
        if late or (time.monotonic() - begun > 3 and name not in members(bed).values()):
            raise LabError(f"'{name}' {'is not ready' if late else 'died'} while starting: see {bed.logs}/{name}.*")
        time.sleep(0.2)
