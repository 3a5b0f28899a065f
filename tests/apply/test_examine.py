"""Doctor's questions to the world: everybody that is read and written is asked, by the way in which that is done."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from network_models.district import now
from orchestrator.apply import examine
from orchestrator.apply.access import Access
from orchestrator.apply.device import managed
from orchestrator.errors import UnreachableError

NOW = now()
ACCESS = Access(ssh_key=Path("/none"), known_hosts=Path("/none"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def ask(_self: Any, name: str, *_: object, **__: object) -> str:
        names.append(name)
        return "Linux 6.1\n"

    monkeypatch.setattr(examine.Remote, "ask", ask)
    return names


def test_a_vrp_box_is_asked_too_and_in_its_own_way(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (box,) = [name for name, row in NOW.devices.items() if "huawei_vrp" in row.platforms]
    monkeypatch.setattr(examine, "log_in", lambda *_: None)
    told = {finding.subject: finding.result for finding in examine.world(NOW, ACCESS)}
    assert told.pop("cloud") == "unknown"
    assert told == {f"ssh: {name}": "pass" for name in (*filter(lambda n: managed(NOW, n), NOW.devices), *NOW.hosts)}
    assert box not in asked

    def refusing(*_: object) -> None:
        raise UnreachableError("onefold@172.31.0.31:22: no host key in /none: record the key of the device there")

    monkeypatch.setattr(examine, "log_in", refusing)
    (finding,) = [one for one in examine.world(NOW, ACCESS) if one.subject == f"ssh: {box}"]
    assert (finding.result, finding.what.partition(": no host key")[1]) == ("fail", ": no host key")


def test_what_is_not_ours_to_configure_is_not_asked(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "log_in", lambda *_: None)
    row = NOW.devices["sw-dc"].model_copy(update={"management": IPv4Address("198.18.0.9")})
    estate = NOW.model_copy(update={"devices": NOW.devices | {"sw-dc": row}})
    assert "ssh: sw-dc" not in {finding.subject for finding in examine.world(estate, ACCESS)}
    assert "pe1" in asked
