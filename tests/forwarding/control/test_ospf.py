"""OSPF tables derived by hand from RFC 2328."""

from ipaddress import ip_network
from typing import Any

import pytest

from orchestrator.forwarding.control.design import (
    Interface,
    Ospf,
    OspfDefault,
    OspfPort,
    OspfRange,
    Redistribution,
    StaticRoute,
)
from tests.forwarding.control.build import computed, lines, one, port, router


def link(name: str, address: str, segment: str, cost: int = 10, area: int = 0, **told: Any) -> Interface:
    return port(name, address, segment=segment, ospf=OspfPort(area=area, cost=cost, **told))


def loopback(number: int, area: int = 0, cost: int = 0) -> Interface:
    return port("lo", f"192.0.2.{number}/32", ospf=OspfPort(area=area, cost=cost))


def ospf(number: int, **told: Any) -> tuple[Ospf, ...]:
    return (Ospf.model_validate({"router_id": f"192.0.2.{number}", **told}),)


def square() -> Any:
    """r1 - r2 - r4 and r1 - r3 - r4, every cost 10; r4 announces a stub network of cost 7."""
    return computed(
        router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), link("b", "10.0.0.5/30", "13"), ospf=ospf(1)),
        router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), link("b", "10.0.0.9/30", "24"), ospf=ospf(2)),
        router("r3", loopback(3), link("a", "10.0.0.6/30", "13"), link("b", "10.0.0.13/30", "34"), ospf=ospf(3)),
        router("r4", loopback(4), link("a", "10.0.0.10/30", "24"), link("b", "10.0.0.14/30", "34"),
               port("lan", "198.18.4.1/24", ospf=OspfPort(cost=7, passive=True)), ospf=ospf(4)),
    )  # fmt: skip


def test_equal_costs_keep_every_next_hop() -> None:
    # RFC 2328, 16.1: 10 + 10 both ways; stub networks add their own cost (12.4.1), a loopback nothing (12.4.1.1)
    assert lines(square(), "r1") == [
        "10.0.0.12/30 ospf/intra [110/20] b 10.0.0.6",
        "10.0.0.8/30 ospf/intra [110/20] a 10.0.0.2",
        "192.0.2.2/32 ospf/intra [110/10] a 10.0.0.2",
        "192.0.2.3/32 ospf/intra [110/10] b 10.0.0.6",
        "192.0.2.4/32 ospf/intra [110/20] a 10.0.0.2, b 10.0.0.6",
        "198.18.4.0/24 ospf/intra [110/27] a 10.0.0.2, b 10.0.0.6",
    ]


def test_the_cost_is_that_of_the_sending_side() -> None:
    # RFC 2328, 9: a cost belongs to the output side of an interface, so the two directions may differ
    found = computed(
        router("r1", loopback(1), link("a", "10.0.0.1/30", "12", cost=3), ospf=ospf(1)),
        router("r2", loopback(2), link("a", "10.0.0.2/30", "12", cost=9), ospf=ospf(2)),
    )
    assert one(found, "r1", "192.0.2.2/32") == "192.0.2.2/32 ospf/intra [110/3] a 10.0.0.2"
    assert one(found, "r2", "192.0.2.1/32") == "192.0.2.1/32 ospf/intra [110/9] a 10.0.0.1"


def test_neighbours_need_the_same_area_subnet_and_network_type_and_to_speak() -> None:
    # RFC 2328, 10.5; a passive interface announces its network and makes no neighbour
    def met(address: str = "10.0.0.2/30", **told: Any) -> str:
        return one(
            computed(
                router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), ospf=ospf(1)),
                router("r2", loopback(2), link("a", address, "12", **told), ospf=ospf(2)),
            ),
            "r1", "192.0.2.2/32",
        )  # fmt: skip

    assert met() == "192.0.2.2/32 ospf/intra [110/10] a 10.0.0.2"
    assert met(area=1) == met(passive=True) == met(point_to_point=False) == met(address="10.0.0.6/30") == "nothing"


