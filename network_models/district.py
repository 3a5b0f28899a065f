"""望潮区 of 澜海市, fictional: the district as a value. Its project folder is `network_models/wangchao/`.

Two PEs, the district's CE, the boundary firewall, two departments on private networks of their own, two clouds.
Every address is from 198.18.0.0/15 (extranet pool), RFC 1918 (private networks) or RFC 5737 (the Internet).
"""

from datetime import date
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from orchestrator.model.base import Row
from orchestrator.model.census import (
    InformationSystem,
    InternetEgress,
    Organisation,
    PrivateNetwork,
    PrivateSite,
    ServiceName,
    Workload,
)
from orchestrator.model.cloud import Cloud
from orchestrator.model.estate import Estate
from orchestrator.model.network import (
    GLOBAL,
    Device,
    Filter,
    FilterRule,
    Host,
    Interface,
    Link,
    Nat,
    Overlay,
    Route,
    Vlan,
    Vrf,
)

ADM, PUB = "administrative_service_domain", "public_service_domain"


def _device(
    name: str, kind: str, site: str, organisation: str, number: int | None, *platforms: str, **more: object
) -> Device:
    management = IPv4Address(f"172.31.0.{number}") if number else None
    fields = dict(
        name=name, kind=kind, site=site, organisation=organisation, management=management, platforms=platforms
    )
    return Device.model_validate({**fields, **more})


def _devices() -> list[Row]:
    provider = dict(autonomous_system=65000)
    return [
        _device(
            "pe1", "router", "city-dc", "city", 11, "frr", role="provider_edge", loopback="198.19.253.1", **provider
        ),
        _device(
            "pe2", "router", "district", "city", 12, "frr", role="provider_edge", loopback="198.19.253.2", **provider
        ),
        _device("ce1", "router", "district", "district", 21, "frr", role="customer_edge"),
        _device("fw1", "firewall", "city-dc", "city", 31, "frr", "nftables", role="boundary"),
        _device("cz1", "router", "cz-1", "cz", 41, "frr", role="customer_edge"),
        _device("cz2", "router", "cz-2", "cz", 42, "frr", role="customer_edge"),
        _device("cz3", "router", "cz-3", "cz", 43, "frr", role="customer_edge"),
        _device("mz1", "router", "mz-1", "mz", 51, "frr", "nftables", role="customer_edge"),
        _device("mz2", "router", "mz-2", "mz", 52, "frr", role="customer_edge"),
        _device("isp", "router", "internet", "carrier", 61, "frr", role="outside"),
        _device("msw1", "management", "district", "district", 71, "huawei_vrp", role="management"),
        _device("sw-dc", "switch", "city-dc", "city", None, "unmanaged"),
        _device("sw-cz1", "switch", "cz-1", "cz", None, "unmanaged"),
        _device("sw-cz2", "switch", "cz-2", "cz", None, "unmanaged"),
        _device("sw-mz1", "switch", "mz-1", "mz", None, "unmanaged"),
        _device("sw-mz2", "switch", "mz-2", "mz", None, "unmanaged"),
        _device("dc1", "cloud_node", "city-dc", "city", None),
    ]


def _link(name: str, a: str, b: str, **more: object) -> Link:
    (a_node, a_port), (b_node, b_port) = a.split(":"), b.split(":")
    return Link.model_validate(dict(name=name, a_node=a_node, a_port=a_port, b_node=b_node, b_port=b_port, **more))


