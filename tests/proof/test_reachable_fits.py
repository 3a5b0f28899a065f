"""What does not belong together proves nothing: worlds, policies and steps are held against each other first."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import InputError, PlanError
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.policy import Flow, Policy
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


def test_a_policy_of_numbers_or_of_packets_that_cannot_be_is_refused() -> None:
    square = Square()
    numbers = Policy(square.policy.allowed.astype(np.int32))  # ~1 is -2: pairs were counted wrongly
    nobody = Policy(square.policy.allowed, (Flow(0, Packet(4, -1, 0, 6, 1, 1)),))
    for policy, message in ((numbers, "policy.allowed is int32"), (nobody, "has no addresses of family 4 or 6")):
        with pytest.raises(InputError, match=message):
            EngineWorld(square.network, policy)
