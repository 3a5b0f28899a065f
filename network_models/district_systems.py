"""The district's hosts and information systems."""

from datetime import date
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from orchestrator.model.base import Row
from orchestrator.model.census import InformationSystem, ServiceName, Workload
from orchestrator.model.network import Host

ADM, PUB = "administrative_service_domain", "public_service_domain"


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


def hosts() -> list[Row]:
    """Probe points: users, servers, the Internet."""
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


def systems() -> list[Row]:
    """Information systems, their workloads and the names they are known by."""

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