def _links() -> list[Row]:
    spare = dict(state="spare")
    access = dict(kind="access_circuit", carrier="澜海电信", megabits=100, **spare)
    return [
        _link("core", "pe1:core0", "pe2:core0", kind="fibre", megabits=10000),
        _link("adm-lan", "pe1:lan-adm", "sw-dc:p1"),
        _link("pub-lan", "pe1:lan-pub", "portal:eth0"),
        _link("ce1-up", "pe2:to-ce1", "ce1:up0", kind="access_circuit", carrier="澜海电信", megabits=1000),
        _link("ce1-lan", "ce1:lan0", "staff:eth0"),
        _link("exchange", "sw-dc:p2", "exchange:eth0"),
        _link("citymail", "sw-dc:p3", "citymail:eth0"),
        _link("fw-adm", "pe1:fw-adm", "fw1:adm0"),
        _link("fw-pub", "pe1:fw-pub", "fw1:pub0"),
        _link("fw-cz", "pe1:fw-cz", "fw1:cz0", reserved_for="cz", **spare),
        _link("fw-mz", "pe1:fw-mz", "fw1:mz0", reserved_for="mz", **spare),
        _link("fw-inet", "isp:to-fw", "fw1:inet0", kind="internet_circuit", carrier="澜海电信", megabits=2000),
        _link("citizen", "isp:lan0", "citizen:eth0"),
        _link("dc-cz", "pe1:dc-cz", "dc1:cz", reserved_for="cz", vlan=2010, **spare),
        _link("dc-mz", "pe1:dc-mz", "dc1:mz", reserved_for="mz", vlan=2020, **spare),
        _link("cz1-lan", "cz1:lan0", "sw-cz1:p1"),
        _link("cz-web", "sw-cz1:p2", "cz-web:eth0"),
        _link("cz-db", "sw-cz1:p3", "cz-db:eth0"),
        _link("cz-user1", "sw-cz1:p4", "cz-user1:eth0"),
        _link("cz2-lan", "cz2:lan0", "sw-cz2:p1"),
        _link("cz-user2", "sw-cz2:p2", "cz-user2:eth0"),
        _link("cz-stats", "sw-cz2:p3", "cz-stats:eth0"),
        _link("cz3-lan", "cz3:lan0", "cz-user3:eth0"),
        _link(
            "cz-line",
            "cz1:wan2",
            "cz2:wan1",
            kind="leased_line",
            carrier="澜海联通",
            megabits=20,
            yearly_rent=96000,
            circuit="LH-CZ-0001",
        ),
        _link("cz-fibre", "cz1:wan3", "cz3:wan1", kind="fibre"),
        _link("mz1-lan", "mz1:lan0", "sw-mz1:p1"),
        _link("mz-web", "sw-mz1:p2", "mz-web:eth0"),
        _link("mz-mail", "sw-mz1:p3", "mz-mail:eth0"),
        _link("mz-user1", "sw-mz1:p4", "mz-user1:eth0"),
        _link("mz2-lan", "mz2:lan0", "sw-mz2:p1"),
        _link("mz-user2", "sw-mz2:p2", "mz-user2:eth0"),
        _link("mz-old", "sw-mz2:p3", "mz-old:eth0"),
        _link(
            "mz-line",
            "mz1:wan2",
            "mz2:wan1",
            kind="leased_line",
            carrier="澜海移动",
            megabits=10,
            yearly_rent=60000,
            circuit="LH-MZ-0001",
        ),
        _link(
            "mz-inet",
            "isp:to-mz",
            "mz1:inet0",
            kind="internet_circuit",
            carrier="澜海移动",
            megabits=200,
            yearly_rent=72000,
            circuit="LH-MZ-I001",
        ),
        _link("ac-cz1", "pe2:ac-cz1", "cz1:up0", reserved_for="cz", **access),
        _link("ac-cz2", "pe2:ac-cz2", "cz2:up0", reserved_for="cz", **access),
        _link("ac-cz3", "pe2:ac-cz3", "cz3:up0", reserved_for="cz", **access),
        _link("ac-mz1", "pe2:ac-mz1", "mz1:up0", reserved_for="mz", **access),
        _link("ac-mz2", "pe1:ac-mz2", "mz2:up0", reserved_for="mz", **access),
    ]


