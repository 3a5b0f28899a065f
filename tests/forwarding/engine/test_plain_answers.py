"""Which packet answers another one, and what an entry for answers sees of it: walked, and as the engine has it."""

import numpy as np
import pytest

from orchestrator.forwarding.engine import updates
from orchestrator.forwarding.engine.builder import Entry, Match, Translation
from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import ECHO_REQUEST, Action, Packet, TranslationKind
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.trail import answer_to
from orchestrator.proof.reachable_engine import EngineWorld
from tests.forwarding.engine.test_plain import (
    DELIVERED_RIGHT,
    DENY,
    FILTER,
    LEFT,
    PERMIT,
    PORT,
    RIGHT,
    TRANSLATE,
    WEB,
    Line,
)

LEFT_6, RIGHT_6 = 0x20010DB8 << 96 | 1 << 80 | 5, 0x20010DB8 << 96 | 2 << 80 | 5
PING = Packet(4, LEFT, RIGHT, 1, 0, ECHO_REQUEST)
PING_6 = Packet(6, LEFT_6, RIGHT_6, 58, 0, 128 << 8)


@pytest.mark.parametrize(
    ("protocol", "asked", "answered"),
    [
        ((6, 6), WEB, True),
        ((0, 255), WEB, True),
        ((7, 255), WEB, False),
        ((0, 255), WEB._replace(protocol=17), False),
        ((17, 17), WEB._replace(protocol=17), False),
        ((6, 17), WEB._replace(protocol=17), False),
        ((0, 255), PING, False),
        ((1, 1), PING, False),
    ],
)
def test_established_is_a_flag_of_tcp_for_a_stateless_filter(
    protocol: tuple[int, int], asked: Packet, answered: bool
) -> None:
    """As walked, as the engine has it when it is built, and when the entry comes later."""
    line = Line()
    line.build.ingress(line.a_to_b, FILTER, line.build.filter([], stateful=False))
    engine = Engine(line.build.build())
    entry = updates.Entry(updates.Match(protocol=protocol, established=1), PERMIT)
    network = changed(engine.base, [updates.InsertEntry(0, 0, entry)])
    back = answer_to(asked)
    assert back is not None
    assert works(Plain(network), 0, asked) is answered
    policy = Policy(np.ones((2, 2), np.bool_), (Flow(0, asked),))
    assert EngineWorld(network, policy).broken().flows == (frozenset() if answered else {0})
    world = EngineWorld(engine.base, policy)
    engine.apply(updates.InsertEntry(0, 0, entry))
    world.apply(updates.InsertEntry(0, 0, entry))
    assert world.broken().flows == (frozenset() if answered else {0})
    for made in (engine, Engine(network)):
        packets = made.reach().packets(1, 0)
        assert packets.holds(back) is answered
        assert packets.is_empty is (protocol[0] > 6 or protocol[1] < 6)


@pytest.mark.parametrize(("action", "new", "later"), [(PERMIT, False, True), (DENY, True, True)])
def test_a_later_fragment_has_no_flag_that_an_entry_could_see(action: Action, new: bool, later: bool) -> None:
    """Whether it belongs to an answer or not: permitted by the rest of the entry, never denied."""
    line = Line()
    entry = Entry(Match(protocol=(6, 6), established=1), action)
    otherwise = PERMIT if action == DENY else DENY
    line.build.ingress(line.b_to_a, FILTER, line.build.filter([entry], otherwise, stateful=False))
    packets = Engine(line.build.build()).reach().packets(0, 1)
    fragment = WEB._replace(source_port=0, destination_port=0, fragment=True)
    for packet, expected in (
        (WEB, new),
        (WEB._replace(established=True), not new),
        (fragment, later),
        (fragment._replace(established=True), later),
        (fragment._replace(protocol=17), new),
    ):
        assert (line.end(packet) == DELIVERED_RIGHT) is expected
        assert packets.holds(packet) is expected


@pytest.mark.parametrize(
    ("asked", "reply"),
    [
        *((PING._replace(destination_port=kind << 8), back) for kind, back in ((8, 0), (13, 14), (15, 16), (17, 18))),
        (PING_6, 129),
    ],
)
def test_a_request_of_icmp_is_answered_by_the_reply_of_its_type(asked: Packet, reply: int) -> None:
    """And by no other: a stateless filter lets one type back."""
    back = answer_to(asked)
    assert back == (asked.family, asked.destination, asked.source, asked.protocol, 0, reply << 8, True, False)
    for kind in (0, 8, 13, 14, 16, 18, 128, 129):
        line = Line()
        line.build.attach("left", line.left, "2001:db8:1::/48")
        line.build.route("a/x", "2001:db8:1::/48", (PORT, line.left))
        line.build.route("a/x", "2001:db8:2::/48", (PORT, line.a_to_b))
        line.build.route("b/x", "2001:db8:1::/48", (PORT, line.b_to_a))
        line.build.route("b/x", "2001:db8:2::/48", (PORT, line.right))
        only = Match(protocol=(asked.protocol, asked.protocol), destination_port=(kind << 8, kind << 8))
        line.build.ingress(line.a_to_b, FILTER, line.build.filter([Entry(only, PERMIT)], stateful=False))
        network = line.build.build()
        assert works(Plain(network), 0, asked) is (kind == reply)
        assert EngineWorld(network, Policy(np.ones((2, 2), np.bool_), (Flow(0, asked),))).broken().flows == (
            frozenset() if kind == reply else {0}
        )


def test_what_icmp_does_not_answer_is_no_flow_that_works() -> None:
    unreachable, coded, reply = (PING._replace(destination_port=port) for port in (3 << 8, ECHO_REQUEST + 1, 0))
    timestamp_6 = PING_6._replace(destination_port=13 << 8)
    assert [answer_to(packet) for packet in (unreachable, coded, reply, timestamp_6)] == [None] * 4
    line = Line()
    assert works(line.plain(), 0, PING) is True
    assert line.end(unreachable) == DELIVERED_RIGHT
    assert works(line.plain(), 0, unreachable) is False
    network = line.build.build()
    world = EngineWorld(network, Policy(np.ones((2, 2), np.bool_), (Flow(0, PING), Flow(0, unreachable))))
    assert world.broken().flows == {1}
    # 58 is another protocol in IPv4, whose ports are exchanged; a later fragment has no type
    for other in (PING._replace(protocol=58), PING._replace(destination_port=0, fragment=True)):
        assert works(line.plain(), 0, other) is True


def test_a_ping_through_a_translation_of_many_to_one_comes_back() -> None:
    line = Line()
    rule = Translation(Match(source="198.18.0.0/16"), TranslationKind.SOURCE, "192.0.2.1/32")
    line.build.egress(line.a_to_b, TRANSLATE, line.build.translation([rule]))
    line.build.route("b/x", "192.0.2.1/32", (PORT, line.b_to_a))
    line.build.ingress(line.a_to_b, FILTER, line.build.filter([Entry(Match(source_port=(5, 9)), PERMIT)]))
    assert len(line.trails(PING)) > 1
    assert works(line.plain(), 0, PING) is True
