"""What a change leaves behind when it is taken back twice, out of turn, elsewhere, or refused half-way."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from orchestrator.forwarding.engine import service_cells, slices
from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, OperationKind, Packet
from orchestrator.forwarding.engine.service_cells import TooManyServicesError
from orchestrator.forwarding.engine.slices import TooManyPiecesError
from orchestrator.forwarding.engine.sound import QuestionError
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceRoute,
    Update,
)

HOST = Prefix(4, int(ip_address("198.18.2.10")), 32)
BLOCK = Prefix(4, int(ip_address("198.18.3.0")), 24)
DROP = (Hop(HopKind.DROP),)
WEB = Packet(4, int(ip_address("198.18.1.5")), int(ip_address("198.18.2.10")), 6, 40_000, 443)


def fence() -> NetworkBuilder:
    """Two zones at one table; a filter without entries stands before the second."""
    made = NetworkBuilder()
    one, other = made.port("a/x"), made.port("a/x")
    made.attach("one", one, "198.18.1.0/24")
    made.attach("other", other, "198.18.2.0/24")
    made.route("a/x", "198.18.2.0/24", (HopKind.PORT, other))
    made.egress(other, OperationKind.FILTER, made.filter([]))
    return made


def permits(port: int) -> InsertEntry:
    """An entry for a port comes first."""
    return InsertEntry(0, 0, Entry(Match(protocol=(6, 6), destination_port=(port, port)), Action.PERMIT))


def ports(engine: Engine) -> list[int]:
    """The ports of the filter's entries."""
    return [entry.match.destination_port[0] for entry in engine.entries.of(0)]


def test_a_change_is_taken_back_once_and_where_it_stands() -> None:
    engine, other = Engine(fence().build()), Engine(fence().build())
    change = engine.apply(permits(443))
    with pytest.raises(UpdateError, match="does not stand"):
        other.undo(change)
    engine.undo(change)
    for again in (engine.undo, engine.difference):
        with pytest.raises(UpdateError, match="does not stand: it is taken back already"):
            again(change)
    assert (ports(engine), ports(other)) == ([], [])


def test_positions_in_a_filter_mean_what_they_meant_only_while_no_later_change_of_it_stands() -> None:
    engine = Engine(fence().build())
    first, second = engine.apply(permits(1)), engine.apply(permits(2))
    with pytest.raises(UpdateError, match="a later change of the same filter stands"):
        engine.undo(first)
    assert ports(engine) == [2, 1]
    engine.undo(second)
    engine.undo(first)
    assert ports(engine) == []


def test_changes_of_different_rows_are_taken_back_in_any_order() -> None:
    engine = Engine(fence().build())
    before = engine.digest()
    changes = [engine.apply(update) for update in (permits(443), AddRoute(0, HOST, DROP), PortDown(0))]
    for change in changes:
        engine.undo(change)
    assert engine.digest() == before


def test_a_difference_is_that_of_the_last_change_and_changes_nothing() -> None:
    engine = Engine(fence().build())
    opened = engine.apply(permits(443))
    assert engine.difference(opened).newly[0, 1].holds(WEB)
    route = engine.apply(AddRoute(0, HOST, DROP))
    with pytest.raises(UpdateError, match="later changes stand: ask about the last one, or about two engines"):
        engine.difference(opened)
    other = engine.apply(ReplaceRoute(0, HOST, (Hop(HopKind.PORT, 1),)))
    with pytest.raises(UpdateError, match="a later change of the same route stands"):
        engine.difference(route)
    assert engine.difference(other).newly[0, 1].holds(WEB)
    for change in (other, route, opened):
        engine.undo(change)
    assert engine.digest() == Engine(fence().build()).digest()


def test_a_question_about_a_change_that_fails_leaves_the_change_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(fence().build())
    opened = engine.apply(permits(443))
    monkeypatch.setattr(slices, "LIMIT", 1)
    with pytest.raises(TooManyPiecesError):
        engine.difference(opened)
    monkeypatch.undo()
    assert ports(engine) == [443]
    assert engine.difference(opened).newly[0, 1].holds(WEB)
    engine.undo(opened)
    assert ports(engine) == []


