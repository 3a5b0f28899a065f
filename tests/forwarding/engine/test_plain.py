"""The plain walker on networks small enough to know the answer by looking."""

from dataclasses import replace

import numpy as np

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.network import (
    Action,
    HopKind,
    OperationKind,
    Packet,
    TranslationKind,
)
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.trail import Ending, Trail

PORT, TABLE, UNKNOWN = HopKind.PORT, HopKind.TABLE, HopKind.UNKNOWN
FILTER, TRANSLATE, POLICY = OperationKind.FILTER, OperationKind.TRANSLATE, OperationKind.POLICY
PERMIT, DENY = Action.PERMIT, Action.DENY
LEFT, RIGHT = 0xC6120001, 0xC6130001  # 198.18.0.1 and 198.19.0.1
OUTSIDE = 0xC0000201  # 192.0.2.1
WEB = Packet(4, LEFT, RIGHT, 6, 40000, 443)
HTTPS = Match(protocol=(6, 6), destination_port=(443, 443))


class Line:
    """Zone left - a - b - zone right, each side routing 198.18/16 to the left and the rest to the right."""

    def __init__(self) -> None:
        build = self.build = NetworkBuilder()
        self.left, self.right = build.port("a/x"), build.port("b/x")
        self.a_to_b, self.b_to_a = build.link("a/x", "b/x")
        build.attach("left", self.left, "198.18.0.0/16")
        build.attach("right", self.right, "198.19.0.0/16", "2001:db8:2::/48")
        build.route("a/x", "198.18.0.0/16", (PORT, self.left), line="a:1")
        build.route("a/x", "0.0.0.0/0", (PORT, self.a_to_b), line="a:2")
        build.route("b/x", "198.18.0.0/16", (PORT, self.b_to_a), line="b:1")
        build.route("b/x", "0.0.0.0/0", (PORT, self.right), line="b:2")

    def plain(self) -> Plain:
        network = self.build.build()
        check_network(network)
        return Plain(network)

    def trails(self, packet: Packet = WEB, zone: int = 0) -> list[Trail]:
        plain = self.plain()
        trails = plain.trails(zone, packet)
        assert {trail.end for trail in trails} == plain.ends(zone, packet)
        return trails

    def end(self, packet: Packet = WEB, zone: int = 0) -> tuple[Ending, int, str]:
        (trail,) = self.trails(packet, zone)
        return trail.end.ending, trail.end.zone, trail.end.reason


DELIVERED_RIGHT = (Ending.DELIVERED, 1, "delivered")
DENIED = (Ending.DROPPED, -1, "denied")


def test_a_packet_is_routed_to_the_other_zone_and_the_trail_names_tables_ports_and_routes() -> None:
    line = Line()
    (trail,) = line.trails()
    told = [(step.table, step.in_port, step.route, step.out_port) for step in trail.steps]
    assert told == [(0, line.left, 1, line.a_to_b), (1, line.b_to_a, 3, line.right)]
    assert line.end() == DELIVERED_RIGHT
    assert works(line.plain(), 0, WEB) is True


def test_the_longest_prefix_decides_and_a_null_route_names_its_line() -> None:
    line = Line()
    line.build.route("b/x", "198.19.0.0/24", line="b:3")
    assert line.end() == (Ending.DROPPED, -1, "null route")
    assert line.trails()[0].end.line == line.build.line("b:3")
    assert line.end(WEB._replace(destination=RIGHT + 256)) == DELIVERED_RIGHT


def test_no_route_and_no_cable_and_a_foreign_source() -> None:
    line = Line()
    line.build.route("a/x", "203.0.113.0/24", (PORT, line.build.port("a/x")))
    six = Packet(6, 0x20010DB8 << 96 | 2 << 80, 1, 6, 1, 1)
    assert line.end(six, zone=1) == (Ending.DROPPED, -1, "no route")
    assert line.end(WEB._replace(destination=0xCB007101)) == (Ending.DROPPED, -1, "no cable")
    assert line.trails(WEB._replace(source=RIGHT)) == []


