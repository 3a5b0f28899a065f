"""The engine's core on networks small enough to say by hand what has to come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.forwarding.engine.builder import Entry as BuiltEntry
from orchestrator.forwarding.engine.builder import Match as BuiltMatch
from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.changed import UpdateError, changed
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, OperationKind, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    PortUp,
    Prefix,
    RemoveRoute,
    ReplaceRoute,
    Update,
)
from tests.forwarding.engine.answers import engine_answer, plain_answer

OFFICE, SERVERS = 0, 1
WEB = Packet(4, 0xC6120005, 0xC6120105, 6, 40000, 443)  # 198.18.0.5 -> 198.18.1.5
BLOCK = Prefix(4, 0xC6120100, 24)


def two_offices() -> Network:
    """Office behind r1, servers behind r2, a link between them, a filter where r2 is entered."""
    made = NetworkBuilder()
    office, servers = made.port("r1"), made.port("r2")
    one, two = made.link("r1", "r2")
    made.attach("office", office, "198.18.0.0/24")
    made.attach("servers", servers, "198.18.1.0/24")
    made.route("r1", "198.18.1.0/24", (HopKind.PORT, one), line="r1:1")
    made.route("r1", "198.18.0.0/24", (HopKind.PORT, office), line="r1:2")
    made.route("r2", "198.18.0.0/24", (HopKind.PORT, two), line="r2:1")
    made.route("r2", "198.18.1.0/24", (HopKind.PORT, servers), line="r2:2")
    https = BuiltEntry(BuiltMatch(protocol=(6, 6), destination_port=(443, 443)), Action.PERMIT, "r2:acl:1")
    made.ingress(two, OperationKind.FILTER, made.filter([https], stateful=True))
    return made.build()


def kinds(engine: Engine, packet: Packet, attachment: int) -> str:
    """The shape of a packet's outcome, outermost first."""
    outcomes = engine.outcomes()
    node = engine.core.at(attachment, engine.labels.of(packet.family, packet.destination))
    found = [Outcome(int(outcomes.kind[node])).name]
    while outcomes.first[node + 1] > outcomes.first[node]:
        node = int(outcomes.children[outcomes.first[node]])
        found.append(Outcome(int(outcomes.kind[node])).name)
    return " ".join(found)


def test_a_packet_passes_the_filter_and_is_delivered_and_the_matrix_says_so() -> None:
    engine = Engine(two_offices())
    assert kinds(engine, WEB, 0) == "FILTER DELIVER"
    assert engine.reach().packets(OFFICE, SERVERS).holds(WEB)
    assert not engine.reach().packets(OFFICE, SERVERS).holds(WEB._replace(destination_port=80))
    assert [(end.ending, end.zone, end.what) for end in engine.why(OFFICE, WEB)] == [
        (Ending.DELIVERED, SERVERS, "delivered")
    ]


def test_a_packet_is_followed_after_however_many_changes() -> None:
    """What is asked after a change is made from the network's own rows, not from what was asked before."""
    engine = Engine(two_offices())
    nowhere = WEB._replace(destination=0xCB007105)  # ends at r1: nothing is asked of ports behind it
    for turn in range(1_500):
        engine.apply(PortUp(1) if turn % 2 else PortDown(1))
        assert [reason.what for reason in engine.why(OFFICE, nowhere)] == ["no route"]
    assert [reason.ending for reason in engine.why(OFFICE, WEB)] == [Ending.DELIVERED]


def test_nodes_read_in_place_stay_as_they_were_while_the_graph_grows_and_after_its_engine_is_gone() -> None:
    engine = Engine(replace(two_offices(), lines=tuple(f"r2:{line}" for line in range(200))))
    read = [engine.outcomes()]
    copies = [[column.copy() for column in read[0]]]
    for line in range(200):
        engine.apply(AddRoute(1, Prefix(4, BLOCK.address + line, 32), (Hop(HopKind.UNKNOWN, line),)))
        read.append(engine.outcomes())
        copies.append([column.copy() for column in read[-1]])
    assert len(read[-1].kind) > len(read[0].kind) + 300  # what cannot be told, and the filter before it
    del engine
    for outcomes, copied in zip(read, copies, strict=True):
        assert all(np.array_equal(column, copy) for column, copy in zip(outcomes, copied, strict=True))
        assert not outcomes.kind.flags.writeable


def test_a_flow_needs_its_answer_and_the_way_back_is_stateful() -> None:
    engine = Engine(two_offices())
    assert engine.flow(OFFICE, WEB) is True
    engine.apply(RemoveRoute(1, Prefix(4, 0xC6120000, 24)))
    assert engine.reach().packets(OFFICE, SERVERS).holds(WEB)
    assert engine.flow(OFFICE, WEB) is False


def test_a_removed_route_drops_and_undo_restores_the_digest() -> None:
    engine = Engine(two_offices())
    before = engine.digest()
    change = engine.apply(RemoveRoute(0, BLOCK))
    assert kinds(engine, WEB, 0) == "DROP"
    assert [(reason.what, reason.table) for reason in engine.why(OFFICE, WEB)] == [("no route", "r1")]
    gone = engine.difference(change)
    assert list(gone.gone) == [(OFFICE, SERVERS)]
    assert gone.gone[OFFICE, SERVERS].holds(WEB)
    assert not gone.newly
    assert engine.digest() != before
    engine.undo(change)
    assert engine.digest() == before


