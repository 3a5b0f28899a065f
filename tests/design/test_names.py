"""Whose name it is: several systems on one server, several components of one, several published by one address."""

from ipaddress import IPv4Address, IPv4Interface

from orchestrator.design import design
from orchestrator.model.census import InformationSystem, ServiceName, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host
from tests.design.estates import changed, district, policy, without


def old_and_living() -> Estate:
    """The district with a living system on the server of the zombie 救灾物资旧台账, each with a name of its own."""
    now = district()
    zombie = now.systems["990102-MZ-0003"].model_copy(update={"fqdn": "ledger.mz.wangchao.example"})
    living = InformationSystem(
        code="990102-MZ-0009",
        name="婚姻登记系统",
        organisation="mz",
        disposition="keep",
        fqdn="wedding.mz.wangchao.example",
    )
    address = now.hosts["mz-old"].address.ip
    names = [ServiceName(fqdn=fqdn, address=address) for fqdn in (str(zombie.fqdn), str(living.fqdn))]
    workload = Workload(system=living.code, name="web", kind="web", place="mz-old", port=443)
    return changed(now, zombie, living, workload, *names)


def test_a_zombie_takes_only_its_own_names_along() -> None:
    names = design(old_and_living(), policy()).target.service_names
    assert "ledger.mz.wangchao.example/any" not in names
    assert "wedding.mz.wangchao.example/any" in names


def test_the_name_of_a_service_that_stays_follows_its_renumbered_server() -> None:
    now = old_and_living()
    twin = Host(
        name="cz-twin", organisation="cz", site="cz-3", zone="private-cz",
        address=IPv4Interface("172.16.5.50/24"), gateway=IPv4Address("172.16.5.1"),
    )  # fmt: skip
    for estate in (now, changed(now, twin)):  # private addresses occur twice
        target = design(estate, policy()).target
        assert target.hosts["mz-old"].address.ip == IPv4Address("198.18.34.50")
        assert target.service_names["wedding.mz.wangchao.example/any"].address == IPv4Address("198.18.34.50")


def test_a_name_of_two_servers_with_one_address_stays_and_is_a_finding() -> None:
    now = district()
    name = ServiceName(fqdn="printer.wangchao.example", address=now.hosts["mz-user2"].address.ip)
    twin = now.hosts["cz-user3"].model_copy(update={"address": now.hosts["mz-user2"].address})
    assert design(changed(now, name), policy()).target.service_names[name.key].address == IPv4Address("198.18.34.100")
    result = design(changed(now, name, twin), policy())
    assert result.target.service_names[name.key] == name
    expected = (
        "design unknown: estate service_names[printer.wangchao.example/any]: 172.16.5.100 is the address of cz-user3 "
        "and mz-user2, which of them the name leads to is not known; fill in 域名 of its system in the census"
    )
    assert [str(f) for f in result.findings if "printer" in str(f)] == [expected]


def test_a_merged_system_leaves_the_names_of_its_neighbour_alone() -> None:
    now = old_and_living()
    shadow = now.systems["990102-MZ-0003"].model_copy(
        update={"disposition": "merge", "successor": "990102-SJ-0001"},
    )
    names = design(changed(now, shadow), policy()).target.service_names
    assert names["ledger.mz.wangchao.example/any"].address == district().hosts["exchange"].address.ip
    assert names["wedding.mz.wangchao.example/any"].address != district().hosts["exchange"].address.ip


def test_a_name_of_which_nobody_says_whose_it_is_is_a_finding_and_stays() -> None:
    now = old_and_living()
    alias = ServiceName(fqdn="jiuzai.mz.wangchao.example", address=now.hosts["mz-old"].address.ip)
    result = design(changed(now, alias), policy())
    assert alias.key in result.target.service_names
    expected = (
        "design unknown: estate systems[990102-MZ-0003]: jiuzai.mz.wangchao.example leads to 救灾物资旧台账 and to "
        "990102-MZ-0009: nobody has said whose name it is; fill in 域名 of the system in the census"
    )
    assert [str(f) for f in result.findings if "jiuzai" in str(f)] == [expected]


def test_the_name_of_a_system_on_one_server_follows_its_web_component() -> None:
    now = district()
    database, web = (now.workloads[f"990102-CZ-0001/{each}"] for each in ("db@cz-db", "web@cz-web"))
    rest = without(now, database, web, now.service_names["db.budget.cz.wangchao.example/any"])
    together = database.model_copy(update={"place": "cz-web"}), web.model_copy(update={"name": "app"})
    target = design(changed(rest, *together), policy()).target
    assert sorted(target.servers) == ["cz/budget-app", "cz/budget-db", "mz/service-web"]
    assert target.service_names["budget.cz.wangchao.example/any"].address == target.servers["cz/budget-app"].address
