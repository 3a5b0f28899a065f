"""Loops and holes that the engine tells are those that plain walks find, packet by packet; and each shows itself."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations
from random import Random

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import (
    NONE,
    Action,
    HopKind,
    Network,
    OperationKind,
    Packet,
    TranslationKind,
)
from orchestrator.forwarding.engine.plain import Plain, TooManyTrailsError
from orchestrator.forwarding.engine.rows import holds
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import AddRoute, Hop, PortDown, PortUp, Prefix
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import FIRST, examples, told

Pairs = NDArray[np.bool_]
SEVERAL_WAYS = (1689, 1935, 2018, 2424)
"""Networks in which destinations are lost on several ways, and filters deny some packets on some of them."""
LOST = {"no route", "null route", "no cable", "the port is down"}


def lost(engine: Engine, zone: int, packet: Packet) -> set[tuple[str, str, str]]:
    """Where routes lose a packet on some branch: why, the table, and the line of the route."""
    base, line_of = engine.base, engine.walker.rows.line_of
    found = set()
    for trail in engine.path(zone, packet):
        if trail.end.ending == Ending.DROPPED and trail.end.reason in LOST:
            line = line_of(trail.steps[-1].route)
            found.add((trail.end.reason, base.tables[trail.steps[-1].table], base.lines[line] if line != NONE else ""))
    return found


def owned(plain: Plain, zone: int, packet: Packet, asked: Pairs) -> bool:
    """Whether another zone that is asked about sends with the packet's destination, and this one does not."""
    owners = {
        number
        for number, rows in enumerate(plain.rows.senders)
        if any(holds(source, packet.family, packet.destination) for _port, source in rows)
    }
    return zone not in owners and any(asked[zone, owner] for owner in owners)


def some_pairs(network: Network, random: Random) -> Pairs:
    """Pairs of zones that are asked about: all of them, or a third."""
    share, zones = random.choice((1.0, 0.33)), range(len(network.zone_names))
    return np.array([[random.random() < share for _other in zones] for _zone in zones], np.bool_)


def deviations(seed: int, packets: int) -> Iterator[str]:
    """Packets about which findings and plain walks disagree, and examples that do not show what they are to show."""
    random = Random(seed)
    network = random_network(random)
    plain, engine = Plain(network), Engine(network)
    asked = some_pairs(network, random)
    found = engine.findings(asked)
    for zone, packet in some_packets(network, random, packets):
        loops = any(end.ending == Ending.LOOP for end in plain.ends(zone, packet))
        if loops != any(one.zone == zone and one.packets.holds(packet) for one in found.loops):
            yield f"network {seed}: {packet} from {zone} loops for one of the two only"
        told = {
            (one.what, one.table, one.line) for one in found.holes if one.zone == zone and one.packets.holds(packet)
        }
        walked = lost(engine, zone, packet) if owned(plain, zone, packet, asked) else set()
        if told != walked:
            yield f"network {seed}: {packet} from {zone} is lost at {walked}, and told at {told}"
    for loop in found.loops:
        if loop.tables and not any(end.ending == Ending.LOOP for end in plain.ends(loop.zone, loop.example)):
            yield f"network {seed}: {loop.example} does not go round"
    for hole in found.holes:
        if (hole.what, hole.table, hole.line) not in lost(engine, hole.zone, hole.example):
            yield f"network {seed}: {hole.example} is not lost at {hole.table}"


def test_findings_are_what_plain_walks_find() -> None:
    refused, seeds = 0, [*SEVERAL_WAYS, *range(FIRST, FIRST + examples(300, 10_000))]
    for seed in told("findings", seeds):
        try:
            assert not list(deviations(seed, 20))
        except (AnswerError, TooManyTrailsError):
            refused += 1
    assert refused <= 5 + len(seeds) // 500


