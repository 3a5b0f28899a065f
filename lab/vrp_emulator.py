"""A Huawei VRP command line over SSH, emulated for tests: it keeps configurations and forwards no packet.

It stands for the vendor box that cannot run in the lab. What it knows of VRP is the grammar of
orchestrator.vendors.huawei_vrp, so it shows that a push is carried out faithfully, and never that a real box would
take a line. It does not add lines by itself (the ``ipv4-family unicast`` a real box shows under ``bgp``).

    python -m lab.vrp_emulator --address 127.0.0.1 --port 0 --config first.cfg --state DIR --kind vrp8 \
        --host-key DIR/host_key --users DIR/users

Users are ``name:password`` lines of a file with mode 0600, or of the variable ONEFOLD_VRP_USERS; public keys come
from ``--authorized-keys``. It prints ``ready ADDRESS PORT`` and also leaves these words in ``DIR/ready``.
"""

import argparse
import asyncio
import hmac
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from lab.vrp_box import Box
from lab.vrp_faults import CONTROL, Faults
from lab.vrp_terminal import Answer, Terminal
from orchestrator.errors import InputError, OnefoldError

_BANNER = "\nInfo: The max number of VTY users is 21.\nWarning: This command line is emulated for tests.\n"
_MORE = "  ---- More ----"
_ERASE_MORE = "\x1b[42D" + " " * 42 + "\x1b[42D"


class Emulator:
    """A box, the sessions on it and the faults ordered for it."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.faults = Faults()

    async def session(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        """Serve one session until the operator or a fault ends it."""
        terminal = Terminal(self.box)
        connection = process.channel.get_connection()
        self.box.hang_up.add(connection.abort)
        try:
            await _Session(self, process, terminal).run()
        except (asyncssh.Error, OSError):
            pass  # the other side is gone; what it had not committed goes with it
        finally:
            self.box.hang_up.discard(connection.abort)
            terminal.close()
            process.close()

    def due(self, line: str) -> str:
        """The fault ordered for a line before it is carried out: ``drop``, ``power`` or none. It is used up."""
        if self.faults.drop_before == line:
            self.faults = self.faults.model_copy(update={"drop_before": None})
            return "drop"
        if self.faults.power_loss_before == line:
            self.faults = self.faults.model_copy(update={"power_loss_before": None})
            return "power"
        return ""

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on the control socket."""
        try:
            answer = self._ordered(json.loads(await reader.readline()))
        except (ValueError, TypeError, KeyError) as error:
            answer = {"error": str(error).splitlines()[0]}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _ordered(self, request: dict[str, object]) -> dict[str, object]:
        if "faults" in request:
            self.faults = Faults.model_validate(request["faults"])
        elif request["do"] == "power-loss":
            self.box.lose_power()
        elif request["do"] != "status":
            raise ValueError(f"unknown request {request['do']!r}")
        return {"sessions": len(self.box.hang_up), "trial": self.box.trial is not None, "kind": self.box.kind}


class _Session:
    """What one operator types and sees."""

    def __init__(self, emulator: Emulator, process: "asyncssh.SSHServerProcess[str]", terminal: Terminal) -> None:
        self._emulator, self._process, self._terminal = emulator, process, terminal
        self._typed = ""
        self._page: list[str] = []
        self._last = ""

    async def run(self) -> None:
        self._write(_BANNER + self._terminal.prompt)
        while data := await self._process.stdin.read(4096):
            for character in data:
                if not await self._key(character):
                    return

    def _write(self, text: str) -> None:
        self._process.stdout.write(text.replace("\n", "\r\n"))

    async def _key(self, character: str) -> bool:
        """Take one key; False ends the session."""
        previous, self._last = self._last, character
        if character == "\n" and previous == "\r":
            return True
        if self._page:
            self._turn_page(character)
        elif character in "\r\n\x1a":
            line, self._typed = ("return" if character == "\x1a" else self._typed), ""
            return await self._line(line)
        elif character in "\b\x7f":
            self._write("\b \b" if self._typed else "")
            self._typed = self._typed[:-1]
        elif character == "\x03":
            self._typed = ""
            self._write("\n" + self._terminal.prompt)
        else:
            self._typed += character
            self._write(character)
        return True

    async def _line(self, line: str) -> bool:
        fault = self._emulator.due(line.strip())
        if fault == "power":
            self._emulator.box.lose_power()
        if fault:
            return self._drop()
        rejected = self._emulator.faults.reject.get(line.strip())
        answer = Answer(rejected) if rejected is not None else self._terminal.handle(line)
        if self._emulator.faults.drop_after == line.strip():
            self._emulator.faults = self._emulator.faults.model_copy(update={"drop_after": None})
            return self._drop()
        if self._emulator.faults.delay_seconds:
            await asyncio.sleep(self._emulator.faults.delay_seconds)
        self._write("\n")
        if answer.close:
            self._process.exit(0)
            return False
        self._answer(answer)
        return True

    def _drop(self) -> bool:
        self._process.channel.get_connection().abort()
        return False

    def _answer(self, answer: Answer) -> None:
        lines = answer.text.split("\n") if answer.text else []
        if answer.question:
            self._write("\n".join([*lines, answer.question]))
            return
        length = self._terminal.screen_length
        if length and len(lines) > length:
            self._page = lines
            self._turn_page(" ")
            return
        self._write("".join(f"{line}\n" for line in lines) + self._terminal.prompt)

    def _turn_page(self, key: str) -> None:
        """Show the next page for a space, the next line for Enter, nothing more for any other key."""
        count = {" ": self._terminal.screen_length - 1, "\r": 1, "\n": 1}.get(key, 0)
        shown, rest = self._page[:count], self._page[count:] if count else []
        self._write("".join(f"{line}\n" for line in shown))
        self._page = rest
        self._write(_MORE if rest else self._terminal.prompt)


