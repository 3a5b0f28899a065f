"""The district taken back from many points of its way, and left alone when one of its devices does not answer.

One lab for the file; each test leaves it as the next one expects it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from lab import network
from lab.openstack.settings import Bed
from tests.lab.district import District, cloud_objects, raised

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def district(first_state: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    with raised(tmp_path_factory.mktemp("district") / "wangchao") as found:
        yield found


def test_a_device_that_does_not_answer_stops_a_run_before_it_begins(district: District) -> None:
    """The positive twin is every run below: the same device, answering."""
    network.execute("pe2", ["pkill", "-STOP", "-x", "sshd"])
    try:
        done = district.run("apply", str(district.plan_file), "--rehearsal")
    finally:
        network.execute("pe2", ["pkill", "-CONT", "-x", "sshd"])
    assert done.returncode == 5, done.stderr[-2000:]
    assert "pe2" in json.loads(done.stdout)["error"]
    assert district.events() == ()
    assert district.answer("drift")["differences"] == []


@pytest.mark.parametrize("stop_at", ["4", "9+0.5", "14", "21+0.3", "30"])
def test_killed_and_taken_back(district: District, own_cloud: Bed, stop_at: str) -> None:
    before = cloud_objects(own_cloud)
    killed = district.run("apply", str(district.plan_file), "--rehearsal", stop_at=stop_at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert district.run("status").returncode == 4
    back = district.answer("rollback")
    assert back["findings"] == []
    assert district.answer("status")["state"] == "rolled back"
    assert cloud_objects(own_cloud) == before


def test_what_users_wrote_before_a_switch_that_never_came_is_kept(district: District) -> None:
    """Killed between the first copy and the cutover: only the old place has it, and nothing older is put over it."""
    database = "990102-CZ-0001.db"
    first = network.execute("cz-db", ["onefold-service", "checksum", database]).stdout
    words = ["apply", str(district.plan_file), "--rehearsal"]
    killed = district.run(*words, stop_at="cutover.990102-CZ-0001")
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    row = json.dumps({"unit": "0002", "subject": "late", "amount": "2"})
    wrote = network.execute("cz-user1", ["curl", "-s", "-m5", "-d", row, "http://10.8.1.10:8080/rows"])
    assert json.loads(wrote.stdout) == {"added": True}
    written = network.execute("cz-db", ["onefold-service", "checksum", database]).stdout
    assert written != first
    assert district.answer("rollback")["findings"] == []
    assert network.execute("cz-db", ["onefold-service", "checksum", database]).stdout == written