def three() -> tuple[NetworkBuilder, dict[str, int]]:
    """Zones a and b, three routers in a row; b's prefix is routed."""
    made = NetworkBuilder()
    ports = {"a": made.port("r1/x"), "b": made.port("r3/x")}
    made.attach("a", ports["a"], "198.18.1.0/24")
    made.attach("b", ports["b"], "198.18.2.0/24")
    for one, other in (("r1", "r2"), ("r2", "r3")):
        ports[one + other], ports[other + one] = made.link(f"{one}/x", f"{other}/x")
    made.route("r1/x", "198.18.2.0/24", (HopKind.PORT, ports["r1r2"]), line="r1.conf:1")
    made.route("r2/x", "198.18.2.0/24", (HopKind.PORT, ports["r2r3"]), line="r2.conf:1")
    made.route("r3/x", "198.18.2.0/24", (HopKind.PORT, ports["b"]), line="r3.conf:1")
    return made, ports


def test_a_loop_is_told_with_its_cycle_and_its_lines() -> None:
    made, ports = three()
    network = made.build()
    engine = Engine(network)
    assert engine.findings().loops == ()
    back = Prefix(4, int(ip_address("198.18.2.64")), 26)
    engine.apply(AddRoute(network.tables.index("r2/x"), back, (Hop(HopKind.PORT, ports["r2r1"]),)))
    (found,) = engine.findings().loops
    assert (found.tables, found.lines) == (("r1/x", "r2/x"), ("r1.conf:1", ""))
    made.route("r2/x", "198.18.2.64/26", (HopKind.PORT, ports["r2r1"]), line="r2.conf:9")
    (loop,) = Engine(made.build()).findings().loops
    assert (loop.zone, loop.tables, loop.lines) == (0, ("r1/x", "r2/x"), ("r1.conf:1", "r2.conf:9"))
    assert str(next(loop.packets.boxes())).endswith("-> 198.18.2.64-198.18.2.127")
    assert list(loop.packets.boxes()) == list(found.packets.boxes())
    assert loop.packets.holds(loop.example)


def test_a_filter_in_a_loop_ends_what_it_denies_wherever_it_began() -> None:
    made, ports = three()
    made.attach("c", made.port("r2/x"), "198.18.3.0/24")
    web = Match(protocol=(6, 6), destination_port=(80, 80))
    made.egress(ports["r1r2"], OperationKind.FILTER, made.filter([Entry(web, Action.DENY)], Action.PERMIT))
    made.route("r2/x", "198.18.2.64/26", (HopKind.PORT, ports["r2r1"]))
    loops = {loop.zone: loop.packets for loop in Engine(made.build()).findings().loops}
    assert set(loops) == {0, 2}
    for zone, source in ((0, "198.18.1.9"), (2, "198.18.3.9")):
        for port in (80, 443):
            asked = Packet(4, int(ip_address(source)), int(ip_address("198.18.2.65")), 6, 50_000, port)
            assert loops[zone].holds(asked) == (port == 443)


def test_a_hole_is_told_where_it_is() -> None:
    made, ports = three()
    assert [hole.zone for hole in Engine(made.build()).findings().holes] == [1]  # nobody knows the way back to a
    made.route("r3/x", "198.18.1.0/24", (HopKind.PORT, ports["r3r2"]), line="r3.conf:2")
    made.route("r2/x", "198.18.1.0/24", (HopKind.PORT, ports["r2r1"]), line="r2.conf:2")
    (hole,) = Engine(made.build()).findings().holes
    assert (hole.zone, hole.what, hole.table, hole.line) == (1, "no route", "r1/x", "")
    made.route("r1/x", "198.18.1.0/25", (HopKind.PORT, ports["a"]), line="r1.conf:2")
    made.route("r1/x", "198.18.1.128/25", (HopKind.DROP, NONE), line="r1.conf:3")
    (hole,) = Engine(made.build()).findings().holes
    assert (hole.zone, hole.what, hole.table, hole.line) == (1, "null route", "r1/x", "r1.conf:3")
    only_there = np.array([[False, True], [False, False]])
    assert Engine(made.build()).findings(only_there).holes == ()


