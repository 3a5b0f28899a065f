"""One SSH session on a VRP command line: every answer is read up to the prompt, which is known by its pattern.

netmiko's own Huawei drivers find out the mode by waiting (about 9 s for one set of lines); here the prompt says it.
"""

import re
import time
from pathlib import Path
from typing import NamedTuple

import paramiko
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException, ReadException
from netmiko.huawei.huawei import HuaweiBase

from orchestrator.errors import DeviceError, InputError, UnreachableError
from orchestrator.vendors.huawei_vrp.tree import redact

_POLL_SECONDS = 0.004
_QUESTION = r"\[Y(?:\(yes\))?/N(?:\(no\))?(?:/C\(cancel\))?\]\s*:?"
_LOGIN = re.compile(rf"(?:^|\n)(?:[<\[][~*]?([^<>\[\]\s]+)[>\]]|.*{_QUESTION})\s*\Z")


class HostKeyError(UnreachableError):
    """The device's SSH host key is not the one in the known hosts file."""


class SessionLostError(UnreachableError):
    """The session ended in the middle of the work; whether the last line took effect is unknown."""


class Target(NamedTuple):
    """Where to log in and as whom. The password never appears in messages, logs or arguments of programs."""

    host: str
    username: str
    known_hosts: Path
    port: int = 22
    password: str | None = None
    key_file: Path | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0

    def __repr__(self) -> str:
        return f"{self.username}@{self.host}:{self.port}"


class Reply(NamedTuple):
    """What the device wrote after a line, without echo and prompt, and whether it asks a question."""

    text: str
    question: bool = False


class Connection(HuaweiBase):
    """A netmiko connection without a single wait of fixed length after login."""

    def session_preparation(self) -> None:
        """Learn the system name from the prompt and switch paging off."""
        self.ansi_escape_codes = True
        self.names: set[str] = set()
        found = self._await(_LOGIN, 15.0)
        if found[1] is None:
            # "The password has expired. Change now? [Y/N]": an answer of ours must not change a password.
            raise DeviceError("the device asks a question at login: log in by hand and answer it once")
        self.names.add(found[1])
        self.exchange("screen-length 0 temporary", 15.0)

    def cleanup(self, command: str = "") -> None:
        """End the session without a word: pending questions and candidates are the caller's matter."""

    def exchange(self, line: str, seconds: float) -> Reply:
        """Send a line and read its echo and answer up to the next prompt or question.

        Raises SessionLostError when the device hangs up, DeviceError when no prompt comes within `seconds`.
        """
        words = line.split()
        if words[:1] == ["sysname"] and len(words) == 2:
            self.names.add(words[1])
        elif words == ["undo", "sysname"]:
            self.names.add("HUAWEI")
        names = "|".join(map(re.escape, sorted(self.names)))
        prompt = rf"<(?:{names})>|\[[~*]?(?:{names})(?:-[^\]\n]*)?\]"
        pattern = re.compile(rf"{re.escape(line)}[^\S\n]*\n(?:(.*)\n)?(?:(?:{prompt})|(.*{_QUESTION}))\s*\Z", re.DOTALL)
        try:
            self.write_channel(line + "\n")
        except OSError as error:
            raise SessionLostError(f"the session ended before {redact(line)!r} was sent") from error
        found = self._await(pattern, seconds, line)
        return Reply("\n".join(filter(None, (found[1], found[2]))), question=found[2] is not None)

    def _await(self, pattern: re.Pattern[str], seconds: float, line: str = "") -> re.Match[str]:
        sent = f"after {redact(line)!r} was sent" if line else "at login"
        deadline = time.monotonic() + seconds
        output = ""
        while time.monotonic() < deadline:
            try:
                received = self.read_channel()
            except (OSError, EOFError, ReadException) as error:
                raise SessionLostError(f"the session ended {sent}") from error
            output += received
            if received:
                found = pattern.search(output)
                if found is not None:
                    return found
            elif getattr(self.remote_conn, "closed", True):
                raise SessionLostError(f"the session ended {sent}")
            else:
                time.sleep(_POLL_SECONDS)
        raise DeviceError(f"no prompt within {seconds:g} s {sent}; last output {redact(output[-80:])!r}")


def connect(target: Target) -> Connection:
    """Log in with the host key checked against the known hosts file, and nothing else.

    Raises InputError without a known hosts file, HostKeyError, UnreachableError, DeviceError.
    """
    if not target.known_hosts.is_file():
        raise InputError(f"{target.known_hosts}: no such file: record the host key of {target.host} there first")
    try:
        return Connection(
            device_type="huawei",
            host=target.host,
            port=target.port,
            username=target.username,
            password=target.password or "",
            use_keys=target.key_file is not None,
            key_file=str(target.key_file) if target.key_file else None,
            allow_agent=False,
            ssh_strict=True,
            system_host_keys=False,
            alt_host_keys=True,
            alt_key_file=str(target.known_hosts),
            conn_timeout=target.connect_seconds,
            auth_timeout=target.connect_seconds,
            banner_timeout=target.connect_seconds,
        )
    except NetmikoAuthenticationException as error:
        raise UnreachableError(f"{target!r}: login refused: check the user name and the password or key") from error
    except NetmikoTimeoutException as error:
        raise _refused(target, error) from error
    except (DeviceError, SessionLostError) as error:
        raise type(error)(f"{target!r}: {error}") from error


def _refused(target: Target, error: NetmikoTimeoutException) -> UnreachableError:
    """Say why no connection came about; netmiko reports all reasons alike."""
    cause = error.__context__
    if isinstance(cause, paramiko.BadHostKeyException):
        return HostKeyError(
            f"{target!r}: the host key is not the one in {target.known_hosts}: "
            "make sure that this is the device before you replace the key"
        )
    if "not found in known_hosts" in str(cause):
        return HostKeyError(f"{target!r}: no host key in {target.known_hosts}: record the key of the device there")
    return UnreachableError(f"{target!r}: no connection ({cause}): check address, port and route")
