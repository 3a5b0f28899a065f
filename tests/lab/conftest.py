"""Real parts for the tests of the lab: a cloud of their own, so that a lab that somebody uses is left alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import folders
from lab.openstack import cloud as cloud_of
from lab.openstack import node as cloud_node
from lab.openstack import processes
from lab.openstack.settings import Bed, bed
from lab.progress import printed

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # gw0, gw1, ...: each process of tests has a lab of its own
#: settled before any test moves ONEFOLD_LAB for itself
HOME = folders.state().parent / f"lab-of-tests{_WORKER}"
#: the cloud's first port
PORTS = int(os.environ.get("ONEFOLD_TEST_PORTS", "27000")) + 1000 * int(_WORKER.removeprefix("gw") or 0)
_INIT = """
mount --make-rprivate /; read -r pid rest < /proc/self/stat
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mkdir -p /run/netns
hostname "$2"; ip link set lo up; echo "$pid" > "$1.new"; mv "$1.new" "$1"
sleep infinity & wait $!
"""


@pytest.fixture(scope="session")
def own_place() -> Iterator[Bed]:
    """Folder and ports of a cloud of this process, which is down at first and in the end.

    The folder stays, so that a later run starts from the saved first state.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEFOLD_LAB", str(HOME))
        patch.setenv("ONEFOLD_LAB_PORTS", str(PORTS))
        cloud_of.down()  # of a run that was killed
        try:
            yield bed()
        finally:
            members = processes.members(bed())
            cloud_of.down()
            assert not any(Path(f"/proc/{pid}").exists() for pid in members), "down left something of the cloud"


@pytest.fixture(scope="session")
def own_cloud(own_place: Bed) -> Bed:
    """The cloud, up: in its first state, unless tests before this one have used it."""
    if cloud_of.status()["state"] != "up":
        cloud_of.reset(printed)
    return own_place


_touched: list[str] = []
"""Tests that have used the cloud."""


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Note who used the cloud."""
    if "own_cloud" in getattr(item, "fixturenames", ()):
        _touched.append(item.nodeid)


@pytest.fixture(scope="module")
def first_state(own_cloud: Bed) -> Bed:
    """The cloud as nobody has used it yet."""
    if _touched:
        cloud_node.detach_node()
        cloud_of.reset(printed)
    return own_cloud


class Space:
    """A throw-away node of the network: namespaces held by one process."""

    def __init__(self, name: str, folder: Path) -> None:
        file = folder / f"{name}.pid"
        apart = ["setsid", "--fork", "unshare", "--fork", "--pid", "--net", "--mount", "--uts"]
        subprocess.run([*apart, "bash", "-c", _INIT, "space", str(file), name], check=True)
        end = time.monotonic() + 10
        while not file.exists():
            assert time.monotonic() < end, f"node {name} did not start"
            time.sleep(0.02)
        self.pid = int(file.read_text())

    def run(self, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in the node."""
        enter = ["nsenter", "-t", str(self.pid), "--net", "--mount", "--uts", "--pid", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=seconds)

    def probe(self, address: str, port: int, seconds: float = 1.5) -> str:
        """Return what a TCP port says by itself, empty when it does not answer; a probe that cannot run is an error."""
        script = f"exec 3<>/dev/tcp/{address}/{port} && cat <&3"
        done = self.run("timeout", str(seconds), "bash", "-c", script)
        assert done.returncode in {0, 1, 124}, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def spaces(own_cloud: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Space, Space]]:
    """The cloud's node, and a provider edge that stands before it on provider VLAN 101 as 100.66.1.1."""
    folder = tmp_path_factory.mktemp("spaces")
    node, edge = Space("dc1", folder), Space("edge", folder)
    try:
        # a fixed hardware address: OVN never forgets the one it has learnt for its gateway
        for line in (
            f"link add up0 address 02:00:00:00:00:01 type veth peer name civil0 netns {node.pid}",
            "link set up0 up gso_max_segs 1",
            "addr add 100.66.1.1/24 dev up0",
            "route add 10.50.0.0/16 via 100.66.1.10",
        ):
            made = subprocess.run(
                ["nsenter", "-t", str(edge.pid), "--net", "ip", *line.split()], text=True, capture_output=True
            )
            assert made.returncode == 0, f"{line}: {made.stderr}"
        yield node, edge
    finally:
        for space in (node, edge):
            subprocess.run(["kill", "-9", str(space.pid)], check=False)
