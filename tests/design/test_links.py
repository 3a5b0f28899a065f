"""Cables that were delivered for a department, as they are found: with addresses, with some, or with none."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from orchestrator.design import design
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, FilterRule, Interface, Link, Route, Vrf
from tests.design.estates import changed, district, policy, without


def port(device: str, name: str, address: str, vrf: str = GLOBAL) -> Interface:
    return Interface.model_validate({"device": device, "name": name, "address": address, "vrf": vrf})


def test_a_cable_that_has_its_addresses_already_is_put_into_the_vrf() -> None:
    found = (port("pe2", "ac-cz1", "198.19.200.1/30"), port("cz1", "up0", "198.19.200.2/30"))
    result = design(changed(district(), *found), policy())
    ends = [i for i in result.target.interfaces.values() if i.name in ("ac-cz1", "up0") and i.device in ("pe2", "cz1")]
    assert {(i.device, str(i.address), i.vrf) for i in ends} == {
        ("pe2", "198.19.200.1/30", "cz"),
        ("cz1", "198.19.200.2/30", GLOBAL),
    }
    assert "pe2/cz/10.8.1.0/24/198.19.200.2" in result.target.routes
    assert design(result.target, policy(), result.lock).target == result.target


@pytest.mark.parametrize(
    "found",
    [port("cz1", "up0", "10.255.1.2/30"), port("pe2", "ac-cz1", "10.255.1.1/30")],
    ids=["far", "near"],
)
def test_a_cable_with_one_address_gets_the_other_beside_it(found: Interface) -> None:
    result = design(changed(district(), found), policy())
    ends = [i for i in result.target.interfaces.values() if i.name in ("ac-cz1", "up0") and i.device in ("pe2", "cz1")]
    assert {(i.device, str(i.address), i.vrf) for i in ends} == {
        ("pe2", "10.255.1.1/30", "cz"),
        ("cz1", "10.255.1.2/30", GLOBAL),
    }
    assert "pe2/cz/10.8.1.0/24/10.255.1.2" in result.target.routes
    assert "cz1/default/198.18.0.0/15/10.255.1.1" in result.target.routes
    assert "transit/ac-cz1" not in result.lock.allocations


def test_a_cable_whose_ends_do_not_meet_keeps_the_providers_address() -> None:
    found = (port("pe2", "ac-cz1", "198.19.200.1/30"), port("cz1", "up0", "10.255.1.2/30"))
    result = design(changed(district(), *found), policy())
    ends = [i for i in result.target.interfaces.values() if i.name in ("ac-cz1", "up0") and i.device in ("pe2", "cz1")]
    assert {str(i.address) for i in ends} == {"198.19.200.1/30", "198.19.200.2/30"}
    decided = next(one for one in result.decisions if one.subject == "link ac-cz1")
    assert decided.choice.endswith("cz1:up0 198.19.200.2/30; 10.255.1.2/30 on cz1:up0 goes")


def test_a_cable_whose_port_is_another_departments_is_a_finding_and_stays() -> None:
    found = port("pe2", "ac-cz1", "198.19.200.1/30", "adm")
    result = design(changed(district(), found), policy())
    assert result.target.links["ac-cz1"].state == "spare"
    assert result.target.interfaces[found.key] == found
    assert result.target.private_networks["CZ-NET"].state == "separate"
    expected = (
        "design unknown: estate links[ac-cz1]: ac-cz1 is reserved for cz, and its port pe2:ac-cz1 stands in VRF adm; "
        "correct reserved_for in topology.yaml, or take the port out of VRF adm"
    )
    assert expected in [str(f) for f in result.findings]


def test_a_filter_entry_for_several_ports_keeps_those_that_stay() -> None:
    """An entry that denies for all of them would otherwise go with one line."""
    now = district()
    deny = FilterRule(
        device="mz1", sequence=50, action="drop", in_interfaces=("lan0", "wan2"), out_interfaces=("up0", "inet0"),
        destinations=(IPv4Network("198.18.0.0/24"),), protocol="tcp", ports=((23, 23),),
    )  # fmt: skip
    only = deny.model_copy(update={"sequence": 60, "in_interfaces": ("wan2",)})
    rules = design(changed(now, deny, only), policy()).target.filter_rules
    assert rules["mz1/00050"] == deny.model_copy(update={"in_interfaces": ("lan0",), "out_interfaces": ("up0",)})
    assert "mz1/00060" not in rules


def test_routes_of_another_vrf_stay_when_a_port_goes() -> None:
    """Private addresses occur twice: a next hop is looked for in its own table only."""
    now = district()
    vrf = Vrf(device="mz2", name="lab", zone="")
    route = Route(device="mz2", vrf="lab", prefix=IPv4Network("10.99.0.0/24"), next_hop=IPv4Address("172.16.254.1"))
    target = design(changed(now, vrf, port("mz2", "lab0", "172.16.254.2/30", "lab"), route), policy()).target
    assert target.routes[route.key] == route
    assert "mz2/default/0.0.0.0/0/172.16.254.1" not in target.routes


def doubled() -> Estate:
    """The district with a second fibre between its PEs and a second port of the boundary device to the common zone."""
    return changed(
        district(),
        Link(name="core2", a_node="pe1", a_port="core1", b_node="pe2", b_port="core1", kind="fibre"),
        port("pe1", "core1", "198.19.254.2/31"),
        port("pe2", "core1", "198.19.254.3/31"),
        Link(name="fw-adm2", a_node="pe2", a_port="fw-adm2", b_node="fw1", b_port="adm1"),
        port("pe2", "fw-adm2", "198.19.255.9/30", "adm"),
        port("fw1", "adm1", "198.19.255.10/30"),
    )


def test_the_order_in_which_cables_and_addresses_are_listed_decides_nothing() -> None:
    estate = without(doubled(), *doubled().vrfs.values())  # with VRFs the PEs' addresses are known from their overlays
    estate = changed(estate, *(row.model_copy(update={"overlay": None}) for row in doubled().vrfs.values()))
    tables = {name: dict(reversed(rows.items())) for name, rows in estate.tables().items()}
    one, other = design(estate, policy()), design(Estate.model_construct(**tables), policy())
    assert one.target == other.target
    assert one.decisions == other.decisions
    assert one.findings == other.findings
    overlays = [one.target.vrfs[f"{pe}/cz"].overlay for pe in ("pe1", "pe2")]
    assert [(str(o.local), str(o.remote)) for o in overlays if o] == [
        ("198.19.254.0", "198.19.254.1"),
        ("198.19.254.1", "198.19.254.0"),
    ]


def test_the_pes_take_both_ends_of_one_fibre() -> None:
    half = without(doubled(), doubled().interfaces["pe1/core0/198.19.254.0/31"])
    estate = changed(half, *(row.model_copy(update={"overlay": None}) for row in half.vrfs.values()))
    overlay = design(estate, policy()).target.vrfs["pe1/cz"].overlay
    assert overlay is not None
    assert (str(overlay.local), str(overlay.remote)) == ("198.19.254.2", "198.19.254.3")


def test_a_segment_that_is_only_a_part_of_its_site_is_a_finding() -> None:
    """It would be left behind, at its old addresses, without a word."""
    now = district()
    part = now.hosts["cz-user2"].model_copy(update={"name": "cz-desk", "address": IPv4Interface("10.8.2.200/25")})
    result = design(changed(now, part, port("cz2", "lan1", "10.8.2.129/25")), policy())
    end = (
        "in 10.8.2.128/25, a part of 10.8.2.0/24 of site cz-2: it does not move with the site; "
        "make each segment a site of its own on the F3 sheet, or correct the prefix"
    )
    assert [str(f) for f in result.findings if "cz-2" in str(f)] == [
        f"design unknown: estate interfaces[cz2/lan1/10.8.2.129/25]: cz2/lan1/10.8.2.129/25 stands {end}",
        f"design unknown: estate hosts[cz-desk]: cz-desk stands {end}",
    ]
    assert not [f for f in design(now, policy()).findings if "cz-2" in str(f)]