def test_equal_cost_paths_are_all_walked_and_a_loop_is_one_of_them() -> None:
    line = Line()
    line.build.route("b/x", "198.19.0.0/24", (PORT, line.right), (PORT, line.b_to_a), (UNKNOWN, line.build.line("b:9")))
    line_number = line.build.line("b:9")
    ends = {(trail.end.ending, trail.end.zone, trail.end.line) for trail in line.trails()}
    assert ends == {(Ending.LOOP, -1, -1), (Ending.UNKNOWN, -1, line_number), (Ending.DELIVERED, 1, -1)}
    assert works(line.plain(), 0, WEB) is False


def test_a_branch_inside_a_cycle_is_reached_from_every_member_of_the_cycle() -> None:
    build = NetworkBuilder()
    zones = [build.port(f"{name}/x") for name in "abc"]
    ring = [build.link(f"{one}/x", f"{two}/x") for one, two in ("ab", "bc", "ca")]
    for number, name in enumerate("abc"):
        build.attach(name, zones[number], f"198.18.{number}.0/24")
        build.route(f"{name}/x", "203.0.113.0/24", (PORT, zones[number]), (PORT, ring[number][0]))
    plain = Plain(build.build())
    for zone in range(3):
        ends = plain.ends(zone, Packet(4, 0xC6120001 + 256 * zone, 0xCB007101, 6, 1, 1))
        assert {(end.ending, end.zone) for end in ends} == {
            (Ending.LOOP, -1),
            *((Ending.DELIVERED, z) for z in range(3)),
        }


def test_a_leaked_route_is_looked_up_in_the_other_table_and_keeps_the_port_of_entry() -> None:
    line = Line()
    only_left = line.build.filter([Entry(Match(in_port=line.left), PERMIT)], stateful=False)
    other = line.build.port("a/other")
    line.build.attach("leak", other, "203.0.113.0/24")
    line.build.egress(other, FILTER, only_left)
    line.build.route("a/x", "203.0.113.0/24", (TABLE, line.build.table("a/other")))
    line.build.route("a/other", "203.0.113.0/24", (PORT, other))
    line.build.route("b/x", "203.0.113.0/24", (PORT, line.b_to_a))
    to_leak = WEB._replace(destination=0xCB007101)
    assert line.end(to_leak) == (Ending.DELIVERED, 2, "delivered")
    assert line.end(to_leak._replace(source=RIGHT), zone=1) == (Ending.DROPPED, -1, "denied")


def test_a_stateless_filter_sees_the_flag_and_a_stateful_one_only_its_memory() -> None:
    answers = [Entry(HTTPS, PERMIT, "f:1"), Entry(Match(established=1), PERMIT, "f:2")]
    for stateful, spoofed in ((False, DELIVERED_RIGHT), (True, DENIED)):
        line = Line()
        wall = line.build.filter(answers, stateful=stateful)
        line.build.ingress(line.b_to_a, FILTER, wall)
        line.build.egress(line.b_to_a, FILTER, wall)
        assert line.end() == DELIVERED_RIGHT
        assert line.end(WEB._replace(destination_port=22)) == DENIED
        assert line.end(WEB._replace(destination_port=22, established=True)) == spoofed
        assert works(line.plain(), 0, WEB) is True
        assert works(line.plain(), 0, WEB._replace(destination_port=22)) is False


def test_a_stateless_filter_without_an_entry_for_answers_stops_them() -> None:
    line = Line()
    line.build.egress(line.a_to_b, FILTER, line.build.filter([Entry(HTTPS, PERMIT)], stateful=False))
    line.build.ingress(line.a_to_b, FILTER, line.build.filter([Entry(HTTPS, PERMIT)], stateful=False))
    assert line.end() == DELIVERED_RIGHT
    assert works(line.plain(), 0, WEB) is False


def test_a_later_fragment_passes_a_permit_with_ports_but_not_a_denial_with_ports() -> None:
    fragment = WEB._replace(fragment=True, source_port=0, destination_port=0)
    line = Line()
    line.build.ingress(line.left, FILTER, line.build.filter([Entry(HTTPS, DENY), Entry(Match(), PERMIT)]))
    assert line.end() == DENIED
    assert line.end(fragment) == DELIVERED_RIGHT
    line = Line()
    line.build.ingress(line.left, FILTER, line.build.filter([Entry(HTTPS, PERMIT)]))
    assert line.end(fragment) == DELIVERED_RIGHT
    assert line.end(fragment._replace(protocol=17)) == DENIED
    line = Line()
    line.build.ingress(line.left, FILTER, line.build.filter([Entry(Match(fragment=1), DENY)], PERMIT))
    assert line.end(fragment) == DENIED
    assert line.end() == DELIVERED_RIGHT