def test_what_a_filter_denies_before_is_no_hole() -> None:
    for denied in (Match(), Match(protocol=(6, 6))):
        made, ports = three()
        made.ingress(ports["b"], OperationKind.FILTER, made.filter([Entry(denied, Action.DENY)], Action.PERMIT))
        holes = Engine(made.build()).findings().holes
        if denied == Match():
            assert holes == ()
        else:
            (hole,) = holes
            assert hole.example.protocol != 6
            assert {box.service.protocol for box in hole.packets.boxes()} == {(0, 5), (7, 255)}


def test_what_is_lost_on_several_ways_is_told_for_each() -> None:
    made = NetworkBuilder()
    made.attach("a", made.port("r1/x"), "198.18.1.0/24")
    made.attach("b", made.port("r4/x"), "198.18.2.0/24")
    ways = {}
    for other, protocol in (("r2", 6), ("r3", 17)):
        ways[other], _back = made.link("r1/x", f"{other}/x")
        denied = made.filter([Entry(Match(protocol=(protocol, protocol)), Action.DENY)], Action.PERMIT)
        made.egress(ways[other], OperationKind.FILTER, denied)
    made.route("r1/x", "198.18.2.0/24", *((HopKind.PORT, port) for port in ways.values()))
    made.route("r3/x", "198.18.0.0/16", (HopKind.DROP, NONE), line="r3.conf:1")
    holes = {hole.table: hole for hole in Engine(made.build()).findings().holes if hole.zone == 0}
    assert {(hole.table, hole.what, hole.line) for hole in holes.values()} == {
        ("r2/x", "no route", ""),
        ("r3/x", "null route", "r3.conf:1"),
    }
    for protocol, tables in ((1, {"r2/x", "r3/x"}), (6, {"r3/x"}), (17, {"r2/x"})):
        asked = Packet(4, int(ip_address("198.18.1.9")), int(ip_address("198.18.2.9")), protocol, 0, 0)
        assert {table for table, hole in holes.items() if hole.packets.holds(asked)} == tables


def test_a_port_that_is_down_is_told_on_either_side() -> None:
    made, ports = three()
    network = made.build()
    for down, table, line in (("r2r3", "r2/x", "r2.conf:1"), ("r3r2", "r3/x", ""), ("a", "r1/x", "")):
        engine = Engine(network)
        engine.apply(PortDown(ports[down]))
        (hole,) = (hole for hole in engine.findings().holes if hole.zone == 0)
        assert (hole.what, hole.table, hole.line) == ("the port is down", table, line)
    engine.apply(PortUp(ports["a"]))
    assert not [hole for hole in engine.findings().holes if hole.zone == 0]


def test_what_is_lost_behind_a_translation_is_told_there() -> None:
    made, ports = three()
    rule = Translation(Match(destination="198.18.2.0/25"), TranslationKind.DESTINATION, "203.0.113.9/32")
    made.ingress(ports["r2r1"], OperationKind.TRANSLATE, made.translation([rule]))
    made.route("r2/x", "203.0.113.0/24", (HopKind.PORT, ports["r2r3"]), line="r2.conf:2")
    made.route("r3/x", "203.0.113.0/24", (HopKind.DROP, NONE), line="r3.conf:2")
    (hole,) = (hole for hole in Engine(made.build()).findings().holes if hole.zone == 0)
    assert (hole.what, hole.table, hole.line) == ("null route", "r3/x", "r3.conf:2")
    assert str(next(hole.packets.boxes())).endswith("-> 198.18.2.0-198.18.2.127")


def test_a_loop_among_equal_cost_ways_is_shown_by_its_first_branch() -> None:
    made, names = NetworkBuilder(), [f"r{number}/x" for number in range(8)]
    made.attach("a", made.port(names[0]), "198.18.1.0/24")
    links = {(one, other): made.link(one, other) for one, other in combinations(names, 2)}
    out = {(one, other): ports[0] for (one, other), ports in links.items()}
    out |= {(other, one): ports[1] for (one, other), ports in links.items()}
    for name in names:
        hops = [(HopKind.PORT, port) for (one, _other), port in out.items() if one == name]
        made.route(name, "198.18.2.0/24", *hops)
    (loop,) = Engine(made.build()).findings().loops
    assert len(loop.tables) > 1
