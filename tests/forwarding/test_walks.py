"""Single packets through the district and through small estates, each decision named."""

from collections.abc import Iterable

import pytest

from network_models.district import now
from orchestrator.forwarding.simulator import Simulator, explain
from orchestrator.model.base import Noun
from orchestrator.model.cloud import (
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    SecurityGroup,
    SecurityRule,
    Server,
    Tenant,
)
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.finding import Fact, Packet, Where
from orchestrator.model.network import Device, Filter, FilterRule, Host, Interface, Link, Nat, Route
from orchestrator.vendors.parsed import Unparsed


def tcp(source: str, destination: str, port: int) -> Packet:
    return Packet(source=source, destination=destination, protocol="tcp", destination_port=port)


def works(estate: Estate, start: str, source: str, destination: str, port: int) -> bool | None:
    return Simulator(estate).exchange(start, tcp(source, destination, port)).works


def without(estate: Estate, table: str, key: str) -> Estate:
    row = getattr(estate, table)[key]
    return estate.apply((Edit(table=table, key=key, before=row.plain(), after=None),))


def changed(estate: Estate, table: str, key: str, **fields: object) -> Estate:
    row = getattr(estate, table)[key]
    after = type(row).model_validate({**row.plain(), **fields})
    edits = (
        Edit(table=table, key=key, before=row.plain(), after=None),
        Edit(table=table, key=after.key, before=None, after=after.plain()),
    )
    return estate.apply(edits)


def test_a_citizen_is_led_to_the_portal_decision_by_decision() -> None:
    where = Where(source="configs/fw1/nftables.conf", line=31)
    facts = {"nats[fw1/portal]": Fact(row="nats[fw1/portal]", standing="configured", where=where)}
    trace = Simulator(now(), facts=facts).trace("citizen", tcp("198.51.100.10", "203.0.113.10", 443))
    assert explain(trace) == (
        "tcp 198.51.100.10 -> 203.0.113.10:443 from citizen: delivered at portal\n"
        "  1 citizen:eth0: gateway 198.51.100.1\n"
        "  2 isp:default:lan0: route 203.0.113.0/26 static to-fw via 192.0.2.2"
        "  [routes[isp/default/203.0.113.0/26/192.0.2.2]]\n"
        "  3 fw1:default:inet0: destination becomes 198.18.64.10  [configs/fw1/nftables.conf:31]\n"
        "  4 fw1:default:inet0: route 198.18.64.0/18 static pub0 via 198.19.255.5"
        "  [routes[fw1/default/198.18.64.0/18/198.19.255.5]]\n"
        "  5 fw1:default:inet0: filter 00200 accept (inet0 > pub0)  [filter_rules[fw1/00200]]\n"
        "  6 pe1:pub:fw-pub: route 198.18.64.0/24 connected lan-pub  [interfaces[pe1/lan-pub/198.18.64.1/24]]"
    )


@pytest.mark.parametrize(
    ("start", "source", "destination", "port", "expected"),
    [
        ("cz-user1", "10.8.1.100", "10.8.1.10", 8080, True),
        ("cz-user2", "10.8.2.100", "10.8.1.10", 8080, True),
        ("cz-user3", "192.168.10.100", "10.8.1.10", 8080, True),
        ("cz-web", "10.8.1.10", "10.8.1.20", 3306, True),
        ("cz-user1", "10.8.1.100", "198.18.0.10", 443, False),
        ("mz-user2", "172.16.5.100", "192.168.10.25", 25, True),
        ("mz-user2", "172.16.5.100", "198.51.100.10", 443, True),
        ("mz-user2", "172.16.5.100", "198.51.100.10", 80, False),
        ("mz-user2", "172.16.5.100", "10.8.1.10", 8080, False),
        ("citizen", "198.51.100.10", "203.0.113.66", 443, True),
        ("citizen", "198.51.100.10", "203.0.113.66", 25, False),
        ("citizen", "198.51.100.10", "203.0.113.10", 443, True),
        ("citizen", "198.51.100.10", "203.0.113.11", 443, False),
        ("staff", "198.18.16.100", "198.18.64.10", 443, True),
        ("staff", "198.18.16.100", "198.18.64.10", 22, False),
        ("staff", "198.18.16.100", "198.18.0.10", 443, True),
        ("portal", "198.18.64.10", "198.51.100.10", 443, True),
        ("portal", "198.18.64.10", "198.18.0.10", 443, False),
        ("staff", "198.18.16.100", "198.51.100.10", 443, False),
    ],
)
def test_the_district_as_it_is(start: str, source: str, destination: str, port: int, expected: bool) -> None:
    assert works(now(), start, source, destination, port) is expected


