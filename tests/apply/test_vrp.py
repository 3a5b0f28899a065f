"""Pushes onto an emulated VRP box over real SSH, by the session and by the playbook through ansible-runner."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from lab.vrp_faults import Faults, control, inject, power_loss
from lab.vrp_process import VrpProcess, running
from orchestrator.apply.vrp import PushResult, RejectedLineError, Session
from orchestrator.apply.vrp_connection import HostKeyError, SessionLostError, Target
from orchestrator.apply.vrp_delivery import DryRunError, Order, deliver, preview, read_password
from orchestrator.errors import DeviceError, InputError, SurpriseError, UnreachableError
from orchestrator.vendors.huawei_vrp.settings import apply_lines, same

pytestmark = pytest.mark.lab  # each test starts an emulated box and speaks SSH to it
PASSWORD = "for-tests-only"
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
FIRST = """#
sysname WC-SW-1
#
vlan batch 10 20
#
ip vpn-instance finance
 ipv4-family
  route-distinguisher 65001:1
#
interface Vlanif10
 ip address 198.18.10.1 255.255.255.0
#
return
"""
LINES = ("vlan 30", "description civil", "quit", "interface Vlanif30", "ip address 198.18.30.1 24")
WANT = apply_lines(FIRST, LINES)


@pytest.fixture(params=["vrp5", "vrp8"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VrpProcess]:
    with running(tmp_path / "box", FIRST, request.param, {"onefold": PASSWORD}) as process:
        yield process


@pytest.fixture
def box8(tmp_path: Path) -> Iterator[VrpProcess]:
    with running(tmp_path / "box", FIRST, "vrp8", {"onefold": PASSWORD}, ("--pace", "0.02")) as process:
        yield process


def target(box: VrpProcess, **changes: Any) -> Target:
    known_hosts = box.known_hosts(box.state / "known_hosts")
    return Target("127.0.0.1", "onefold", known_hosts, box.port, PASSWORD, answer_seconds=5.0)._replace(**changes)


def kind(box: VrpProcess) -> Any:
    return control(box.state, {"do": "status"})["kind"]


def session(box: VrpProcess) -> Session:
    return Session(target(box), kind(box))


def running_text(box: VrpProcess) -> str:
    with session(box) as fresh:
        return fresh.read_configuration()


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_a_push_changes_the_box_and_a_second_one_finds_nothing_to_do(box: VrpProcess) -> None:
    with session(box) as open_session:
        first = open_session.push(LINES)
        assert (first.changed, first.verified, first.surplus) == (True, True, ())
        assert same(first.after, WANT)
        second = open_session.push(LINES)
        assert (second.changed, second.lines) == (False, ())
        assert open_session.push_text(WANT).lines == ()
    assert same(running_text(box), WANT)


def test_a_wanted_text_is_reached_and_the_way_back_too(box: VrpProcess) -> None:
    with session(box) as open_session:
        assert same(open_session.push_text(WANT).after, WANT)
        back = open_session.push_text(FIRST)
        assert back.lines == ("undo interface Vlanif30", "undo vlan batch 30")
        assert same(back.after, FIRST)


def test_users_and_remote_access_stay_unless_the_text_is_the_whole_one(box: VrpProcess) -> None:
    access = ("stelnet server enable", "aaa", "local-user onefold service-type ssh", "quit", "snmp-agent")
    with session(box) as open_session:
        open_session.push(access)
        kept = open_session.push_text(WANT.rstrip())  # without the last newline, as a lookup of Ansible gives it
        assert same(kept.after, apply_lines(WANT, access))
        assert kept.lines[:1] == ("vlan batch 30",)
        assert same(open_session.push_text(WANT, whole=True).after, WANT)


def test_the_difference_of_a_push_is_shown_without_secrets(box: VrpProcess) -> None:
    with session(box) as open_session:
        result = open_session.push(("aaa", "local-user audit password irreversible-cipher hunter2hunter2"))
    assert "+ local-user audit password irreversible-cipher ******" in result.difference.splitlines()
    assert "hunter2" not in result.difference


def test_after_a_rejected_line_nothing_of_the_push_remains(box: VrpProcess) -> None:
    with session(box) as open_session:
        with pytest.raises(RejectedLineError) as rejected:
            open_session.push((*LINES, "frobnicate", "mtu 1400"))
        assert str(rejected.value) == (
            "127.0.0.1: 'frobnicate' refused: Error: Unrecognized command found at '^' position.; "
            "nothing of this push remains: correct the line and push again"
        )
        assert same(open_session.read_configuration(), FIRST)
        assert same(open_session.push(LINES).after, WANT)


def test_a_line_that_only_the_box_refuses_is_rejected_too(box: VrpProcess) -> None:
    inject(box.state, Faults(reject={"ip address 198.18.30.1 24": "Error: The address is used by the platform."}))
    with session(box) as open_session:
        with pytest.raises(RejectedLineError, match="The address is used by the platform"):
            open_session.push(LINES)
        assert same(open_session.read_configuration(), FIRST)
        inject(box.state, Faults())
        assert same(open_session.push(LINES).after, WANT)


def test_a_rejected_commit_leaves_nothing(box8: VrpProcess) -> None:
    inject(box8.state, Faults(reject={"commit": "Error: Failed to commit."}))
    with session(box8) as open_session, pytest.raises(RejectedLineError, match="'commit' refused"):
        open_session.push(LINES)
    assert same(running_text(box8), FIRST)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_dropped_session_is_a_clear_error(box: VrpProcess, fault: str) -> None:
    inject(box.state, Faults.model_validate({fault: "interface Vlanif30"}))
    started = time.monotonic()
    with pytest.raises(SessionLostError) as lost, session(box) as open_session:
        open_session.push(LINES)
    assert str(lost.value) == (
        "127.0.0.1: the session ended after 'interface Vlanif30' was sent (line 4 of 5): "
        "read the configuration before you push again"
    )
    assert time.monotonic() - started < 4.0
    half = apply_lines(FIRST, LINES[: 3 if fault == "drop_before" else 4])
    assert same(running_text(box), half if kind(box) == "vrp5" else FIRST)
    with session(box) as open_session:
        assert same(open_session.push_text(WANT).after, WANT)


def test_a_trial_that_nobody_confirms_returns_by_itself(box8: VrpProcess) -> None:
    with session(box8) as open_session:
        result = open_session.push(LINES, trial_seconds=60)  # 1.2 s of the emulator
        assert same(result.after, WANT)
        assert eventually(lambda: same(open_session.read_configuration(), FIRST))
        with pytest.raises(SurpriseError) as ended:
            open_session.confirm(result)
    assert str(ended.value) == "127.0.0.1: the trial ended before it was confirmed: push again"


def test_a_confirmed_trial_stays(box8: VrpProcess) -> None:
    with session(box8) as open_session:
        open_session.confirm(open_session.push(LINES, trial_seconds=60))
        time.sleep(1.4)  # longer than the trial
        assert same(open_session.read_configuration(), WANT)


def test_an_aborted_trial_and_one_whose_session_ends_return_at_once(box8: VrpProcess) -> None:
    with session(box8) as open_session:
        open_session.push(LINES, trial_seconds=6000)
        open_session.abort_trial()
        assert same(open_session.read_configuration(), FIRST)
        assert same(open_session.push(LINES, trial_seconds=6000).after, WANT)
    assert eventually(lambda: same(running_text(box8), FIRST))


def test_vrp5_has_no_trial(tmp_path: Path) -> None:
    with (
        running(tmp_path / "box", FIRST, "vrp5", {"onefold": PASSWORD}) as process,
        session(process) as open_session,
        pytest.raises(InputError) as refused,
    ):
        open_session.push(LINES, trial_seconds=60)
    assert str(refused.value) == "127.0.0.1: VRP5 has no trial commit: push without trial_seconds"


def test_only_what_is_saved_survives_a_loss_of_power(box: VrpProcess) -> None:
    with session(box) as open_session:
        open_session.push(LINES)
        assert open_session.save() is True
        assert open_session.save() is False
        open_session.push(("vlan 40",))
    power_loss(box.state)
    assert same(running_text(box), WANT)


def test_a_wrong_an_unknown_and_the_right_host_key(box: VrpProcess, tmp_path: Path) -> None:
    right = target(box)
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0sXpYvSJXYVyZUfsDpTGYVWx0b9mHwhbmFSvQm6fEG"
    wrong = tmp_path / "wrong"
    wrong.write_text(f"[127.0.0.1]:{box.port} ssh-ed25519 {key}\n")
    with pytest.raises(HostKeyError, match=r"the host key is not the one in .*/wrong: make sure"):
        Session(right._replace(known_hosts=wrong), kind(box))
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(HostKeyError, match=r"no host key in .*/empty: record the key of the device there"):
        Session(right._replace(known_hosts=empty), kind(box))
    with pytest.raises(InputError, match=r"no such file: record the host key of 127\.0\.0\.1 there first"):
        Session(right._replace(known_hosts=tmp_path / "absent"), kind(box))
    with Session(right, kind(box)) as open_session:
        assert same(open_session.read_configuration(), FIRST)


def test_a_private_key_logs_in_without_a_password_by_session_and_by_playbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    options = ("--authorized-keys", f"{key}.pub")
    with running(tmp_path / "box", FIRST, "vrp8", {"onefold": PASSWORD}, options) as process:
        with Session(target(process, password=None, key_file=key), "vrp8") as open_session:
            assert same(open_session.read_configuration(), FIRST)
        keyed = {"vrp_private_key": str(key), "vrp_password_file": "{{ omit }}", "vrp_lines": ["vlan 30"]}
        assert play(process, tmp_path / "run", monkeypatch, **keyed).rc == 0
        assert same(running_text(process), apply_lines(FIRST, ("vlan 30",)))


def test_a_wrong_password_and_a_closed_port_are_unreachable(box8: VrpProcess) -> None:
    with pytest.raises(UnreachableError) as refused:
        Session(target(box8, password="another"), "vrp8")
    assert str(refused.value) == (
        f"onefold@127.0.0.1:{box8.port}: login refused: check the user name and the password or key"
    )
    gone = target(box8)
    box8.stop()
    with pytest.raises(UnreachableError, match=r"no connection .*: check address, port and route"):
        Session(gone, "vrp8")


def test_a_slow_box_is_waited_for_and_a_silent_one_is_not(box8: VrpProcess) -> None:
    with Session(target(box8, answer_seconds=0.5), "vrp8") as open_session:
        inject(box8.state, Faults(delay_seconds=0.1))
        assert same(open_session.push(("vlan 40",)).after, apply_lines(FIRST, ("vlan 40",)))
        inject(box8.state, Faults(delay_seconds=3.0))
        with pytest.raises(DeviceError, match=r"no prompt within 0.5 s after 'display current-configuration' was sent"):
            open_session.read_configuration()


def test_a_preview_reads_and_changes_nothing(box: VrpProcess) -> None:
    order = Order(want=WANT, kind=kind(box))
    foreseen = preview(target(box), order)
    assert foreseen.changed
    assert same(running_text(box), FIRST)
    done = deliver(target(box), order)
    assert (done.changed, done.saved) == (True, True)
    assert same(done.result.after, foreseen.result.after)
    assert done.result.lines == foreseen.result.lines
    assert not deliver(target(box), order).changed


def test_a_preview_that_cannot_be_honoured_fails(box: VrpProcess) -> None:
    with pytest.raises(DryRunError) as refused:
        preview(target(box), Order(lines=("assign forward-layer-3 enable",), kind=kind(box)))
    assert str(refused.value) == (
        "127.0.0.1: 'assign forward-layer-3 enable': Error: Unrecognized command found at '^' position. "
        "A dry run cannot tell what the device would do: correct the line, or push it without check mode"
    )


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o644)
    with pytest.raises(InputError) as refused:
        read_password(file)
    assert str(refused.value) == f"{file}: others may read the password: chmod 600 {file}"
    file.chmod(0o600)
    assert read_password(file) == PASSWORD


def test_a_delivery_on_trial_is_confirmed_after_a_second_login(box8: VrpProcess) -> None:
    delivery = deliver(target(box8), Order(want=WANT, kind="vrp8", trial_seconds=600))
    assert (delivery.changed, delivery.saved) == (True, True)
    assert control(box8.state, {"do": "status"})["trial"] is False
    assert same(running_text(box8), WANT)


def test_a_push_of_thirty_lines_is_saved(box: VrpProcess) -> None:
    lines = [line for n in range(10) for line in (f"interface LoopBack{n}", f"description L{n}", "quit")]
    with session(box) as open_session:
        result: PushResult = open_session.push(lines)
        open_session.save()
    assert len(result.lines) == 30
    assert "description L9" in running_text(box)


# By the playbook ---------------------------------------------------------------------------------------------


def play(box: VrpProcess, folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, **variables: object) -> Any:
    password_file = folder.with_suffix(".password")
    password_file.touch(mode=0o600)
    password_file.write_text(PASSWORD + "\n")
    # ansible-playbook lies beside this Python, whether or not its environment is active
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(PLAYBOOKS.parent), os.environ.get("PYTHONPATH", ""))))
    host = {
        "ansible_host": "127.0.0.1",
        "vrp_port": box.port,
        "vrp_username": "onefold",
        "vrp_password_file": str(password_file),
        "vrp_kind": kind(box),
        "vrp_known_hosts": str(box.known_hosts(box.state / "known_hosts")),
        **variables,
    }
    folder.mkdir()
    return ansible_runner.run(
        private_data_dir=str(folder),
        playbook=str(PLAYBOOKS / "vrp.yml"),
        inventory={"huawei_vrp": {"hosts": {"wc-sw-1": host}}},
        cmdline=" ".join(arguments) or None,
        quiet=True,
    )


def answer(run: Any) -> dict[str, Any]:
    kinds = ("runner_on_ok", "runner_on_failed")
    found: list[dict[str, Any]] = [e["event_data"]["res"] for e in run.events if e["event"] in kinds]
    assert len(found) == 1, run.stdout.read()
    return found[0]


def test_the_playbook_dry_runs_pushes_and_then_finds_nothing_to_do(
    box: VrpProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = tmp_path / "want.cfg"
    want.write_text(WANT)
    dry = play(box, tmp_path / "dry", monkeypatch, "--check", "--diff", vrp_want_file=str(want))
    assert (dry.rc, answer(dry)["changed"]) == (0, True)
    assert "+interface Vlanif30" in answer(dry)["diff"]["prepared"].splitlines()
    assert same(running_text(box), FIRST)
    first = play(box, tmp_path / "first", monkeypatch, vrp_want_file=str(want))
    assert (first.rc, answer(first)["changed"], answer(first)["saved"]) == (0, True, True)
    assert same(answer(first)["configuration"], WANT)
    assert same(running_text(box), WANT)
    second = play(box, tmp_path / "second", monkeypatch, vrp_want_file=str(want))
    assert (second.rc, answer(second)["changed"], answer(second)["lines"]) == (0, False, [])
    written = [file for name in ("dry", "first", "second") for file in (tmp_path / name).rglob("*") if file.is_file()]
    assert len(written) > 20
    assert not [file for file in written if PASSWORD in file.read_text(errors="replace")]


def test_the_playbook_fails_with_the_devices_words(
    box8: VrpProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = play(box8, tmp_path / "run", monkeypatch, vrp_lines=["vlan 30", "frobnicate"])
    assert refused.rc == 2
    assert answer(refused)["msg"] == (
        "127.0.0.1: 'frobnicate' refused: Error: Unrecognized command found at '^' position.; "
        "nothing of this push remains: correct the line and push again"
    )
    assert answer(refused)["error"] == "RejectedLineError"
    assert same(running_text(box8), FIRST)
    dry = play(box8, tmp_path / "dry", monkeypatch, "--check", vrp_lines=["frobnicate"])
    assert (dry.rc, answer(dry)["error"]) == (2, "DryRunError")
