"""What a comparison makes of predictions and observations; the packets themselves are held against it in the lab."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lab import comparison
from lab.probe import Request, Result
from lab.services import PROBE_PORTS
from network_models import district
from orchestrator.forwarding.points import probe_points
from orchestrator.forwarding.predict import predict

NOW = district.now()


class Network:
    """Does what is predicted, but for packets lost in the first of its rounds and packets that get through."""

    def __init__(self, answered: bool, lost_rounds: int) -> None:
        predicted = predict(NOW, probe_points(NOW), PROBE_PORTS)
        self.answers = {(node, str(address), port): known for (node, address, port), known in predicted.items()}
        self.other = next(key for key, known in sorted(self.answers.items()) if known is answered)
        self.lost_rounds = lost_rounds
        self.rounds: list[int] = []

    def observe(self, requests: Iterable[Request], timeout: float = 1.5) -> list[Result]:
        asked = list(requests)
        self.rounds.append(len(asked))
        return [self.result(one) for one in asked]

    def result(self, request: Request) -> Result:
        key = (request.source, str(request.destination), request.port)
        works = bool(self.answers[key])
        if key == self.other and len(self.rounds) <= self.lost_rounds:
            works = not works
        return Result(request, works, "", "" if works else "timeout")


def compared(monkeypatch: pytest.MonkeyPatch, network: Network) -> comparison.Comparison:
    monkeypatch.setattr(comparison, "observe", network.observe)
    return comparison.compare(NOW)


def test_an_answer_that_came_too_late_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(answered=True, lost_rounds=1)
    found = compared(monkeypatch, network)
    assert found.equal
    assert found.asked_again == 1
    assert network.rounds == [found.packets, 1]


def test_an_answer_that_never_comes_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(answered=True, lost_rounds=2)
    found = compared(monkeypatch, network)
    assert [str(one).partition(": ")[2] for one in found.differences] == ["predicted answered, observed timeout"]
    assert network.rounds == [found.packets, 1]


def test_what_gets_through_and_should_not_has_no_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(answered=False, lost_rounds=1)
    found = compared(monkeypatch, network)
    assert [str(one).partition(": ")[2] for one in found.differences] == ["predicted blocked, observed connected"]
    assert network.rounds == [found.packets]