def test_a_missing_return_route_breaks_the_exchange_but_not_the_forward_way() -> None:
    estate = without(now(), "routes", "fw1/default/198.18.0.0/18/198.19.255.1")
    estate = without(estate, "routes", "fw1/default/0.0.0.0/0/192.0.2.1")
    exchange = Simulator(estate).exchange("staff", tcp("198.18.16.100", "198.18.64.10", 443))
    assert exchange.forward.outcome == "delivered"
    assert exchange.works is False
    assert exchange.reply is not None
    assert exchange.reply.reason == "no route to 198.18.16.100 in default"
    assert exchange.reply.end == "fw1"


def test_a_filter_that_forgets_connections_drops_the_answer() -> None:
    assert works(now(), "staff", "198.18.16.100", "198.18.64.10", 443) is True
    estate = changed(now(), "filters", "fw1", stateful=False)
    assert works(estate, "staff", "198.18.16.100", "198.18.64.10", 443) is False


def test_a_released_line_carries_nothing_and_a_spare_one_would() -> None:
    assert works(changed(now(), "links", "cz-line", state="spare"), "cz-user2", "10.8.2.100", "10.8.1.10", 80) is True
    assert (
        works(changed(now(), "links", "cz-line", state="released"), "cz-user2", "10.8.2.100", "10.8.1.10", 80) is False
    )


def test_vpn_routes_follow_the_route_targets_and_the_underlay() -> None:
    assert works(now(), "staff", "198.18.16.100", "198.18.0.10", 443) is True
    other = changed(now(), "vrfs", "pe2/adm", import_targets=("65000:9",))
    assert works(other, "staff", "198.18.16.100", "198.18.0.10", 443) is False
    assert (
        works(changed(now(), "links", "core", state="released"), "staff", "198.18.16.100", "198.18.0.10", 443) is False
    )


def test_a_line_nobody_understood_makes_every_way_over_its_device_unknown() -> None:
    line = Unparsed(device="cz1", file="frr.conf", line=12, text=" ip policy route-map X")
    simulator = Simulator(now(), (line,))
    over = simulator.exchange("cz-user2", tcp("10.8.2.100", "10.8.1.10", 8080))
    assert over.works is None
    assert over.forward.reason == "line not understood: frr.conf:12 'ip policy route-map X'"
    assert simulator.exchange("cz-user1", tcp("10.8.1.100", "10.8.1.10", 8080)).works is True
    assert simulator.exchange("staff", tcp("198.18.16.100", "198.18.0.10", 443)).works is True


def test_a_line_nobody_understood_on_a_vpn_router_could_announce_anything() -> None:
    line = Unparsed(device="pe1", file="frr.conf", line=40, text="neighbor 10.0.0.1 route-map LEAK out")
    simulator = Simulator(now(), (line,))
    assert simulator.exchange("staff", tcp("198.18.16.100", "198.18.0.10", 443)).works is None
    assert simulator.exchange("citizen", tcp("198.51.100.10", "203.0.113.66", 443)).works is True


def box(name: str, *platforms: str) -> Device:
    return Device.model_validate(
        {"name": name, "kind": "router", "platforms": platforms or ("frr",), "site": "s", "organisation": "o"}
    )


def cable(a: str, b: str) -> Link:
    (a_node, a_port), (b_node, b_port) = a.split(":"), b.split(":")
    return Link(name=f"{a_node}-{b_node}-{a_port}", a_node=a_node, a_port=a_port, b_node=b_node, b_port=b_port)


