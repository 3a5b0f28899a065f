"""Loops and holes that the engine tells are those that plain walks find, packet by packet; and each shows itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import numpy as np

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.findings import Hole, Loop
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, OperationKind, Packet
from orchestrator.forwarding.engine.plain import Plain, TooManyTrailsError
from orchestrator.forwarding.engine.rows import holds
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import AddRoute, Hop, Prefix
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples, told

LOST = {"no route", "null route", "no cable", "the port is down"}


def lost(plain: Plain, zone: int, packet: Packet) -> bool:
    """Whether routes lose a packet on some branch."""
    return any(end.ending == Ending.DROPPED and end.reason in LOST for end in plain.ends(zone, packet))


def open_everywhere(network: Network) -> Network:
    """The network with filters that permit everything, but for those that policies look at."""
    kept = np.isin(np.arange(len(network.filters.default)), network.policies.match)
    rows = np.repeat(kept, np.diff(network.filters.first))
    action = np.where(rows, network.filters.action, Action.PERMIT).astype(np.int32)
    default = np.where(kept, network.filters.default, Action.PERMIT).astype(np.int32)
    return replace(network, filters=network.filters._replace(action=action, default=default))


def owned(plain: Plain, zone: int, packet: Packet) -> bool:
    """Whether another zone sends with the packet's destination and this one does not."""
    owners = {
        number
        for number, rows in enumerate(plain.rows.senders)
        if any(holds(source, packet.family, packet.destination) for _port, source in rows)
    }
    return bool(owners) and zone not in owners


def found_for(found: Iterable[Loop] | Iterable[Hole], zone: int, packet: Packet) -> bool:
    """Whether a packet of a zone is in one of the findings."""
    return any(one.zone == zone and one.packets.holds(packet) for one in found)


def deviations(seed: int, packets: int) -> Iterator[str]:
    """Packets about which findings and plain walks disagree, and examples that do not show what they are to show."""
    random = Random(seed)
    network = random_network(random)
    plain, opened = Plain(network), Plain(open_everywhere(network))
    found = Engine(network).findings()
    exact = not len(network.translations.kind) and not len(network.policies.match)
    for zone, packet in some_packets(network, random, packets):
        ends = plain.ends(zone, packet)
        if any(end.ending == Ending.LOOP for end in ends) != found_for(found.loops, zone, packet):
            yield f"network {seed}: {packet} from {zone} loops for one of the two only: {ends}"
        here = owned(plain, zone, packet)
        least = here and lost(plain, zone, packet)
        most = least if exact else here and lost(opened, zone, packet)
        if not least <= found_for(found.holes, zone, packet) <= most:
            yield f"network {seed}: {packet} from {zone}: a hole for one of the two only: {ends}"
    for loop in found.loops:
        if loop.tables and not any(end.ending == Ending.LOOP for end in plain.ends(loop.zone, loop.example)):
            yield f"network {seed}: {loop.example} does not go round"
    for hole in found.holes:
        if hole.table and not lost(plain, hole.zone, hole.example):
            yield f"network {seed}: {hole.example} is not lost"


def test_findings_are_what_plain_walks_find() -> None:
    refused = 0
    for seed in told("findings", range(examples(300, 10_000))):
        try:
            assert not list(deviations(seed, 20))
        except (AnswerError, TooManyTrailsError):
            refused += 1
    assert refused <= 5


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
