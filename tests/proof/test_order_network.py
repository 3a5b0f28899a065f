"""Orders over real packets: found exactly when there is one, and what is found is proved state by state."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import example, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine import updates
from orchestrator.forwarding.engine.network import Action, Network, Packet
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.forwarding.engine.policy import Broken, Policy
from orchestrator.proof.order_network import order_steps
from orchestrator.proof.reachable import Mode, Step, prove_states
from orchestrator.proof.reachable_engine import EngineWorld
from orchestrator.proof.reachable_world import World
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples
from tests.proof.plain_world import Crossing, PlainWorld, Rows, crossing, judged
from tests.proof.square import Square
from tests.proof.test_order_reasons import route_steps
from tests.proof.test_reachable import random_batches, random_policy, state_of, values

Packets = list[tuple[int, Packet]]
Before = tuple[Broken, Crossing]


def safe(
    rows: Rows, steps: list[Step], done: frozenset[int], step: int, policy: Policy, packets: Packets, before: Before
) -> bool:
    """Whether every state of `step`, on top of the steps done, keeps the policy."""
    broken, only = before
    for lines in values(steps[step]):
        chosen = [(number in done,) * len(other.lines) for number, other in enumerate(steps)]
        chosen[step] = lines
        excused = steps[step].outage if any(lines) and not all(lines) else frozenset()
        answer = judged(state_of(rows, steps, chosen), policy, packets, only)
        fail = answer.isolation | (answer.flows - answer.unread - excused - (broken.flows - broken.unread))
        unknown = answer.unknown | (answer.unread - excused)
        if fail or unknown - broken.unknown - broken.isolation - broken.flows:
            return False
    return True


def an_order_exists(network: Network, steps: list[Step], policy: Policy, packets: Packets) -> bool:
    rows = Rows(network)
    before = judged(rows, policy, packets), crossing(rows, policy, packets)
    front, seen = [frozenset[int]()], {frozenset[int]()}
    while front:
        done = front.pop()
        if len(done) == len(steps):
            return True
        for step in set(range(len(steps))) - done:
            after = done | {step}
            if after not in seen and safe(rows, steps, done, step, policy, packets, before):
                seen.add(after)
                front.append(after)
    return False


def apart(steps: list[Step]) -> list[Step]:
    """Those of the steps that change other rows than the ones before."""
    taken: set[object] = set()
    found = []
    for step in steps:
        rows = {(line.table, line.prefix) for line in step.lines if hasattr(line, "prefix")}
        if not rows & taken:
            taken |= rows
            found.append(step)
    return found


def the_order_holds(seed: int, *, by_engine: bool = False) -> None:
    """`by_engine`: of flows alone, which an engine judges like walks; isolation it judges for more packets."""
    random = Random(seed)
    network = random_network(random)
    packets = some_packets(network, random, 20)
    policy = random_policy(network, random, packets)
    steps = random_batches(Rows(network), random, len(policy.flows))[0]
    if by_engine:
        policy = Policy(np.ones_like(policy.allowed), policy.flows)
        steps += [
            Step(f"turn {step.name}", step.lines) for step in route_steps(Rows(network), random, policy.flows)[:2]
        ]
        steps = apart(steps)

    def world() -> World:
        return EngineWorld(network, policy) if by_engine else PlainWorld(network, policy, packets)

    found = order_steps(network, steps, policy, world())
    assert not found.result.undecided
    if not found.split:
        assert (not found.result.conflicts) == an_order_exists(network, steps, policy, packets)
    else:
        assert not an_order_exists(network, steps, policy, packets)
        assert (not found.result.conflicts) == an_order_exists(network, list(found.steps), policy, packets)
    proof = prove_states(network, found.batches, policy, world())
    assert not [finding for finding in proof.findings if finding.batch]
    if not found.result.conflicts:
        assert sorted(step.name for batch in found.batches for step in batch) == sorted(s.name for s in found.steps)
    else:
        assert all(found.conflicts(network))


@given(st.integers(0, 2**32))
@example(24_950)  # an entry nobody could read goes, and what it made unknown gets through
@example(50_000)  # a pair broken from the start becomes unknown
@hypothesis_settings(max_examples=examples(50, 2_500), deadline=None)
def test_an_order_over_packets_is_found_exactly_when_there_is_one(seed: int) -> None:
    try:
        the_order_holds(seed)
    except TooManyTrailsError:  # the walker counts branches one by one
        reject()


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(15, 2_500), deadline=None)
def test_an_order_by_the_engine_is_found_exactly_when_there_is_one(seed: int) -> None:
    try:
        the_order_holds(seed, by_engine=True)
    except TooManyTrailsError:
        reject()


def test_the_order_that_would_loop_is_turned_round_and_proved() -> None:
    square = Square()
    steps = [Step("r2", (square.to_b("r2", "r3"),)), Step("r3", (square.to_b("r3", "r4"),))]
    given_order = prove_states(square.network, [[steps[0]], [steps[1]]], square.policy, square.world())
    assert [(finding.subject, finding.result, finding.state) for finding in given_order.findings] == [
        ("flow 0", "fail", "batch 1 with r2 done")
    ]
    side_by_side = prove_states(square.network, [steps], square.policy, square.world())
    assert [finding.state for finding in side_by_side.findings] == ["batch 1 with r2 done"]
    found = order_steps(square.network, steps, square.policy, square.world())
    assert [[step.name for step in batch] for batch in found.batches] == [["r3"], ["r2"]]
    assert prove_states(square.network, found.batches, square.policy, square.world()).result == "pass"


def test_lines_of_one_step_in_the_wrong_order_are_taken_apart() -> None:
    square = Square()
    steps = [Step("detour", (square.to_b("r2", "r3"), square.to_b("r3", "r4")))]
    found = order_steps(square.network, steps, square.policy, square.world())
    assert found.split == ("detour",)
    assert [[step.name for step in batch] for batch in found.batches] == [["detour line 2"], ["detour line 1"]]


def test_a_device_that_commits_both_lines_at_once_needs_no_order() -> None:
    square = Square()
    steps = [Step("detour", (square.to_b("r2", "r3"), square.to_b("r3", "r4")), Mode.ATOMIC)]
    assert order_steps(square.network, steps, square.policy, square.world()).split == ()
    settling = [Step("detour", steps[0].lines, Mode.CONVERGING)]
    found = prove_states(square.network, [settling], square.policy, square.world())
    assert [finding.state for finding in found.findings] == ["batch 1 with none done, detour settled in line 1 of 2"]


def test_steps_that_exclude_each_other_are_named_with_a_way_out() -> None:
    square = Square("r4", filtered=True)
    permit = updates.Entry(updates.Match(in_port=square.ports["r4", "r3"]), Action.PERMIT)
    steps = [
        Step("route", (square.to_b("r1", "r3"),)),
        Step("filter", (updates.ReplaceEntry(0, 0, permit),)),
        Step("spare", (square.to_b("r2", "r3"),)),
    ]
    (told,) = order_steps(square.network, steps[:2], square.policy, square.world()).conflicts(square.network)
    assert told == (
        "route, filter exclude each other while keeping flow 0; the target keeps it: ask for a two-phase plan"
    )
    # with a way round it is the same: r2 may send to r3 at any time, the filter still has to change at once
    found = order_steps(square.network, steps, square.policy, square.world())
    assert [conflict.promises for conflict in found.result.conflicts] == [(("broken", 0),)]
    assert found.batches == ()


def test_a_declared_outage_excuses_the_step_under_way_and_no_other_state() -> None:
    square = Square()
    lines = (square.to_b("r2", "r3"), square.to_b("r3", "r4"))
    excused = Step("detour", lines, Mode.LINES, frozenset({0}))
    assert prove_states(square.network, [[excused]], square.policy, square.world()).result == "pass"
    ends_badly = Step("detour", lines[:1], Mode.LINES, frozenset({0}))
    assert prove_states(square.network, [[ends_badly]], square.policy, square.world()).result == "fail"
