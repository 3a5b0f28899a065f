"""What a VRP box answers is read: with a session that answers from a table (a test aid); real ones in test_vrp.py."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.apply import vrp
from orchestrator.apply.vrp import PushResult, Session
from orchestrator.apply.vrp_connection import Reply, Target
from orchestrator.errors import DeviceError, SurpriseError

TEXT = "#\nsysname WC-SW-1\n#\nvlan batch 10 20\n#\nreturn\n"
ON_TRIAL = PushResult(lines=("vlan batch 20",), before=TEXT.replace(" 20", ""), after=TEXT, trial_seconds=60)


class Answering:
    """A connection: line -> what the box says; it says nothing to any other line."""

    def __init__(self, said: Mapping[str, str]) -> None:
        self.said = {"display current-configuration": TEXT, **said}
        self.heard: list[str] = []

    def exchange(self, line: str, _seconds: float) -> Reply:
        self.heard.append(line)
        return Reply(self.said.get(line, ""))

    def disconnect(self) -> None:
        """Nothing is open."""


def session(monkeypatch: pytest.MonkeyPatch, **said: str) -> tuple[Session, Answering]:
    box = Answering({line.replace("_", " "): text for line, text in said.items()})
    monkeypatch.setattr(vrp, "connect", lambda _target: box)
    return Session(Target("198.18.0.9", "onefold", Path("/none")), "vrp8"), box


def test_a_trial_whose_confirmation_the_box_refuses_is_not_told_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows until the trial ends is the wanted configuration all the same."""
    mine, box = session(monkeypatch)
    mine.confirm(ON_TRIAL)
    assert box.heard == ["system-view", "commit", "return", "display current-configuration"]
    mine, _ = session(monkeypatch, commit="Error: The configuration is locked by another user.")
    with pytest.raises(SurpriseError) as caught:
        mine.confirm(ON_TRIAL)
    assert str(caught.value) == (
        "198.18.0.9: the trial was not confirmed and ends by itself: 'commit' refused: "
        "Error: The configuration is locked by another user.: push again"
    )


def test_a_trial_that_the_box_does_not_abort_is_not_told_as_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, box = session(monkeypatch)
    mine.abort_trial()
    assert box.heard == ["system-view", "abort trial", "return"]
    mine, _ = session(monkeypatch, abort_trial="Error: No permission to run the command.")
    with pytest.raises(DeviceError, match=r"'abort trial' refused: Error: No permission to run the command\."):
        mine.abort_trial()