def _vrf(device: str, name: str, number: int) -> Vrf:
    first = device == "pe1"
    base = 169 * 2**24 + 254 * 2**16 + 64 * 2**8 + (number - 1) * 4
    here, there = (base + 1, base + 2) if first else (base + 2, base + 1)
    ends = ("198.19.254.0", "198.19.254.1") if first else ("198.19.254.1", "198.19.254.0")
    target = f"65000:{number}"
    overlay = Overlay(
        vni=10000 + number,
        local=IPv4Address(ends[0]),
        remote=IPv4Address(ends[1]),
        address=IPv4Interface((here, 30)),
        peer=IPv4Address(there),
    )
    zone = {"adm": "common-adm", "pub": "common-pub"}[name]
    return Vrf(
        device=device,
        name=name,
        zone=zone,
        route_distinguisher=target,
        import_targets=(target,),
        export_targets=(target,),
        overlay=overlay,
    )


def _interface(device: str, name: str, address: str, vrf: str = GLOBAL, zone: str = "") -> Interface:
    return Interface(device=device, name=name, vrf=vrf, address=IPv4Interface(address), zone=zone)


def _interfaces() -> list[Row]:
    return [
        _interface("pe1", "core0", "198.19.254.0/31"),
        _interface("pe2", "core0", "198.19.254.1/31"),
        _interface("pe1", "lan-adm", "198.18.0.1/24", "adm", "common-adm"),
        _interface("pe1", "lan-pub", "198.18.64.1/24", "pub", "common-pub"),
        _interface("pe1", "fw-adm", "198.19.255.1/30", "adm"),
        _interface("fw1", "adm0", "198.19.255.2/30"),
        _interface("pe1", "fw-pub", "198.19.255.5/30", "pub"),
        _interface("fw1", "pub0", "198.19.255.6/30"),
        _interface("pe2", "to-ce1", "198.19.252.1/30", "adm"),
        _interface("ce1", "up0", "198.19.252.2/30"),
        _interface("ce1", "lan0", "198.18.16.1/24", zone="common-adm"),
        _interface("isp", "to-fw", "192.0.2.1/30"),
        _interface("fw1", "inet0", "192.0.2.2/30"),
        _interface("isp", "to-mz", "192.0.2.5/30"),
        _interface("mz1", "inet0", "192.0.2.6/30"),
        _interface("isp", "lan0", "198.51.100.1/24", zone="internet"),
        _interface("cz1", "lan0", "10.8.1.1/24", zone="private-cz"),
        _interface("cz1", "wan2", "10.8.254.1/30"),
        _interface("cz2", "wan1", "10.8.254.2/30"),
        _interface("cz1", "wan3", "10.8.254.5/30"),
        _interface("cz3", "wan1", "10.8.254.6/30"),
        _interface("cz2", "lan0", "10.8.2.1/24", zone="private-cz"),
        _interface("cz3", "lan0", "192.168.10.1/24", zone="private-cz"),
        _interface("mz1", "lan0", "192.168.10.1/24", zone="private-mz"),
        _interface("mz1", "wan2", "172.16.254.1/30"),
        _interface("mz2", "wan1", "172.16.254.2/30"),
        _interface("mz2", "lan0", "172.16.5.1/24", zone="private-mz"),
        _interface("msw1", "Vlanif10", "172.31.0.71/24", zone="management"),
    ]


def _route(device: str, prefix: str, next_hop: str | None, vrf: str = GLOBAL) -> Route:
    hop = IPv4Address(next_hop) if next_hop else None
    return Route(device=device, vrf=vrf, prefix=IPv4Network(prefix), next_hop=hop)


