"""Tenants: every workload that moves gets a server of its own, whatever its names have in common."""

from orchestrator.design import design
from orchestrator.model.census import InformationSystem, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host
from tests.design.estates import changed, district, policy


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
