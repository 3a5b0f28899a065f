"""The agent that signs for the operator: one for all threads, and none left when its owner ends, however it ends."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.apply.access import Access
from orchestrator.apply.places import Places
from orchestrator.errors import UnreachableError

OWNER = """
import os, sys, time
from pathlib import Path
from orchestrator.apply.access import Access
from orchestrator.apply.places import Places
print(Places(Access(ssh_key=Path(sys.argv[1]), known_hosts=Path("/dev/null")))._socket(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    return tmp_path / "key"


def agents(socket: Path) -> list[str]:
    found = subprocess.run(["pgrep", "-f", f"ssh-agent -D -a {socket}"], capture_output=True, text=True, check=False)
    return [
        number for number in found.stdout.split() if Path(f"/proc/{number}/comm").read_text().strip() == "ssh-agent"
    ]


def gone(socket: Path) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not agents(socket) and not socket.parent.exists():
            return True
        time.sleep(0.05)
    return False


def test_threads_share_one_agent_and_closing_ends_it(key: Path) -> None:
    places = Places(Access(ssh_key=key, known_hosts=Path("/dev/null")))
    with ThreadPoolExecutor(6) as pool:
        sockets = {future.result() for future in [pool.submit(places._socket) for _ in range(6)]}
    (socket,) = sockets
    assert len(agents(socket)) == 1
    listed = subprocess.run(
        ["ssh-add", "-l"], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, capture_output=True, check=True
    )
    assert b"ED25519" in listed.stdout
    places.close()
    assert gone(socket)


def test_an_owner_killed_with_its_own_number_alone_leaves_no_agent(key: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(key)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    socket = Path(owner.stdout.readline().strip())
    assert len(agents(socket)) == 1
    owner.kill()
    owner.communicate()
    assert gone(socket)


def test_a_key_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    places = Places(Access(ssh_key=tmp_path / "none", known_hosts=Path("/dev/null")))
    with pytest.raises(UnreachableError, match=r"the key .*none cannot be used: .*No such file"):
        places._socket()
    places.close()
