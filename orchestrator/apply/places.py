"""Places where workloads run: commands there, and data from one to another over the network as it stands.

A host is entered over its management address. A server in the cloud has none: it is entered from a host, by ssh from
there, so that what moves takes the way that the plan opened. The operator's key stays here: an agent of our own,
forwarded, signs for it; host keys are checked on both legs.
"""

import contextlib
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.apply.access import Access
from orchestrator.errors import DeviceError, UnreachableError
from orchestrator.model.cloud import Server
from orchestrator.model.estate import Estate

ServerKey = Callable[[Server], str]
"""A server's public host key ("ssh-ed25519 AAAA…"), from a source that is not the network itself."""

_KNOWN = "/run/onefold-known-hosts"
_SECONDS: float = 600
"""For one command. Data takes as long as it takes: a connection that is dead is noticed by its own signs of life."""
_ALIVE = ("ServerAliveInterval=15", "ServerAliveCountMax=4")
# the pipe to us is closed when we end, also by a kill: no agent with the operator's key is ever left behind
_AGENT = 'ssh-agent -D -a "$1" & read -r _; kill $!; wait; rm -rf "$(dirname "$1")"'


class Places:
    """All places of an estate, reached with one access file."""

    def __init__(self, access: Access, server_key: ServerKey | None = None) -> None:
        """Nothing is contacted yet."""
        self.access = access
        self._server_key = server_key or self._from_known_hosts
        self._agent: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="onefold-agent-"))
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the agent; its folder goes with it."""
        if self._agent is None:
            self._folder.rmdir()
        else:
            self._agent.communicate()

    @contextlib.contextmanager
    def entered(self) -> Iterator["Places"]:
        """Use and close."""
        try:
            yield self
        finally:
            self.close()

    def run(
        self,
        estate: Estate,
        place: str,
        command: str,
        via: str = "",
        given: str = "",
        *,
        limited: bool = True,
    ) -> str:
        """Standard output of a command at a place (`via`: the host from which a server is entered).

        Not `limited` in time is what moves or sums up data. Bytes that are no UTF-8 come as surrogates and go back as
        they were. Raises UnreachableError when nobody answers in time and DeviceError when the command fails.
        """
        if place in estate.servers:
            command = self._inner(estate, place, via, command)
            place = via
        done = self._ssh(estate, place, command, given, limited=limited)
        if done.returncode == 255:
            raise UnreachableError(
                f"{place} cannot be reached by ssh: {_said(done)}; check the path to it and its host key"
            )
        if done.returncode != 0:
            raise DeviceError(f"{place} refused '{command[:100]}': {_said(done)}")
        return done.stdout

    def copy(self, estate: Estate, source: str, target: str, paths: tuple[str, ...]) -> None:
        """Make these paths at a server (or host) equal to those at a host, by rsync run at the source.

        Raises UnreachableError, DeviceError.
        """
        shell = " ".join(["ssh", *self._options(estate, source, target)])
        where = self._login(estate, target)
        for path in paths:
            parent = shlex.quote(str(Path(path).parent))
            self.run(estate, target, f"mkdir -p {parent}", via=source)
            line = f"rsync -a --delete -e {shlex.quote(shell)} {shlex.quote(path)} {where}:{parent}/"
            self.run(estate, source, line, limited=False)

    def fetch(self, estate: Estate, host: str, server: str, path: str) -> None:
        """Make a path at a host equal to that at a server, by rsync run at the host. Raises as `copy`."""
        shell = " ".join(["ssh", *self._options(estate, host, server)])
        source = f"{self._login(estate, server)}:{shlex.quote(path)}"
        parent = shlex.quote(str(Path(path).parent))
        self.run(estate, host, f"rsync -a --delete -e {shlex.quote(shell)} {source} {parent}/", limited=False)

    def pipe(self, estate: Estate, source: str, target: str, give: str, take: str) -> None:
        """Run `give` at a host with its output into `take` at a server, without a stop in between.

        Raises UnreachableError, DeviceError.
        """
        inner = self._inner(estate, target, source, take)
        self.run(estate, source, f"bash -o pipefail -c {shlex.quote(f'{give} | {inner}')}", limited=False)

    def _inner(self, estate: Estate, server: str, via: str, command: str) -> str:
        if not via:
            raise UnreachableError(
                f"no host is known from which server {server} could be entered: name one in the plan"
            )
        words = ["ssh", *self._options(estate, via, server), self._login(estate, server), command]
        return shlex.join(words)

    def _login(self, estate: Estate, place: str) -> str:
        if place in estate.servers:
            return f"{self.access.server_user}@{estate.servers[place].address}"
        return f"{self.access.user}@{estate.hosts[place].address.ip}"

    def _options(self, estate: Estate, via: str, target: str) -> list[str]:
        """Options of the second leg; puts the target's host key where that leg looks for it."""
        file = f"{_KNOWN}-{target.replace('/', '-')}"
        if target in estate.servers:
            server = estate.servers[target]
            self._write(estate, via, file, f"{server.address} {self._server_key(server)}\n")
        alive = [word for option in _ALIVE for word in ("-o", option)]
        return [*alive, "-o", f"UserKnownHostsFile={file}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
                "-o", "ConnectTimeout=10", "-o", "GlobalKnownHostsFile=/dev/null"]  # fmt: skip

    def _write(self, estate: Estate, host: str, file: str, text: str) -> None:
        done = self._ssh(estate, host, f"cat > {shlex.quote(file)}", text)
        if done.returncode != 0:
            raise UnreachableError(
                f"{host} cannot be reached by ssh: {_said(done)}; check the path to it and its host key"
            )

    def _ssh(
        self, estate: Estate, host: str, command: str, given: str, *, limited: bool = True
    ) -> subprocess.CompletedProcess[str]:
        address = estate.hosts[host].management
        if address is None:
            raise UnreachableError(f"{host} has no management address: nothing can be done there")
        options = [
            f"UserKnownHostsFile={self.access.known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
            "ConnectTimeout=10",
            "ForwardAgent=yes",
            *_ALIVE,
        ]
        words = [word for option in options for word in ("-o", option)]
        try:
            done = subprocess.run(
                ["ssh", "-F", "none", *words, f"{self.access.user}@{address}", command],
                # bytes: a dump may hold some that are no text, and ends of lines that text would change
                input=given.encode(errors="surrogateescape"),
                env={"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": str(self._socket())},
                capture_output=True,
                timeout=_SECONDS if limited else None,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(
                f"{host} did not end '{command[:100]}' within {_SECONDS:g} s: look there, then 'onefold resume'"
            ) from error
        output, errors = done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(done.args, done.returncode, output, errors)

    def _socket(self) -> Path:
        """The socket of the agent that holds the operator's key; it ends with this process, however that ends."""
        socket = self._folder / "agent"
        with self._lock:
            if self._agent is None:
                self._agent = subprocess.Popen(
                    ["sh", "-c", _AGENT, "agent", str(socket)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                self._fill(socket)
        return socket

    def _fill(self, socket: Path) -> None:
        end = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < end:
            time.sleep(0.02)
        added = subprocess.run(
            ["ssh-add", "-q", str(self.access.ssh_key)],
            env={"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": str(socket)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if added.returncode != 0:
            raise UnreachableError(f"the key {self.access.ssh_key} cannot be used: {added.stderr.strip()[:200]}")

    def _from_known_hosts(self, server: Server) -> str:
        for line in self.access.known_hosts.read_text(encoding="utf-8").splitlines():
            names, _, key = line.partition(" ")
            if str(server.address) in names.split(","):
                return key
        raise UnreachableError(
            f"the host key of server {server.key} is not known: add '{server.address} KEY' to {self.access.known_hosts}"
        )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stderr or done.stdout.encode(errors="replace").decode()
    return " ".join(said.split())[-300:] or f"exit code {done.returncode}"