def test_an_unknown_entry_ends_in_unknown_with_its_line_only_for_what_may_match() -> None:
    line = Line()
    odd = Entry(Match(protocol=(6, 6), destination_port=(443, 443)), Action.UNKNOWN, "f:7")
    line.build.ingress(line.left, FILTER, line.build.filter([odd], PERMIT))
    assert line.end() == (Ending.UNKNOWN, -1, "unknown entry")
    assert line.trails()[0].end.line == line.build.line("f:7")
    assert line.end(WEB._replace(destination_port=444)) == DELIVERED_RIGHT
    assert works(line.plain(), 0, WEB) is None


def test_source_translation_to_one_host_opens_the_source_port_and_the_answer_comes_back() -> None:
    line = Line()
    rule = Translation(Match(source="198.18.0.0/16"), TranslationKind.SOURCE, "192.0.2.1/32", line="n:1")
    line.build.egress(line.a_to_b, TRANSLATE, line.build.translation([rule]))
    line.build.route("b/x", "192.0.2.1/32", (PORT, line.b_to_a))
    (trail,) = line.trails()
    assert trail.end.packet.source == OUTSIDE
    assert works(line.plain(), 0, WEB) is True
    high = Entry(Match(source_port=(1024, 65535)), PERMIT)
    line.build.ingress(line.b_to_a, FILTER, line.build.filter([high]))
    assert {trail.end.ending for trail in line.trails()} == {Ending.DELIVERED, Ending.DROPPED}


def test_one_to_one_translation_keeps_the_rest_of_the_address_and_the_port() -> None:
    line = Line()
    rule = Translation(Match(source="198.18.0.0/24"), TranslationKind.SOURCE, "192.0.2.0/24")
    line.build.egress(line.a_to_b, TRANSLATE, line.build.translation([rule]))
    (trail,) = line.trails()
    assert trail.end.packet == WEB._replace(source=OUTSIDE)
    assert line.trails(WEB._replace(source=LEFT + 256))[0].end.packet.source == LEFT + 256


def test_port_forwarding_reaches_the_server_and_its_answer_is_translated_back() -> None:
    line = Line()
    into = Translation(
        Match(destination="192.0.2.1/32", protocol=(6, 6), destination_port=(8443, 8443)),
        TranslationKind.DESTINATION,
        "198.19.0.1/32",
        443,
    )
    line.build.ingress(line.b_to_a, TRANSLATE, line.build.translation([into]))
    line.build.ingress(line.b_to_a, FILTER, line.build.filter([Entry(HTTPS, PERMIT)]))
    asked = WEB._replace(destination=OUTSIDE, destination_port=8443)
    (trail,) = line.trails(asked)
    assert trail.end.packet == WEB
    assert works(line.plain(), 0, asked) is True
    assert line.end(asked._replace(destination_port=8444)) == DENIED
    assert works(line.plain(), 0, asked._replace(destination_port=8444)) is False


def test_a_later_fragment_is_not_translated_by_a_rule_with_ports() -> None:
    line = Line()
    rule = Translation(HTTPS._replace(destination="192.0.2.1/32"), TranslationKind.DESTINATION, "198.18.0.9/32")
    line.build.ingress(line.left, TRANSLATE, line.build.translation([rule]))
    asked = WEB._replace(destination=OUTSIDE)
    assert line.end(asked) == (Ending.DELIVERED, 0, "delivered")
    assert line.end(asked._replace(fragment=True)) == DELIVERED_RIGHT


def test_a_one_way_gate_carries_nothing_back() -> None:
    for one_way, expected in ((True, False), (False, True)):
        build = NetworkBuilder()
        left, right = build.port("a/x"), build.port("b/x")
        there, back = build.link("a/x", "b/x", one_way=one_way)
        build.attach("left", left, "198.18.0.0/16")
        build.attach("right", right, "198.19.0.0/16")
        for table, near, far in (("a/x", left, there), ("b/x", back, right)):
            build.route(table, "198.18.0.0/16", (PORT, near))
            build.route(table, "198.19.0.0/16", (PORT, far))
        plain = Plain(build.build())
        assert {end.ending for end in plain.ends(0, WEB)} == {Ending.DELIVERED}
        assert works(plain, 0, WEB) is expected