def _routes() -> list[Row]:
    return [
        _route("pe1", "198.18.64.0/24", "198.19.255.2", "adm"),  # the registered gateway flow adm -> portal
        _route("pe1", "0.0.0.0/0", "198.19.255.6", "pub"),
        _route("pe2", "198.18.16.0/24", "198.19.252.2", "adm"),
        _route("ce1", "198.18.0.0/15", "198.19.252.1"),
        _route("fw1", "198.18.0.0/18", "198.19.255.1"),
        _route("fw1", "198.18.64.0/18", "198.19.255.5"),
        _route("fw1", "0.0.0.0/0", "192.0.2.1"),
        _route("isp", "203.0.113.0/26", "192.0.2.2"),
        _route("isp", "203.0.113.64/28", "192.0.2.6"),
        _route("cz1", "10.8.2.0/24", "10.8.254.2"),
        _route("cz1", "192.168.10.0/24", "10.8.254.6"),
        _route("cz2", "10.8.1.0/24", "10.8.254.1"),
        _route("cz2", "192.168.10.0/24", "10.8.254.1"),
        _route("cz3", "10.8.1.0/24", "10.8.254.5"),
        _route("cz3", "10.8.2.0/24", "10.8.254.5"),
        _route("mz1", "172.16.5.0/24", "172.16.254.2"),
        _route("mz1", "0.0.0.0/0", "192.0.2.5"),
        _route("mz2", "0.0.0.0/0", "172.16.254.1"),
    ]


def _rule(
    device: str, sequence: int, way: str, flow: str, protocol: str = "any", port: int | None = None, **more: object
) -> FilterRule:
    into, out = way.split(">")
    fields = dict(
        device=device, sequence=sequence, action="accept", in_interfaces=(into,), out_interfaces=(out,), flow=flow
    )
    ports = ((port, port),) if port is not None else ()
    return FilterRule.model_validate({**fields, "protocol": protocol, "ports": ports, **more})


def _boundary() -> list[Row]:
    return [
        Filter(device="fw1"),
        _rule(
            "fw1", 100, "adm0>pub0", "F-010", "tcp", 443, sources=("198.18.16.0/24",), destinations=("198.18.64.10/32",)
        ),
        _rule("fw1", 200, "inet0>pub0", "F-011", "tcp", 443, destinations=("198.18.64.10/32",)),
        _rule("fw1", 300, "pub0>inet0", "F-014", "tcp", 443, sources=("198.18.64.0/24",)),
        Nat.model_validate(
            dict(
                device="fw1",
                name="portal",
                kind="destination",
                interface="inet0",
                inside="198.18.64.10/32",
                outside="203.0.113.10/32",
                protocol="tcp",
                port=443,
                inside_port=443,
            )
        ),
        Nat.model_validate(
            dict(
                device="fw1",
                name="pub-out",
                kind="source",
                interface="inet0",
                inside="198.18.64.0/18",
                outside="203.0.113.1/32",
            )
        ),
        Filter(device="mz1"),
        _rule("mz1", 100, "lan0>inet0", "F-005", "tcp", 443, sources=("192.168.10.0/24",)),
        _rule("mz1", 110, "wan2>inet0", "F-005", "tcp", 443, sources=("172.16.5.0/24",)),
        _rule("mz1", 200, "inet0>lan0", "F-004", "tcp", 443, destinations=("192.168.10.10/32",)),
        _rule("mz1", 300, "wan2>lan0", "F-006", sources=("172.16.5.0/24",), destinations=("192.168.10.0/24",)),
        _rule("mz1", 310, "lan0>wan2", "F-006", sources=("192.168.10.0/24",), destinations=("172.16.5.0/24",)),
        Nat.model_validate(
            dict(
                device="mz1",
                name="mzweb",
                kind="destination",
                interface="inet0",
                inside="192.168.10.10/32",
                outside="203.0.113.66/32",
                protocol="tcp",
                port=443,
                inside_port=443,
            )
        ),
        Nat.model_validate(
            dict(
                device="mz1",
                name="out-1",
                kind="source",
                interface="inet0",
                inside="192.168.10.0/24",
                outside="203.0.113.65/32",
            )
        ),
        Nat.model_validate(
            dict(
                device="mz1",
                name="out-2",
                kind="source",
                interface="inet0",
                inside="172.16.5.0/24",
                outside="203.0.113.65/32",
            )
        ),
        Vlan(device="msw1", vlan=10, description="MANAGEMENT"),
        Vlan(device="msw1", vlan=16, description="DISTRICT-STAFF"),
    ]