def test_two_networks_are_compared() -> None:
    before, after = Engine(fence().build()), Engine(fence().build())
    after.apply(permits(443))
    assert before.difference_to(after).newly[0, 1].holds(WEB)
    assert after.difference_to(before).gone[0, 1].holds(WEB)
    assert not before.difference_to(before).newly
    other = fence()
    other.zone("third")
    with pytest.raises(QuestionError, match="have other zones"):
        before.difference_to(Engine(other.build()))


@pytest.mark.parametrize("update", [ReplaceRoute(0, BLOCK, (Hop(HopKind.PORT, 1),), 1), RemoveRoute(0, BLOCK)])
def test_a_route_comes_back_with_its_line_also_to_an_engine_built_anew(update: Update) -> None:
    made = fence()
    made.route("a/x", "198.18.3.0/24", (HopKind.DROP, NONE), line="a.conf:7")
    made.line("a.conf:99")
    engine = Engine(made.build())
    route = engine.apply(update)
    generation = engine.generation
    named = engine.apply(InsertEntry(0, 0, Entry(Match(in_port=0), Action.PERMIT)))
    assert engine.generation > generation
    engine.undo(named)
    engine.undo(route)
    (reason,) = engine.why(0, WEB._replace(destination=BLOCK.address + 9))
    assert (reason.what, reason.line) == ("null route", "a.conf:7")


def test_an_entry_beyond_the_bounds_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(fence().build())
    assert not engine.reach().packets(0, 1)
    monkeypatch.setattr(service_cells, "CELLS", 400)
    with pytest.raises(TooManyServicesError):
        _until_refused(engine)
    count = len(engine.entries.of(0))
    assert count == int(engine.table.count[0]) == len(engine.network.filters.action)
    engine.apply(RemoveEntry(0, 0))
    assert len(engine.entries.of(0)) == int(engine.table.count[0]) == count - 1


def test_a_route_beyond_the_bounds_is_refused_and_the_next_one_is_not() -> None:
    hops, gap, made = 4_300, 100, NetworkBuilder()
    ends = made.port("t0/x"), made.port(f"t{hops}/x")
    made.attach("one", ends[0], "198.18.0.0/16")
    made.attach("other", ends[1], "198.19.0.0/16")
    wall = made.filter([], Action.UNKNOWN)
    links = []
    for at in range(hops):
        out, back = made.link(f"t{at}/x", f"t{at + 1}/x")
        made.ingress(back, OperationKind.FILTER, wall)
        links.append(out)
        if at != gap:
            made.route(f"t{at}/x", "198.19.0.0/16", (HopKind.PORT, out))
    made.route(f"t{hops}/x", "198.19.0.0/16", (HopKind.PORT, ends[1]))
    network = made.build()
    engine = Engine(network)
    before, prefix = engine.digest(), Prefix(4, int(ip_address("198.19.0.0")), 16)
    table = network.tables.index(f"t{gap}/x")
    with pytest.raises(AnswerError, match="4000 filters"):
        engine.apply(AddRoute(table, prefix, (Hop(HopKind.PORT, links[gap]),)))
    assert engine.digest() == before
    engine.apply(AddRoute(table, prefix, DROP))
    assert engine.why(0, WEB._replace(source=ip_int("198.18.0.1"), destination=ip_int("198.19.0.1")))


def _until_refused(engine: Engine) -> None:
    for port in range(1, 1000):
        match = Match(protocol=(6, 6), source_port=(port, port + 7), destination_port=(2 * port, 2 * port + 5))
        engine.apply(InsertEntry(0, 0, Entry(match, Action.PERMIT)))


def ip_int(text: str) -> int:
    """An address as a number."""
    return int(ip_address(text))
