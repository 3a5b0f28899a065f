"""IS-IS tables derived by hand from ISO 10589 and RFC 1195."""

from typing import Any

from orchestrator.forwarding.control.design import Isis, IsisPort, Redistribution, StaticRoute
from tests.forwarding.control.build import computed, lines, one, port, router


def speaker(number: int, *links: tuple[str, str, str, int], area: str = "49.0001", **told: Any) -> Any:
    """A router whose links are (name, addresses apart by spaces, segment, metric)."""
    levels = told.pop("levels", (2,))
    static = told.pop("static", ())
    interfaces = [port(name, *address.split(), segment=segment, isis=IsisPort(metric=metric))
                  for name, address, segment, metric in links]  # fmt: skip
    own = port("lo", f"192.0.2.{number}/32", f"2001:db8::{number}/128", isis=IsisPort(metric=10, passive=True))
    isis = Isis(area=area, system_id=f"0000.0000.000{number}", levels=levels, **told)
    return router(f"r{number}", own, *interfaces, isis=(isis,), static=static)


def test_metrics_add_up_and_prefixes_count_their_own() -> None:
    # RFC 5305, 4: the metric of a prefix is added to the way to the router that announces it
    found = computed(
        speaker(1, ("a", "10.0.0.1/30 2001:db8:12::1/64", "12", 5)),
        speaker(2, ("a", "10.0.0.2/30 2001:db8:12::2/64", "12", 9), ("b", "10.0.0.5/30", "23", 7)),
        speaker(3, ("a", "10.0.0.6/30", "23", 1)),
    )
    assert lines(found, "r1") == [
        "10.0.0.4/30 isis/L2 [115/12] a 10.0.0.2",
        "192.0.2.2/32 isis/L2 [115/15] a 10.0.0.2",
        "192.0.2.3/32 isis/L2 [115/22] a 10.0.0.2",
        "2001:db8::2/128 isis/L2 [115/15] a ('r2', 'a')",
        "2001:db8::3/128 isis/L2 [115/22] a ('r2', 'a')",
    ]
    # r2 knows r3's IPv6 network too, but has no IPv6 on the cable to it: one topology, no next hop
    assert one(found, "r2", "2001:db8::3/128") == "nothing"


def test_other_routes_come_with_their_metric() -> None:
    static = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "discard": True}),)
    found = computed(
        speaker(1, ("a", "10.0.0.1/30", "12", 5), static=static,
                redistribute=(Redistribution(source="static", metric=30),)),
        speaker(2, ("a", "10.0.0.2/30", "12", 9)),
    )  # fmt: skip
    assert one(found, "r2", "203.0.113.0/24") == "203.0.113.0/24 isis/L2 [115/39] a 10.0.0.1"


def test_a_link_of_the_largest_metric_is_not_used() -> None:
    # RFC 5305, 3: 2^24 - 1 takes a link out of the computation, in the direction in which it is told
    def found(metric: int) -> list[str]:
        result = computed(speaker(1, ("a", "10.0.0.1/30", "12", metric)), speaker(2, ("a", "10.0.0.2/30", "12", 10)))
        return [one(result, f"r{number}", f"192.0.2.{3 - number}/32") for number in (1, 2)]

    back = "192.0.2.1/32 isis/L2 [115/20] a 10.0.0.1"
    assert found(0xFFFFFE) == ["192.0.2.2/32 isis/L2 [115/16777224] a 10.0.0.2", back]
    assert found(0xFFFFFF) == ["nothing", back]


def two_areas(**told: Any) -> Any:
    """r1 (level 1) - r2 (both) in area 1; r2 - r3 (level 2) in area 2."""
    both = told.pop("both", (1, 2))
    return computed(
        speaker(1, ("a", "10.0.0.1/30", "12", 10), levels=(1,), **told),
        speaker(2, ("a", "10.0.0.2/30", "12", 10), ("b", "10.0.0.5/30", "23", 10), levels=both),
        speaker(3, ("a", "10.0.0.6/30", "23", 10), area="49.0002"),
    )


