"""Registered flows as packets; points, classes and predictions."""

from pathlib import Path

import pytest

from network_models.district import now
from orchestrator.forwarding.flows import applies, judge, resolve
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of, destinations, guests, leads_to, probe_points
from orchestrator.forwarding.predict import predict
from orchestrator.forwarding.world import text_of
from orchestrator.intake.policy import read_policy
from orchestrator.model.census import ServiceName, Workload
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import FilterRule, Interface, Nat
from orchestrator.model.policy import Flow
from tests.forwarding.test_walks import chain, route

POLICY = read_policy(Path(__file__).parents[2] / "network_models" / "wangchao" / "policy.yaml")
WORKING = {"F-001", "F-002", "F-004", "F-005", "F-006", "F-009", "F-010", "F-011", "F-012", "F-013", "F-014"}


def flow(code: str) -> Flow:
    return next(item for item in POLICY.flows if item.code == code)


def matrix(estate: Estate) -> Matrix:
    return Matrix.of(estate, classes_of(estate, (), [(item.protocol, item.port) for item in POLICY.flows]))


def replaced(estate: Estate, table: str, key: str, **fields: object) -> Estate:
    row = getattr(estate, table)[key]
    after = type(row).model_validate({**row.plain(), **fields})
    return estate.apply((Edit(table=table, key=key, before=row.plain(), after=None),)).with_nouns(after)


def test_what_works_now_works_and_what_comes_later_does_not() -> None:
    judged = {item.code: judge(item, matrix(now())).works for item in POLICY.flows}
    assert {code for code, works in judged.items() if works} == WORKING
    assert {item.code for item in POLICY.flows if applies(item, now(), final=False)} == WORKING


def test_a_view_of_the_organisation_wins_over_everybodys_name() -> None:
    own = resolve(flow("F-013"), now()).probes
    assert {text_of(probe.header.destination) for probe in own} == {"192.168.10.10"}
    outside = resolve(flow("F-004"), now()).probes
    assert [(probe.asker.node, text_of(probe.header.destination)) for probe in outside] == [("citizen", "203.0.113.66")]
    everybody = now().with_nouns(
        ServiceName.model_validate({"fqdn": "service.mz.wangchao.example", "address": "192.168.10.99"})
    )
    assert resolve(flow("F-013"), everybody) == resolve(flow("F-013"), now())


def test_a_name_left_pointing_at_the_old_address_fails_the_flow() -> None:
    assert judge(flow("F-001"), matrix(now())).works is True
    moved = replaced(now(), "hosts", "cz-web", address="10.8.1.11/24")
    assert judge(flow("F-001"), matrix(moved)).works is False
    renamed = replaced(moved, "service_names", "budget.cz.wangchao.example/any", address="10.8.1.11")
    assert judge(flow("F-001"), matrix(renamed)).works is True


def test_a_standby_copy_does_not_answer_for_the_running_one() -> None:
    key = "990102-CZ-0001/web@cz-web"
    estate = replaced(now(), "workloads", key, state="standby")
    missing = judge(flow("F-001"), matrix(estate))
    assert (missing.works, missing.why) == (False, "no workload 990102-CZ-0001/web is running")
    copy = Workload(system="990102-CZ-0001", name="web", kind="web", place="cz-db", port=8080)
    wrong = judge(flow("F-001"), matrix(estate.with_nouns(copy)))
    assert (wrong.works, wrong.why) == (
        False,
        "tcp 10.8.1.100 -> 10.8.1.10:8080 from cz-user1 ends at cz-web, not at cz-db",
    )


def test_a_flow_that_misses_its_gateway_does_not_count_as_working() -> None:
    strict = flow("F-009").model_copy(update={"gateway": "fw1"})
    assert judge(flow("F-009"), matrix(now())).works is True
    assert judge(strict, matrix(now())).why == ("tcp 198.18.16.100 -> 198.18.0.10:443 from staff does not pass fw1")


def test_a_now_only_flow_ends_with_its_workload() -> None:
    assert applies(flow("F-006"), now(), final=False)
    assert not applies(
        flow("F-006"), replaced(now(), "workloads", "990102-MZ-0002/mail@mz-mail", state="stopped"), final=False
    )