def test_policy_routing_takes_what_its_filter_permits_without_a_lookup() -> None:
    line = Line()
    exit_port = line.build.port("a/x")
    line.build.attach("exit", exit_port, "203.0.113.0/24")
    web = line.build.filter([Entry(HTTPS, PERMIT)], stateful=False)
    line.build.ingress(line.left, POLICY, line.build.policy([(web, line.build.group((PORT, exit_port)))]))
    assert line.end() == (Ending.DELIVERED, 2, "delivered")
    assert line.end(WEB._replace(destination_port=22)) == DELIVERED_RIGHT
    later = WEB._replace(source_port=0, destination_port=0, fragment=True)
    assert line.end(later) == (Ending.DELIVERED, 2, "delivered")  # of whatever port: assumed
    assert line.end(later._replace(protocol=17)) == DELIVERED_RIGHT


def test_an_answer_by_another_device_finds_no_memory_there() -> None:
    build = NetworkBuilder()
    left, right = build.port("a/x"), build.port("d/x")
    by_b, by_c = build.link("a/x", "b/x"), build.link("a/x", "c/x")
    b_on, c_on = build.link("b/x", "d/x"), build.link("c/x", "d/x")
    build.attach("left", left, "198.18.0.0/16")
    build.attach("right", right, "198.19.0.0/16")
    build.route("a/x", "198.19.0.0/16", (PORT, by_b[0]))
    build.route("a/x", "198.18.0.0/16", (PORT, left))
    for table, inner, outer in (("b/x", by_b, b_on), ("c/x", by_c, c_on)):
        build.route(table, "198.19.0.0/16", (PORT, outer[0]))
        build.route(table, "198.18.0.0/16", (PORT, inner[1]))
    build.route("d/x", "198.19.0.0/16", (PORT, right))
    build.route("d/x", "198.18.0.0/16", (PORT, c_on[1]))
    assert works(Plain(build.build()), 0, WEB) is True
    build.ingress(c_on[0], FILTER, build.filter([Entry(HTTPS, PERMIT)]))
    assert works(Plain(build.build()), 0, WEB) is False


def test_a_tunnel_to_another_device_ends_one_memory_and_begins_the_next() -> None:
    build = NetworkBuilder()
    left, right = build.port("a/x"), build.port("b/x")
    build.attach("left", left, "198.18.0.0/16")
    build.attach("right", right, "198.19.0.0/16")
    build.route("a/x", "198.19.0.0/16", (TABLE, build.table("b/x")))
    build.route("a/x", "198.18.0.0/16", (PORT, left))
    build.route("b/x", "198.18.0.0/16", (TABLE, build.table("a/x")))
    build.route("b/x", "192.0.2.1/32", (TABLE, build.table("a/x")))
    build.route("b/x", "198.19.0.0/16", (PORT, right))
    only_out = build.filter([Entry(Match(source="198.18.0.0/16"), PERMIT)])
    rule = Translation(Match(source="198.18.0.0/16"), TranslationKind.SOURCE, "192.0.2.1/32")
    build.egress(right, FILTER, only_out)
    build.egress(right, TRANSLATE, build.translation([rule]))
    build.egress(left, FILTER, only_out)
    plain = Plain(build.build())
    (trail,) = plain.trails(0, WEB)
    assert [memory.device for memory in trail.memories] == [0, 1]
    assert trail.end.packet.source == OUTSIDE
    assert works(plain, 0, WEB) is True


def test_a_port_that_is_down_carries_nothing() -> None:
    line = Line()
    network = line.build.build()
    for port in (line.left, line.a_to_b, line.b_to_a, line.right):
        up = np.arange(network.ports.table.size) != port
        (end,) = Plain(replace(network, ports=network.ports._replace(up=up))).ends(0, WEB)
        assert (end.ending, end.reason) == (Ending.DROPPED, "the port is down")
