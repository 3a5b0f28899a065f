"""Where no order exists: the two-phase plan offered leads to the same target, is proved, and stands an audit."""

from __future__ import annotations

from functools import reduce
from random import Random

from hypothesis import example, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine import updates
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Action, Network
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.proof.order_network import order_steps
from orchestrator.proof.order_two_phase import Batches, after, two_phase
from orchestrator.proof.reachable import Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld
from orchestrator.proof.reachable_world import World
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples
from tests.proof.plain_world import PlainWorld, Rows
from tests.proof.square import Square
from tests.proof.test_reachable import random_batches, random_policy


def target(network: Network, steps: list[Step]) -> Network:
    """All steps at once."""
    return after(network, steps)


def end(network: Network, batches: Batches) -> Network:
    """Batch after batch."""
    return reduce(after, batches, network)


def test_a_filter_and_a_route_that_exclude_each_other_are_moved_in_two_phases() -> None:
    square = Square("r4", filtered=True)
    permit = updates.Entry(updates.Match(in_port=square.ports["r4", "r3"]), Action.PERMIT)
    steps = [Step("route", (square.to_b("r1", "r3"),)), Step("filter", (updates.ReplaceEntry(0, 0, permit),))]
    world = EngineWorld(square.network, square.policy)
    found = order_steps(square.network, steps, square.policy, world, make=EngineWorld)
    assert found.batches == ()
    assert found.offer is not None
    assert found.offer.proof is not None
    assert [[step.name for step in batch] for batch in found.offer.batches] == [["widen 1"], ["move 1"], ["narrow 1"]]
    assert found.conflicts(square.network) == [
        "route, filter exclude each other while keeping flow 0; a two-phase plan of 3 batches does it, and is proved"
    ]
    batches = found.offer.batches
    again = prove_states(square.network, batches, square.policy, square.world())
    assert again.result == "pass"
    seen = audit(square.network, batches, square.policy, found.offer.proof, number=20, seed=1)
    assert seen.contradictions == ()
    assert seen.states
    assert Engine(end(square.network, batches)).digest() == Engine(target(square.network, steps)).digest()


def test_routes_that_wait_for_each_other_have_no_two_phases_and_it_says_which() -> None:
    square = Square("r4", r2="r3", guards=(("r3", "r4", "r2"), ("r2", "r4", "r3")))
    turned = (("r1", "r3"), ("r2", "r4"), ("r3", "r2"))
    steps = [Step(router, (square.to_b(router, via),)) for router, via in turned]
    found = order_steps(square.network, steps, square.policy, square.world(), make=EngineWorld)
    assert found.offer is not None
    assert found.offer.batches == ()
    (told,) = found.conflicts(square.network)
    assert told.startswith(
        "r2, r3 exclude each other while keeping flow 0; nor is there a two-phase plan: move 2, move 3 exclude"
    )


@given(st.integers(0, 2**32))
@example(9_000_233)  # two entries come to one filter in one batch: the second one's position counts without the first
@hypothesis_settings(max_examples=examples(50, 3_000), deadline=None)
def test_every_plan_constructed_is_safe_and_leads_to_the_target(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    packets = some_packets(network, random, 20)
    try:
        policy = random_policy(network, random, packets)
    except TooManyTrailsError:  # the walker counts branches one by one
        reject()
    steps = random_batches(Rows(network), random, len(policy.flows))[0]

    def make(state: Network, promised: Policy) -> World:
        return PlainWorld(state, promised, packets)

    def ordering(state: Network, parts: list[Step], promised: Policy, world: World) -> Batches | str:
        found = order_steps(state, parts, promised, world)
        return "no order" if found.result.conflicts or found.result.undecided else found.batches

    try:
        offer = two_phase(network, steps, policy, make, ordering)
    except TooManyTrailsError:
        reject()
    assert bool(offer.why) == (offer.proof is None)
    if offer.proof is not None:
        assert prove_states(network, offer.batches, policy, make(network, policy)).result == "pass"
        there, wanted = Rows(end(network, offer.batches)), Rows(target(network, steps))
        assert Engine(there.arrays()).digest() == Engine(wanted.arrays()).digest()
