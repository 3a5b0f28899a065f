"""The emulated VRP command line: what an operator sees, what survives a restart, who may log in."""

import copy
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import paramiko
import pytest

from lab.vrp_box import Box, Kind
from lab.vrp_faults import Faults, control, inject
from lab.vrp_process import VrpProcess, running, start, write_users
from lab.vrp_prompts import view_name
from lab.vrp_terminal import Terminal
from orchestrator.errors import LabError
from orchestrator.vendors.huawei_vrp.settings import apply_lines, same

PASSWORD = "for-tests-only"
FIRST = """#
sysname WC-SW-1
#
vlan batch 10
#
interface Vlanif10
 ip address 198.18.10.1 255.255.255.0
#
return
"""


@pytest.fixture
def old(tmp_path: Path) -> Terminal:
    return Terminal(Box("vrp5", tmp_path, FIRST))


@pytest.fixture
def new(tmp_path: Path) -> Terminal:
    return Terminal(Box("vrp8", tmp_path, FIRST))


def typed(terminal: Terminal, *lines: str) -> list[str]:
    """Type lines; return each answer, or the question."""
    answers = [terminal.handle(line) for line in lines]
    return [answer.question or answer.text for answer in answers]


def eventually(holds: Callable[[], bool], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


# The command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "prompt"),
    [
        ((), "[WC-SW-1]"),
        (("interface vlanif 10",), "[WC-SW-1-Vlanif10]"),
        (("interface GigabitEthernet0/0/1.100",), "[WC-SW-1-GigabitEthernet0/0/1.100]"),
        (("vlan 20",), "[WC-SW-1-vlan20]"),
        (("ip vpn-instance civil", "ipv4-family"), "[WC-SW-1-vpn-instance-civil-af-ipv4]"),
        (("bgp 65001",), "[WC-SW-1-bgp]"),
        (("bgp 65001", "ipv4-family unicast"), "[WC-SW-1-bgp-af-ipv4]"),
        (("ospf", "area 0"), "[WC-SW-1-ospf-1-area-0.0.0.0]"),
        (("acl 3001",), "[WC-SW-1-acl-adv-3001]"),
        (("user-interface vty 0 4",), "[WC-SW-1-ui-vty0-4]"),
        (("interface Eth-Trunk1", "quit"), "[WC-SW-1]"),
        (("interface LoopBack0", "vlan 20"), "[WC-SW-1-vlan20]"),
        (("interface LoopBack0", "return"), "<WC-SW-1>"),
        (("sysname WC-SW-2",), "[WC-SW-2]"),
    ],
)
def test_the_prompt_names_the_view(old: Terminal, lines: tuple[str, ...], prompt: str) -> None:
    assert old.prompt == "<WC-SW-1>"
    typed(old, "system-view", *lines)
    assert old.prompt == prompt


def test_a_view_without_a_name_of_its_own_shows_its_line() -> None:
    assert view_name(("mpls ldp",)) == "-mpls-ldp"


def test_a_wrong_line_is_marked_where_it_is_wrong(old: Terminal) -> None:
    typed(old, "system-view", "interface Vlanif10")
    assert typed(old, "ip address 198.18.10.300 24", "ip adress 198.18.10.1 24", "mtu") == [
        " " * len("[WC-SW-1-Vlanif10]ip address ") + "^\nError: Wrong parameter found at '^' position.",
        " " * len("[WC-SW-1-Vlanif10]ip ") + "^\nError: Unrecognized command found at '^' position.",
        " " * len("[WC-SW-1-Vlanif10]mtu ") + "^\nError:Incomplete command found at '^' position.",
    ]


def test_a_configuration_line_is_refused_outside_the_system_view(old: Terminal) -> None:
    assert typed(old, "vlan 20")[0].endswith("Error: Unrecognized command found at '^' position.")
    typed(old, "system-view")
    assert typed(old, "vlan 20") == [""]


