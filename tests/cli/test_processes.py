"""The command as a program of its own: what scripts, pipes and terminals see."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ApprovalError
from orchestrator.intake.policy import read_policy
from orchestrator.plan.seal import load
from orchestrator.records import approvals
from tests.cli.small import FLOW, replaced
from tests.intake.books import district_copy

ROOT = Path(__file__).parents[2]
ONEFOLD = [str(Path(sys.executable).with_name("onefold"))]


def ran(*words: object, program: list[str] = ONEFOLD, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
        env={**os.environ, **more},
    )


@pytest.mark.parametrize("program", [ONEFOLD, [sys.executable, str(ROOT / "cli.py")]], ids=["onefold", "cli.py"])
def test_a_script_gets_its_object_and_its_exit_code(program: list[str], office: Path) -> None:
    done = ran("-C", office, "plan", "--out", office / "plan.json", "--json", "--detailed-exitcode", program=program)
    assert done.returncode == 2
    assert json.loads(done.stdout)["schema"] == "onefold/plan/1"
    missing = ran("-C", office / "none", "validate", program=program)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith(f"onefold: {office}/none: no onefold.yaml here: ")


def test_a_refusal_ends_with_3(office: Path) -> None:
    replaced(office / "policy.yaml", ("flows: []", FLOW))
    assert ran("-C", office, "plan", "--out", office / "plan.json").returncode == 3
    assert ran("-C", office, "prove", office / "plan.json").returncode == 3


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and inherited so
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from orchestrator.cli import main
sys.exit(main(["-C", {office!r}, "--quiet", "census"]))
"""


@pytest.mark.parametrize("module", ["click", "orchestrator.cli.census", "orchestrator.intake.read", "nothing"])
def test_an_interrupt_is_a_line_and_130_however_early(module: str, office: Path) -> None:
    """The last one is the positive twin: the same call, left alone."""
    done = ran("-c", INTERRUPTED.format(module=module, office=str(office)), program=[sys.executable])
    if module == "nothing":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 130
        assert done.stderr.strip().startswith("onefold: stopped by you")
        assert len(done.stderr.strip().splitlines()) == 1


def test_who_reads_only_the_beginning_hears_no_complaint(office: Path) -> None:
    call = f"{ONEFOLD[0]} --quiet -C {office} --json census | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", call], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout in ("0\n", "1\n")  # 0: all was written before the reader left


@pytest.mark.parametrize("words", ["census", "--json census", "--help", "-C /nowhere --json census"])
def test_a_full_disk_is_told_in_one_line_and_is_no_success(words: str, office: Path) -> None:
    call = f"{ONEFOLD[0]} --quiet -C {office} {words} >/dev/full"
    done = subprocess.run(["bash", "-c", call], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 1


@pytest.mark.parametrize("form", ["--json", "--yes"])
def test_a_terminal_of_another_alphabet_ends_no_call(form: str, office: Path) -> None:
    replaced(office / "configs/r1/frr.conf", ("interface lan0\n", "interface lan0\n 望潮\n"))
    said = ran("-C", office, form, "validate", PYTHONIOENCODING="latin-1")
    assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
    assert r"\u671b\u6f6e" in said.stdout
    if form == "--json":
        assert json.loads(said.stdout)["unparsed"][0]["text"] == "望潮"


def at_terminal(*words: object, **more: str) -> str:
    """What a terminal shows of the call."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [*ONEFOLD, *map(str, words)], stdout=theirs, stderr=subprocess.DEVNULL, env={**environment, **more}
    ) as call:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # Linux says so when the other end is closed
            pass
        finally:
            os.close(ours)
        assert call.wait(60) == 0
    return shown.decode()


def test_a_terminal_gets_colours_unless_no_color_is_set(office: Path) -> None:
    replaced(office / "configs/r1/frr.conf", ("interface lan0\n", "interface lan0\n surprise me\n"))
    assert "\x1b[33munknown\x1b[0m" in at_terminal("-C", office, "validate")
    plain = at_terminal("-C", office, "validate", NO_COLOR="1")
    assert "unknown configurations: configs/r1/frr.conf:12: " in plain
    assert "\x1b" not in plain
    assert "\x1b" not in ran("-C", office, "validate").stdout, "a pipe is no terminal"


def test_keys_for_a_copy_of_the_district_sign_its_plan(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    done = ran("-m", "network_models.write_district", "keys", "--folder", folder, program=[sys.executable])
    assert (done.returncode, done.stdout) == (0, f"keys: 4 files under {folder}\n")
    assert ran("-C", folder, "plan", "--out", folder / "plan.json", "--author", "planner-1").returncode == 0
    plan, policy = load(folder / "plan.json"), read_policy(folder / "policy.yaml")
    signed = []
    for administrator in policy.approvals.people:
        key = folder / "keys" / f"{administrator.name}.pem"
        assert key.stat().st_mode & 0o777 == 0o600
        if administrator.role in policy.approvals.required:
            signed.append(approvals.sign(plan, policy, administrator.name, approvals.read_key(key)))
    assert approvals.check(plan, policy, signed) == ("system-admin-1", "security-admin-1", "audit-admin-1")
    with pytest.raises(ApprovalError) as caught:
        approvals.check(plan, policy, signed[:2])
    assert str(caught.value) == (
        f"plan {plan.hash[:12]} is not signed by audit_admin: let them run 'onefold approve' on it"
    )
