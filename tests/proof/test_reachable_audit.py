"""An audit agrees with a right proof and contradicts a wrong one."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.errors import InputError, StaleError
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.plain import TooManyTrailsError
from orchestrator.proof.reachable import Mode, StatesProof, Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld
from orchestrator.proof.reachable_walker import Walker
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples
from tests.proof.plain_world import Rows
from tests.proof.square import Square
from tests.proof.test_reachable import line, random_batches, random_policy


@given(st.integers(0, 2**32))
@example(2625)  # an entry that no packet meets goes
@hypothesis_settings(max_examples=examples(30, 3_000), deadline=None)
def test_an_audit_by_plain_walks_agrees_with_a_proof_by_the_engine(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    packets = some_packets(network, random, 20)
    try:
        policy = random_policy(network, random, packets)
        batches = random_batches(Rows(network), random, len(policy.flows))
        proof = prove_states(network, batches, policy, EngineWorld(network, policy))
        found = audit(network, batches, policy, proof, 5, seed)
    except (AnswerError, TooManyTrailsError):
        reject()
    assert found.contradictions == ()
    assert found.states >= 5
    isolation = [finding for finding in proof.findings if finding.subject.startswith("isolation: ")]
    assert all(finding.packet for finding in isolation if not finding.fix.startswith("split"))


@given(st.integers(0, 2**32))
@example(297045943)  # entries that went leave source ports apart, and ways too many
@hypothesis_settings(max_examples=examples(30, 3_000), deadline=None)
def test_the_walker_over_changing_rows_is_the_walker_over_new_arrays(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    rows, walker = Rows(network), Walker(network)
    for _turn in range(4):
        fresh = Walker(rows.arrays())
        for zone, packet in some_packets(network, random, 8):
            assert zones(walker, zone, packet) == zones(fresh, zone, packet)
            works = walker.works(zone, packet)
            assert works == fresh.works(zone, packet) or (works is None and too_many(walker, zone, packet))
        update = line(rows, random, lambda _row: True)
        if update is not None:
            rows.apply(update)
            walker.apply(update)


def too_many(walker: Walker, zone: int, packet: Packet) -> bool:
    """Whether a packet has too many branches; entries that went still tell source ports apart, new arrays do not."""
    try:
        walker._plain.trails(zone, packet)
    except TooManyTrailsError:
        return True
    return False


def zones(walker: Walker, zone: int, packet: object) -> set[object]:
    return {(end.ending, end.zone) for end in walker.ends(zone, packet)}


def detour(mode: Mode) -> tuple[Square, list[list[Step]], StatesProof]:
    square = Square()
    batches = [[Step("detour", (square.to_b("r2", "r3"), square.to_b("r3", "r4")), mode)]]
    return square, batches, prove_states(square.network, batches, square.policy, square.world())


def test_a_failing_state_is_walked_through_again() -> None:
    for mode in (Mode.LINES, Mode.CONVERGING):
        square, batches, proof = detour(mode)
        assert proof.result == "fail"
        found = audit(square.network, batches, square.policy, proof, 4, 1)
        assert (found.states, found.contradictions) == (5, ())


def test_lines_that_have_settled_are_named_and_a_wrong_one_is_contradicted() -> None:
    """Routers settle in any order: how many have does not say which state it is."""
    square, batches, proof = detour(Mode.CONVERGING)
    (finding,) = proof.findings
    assert finding.state == "batch 1 with none done, detour settled in line 1 of 2"
    assert (finding.partial, finding.settled) == ((("detour", 1),), (("detour", (1,)),))
    wrong = finding.model_copy(update={"settled": (("detour", (2,)),)})
    lying = proof.model_copy(update={"findings": (wrong,)})
    found = audit(square.network, batches, square.policy, lying, 0, 1)
    assert found.contradictions == (f"{wrong.state}: flow 0 is said to fail and works",)


def test_a_proof_that_hides_a_failure_is_contradicted() -> None:
    square, batches, proof = detour(Mode.LINES)
    hidden = proof.model_copy(update={"findings": (), "result": "pass"})
    found = audit(square.network, batches, square.policy, hidden, 12, 1)
    assert "batch 1, units {0: 1}: flow 0 fails" in found.contradictions


def test_a_proof_that_invents_a_failure_is_contradicted() -> None:
    square, batches, proof = detour(Mode.LINES)
    (finding,) = proof.findings
    invented = finding.model_copy(update={"partial": (), "done": ("detour",), "state": "batch 1 with detour done"})
    lying = proof.model_copy(update={"findings": (invented,)})
    found = audit(square.network, batches, square.policy, lying, 0, 1)
    assert found.contradictions == ("batch 1 with detour done: flow 0 is said to fail and works",)


def test_a_proof_of_another_plan_is_refused() -> None:
    square, _batches, proof = detour(Mode.ATOMIC)
    with pytest.raises(StaleError, match=r"the proof is for \w{8}…, this is \w{8}…: prove this one"):
        audit(square.network, [], square.policy, proof, 1, 1)
    assert proof.result == "pass"
    assert proof.states == 2


def test_an_audit_of_less_than_nothing_is_refused() -> None:
    square, batches, proof = detour(Mode.ATOMIC)
    with pytest.raises(InputError, match=r"^an audit of -1 states cannot be drawn: ask for 0 or more$"):
        audit(square.network, batches, square.policy, proof, -1, 1)
    assert audit(square.network, batches, square.policy, proof, 0, 1).states == 0