def test_the_box_shows_its_configurations_and_says_what_it_is(old: Terminal) -> None:
    assert typed(old, "display current-configuration") == [FIRST.rstrip("\n")]
    typed(old, "system-view", "vlan 20")
    current, saved = typed(old, "display current-configuration", "display saved-configuration")
    assert "vlan batch 10 20" in current.splitlines()
    assert "vlan batch 10" in saved.splitlines()
    assert typed(old, "display version")[0].endswith(
        "This command line is emulated for tests. It is not a Huawei device and forwards no packet."
    )


def test_display_this_shows_the_view(old: Terminal) -> None:
    typed(old, "system-view", "interface LoopBack0", "description probe")
    assert typed(old, "display this") == ["#\ninterface LoopBack0\n description probe\n#\nreturn"]


def test_save_asks_and_only_yes_saves(old: Terminal) -> None:
    typed(old, "system-view", "vlan 20", "return")
    question = "The current configuration will be written to the device.\nAre you sure to continue? [Y/N]:"
    assert typed(old, "save", "n") == [question, ""]
    assert same(old.box.saved, FIRST)
    assert typed(old, "save", "y")[1].endswith("Save the configuration successfully.")
    assert same(old.box.saved, apply_lines(FIRST, ("vlan 20",)))


def test_save_force_does_not_ask(old: Terminal) -> None:
    typed(old, "system-view", "vlan 20", "return", "save force")
    assert same(old.box.saved, apply_lines(FIRST, ("vlan 20",)))


# Two-stage commit --------------------------------------------------------------------------------------------


def test_a_candidate_is_marked_shown_and_in_force_only_after_commit(new: Terminal) -> None:
    typed(new, "system-view")
    assert new.prompt == "[~WC-SW-1]"
    typed(new, "vlan 20", "quit")
    assert new.prompt == "[*WC-SW-1]"
    assert typed(new, "display configuration candidate") == ["vlan batch 20"]
    assert "vlan 20" not in new.box.running
    assert typed(new, "commit") == [""]
    assert new.prompt == "[~WC-SW-1]"
    assert "vlan 20" in new.box.running


@pytest.mark.parametrize(("reply", "committed", "prompt"), [("y", True, "<"), ("n", False, "<"), ("c", False, "[*")])
def test_leaving_with_a_candidate_asks(new: Terminal, reply: str, committed: bool, prompt: str) -> None:
    typed(new, "system-view", "vlan 20")
    assert "".join(typed(new, "return")) == (
        "Warning: Uncommitted configurations found. Are you sure to commit them before exiting? "
        "[Y(yes)/N(no)/C(cancel)]:"
    )
    typed(new, reply)
    assert ("vlan 20" in new.box.running) == committed
    assert new.prompt.startswith(prompt)


def test_a_candidate_is_committed_over_what_another_operator_committed(new: Terminal) -> None:
    other = Terminal(new.box)
    typed(new, "system-view", "vlan 20")
    typed(other, "system-view", "vlan 30", "commit")
    typed(new, "commit")
    assert {"vlan 20", "vlan 30"} <= new.box.running.keys()


def test_a_candidate_that_no_longer_fits_is_refused_whole(new: Terminal) -> None:
    other = Terminal(new.box)
    typed(new, "system-view", "vlan 20", "interface Vlanif10", "description probe", "mtu 1400")
    typed(other, "system-view", "undo interface Vlanif10", "commit")
    before = copy.deepcopy(new.box.running)
    assert typed(new, "commit")[0].startswith("Error: Failed to commit 'description probe'.")
    assert new.box.running == before


def test_vrp5_knows_no_two_stage_words(old: Terminal) -> None:
    typed(old, "system-view")
    for line in ("commit", "abort trial", "display configuration candidate", "clear configuration candidate"):
        assert typed(old, line)[0].endswith("Error: Unrecognized command found at '^' position.")


def test_a_trial_needs_at_least_sixty_seconds(new: Terminal) -> None:
    typed(new, "system-view", "vlan 20")
    assert typed(new, "commit trial 59")[0].endswith("Error: Wrong parameter found at '^' position.")
    assert typed(new, "abort trial") == ["Error: The system is not in the trial running state."]


