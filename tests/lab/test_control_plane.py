"""Computed tables are the tables that real FRR installs, and computed packets arrive where real packets arrive."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.control import compare, gates, network
from lab.control.corners import CORNERS
from lab.control.topologies import Topology
from lab.control.world import World
from orchestrator.forwarding.control.compute import Result
from orchestrator.forwarding.engine.trail import Ending

pytestmark = pytest.mark.lab
DESIGNS = 60 if os.environ.get("ONEFOLD_SOAK") else 10
FIRST = int(os.environ.get("ONEFOLD_SEED", "0"))


def test_tables_and_packets_of_random_designs_are_as_computed() -> None:
    """At least ten designs a run, and in the soak at least ten thousand packets; each with its answers."""
    found = list(compare.several(FIRST, DESIGNS))
    assert [line for one in found for line in one.differences] == []
    assert len(found) == DESIGNS
    # a second start is for what the routing daemons themselves get wrong now and then: never for many of the designs
    assert sum(one.starts > 1 for one in found) <= DESIGNS // 4, found
    # nothing was compared by accident on a dead network: every design carried packets, and dropped some
    assert all(one.routes > 40 and 0 < one.delivered < one.flows for one in found), found
    assert sum(one.flows for one in found) >= 10_000
    assert sum(one.answers for one in found) >= 1_000
    assert {one.kind for one in found} >= {"ospf", "isis"}


def test_tables_of_designs_by_hand_are_as_computed() -> None:
    """What the random designs leave out: designated routers, IPv6, levels, VRFs, communities, cut cables, VPNs."""
    with ThreadPoolExecutor(3) as workers:
        assert [line for lines in workers.map(compare.corner, CORNERS) for line in lines] == []
    assert len(CORNERS) >= 7


def test_a_wrong_prediction_is_noticed() -> None:
    """The comparison fails where tables or filters are not those that run: it is no check that always passes."""
    topology, result = next(pair for pair in compare.certain(range(FIRST, FIRST + 40)) if blocks(*pair))
    wrong = topology._replace(gates=())
    with World() as world:
        network.start(world, topology.design, topology.hosts, {one.router: gates.text(one) for one in topology.gates})
        wanted = {place: network.predicted(table) for place, table in result.tables.items()}
        assert network.settle(world, topology.design, wanted, compare.SETTLE) == []
        place, rows = next(iter(wanted.items()))
        prefix = next(prefix for prefix, row in rows.items() if row.source != "connected")
        missing = {**wanted, place: {key: row for key, row in rows.items() if key != prefix}}
        assert len(network.settle(world, topology.design, missing, 0)) == 1
        assert any("not seen anywhere" in line for line in compare.packets(world, wrong, result)[3])


def test_nothing_is_left_when_the_one_who_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom lab.control.world import World\nworld = World()\nworld.add('alone')\n"
        "world.script('alone', '/usr/lib/frr/zebra -d -A 127.0.0.1 2>/dev/null')\nprint(world.process, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        first = int(owner.stdout.readline())
    members = inside(first)
    assert any("zebra" in words for words in members.values())
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)
    end = time.monotonic() + 10
    while left := [number for number in members if Path(f"/proc/{number}/cmdline").exists()]:
        assert time.monotonic() < end, f"still there: {[members[number] for number in left]}"
        time.sleep(0.1)


def blocks(topology: Topology, result: Result) -> bool:
    """Whether the gates of a design stop something that would arrive without them."""
    ways = [compare.walker(one, result) for one in (topology, topology._replace(gates=()))]
    zones = ways[0][1]
    ends = [
        [{end.ending for end in plain.ends(zones.index(probe.host), probe.packet)} for plain, _ in ways]
        for probe in compare.flows(topology)
    ]
    return any(behind == {Ending.DROPPED} and without == {Ending.DELIVERED} for behind, without in ends)


def inside(number: int) -> dict[int, str]:
    """Every descendant of a process: process id -> its command line."""
    parents: dict[int, int] = {}
    words: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    found = {number}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {one: words[one] for one in found if one in words}