def _host(
    name: str, organisation: str, site: str, zone: str, address: str, number: int, role: str = "terminal"
) -> Host:
    interface = IPv4Interface(address)
    return Host.model_validate(
        dict(
            name=name,
            organisation=organisation,
            site=site,
            zone=zone,
            address=interface,
            gateway=interface.network[1],
            role=role,
            management=f"172.31.0.{number}",
        )
    )


def _hosts() -> list[Row]:
    return [
        _host("exchange", "city", "city-dc", "common-adm", "198.18.0.10/24", 101, "platform"),
        _host("citymail", "city", "city-dc", "common-adm", "198.18.0.25/24", 102, "platform"),
        _host("portal", "city", "city-dc", "common-pub", "198.18.64.10/24", 103, "platform"),
        _host("staff", "district", "district", "common-adm", "198.18.16.100/24", 104),
        _host("citizen", "carrier", "internet", "internet", "198.51.100.10/24", 105, "outside"),
        _host("cz-web", "cz", "cz-1", "private-cz", "10.8.1.10/24", 111, "server"),
        _host("cz-db", "cz", "cz-1", "private-cz", "10.8.1.20/24", 112, "server"),
        _host("cz-user1", "cz", "cz-1", "private-cz", "10.8.1.100/24", 113),
        _host("cz-user2", "cz", "cz-2", "private-cz", "10.8.2.100/24", 114),
        _host("cz-stats", "cz", "cz-2", "private-cz", "10.8.2.50/24", 115, "server"),
        _host("cz-user3", "cz", "cz-3", "private-cz", "192.168.10.100/24", 116),
        _host("mz-web", "mz", "mz-1", "private-mz", "192.168.10.10/24", 121, "server"),
        _host("mz-mail", "mz", "mz-1", "private-mz", "192.168.10.25/24", 122, "server"),
        _host("mz-user1", "mz", "mz-1", "private-mz", "192.168.10.100/24", 123),
        _host("mz-user2", "mz", "mz-2", "private-mz", "172.16.5.100/24", 124),
        _host("mz-old", "mz", "mz-2", "private-mz", "172.16.5.50/24", 125, "server"),
    ]


