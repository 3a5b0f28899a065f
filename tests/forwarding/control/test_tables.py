"""Which source wins, where next hops lead, and what a description may not say."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.forwarding.control.check import DesignFaultError
from orchestrator.forwarding.control.design import (
    Bgp,
    MapEntry,
    Ospf,
    OspfPort,
    Prefix,
    PrefixList,
    PrefixRule,
    Redistribution,
    RouteMap,
    StaticRoute,
    Vrf,
)  # fmt: skip
from orchestrator.forwarding.control.filters import covers
from orchestrator.forwarding.control.shortest import Edge, shortest
from orchestrator.forwarding.control.tables import Entry, Hop, Table
from tests.forwarding.control.build import computed, lines, one, port, router


def static(prefix: str, via: str | None = None, **told: Any) -> StaticRoute:
    return StaticRoute.model_validate({"prefix": prefix, "via": via, **told})


def test_connected_beats_static_and_the_nearer_distance_beats_the_farther() -> None:
    found = computed(
        router("r", port("a", "10.0.0.1/24", segment="a"), port("b", "10.0.1.1/24", segment="b"), static=(
            static("10.0.0.0/24", "10.0.1.2"), static("203.0.113.0/24", "10.0.0.2", distance=250),
            static("203.0.113.0/24", "10.0.1.2", distance=5), static("198.51.100.0/24", "10.0.0.2"),
            static("198.51.100.0/24", "10.0.1.2"),
        ))
    )  # fmt: skip
    assert one(found, "r", "10.0.0.0/24") == "10.0.0.0/24 connected [0/0] a"
    assert lines(found, "r") == [
        "198.51.100.0/24 static [1/0] a 10.0.0.2, b 10.0.1.2",
        "203.0.113.0/24 static [5/0] b 10.0.1.2",
    ]


def test_a_floating_route_waits_until_the_cable_is_cut() -> None:
    def on(up: bool) -> str:
        routes = (static("203.0.113.0/24", "10.0.0.2"), static("203.0.113.0/24", discard=True, distance=250))
        near = router("r", port("a", "10.0.0.1/24", segment="cable"), static=routes)
        far = router("s", port("a", "10.0.0.2/24", segment="cable", up=up))
        return one(computed(near, far), "r", "203.0.113.0/24")

    assert on(True) == "203.0.113.0/24 static [1/0] a 10.0.0.2"
    assert on(False) == "203.0.113.0/24 static [250/0] discard"


def test_next_hops_are_found_recursively_but_not_by_default_nor_by_themselves() -> None:
    def seen(by_default: bool, *routes: StaticRoute) -> list[str]:
        told = router("r", port("a", "10.0.0.1/24", segment="a"), static=routes, resolve_by_default=by_default)
        return lines(computed(told), "r")

    assert seen(False, static("198.51.100.0/24", "10.0.0.2"), static("203.0.113.0/24", "198.51.100.9")) == [
        "198.51.100.0/24 static [1/0] a 10.0.0.2",
        "203.0.113.0/24 static [1/0] a 10.0.0.2",
    ]
    default = static("0.0.0.0/0", "10.0.0.2")
    assert seen(False, default, static("203.0.113.0/24", "198.51.100.9")) == ["0.0.0.0/0 static [1/0] a 10.0.0.2"]
    assert len(seen(True, default, static("203.0.113.0/24", "198.51.100.9"))) == 2
    assert seen(False, static("203.0.113.0/24", "203.0.113.9")) == []
    assert seen(False, static("203.0.113.0/24", "10.0.0.1")) == []  # its own address
    # the lookup would end at the route itself, whatever shorter one leads there before it stands
    cover, shorter = static("203.0.0.0/16", "10.0.0.2"), ["203.0.0.0/16 static [1/0] a 10.0.0.2"]
    assert seen(False, cover, static("203.0.113.0/24", "203.0.113.9")) == shorter
    assert seen(False, cover, static("203.0.113.9/32", "203.0.113.9")) == shorter
    assert len(seen(False, cover, static("203.0.113.0/24", "203.0.112.9"))) == 2


def test_a_route_whose_next_hop_is_dropped_drops() -> None:
    found = computed(
        router("r", port("a", "10.0.0.1/24", segment="a"),
               static=(static("198.51.100.0/24", discard=True), static("203.0.113.0/24", "198.51.100.9")))
    )  # fmt: skip
    assert one(found, "r", "203.0.113.0/24") == "203.0.113.0/24 static [1/0] discard"


def test_a_leak_leads_into_the_other_table_or_to_a_next_hop_in_it() -> None:
    found = computed(
        router("r", port("a", "10.0.0.1/24", segment="a", vrf="blue"), vrfs=(Vrf(name="blue"),), static=(
            static("198.18.0.0/16", next_hop_vrf="blue"), static("198.19.0.0/16", "10.0.0.2", next_hop_vrf="blue"),
        ))
    )  # fmt: skip
    assert lines(found, "r") == [
        "198.18.0.0/16 static [1/0] table r/blue",
        "198.19.0.0/16 static [1/0] a 10.0.0.2",
    ]


PREFIXES = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: ip_network((pair[0] >> (32 - pair[1]) << (32 - pair[1]), pair[1]))
)


@given(st.lists(PREFIXES, max_size=20), st.integers(0, 2**32 - 1))
def test_the_longest_prefix_is_the_longest_that_holds_the_address(prefixes: list[Prefix], number: int) -> None:
    address = ip_address(number)
    table = Table(Entry(prefix, "static", 1, 0, frozenset((Hop("a"),))) for prefix in prefixes)
    holding = [prefix for prefix in prefixes if address in prefix]
    found = table.longest(address)
    assert (found.prefix if found else None) == max(holding, key=lambda prefix: prefix.prefixlen, default=None)


@given(PREFIXES, PREFIXES, st.none() | st.integers(0, 32), st.none() | st.integers(0, 32))
def test_a_line_of_a_prefix_list_is_a_subnet_between_its_bounds(
    outer: Prefix, inner: Prefix, low: int | None, high: int | None
) -> None:
    rule = PrefixRule(permit=True, prefix=outer, at_least=low, at_most=high)
    smallest = outer.prefixlen if low is None else low
    largest = high if high is not None else outer.prefixlen if low is None else 32
    inside = inner.subnet_of(outer)  # type: ignore[arg-type]  # both are of one family here
    assert covers(rule, inner) == (inside and smallest <= inner.prefixlen <= largest)


COSTS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]),
    st.integers(1, 4),
    max_size=16,
)


@given(COSTS)
def test_shortest_paths_agree_with_relaxing_every_edge_until_nothing_changes(costs: dict[tuple[int, int], int]) -> None:
    # Bellman-Ford, the plainest of all: distances first, then every edge out of the root on some shortest path
    graph: dict[Any, list[Edge]] = {}
    for (one_end, other), cost in costs.items():
        hop = Hop(f"{one_end}-{other}", None, (str(other), ""))
        graph.setdefault((str(one_end), "v"), []).append(Edge((str(other), "v"), cost, hop))
    far = {(root, root): 0 for root in range(6)}
    for _ in range(6):
        for (near, other), cost in costs.items():
            for root in range(6):
                if (root, near) in far:
                    far[root, other] = min(far.get((root, other), 99), far[root, near] + cost)
    found = shortest(graph, ("0", "v"))
    assert {int(node[0]): reached.cost for node, reached in found.items()} == {
        node: cost for (root, node), cost in far.items() if root == 0
    }
    for node, reached in found.items():
        end = int(node[0])
        first = {
            f"0-{other}" for (near, other), cost in costs.items()
            if near == 0 and end != 0 and cost + far.get((other, end), 99) == reached.cost
        }  # fmt: skip
        assert {hop.interface for hop in reached.hops} == first


def test_redistribution_in_a_circle_is_a_doubt_and_no_guess() -> None:
    """Two borders hear a network outside; each hands it to OSPF, which both prefer to what the other says by BGP."""

    def border(number: int, other: int) -> Any:
        bgp = {"autonomous_system": 65000, "router_id": f"192.0.2.{number}", "external_distance": 150, "neighbours": (
            {"address": f"10.9.{number}.1", "remote_as": 65009},
        )}  # fmt: skip
        return router(
            f"r{number}", port("lo", f"192.0.2.{number}/32", ospf=OspfPort(cost=0)),
            port("a", f"10.0.0.{number}/30", segment="12", ospf=OspfPort()),
            port("x", f"10.9.{number}.2/30", segment=f"x{number}"),
            ospf=({"router_id": f"192.0.2.{number}", "redistribute": (Redistribution(source="bgp"),)},), bgp=(bgp,),
        )  # fmt: skip

    outside = router(
        "x", port("1", "10.9.1.1/30", segment="x1"), port("2", "10.9.2.1/30", segment="x2"),
        static=(static("203.0.113.0/24", discard=True),),
        bgp=({"autonomous_system": 65009, "router_id": "192.0.2.9", "networks": ("203.0.113.0/24",), "neighbours": (
            {"address": "10.9.1.2", "remote_as": 65000}, {"address": "10.9.2.2", "remote_as": 65000})},),
    )  # fmt: skip
    found = computed(border(1, 2), border(2, 1), outside)
    assert not found.certain
    assert "203.0.113.0/24" in found.doubts[0]
    assert found.rounds < 16  # of 28: a state that comes back is seen


def test_a_backup_at_two_borders_without_bgp_is_a_doubt_and_no_guess() -> None:
    """Each border has a floating route that it hands to OSPF, which both prefer: whoever is first stays the way out."""

    def border(number: int, *routes: StaticRoute) -> Any:
        return router(
            f"r{number}", port("a", f"10.0.0.{number}/30", segment="12", ospf=OspfPort()),
            port("x", f"10.9.{number}.1/30", segment=f"x{number}"), static=routes,
            ospf=({"router_id": f"192.0.2.{number}", "redistribute": (Redistribution(source="static"),)},),
        )  # fmt: skip

    # r2 finds its next hop a moment later than r1, so that a single beginning ends in one of both
    later = (static("198.51.100.0/24", "10.9.2.2"), static("203.0.113.0/24", "198.51.100.1", distance=150))
    found = computed(border(1, static("203.0.113.0/24", "10.9.1.2", distance=150)), border(2, *later))
    assert not found.certain
    assert "203.0.113.0/24" in found.doubts[0]
    better = computed(border(1, static("203.0.113.0/24", "10.9.1.2")), border(2, *later))
    assert better.certain
    assert one(better, "r2", "203.0.113.0/24") == "203.0.113.0/24 ospf/E2 [110/20] a 10.0.0.1"


def test_a_bound_that_is_too_small_is_a_doubt() -> None:
    interfaces = (port("a", "10.0.0.1/24", segment="a"),)
    chain = (static("198.51.100.0/24", "10.0.0.2"), static("203.0.113.0/24", "198.51.100.9"))
    told = router("r", *interfaces, static=chain)
    assert computed(told).certain
    remedy = "look for redistribution or preferences in a circle"
    where = "r VRF default 198.51.100.0/24"
    assert computed(told, bound=1).doubts == (f"{where}: does not converge within 1 rounds: {remedy}",)


ROUTE = "static route 203.0.113.0/24"
STEEP = PrefixRule.model_validate({"permit": True, "prefix": "10.0.0.0/8", "at_least": 24, "at_most": 16})
MAPPED = Ospf.model_validate({"router_id": "192.0.2.1", "redistribute": ({"source": "static", "route_map": "m"},)})
SPEAKER = Bgp.model_validate({"autonomous_system": 1, "router_id": "192.0.2.1"})
LISTED = RouteMap(name="m", entries=(MapEntry(permit=True, match_prefixes="p"),))


def ospf(**told: Any) -> dict[str, Any]:
    return {"ospf": (Ospf.model_validate({"router_id": "192.0.2.1", **told}),)}


RANGE = {"area": 1, "prefix": "10.0.0.0/8"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"static": (static("203.0.113.0/24"),)},
     f"{ROUTE} leads nowhere: give a next hop, an interface, a VRF or discard"),
    ({"static": (static("203.0.113.0/24", "10.0.0.2", discard=True),)},
     f"{ROUTE} is discarded and has a next hop: keep one of both"),
    ({"static": (static("203.0.113.0/24", "2001:db8::1"),)},
     f"{ROUTE} has next hop 2001:db8::1 of another family: correct it"),
    ({"static": (static("203.0.113.0/24", discard=True, vrf="red"),)},
     f"{ROUTE} names VRF red, which the router does not have: add the VRF or correct the name"),
    ({"static": (static("203.0.113.0/24", interface="b"),)},
     f"{ROUTE} leaves by interface b, which the router does not have: correct the name"),
    ({"ospf": (MAPPED,)}, "route map m is used but not described: describe it"),
    ({"route_maps": (LISTED,)}, "prefix list p is used but not described: describe it"),
    ({"prefix_lists": (PrefixList(name="p", rules=(STEEP,)),)},
     "prefix list p 10.0.0.0/8: lengths must rise from the prefix's to 32"),
    (ospf(stub_areas=(0,)),
     "OSPF area 0 is told to be a stub, which the backbone cannot be (RFC 2328, 3.6): correct the area"),
    (ospf(ranges=(RANGE, {**RANGE, "hide": True})), "OSPF range 10.0.0.0/8 of area 1 occurs twice: keep one"),
    (ospf(ranges=(RANGE,), family=6), "OSPF range 10.0.0.0/8 stands in a process of IPv6: move it to the other"),
    ({"vrfs": (Vrf(name="x", route_distinguisher="65000:1"), Vrf(name="y", route_distinguisher="65000:1"))},
     "route distinguisher 65000:1 is that of two VRFs, whose routes could not be told apart: give each its own"),
    ({"vrfs": (Vrf(name="b/c"),)}, "name b/c holds a slash, and tables are named router/VRF: rename it"),
    ({"bgp": (SPEAKER, SPEAKER)}, "BGP instance of VRF default occurs twice: keep one"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "said"), REFUSED)
def test_a_description_that_contradicts_itself_is_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(DesignFaultError) as refused:
        computed(router("r", port("a", "10.0.0.1/24"), **told))
    assert str(refused.value) == f"r: {said}"


def test_two_interfaces_of_a_vrf_may_not_have_one_network() -> None:
    def told(vrf: str, first: str, second: str) -> Any:
        return router(
            "r", port("a", first, segment="a"), port("b", second, segment="b", vrf=vrf), vrfs=(Vrf(name="x"),)
        )

    with pytest.raises(DesignFaultError) as refused:
        computed(told("default", "10.0.0.1/24", "10.0.0.2/24"))
    assert str(refused.value) == "r: interfaces a and b both have 10.0.0.0/24 in VRF default: keep one"
    assert computed(told("x", "10.0.0.1/24", "10.0.0.2/24")).certain
    assert computed(told("default", "fe80::1/64", "fe80::2/64")).certain


def test_two_interfaces_on_a_segment_may_not_have_one_address() -> None:
    def told(up: bool) -> Any:
        first = router("p", port("a", "10.0.0.1/24", segment="lan"))
        return computed(first, router("q", port("b", "10.0.0.1/24", segment="lan", up=up)))

    with pytest.raises(DesignFaultError) as refused:
        told(up=True)
    assert str(refused.value) == "10.0.0.1 on segment lan is that of p a and q b: give each its own"
    assert told(up=False).certain