def port(device: str, name: str, address: str) -> Interface:
    return Interface.model_validate({"device": device, "name": name, "address": address, "zone": ""})


def host(name: str, address: str, gateway: str) -> Host:
    return Host.model_validate(
        {"name": name, "organisation": "o", "site": "s", "zone": "z", "address": address, "gateway": gateway}
    )


def route(device: str, prefix: str, hop: str | None, **more: object) -> Route:
    return Route.model_validate({"device": device, "prefix": prefix, "next_hop": hop, **more})


def chain(*more: Noun, left: Iterable[str] = ("192.0.2.2",), right: Iterable[str] = ("192.0.2.1",)) -> Estate:
    """a - r1 - r2 - b on documentation addresses; `left` and `right` are the next hops of r1 and r2."""
    return Estate.of(
        box("r1"),
        box("r2"),
        cable("r1:lan", "a:eth0"),
        cable("r1:wan", "r2:wan"),
        cable("r2:lan", "b:eth0"),
        port("r1", "lan", "10.1.0.1/24"),
        port("r1", "wan", "192.0.2.1/24"),
        port("r2", "wan", "192.0.2.2/24"),
        port("r2", "lan", "10.2.0.1/24"),
        host("a", "10.1.0.10/24", "10.1.0.1"),
        host("b", "10.2.0.10/24", "10.2.0.1"),
        *(route("r1", "10.2.0.0/24", hop) for hop in left),
        *(route("r2", "10.1.0.0/24", hop) for hop in right),
        *more,
    )


def reason(estate: Estate, destination: str = "10.2.0.10") -> str:
    return Simulator(estate).trace("a", tcp("10.1.0.10", destination, 80)).reason


def test_loops_null_routes_and_missing_neighbours_are_told_apart() -> None:
    assert works(chain(), "a", "10.1.0.10", "10.2.0.10", 80) is True
    loop = chain(route("r1", "10.9.0.0/16", "192.0.2.2"), route("r2", "10.9.0.0/16", "192.0.2.1"))
    assert reason(loop, "10.9.0.1") == "loop: the packet is back on r2"
    assert reason(chain(route("r2", "10.9.0.0/16", None), route("r1", "10.9.0.0/16", "192.0.2.2")), "10.9.0.1") == (
        "null route 10.9.0.0/16"
    )
    assert reason(chain(left=["192.0.2.77"])) == "nobody answers for 192.0.2.77 behind wan"
    assert reason(chain(left=["203.0.113.9"])) == "no route to 10.2.0.10 in default"


def test_the_longest_prefix_wins_before_the_distance() -> None:
    assert reason(chain(route("r1", "10.2.0.10/32", None, distance=250))) == "null route 10.2.0.10/32"
    assert works(chain(route("r1", "10.2.0.0/24", "192.0.2.77", distance=5)), "a", "10.1.0.10", "10.2.0.10", 80) is True


def test_a_route_of_infinite_distance_is_never_used_where_it_is_infinite() -> None:
    for distance, there in ((254, True), (255, False)):
        far = chain(route("r1", "10.2.0.0/24", "192.0.2.2", distance=distance), left=())
        assert works(far, "a", "10.1.0.10", "10.2.0.10", 80) is there
        assert (reason(far) == "no route to 10.2.0.10 in default") is not there
    vrp = chain(route("r1", "10.2.0.0/24", "192.0.2.2", distance=255), left=()).apply(
        (Edit(table="devices", key="r1", before=box("r1").plain(), after=box("r1", "huawei_vrp").plain()),)
    )
    assert works(vrp, "a", "10.1.0.10", "10.2.0.10", 80) is True


def test_equally_good_routes_count_only_where_they_agree() -> None:
    detour = (
        box("r3"),
        cable("r1:alt", "r3:up"),
        cable("r3:down", "r2:alt"),
        port("r1", "alt", "198.51.100.1/30"),
        port("r3", "up", "198.51.100.2/30"),
        port("r3", "down", "198.51.100.5/30"),
        port("r2", "alt", "198.51.100.6/30"),
    )
    both = ("192.0.2.2", "198.51.100.2")
    agree = chain(*detour, route("r3", "10.2.0.0/24", "198.51.100.6"), left=both)
    assert works(agree, "a", "10.1.0.10", "10.2.0.10", 80) is True
    assert works(chain(*detour, left=both), "a", "10.1.0.10", "10.2.0.10", 80) is None
    assert reason(chain(*detour, left=both)) == "equally good routes to 10.2.0.0/24 disagree"


