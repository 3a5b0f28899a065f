"""The lab's verbs where no lab runs: what they say, and how they end."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import door
from network_models import district


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as folder:  # short: unix sockets
        monkeypatch.setenv("ONEFOLD_LAB", folder)
        yield


def test_status_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["status", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "onefold-lab/1"
    assert answer["network"] == {"up": False, "nodes": {}, "access": None}
    assert door.main(["status"]) == 0
    assert capsys.readouterr().out == "network: 0 of 0 nodes run\ncloud: absent\n"


def test_packets_are_not_judged_when_no_lab_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["test"]) == 1
    message = "the lab is not up, so packets would say nothing: run 'onefold lab up', or look at 'onefold lab status'\n"
    assert capsys.readouterr().err == message


def test_there_is_nothing_to_go_back_to_before_the_first_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["reset"]) == 1
    assert capsys.readouterr().err == "there is no first state to go back to: run 'onefold lab up'\n"


def test_a_folder_without_a_project_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert door.main(["-C", str(tmp_path), "up"]) == 1
    assert f"{tmp_path}: no onefold.yaml here" in capsys.readouterr().err
    assert not (tmp_path / "lab/network/nodes").exists()


def test_without_a_folder_it_is_the_district() -> None:
    estate, texts = door.world(None)
    assert estate.digest == district.now().digest
    assert texts is None


def test_a_project_folder_brings_its_own_configurations() -> None:
    estate, texts = door.world(Path(district.__file__).parent / "wangchao")
    assert texts is not None
    assert set(texts) == {name for name, device in estate.devices.items() if set(device.platforms) - {"unmanaged"}}
    assert sorted(texts["fw1"]) == ["frr.conf", "links.batch", "nftables.conf"]


def test_unknown_words_end_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        door.main(["explode"])
    assert caught.value.code == 2
    assert "invalid choice: 'explode'" in capsys.readouterr().err
