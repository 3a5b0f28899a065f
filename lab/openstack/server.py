"""A server of the lab's cloud: a namespace set in the node, with its own files, its own sshd, its own processes.

It is not a machine: it shares the kernel and the installed programs. Of its own are network, process numbers, host
name, ``/etc``, ``/srv``, ``/root``, ``/tmp``, ``/run`` and the ssh host key. Its processes end with it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lab.login import KEY_EXCHANGE
from lab.openstack import namespaces
from lab.openstack.settings import Bed, bed, write_private
from orchestrator.errors import LabError

#: what a server has of its own besides /etc and /run
_FOLDERS = ("srv", "root", "tmp")
#: of the machine's /etc a server gets neither host keys nor anything by which programs would ask a name server in vain
_LEFT_OUT = ("ssh/ssh_host_*", "resolv.conf", "hosts", "hostname", "shadow*", "gshadow*", "ssl/private")
_INIT = """
set -e
exec >"$1/start.log" 2>&1
read -r pid rest < /proc/self/stat
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/server
mount --bind "$1" /run/server
for folder in etc srv root tmp; do mount --bind /run/server/$folder /$folder; done
hostname "$2"
cd /
/usr/sbin/sshd -f /run/server/sshd_config -E /run/server/sshd.log
echo "$pid" > /run/server/pid.new; mv /run/server/pid.new /run/server/pid
trap 'exit 0' TERM
sleep infinity & wait $!
"""
_SSHD = f"""Port 22
HostKey /run/server/host_key
KexAlgorithms {KEY_EXCHANGE}
PidFile /run/sshd.pid
AuthorizedKeysFile /run/server/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 50:30:100
Subsystem sftp internal-sftp
"""


class Plug(BaseModel):
    """One bound port of a server: where it hangs and its addresses (``a.b.c.d/n``)."""

    model_config = ConfigDict(frozen=True)
    tap: str
    interface: str
    addresses: tuple[str, ...]


class Server(BaseModel):
    """What the plugger knows of a server; kept as server.json in its folder."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    project: str
    keys: tuple[str, ...] = ()
    running: bool = True
    ports: dict[str, Plug] = {}

    @property
    def namespace(self) -> str:
        """Name of its network namespace inside the node."""
        return f"vm-{self.id[:13]}"

    def folder(self, cloud: Bed) -> Path:
        """Folder of its files; gone when the server is deleted, kept when it is stopped."""
        return cloud.folder / "servers" / self.id

    def save(self, cloud: Bed) -> None:
        """Write server.json."""
        write_private(self.folder(cloud) / "server.json", self.model_dump_json())


def load(cloud: Bed) -> dict[str, Server]:
    """Return the servers that have a folder, by id."""
    files = (cloud.folder / "servers").glob("*/server.json")
    found = [Server.model_validate_json(file.read_text()) for file in files]
    return {server.id: server for server in found}


def find(name_or_id: str) -> Server:
    """Return one server; raise :class:`LabError` when none or several bear the name."""
    known = load(bed())
    if name_or_id in known:
        return known[name_or_id]
    named = [server for server in known.values() if server.name == name_or_id]
    if len(named) == 1:
        return named[0]
    if named:
        raise LabError(f"{len(named)} servers are called '{name_or_id}': use one of {', '.join(s.id for s in named)}")
    names = ", ".join(sorted(server.name for server in known.values())) or "none"
    raise LabError(f"no server '{name_or_id}' is plugged: there are {names}")


def process(server: Server, node: int) -> int | None:
    """Return the server's first process as its node counts it, or None when it is not running."""
    try:
        pid = int((server.folder(bed()) / "pid").read_text())
    except (OSError, ValueError):
        return None
    alive = namespaces.run(node, ["grep", "-qz", f"^{namespaces.MARK}=server:{server.id}$", f"/proc/{pid}/environ"])
    return pid if alive.returncode == 0 else None


def boot(server: Server, node: int, cloud: Bed) -> None:
    """Start the server's namespaces and its sshd inside its network namespace, which must exist."""
    folder = server.folder(cloud)
    _prepare(server, folder)
    (folder / "pid").unlink(missing_ok=True)
    command = [
        "setsid", "--fork", *namespaces.entering(node), "ip", "netns", "exec", server.namespace,
        "unshare", "--fork", "--pid", "--mount", "--uts",
        "bash", "-c", _INIT, "server", str(folder), host_name(server.name),
    ]  # fmt: skip
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
        "LANG": "C.UTF-8", namespaces.MARK: f"server:{server.id}",
    }  # fmt: skip
    nothing = subprocess.DEVNULL
    subprocess.run(command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
    end = time.monotonic() + 10
    while not (folder / "pid").exists():
        if time.monotonic() > end:
            raise LabError(f"server '{server.name}' did not start: see {folder}/start.log and {folder}/sshd.log")
        time.sleep(0.02)


def halt(server: Server) -> None:
    """End every process of the server; its files stay."""
    for pid in namespaces.marked(f"server:{server.id}"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def discard(server: Server, cloud: Bed) -> None:
    """Remove the files of a server that is gone."""
    shutil.rmtree(server.folder(cloud), ignore_errors=True)


def host_name(name: str) -> str:
    """Return a name that a kernel and a shell accept as host name."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-")[:63] or "server"


def _prepare(server: Server, folder: Path) -> None:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "root").chmod(0o700)
    (folder / "tmp").chmod(0o1777)
    if not (folder / "etc").exists():
        _copy_etc(folder / "etc", host_name(server.name))
    if not (folder / "host_key").exists():
        new_key(folder / "host_key", server.name)
    (folder / "sshd_config").write_text(_SSHD)
    (folder / "authorized_keys").write_text("".join(f"{key.strip()}\n" for key in server.keys))


def _copy_etc(target: Path, name: str) -> None:
    """Copy the machine's /etc whole (single bound files would be lost when the machine replaces them), made its own."""
    new = target.with_name(".etc.new")
    shutil.rmtree(new, ignore_errors=True)
    left_out = [f"--exclude=/{pattern}" for pattern in _LEFT_OUT]
    subprocess.run(["rsync", "-a", *left_out, "/etc/", str(new)], check=True, capture_output=True, timeout=60)
    (new / "hostname").write_text(f"{name}\n")
    (new / "hosts").write_text(f"127.0.0.1 localhost {name}\n")
    (new / "resolv.conf").write_text("# the lab has no name server\n")
    (new / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    new.rename(target)


def new_key(file: Path, comment: str) -> None:
    """Make an ed25519 key pair without passphrase (0600)."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host_name(comment), "-f", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