def test_an_unmanaged_router_and_a_doubled_address_are_unknown() -> None:
    strange = chain(
        box("x", "unmanaged"),
        cable("r1:x", "x:p"),
        port("r1", "x", "10.3.0.1/24"),
        route("r1", "10.9.0.0/16", "10.3.0.9"),
    )
    assert reason(strange, "10.9.0.1") == "x has no tables and may have 10.3.0.9"
    switch = Device(name="sw", kind="switch", platforms=("unmanaged",), site="s", organisation="o")
    doubled = chain(
        switch,
        cable("sw:1", "r2:lan2"),
        cable("sw:2", "c:eth0"),
        cable("sw:3", "d:eth0"),
        port("r2", "lan2", "10.3.0.1/24"),
        host("c", "10.3.0.9/24", "10.3.0.1"),
        host("d", "10.3.0.9/24", "10.3.0.1"),
        route("r1", "10.3.0.0/24", "192.0.2.2"),
    )
    assert reason(doubled, "10.3.0.9") == "c and d both have 10.3.0.9 on one segment"


def test_of_several_unknown_devices_the_same_is_named_whatever_the_order_of_rows() -> None:
    switch = Device(name="sw", kind="switch", platforms=("unmanaged",), site="s", organisation="o")
    cables = cable("r1:x", "sw:1"), cable("sw:2", "x:p"), cable("sw:3", "y:p")
    boxes = box("x", "unmanaged"), box("y", "unmanaged"), switch, port("r1", "x", "10.3.0.1/24")
    for order in (cables, cables[::-1]):
        estate = chain(*boxes, *order, route("r1", "10.9.0.0/16", "10.3.0.9"))
        assert reason(estate, "10.9.0.1") == "x has no tables and may have 10.3.0.9"


def nat(**fields: object) -> Nat:
    return Nat.model_validate({"device": "r2", "name": "n", **fields})


def test_prefix_translation_works_both_ways() -> None:
    estate = chain(
        nat(kind="prefix", interface="wan", inside="10.2.0.0/24", outside="198.51.100.0/24"),
        route("r1", "198.51.100.0/24", "192.0.2.2"),
    )
    assert works(estate, "a", "10.1.0.10", "198.51.100.10", 80) is True
    seen = Simulator(estate).trace("b", tcp("10.2.0.10", "10.1.0.10", 80))
    assert [hop.decision for hop in seen.hops if "source" in hop.decision] == ["source becomes 198.51.100.10"]
    # the inside address is still routed, and answers of a connection opened untranslated stay untranslated (conntrack)
    assert works(estate, "a", "10.1.0.10", "10.2.0.10", 80) is True
    assert (
        works(without(estate, "routes", "r1/default/10.2.0.0/24/192.0.2.2"), "a", "10.1.0.10", "10.2.0.10", 80) is False
    )


def test_published_port_and_filter_see_the_translated_destination() -> None:
    published = nat(
        kind="destination",
        interface="wan",
        inside="10.2.0.10/32",
        outside="198.51.100.1/32",
        protocol="tcp",
        port=443,
        inside_port=8443,
    )
    to_it = route("r1", "198.51.100.1/32", "192.0.2.2")
    wall = Filter(device="r2")

    def entry(destination: str, number: int) -> FilterRule:
        fields = {"device": "r2", "sequence": 10, "action": "accept", "protocol": "tcp", "ports": ((number, number),)}
        return FilterRule.model_validate({**fields, "destinations": (destination,)})

    inside = chain(published, to_it, wall, entry("10.2.0.10/32", 8443))
    assert works(inside, "a", "10.1.0.10", "198.51.100.1", 443) is True
    assert works(inside, "a", "10.1.0.10", "198.51.100.1", 80) is False
    assert (
        works(chain(published, to_it, wall, entry("198.51.100.1/32", 443)), "a", "10.1.0.10", "198.51.100.1", 443)
        is False
    )


