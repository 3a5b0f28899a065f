"""The warm ansible-playbook: what it plays is what a cold one plays, and it leaves nothing behind by any death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.apply.warm import Warm

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - ansible.builtin.command: {cmd: "%s"}
"""


@pytest.fixture
def warm() -> Iterator[Warm]:
    made = Warm()
    yield made
    made.end()


def run(warm: Warm, folder: Path, command: str, seconds: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
    file = folder / "play.yml"
    file.write_text(PLAY % command)
    program = warm.folder() / "bin" / "ansible-playbook"
    settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(warm.folder() / "tmp"), **more}
    return subprocess.run([program, "-i", "localhost,", "-v", file], env=os.environ | settings, text=True,
                          capture_output=True, timeout=seconds, check=False, cwd=folder)  # fmt: skip


def process(warm: Warm) -> int:
    assert warm._process is not None
    return warm._process.pid


def eventually(what: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def sleeping(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^sleep {mark}"], capture_output=True, check=False).returncode == 0


def test_success_failure_and_folder_are_the_playbooks_own(warm: Warm, tmp_path: Path) -> None:
    good = run(warm, tmp_path, "pwd")
    assert (good.returncode, f'"stdout": "{tmp_path}"' in good.stdout) == (0, True), good
    number = process(warm)
    bad = run(warm, tmp_path, "false")
    assert (bad.returncode, '"rc": 1' in bad.stdout) == (2, True), bad
    assert process(warm) == number


def test_other_settings_than_those_imported_are_heeded(warm: Warm, tmp_path: Path) -> None:
    assert "ok=1" in run(warm, tmp_path, "true").stdout
    assert "ok=1" not in run(warm, tmp_path, "true", ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal").stdout
    assert "ok=1" in run(warm, tmp_path, "true").stdout


def test_a_dead_one_is_followed_by_another(warm: Warm, tmp_path: Path) -> None:
    assert run(warm, tmp_path, "true").returncode == 0
    first, folder = process(warm), warm.folder()
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: warm._process is not None and warm._process.poll() is not None)
    assert run(warm, tmp_path, "true").returncode == 0
    assert process(warm) != first
    assert not folder.exists()


def test_one_that_died_in_this_moment_is_replaced_by_a_cold_playbook(warm: Warm, tmp_path: Path) -> None:
    door = warm.folder() / "door"
    door.unlink()
    assert run(warm, tmp_path, "true").returncode == 0


def test_nobody_waits_any_more_so_the_playbook_ends(warm: Warm, tmp_path: Path) -> None:
    assert run(warm, tmp_path, "true").returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        run(warm, tmp_path, "sleep 61.5", seconds=2)
    plays = ["pgrep", "-P", str(process(warm))]
    assert eventually(lambda: subprocess.run(plays, capture_output=True, check=False).returncode == 1)


OWNER = """
import sys, time
from pathlib import Path
from orchestrator.apply.warm import Warm
from tests.apply.test_warm import run
warm = Warm()
run(warm, Path(sys.argv[1]), "true")
print(warm._process.pid, warm.folder(), flush=True)
time.sleep(60)
"""


def test_the_folder_of_a_dead_one_is_taken_away_by_the_next_and_that_of_a_live_one_stays(
    warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("orchestrator.apply.warm._YOUNG", -1.0)
    left = tmp_path / "onefold-warm-left"
    left.mkdir()
    alive, other = warm.folder(), Warm()
    try:
        assert other.folder() != alive
        assert (left.exists(), alive.exists()) == (False, True)
        assert run(warm, tmp_path, "true").returncode == 0
    finally:
        other.end()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_an_owner_that_is_killed_leaves_neither_process_nor_folder(tmp_path: Path, ending: signal.Signals) -> None:
    here = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                          cwd=here) as owner:  # fmt: skip
        assert owner.stdout is not None
        number, folder = owner.stdout.readline().split()
        assert Path("/proc", number).exists()
        owner.send_signal(ending)
    assert eventually(lambda: not Path("/proc", number).exists())
    assert not Path(folder).exists()
