"""An audit by the other walker: silent on what agrees, loud about one filter entry turned round."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from network_models.district import now
from orchestrator.errors import InputError
from orchestrator.forwarding.ends import LOOPS
from orchestrator.forwarding.engine.network import Action, Network
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.lowering import lower
from orchestrator.forwarding.world import World
from orchestrator.model.network import Route
from orchestrator.proof import recheck, verify
from tests.design.estates import policy
from tests.proof.plans import drop, plan, put, step
from tests.whole import planned


def test_sampled_states_agree_with_the_proof() -> None:
    found = recheck(now(), planned(), policy(), 3, seed=7)
    assert found.differences == ()
    assert found.packets > 10_000
    assert found.states[0] == "now"
    assert found.states[-1] == f"after batch {len(planned().batches())}"
    assert found.states == recheck(now(), planned(), policy(), 3, seed=7).states


def test_states_in_which_routing_settles_are_walked_too() -> None:
    """As many states as the proof has judged, and one of those in which devices know different routes."""
    cut = plan((step("cut", drop(now(), "routes", "pe2/adm/198.18.16.0/24/198.19.252.2")),))
    found = recheck(now(), cut, policy(), 9)
    assert (found.reachable, found.differences) == (verify(now(), cut, policy()).states, ())
    assert [state.partition(", ")[2] for state in found.states] == [
        "",
        "",
        "settled on pe1 and not on pe2",
        "settled on pe2 and not on pe1",
    ]


def test_an_entry_that_works_the_other_way_round_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def turned(world: World) -> Network:
        network = lower(world)
        action = np.where(network.filters.action == Action.PERMIT, Action.DENY, Action.PERMIT).astype(np.int32)
        return dataclasses.replace(network, filters=network.filters._replace(action=action))

    monkeypatch.setattr("orchestrator.proof.second_walk.lower", turned)
    told: list[str] = []
    found = recheck(now(), planned(), policy(), 1, progress=told.append)
    assert (found.states, told) == (("now",), ["audit of 1 of 1: now"])
    assert found.differences
    assert found.differences[0].startswith("now: ")
    assert ": engine (" in found.differences[0]


def test_an_engine_that_drops_what_arrives_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof does not walk what the engine says is dropped: the audit does."""
    take = EngineMatrix._take

    def forgetful(matrix: EngineMatrix) -> None:
        take(matrix)
        matrix.decided.pop(next(cell for cell, ends in matrix.decided.items() if ends[0] == "portal"))

    monkeypatch.setattr(EngineMatrix, "_take", forgetful)
    found = recheck(now(), planned(), policy(), 1)
    assert found.differences
    assert "engine ('dropped', ''), simulator ('delivered', 'portal'), arrays [('delivered', 'portal')]" in str(
        found.differences
    ).replace("\\'", "'")


def test_packets_that_go_round_do_so_for_engine_and_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    back = Route.model_validate({"device": "cz1", "prefix": "10.8.1.20/32", "next_hop": "10.8.254.2"})
    looping = now().apply((put(back),))
    assert recheck(looping, plan(base=looping), policy(), 1).differences == ()
    take = EngineMatrix._take

    def blind(matrix: EngineMatrix) -> None:
        take(matrix)
        matrix.decided = {cell: ends for cell, ends in matrix.decided.items() if LOOPS not in ends}

    monkeypatch.setattr(EngineMatrix, "_take", blind)
    found = recheck(looping, plan(base=looping), policy(), 1).differences
    assert found
    assert all("engine ('dropped', ''), simulator ('dropped', ''), arrays [('round', '')]" in text for text in found)


def test_an_audit_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"^an audit of 0 states compares nothing: ask for 1 or more$"):
        recheck(now(), planned(), policy(), 0)
