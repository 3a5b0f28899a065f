"""BGP tables derived by hand from RFC 4271 and RFC 4456."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from orchestrator.forwarding.control.bgp_paths import Path, choose
from orchestrator.forwarding.control.check import DesignFaultError
from orchestrator.forwarding.control.design import (
    Bgp,
    MapEntry,
    Neighbour,
    PrefixList,
    Redistribution,
    RouteMap,
    StaticRoute,
    Vrf,
)
from tests.forwarding.control.build import computed, lines, one, port, router

NET = "203.0.113.0/24"
TOLD = Bgp.model_validate({"autonomous_system": 65000, "router_id": "192.0.2.1"})


def path(peer: int, **told: Any) -> Path:
    values = {"learned": "external", "as_path": (65100 + peer,), "peer_identifier": peer, **told}
    return Path(ip_network(NET), next_hop=ip_address(f"10.0.0.{peer}"), peer=ip_address(f"10.0.0.{peer}"), **values)


@pytest.mark.parametrize(
    ("better", "worse"),
    [  # RFC 4271, 9.1.2.2, each step with everything after it against it
        (path(9, local_preference=200, as_path=(1, 2, 3)), path(1)),
        (path(9, as_path=(1,), origin=2), path(1, as_path=(1, 2))),
        (path(9, as_path=(1,), origin=0, med=9), path(1, as_path=(1,), origin=2)),
        (path(9, as_path=(1,), med=5, learned="internal"), path(1, as_path=(1,), med=6)),
        (path(9), path(1, learned="internal")),
        (path(1), path(9)),
        (path(9, originator=1, clusters=(1, 2)), path(8, originator=2)),
        (path(9, originator=1, clusters=(1,)), path(8, originator=1, clusters=(1, 2))),
        (path(8, peer_identifier=1), path(9, peer_identifier=1)),
        (path(9, learned="local", as_path=()), path(1, local_preference=100, as_path=())),
    ],
)
def test_the_better_path_wins_in_either_order(better: Path, worse: Path) -> None:
    def flat(_: Path) -> int:
        return 0

    assert choose([better, worse], TOLD, flat)[0] == choose([worse, better], TOLD, flat)[0] == better


def test_the_nearer_next_hop_wins_and_an_unreachable_one_does_not_count() -> None:
    near, far = path(9, learned="internal", as_path=(1,)), path(1, learned="internal", as_path=(1,))
    assert choose([near, far], TOLD, {near: 5, far: 6}.get)[0] == near
    assert choose([near, far], TOLD, {far: 6}.get)[0] == far
    assert choose([near, far], TOLD, lambda _: None) == ()


def test_med_counts_only_among_paths_of_one_neighbouring_as() -> None:
    # 9.1.2.2 c: B loses to A inside AS 1 by MED; A loses to C by router identifier, whatever their MEDs
    a, b, c = path(5, as_path=(1,), med=1), path(1, as_path=(1,), med=2), path(3, as_path=(2,), med=9)
    for order in ([a, b, c], [c, b, a], [b, c, a]):
        assert choose(order, TOLD, lambda _: 0)[0] == c
    always = TOLD.model_copy(update={"always_compare_med": True})
    assert choose([a, b, c], always, lambda _: 0)[0] == a


def test_equal_paths_share_the_load_as_far_as_told() -> None:
    paths = [path(number, as_path=(1,)) for number in (3, 1, 2)]
    assert [one.peer_identifier for one in choose(paths, TOLD, lambda _: 0)] == [1]
    two = TOLD.model_copy(update={"external_paths": 2})
    assert [one.peer_identifier for one in choose(paths, two, lambda _: 0)] == [1, 2]
    # where more are equal than may be used, the best one is joined by the lowest next hops
    low = path(4, as_path=(1,))._replace(next_hop=ip_address("10.0.0.0"))
    assert [one.peer_identifier for one in choose([*paths, low], two, lambda _: 0)] == [1, 4]


def speaker(
    name: str, number: int, system: int, links: list[tuple[str, str, str]], neighbours: list[Any], **told: Any
) -> Any:
    """A router with links (name, address, segment) and neighbours (address, AS) or dictionaries."""
    peers = [Neighbour.model_validate(one if isinstance(one, dict) else {"address": one[0], "remote_as": one[1]})
             for one in neighbours]  # fmt: skip
    of_bgp = {key: told.pop(key) for key in list(told) if key in Bgp.model_fields}
    bgp = Bgp.model_validate(
        {"autonomous_system": system, "router_id": f"192.0.2.{number}", "neighbours": peers, **of_bgp}
    )
    interfaces = [port(link, address, segment=segment) for link, address, segment in links]
    return router(name, port("lo", f"192.0.2.{number}/32"), *interfaces, bgp=(bgp,), **told)


NULL = (StaticRoute.model_validate({"prefix": NET, "discard": True}),)


def test_a_network_goes_through_two_systems_and_not_back() -> None:
    found = computed(
        speaker("r1", 1, 65001, [("a", "10.0.0.1/30", "12")], [("10.0.0.2", 65002)], networks=(NET,), static=NULL),
        speaker("r2", 2, 65002, [("a", "10.0.0.2/30", "12"), ("b", "10.0.0.5/30", "23")],
                [("10.0.0.1", 65001), ("10.0.0.6", 65003)]),
        speaker("r3", 3, 65003, [("b", "10.0.0.6/30", "23")], [("10.0.0.5", 65002)]),
    )  # fmt: skip
    assert one(found, "r2", NET) == f"{NET} bgp/ebgp [20/0] a 10.0.0.1"
    assert one(found, "r3", NET) == f"{NET} bgp/ebgp [20/0] b 10.0.0.5"
    assert found.bgp["r3", "default"]["", ip_network(NET)][0].as_path == (65002, 65001)


def test_a_network_that_is_not_in_the_table_is_not_announced() -> None:
    ends = ([("a", "10.0.0.1/30", "12")], [("10.0.0.2", 65002)])
    far = speaker("r2", 2, 65002, [("a", "10.0.0.2/30", "12")], [("10.0.0.1", 65001)])
    assert one(computed(speaker("r1", 1, 65001, *ends, networks=(NET,)), far), "r2", NET) == "nothing"
    assert one(computed(speaker("r1", 1, 65001, *ends, networks=(NET,), static=NULL), far), "r2", NET) != "nothing"


def test_a_path_whose_next_hop_stands_in_its_own_prefix_goes_on() -> None:
    # RFC 4271, 9.1.2.1: the next hop is found by the connected route to that prefix, which BGP does not replace
    connected = (Redistribution(source="connected"),)
    found = computed(
        speaker("x", 9, 65009, [("x", "10.0.9.1/30", "x1")], [("10.0.9.2", 65000)], redistribute=connected),
        speaker("r1", 1, 65000, [("x", "10.0.9.2/30", "x1"), ("a", "10.0.0.1/30", "12")],
                [("10.0.9.1", 65009), {"address": "10.0.0.2", "remote_as": 65000, "next_hop_self": True}]),
        speaker("r2", 2, 65000, [("a", "10.0.0.2/30", "12")], [("10.0.0.1", 65000)]),
    )  # fmt: skip
    assert one(found, "r1", "10.0.9.0/30") == "10.0.9.0/30 connected [0/0] x"
    assert one(found, "r2", "10.0.9.0/30") == "10.0.9.0/30 bgp/ibgp [200/0] a 10.0.0.1"


def test_a_path_does_not_replace_the_route_that_leads_to_its_next_hop() -> None:
    # r2 knows x's cable by OSPF (110); by eBGP (20) it would lead to itself: OSPF's stays, and BGP tells it on
    def ospf(number: int) -> Any:
        return ({"router_id": f"192.0.2.{number}"},)

    def link(name: str, address: str, segment: str) -> Any:
        return port(name, address, segment=segment, ospf={"cost": 10})

    def bgp(number: int, system: int, *neighbours: Any, **told: Any) -> Any:
        return ({"autonomous_system": system, "router_id": f"192.0.2.{number}", "neighbours": neighbours, **told},)

    far = {"address": "10.0.9.1", "remote_as": 65009, "source": "10.0.0.2", "multihop": True}
    back = {"address": "10.0.0.2", "remote_as": 65000, "source": "10.0.9.1", "multihop": True}
    found = computed(
        router("x", link("x", "10.0.9.1/30", "x1"), ospf=ospf(9),
               bgp=bgp(9, 65009, back, redistribute=({"source": "connected"},))),
        router("r1", link("x", "10.0.9.2/30", "x1"), link("a", "10.0.0.1/30", "12"), ospf=ospf(1)),
        router("r2", link("a", "10.0.0.2/30", "12"), port("b", "10.0.1.1/30", segment="23"), ospf=ospf(2),
               bgp=bgp(2, 65000, far, {"address": "10.0.1.2", "remote_as": 65003})),
        router("r3", port("b", "10.0.1.2/30", segment="23"),
               bgp=bgp(3, 65003, {"address": "10.0.1.1", "remote_as": 65000})),
    )  # fmt: skip
    assert found.certain
    assert one(found, "r2", "10.0.9.0/30") == "10.0.9.0/30 ospf/intra [110/20] a 10.0.0.1"
    assert one(found, "r3", "10.0.9.0/30") == "10.0.9.0/30 bgp/ebgp [20/0] b 10.0.1.1"


def test_a_next_hop_that_is_dropped_drops_what_leads_to_it() -> None:
    # RFC 5635, 3: blackholes are triggered by a next hop that every router sends nowhere
    far = ([("a", "10.0.0.1/30", "12"), ("c", "198.51.100.1/24", "c")], [("10.0.0.2", 65000)])
    hole = StaticRoute.model_validate({"prefix": "198.51.100.9/32", "discard": True})
    found = computed(
        speaker("r1", 1, 65000, *far, redistribute=(Redistribution(source="static"),),
                static=(StaticRoute.model_validate({"prefix": NET, "via": "198.51.100.9"}),)),
        speaker("r2", 2, 65000, [("a", "10.0.0.2/30", "12")], [("10.0.0.1", 65000)], static=(hole,)),
    )  # fmt: skip
    assert one(found, "r2", NET) == f"{NET} bgp/ibgp [200/0] discard"


@pytest.mark.parametrize("system", [65000, 65002])
def test_a_path_by_way_of_its_receiver_is_refused(system: int) -> None:
    # RFC 4271, 6.3: the next hop must not be an address of the receiving speaker. 10.0.0.2 is r2's.
    def found(via: str) -> str:
        static = (StaticRoute.model_validate({"prefix": NET, "via": via}),)
        r1 = speaker("r1", 1, 65000, [("a", "10.0.0.1/29", "12")], [("10.0.0.2", system)], static=static,
                     redistribute=(Redistribution(source="static"),))  # fmt: skip
        r2 = speaker("r2", 2, system, [("a", "10.0.0.2/29", "12")], [("10.0.0.1", 65000)])
        return one(computed(r1, r2), "r2", NET)

    assert found("10.0.0.2") == "nothing"
    assert found("10.0.0.3").endswith("a 10.0.0.3")


def test_a_session_needs_its_own_address_to_be_up() -> None:
    # r2 has a route towards r1's loopback either way; r1 cannot speak from an address that it does not have
    def found(up: bool) -> str:
        def bgp(number: int, other: int) -> Any:
            ends = {"address": f"192.0.2.{other}", "source": f"192.0.2.{number}", "remote_as": 65000}
            return ({"autonomous_system": 65000, "router_id": f"192.0.2.{number}", "neighbours": (ends,),
                     "redistribute": (Redistribution(source="static"),)},)  # fmt: skip

        static = (*NULL, StaticRoute.model_validate({"prefix": "192.0.2.2/32", "via": "10.0.0.2"}))
        cover = (StaticRoute.model_validate({"prefix": "192.0.2.0/24", "via": "10.0.0.1"}),)
        return one(
            computed(
                router("r1", port("lo", "192.0.2.1/32", up=up), port("a", "10.0.0.1/30", segment="12"), static=static,
                       bgp=bgp(1, 2)),
                router("r2", port("lo", "192.0.2.2/32"), port("a", "10.0.0.2/30", segment="12"), static=cover,
                       bgp=bgp(2, 1)),
            ),
            "r2", NET,
        )  # fmt: skip

    assert found(up=True) == f"{NET} bgp/ibgp [200/0] a 10.0.0.1"
    assert found(up=False) == "nothing"


def far(number: int, other: int, **told: Any) -> Any:
    """A router with a session from its loopback, 192.0.2.`number`, to that of another over 10.0.0.0/24."""
    ends = {"address": f"192.0.2.{other}", "source": f"192.0.2.{number}", "remote_as": 65000}
    at = told.pop("at", number)
    bgp = {"autonomous_system": 65000, "router_id": f"192.0.2.{at}", "neighbours": (ends,),
           "redistribute": (Redistribution(source="static"),)}  # fmt: skip
    way = StaticRoute.model_validate({"prefix": f"192.0.2.{other}/32", "via": f"10.0.0.{other}"})
    return router(
        f"r{at}", port("lo", f"192.0.2.{number}/32"), port("a", f"10.0.0.{at}/24", segment="lan"),
        bgp=(bgp,), static=(way, *told.pop("static", ())), **told,
    )  # fmt: skip


def test_an_address_that_stands_in_a_customer_s_network_too_is_no_other_neighbour() -> None:
    customer = router("r9", port("lan", "192.0.2.1/32", vrf="red"), vrfs=(Vrf(name="red"),))
    for others in ((), (customer,)):
        found = computed(far(1, 2), far(2, 1, static=NULL), *others)
        assert one(found, "r1", NET) == f"{NET} bgp/ibgp [200/0] a 10.0.0.2"
        found = computed(far(1, 2, static=NULL), far(2, 1), *others)
        assert one(found, "r2", NET) == f"{NET} bgp/ibgp [200/0] a 10.0.0.1"


def test_a_neighbour_that_may_be_either_of_two_routers_is_refused() -> None:
    said = "r1: BGP neighbour 192.0.2.2 may be any of r2 and r3: give each its own address"
    with pytest.raises(DesignFaultError) as refused:
        computed(far(1, 2), far(2, 1), far(2, 1, at=3))
    assert str(refused.value) == said


@pytest.mark.parametrize("turned", [False, True])
def test_the_lowest_of_several_next_hops_is_told_whatever_order_they_are_given_in(turned: bool) -> None:
    # r2 reaches 198.51.100.5 and not 198.51.100.9
    routes = [StaticRoute.model_validate({"prefix": NET, "via": f"198.51.100.{number}"}) for number in (5, 9)]
    links = [("a", "10.0.0.1/30", "12"), ("c", "198.51.100.1/24", "c")]
    found = computed(
        speaker("r1", 1, 65000, links, [("10.0.0.2", 65000)], static=tuple(reversed(routes) if turned else routes),
                redistribute=(Redistribution(source="static"),)),
        speaker("r2", 2, 65000, [("a", "10.0.0.2/30", "12")], [("10.0.0.1", 65000)],
                static=(StaticRoute.model_validate({"prefix": "198.51.100.0/29", "via": "10.0.0.1"}),)),
    )  # fmt: skip
    assert one(found, "r1", NET) == f"{NET} static [1/0] c 198.51.100.5, c 198.51.100.9"
    assert one(found, "r2", NET) == f"{NET} bgp/ibgp [200/0] a 10.0.0.1"


def test_of_equal_cost_gateways_the_lowest_is_told() -> None:
    # RFC 4271, 5.1.3: the address through which the network is reached. r2 knows no way to r1's other neighbours.
    def link(name: str, address: str, segment: str) -> Any:
        return port(name, address, segment=segment, ospf={"cost": 10})

    ends = [{"autonomous_system": 65000, "router_id": f"192.0.2.{at}",
             "neighbours": ({"address": f"10.0.2.{3 - at}", "remote_as": 65000},)} for at in (1, 2)]  # fmt: skip
    found = computed(
        router("d", port("lo", "203.0.113.1/32", ospf={"cost": 1}), link("a", "10.0.1.1/30", "a"),
               link("b", "10.0.1.5/30", "b"), ospf=({"router_id": "192.0.2.9"},)),
        router("r1", link("a", "10.0.1.2/30", "a"), link("b", "10.0.1.6/30", "b"),
               port("c", "10.0.2.1/30", segment="c"), ospf=({"router_id": "192.0.2.1"},),
               bgp=({**ends[0], "redistribute": (Redistribution(source="ospf"),)},)),
        router("r2", port("c", "10.0.2.2/30", segment="c"), bgp=(ends[1],)),
    )  # fmt: skip
    assert len(found.tables["r1", "default"][ip_network("203.0.113.1/32")].hops) == 2
    [path] = found.bgp["r1", "default"]["", ip_network("203.0.113.1/32")]
    assert str(path.next_hop) == "10.0.1.1"
    assert one(found, "r2", "203.0.113.1/32") == "nothing"


def chain(reflector: bool, self_as_next_hop: bool = True) -> Any:
    """x (65009) - r1 - r2 - r3, the three inside 65000 with sessions only between neighbours."""
    inside = {"next_hop_self": self_as_next_hop}
    r2 = [{"address": address, "remote_as": 65000, "reflector_client": reflector, **inside}
          for address in ("10.0.0.1", "10.0.0.6")]  # fmt: skip
    return computed(
        speaker("x", 9, 65009, [("x", "10.0.9.1/30", "x1")], [("10.0.9.2", 65000)], networks=(NET,), static=NULL),
        speaker("r1", 1, 65000, [("x", "10.0.9.2/30", "x1"), ("a", "10.0.0.1/30", "12")],
                [("10.0.9.1", 65009), {"address": "10.0.0.2", "remote_as": 65000, **inside}]),
        speaker("r2", 2, 65000, [("a", "10.0.0.2/30", "12"), ("b", "10.0.0.5/30", "23")], r2,
                static=(StaticRoute.model_validate({"prefix": "10.0.9.0/30", "via": "10.0.0.1"}),)),
        speaker("r3", 3, 65000, [("b", "10.0.0.6/30", "23")], [("10.0.0.5", 65000)],
                static=(StaticRoute.model_validate({"prefix": "10.0.0.0/30", "via": "10.0.0.5"}),)),
    )  # fmt: skip


def test_inside_an_as_only_a_reflector_passes_routes_on() -> None:
    # RFC 4271, 9.2; RFC 4456, 6: the next hop stays the first router's, and r3 finds it by its static route
    assert one(chain(reflector=False), "r3", NET) == "nothing"
    found = chain(reflector=True)
    assert one(found, "r3", NET) == f"{NET} bgp/ibgp [200/0] b 10.0.0.5"
    path = found.bgp["r3", "default"]["", ip_network(NET)][0]
    assert (str(path.next_hop), path.originator, path.clusters) == (
        "10.0.0.1", int(ip_address("192.0.2.1")), (int(ip_address("192.0.2.2")),),
    )  # fmt: skip


def test_the_next_hop_stays_outside_unless_told_otherwise() -> None:
    # RFC 4271, 5.1.3 (1): r2 gets 10.0.9.1 and reaches it by its static route to r1
    path = chain(reflector=False, self_as_next_hop=False).bgp["r2", "default"]["", ip_network(NET)][0]
    assert str(path.next_hop) == "10.0.9.1"


def test_route_maps_and_prefix_lists_decide_at_both_ends() -> None:
    rules = ({"permit": True, "prefix": "203.0.113.0/24", "at_least": 25, "at_most": 26},)
    lists = (PrefixList.model_validate({"name": "some", "rules": rules}),)
    maps = (RouteMap(name="in", entries=(MapEntry(permit=True, match_prefixes="some", set_local_preference=300),)),)
    static = tuple(StaticRoute.model_validate({"prefix": prefix, "discard": True})
                   for prefix in ("203.0.113.0/24", "203.0.113.0/25", "203.0.113.64/27"))  # fmt: skip
    found = computed(
        speaker("r1", 1, 65001, [("a", "10.0.0.1/30", "12")], [("10.0.0.2", 65002)], static=static,
                redistribute=(Redistribution(source="static"),)),
        speaker("r2", 2, 65002, [("a", "10.0.0.2/30", "12")],
                [{"address": "10.0.0.1", "remote_as": 65001, "import_map": "in"}], prefix_lists=lists, route_maps=maps),
    )  # fmt: skip
    assert lines(found, "r2") == ["203.0.113.0/25 bgp/ebgp [20/0] a 10.0.0.1"]
    assert found.bgp["r2", "default"]["", ip_network("203.0.113.0/25")][0].local_preference == 300


def test_no_export_stays_inside() -> None:
    # RFC 1997
    maps = (RouteMap(name="out", entries=(MapEntry(permit=True, set_communities=("no-export",)),)),)
    found = computed(
        speaker("r1", 1, 65001, [("a", "10.0.0.1/30", "12")],
                [{"address": "10.0.0.2", "remote_as": 65002, "export_map": "out"}], networks=(NET,), static=NULL,
                route_maps=maps),
        speaker("r2", 2, 65002, [("a", "10.0.0.2/30", "12"), ("b", "10.0.0.5/30", "23")],
                [("10.0.0.1", 65001), ("10.0.0.6", 65003)]),
        speaker("r3", 3, 65003, [("b", "10.0.0.6/30", "23")], [("10.0.0.5", 65002)]),
    )  # fmt: skip
    assert (one(found, "r2", NET) != "nothing", one(found, "r3", NET)) == (True, "nothing")
