"""Exits move onto the platform: which service is published for whom, and what stays where something is not known."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from orchestrator.design import design
from orchestrator.model.census import InformationSystem, ServiceName, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import Nat
from tests.design.estates import changed, district, policy, without

OUTSIDE = "203.0.113.66/32"


def published(name: str, outside: str, port: int, inside_port: int | None) -> Nat:
    """One more service of 民政 that its own exit publishes, on the server of its website."""
    return Nat(
        device="mz1", name=name, kind="destination", interface="inet0", inside=IPv4Network("192.168.10.10/32"),
        outside=IPv4Network(outside), protocol="tcp", port=port, inside_port=inside_port,
    )  # fmt: skip


def component(system: str, name: str, port: int, **more: object) -> Workload:
    fields = {"system": system, "name": name, "kind": "web", "place": "mz-web", "port": port, **more}
    return Workload.model_validate(fields)


def second_system() -> InformationSystem:
    first = district().systems["990102-MZ-0001"]
    return first.model_copy(
        update={"code": "990102-MZ-0008", "name": "养老补贴申领", "fqdn": "pension.mz.wangchao.example"}
    )


def on_platform(estate: Estate) -> dict[str, tuple[str, int | None, str]]:
    """Name of each translation that design made on the platform -> outside, its port, inside."""
    nats = design(estate, policy()).target.nats.values()
    return {
        nat.name: (str(nat.outside[0]), nat.port, str(nat.inside[0]))
        for nat in nats
        if nat.device == "fw1" and nat.kind == "destination" and nat.name != "portal"
    }


def test_what_is_published_is_found_by_its_port_not_only_by_its_server() -> None:
    database, web = (
        component("990102-MZ-0001", "base", 3306, kind="database"),
        district().workloads["990102-MZ-0001/web@mz-web"],
    )
    now = changed(without(district(), web), database, web)
    assert on_platform(now) == {"mz-web": ("203.0.113.20", 443, "198.18.137.20")}
    assert str(design(now, policy()).target.servers["mz/service-web"].address) == "198.18.137.20"
    assert on_platform(district()) == {"mz-web": ("203.0.113.20", 443, "198.18.137.10")}


def test_services_of_two_systems_with_components_of_one_name_are_both_published() -> None:
    now = changed(
        district(),
        second_system(),
        component("990102-MZ-0008", "web", 8443),
        published("pension", "203.0.113.67/32", 8443, None),
        ServiceName(fqdn="pension.mz.wangchao.example", address=IPv4Address("203.0.113.67"), view="internet"),
    )
    target = design(now, policy()).target
    pension = target.servers["mz/pension-web"].address
    assert on_platform(now) == {
        "mz-web": ("203.0.113.20", 443, str(target.servers["mz/service-web"].address)),
        "mz-web-8443": ("203.0.113.30", 8443, str(pension)),
    }
    assert str(target.service_names["pension.mz.wangchao.example/internet"].address) == "203.0.113.30"
    assert str(target.service_names["service.mz.wangchao.example/internet"].address) == "203.0.113.20"


def test_services_of_one_public_address_keep_one_public_address() -> None:
    """Its names lead to all of them."""
    now = changed(
        district(),
        second_system(),
        component("990102-MZ-0008", "web", 8443),
        published("pension", OUTSIDE, 8443, None),
    )
    target = design(now, policy()).target
    assert {(outside, port) for outside, port, _ in on_platform(now).values()} == {
        ("203.0.113.20", 443),
        ("203.0.113.20", 8443),
    }
    assert str(target.service_names["service.mz.wangchao.example/internet"].address) == "203.0.113.20"


def test_a_whole_server_published_for_two_services_that_part_is_a_finding() -> None:
    whole = district().nats["mz1/mzweb"].model_copy(update={"port": None, "inside_port": None, "protocol": "any"})
    assert on_platform(changed(district(), whole)) == {"mz-web": ("203.0.113.20", None, "198.18.137.10")}
    now = changed(district(), whole, second_system(), component("990102-MZ-0008", "web", 8443))
    assert on_platform(now) == {}
    expected = (
        "design unknown: estate nats[mz1/mzweb]: 203.0.113.66/32 publishes 192.168.10.10/32, where "
        "990102-MZ-0001/web@mz-web and 990102-MZ-0008/web@mz-web run: they part in the target; "
        "publish each of them by its port"
    )
    assert [str(f) for f in design(now, policy()).findings if "nats[" in str(f)] == [expected]


def of_domain(domain: str | None) -> Estate:
    """The district with 民政 in another service domain, or in none that anybody has said."""
    return changed(district(), district().organisations["mz"].model_copy(update={"service_domain": domain}))


def test_the_exit_of_a_department_of_unknown_domain_stays() -> None:
    result = design(of_domain(None), policy())
    assert result.target.egresses["E-MZ-01"].state == "in_service"
    assert result.target.links["mz-inet"].state == "in_service"
    assert result.target.nats["mz1/mzweb"] == district().nats["mz1/mzweb"]
    assert result.target.routes.keys() >= {"mz1/default/0.0.0.0/0/192.0.2.5", "mz2/default/0.0.0.0/0/172.16.254.1"}
    expected = (
        "design unknown: estate egresses[E-MZ-01]: E-MZ-01 stays: nobody has said to which service domain mz belongs, "
        "and so whether it may use the Internet (R3); fill in service_domain of organisation mz in topology.yaml"
    )
    line = (
        "design unknown: estate links[mz-line]: mz-line stays: the way to the Internet over E-MZ-01 leads over it; "
        "consolidate E-MZ-01 first"
    )
    assert [str(f) for f in result.findings if "E-MZ-01" in str(f)] == [expected, line]
    assert result.target.links["mz-line"].state == "in_service"
    assert result.target.links["cz-line"].state == "released"
    assert design(district(), policy()).target.egresses["E-MZ-01"].state == "consolidated"


def test_nothing_of_a_domain_without_the_internet_is_published_anew() -> None:
    now = of_domain("administrative_service_domain")
    system = now.systems["990102-MZ-0001"].model_copy(update={"service_domain": "administrative_service_domain"})
    result = design(changed(now, system), policy())
    assert result.target.egresses["E-MZ-01"].state == "consolidated"
    assert [nat.name for nat in result.target.nats.values() if nat.device == "fw1"] == ["portal", "pub-out"]
    expected = (
        "design fail: estate nats[mz1/mzweb]: 203.0.113.66/32 publishes 192.168.10.10/32 of mz, whose domain has no "
        "Internet (R3): it ends with the exit; move the system into the public service domain, or confirm that the "
        "publication ends"
    )
    assert [str(f) for f in result.findings if "mzweb" in str(f)] == [expected]


@pytest.mark.parametrize("lost", ["link", "device"])
def test_an_exit_at_a_line_or_device_that_nobody_knows_stays(lost: str) -> None:
    egress = district().egresses["E-MZ-01"].model_copy(update={lost: "nowhere"})
    result = design(changed(district(), egress), policy())
    assert result.target.egresses["E-MZ-01"] == egress
    assert result.target.links["mz-inet"].state == "in_service"
    expected = (
        f"design unknown: estate egresses[E-MZ-01]: E-MZ-01 stays: its {lost} 'nowhere' is not in the topology; "
        f"correct the {lost} in F4, or add it to topology.yaml"
    )
    assert expected in [str(f) for f in result.findings]