# Over SSH ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.lab) for kind in get_args(Kind)])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VrpProcess]:
    with running(tmp_path / "box", FIRST, request.param, {"onefold": PASSWORD}) as process:
        yield process


class Client:
    """A terminal on the box as a person has it: keys in, characters out."""

    def __init__(self, box: VrpProcess, **login: Any) -> None:
        self.ssh = paramiko.SSHClient()
        self.ssh.load_host_keys(str(box.known_hosts(box.state / "known_hosts")))
        self.ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        login = login or {"password": PASSWORD}
        self.ssh.connect(box.address, box.port, "onefold", allow_agent=False, look_for_keys=False, **login)
        self.channel = self.ssh.invoke_shell(width=511)
        self.channel.settimeout(10.0)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.ssh.close()

    def until(self, pattern: str) -> str:
        """Read until the output ends with the pattern."""
        output = ""
        while not re.search(rf"{pattern}\Z", output):
            received = self.channel.recv(65536).decode()
            assert received, f"closed after {output!r}"
            output += received
        return output

    def rest(self) -> str:
        """Everything up to the end of the session."""
        return b"".join(iter(lambda: self.channel.recv(65536), b"")).decode()

    def keys(self, text: str, pattern: str) -> str:
        self.channel.sendall(text.encode())
        return self.until(pattern)


def test_login_banner_echo_and_prompt(box: VrpProcess) -> None:
    with Client(box) as client:
        assert "Warning: This command line is emulated for tests." in client.until("<WC-SW-1>")
        assert client.keys("disp", "p") == "disp"
        assert client.keys("x\x08", "\x08 \x08") == "x\x08 \x08"
        shown = client.keys("lay saved-configuration\r\n", "<WC-SW-1>")
        assert shown == "lay saved-configuration\r\n" + FIRST.replace("\n", "\r\n") + "<WC-SW-1>"


def test_long_output_comes_in_pages_until_paging_is_off(box: VrpProcess) -> None:
    lines = [line for n in range(20) for line in (f"interface LoopBack{n}", f"description L{n}", "quit")]
    with Client(box) as client:
        client.until("<WC-SW-1>")
        client.keys("system-view\n", r"\]")
        for line in lines:
            client.keys(line + "\n", r"\]")
        client.keys("return\n", r"[>:]")
        if control(box.state, {"do": "status"})["kind"] == "vrp8":
            client.keys("y\n", ">")
        first = client.keys("display current-configuration\n", "---- More ----")
        assert len(first.splitlines()) == 25
        assert client.keys(" ", "(>|---- More ----)").endswith("More ----")
        assert client.keys("q", ">").endswith("<WC-SW-1>")
        client.keys("screen-length 0 temporary\n", ">")
        assert "More" not in client.keys("display current-configuration\n", r"return\r\n<WC-SW-1>")


