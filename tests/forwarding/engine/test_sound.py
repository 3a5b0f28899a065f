"""What no array could hold is refused in updates and questions too: nothing changes, and no answer is made up."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Action, HopKind, Packet
from orchestrator.forwarding.engine.sound import QuestionError
from orchestrator.forwarding.engine.updates import AddRoute, Entry, Hop, InsertEntry, Match, Prefix, ReplaceEntry
from tests.forwarding.engine.test_core import OFFICE, SERVERS, WEB, two_offices

NEW = Prefix(4, 0xC6120200, 24)
DENY = Action.DENY
ENTRIES = [
    (Entry(Match(protocol=(0, 256)), DENY), r"protocol \(0, 256\) is no range"),
    (Entry(Match(protocol=(-1, 6)), DENY), "is no range"),
    (Entry(Match(source_port=(5, 3)), DENY), r"source_port \(5, 3\) is no range"),
    (Entry(Match(destination_port=(0, 65536)), DENY), "destination_port"),
    (Entry(Match(established=0), DENY), "established and fragment are"),
    (Entry(Match(fragment=2), DENY), "established and fragment are"),
    (Entry(Match(in_port=4), DENY), "in_port 4 is none of 4 ports"),
    (Entry(Match(in_port=-2), DENY), "in_port -2 is none"),
    (Entry(Match(source=Prefix(4, 1, 8)), DENY), "has bits beyond its length"),
    (Entry(Match(destination=Prefix(0, 0, 8)), DENY), "is no prefix"),
    (Entry(Match(Prefix(4, 0, 0), Prefix(6, 0, 0)), DENY), "are of two families"),
    (Entry(Match(), 7), "7 is no action"),  # type: ignore[arg-type]  # as a careless caller would
    (Entry(Match(), DENY, 99), "line 99 is none of the network's"),
]
HOPS = [
    ((), "the route has no next hop"),
    ((Hop(HopKind.PORT, 4),), "is no next hop"),
    ((Hop(HopKind.DROP), Hop(HopKind.PORT, -1)), "is no next hop"),
    ((Hop(HopKind.TABLE, 2),), "is no next hop"),
    ((Hop(HopKind.UNKNOWN, 99),), "is no next hop"),
    ((Hop(HopKind.PORT, 1 << 40),), "is no next hop"),
    ((Hop(9, 0),), "is no next hop"),  # type: ignore[arg-type]  # as above
]


@pytest.mark.parametrize(("entry", "message"), ENTRIES)
def test_an_entry_that_cannot_be_is_refused_by_engine_and_matrix(entry: Entry, message: str) -> None:
    engine = Engine(two_offices())
    matrix, before = engine.reach(), engine.digest()
    for update in (InsertEntry(0, 0, entry), ReplaceEntry(0, 0, entry)):
        with pytest.raises(UpdateError, match=message):
            engine.apply(update)
        with pytest.raises(UpdateError, match=message):
            matrix.apply(update)
    assert engine.digest() == before
    assert engine.network is engine.base
    assert np.array_equal(matrix.some, engine.reach().some)


@pytest.mark.parametrize(("hops", "message"), HOPS)
def test_next_hops_that_lead_nowhere_are_refused(hops: tuple[Hop, ...], message: str) -> None:
    engine = Engine(two_offices())
    before = engine.digest()
    with pytest.raises(UpdateError, match=message):
        engine.apply(AddRoute(0, NEW, hops))
    assert engine.digest() == before
    assert engine.network is engine.base


def test_a_line_that_is_not_there_is_refused_and_others_are_taken() -> None:
    engine = Engine(two_offices())
    with pytest.raises(UpdateError, match="line 99 is none of the network's"):
        engine.apply(AddRoute(0, NEW, (Hop(HopKind.DROP),), 99))
    engine.apply(AddRoute(0, NEW, (Hop(HopKind.UNKNOWN, 1),), 1))
    whole = Match(
        protocol=(0, 255), source_port=(0, 65535), destination_port=(7, 7), established=1, fragment=1, in_port=3
    )
    engine.apply(InsertEntry(0, 0, Entry(whole, Action.UNKNOWN, 0)))
    (reason,) = engine.why(OFFICE, WEB._replace(destination=NEW.address))
    assert (reason.what, reason.line) == ("unknown next hop", two_offices().lines[1])


@pytest.mark.parametrize(
    "packet",
    [
        WEB._replace(family=5),
        WEB._replace(source=1 << 32),
        WEB._replace(destination=-1),
        WEB._replace(family=6, source=1 << 128),
        WEB._replace(protocol=256),
        WEB._replace(source_port=-1),
        WEB._replace(destination_port=65536),
    ],
)
def test_a_packet_that_cannot_be_is_no_question(packet: Packet) -> None:
    engine = Engine(two_offices())
    for ask in (engine.path, engine.why, engine.flow):
        ask(OFFICE, WEB)
        with pytest.raises(QuestionError):
            ask(OFFICE, packet)
    with pytest.raises(QuestionError):
        engine.reach().reaches(packet)


@pytest.mark.parametrize("zone", [-1, 2])
def test_a_zone_that_is_not_there_is_no_question(zone: int) -> None:
    engine = Engine(two_offices())
    for ask in (engine.path, engine.why, engine.flow):
        with pytest.raises(QuestionError, match=f"zone {zone} is none of the network's 2"):
            ask(zone, WEB)
    for pair in ((OFFICE, zone), (zone, SERVERS)):
        with pytest.raises(QuestionError, match="is none of the network's 2"):
            engine.reach().packets(*pair)


def test_pairs_are_one_truth_value_for_each_two_zones() -> None:
    engine = Engine(two_offices())
    engine.findings(np.ones((2, 2), np.bool_))
    for pairs in (np.ones((3, 3), np.bool_), np.ones((2, 2), np.int32)):
        with pytest.raises(QuestionError, match="give bool, 2 by 2"):
            engine.findings(pairs)