def test_level_1_knows_its_area_and_the_nearest_attached_router() -> None:
    # RFC 1195, 3.2: outside destinations by the nearest attached level 2 router, metric of the way to it
    found = two_areas()
    assert [line for line in lines(found, "r1") if ":" not in line] == [
        "0.0.0.0/0 isis/L1 [115/10] a 10.0.0.2",
        "10.0.0.4/30 isis/L1 [115/20] a 10.0.0.2",
        "192.0.2.2/32 isis/L1 [115/20] a 10.0.0.2",
    ]
    assert one(two_areas(attached_default=False), "r1", "0.0.0.0/0") == "nothing"
    assert lines(two_areas(both=(2, 1)), "r1") == lines(found, "r1")


def test_level_2_hears_of_an_area_through_its_level_1_2_router() -> None:
    # RFC 1195, 3.2: level 1 routes are announced at level 2 with their metric; 10 + (10 + 10)
    assert one(two_areas(), "r3", "192.0.2.1/32") == "192.0.2.1/32 isis/L2 [115/30] a 10.0.0.5"


def test_level_2_hears_of_the_networks_of_a_level_1_circuit() -> None:
    # RFC 1195, 3.2: r2 stands on the cable to r1 at level 1 only, and announces its null route at level 1
    def on(number: int, levels: tuple[int, ...], *links: tuple[str, str, str, tuple[int, ...]], **told: Any) -> Any:
        interfaces = [
            port(name, address, segment=segment, isis=IsisPort.model_validate({"metric": 10, "levels": of_link}))
            for name, address, segment, of_link in links
        ]
        process = {"area": f"49.000{3 - len(levels)}", "system_id": f"0000.0000.000{number}", "levels": levels}
        isis = Isis.model_validate(process | told.pop("of_isis", {}))
        return router(f"r{number}", *interfaces, isis=(isis,), **told)

    def found(**of_isis: Any) -> list[str]:
        static = (StaticRoute.model_validate({"prefix": "203.0.113.0/24", "discard": True}),)
        announced = {"redistribute": (Redistribution(source="static", metric=3),), "redistribute_levels": (1,)}
        far = on(3, (2,), ("b", "10.0.0.6/30", "23", (2,)))
        return lines(
            computed(
                on(1, (1, 2), ("a", "10.0.0.1/30", "12", (1,))),
                on(2, (1, 2), ("a", "10.0.0.2/30", "12", (1,)), ("b", "10.0.0.5/30", "23", (2,)), static=static,
                   of_isis=announced | of_isis),
                far,
            ),
            "r3",
        )  # fmt: skip

    assert found() == ["10.0.0.0/30 isis/L2 [115/20] b 10.0.0.5", "203.0.113.0/24 isis/L2 [115/13] b 10.0.0.5"]
    assert found(up_to_level_2=False) == []


def test_level_1_is_preferred_whatever_the_metric() -> None:
    # ISO 10589, 7.2.12; RFC 5302, 3.2. Level 1 costs 50, level 2 over r3 only 2.
    def both(number: int, *links: tuple[str, str, str, int, tuple[int, ...]]) -> Any:
        own = port("lo", f"192.0.2.{number}/32", isis=IsisPort(passive=True))
        interfaces = [
            port(name, address, segment=segment, isis=IsisPort.model_validate({"metric": metric, "levels": levels}))
            for name, address, segment, metric, levels in links
        ]
        isis = Isis(area="49.0001", system_id=f"0000.0000.000{number}")
        return router(f"r{number}", own, *interfaces, isis=(isis,))

    found = computed(
        both(1, ("a", "10.0.0.1/30", "12", 50, (1,)), ("c", "10.0.0.9/30", "13", 1, (2,))),
        both(2, ("a", "10.0.0.2/30", "12", 50, (1,)), ("b", "10.0.0.5/30", "23", 1, (2,))),
        both(3, ("b", "10.0.0.6/30", "23", 1, (2,)), ("c", "10.0.0.10/30", "13", 1, (2,))),
    )
    assert one(found, "r1", "192.0.2.2/32") == "192.0.2.2/32 isis/L1 [115/60] a 10.0.0.2"


def test_other_areas_do_not_meet_at_level_1() -> None:
    found = computed(
        speaker(1, ("a", "10.0.0.1/30", "12", 10), levels=(1,)),
        speaker(2, ("a", "10.0.0.2/30", "12", 10), levels=(1,), area="49.0002"),
    )
    assert lines(found, "r1") == []