def test_a_segment_of_three_costs_the_sender_once() -> None:
    # RFC 2328, 16.1 (2): the cost from a network vertex to its routers is 0
    def on(number: int, cost: int) -> Any:
        return router(
            f"r{number}", loopback(number),
            link("lan", f"10.0.0.{number}/24", "lan", cost=cost, point_to_point=False), ospf=ospf(number),
        )  # fmt: skip

    found = computed(on(1, 4), on(2, 5), on(3, 6))
    assert lines(found, "r1") == [
        "192.0.2.2/32 ospf/intra [110/4] lan 10.0.0.2",
        "192.0.2.3/32 ospf/intra [110/4] lan 10.0.0.3",
    ]
    assert one(found, "r3", "192.0.2.1/32") == "192.0.2.1/32 ospf/intra [110/6] lan 10.0.0.1"


def areas(**of_border: Any) -> Any:
    """r1 (area 0) - r2 (border) - r3 (area 1); r1 also has a null route that it announces with metric 15."""
    redistribute = (Redistribution(source="static", metric=15, external_type=of_border.pop("kind", 2)),)
    null = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "discard": True, "tag": 7}),)
    of_area = {key: of_border[key] for key in ("stub_areas", "closed_areas") if key in of_border}
    return computed(
        router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), ospf=ospf(1, redistribute=redistribute), static=null),
        router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), link("b", "10.1.0.1/30", "23", area=1),
               ospf=ospf(2, **of_border)),
        router("r3", loopback(3, area=1), link("a", "10.1.0.2/30", "23", area=1),
               port("lan", "10.1.1.1/24", ospf=OspfPort(area=1, cost=5, passive=True)), ospf=ospf(3, **of_area)),
    )  # fmt: skip


def test_areas_hear_of_each_other_through_the_border_router() -> None:
    # RFC 2328, 12.4.3 and 16.2: the border's own cost, plus the cost to the border; externals flood (type 4 for r1)
    found = areas()
    assert lines(found, "r1", without=("connected", "static")) == [
        "10.1.0.0/30 ospf/inter [110/20] a 10.0.0.2",
        "10.1.1.0/24 ospf/inter [110/25] a 10.0.0.2",
        "192.0.2.2/32 ospf/intra [110/10] a 10.0.0.2",
        "192.0.2.3/32 ospf/inter [110/20] a 10.0.0.2",
    ]
    assert lines(found, "r3") == [
        "10.0.0.0/30 ospf/inter [110/20] a 10.1.0.1",
        "192.0.2.1/32 ospf/inter [110/20] a 10.1.0.1",
        "192.0.2.2/32 ospf/inter [110/10] a 10.1.0.1",
        "203.0.113.0/24 ospf/E2 [110/15] a 10.1.0.1",
    ]


def test_type_1_externals_add_the_way_to_their_router() -> None:
    # RFC 2328, 16.4 (6) d: X + Y = 20 + 15
    assert one(areas(kind=1), "r3", "203.0.113.0/24") == "203.0.113.0/24 ospf/E1 [110/35] a 10.1.0.1"
    assert areas(kind=1).tables["r3", "default"][ip_network("203.0.113.0/24")].tag == 7


