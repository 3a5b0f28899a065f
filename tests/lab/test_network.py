"""The network lab on real parts. Every "blocked" here has a twin that is answered, over the same nodes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import network
from lab.comparison import compare
from lab.network import convergence, node
from lab.probe import Request, Result, observe
from lab.watch import Watch, asks
from network_models import district
from orchestrator.errors import LabError
from tests.design.estates import policy

pytestmark = pytest.mark.lab
NOW = district.now()
WEB, DATABASE, MAIL = "990102-CZ-0001.web", "990102-CZ-0001.db", "990102-MZ-0002.mail"


@pytest.fixture(scope="module", autouse=True)
def lab() -> Iterator[Path]:
    """One lab for all tests of this file, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="onefold-lab-", dir="/tmp"))
    before = os.environ.get("ONEFOLD_LAB")
    os.environ["ONEFOLD_LAB"] = str(folder)
    try:
        network.up(NOW)
        yield folder
    finally:
        network.down()
        shutil.rmtree(folder)
        if before is None:
            del os.environ["ONEFOLD_LAB"]
        else:
            os.environ["ONEFOLD_LAB"] = before


def probe(source: str, destination: str, port: int) -> Result:
    return observe([Request(source, IPv4Address(destination), port)])[0]


def ssh(lab: Path, node_name: str, command: str, known_hosts: str | None = None) -> subprocess.CompletedProcess[str]:
    access = json.loads((lab / "access.json").read_text())
    managed = {**NOW.devices, **NOW.hosts}[node_name].management
    options = [
        f"UserKnownHostsFile={known_hosts or access['known_hosts']}",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
    ]
    words = [part for option in options for part in ("-o", option)]
    return subprocess.run(
        ["ssh", "-F", "none", "-i", access["ssh_key"], *words, f"{access['user']}@{managed}", command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def service(host: str, *words: str) -> subprocess.CompletedProcess[str]:
    return network.execute(host, ["onefold-service", *words])


@pytest.mark.parametrize(
    ("flow", "source", "destination", "port", "by"),
    [
        ("F-001", "cz-user1", "10.8.1.10", 8080, "cz-web"),
        ("F-001", "cz-user2", "10.8.1.10", 8080, "cz-web"),
        ("F-001", "cz-user3", "10.8.1.10", 8080, "cz-web"),
        ("F-002", "cz-web", "10.8.1.20", 3306, ""),
        ("F-004", "citizen", "203.0.113.66", 443, "mz-web"),
        ("F-005", "mz-user1", "198.51.100.10", 443, "citizen"),
        ("F-005", "mz-user2", "198.51.100.10", 443, "citizen"),
        ("F-006", "mz-user2", "192.168.10.25", 25, "mz-mail"),
        ("F-009", "staff", "198.18.0.10", 443, "exchange"),
        ("F-010", "staff", "198.18.64.10", 443, "portal"),
        ("F-011", "citizen", "203.0.113.10", 443, "portal"),
        ("F-012", "cz-user2", "10.8.2.50", 8080, "cz-stats"),
        ("F-013", "mz-user2", "192.168.10.10", 443, "mz-web"),
        ("F-014", "portal", "198.51.100.10", 443, "citizen"),
    ],
)
def test_a_registered_flow_is_answered_by_its_service(
    flow: str, source: str, destination: str, port: int, by: str
) -> None:
    result = probe(source, destination, port)
    assert result.connected, f"{flow}: {result.error}"
    assert result.answered_by == by


@pytest.mark.parametrize(
    ("blocked", "answered"),
    [
        # finance does not reach civil affairs, whose second site it could name; its own second site answers
        (("cz-user1", "172.16.5.100", 443), ("cz-user1", "10.8.2.100", 443)),
        # the Internet reaches the published port of the public service and no other port of the same address
        (("citizen", "203.0.113.66", 3306), ("citizen", "203.0.113.66", 443)),
        # the common administrative zone has no way to the Internet, which others have
        (("staff", "198.51.100.10", 443), ("portal", "198.51.100.10", 443)),
        # staff reach the portal on its registered port only
        (("staff", "198.18.64.10", 8080), ("staff", "198.18.64.10", 443)),
    ],
)
def test_what_is_not_registered_is_blocked_and_its_twin_is_answered(
    blocked: tuple[str, str, int], answered: tuple[str, str, int]
) -> None:
    assert not probe(*blocked).connected
    assert probe(*answered).connected


def test_equal_addresses_of_two_departments_answer_each_to_their_own() -> None:
    assert probe("cz-user1", "192.168.10.100", 9000).answered_by == "cz-user3"
    assert probe("mz-user2", "192.168.10.100", 9000).answered_by == "mz-user1"


def test_every_pair_of_points_does_what_the_simulator_predicts() -> None:
    found = compare(NOW)
    assert [str(one) for one in found.differences] == []
    assert found.equal
    assert found.unknown == 0


def test_management_is_out_of_band(lab: Path) -> None:
    done = ssh(lab, "pe1", "hostname; vtysh -c 'show running-config' | head -3; ip -br link show lan-adm")
    assert done.returncode == 1, "lan-adm lives in its VRF, not in the main namespace"
    assert done.stdout.splitlines()[0] == "pe1"
    inside = ssh(lab, "pe1", "ip -n adm -br address show lan-adm")
    assert "198.18.0.1/24" in inside.stdout
    assert not probe("staff", "172.31.0.11", 22).connected  # the data plane has no way into it


def test_only_known_host_keys_and_the_operator_key_are_accepted(lab: Path, tmp_path: Path) -> None:
    assert ssh(lab, "fw1", "nft list ruleset").returncode == 0
    wrong = tmp_path / "known_hosts"
    lines = (lab / "known_hosts").read_text().splitlines()
    other = next(line.split(" ", 1)[1] for line in lines if line.startswith("pe1,"))
    wrong.write_text("".join(f"{line.split()[0]} {other}\n" for line in lines))
    assert "Host key verification failed" in ssh(lab, "fw1", "true", str(wrong)).stderr


def test_the_vendor_box_says_that_it_is_emulated(lab: Path) -> None:
    assert "This command line is emulated for tests." in ssh(lab, "msw1", "").stdout


def test_access_is_for_its_owner_alone(lab: Path) -> None:
    assert (lab / "access.json").stat().st_mode & 0o777 == 0o600
    assert (lab / "keys/onefold").stat().st_mode & 0o777 == 0o600
    assert json.loads((lab / "access.json").read_text())["user"] == "onefold"


def test_a_web_service_reads_its_database_over_the_network() -> None:
    done = network.execute("cz-user1", ["curl", "-s", "-m5", "http://budget.cz.wangchao.example:8080/health"])
    assert json.loads(done.stdout) == {"service": WEB, "files": 300, "rows": 5000, "frozen": False}
    assert service("cz-db", "stop", DATABASE).returncode == 0
    try:
        broken = network.execute("cz-user1", ["curl", "-s", "-m8", "http://budget.cz.wangchao.example:8080/health"])
        assert "database" in json.loads(broken.stdout)["error"]
        assert probe("cz-web", "10.8.1.20", 3306).answered_by == "cz-db"  # the answerer took the port back
    finally:
        assert service("cz-db", "start", DATABASE).returncode == 0
    assert (
        json.loads(network.execute("cz-user1", ["curl", "-s", "http://10.8.1.10:8080/health"]).stdout)["rows"] == 5000
    )


def test_a_frozen_service_reads_and_does_not_write() -> None:
    row = json.dumps({"unit": "0001", "subject": "it's", "amount": "1.50"})
    write = ["curl", "-s", "-m5", "-d", row, "http://10.8.1.10:8080/rows"]
    before = service("cz-db", "checksum", DATABASE).stdout
    service("cz-web", "freeze", WEB)
    try:
        assert "frozen" in network.execute("cz-user1", write).stdout
        assert (
            json.loads(network.execute("cz-user1", ["curl", "-s", "http://10.8.1.10:8080/health"]).stdout)["rows"]
            == 5000
        )
        assert service("cz-db", "checksum", DATABASE).stdout == before
    finally:
        service("cz-web", "start", WEB)
    assert json.loads(network.execute("cz-user1", write).stdout) == {"added": True}
    assert service("cz-db", "checksum", DATABASE).stdout != before


def test_a_frozen_database_refuses_the_service_that_writes() -> None:
    row = json.dumps({"unit": "0002", "subject": "x", "amount": "2"})
    write = ["curl", "-s", "-m5", "-d", row, "http://10.8.1.10:8080/rows"]
    service("cz-db", "freeze", DATABASE)
    try:
        assert "read-only" in json.loads(network.execute("cz-user1", write).stdout)["error"]
    finally:
        service("cz-db", "start", DATABASE)
    assert json.loads(network.execute("cz-user1", write).stdout) == {"added": True}


def test_a_dump_of_a_database_loads_into_the_same_tables() -> None:
    before = service("cz-db", "checksum", DATABASE).stdout
    dump = service("cz-db", "dump", DATABASE).stdout
    assert network.execute("cz-db", ["onefold-service", "load", DATABASE], input=dump).returncode == 0
    assert service("cz-db", "checksum", DATABASE).stdout == before


def test_mail_is_taken_into_the_spool() -> None:
    before = service("mz-mail", "checksum", MAIL).stdout.splitlines()
    talk = "HELO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: hi\r\n\r\nhi\r\n.\r\nQUIT\r\n"
    done = network.execute("mz-user1", ["curl", "-s", "-m5", "telnet://192.168.10.25:25"], input=talk)
    assert "250 taken as" in done.stdout
    assert len(service("mz-mail", "checksum", MAIL).stdout.splitlines()) == len(before) + 1


def test_a_service_that_is_not_there_is_an_error_in_one_line() -> None:
    done = service("cz-web", "start", "nothing")
    assert (done.returncode, done.stderr) == (1, f"onefold-service: no workload nothing here: there are {WEB}\n")


def test_a_released_line_carries_nothing_until_it_is_restored() -> None:
    assert probe("cz-user2", "10.8.1.10", 8080).connected
    network.release("cz-line")
    network.release("cz-line")  # a resumed run may ask again
    try:
        assert not probe("cz-user2", "10.8.1.10", 8080).connected
        assert probe("cz-user2", "10.8.2.50", 8080).connected
    finally:
        network.restore("cz-line")
        network.restore("cz-line")
    convergence.wait(NOW)
    assert probe("cz-user2", "10.8.1.10", 8080).connected


def test_a_line_that_was_never_laid_cannot_be_released() -> None:
    with pytest.raises(LabError) as caught:
        network.release("cz-lien")
    message = "the lab was raised without a cable cz-lien: the links table says which there are"
    assert str(caught.value) == message


def test_a_second_lab_is_refused_while_one_is_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        network.up(NOW)
    assert str(caught.value) == "a lab is up already (34 nodes): run 'onefold lab down' first, or 'onefold lab reset'"
    first = os.environ["ONEFOLD_LAB"]
    monkeypatch.setenv("ONEFOLD_LAB", str(tmp_path))
    with pytest.raises(LabError) as caught:
        network.up(NOW)
    assert str(caught.value) == f"the network lab in {first} is up: run 'onefold lab down' with ONEFOLD_LAB={first}"
    monkeypatch.undo()
    assert network.status()["up"] is True


def test_users_see_how_long_a_service_was_away() -> None:
    flows = [flow for flow in policy().flows if flow.code in ("F-001", "F-011")]
    wanted = asks(NOW, flows)
    assert [(one.flow, one.host, one.name) for one in wanted] == [
        ("F-001", "cz-user1", "budget.cz.wangchao.example"),
        ("F-011", "citizen", "portal.lanhai.example"),
    ]
    with Watch(wanted) as watch:
        time.sleep(2)
        assert service("cz-web", "stop", WEB).returncode == 0
        time.sleep(2)
        assert service("cz-web", "start", WEB).returncode == 0
        time.sleep(2.5)
    gone, there = watch.seen
    assert 0 < gone.answered < gone.asked
    assert 1.5 < gone.longest_gap < 30
    assert there.answered == there.asked > 5
    assert there.longest_gap < gone.longest_gap


def test_a_watcher_that_cannot_run_is_an_error_and_no_outage() -> None:
    with pytest.raises(LabError, match="this says nothing of outages"), Watch(asks(NOW, policy().flows)[:1]):
        network.execute("cz-user1", ["pkill", "-KILL", "-f", "watch_agent|GET /health"])


def test_status_says_which_part_died_and_reset_heals_it() -> None:
    zebra = [number for number, line in node.members(network.node_pid("cz1")).items() if "/frr/zebra" in line]
    assert len(zebra) == 1
    assert network.status()["up"] is True
    os.kill(zebra[0], signal.SIGKILL)
    found = network.status()
    assert found["up"] is False
    assert found["nodes"]["cz1"]["missing"] == ["zebra"]  # type: ignore[index]  # status is plain data
    network.reset()
    assert network.status()["up"] is True
    assert probe("cz-user2", "10.8.1.10", 8080).connected


def test_a_lab_comes_up_on_what_a_power_cut_left() -> None:
    """Every process is gone at once, the folders are there still, with data of the services."""
    service("cz-web", "stop", WEB)
    (node.place().hosts / "cz-web" / "srv" / "left").write_text("of before")
    node.kill(list(node.running().values()))
    assert (node.place().nodes / "of-management").exists()
    assert network.status()["up"] is False
    network.up(NOW)
    assert network.status()["up"] is True
    assert probe("cz-user2", "10.8.1.10", 8080).connected
    assert not (node.place().hosts / "cz-web" / "srv" / "left").exists()


def test_down_leaves_nothing_even_after_kills() -> None:
    network.down()
    before = traces()
    assert before.processes == 0
    network.up(NOW)
    during = traces()
    assert during.processes > 100
    assert len(during.namespaces) >= 34
    assert len(during.members) >= during.processes - 2  # all but who looks after the lab from outside
    assert during.interfaces - before.interfaces == {"of-mgmt0"}
    os.kill(network.node_pid("pe1"), signal.SIGKILL)  # a whole node
    os.kill(parent(network.node_pid("fw1")), signal.SIGKILL)  # what keeps a node
    (node.place().nodes / "staff/pid").unlink()  # what the lab knows of it
    assert network.status()["up"] is False
    network.down()
    after = traces()
    assert after.processes == 0
    assert after.interfaces == before.interfaces
    assert after.mounts == before.mounts
    assert not during.members & members_of(during.namespaces)
    with pytest.raises(LabError):
        network.node_pid("pe2")


class Traces(NamedTuple):
    """What the lab could leave behind on this machine."""

    processes: int
    namespaces: frozenset[str]
    members: frozenset[tuple[str, str]]
    interfaces: frozenset[str]
    mounts: tuple[str, ...]


def traces() -> Traces:
    ours, spaces = 0, set()
    for entry in (one for one in Path("/proc").iterdir() if one.name.isdigit()):
        try:
            if f"{node.MARK}={node.place().folder}:".encode() in (entry / "environ").read_bytes():
                ours += 1
                spaces.add(str((entry / "ns/net").readlink()))
        except OSError:
            continue
    machine = str(Path("/proc/self/ns/net").readlink())
    ports = frozenset(name for _, name in socket.if_nameindex())
    mounts = tuple(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    namespaces = frozenset(spaces - {machine})
    return Traces(ours, namespaces, members_of(namespaces), ports, mounts)


def members_of(namespaces: frozenset[str]) -> frozenset[tuple[str, str]]:
    """Number and start of each process in them: a namespace's own number is given to another one when it is gone."""
    found = set()
    for entry in (one for one in Path("/proc").iterdir() if one.name.isdigit()):
        try:
            if str((entry / "ns/net").readlink()) in namespaces:
                found.add((entry.name, stat_of(entry.name)[19]))
        except OSError:
            continue
    return frozenset(found)


def parent(number: int) -> int:
    return int(stat_of(number)[1])


def stat_of(number: int | str) -> list[str]:
    """What proc(5) calls state and what follows it: 1 is the parent, 19 the start."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