@pytest.mark.lab
def test_a_public_key_logs_in_and_a_foreign_one_does_not(tmp_path: Path) -> None:
    for name in ("own", "foreign"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    options = ("--authorized-keys", str(tmp_path / "own.pub"))
    with running(tmp_path / "box", FIRST, "vrp8", {"onefold": PASSWORD}, options) as process:
        with Client(process, key_filename=str(tmp_path / "own")) as client:
            assert client.until("<WC-SW-1>")
        with pytest.raises(paramiko.AuthenticationException):
            Client(process, key_filename=str(tmp_path / "foreign"))
        with pytest.raises(paramiko.AuthenticationException):
            Client(process, password="another")


@pytest.mark.lab
def test_a_killed_emulator_comes_back_running_and_a_cold_one_saved(tmp_path: Path) -> None:
    state = tmp_path / "box"
    with running(state, FIRST, "vrp5", {"onefold": PASSWORD}) as process:
        with Client(process) as client:
            client.until("<WC-SW-1>")
            for line in ("system-view", "vlan 20", "return"):
                client.keys(line + "\n", r"[>\]]")
        process.stop(kill=True)
        key = (state / "host_key.pub").read_text()
        for options, vlans in (((), "vlan batch 10 20"), (("--cold-boot",), "vlan batch 10")):
            again = start(state, state / "first.cfg", "vrp5", options=options)
            try:
                with Client(again) as client:
                    client.until("<WC-SW-1>")
                    shown = client.keys("display current-configuration\n", "return\r\n<WC-SW-1>")
            finally:
                again.stop(kill=True)
            assert vlans in shown.splitlines()
        assert (state / "host_key.pub").read_text() == key


@pytest.mark.lab
def test_a_box_killed_during_a_trial_comes_back_with_the_configuration_before(tmp_path: Path) -> None:
    state = tmp_path / "box"
    with running(state, FIRST, "vrp8", {"onefold": PASSWORD}) as process, Client(process) as client:
        client.until("<WC-SW-1>")
        for line in ("system-view", "vlan 20", "commit trial 600"):
            client.keys(line + "\n", r"[>\]]")
        assert control(state, {"do": "status"})["trial"] is True
        process.stop(kill=True)
    assert same((state / "running.cfg").read_text(), FIRST)


@pytest.mark.lab
def test_a_trial_locks_the_box_for_others_and_a_persistent_one_outlives_its_session(tmp_path: Path) -> None:
    options = ("--pace", "0.05")
    with running(tmp_path / "box", FIRST, "vrp8", {"onefold": PASSWORD}, options) as process:
        with Client(process) as client, Client(process) as other:
            client.until("<WC-SW-1>")
            other.until("<WC-SW-1>")
            for line in ("system-view", "vlan 20", "commit trial 60 persist night"):
                client.keys(line + "\n", r"[>\]]")
            other.keys("system-view\n", r"\]")
            assert "The configuration is locked." in other.keys("vlan 30\n", r"\]")
        assert eventually(lambda: control(process.state, {"do": "status"})["sessions"] == 0)
        assert control(process.state, {"do": "status"}) == {"sessions": 0, "trial": True, "kind": "vrp8"}
        assert eventually(lambda: control(process.state, {"do": "status"})["trial"] is False)


def test_faults_are_ordered_over_the_control_socket(box: VrpProcess) -> None:
    inject(box.state, Faults(reject={"vlan 20": "Error: The maximum number of VLANs is reached."}))
    with Client(box) as client:
        client.until("<WC-SW-1>")
        client.keys("system-view\n", r"\]")
        assert "Error: The maximum number of VLANs is reached." in client.keys("vlan 20\n", r"\]")
        inject(box.state, Faults(power_loss_before="vlan 20"))
        client.channel.sendall(b"vlan 20\n")
        assert client.rest() == "vlan 20"
    with Client(box) as client:
        client.until("<WC-SW-1>")
        client.keys("system-view\n", r"\]")
        assert "Error" not in client.keys("vlan 20\n", r"\]")


def test_an_unknown_order_and_an_absent_emulator_are_errors(box: VrpProcess, tmp_path: Path) -> None:
    with pytest.raises(LabError) as unknown:
        control(box.state, {"do": "explode"})
    assert str(unknown.value) == f"{box.state}/control: unknown request 'explode': correct the request"
    with pytest.raises(LabError, match=r"No such file or directory: start the VRP emulator with --state"):
        control(tmp_path, {"do": "status"})


@pytest.mark.lab
def test_users_that_others_may_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "first.cfg").write_text(FIRST)
    users = write_users(tmp_path, {"onefold": PASSWORD})
    users.chmod(0o644)
    with pytest.raises(LabError) as refused:
        start(tmp_path, tmp_path / "first.cfg", "vrp5")
    assert str(refused.value) == (
        f"the VRP emulator did not start (VRP emulator: {users}: others may read the passwords: chmod 600 {users}): "
        f"read {tmp_path}/emulator.log"
    )
    write_users(tmp_path, {"onefold": PASSWORD})
    start(tmp_path, tmp_path / "first.cfg", "vrp5").stop()