def test_a_border_announces_the_preferred_way_to_the_router_of_an_external() -> None:
    # RFC 2328, 12.4.3 and 16.4.1: r2 reaches r1 at 1 over the backbone and at 10 in area 1, which is preferred
    null = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "discard": True}),)
    redistribute = (Redistribution(source="static", metric=5, external_type=1),)
    found = computed(
        router("r1", link("a", "10.0.0.1/30", "a", cost=1), link("b", "10.0.0.5/30", "b", area=1),
               ospf=ospf(1, redistribute=redistribute), static=null),
        router("r2", link("a", "10.0.0.2/30", "a", cost=1), link("b", "10.0.0.6/30", "b", area=1),
               link("c", "10.0.0.9/30", "c", area=2, cost=1), ospf=ospf(2)),
        router("r3", link("c", "10.0.0.10/30", "c", area=2, cost=1), ospf=ospf(3)),
    )  # fmt: skip
    assert one(found, "r2", "203.0.113.0/24") == "203.0.113.0/24 ospf/E1 [110/15] b 10.0.0.5"
    assert one(found, "r3", "203.0.113.0/24") == "203.0.113.0/24 ospf/E1 [110/16] c 10.0.0.9"


def test_an_external_of_infinite_metric_leads_nowhere() -> None:
    # RFC 2328, 16.4 (1) and appendix B: LSInfinity
    def found(metric: int) -> str:
        null = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "discard": True}),)
        told = ospf(1, redistribute=(Redistribution(source="static", metric=metric),))
        return one(
            computed(router("r1", link("a", "10.0.0.1/30", "12"), ospf=told, static=null),
                     router("r2", link("a", "10.0.0.2/30", "12"), ospf=ospf(2))),
            "r2", "203.0.113.0/24",
        )  # fmt: skip

    assert found(0xFFFFFE) == "203.0.113.0/24 ospf/E2 [110/16777214] a 10.0.0.1"
    assert found(0xFFFFFF) == "nothing"


def test_a_stub_area_has_a_default_instead_of_externals() -> None:
    # RFC 2328, 3.6 and 12.4.3.1; a totally stub area has no summaries either
    found = areas(stub_areas=(1,))
    assert lines(found, "r3") == [
        "0.0.0.0/0 ospf/inter [110/11] a 10.1.0.1",
        "10.0.0.0/30 ospf/inter [110/20] a 10.1.0.1",
        "192.0.2.1/32 ospf/inter [110/20] a 10.1.0.1",
        "192.0.2.2/32 ospf/inter [110/10] a 10.1.0.1",
    ]
    assert lines(areas(closed_areas=(1,)), "r3") == ["0.0.0.0/0 ospf/inter [110/11] a 10.1.0.1"]
    assert one(found, "r2", "203.0.113.0/24") == "203.0.113.0/24 ospf/E2 [110/15] a 10.0.0.1"


def test_a_range_stands_for_its_components_and_is_discarded_at_the_border() -> None:
    # RFC 2328, 12.4.3: the cost is the largest component's, 15 by 10 + 5; 11.1 and C.2: the border drops the rest
    found = areas(ranges=(OspfRange.model_validate({"area": 1, "prefix": "10.1.0.0/16"}),))
    assert one(found, "r1", "10.1.0.0/16") == "10.1.0.0/16 ospf/inter [110/25] a 10.0.0.2"
    assert one(found, "r1", "10.1.1.0/24") == "nothing"
    assert one(found, "r1", "192.0.2.3/32") == "192.0.2.3/32 ospf/inter [110/20] a 10.0.0.2"
    assert one(found, "r2", "10.1.0.0/16") == "10.1.0.0/16 ospf/range [110/0] discard"
    assert one(found, "r2", "10.1.1.0/24") == "10.1.1.0/24 ospf/intra [110/15] b 10.1.0.2"
    hidden = areas(ranges=(OspfRange.model_validate({"area": 1, "prefix": "10.1.0.0/16", "hide": True}),))
    assert one(hidden, "r1", "10.1.0.0/16") == "nothing"


@pytest.mark.parametrize("turned", [False, True])
def test_the_longest_of_two_ranges_stands_for_a_component(turned: bool) -> None:
    ranges = [OspfRange.model_validate({"area": 1, "prefix": prefix}) for prefix in ("10.0.0.0/8", "10.1.1.0/24")]
    found = areas(ranges=tuple(reversed(ranges) if turned else ranges))
    assert one(found, "r1", "10.1.1.0/24") == "10.1.1.0/24 ospf/inter [110/25] a 10.0.0.2"
    assert one(found, "r1", "10.0.0.0/8") == "10.0.0.0/8 ospf/inter [110/20] a 10.0.0.2"