def test_a_more_specific_null_route_takes_part_of_a_block_and_gives_it_back() -> None:
    engine = Engine(two_offices())
    half = Prefix(4, 0xC6120100, 25)
    engine.apply(AddRoute(0, half, (Hop(HopKind.DROP),)))
    assert kinds(engine, WEB, 0) == "DROP"
    assert kinds(engine, WEB._replace(destination=0xC6120185), 0) == "FILTER DELIVER"
    engine.apply(RemoveRoute(0, half))
    assert kinds(engine, WEB, 0) == "FILTER DELIVER"
    assert engine.digest() == Engine(two_offices()).digest()


def test_a_route_back_where_it_came_from_is_a_loop() -> None:
    engine = Engine(two_offices())
    engine.apply(ReplaceRoute(1, BLOCK, (Hop(HopKind.PORT, 3),)))
    assert kinds(engine, WEB, 0) == "FILTER LOOP"
    assert {reason.ending for reason in engine.why(OFFICE, WEB)} == {Ending.LOOP}


def test_equal_cost_paths_of_which_one_is_null_may_deliver_and_need_not() -> None:
    engine = Engine(two_offices())
    engine.apply(ReplaceRoute(0, BLOCK, (Hop(HopKind.PORT, 2), Hop(HopKind.DROP))))
    assert kinds(engine, WEB, 0).startswith("EITHER")
    assert engine.reach().packets(OFFICE, SERVERS).holds(WEB)
    assert not engine.reach().packets(OFFICE, SERVERS, every_path=True).holds(WEB)


def test_an_unknown_next_hop_is_unknown_with_its_line() -> None:
    engine = Engine(two_offices())
    engine.apply(ReplaceRoute(0, BLOCK, (Hop(HopKind.UNKNOWN, 0),)))
    assert kinds(engine, WEB, 0) == "UNKNOWN"
    assert [reason.line for reason in engine.why(OFFICE, WEB)] == [two_offices().lines[0]]
    assert engine.flow(OFFICE, WEB) is None


def test_a_port_that_is_down_carries_nothing_until_it_is_up() -> None:
    engine = Engine(two_offices())
    before = engine.digest()
    engine.apply(PortDown(2))
    assert kinds(engine, WEB, 0) == "DROP"
    engine.apply(PortUp(2))
    assert kinds(engine, WEB, 0) == "FILTER DELIVER"
    assert engine.digest() == before


def test_what_no_entry_is_about_is_denied_by_the_filters_default_and_that_is_said() -> None:
    (reason,) = Engine(two_offices()).why(OFFICE, WEB._replace(destination_port=80))
    assert (reason.what, reason.line, reason.filter, reason.by_default) == ("denied", "", 0, True)


def test_an_inserted_deny_comes_first_and_is_named() -> None:
    engine = Engine(two_offices())
    change = engine.apply(InsertEntry(0, 0, Entry(Match(destination=BLOCK), Action.DENY, 0)))
    assert not engine.reach().packets(OFFICE, SERVERS)
    (reason,) = engine.why(OFFICE, WEB)
    assert (reason.what, reason.line) == ("denied", two_offices().lines[0])
    assert (reason.filter, reason.by_default) == (0, False)
    (reason,) = engine.why(OFFICE, WEB._replace(destination=WEB.source, destination_port=80))
    assert (reason.what, reason.filter) == ("delivered", NONE)
    assert engine.difference(change).gone[OFFICE, SERVERS].holds(WEB)
    engine.undo(change)
    assert engine.reach().packets(OFFICE, SERVERS).holds(WEB)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (AddRoute(0, BLOCK, (Hop(HopKind.DROP),)), "the table has a route for this prefix"),
        (RemoveRoute(0, Prefix(4, 0, 0)), "the table has no route for this prefix"),
        (AddRoute(9, BLOCK, (Hop(HopKind.DROP),)), "table 9 is none of 2"),
        (AddRoute(0, Prefix(4, 1, 24), (Hop(HopKind.DROP),)), "has bits beyond its length"),
        (AddRoute(0, Prefix(4, 0, 40), (Hop(HopKind.DROP),)), "is no prefix"),
        (PortDown(77), "port 77 is none of 4"),
        (InsertEntry(5, 0, Entry(Match(), Action.DENY)), "filter 5 is none of 1"),
    ],
)
def test_an_update_that_does_not_fit_changes_nothing(update: Update, message: str) -> None:
    engine = Engine(two_offices())
    before = engine.digest()
    with pytest.raises(UpdateError, match=message):
        engine.apply(update)
    assert engine.digest() == before
    assert engine.network is engine.base


