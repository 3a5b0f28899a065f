"""Commands on devices and hosts over SSH, for reading and for moving data. Host keys are always checked."""

import contextlib
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.errors import DeviceError, UnreachableError
from orchestrator.model.base import Noun

SECONDS = 60


class Answer(Noun):
    """What a command said and how it ended."""

    code: int
    output: str
    errors: str


class Remote:
    """One SSH connection a host, made when first needed. Safe for threads; close it (or use `with`)."""

    def __init__(self, access: Access) -> None:
        """Remember how to get in; nothing is contacted yet."""
        self._access = access
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def run(self, name: str, address: IPv4Address, command: str, given: str = "", seconds: float = SECONDS) -> Answer:
        """Run a shell command. Raises UnreachableError; a command that fails is the caller's to judge."""
        with self._reporting(name, address):
            channel = self._client(name, address).get_transport().open_session(timeout=seconds)
            with contextlib.closing(channel):
                channel.settimeout(seconds)
                channel.exec_command(command)
                channel.sendall(given.encode())
                channel.shutdown_write()
                output, errors = _read(channel)
                return Answer(code=channel.recv_exit_status(), output=output, errors=errors)

    def ask(self, name: str, address: IPv4Address, command: str, given: str = "", seconds: float = SECONDS) -> str:
        """Standard output of a command that must succeed. Raises UnreachableError and DeviceError."""
        answer = self.run(name, address, command, given, seconds)
        if answer.code != 0:
            said = " ".join((answer.errors or answer.output).split())[-300:]
            raise DeviceError(f"{name} refused '{command[:80]}': {said or f'exit code {answer.code}'}")
        return answer.output

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _client(self, name: str, address: IPv4Address) -> Any:
        with self._lock:
            mine = self._locks.setdefault(name, threading.Lock())
        with mine:
            client = self._clients.get(name)
            transport = client.get_transport() if client else None
            if transport is None or not transport.is_active():
                client = self._clients[name] = self._connect(address)
            return client

    def _connect(self, address: IPv4Address) -> Any:
        import paramiko

        client = paramiko.SSHClient()
        client.load_host_keys(str(self._access.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            str(address),
            username=self._access.user,
            key_filename=str(self._access.ssh_key),
            look_for_keys=False,
            allow_agent=False,
            timeout=10,
            banner_timeout=20,
            auth_timeout=20,
        )
        return client

    @contextlib.contextmanager
    def _reporting(self, name: str, address: IPv4Address) -> Iterator[None]:
        import paramiko

        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(
                f"{name} ({address}) cannot be reached by ssh: {reason}; check the path to it and its host key"
            ) from error


def _read(channel: Any) -> tuple[str, str]:
    """Both streams to their end, without one blocking the other."""
    errors: list[bytes] = []

    def read_errors() -> None:
        with contextlib.suppress(OSError):  # a device that falls silent does so at both ends: the other one tells it
            errors.extend(iter(lambda: channel.recv_stderr(65536), b""))

    reader = threading.Thread(target=read_errors, daemon=True)
    reader.start()
    output = b"".join(iter(lambda: channel.recv(65536), b""))
    reader.join()
    return output.decode(errors="replace"), b"".join(errors).decode(errors="replace")