def test_a_range_without_components_does_not_keep_another_border_s_out() -> None:
    # RFC 2328, 16.2 (2): only an active range lets a border disregard the same range from the backbone. r1 has a port
    # in area 1 too, but what r1 has there is none of the range's.
    of_area = OspfRange.model_validate({"area": 1, "prefix": "10.1.0.0/16"})

    def found(own: str) -> str:
        return one(
            computed(
                router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), link("c", own, "apart", area=1),
                       ospf=ospf(1, ranges=(of_area,))),
                router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), link("b", "10.1.0.1/30", "23", area=1),
                       ospf=ospf(2, ranges=(of_area,))),
            ),
            "r1", "10.1.0.0/16",
        )  # fmt: skip

    assert found("172.16.0.1/30") == "10.1.0.0/16 ospf/inter [110/20] a 10.0.0.2"
    assert found("10.1.9.1/30") == "10.1.0.0/16 ospf/range [110/0] discard"


def test_a_router_in_stub_areas_alone_has_nobody_to_tell_externals() -> None:
    # RFC 2328, 3.6: externals are not flooded into or through stub areas, so nobody hears those of r3
    redistribute, static = (Redistribution(source="static"),), StaticRoute.model_validate(
        {"prefix": "203.0.113.0/24", "discard": True}
    )  # fmt: skip

    def found(stub: tuple[int, ...], name: str) -> str:
        result = computed(
            router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), ospf=ospf(1)),
            router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), link("b", "10.1.0.1/30", "23", area=1),
                   ospf=ospf(2, stub_areas=stub)),
            router("r3", loopback(3, area=1), link("a", "10.1.0.2/30", "23", area=1),
                   ospf=ospf(3, stub_areas=stub, redistribute=redistribute), static=(static,)),
        )  # fmt: skip
        return one(result, name, "203.0.113.0/24")

    assert [found((1,), name) for name in ("r1", "r2")] == ["nothing", "nothing"]
    assert found((), "r1") == "203.0.113.0/24 ospf/E2 [110/20] a 10.0.0.2"


def test_inside_beats_between_beats_outside_whatever_the_cost() -> None:
    # RFC 2328, 11: path types in order of preference. Area 1 also joins r1 and r3 directly, at cost 500.
    found = computed(
        router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), link("c", "10.1.0.5/30", "13", cost=500, area=1),
               ospf=ospf(1)),
        router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), link("b", "10.1.0.1/30", "23", area=1), ospf=ospf(2)),
        router("r3", loopback(3, area=1), link("a", "10.1.0.2/30", "23", area=1, cost=1),
               link("c", "10.1.0.6/30", "13", area=1, cost=500), ospf=ospf(3)),
    )  # fmt: skip
    # r1 is a border of area 1: the way inside the area (500) is taken, not the one over the backbone (10 + 10)
    assert one(found, "r1", "192.0.2.3/32") == "192.0.2.3/32 ospf/intra [110/500] c 10.1.0.6"


def test_a_default_is_announced_only_when_told_and_never_by_redistribution() -> None:
    default = StaticRoute.model_validate({"prefix": "0.0.0.0/0", "discard": True})

    def seen(static: tuple[StaticRoute, ...] = (default,), **told: Any) -> str:
        return one(
            computed(
                router("r1", loopback(1), link("a", "10.0.0.1/30", "12"), ospf=ospf(1, **told), static=static),
                router("r2", loopback(2), link("a", "10.0.0.2/30", "12"), ospf=ospf(2)),
            ),
            "r2", "0.0.0.0/0",
        )  # fmt: skip

    assert seen(redistribute=(Redistribution(source="static"),)) == "nothing"
    assert seen(default=OspfDefault()) == "0.0.0.0/0 ospf/E2 [110/10] a 10.0.0.1"
    assert seen(static=(), default=OspfDefault()) == "nothing"
    assert seen(static=(), default=OspfDefault(always=True)) == "0.0.0.0/0 ospf/E2 [110/10] a 10.0.0.1"


