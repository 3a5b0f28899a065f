"""Start and end the VRP emulator as a process of its own, with everything it needs in one folder."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lab.vrp_box import Kind
from orchestrator.errors import LabError

_START_SECONDS = 30.0


class VrpProcess(NamedTuple):
    """A running emulator."""

    process: "subprocess.Popen[bytes]"
    address: str
    port: int
    state: Path

    def known_hosts(self, file: Path) -> Path:
        """Write the emulator's host key to a known hosts file and return the file."""
        key = (self.state / "host_key.pub").read_text().strip()
        name = self.address if self.port == 22 else f"[{self.address}]:{self.port}"
        file.write_text(f"{name} {key}\n")
        return file

    def stop(self, *, kill: bool = False) -> None:
        """End the process, with `kill` as a crash would."""
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(10)


def write_users(state: Path, users: dict[str, str]) -> Path:
    """Write names and passwords to a file that only its owner may read."""
    file = state / "users"
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    return file


def start(
    state: Path,
    config: Path,
    kind: Kind,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    prefix: Sequence[str] = (),
    options: Sequence[str] = (),
) -> VrpProcess:
    """Start an emulator on the folder `state` (which holds ``users``) and wait until it listens.

    `prefix` goes before the command (``ip netns exec NAME``), `options` after it. Raises LabError with the last
    output when the emulator does not come up within 30 s.
    """
    ready = state / "ready"
    ready.unlink(missing_ok=True)
    command = [
        *prefix, sys.executable, "-m", "lab.vrp_emulator", "--address", address, "--port", str(port),
        "--config", str(config), "--state", str(state), "--kind", kind,
        "--host-key", str(state / "host_key"), "--users", str(state / "users"), *options,
    ]  # fmt: skip
    log = state / "emulator.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=Path(__file__).parent.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        # The emulator writes the file in one piece; an empty one is still being written.
        if ready.exists() and ready.read_text().endswith("\n"):
            return VrpProcess(process, address, int(ready.read_text().split()[2]), state)
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise LabError(f"the VRP emulator did not start ({' '.join(last)}): read {log}")


@contextlib.contextmanager
def running(
    state: Path, text: str, kind: Kind, users: dict[str, str], options: Sequence[str] = ()
) -> Iterator[VrpProcess]:
    """Run an emulator on loopback for as long as the block lasts."""
    state.mkdir(parents=True, exist_ok=True)
    config = state / "first.cfg"
    config.write_text(text)
    write_users(state, users)
    emulator = start(state, config, kind, options=options)
    try:
        yield emulator
    finally:
        emulator.stop()