def _systems() -> list[Row]:
    def system(code: str, name: str, organisation: str, disposition: str, **more: object) -> InformationSystem:
        return InformationSystem.model_validate(
            dict(code=code, name=name, organisation=organisation, disposition=disposition, **more)
        )

    def workload(system: str, name: str, kind: str, place: str, port: int, *data: str) -> Workload:
        return Workload.model_validate(dict(system=system, name=name, kind=kind, place=place, port=port, data=data))

    return [
        system(
            "990102-CZ-0001",
            "预算执行管理系统",
            "cz",
            "migrate",
            category="业务",
            mlps_level=3,
            service_domain=ADM,
            use_scope="县",
            use_frequency="每日",
            logins_12m=18250,
            approved_on=date(2013, 6, 1),
            bearer_networks=("CZ-NET",),
            cores=4,
            memory_gigabytes=8,
            disk_gigabytes=200,
            addresses=(IPv4Network("10.8.1.10/32"), IPv4Network("10.8.1.20/32")),
            fqdn="budget.cz.wangchao.example",
            dependencies=("990102-SJ-0001",),
        ),
        system(
            "990102-CZ-0002",
            "预算统计报表系统",
            "cz",
            "merge",
            category="业务",
            mlps_level=2,
            use_scope="部门",
            use_frequency="每月",
            logins_12m=96,
            approved_on=date(2015, 3, 1),
            bearer_networks=("CZ-NET",),
            cores=2,
            memory_gigabytes=4,
            disk_gigabytes=50,
            addresses=(IPv4Network("10.8.2.50/32"),),
            fqdn="stats.cz.wangchao.example",
            shadow_group="SG-01",
            successor="990102-CZ-0001",
        ),
        system(
            "990102-MZ-0001",
            "民政办事服务网",
            "mz",
            "migrate",
            category="公共服务",
            mlps_level=2,
            service_domain=PUB,
            use_scope="县",
            use_frequency="每日",
            logins_12m=40211,
            approved_on=date(2014, 9, 1),
            bearer_networks=("MZ-NET",),
            cores=2,
            memory_gigabytes=4,
            disk_gigabytes=100,
            addresses=(IPv4Network("192.168.10.10/32"),),
            fqdn="service.mz.wangchao.example",
        ),
        system(
            "990102-MZ-0002",
            "民政邮件系统",
            "mz",
            "replace",
            category="邮件",
            mlps_level=2,
            use_scope="部门",
            use_frequency="每日",
            logins_12m=5200,
            approved_on=date(2010, 5, 1),
            bearer_networks=("MZ-NET",),
            cores=2,
            memory_gigabytes=4,
            disk_gigabytes=300,
            addresses=(IPv4Network("192.168.10.25/32"),),
            fqdn="mail.mz.wangchao.example",
            successor="990100-SJ-0002",
        ),
        system(
            "990102-MZ-0003",
            "救灾物资旧台账",
            "mz",
            "retire",
            category="业务",
            use_scope="处室",
            use_frequency="停用",
            logins_12m=0,
            approved_on=date(2008, 1, 1),
            bearer_networks=("MZ-NET",),
            cores=1,
            memory_gigabytes=2,
            disk_gigabytes=20,
            addresses=(IPv4Network("172.16.5.50/32"),),
            zombie_marks=("脱离业务流程", "停止更新运维", "资源空闲"),
        ),
        system("990102-BM-0001", "涉密系统", "bm", "untouchable", classified=True),
        system(
            "990102-SJ-0001",
            "数据共享交换平台",
            "city",
            "keep",
            category="前置",
            mlps_level=3,
            service_domain=ADM,
            use_scope="全市",
            use_frequency="每日",
            addresses=(IPv4Network("198.18.0.10/32"),),
            fqdn="exchange.lanhai.example",
        ),
        system(
            "990100-SJ-0002",
            "统一邮件系统",
            "city",
            "keep",
            category="邮件",
            mlps_level=3,
            service_domain=ADM,
            use_scope="全市",
            use_frequency="每日",
            addresses=(IPv4Network("198.18.0.25/32"),),
            fqdn="mail.lanhai.example",
        ),
        system(
            "990100-SJ-0003",
            "政务服务门户",
            "city",
            "keep",
            category="公共服务",
            mlps_level=3,
            service_domain=PUB,
            use_scope="全市",
            use_frequency="每日",
            addresses=(IPv4Network("198.18.64.10/32"),),
            fqdn="portal.lanhai.example",
        ),
        workload("990102-CZ-0001", "web", "web", "cz-web", 8080, "/srv/budget"),
        workload("990102-CZ-0001", "db", "database", "cz-db", 3306, "budget"),
        workload("990102-CZ-0002", "web", "web", "cz-stats", 8080, "/srv/stats"),
        workload("990102-MZ-0001", "web", "web", "mz-web", 443, "/srv/service"),
        workload("990102-MZ-0002", "mail", "mail", "mz-mail", 25, "/srv/mail"),
        workload("990102-MZ-0003", "web", "web", "mz-old", 8080, "/srv/old"),
        workload("990102-SJ-0001", "web", "web", "exchange", 443),
        workload("990100-SJ-0002", "mail", "mail", "citymail", 25),
        workload("990100-SJ-0003", "web", "web", "portal", 443),
        ServiceName(fqdn="budget.cz.wangchao.example", address=IPv4Address("10.8.1.10")),
        ServiceName(fqdn="db.budget.cz.wangchao.example", address=IPv4Address("10.8.1.20")),
        ServiceName(fqdn="stats.cz.wangchao.example", address=IPv4Address("10.8.2.50")),
        ServiceName(fqdn="service.mz.wangchao.example", address=IPv4Address("203.0.113.66"), view="internet"),
        ServiceName(fqdn="service.mz.wangchao.example", address=IPv4Address("192.168.10.10"), view="mz"),
        ServiceName(fqdn="mail.mz.wangchao.example", address=IPv4Address("192.168.10.25")),
        ServiceName(fqdn="exchange.lanhai.example", address=IPv4Address("198.18.0.10")),
        ServiceName(fqdn="mail.lanhai.example", address=IPv4Address("198.18.0.25")),
        ServiceName(fqdn="portal.lanhai.example", address=IPv4Address("198.18.64.10")),
        ServiceName(fqdn="portal.lanhai.example", address=IPv4Address("203.0.113.10"), view="internet"),
    ]