def test_an_external_next_hop_on_an_ospf_network_is_taken_directly() -> None:
    # RFC 2328, 2.3 and 16.4 (3): the forwarding address; r1 and r2 share the segment on which 10.0.0.9 stands
    static = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "via": "10.0.0.9"}),)
    told = ospf(1, redistribute=(Redistribution(source="static"),))
    found = computed(
        router("r1", loopback(1), link("lan", "10.0.0.1/24", "lan", point_to_point=False), ospf=told, static=static),
        router("r2", loopback(2), link("lan", "10.0.0.2/24", "lan", point_to_point=False), ospf=ospf(2)),
    )
    assert one(found, "r2", "203.0.113.0/24") == "203.0.113.0/24 ospf/E2 [110/20] lan 10.0.0.9"


def test_the_router_that_is_itself_an_external_next_hop_does_not_take_it() -> None:
    # it would send to its own address; r3 goes there directly
    static = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "via": "10.0.0.2"}),)
    lan = [link("lan", f"10.0.0.{number}/24", "lan", point_to_point=False) for number in (1, 2, 3)]
    told = ospf(1, redistribute=(Redistribution(source="static"),))
    found = computed(
        router("r1", lan[0], ospf=told, static=static), router("r2", lan[1], ospf=ospf(2)),
        router("r3", lan[2], ospf=ospf(3)),
    )  # fmt: skip
    assert one(found, "r2", "203.0.113.0/24") == "nothing"
    assert one(found, "r3", "203.0.113.0/24") == "203.0.113.0/24 ospf/E2 [110/20] lan 10.0.0.2"


def test_version_3_computes_the_same_for_ipv6() -> None:
    # RFC 5340: next hops are link-local, so only the neighbour is known
    def end(number: int) -> Any:
        return router(
            f"r{number}", port("lo", f"2001:db8::{number}/128", ospf6=OspfPort(cost=0)),
            port("a", f"2001:db8:1::{number}/64", segment="12", ospf6=OspfPort(cost=4)), ospf=ospf(number, family=6),
        )  # fmt: skip

    assert one(computed(end(1), end(2)), "r1", "2001:db8::2/128") == (
        "2001:db8::2/128 ospf6/intra [110/4] a ('r2', 'a')"
    )


def test_a_shared_segment_of_version_3_has_the_prefixes_of_all_that_speak_on_it() -> None:
    # RFC 5340, 4.4.3.9: its designated router announces those of every attached router; one that does not speak is none
    def on(number: int, *addresses: str, **told: Any) -> Any:
        shared = port("lan", *addresses, segment="lan", ospf6=OspfPort(cost=4, point_to_point=False))
        return router(f"r{number}", shared, *told.pop("more", ()), ospf=ospf(number, family=6), **told)

    own = port("lo", "2001:db8:ff::3/128", ospf6=OspfPort(cost=1))
    found = computed(
        router("quiet", port("lan", "10.0.0.9/24", "2001:db8:9::9/64", segment="lan")),
        on(1, "2001:db8:1::1/64"), on(2, "2001:db8:1::2/64", "2001:db8:2::2/64"), on(3, more=(own,)),
    )  # fmt: skip
    assert lines(found, "r1") == [
        "2001:db8:2::/64 ospf6/intra [110/4] lan",
        "2001:db8:ff::3/128 ospf6/intra [110/5] lan ('r3', 'lan')",
    ]
    assert one(found, "r3", "2001:db8:1::/64") == "2001:db8:1::/64 ospf6/intra [110/4] lan"
