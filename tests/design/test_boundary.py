"""Entries of the boundary device follow the registered flows, also when it has entries for them already."""

from ipaddress import IPv4Interface

from orchestrator.design import design
from orchestrator.model.census import Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import FilterRule
from tests.design.estates import changed, district, policy


def entries(estate: Estate, flow: str) -> list[tuple[str, list[str], list[str]]]:
    """Of a flow's entries on the boundary device: the way, sources, destinations."""
    rules = [rule for _, rule in sorted(estate.filter_rules.items()) if (rule.device, rule.flow) == ("fw1", flow)]
    return [
        (">".join((*r.in_interfaces, *r.out_interfaces)), [*map(str, r.sources)], [*map(str, r.destinations)])
        for r in rules
    ]


def test_a_terminal_that_comes_later_is_added_to_the_entries_of_its_flows() -> None:
    first = design(district(), policy())
    user = first.target.hosts["mz-user2"]
    late = user.model_copy(update={"name": "mz-user9", "address": IPv4Interface("198.18.34.109/24")})
    target = design(changed(first.target, late), policy(), first.lock).target
    hosts = ["198.18.33.100/32", "198.18.34.100/32"]
    assert entries(first.target, "F-008") == [("mz0>adm0", hosts, ["198.18.0.10/32"])]
    assert entries(target, "F-008") == [("mz0>adm0", [*hosts, "198.18.34.109/32"], ["198.18.0.10/32"])]
    assert entries(target, "F-010") == entries(district(), "F-010")  # the wide entry people wrote covers its flow


def test_an_entry_for_an_address_that_has_moved_gets_one_for_the_new_address_beside_it() -> None:
    """The destination of a flow from the common zone; its old entry is for people to end (R7)."""
    now = district()
    old = now.filter_rules["fw1/00100"]
    flow = (
        policy()
        .flows[0]
        .model_copy(
            update={"code": "F-010", "source": "host:mz-user2", "destination": "host:exchange", "validity": "always"}
        )
    )
    rules = policy().model_copy(update={"flows": (flow,)})
    fields = {"sequence": 150, "in_interfaces": ["mz0"], "out_interfaces": ["adm0"]}
    moved = FilterRule.model_validate({**old.plain(), **fields})
    target = design(changed(now, moved), rules).target
    assert ("mz0>adm0", ["198.18.34.100/32"], ["198.18.0.10/32"]) in entries(target, "F-010")


def test_a_flow_that_leaves_by_two_ports_has_an_entry_for_each() -> None:
    now = district()
    twice = Workload(system="990102-SJ-0001", name="web", kind="web", place="portal", port=443)
    flow = (
        policy()
        .flows[0]
        .model_copy(
            update={"code": "F-050", "source": "host:mz-user2", "destination": "system:990102-SJ-0001", "port": 443}
        )
    )
    rules = policy().model_copy(update={"flows": (flow,)})
    result = design(changed(now, twice), rules)
    assert entries(result.target, "F-050") == [
        ("mz0>adm0", ["198.18.34.100/32"], ["198.18.0.10/32"]),
        ("mz0>pub0", ["198.18.34.100/32"], ["198.18.64.10/32"]),
    ]
    assert design(result.target, rules, result.lock).target == result.target
