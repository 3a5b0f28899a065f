"""The district's whole way on real parts, by the command itself: killed at many points, there and back.

One lab for the file; the tests follow one another, each leaves the lab as the next one expects it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lab import door, network
from lab.openstack.catalogue import connect
from lab.openstack.settings import DOMAINS, Bed
from tests.lab.district import MINUTES, ROOT, SOURCE, District, cloud_objects, raised

pytestmark = pytest.mark.lab
KILLS = 21


@pytest.fixture(scope="module")
def district(first_state: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    with raised(tmp_path_factory.mktemp("district") / "wangchao") as found:
        yield found


def test_before_anything_every_part_is_there_and_packets_go_as_predicted(district: District) -> None:
    parts = district.answer("doctor")["parts"]
    assert [part["subject"] for part in parts if part["result"] != "pass"] == []
    checked = district.answer("check")
    assert checked["packets"] > 1000
    assert checked["differences"] == []
    assert district.answer("drift")["differences"] == []


def next_kill(district: District, number: int) -> int:
    """The journal point of the next kill: often while data moves, now and then elsewhere."""
    events = district.events() if number else ()
    stand = {event.step for event in events if not event.part and event.state in ("done", "adopted")}
    ahead = next((step for batch in district.plan.batches() for step in batch if step not in stand), "")
    moving = ahead and district.plan.step_of[ahead].kind in ("copy", "cutover")
    return len(events) + (3 if moving else (17, 29, 23, 37, 13)[number % 5])


def test_the_whole_way_killed_at_more_than_twenty_points(district: District, own_cloud: Bed) -> None:
    """0 lost, 0 doubled; every packet of every state as predicted."""
    before = cloud_objects(own_cloud)
    killed_at = 0
    done: subprocess.CompletedProcess[str] | None = None
    hit: Counter[str] = Counter()
    words = ["apply", str(district.plan_file), "--rehearsal"]
    for number in range(KILLS + 20):
        stop_at = f"{next_kill(district, number)}{('', '+0.4', '+1.2')[number % 3]}" if killed_at < KILLS else ""
        begin = time.monotonic()
        done = district.run(*words, stop_at=stop_at)
        if done.returncode != -signal.SIGKILL:
            break
        killed_at += 1
        event = district.events()[-1]
        hit[event.part.partition(":")[0] or "step"] += 1
        print(
            f"kill {killed_at} at {event.number} {event.step} {event.part} {time.monotonic() - begin:.0f} s", flush=True
        )
        words = ["resume"]
    assert done is not None
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    assert killed_at >= 20
    assert {"device", "stack"} <= set(hit), hit
    assert {"copy", "freeze", "open", "verify"} & set(hit), hit
    assert answer["checks"] > 0
    assert answer["findings"] == []
    assert answer["left"] == []
    assert district.answer("status")["state"] == "applied"
    made = cloud_objects(own_cloud) - before
    assert set(made.values()) == {1}
    assert {key for key in made if key[0] == "server"} == {
        ("server", server.tenant, server.name)
        for server in district.plan.target(door.world(SOURCE)[0]).servers.values()
    }
    assert district.answer("drift")["differences"] == []
    checked = district.answer("check")
    assert checked["packets"] > 1000
    assert checked["differences"] == []


def test_what_others_changed_is_found_and_named(district: District, own_cloud: Bed) -> None:
    connection = connect(own_cloud, DOMAINS[1])
    admin = connect(own_cloud, "onefold-admin")
    tenant = next(iter(network_of(admin, "cz-net")))
    admin.network.update_network(tenant, name="tampered")
    group = next(one for one in admin.network.security_groups(project_id=tenant.project_id) if one.name != "default")
    strange = admin.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv6", protocol="tcp"
    )
    network.execute("pe1", ["vtysh", "-c", "conf t", "-c", "vrf cz", "-c", "ip route 198.18.99.0/24 blackhole"])
    handle = network.execute("fw1", ["nft", "-a", "list", "chain", "inet", "onefold", "forward"]).stdout
    rule = next(line for line in handle.splitlines() if "F-009" in line or "F-010" in line).rsplit(" ", 1)[1]
    network.execute("fw1", ["nft", "delete", "rule", "inet", "onefold", "forward", "handle", rule])
    found = district.answer("drift", "--detailed-exitcode", code=2)
    rows = " ".join(difference["row"] for difference in found["differences"])
    assert "cloud_networks[cz/cz-net]" in rows
    assert "routes[pe1/cz/198.18.99.0/24/blackhole]" in rows
    assert "filter_rules[fw1/" in rows
    told = [one["found"] for one in found["differences"] if one["row"] == "unread object"]
    assert told == [f"a rule for IPv6 tcp in group {group.name!r} is not known here"]
    assert "F-010" in {finding["subject"] for finding in found["endangered"]}
    admin.network.update_network(tenant, name="cz-net")
    admin.network.delete_security_group_rule(strange)
    network.execute("pe1", ["vtysh", "-c", "conf t", "-c", "vrf cz", "-c", "no ip route 198.18.99.0/24 blackhole"])
    network.execute("fw1", ["nft", "-f", "/etc/nftables.conf"])
    assert district.answer("drift", "--detailed-exitcode")["differences"] == []
    connection.close()


def test_the_benchmark_of_drift_measures_both_on_this_world(district: District) -> None:
    command = [sys.executable, "-m", "benchmarks", "drift", "--quick", "--json"]
    environment = dict(os.environ, ONEFOLD_PROJECT=str(district.folder))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=10 * MINUTES)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    print("drift:", done.stdout, flush=True)
    assert "unmeasured" not in found, found
    assert found["stacks"] > 1
    assert found["seconds"]["runs"] == found["peer_seconds"]["runs"] == 1


def network_of(connection: Any, name: str) -> Iterator[Any]:
    return iter(connection.network.networks(name=name))


def test_the_whole_way_back_killed_once_leaves_the_world_as_it_was(district: District, own_cloud: Bed) -> None:
    last = len(district.events())
    killed = district.run("rollback", stop_at=f"{last + 40}+0.4")
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    back = district.answer("resume")
    assert back["findings"] == []
    assert district.answer("status")["state"] == "rolled back"
    assert {kind for kind, _, _ in cloud_objects(own_cloud)} <= {"project", "group"}
    assert district.answer("drift")["differences"] == []
    assert district.answer("check")["differences"] == []
