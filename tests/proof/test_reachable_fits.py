"""What does not belong together proves nothing: worlds, policies and steps are held against each other first."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import InputError, PlanError
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.updates import PortDown
from orchestrator.proof.order_network import order_steps
from orchestrator.proof.reachable import Step, prove_states
from orchestrator.proof.reachable_engine import EngineWorld
from tests.proof.square import Square


def test_a_world_of_something_else_or_used_before_proves_nothing() -> None:
    square = Square()
    steps = [Step("r3", (square.to_b("r3", "r4"),)), Step("r2", (square.to_b("r2", "r3"),))]
    used = EngineWorld(square.network, square.policy)
    used.apply(steps[0].lines[0])
    others = EngineWorld(square.network, Policy(square.policy.allowed)), EngineWorld(Square().network, square.policy)
    for world in (used, *others):
        with pytest.raises(PlanError, match="the world is not this network with this policy"):
            prove_states(square.network, [steps[:1], steps[1:]], square.policy, world)
        with pytest.raises(PlanError, match="the world is not this network with this policy"):
            order_steps(square.network, steps, square.policy, world)


def test_an_outage_of_a_flow_that_nobody_registered_is_refused() -> None:
    square = Square()
    for outage in (-1, len(square.policy.flows)):
        step = Step("r3", (square.to_b("r3", "r4"),), outage=frozenset({outage}))
        with pytest.raises(PlanError, match=f"step r3 declares an outage of flow {outage}"):
            prove_states(square.network, [[step]], square.policy, square.world())
        with pytest.raises(PlanError, match=f"step r3 declares an outage of flow {outage}"):
            order_steps(square.network, [step], square.policy, square.world())


def test_a_step_of_other_things_than_lines_and_flows_is_refused() -> None:
    line = PortDown(0)
    for lines in (line, "down", ["down"], (None,), None):
        with pytest.raises(PlanError, match=r"^step r3 has .* for lines: give a tuple of updates$"):
            Step("r3", lines)  # type: ignore[arg-type]  # what are no lines is refused
    for outage in ("x", "", {"0"}, 0, [0.0], {True}, None):
        with pytest.raises(PlanError) as caught:
            Step("r3", (line,), outage=outage)  # type: ignore[arg-type]  # what are no flows is refused
        assert str(caught.value) == f"step r3 has {outage!r} for outage: give a set of the flows' numbers"
    assert Step("r3", [line], outage=[np.int64(0)]) == Step("r3", (line,), outage=frozenset({0}))  # type: ignore[arg-type]  # lists will do


def test_batches_that_hold_no_steps_are_refused() -> None:
    square = Square()
    step = Step("r3", (square.to_b("r3", "r4"),))
    told = ": give every batch as a list of steps$"
    with pytest.raises(PlanError, match=f"^a batch is given as Step{told}"):
        prove_states(square.network, [step], square.policy, square.world())  # type: ignore[list-item]  # a step is no batch
    with pytest.raises(PlanError, match=f"^a batch holds a list{told}"):
        order_steps(square.network, [[step]], square.policy, square.world())  # type: ignore[list-item]  # nor a batch a step


def test_two_steps_of_one_name_in_a_batch_are_refused() -> None:
    square = Square()
    steps = [Step("turn", (square.to_b("r3", "r4"),)), Step("turn", (square.to_b("r2", "r3"),))]
    told = "^two steps of one batch are named turn: findings tell them by name; rename one$"
    with pytest.raises(PlanError, match=told):
        prove_states(square.network, [steps], square.policy, square.world())
    with pytest.raises(PlanError, match=told):
        order_steps(square.network, steps, square.policy, square.world())
    assert prove_states(square.network, [steps[:1], steps[1:]], square.policy, square.world()).result == "pass"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([(0, 7)], "after has (0, 7): give pairs of step numbers, (before, after); there are 2"),
        ([(-1, 0)], "after has (-1, 0): give pairs of step numbers, (before, after); there are 2"),
        ([("r3", "r2")], "after has ('r3', 'r2'): give pairs of step numbers, (before, after); there are 2"),
        ([0], "after has 0: give pairs of step numbers, (before, after); there are 2"),
        ([(0, 1), (1, 0)], "after wants r3, then r2, then r3: no order keeps that; take one of these pairs out"),
        ([(1, 1)], "after wants r2, then r2: no order keeps that; take one of these pairs out"),
    ],
)
def test_pairs_that_no_order_can_keep_are_refused(after: list[tuple[int, int]], told: str) -> None:
    square = Square()
    steps = [Step("r3", (square.to_b("r3", "r4"),)), Step("r2", (square.to_b("r2", "r3"),))]
    with pytest.raises(PlanError) as caught:
        order_steps(square.network, steps, square.policy, square.world(), after)
    assert str(caught.value) == told
    assert order_steps(square.network, steps, square.policy, square.world(), [(0, 1)]).result.order == (0, 1)


def test_a_policy_of_other_things_than_arrays_and_flows_is_refused() -> None:
    square = Square()
    allowed = square.policy.allowed
    for policy, told in (
        (Policy([[True] * 2] * 2), "policy.allowed is of list: 2 zones need an array of bool, (2, 2)"),  # type: ignore[arg-type]  # a list is refused
        (Policy(allowed[:1]), "policy.allowed is bool (1, 2): 2 zones need an array of bool, (2, 2)"),
        (Policy(allowed, (Flow("a", square.packet),)), "policy.flows[0].zone is 'a': use 0..1"),  # type: ignore[arg-type]  # names, too
        (
            Policy(np.eye(2, dtype=np.bool_), (), {(0, 1): None}),  # type: ignore[dict-item]  # no packets, too
            "policy.only[(0, 1)] is of NoneType: give packets, as Engine.reach().packets makes them",
        ),
        (Policy(allowed, ((0, 1),)), "policy.flows[0] is (0, 1): give Flow(zone, Packet(...))"),  # type: ignore[arg-type]  # pairs, too
    ):
        with pytest.raises(InputError) as caught:
            EngineWorld(square.network, policy)
        assert str(caught.value) == told


def test_a_flow_that_its_zone_cannot_begin_is_refused() -> None:
    """It fails in every state whatever is planned: whoever reads that should hear why."""
    square = Square()
    steps = [Step("r3", (square.to_b("r3", "r4"),))]
    foreign = Policy(square.policy.allowed, (*square.policy.flows, Flow(1, square.packet)))
    told = "^flow 1 comes from 198.18.1.5, with which b does not send: correct the flow$"
    with pytest.raises(InputError, match=told):
        prove_states(square.network, [steps], foreign, EngineWorld(square.network, foreign))
    with pytest.raises(InputError, match=told):
        order_steps(square.network, steps, foreign, EngineWorld(square.network, foreign))


def test_a_policy_of_numbers_or_of_packets_that_cannot_be_is_refused() -> None:
    square = Square()
    numbers = Policy(square.policy.allowed.astype(np.int32))  # ~1 is -2: pairs were counted wrongly
    nobody = Policy(square.policy.allowed, (Flow(0, Packet(4, -1, 0, 6, 1, 1)),))
    for policy, message in ((numbers, "policy.allowed is int32"), (nobody, "has no addresses of family 4 or 6")):
        with pytest.raises(InputError, match=message):
            EngineWorld(square.network, policy)