def test_the_changed_network_is_the_engines_network() -> None:
    engine = Engine(two_offices())
    updates = [
        RemoveRoute(0, BLOCK),
        AddRoute(0, Prefix(6, 0x20010DB8 << 96, 33), (Hop(HopKind.PORT, 2),)),
        PortDown(1),
    ]
    for update in updates:
        engine.apply(update)
    assert Engine(changed(two_offices(), updates)).digest() == engine.digest() == Engine(engine.network).digest()


def test_a_ring_of_ten_thousand_routers_loops_and_a_long_chain_delivers() -> None:
    made = NetworkBuilder()
    office, servers = made.port("t0"), made.port("t9999")
    made.attach("office", office, "198.18.0.0/24")
    made.attach("servers", servers, "198.18.1.0/24")
    for number in range(10_000):
        out, _into = made.link(f"t{number}", f"t{(number + 1) % 10_000}")
        made.route(f"t{number}", "198.18.2.0/24", (HopKind.PORT, out))
        last = number == 9_999
        made.route(f"t{number}", "198.18.1.0/24", (HopKind.PORT, servers if last else out))
    engine = Engine(made.build())
    assert kinds(engine, WEB, 0) == "DELIVER"
    assert kinds(engine, WEB._replace(destination=0xC6120201), 0) == "LOOP"


def test_a_change_behind_tables_that_nothing_enters_at_is_seen() -> None:
    made = NetworkBuilder()
    office = made.port("t0")
    made.attach("office", office, "198.18.0.0/24")
    for number in range(3):
        out, back = made.link(f"t{number}", f"t{number + 1}")
        made.route(f"t{number}", "198.18.1.0/24", (HopKind.PORT, out))
    made.route("t3", "198.18.1.0/24")
    engine = Engine(made.build())
    assert kinds(engine, WEB, 0) == "DROP"
    last = engine.network.tables.index("t3")
    change = engine.apply(ReplaceRoute(last, BLOCK, (Hop(HopKind.PORT, back),)))
    assert kinds(engine, WEB, 0) == "LOOP"
    assert engine.digest() == Engine(engine.network).digest()
    engine.undo(change)
    assert kinds(engine, WEB, 0) == "DROP"


def test_a_zone_within_a_loop_that_branches_is_answered_like_anew_when_the_loop_closes() -> None:
    made = NetworkBuilder()
    office = made.port("t1")
    made.attach("office", office, "198.18.0.0/24")
    there, _into = made.link("t0", "t1")
    back, _into = made.link("t1", "t0")
    for port in (there, back):
        made.egress(port, OperationKind.FILTER, made.filter([], Action.PERMIT))
    made.route("t1", "198.18.1.0/24", (HopKind.PORT, back))
    made.route("t0", "198.18.1.0/24")
    engine = Engine(made.build())
    table = engine.network.tables.index("t0")
    hops = (Hop(HopKind.PORT, there), Hop(HopKind.DROP))
    engine.apply(ReplaceRoute(table, BLOCK, hops))
    assert engine.digest() == Engine(engine.network).digest()


def two_circles() -> Network:
    """Two policies stand in one circle; what the first takes joins the circle behind the second, from outside.

    a: what enters from y and is TCP goes to b, all else back to y. y: what enters from a and is DNS goes to b, what is
    web is delivered, all else goes back to a. b sends everything to a, and a's table everything to y.
    """
    made = NetworkBuilder()
    ay, ya = made.link("a", "y")
    ab, _ba = made.link("a", "b")
    yb, by = made.link("y", "b")
    onward, _back = made.link("b", "a")
    servers = made.port("y")
    made.attach("office", ay, "198.18.1.0/24")
    made.attach("servers", servers, "198.18.9.0/24")
    for table, port in (("a", ay), ("b", onward), ("y", ya)):
        made.route(table, "198.18.9.0/24", (HopKind.PORT, port))
    # ports that filters name make places of their own of the tables behind them
    named = [BuiltEntry(BuiltMatch(protocol=(99, 99), in_port=port), Action.PERMIT) for port in (ay, by)]
    tcp, web, dns = (
        made.filter([*named, BuiltEntry(match, Action.PERMIT)], stateful=False)
        for match in (
            BuiltMatch(protocol=(6, 6)),
            BuiltMatch(protocol=(6, 6), destination_port=(80, 80)),
            BuiltMatch(protocol=(17, 17), destination_port=(53, 53)),
        )
    )
    made.ingress(ay, OperationKind.POLICY, made.policy([(tcp, made.group((HopKind.PORT, ab)))]))
    to_b, to_servers = made.group((HopKind.PORT, yb)), made.group((HopKind.PORT, servers))
    made.ingress(ya, OperationKind.POLICY, made.policy([(dns, to_b), (web, to_servers)]))
    return made.build()


def test_who_joins_a_circle_that_is_still_open_waits_with_it() -> None:
    network = two_circles()
    engine, plain = Engine(network), Plain(network)
    for protocol, port, reached in ((6, 80, {1}), (6, 22, set()), (17, 53, set()), (17, 99, set())):
        packet = Packet(4, 0xC6120105, 0xC6120905, protocol, 40_000, port)
        assert engine_answer(engine, plain, 0, packet) == plain_answer(plain, 0, packet), packet
        assert plain_answer(plain, 0, packet).may == reached
