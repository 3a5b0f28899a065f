"""The district's network: devices, cables, addresses, routes, VRFs."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from orchestrator.model.base import Row
from orchestrator.model.network import GLOBAL, Device, Interface, Link, Overlay, Route, Vrf


def _device(
    name: str, kind: str, site: str, organisation: str, number: int | None, *platforms: str, **more: object
) -> Device:
    management = IPv4Address(f"172.31.0.{number}") if number else None
    fields = dict(
        name=name, kind=kind, site=site, organisation=organisation, management=management, platforms=platforms
    )
    return Device.model_validate({**fields, **more})


def devices() -> list[Row]:
    """Routers, switches, the firewall, the management box; those of the carrier and the Internet are unmanaged."""
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


def links() -> list[Row]:
    """Every cable and leased line."""
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


def interfaces() -> list[Row]:
    """Every address on a port."""
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


def routes() -> list[Row]:
    """Static routes; the others come by BGP."""
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


def vrfs() -> list[Row]:
    """The two common zones on each provider edge."""
    return [_vrf(device, name, number) for device in ("pe1", "pe2") for name, number in (("adm", 1), ("pub", 2))]
