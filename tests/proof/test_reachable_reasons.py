"""A finding says what shows that a promise does not hold: a packet that gets across, lines that nobody could read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder
from orchestrator.forwarding.engine.network import Action, HopKind, Network, OperationKind, Packet
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.updates import Entry as NewEntry
from orchestrator.forwarding.engine.updates import InsertEntry, RemoveEntry, Update
from orchestrator.forwarding.engine.updates import Match as NewMatch
from orchestrator.proof.reachable import StateFinding, Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld
from tests.proof.square import Square

HTTPS = Packet(4, 0xC6120101, 0xC612020A, 6, 40000, 443)
LINE = 0  # "fw.conf:77"


def office() -> Network:
    """Staff reach one server's port 443, and nothing else."""
    made = NetworkBuilder()
    staff, servers = made.port("office"), made.port("centre")
    made.attach("staff", staff, "198.18.1.0/24")
    made.attach("servers", servers, "198.18.2.0/24")
    out, into = made.link("office", "centre")
    made.route("office", "198.18.2.0/24", (HopKind.PORT, out))
    made.route("centre", "198.18.2.0/24", (HopKind.PORT, servers))
    made.route("centre", "198.18.1.0/24", (HopKind.PORT, into))
    made.route("office", "198.18.1.0/24", (HopKind.PORT, staff))
    assert made.line("fw.conf:77") == LINE
    permit = Entry(Match("198.18.1.0/24", "198.18.2.10/32", (6, 6), destination_port=(443, 443)), Action.PERMIT)
    made.ingress(into, OperationKind.FILTER, made.filter([permit]))
    return made.build()


def ssh(action: Action) -> NewEntry:
    return NewEntry(NewMatch(protocol=(6, 6), destination_port=(22, 22)), action, LINE)


def told(network: Network, policy: Policy, *lines: Update) -> Sequence[StateFinding]:
    batches = [[Step("open", lines)]]
    world = EngineWorld(network, policy)
    proof = prove_states(network, batches, policy, world)
    assert audit(network, batches, policy, proof, 3, 1).contradictions == ()
    return proof.findings


def only_https(network: Network) -> Policy:
    """Nothing of the staff may get to the servers but what gets there now."""
    allowed = np.array([[True, False], [True, True]])
    return Policy(allowed, (), {(0, 1): EngineWorld(network, Policy(allowed)).crossing()[0, 1]})


def test_a_packet_that_gets_across_is_named() -> None:
    network = office()
    policy = only_https(network)
    (finding,) = told(network, policy, InsertEntry(0, 0, ssh(Action.PERMIT)))
    assert (finding.subject, finding.result, finding.lines) == ("isolation: staff -> servers", "fail", ())
    assert finding.packet is not None
    assert (finding.packet.protocol, finding.packet.destination_port) == (6, 22)
    assert finding.plain()["packet"] == list(finding.packet)


def test_a_packet_that_got_across_before_is_named_too() -> None:
    network = office()
    policy = Policy(only_https(network).allowed)
    (finding,) = told(network, policy)
    assert (finding.existing, finding.batch) == (False, 0)
    assert finding.packet is not None
    assert finding.packet.destination_port == 443


def test_lines_that_nobody_could_read_are_named() -> None:
    network = office()
    (finding,) = told(network, only_https(network), InsertEntry(0, 0, ssh(Action.UNKNOWN)))
    assert (finding.subject, finding.result, finding.lines) == (
        "isolation: staff -> servers",
        "unknown",
        ("fw.conf:77",),
    )
    assert finding.packet is not None
    assert finding.packet.destination_port == 22
    everything = NewEntry(NewMatch(), Action.UNKNOWN, LINE)
    flows = Policy(np.ones((2, 2), np.bool_), (Flow(0, HTTPS),))
    (finding,) = told(network, flows, InsertEntry(0, 0, everything))
    assert (finding.subject, finding.result, finding.lines) == ("flow 0", "unknown", ("fw.conf:77",))
    assert told(network, flows, InsertEntry(0, 1, everything)) == ()  # behind what decides about the flow


def test_a_packet_that_does_not_get_across_is_contradicted() -> None:
    network = office()
    policy = only_https(network)
    batches = [[Step("open", (InsertEntry(0, 0, ssh(Action.PERMIT)), RemoveEntry(0, 0)))]]
    proof = prove_states(network, batches, policy, EngineWorld(network, policy))
    (finding,) = proof.findings
    invented = finding.model_copy(update={"packet": HTTPS._replace(destination_port=23)})
    lying = proof.model_copy(update={"findings": (invented,)})
    found = audit(network, batches, policy, lying, 0, 1)
    assert found.contradictions == (
        f"{finding.state}: {invented.packet} is said to get across, isolation: staff -> servers",
    )
    assert audit(network, batches, policy, proof, 0, 1) == (1, 0, 1, ())
    unsure = finding.model_copy(update={"result": "unknown"})
    found = audit(network, batches, policy, proof.model_copy(update={"findings": (unsure,)}), 0, 1)
    assert found.contradictions == (
        f"{finding.state}: {finding.packet} is said to be unknown, isolation: staff -> servers",
    )


UNREAD = "make fw.conf:77 readable or take it out, then prove the plan again"
NARROW = "change the order of the steps, or narrow what lets the packet across: no outage excuses it"
OUTAGE = "change the order of the steps, or declare the outage in the step that causes it"
END = "the plan's end breaks it, whatever the order: change what the steps lead to"


def test_each_kind_of_finding_has_a_next_move_of_its_own() -> None:
    network = office()
    policy = only_https(network)
    come, go = InsertEntry(0, 0, ssh(Action.PERMIT)), RemoveEntry(0, 0)
    assert [finding.fix for finding in told(network, policy, come, go)] == [NARROW]
    assert [finding.fix for finding in told(network, policy, come)] == [END]
    assert [finding.fix for finding in told(network, policy, InsertEntry(0, 0, ssh(Action.UNKNOWN)))] == [UNREAD]
    flows = Policy(np.ones((2, 2), np.bool_), (Flow(0, HTTPS),))
    shut = InsertEntry(0, 0, NewEntry(NewMatch(), Action.DENY))
    assert [finding.fix for finding in told(network, flows, shut, go)] == [OUTAGE]
    assert [finding.fix for finding in told(network, flows, shut)] == [END]
    nothing = Policy(policy.allowed)
    assert [finding.fix for finding in told(network, nothing)] == ["let a step mend it, or take the promise back"]
    assert [finding.fix for finding in told(network, nothing, shut)] == [""]  # mended
    square = Square()
    batches = [[Step("r2", (square.to_b("r2", "r3"),)), Step("r3", (square.to_b("r3", "r4"),))]]
    free = Policy(np.ones((2, 2), np.bool_))
    proof = prove_states(square.network, batches, free, EngineWorld(square.network, free))
    assert [loop.fix for loop in proof.loops] == [
        "change the order of the steps, or give the addresses a null route before: no outage excuses it"
    ]
