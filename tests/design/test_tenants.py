"""Tenants: every workload that moves gets a server of its own, whatever its names have in common."""

import pytest

from orchestrator.design import design
from orchestrator.errors import DesignError
from orchestrator.model.census import InformationSystem, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host
from tests.design.estates import changed, district, policy, without


def host(name: str, last: int) -> Host:
    like = district().hosts["cz-web"]
    address = like.address.network[last]
    return like.model_copy(update={"name": name, "address": type(like.address)(f"{address}/24")})


def second() -> tuple[InformationSystem, Host, Workload]:
    """A system of 财政 whose website begins with the same label as the first one's."""
    first = district().systems["990102-CZ-0001"]
    system = first.model_copy(
        update={"code": "990102-CZ-0008", "name": "会计管理系统", "fqdn": "www.kj.cz.wangchao.example"}
    )
    return system, host("kj-web", 30), Workload(system=system.code, name="web", kind="web", place="kj-web", port=8080)


def places(estate: Estate) -> dict[str, str]:
    target = design(estate, policy()).target
    return {w.place: w.system for w in target.workloads.values() if w.state == "running" and w.place.startswith("cz/")}


def test_two_systems_whose_names_begin_alike_get_servers_of_their_own() -> None:
    first = district().systems["990102-CZ-0001"].model_copy(update={"fqdn": "www.cz.wangchao.example"})
    assert places(changed(district(), first, *second())) == {
        "cz/www-db": "990102-CZ-0001",
        "cz/www-web": "990102-CZ-0001",
        "cz/990102-cz-0008-web": "990102-CZ-0008",
    }


def test_a_pair_of_servers_stays_a_pair() -> None:
    twin = district().workloads["990102-CZ-0001/web@cz-web"].model_copy(update={"place": "cz-web2"})
    estate = changed(district(), host("cz-web2", 11), twin)
    target = design(estate, policy()).target
    assert sorted(name for name in target.servers if name.startswith("cz/")) == [
        "cz/budget-db",
        "cz/budget-web",
        "cz/budget-web-2",
    ]
    assert sorted(places(estate)) == ["cz/budget-db", "cz/budget-web", "cz/budget-web-2"]
    again = design(target, policy(), design(estate, policy()).lock).target
    assert again.servers == target.servers


@pytest.mark.parametrize(
    "fqdn", ["预算.政务", "http://budget.cz.wangchao.example", "_budget.cz.wangchao.example", ".cz"]
)
def test_a_domain_name_that_names_no_server_gives_way_to_the_systems_code(fqdn: str) -> None:
    system = district().systems["990102-CZ-0001"].model_copy(update={"fqdn": fqdn})
    assert sorted(places(changed(district(), system))) == ["cz/990102-cz-0001-db", "cz/990102-cz-0001-web"]


def test_a_system_code_that_names_no_server_is_a_finding_and_the_system_stays() -> None:
    now = district()
    system = now.systems["990102-CZ-0001"]
    odd = system.model_copy(update={"code": "预算/1", "fqdn": None})
    moved = [w.model_copy(update={"system": odd.code}) for w in now.workloads.values() if w.system == system.code]
    rest = without(now, system, *(w for w in now.workloads.values() if w.system == system.code))
    result = design(changed(rest, odd, *moved), policy())
    assert "cz" not in result.target.tenants
    expected = (
        "design unknown: estate systems[预算/1]: 预算执行管理系统: neither its domain name nor its code '预算/1' can "
        "name a server; fill in 域名 or 系统编码 with letters, digits and hyphens in the census"
    )
    assert expected in [str(f) for f in result.findings]


@pytest.mark.parametrize("code", ["CZ", "9cz", "caizhengjuzonghe", "default"])
def test_an_organisation_whose_code_names_no_vrf_is_refused(code: str) -> None:
    now = district()
    body = now.organisations["cz"].model_copy(update={"code": code})
    network = now.private_networks["CZ-NET"].model_copy(update={"organisation": code})
    with pytest.raises(DesignError) as refused:
        design(changed(now, body, network), policy())
    assert str(refused.value) == (
        f"organisation {code!r} cannot name a VRF: give it a code of at most 12 small letters, digits and hyphens in "
        "topology.yaml, beginning with a letter and other than 'default'"
    )


@pytest.mark.parametrize("field", ["cores", "memory_gigabytes"])
def test_a_system_whose_size_nobody_knows_gets_the_smallest_server_and_a_finding(field: str) -> None:
    system = district().systems["990102-MZ-0001"].model_copy(update={"cores": 1, "memory_gigabytes": 0, field: None})
    result = design(changed(district(), system), policy())
    assert result.target.servers["mz/service-web"].flavor == "small"
    expected = (
        "design unknown: estate systems[990102-MZ-0001]: 民政办事服务网: how many cores or how much memory it needs "
        "is not known, its servers get the smallest flavor that holds the rest; fill in vCPU and 内存 in the census"
    )
    assert expected in [str(f) for f in result.findings]
    known = system.model_copy(update={field: 0})
    assert expected not in [str(f) for f in design(changed(district(), known), policy()).findings]


def test_which_of_two_clouds_of_a_domain_is_not_guessed() -> None:
    now = district()
    recovery = now.clouds["administrative-service-cloud"].model_copy(update={"name": "administrative-recovery-cloud"})
    result = design(changed(now, recovery), policy())
    assert "prov-cz" not in result.target.provider_networks
    assert result.target.links["dc-cz"].state == "spare"
    expected = (
        "design unknown: estate links[dc-cz]: dc-cz may lead into administrative-recovery-cloud or "
        "administrative-service-cloud, both of administrative_service_domain: nobody has said into which; "
        "take the one that is not for departments out of topology.yaml"
    )
    assert expected in [str(f) for f in result.findings]
    first = design(now, policy())
    again = design(changed(first.target, recovery), policy(), first.lock)
    assert again.target == changed(first.target, recovery)  # a handover that stands stays