class _Server(asyncssh.SSHServer):
    """Passwords from the list of users; public keys are checked by asyncssh against the authorized keys."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = users

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - the name is asyncssh's
        """Ask everyone for proof."""
        return True

    def password_auth_supported(self) -> bool:
        """Take passwords when there are any."""
        return bool(self._users)

    def validate_password(self, username: str, password: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._users.get(username, "").encode(), password.encode()) and bool(password)


def read_users(file: Path | None) -> dict[str, str]:
    """Read ``name:password`` lines from a file that only its owner may read, or from ONEFOLD_VRP_USERS.

    Raises InputError for a file that others may read or a line without a colon.
    """
    text = os.environ.get("ONEFOLD_VRP_USERS", "")
    if file is not None:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise InputError(f"{file}: others may read the passwords: chmod 600 {file}")
        text = file.read_text()
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, colon, password = line.partition(":")
        if not (name and colon and password):
            raise InputError(f"{file or 'ONEFOLD_VRP_USERS'}:{number}: write name:password")
        users[name] = password
    return users


def host_key(file: Path) -> asyncssh.SSHKey:
    """Read the host key, or make one (Ed25519, mode 0600) with its public part beside it."""
    if not file.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        file.touch(mode=0o600)
        file.write_bytes(key.export_private_key())
        file.with_name(file.name + ".pub").write_bytes(key.export_public_key())
    return asyncssh.read_private_key(file)


async def serve(emulator: Emulator, arguments: argparse.Namespace) -> None:
    """Listen on the address and the control socket until cancelled; leaves ``ready`` in the state folder."""
    users = read_users(arguments.users)
    state: Path = arguments.state
    (state / CONTROL).unlink(missing_ok=True)
    control = await asyncio.start_unix_server(emulator.control, state / CONTROL)
    (state / CONTROL).chmod(0o600)
    server = await asyncssh.create_server(
        lambda: _Server(users),
        arguments.address,
        arguments.port,
        server_host_keys=[host_key(arguments.host_key)],
        authorized_client_keys=str(arguments.authorized_keys) if arguments.authorized_keys else None,
        process_factory=emulator.session,
        line_editor=False,
        encoding="utf-8",
    )
    ready = f"ready {arguments.address} {server.get_port()}"
    (state / "ready").write_text(ready + "\n")
    print(ready, flush=True)
    async with control:
        await asyncio.Event().wait()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lab.vrp_emulator", description="Huawei VRP command line, emulated for tests."
    )
    parser.add_argument("--address", required=True, help="address to listen on")
    parser.add_argument("--port", type=int, default=22, help="port to listen on; 0 takes a free one")
    parser.add_argument("--config", type=Path, required=True, help="configuration of the first start")
    parser.add_argument("--state", type=Path, required=True, help="folder for running.cfg, saved.cfg, control, ready")
    parser.add_argument("--kind", choices=("vrp5", "vrp8"), required=True, help="immediate or two-stage commit")
    parser.add_argument("--host-key", type=Path, required=True, help="private host key; made when absent")
    parser.add_argument("--users", type=Path, help="name:password lines, mode 0600 (else ONEFOLD_VRP_USERS)")
    parser.add_argument("--authorized-keys", type=Path, help="public keys that may log in, OpenSSH format")
    parser.add_argument("--cold-boot", action="store_true", help="start from the saved configuration")
    parser.add_argument("--pace", type=float, default=1.0, help="length of a second of the trial timer, in seconds")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until it is ended by a signal; 1 when it cannot start."""
    arguments = _arguments(argv)
    try:
        arguments.state.mkdir(parents=True, exist_ok=True)
        box = Box(
            arguments.kind,
            arguments.state,
            arguments.config.read_text(),
            cold_boot=arguments.cold_boot,
            pace=arguments.pace,
        )
        asyncio.run(serve(Emulator(box), arguments))
    except (OnefoldError, OSError, asyncssh.Error) as error:
        print(f"VRP emulator: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
