"""Networks nobody would build: a right answer or one clear line, in bounded time and memory."""

from __future__ import annotations

import resource
from ipaddress import ip_address, ip_network
from random import Random
from time import process_time

import pytest

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.network import Action, HopKind, OperationKind, Packet, TranslationKind
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import Plain
from tests.forwarding.engine.answers import Answer, engine_answer, plain_answer
from tests.forwarding.engine.test_plain import LEFT, RIGHT, WEB, Line

NOBODY = Answer(frozenset(), frozenset(), False)
SIX = 0x20010DB8 << 96
LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


def answer(build: NetworkBuilder, zone: int, packet: Packet) -> Answer:
    """What the engine says; the plain walker has to say the same."""
    network = build.build()
    plain = Plain(network)
    found = engine_answer(Engine(network), plain, zone, packet)
    assert found == plain_answer(plain, zone, packet)
    return found


def peak() -> int:
    """Highest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_a_network_of_nothing() -> None:
    engine = Engine(NetworkBuilder().build())
    assert Matrix(engine.decider, engine.classes(), engine.attachments).reaches().shape == (0, 0)


def test_devices_without_routes() -> None:
    line = Line()
    assert answer(line.build, 0, WEB).must == {1}
    bare = NetworkBuilder()
    bare.attach("left", bare.port("a/x"), "198.18.0.0/16")
    assert answer(bare, 0, WEB) == NOBODY


def test_both_ends_of_both_families() -> None:
    line = Line()
    for prefix in ("::/0", "::/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"):
        line.build.route("b/x", prefix, (HopKind.PORT, line.right))
    line.build.route("b/x", "0.0.0.0/32", (HopKind.PORT, line.b_to_a))
    line.build.route("b/x", "255.255.255.255/32")
    for family, source in ((4, RIGHT), (6, SIX | 2 << 80)):
        for destination in (0, 1, LAST[family] - 1, LAST[family]):
            answer(line.build, 1, Packet(family, source, destination, 6, 1, 1))
    assert answer(line.build, 1, Packet(6, SIX | 2 << 80, 0, 6, 1, 1)).must == {1}
    assert answer(line.build, 1, Packet(4, RIGHT, LAST[4], 6, 1, 1)) == NOBODY


def ring(length: int, *, closed: bool) -> NetworkBuilder:
    """A row of tables, each with a default route to the next; the last one back to the first, or to a zone."""
    build = NetworkBuilder()
    build.attach("start", build.port("t0/x"), "198.18.0.0/16")
    end = build.port(f"t{length - 1}/x")
    build.attach("end", end, "198.19.0.0/16")
    for number in range(length - 1):
        build.route(f"t{number}/x", "0.0.0.0/0", (HopKind.PORT, build.link(f"t{number}/x", f"t{number + 1}/x")[0]))
    last = build.link(f"t{length - 1}/x", "t0/x")[0] if closed else end
    build.route(f"t{length - 1}/x", "0.0.0.0/0", (HopKind.PORT, last))
    return build


def test_a_loop_of_thousands_of_tables_and_a_way_through_them() -> None:
    for closed, expected in ((True, frozenset[int]()), (False, frozenset({1}))):
        engine = Engine(ring(20_000, closed=closed).build())
        matrix = Matrix(engine.decider, engine.classes(), engine.attachments)
        assert bool(matrix.reaches()[0, 1]) is bool(expected)


def test_ways_are_walked_that_are_longer_than_the_stack_of_python_is_deep() -> None:
    packet = Packet(4, LEFT, RIGHT, 6, 1, 1)
    for closed, what in ((False, "delivered"), (True, "loop")):
        engine = Engine(ring(1_200, closed=closed).build())
        (reason,) = engine.why(0, packet)
        assert (reason.what, engine.flow(0, packet)) == (what, False)  # nobody has a way back
        assert bool(engine.findings().loops) == closed


def test_what_stands_before_a_translation_is_read_thousands_of_nodes_deep() -> None:
    made, hops = NetworkBuilder(), 1_200
    ends = made.port("r0/x"), made.port(f"r{hops}/x")
    made.attach("left", ends[0], "198.18.0.0/16")
    made.attach("right", ends[1], "198.19.0.0/16")
    for at in range(hops):
        out, _back = made.link(f"r{at}/x", f"r{at + 1}/x")
        made.route(f"r{at}/x", "198.19.0.0/16", (HopKind.PORT, out))
        closed = Entry(Match(protocol=(6, 6), destination_port=(at, at)), Action.DENY)
        made.egress(out, OperationKind.FILTER, made.filter([closed], Action.PERMIT))
    made.route(f"r{hops}/x", "198.19.0.0/16", (HopKind.PORT, ends[1]))
    moved = Translation(Match(destination="198.19.0.0/17"), TranslationKind.DESTINATION, "198.19.128.0/17")
    made.egress(ends[1], OperationKind.TRANSLATE, made.translation([moved]))
    engine = Engine(made.build())
    for port, gets in ((hops - 1, False), (hops, True)):
        packet = Packet(4, LEFT, RIGHT, 6, 1, port)
        asked = PacketSet.of(engine.table.services, packet)
        node = engine.core.at(0, packet.destination)
        assert bool(engine.decider.delivered(node, asked, 1, every_path=True)) == gets
        assert engine.decider.lines(node, asked) == frozenset()


def test_a_translation_of_a_network_with_many_routes_inside() -> None:
    for new, old, length in (("2001:db8:2::/48", "2001:db8:1::/48", 64), ("198.19.0.0/16", "198.18.0.0/16", 24)):
        made = NetworkBuilder()
        one, other = made.port("r/x"), made.port("r/x")
        made.attach("one", one, "2001:db8:9::/64", "203.0.113.0/24")
        made.attach("other", other, new)
        rule = Translation(Match(destination=old), TranslationKind.DESTINATION, new)
        made.ingress(one, OperationKind.TRANSLATE, made.translation([rule]))
        subnets = list(ip_network(new).subnets(new_prefix=length))[:60]
        for subnet in subnets:
            made.route("r/x", subnet, (HopKind.PORT, other))
        source = int(ip_address("2001:db8:9::1" if ":" in new else "203.0.113.1"))
        asked = int(subnets[41].network_address) - int(ip_network(new).network_address)
        packet = Packet(6 if ":" in new else 4, source, int(ip_network(old).network_address) + asked + 5, 6, 1, 1)
        assert answer(made, 0, packet).must == {1}


def test_a_filter_at_each_of_many_hops_is_answered_or_refused_in_one_line() -> None:
    for length, works in ((500, True), (6000, False)):
        build = ring(length, closed=False)
        wall = build.filter([Entry(Match(protocol=(6, 6)), Action.PERMIT)], stateful=False)
        for port in range(2, 2 * length, 2):
            build.ingress(port + 1, OperationKind.FILTER, wall)
        if works:
            engine = Engine(build.build())
            matrix = Matrix(engine.decider, engine.classes(), engine.attachments)
            assert matrix.reaches(WEB)[0, 1]
            assert not matrix.reaches(WEB._replace(protocol=17))[0, 1]
            continue
        with pytest.raises(AnswerError, match="shorten the chain"):
            Engine(build.build())


def test_equal_cost_paths_everywhere_are_answered_in_bounded_time() -> None:
    started = process_time()
    for size in (4, 6, 12):
        build = NetworkBuilder()
        names = [f"m{number}/x" for number in range(size)]
        outs: dict[str, list[int]] = {name: [] for name in names}
        for one in names:
            for other in names:
                if one < other:
                    there, back = build.link(one, other)
                    outs[one].append(there)
                    outs[other].append(back)
        for zone in ("first", "last"):
            table = names[0 if zone == "first" else -1]
            outs[table].append(build.port(table))
            build.attach(zone, outs[table][-1], "198.18.0.0/16")
        for name in names:
            build.route(name, "0.0.0.0/0", *((HopKind.PORT, out) for out in outs[name]))
        network = build.build()
        assert engine_answer(Engine(network), Plain(network), 0, WEB) == Answer(frozenset({0, 1}), frozenset(), False)
    assert process_time() - started < 30


def test_a_filter_of_a_hundred_thousand_entries() -> None:
    random, line, count = Random(3), Line(), 100_000
    entries = []
    for _number in range(count):
        source = f"198.18.{random.randrange(256)}.{random.randrange(256)}/32"
        destination = f"198.19.{random.randrange(256)}.0/24" if random.random() < 0.5 else None
        port = random.choice((22, 25, 53, 80, 443, 3306, 8080))
        ports = (port, port) if random.random() < 0.8 else (port, port + 100 * random.randrange(10))
        action = Action.PERMIT if random.random() < 0.5 else Action.DENY
        entries.append(Entry(Match(source, destination, (6, 6), destination_port=ports), action))
    line.build.egress(line.a_to_b, OperationKind.FILTER, line.build.filter(entries))
    network = line.build.build()
    before, started = peak(), process_time()
    engine = Engine(network)
    matrix = Matrix(engine.decider, engine.classes(), engine.attachments)
    assert matrix.reaches()[0, 1]
    assert process_time() - started < 20
    assert peak() - before < 1500
    plain = Plain(network)
    for _number in range(8):
        row = random.randrange(count)
        source, port = (network.filters.match.source.low[row], network.filters.match.destination_port_high[row])
        packet = WEB._replace(source=int(source), destination=RIGHT, destination_port=int(port))
        assert engine_answer(engine, plain, 0, packet) == plain_answer(plain, 0, packet)


def test_ports_cut_into_thousands_of_ranges() -> None:
    random, line = Random(5), Line()
    entries = []
    for number in range(1500):
        low = random.randrange(65536)
        high = random.randrange(low, 65536)
        entries.append(Entry(Match(destination_port=(low, high)), Action.DENY if number % 2 else Action.PERMIT))
    line.build.ingress(line.left, OperationKind.FILTER, line.build.filter(entries))
    network = line.build.build()
    engine, plain = Engine(network), Plain(network)
    for port in (0, 1, 80, 443, 30_000, 65_534, 65_535):
        packet = WEB._replace(destination_port=port)
        assert engine_answer(engine, plain, 0, packet) == plain_answer(plain, 0, packet)


def test_a_source_that_no_zone_has() -> None:
    line = Line()
    assert answer(line.build, 0, WEB._replace(source=LEFT ^ 1 << 31)) == NOBODY