def test_points_are_every_host_with_its_zone() -> None:
    points = {point.node: (point.zone, str(point.address)) for point in probe_points(now())}
    assert points["staff"] == ("common-adm", "198.18.16.100")
    assert set(points) == set(now().hosts)


def test_port_classes_follow_the_conditions_on_ports() -> None:
    rule = FilterRule.model_validate(
        {"device": "fw1", "sequence": 500, "action": "accept", "protocol": "udp", "ports": ((5000, 5009),)}
    )
    assert classes_of(now()).ports == (("icmp", 0), ("tcp", 9), ("tcp", 443), ("udp", 9))
    assert classes_of(now().with_nouns(rule)).ports == (
        ("icmp", 0),
        ("tcp", 9),
        ("tcp", 443),
        ("udp", 9),
        ("udp", 5000),
    )


def test_a_segment_has_one_guest_for_each_class_of_its_unused_addresses() -> None:
    def staff_guests(estate: Estate) -> list[str]:
        return [text_of(guest.address) for guest in guests(estate, classes_of(estate)) if guest.device == "ce1"]

    half = FilterRule.model_validate(
        {"device": "fw1", "sequence": 500, "action": "drop", "sources": ("198.18.16.0/25",)}
    )
    assert staff_guests(now()) == ["198.18.16.254"]
    assert staff_guests(now().with_nouns(half)) == ["198.18.16.254", "198.18.16.127"]


def test_a_class_far_down_a_large_segment_has_its_guest() -> None:
    """Wherever it is: also below thousands of addresses of another class, and beside addresses that are taken."""
    sources = ["10.1.7.0/30", "10.1.9.9/32", "10.1.0.0/32"]
    entry = {"device": "r", "sequence": 10, "action": "accept", "sources": sources}
    lan = Interface.model_validate({"device": "r", "name": "lan", "address": "10.1.7.3/8", "zone": "z"})
    estate = Estate.of(lan, FilterRule.model_validate(entry))
    found = [text_of(guest.address) for guest in guests(estate, classes_of(estate))]
    assert found == ["10.255.255.254", "10.1.9.9", "10.1.7.2", "10.1.0.0"]


def test_translated_addresses_are_destinations_too() -> None:
    own = [int(point.address) for point in probe_points(now())]
    extra = {text_of(address) for address in destinations(now(), own)} - {text_of(address) for address in own}
    assert extra == {"203.0.113.1", "203.0.113.10", "203.0.113.65", "203.0.113.66"}
    published = int(next(row.outside[0] for row in now().nats.values() if row.name == "portal"))
    assert {text_of(address) for address in leads_to(now(), published)} == {"203.0.113.10", "198.18.64.10"}


def test_what_is_translated_twice_is_a_destination_under_its_last_address() -> None:
    """One 1:1 translation behind another: packets to the outermost address reach the host."""
    inner = {"device": "r2", "name": "n", "kind": "prefix", "inside": "10.2.0.0/24", "outside": "198.51.100.0/24"}
    outer = {"device": "r1", "name": "n", "kind": "prefix", "inside": "198.51.100.0/24", "outside": "203.0.113.0/24"}
    estate = chain(
        Nat.model_validate({**inner, "interface": "wan"}),
        Nat.model_validate({**outer, "interface": "lan"}),
        route("r1", "198.51.100.0/24", "192.0.2.2"),
    )
    found = matrix(estate)
    told = {text_of(reach.destination) for reach in found.reaches() if (reach.source, reach.end) == ("a", "b")}
    assert told == {"10.2.0.10", "198.51.100.10", "203.0.113.10"}


@pytest.mark.parametrize(
    ("source", "destination", "port", "expected"),
    [
        ("citizen", "203.0.113.10", 443, True),
        ("citizen", "203.0.113.10", 25, False),
        ("citizen", "198.18.64.10", 443, False),
        ("cz-user1", "10.8.1.10", 8080, True),
        ("cz-user1", "198.18.0.10", 443, False),
    ],
)
def test_predictions_name_source_address_and_port(source: str, destination: str, port: int, expected: bool) -> None:
    predicted = predict(now(), probe_points(now()), (443, 8080, 25))
    assert predicted[(source, destination, port)] is expected
