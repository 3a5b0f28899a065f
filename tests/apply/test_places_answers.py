"""What comes back from a place: bytes as they are, and one line when it takes too long. The far end is this machine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from network_models.district import now
from orchestrator.apply import places
from orchestrator.apply.access import Access
from orchestrator.apply.places import Places
from orchestrator.errors import DeviceError, UnreachableError

NOW = now()
HOST = "cz-db"
run = subprocess.run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    def locally(words: list[str], **how: Any) -> subprocess.CompletedProcess[Any]:
        assert words[0] == "ssh"
        return run(["sh", "-c", words[-1]], **how)

    made = Places(Access(ssh_key=Path("/none"), known_hosts=Path("/none")))
    monkeypatch.setattr(made, "_socket", lambda: Path("/none"))
    monkeypatch.setattr(places.subprocess, "run", locally)
    with made.entered():
        yield made


def test_a_dump_goes_through_us_byte_by_byte(here: Places) -> None:
    """A column of bytes is no text, and a trigger may be written with both ends of a line."""
    dump = here.run(NOW, HOST, r"printf '\377\200a\r\nb\rc\n'")
    assert here.run(NOW, HOST, "od -An -tx1", given=dump).strip() == "ff 80 61 0d 0a 62 0d 63 0a"


def test_what_a_place_refuses_is_told_in_words_that_can_be_written(here: Places) -> None:
    with pytest.raises(DeviceError) as caught:
        here.run(NOW, HOST, r"printf 'no \377\n' >&2; false")
    assert str(caught.value) == f"{HOST} refused 'printf 'no \\377\\n' >&2; false': no \ufffd"


def test_a_command_that_does_not_end_is_one_line_and_data_takes_its_time(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_SECONDS", 0.1)
    with pytest.raises(UnreachableError) as caught:
        here.run(NOW, HOST, "sleep 0.5")
    assert str(caught.value) == f"{HOST} did not end 'sleep 0.5' within 0.1 s: look there, then 'onefold resume'"
    assert here.run(NOW, HOST, "sleep 0.5; echo sum", limited=False) == "sum\n"