def _registers() -> list[Row]:
    return [
        Organisation(code="city", name="澜海市大数据局", short_name="大数据局", level="city"),
        Organisation(
            code="district",
            name="望潮区人民政府办公室",
            short_name="区政府办",
            service_domain="administrative_service_domain",
        ),
        Organisation(code="cz", name="望潮区财政局", short_name="财政", service_domain="administrative_service_domain"),
        Organisation(code="mz", name="望潮区民政局", short_name="民政", service_domain="public_service_domain"),
        Organisation(code="bm", name="望潮区国家保密局", short_name="保密"),
        Organisation(code="carrier", name="澜海电信运营商", short_name="运营商", level="city"),
        PrivateNetwork(
            code="CZ-NET",
            name="财政业务专网",
            organisation="cz",
            classified=False,
            sensitivity="ordinary",
            sites=3,
            prefixes=tuple(map(IPv4Network, ("10.8.1.0/24", "10.8.2.0/24", "192.168.10.0/24"))),
            routing="static",
            target="extranet",
        ),
        PrivateNetwork(
            code="MZ-NET",
            name="民政业务专网",
            organisation="mz",
            classified=False,
            sensitivity="ordinary",
            sites=2,
            prefixes=tuple(map(IPv4Network, ("192.168.10.0/24", "172.16.5.0/24"))),
            routing="static",
            target="extranet",
        ),
        PrivateSite(network="CZ-NET", site="cz-1", device="cz1", prefix=IPv4Network("10.8.1.0/24")),
        PrivateSite(
            network="CZ-NET", site="cz-2", device="cz2", prefix=IPv4Network("10.8.2.0/24"), needs_common_zone=True
        ),
        PrivateSite(network="CZ-NET", site="cz-3", device="cz3", prefix=IPv4Network("192.168.10.0/24")),
        PrivateSite(
            network="MZ-NET",
            site="mz-1",
            device="mz1",
            prefix=IPv4Network("192.168.10.0/24"),
            needs_common_zone=True,
            fixed_addresses=True,
        ),
        PrivateSite(
            network="MZ-NET", site="mz-2", device="mz2", prefix=IPv4Network("172.16.5.0/24"), needs_common_zone=True
        ),
        InternetEgress(
            code="E-PLATFORM",
            organisation="city",
            level="city",
            device="fw1",
            interface="inet0",
            link="fw-inet",
            public_prefixes=(IPv4Network("203.0.113.0/26"),),
            shared_platform=True,
            log_months=6,
        ),
        InternetEgress(
            code="E-MZ-01",
            organisation="mz",
            level="county",
            device="mz1",
            interface="inet0",
            link="mz-inet",
            public_prefixes=(IPv4Network("203.0.113.64/28"),),
            log_months=6,
        ),
        Cloud(
            name="public-service-cloud",
            service_domain="public_service_domain",
            keystone_domain="public-service-cloud",
            mlps_level=3,
        ),
        Cloud(
            name="administrative-service-cloud",
            service_domain="administrative_service_domain",
            keystone_domain="administrative-service-cloud",
            mlps_level=3,
        ),
    ]


def now() -> Estate:
    """The district before anything is changed."""
    vrfs: list[Row] = [
        _vrf(device, name, number) for device in ("pe1", "pe2") for name, number in (("adm", 1), ("pub", 2))
    ]
    parts = (_registers(), _devices(), _links(), vrfs, _interfaces(), _routes(), _boundary(), _hosts(), _systems())
    return Estate.of(*[noun for part in parts for noun in part])