def cloud(*rules: SecurityRule, source_nat: bool = False) -> Estate:
    """chain() whose r2 hands VLAN 2010 to a cloud with two servers in two groups of one tenant."""
    group = [SecurityGroup(tenant="t", name=name) for name in ("web", "db")]
    return chain(
        Device(name="dc", kind="cloud_node", site="s", organisation="o"),
        cable("r2:dc", "dc:p").model_copy(update={"vlan": 2010}),
        port("r2", "dc", "198.18.130.1/24"),
        Tenant(name="t", cloud="c", organisation="o", zone="z"),
        *group,
        ProviderNetwork.model_validate(
            {"name": "p", "cloud": "c", "vlan": 2010, "prefix": "198.18.130.0/24", "gateway": "198.18.130.1"}
        ),
        CloudNetwork.model_validate({"tenant": "t", "name": "n", "prefix": "10.5.0.0/24"}),
        CloudRouter.model_validate(
            {
                "tenant": "t",
                "name": "r",
                "provider_network": "p",
                "address": "198.18.130.10",
                "networks": ("n",),
                "source_nat": source_nat,
            }
        ),
        *(
            Server.model_validate(
                {
                    "tenant": "t",
                    "name": name,
                    "network": "n",
                    "address": address,
                    "flavor": "f",
                    "image": "i",
                    "groups": (name,),
                }
            )
            for name, address in (("web", "10.5.0.10"), ("db", "10.5.0.20"))
        ),
        route("r2", "10.5.0.0/24", "198.18.130.10"),
        route("r1", "10.5.0.0/24", "192.0.2.2"),
        route("r1", "198.18.130.0/24", "192.0.2.2"),
        *rules,
    )


def group_rule(group: str, direction: str, **more: object) -> SecurityRule:
    fields = {"tenant": "t", "group": group, "direction": direction, "protocol": "tcp", **more}
    return SecurityRule.model_validate(fields)


def test_security_groups_admit_what_a_rule_names_and_nothing_else() -> None:
    estate = cloud(group_rule("web", "ingress", ports=(80, 80), remote_prefix="10.1.0.0/24"))
    assert works(estate, "a", "10.1.0.10", "10.5.0.10", 80) is True
    assert works(estate, "a", "10.1.0.10", "10.5.0.10", 81) is False
    assert works(estate, "b", "10.2.0.10", "10.5.0.10", 80) is False
    assert works(estate, "t/web", "10.5.0.10", "10.1.0.10", 80) is False


def test_a_remote_group_means_its_members() -> None:
    admitted = group_rule("db", "ingress", ports=(3306, 3306), remote_group="web")
    sends = group_rule("web", "egress", ports=(3306, 3306), remote_group="db")
    assert works(cloud(admitted, sends), "t/web", "10.5.0.10", "10.5.0.20", 3306) is True
    assert works(cloud(admitted), "t/web", "10.5.0.10", "10.5.0.20", 3306) is False
    assert works(cloud(admitted, sends), "a", "10.1.0.10", "10.5.0.20", 3306) is False


@pytest.mark.parametrize(("hidden", "seen_as"), [(False, "10.5.0.10"), (True, "198.18.130.10")])
def test_a_tenant_router_translates_only_when_it_should(hidden: bool, seen_as: str) -> None:
    estate = cloud(group_rule("web", "egress"), source_nat=hidden)
    exchange = Simulator(estate).exchange("t/web", tcp("10.5.0.10", "10.1.0.10", 80))
    assert exchange.works is True
    assert exchange.reply is not None
    assert exchange.reply.packet.destination == seen_as


def test_a_destroyed_handover_cuts_the_cloud_off() -> None:
    rule = group_rule("web", "ingress")
    assert works(cloud(rule), "a", "10.1.0.10", "10.5.0.10", 80) is True
    cut = changed(cloud(rule), "links", "r2-dc-dc", vlan=2011)
    assert works(cut, "a", "10.1.0.10", "10.5.0.10", 80) is False
