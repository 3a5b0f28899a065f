"""Designs by hand for what the random ones leave out: each is held against real FRR too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.forwarding.control.design import Design, Interface, Router

CORNERS: dict[str, Callable[[], Design]] = {}


def corner(make: Callable[[], Design]) -> Callable[[], Design]:
    """Keep a design under its function's name."""
    CORNERS[make.__name__] = make
    return make


def _port(name: str, *addresses: str, segment: str | None = None, **told: Any) -> Interface:
    return Interface.model_validate(
        {"name": name, "addresses": addresses, "segment": segment, "loopback": name == "lo", **told}
    )


def _router(name: str, *interfaces: Interface, **told: Any) -> Router:
    return Router.model_validate({"name": name, "interfaces": interfaces, **told})


def _identifier(number: int) -> dict[str, Any]:
    return {"router_id": f"192.0.2.{number}"}


@corner
def segment_of_three() -> Design:
    """OSPF on a shared segment with a designated router, and an external next hop that stands on it."""

    def on(number: int, **told: Any) -> Router:
        shared = {"cost": 5 + number, "point_to_point": False}
        return _router(
            f"r{number}", _port("lo", f"192.0.2.{number}/32", ospf={"cost": 10}),
            _port("lan", f"10.0.0.{number}/24", segment="lan", ospf=shared),
            _port("own", f"10.{number}.0.1/24", ospf={"cost": 3, "passive": True}),
            ospf=({**_identifier(number), **told.pop("of_ospf", {})},), **told,
        )  # fmt: skip

    static = ({"prefix": "203.0.113.0/24", "via": "10.0.0.9", "tag": 7}, {"prefix": "198.51.100.0/24", "discard": True})
    maps = (
        {"name": "sevens", "entries": ({"permit": True, "match_tag": 7, "set_metric": 33, "set_external_type": 1},)},
    )
    announced = {"redistribute": ({"source": "static", "route_map": "sevens"},)}
    return Design(routers=(on(1, static=static, route_maps=maps, of_ospf=announced), on(2), on(3)))


@corner
def ospf_for_ipv6() -> Design:
    """OSPF version 3 in two areas, with an external route."""

    def link(name: str, address: str, segment: str, area: int, cost: int) -> Interface:
        return _port(name, address, segment=segment, ospf6={"area": area, "cost": cost})

    def own(number: int, area: int) -> Interface:
        return _port("lo", f"2001:db8:ff::{number}/128", ospf6={"area": area, "cost": 10})

    def told(number: int, **more: Any) -> Any:
        return ({**_identifier(number), "family": 6, **more},)

    static = ({"prefix": "2001:db8:dead::/48", "discard": True},)
    return Design(routers=(
        _router("r1", own(1, 0), link("a", "2001:db8:12::1/64", "12", 0, 7),
                ospf=told(1, redistribute=({"source": "static", "metric": 15},)), static=static),
        _router("r2", own(2, 0), link("a", "2001:db8:12::2/64", "12", 0, 5), link("b", "2001:db8:23::1/64", "23", 1, 9),
                ospf=told(2)),
        _router("r3", own(3, 1), link("b", "2001:db8:23::2/64", "23", 1, 4), ospf=told(3)),
    ))  # fmt: skip


@corner
def isis_levels() -> Design:
    """Two IS-IS areas: a router of level 1, two that stand on both levels, one of level 2 outside."""

    def speaker(number: int, area: str, levels: tuple[int, ...], *links: tuple[str, str, str, int]) -> Router:
        ports = [_port(name, address, segment=segment, isis={"metric": metric, "levels": levels})
                 for name, address, segment, metric in links]  # fmt: skip
        # FRR 8.4 announces at level 2 only its own level 1 networks, not those it has learnt (RFC 1195, 3.2 does)
        isis = {"area": area, "system_id": f"0000.0000.{number:04d}", "levels": levels, "up_to_level_2": False}
        own = _port(
            "lo", f"192.0.2.{number}/32", f"2001:db8:ff::{number}/128", isis={"passive": True, "levels": levels}
        )
        return _router(f"r{number}", own, *ports, isis=(isis,))

    return Design(routers=(
        speaker(1, "49.0001", (1,), ("a", "10.0.0.1/30", "12", 10), ("b", "10.0.0.5/30", "13", 20)),
        speaker(2, "49.0001", (1, 2), ("a", "10.0.0.2/30", "12", 10), ("c", "10.0.0.9/30", "24", 10)),
        speaker(3, "49.0001", (1, 2), ("b", "10.0.0.6/30", "13", 20), ("c", "10.0.0.13/30", "34", 30)),
        speaker(4, "49.0002", (2,), ("c", "10.0.0.10/30", "24", 10), ("d", "10.0.0.14/30", "34", 30)),
    ))  # fmt: skip


@corner
def vrfs_with_routing() -> Design:
    """OSPF in one VRF and BGP in another, with the same addresses in both."""

    def end(number: int) -> Router:
        other = 3 - number
        red = {**_identifier(number), "autonomous_system": 65000 + number, "vrf": "red",
               "redistribute": ({"source": "connected"},),
               "neighbours": ({"address": f"10.0.0.{other}", "remote_as": 65000 + other},)}  # fmt: skip
        return _router(
            f"r{number}",
            _port("b", f"10.0.0.{number}/30", segment="blue", vrf="blue", ospf={"cost": 4}),
            _port("bl", f"10.{number}.0.1/24", vrf="blue", ospf={"passive": True, "cost": 2}),
            _port("r", f"10.0.0.{number}/30", segment="red", vrf="red"), _port("rl", f"10.{number}.0.1/24", vrf="red"),
            vrfs=({"name": "blue"}, {"name": "red"}), ospf=({**_identifier(number), "vrf": "blue"},), bgp=(red,),
        )  # fmt: skip

    return Design(routers=(end(1), end(2)))


@corner
def bgp_for_ipv6_and_communities() -> Design:
    """BGP over IPv6 between three systems: communities decide preference, one is not exported, MED and multipath."""
    pieces = tuple(f"2001:db8:{number:x}::/48" for number in (0xA1, 0xA2, 0xA3))
    static = tuple({"prefix": prefix, "discard": True} for prefix in pieces)
    lists = tuple(
        {"name": f"p{at}", "rules": ({"permit": True, "prefix": prefix},)} for at, prefix in enumerate(pieces)
    )
    marks = {"name": "mark", "entries": (
        {"permit": True, "match_prefixes": "p0", "set_communities": ("65001:7",)},
        {"permit": True, "match_prefixes": "p1", "set_communities": ("no-export",)},
        {"permit": True, "set_metric": 40},
    )}  # fmt: skip
    prefer = {"name": "prefer", "entries": (
        {"permit": True, "match_community": "65001:7", "set_local_preference": 300}, {"permit": True},
    )}  # fmt: skip
    origin = {**_identifier(1), "autonomous_system": 65001, "redistribute": ({"source": "static"},), "neighbours": (
        {"address": "2001:db8:12::2", "remote_as": 65002, "export_map": "mark"},
        {"address": "2001:db8:13::2", "remote_as": 65003, "export_map": "mark"},
    )}  # fmt: skip
    middle = {**_identifier(2), "autonomous_system": 65002, "external_paths": 2, "neighbours": (
        {"address": "2001:db8:12::1", "remote_as": 65001},
        {"address": "2001:db8:23::2", "remote_as": 65003, "import_map": "prefer"},
    )}  # fmt: skip
    last = {**_identifier(3), "autonomous_system": 65003, "external_paths": 2, "neighbours": (
        {"address": "2001:db8:13::1", "remote_as": 65001},
        {"address": "2001:db8:23::1", "remote_as": 65002},
    )}  # fmt: skip
    return Design(routers=(
        _router("r1", _port("a", "2001:db8:12::1/64", segment="12"), _port("b", "2001:db8:13::1/64", segment="13"),
                static=static, bgp=(origin,), prefix_lists=lists, route_maps=(marks,)),
        _router("r2", _port("a", "2001:db8:12::2/64", segment="12"), _port("c", "2001:db8:23::1/64", segment="23"),
                bgp=(middle,), route_maps=(prefer,)),
        _router("r3", _port("b", "2001:db8:13::2/64", segment="13"), _port("c", "2001:db8:23::2/64", segment="23"),
                bgp=(last,)),
    ))  # fmt: skip


@corner
def a_cut_cable_and_floating_routes() -> Design:
    """One cable of a ring is down; static routes with next hops by OSPF, by interface, waiting, and by default."""

    def link(name: str, address: str, segment: str, **told: Any) -> Interface:
        return _port(name, address, segment=segment, ospf={"cost": 10}, **told)

    own = [_port("lo", f"192.0.2.{number}/32", ospf={"cost": 10}) for number in range(4)]
    static = (
        {"prefix": "203.0.113.0/25", "via": "192.0.2.3"}, {"prefix": "203.0.113.128/25", "via": "10.0.0.6"},
        {"prefix": "203.0.113.128/25", "discard": True, "distance": 250},
        {"prefix": "198.51.100.0/24", "via": "10.0.0.2"}, {"prefix": "0.0.0.0/0", "via": "10.0.0.2"},
        {"prefix": "198.18.0.0/24", "via": "198.19.0.1"}, {"prefix": "198.18.1.0/24", "via": "198.51.100.7"},
    )  # fmt: skip
    return Design(routers=(
        _router("r1", own[1], link("a", "10.0.0.1/30", "12"), link("b", "10.0.0.5/30", "13"), static=static,
                ospf=(_identifier(1),)),
        _router("r2", own[2], link("a", "10.0.0.2/30", "12"), link("c", "10.0.0.9/30", "23"), ospf=(_identifier(2),)),
        _router("r3", own[3], link("b", "10.0.0.6/30", "13", up=False), link("c", "10.0.0.10/30", "23"),
                ospf=(_identifier(3),)),
    ))  # fmt: skip


@corner
def vpns_over_a_core() -> Design:
    """Two provider edges with a core router between: one VRF on both, one that only hears it, one apart."""
    targets = {"blue": (("65000:1",), ("65000:1",)), "hear": (("65000:1",), ("65000:9",)), "apart": (("65000:3",),) * 2}

    def edge(number: int, other: int, vrfs: tuple[str, ...]) -> Router:
        ends = {"address": f"192.0.2.{other}", "source": f"192.0.2.{number}", "remote_as": 65000}
        peer = {**ends, "vpn": True, "unicast": False}
        announced = {"autonomous_system": 65000, "redistribute": ({"source": "connected"},)}
        of_vrfs = [{**_identifier(number), **announced, "vrf": name} for name in vrfs]
        return _router(
            f"pe{number}", _port("lo", f"192.0.2.{number}/32", ospf={"cost": 10}),
            _port("core", f"10.0.{number}.1/30", segment=f"core{number}", ospf={"cost": 10}),
            *(_port(name, f"10.{number}.{at}.1/24", vrf=name) for at, name in enumerate(vrfs)),
            vrfs=tuple({"name": name, "route_distinguisher": f"65000:{number}{at}", "import_targets": targets[name][0],
                        "export_targets": targets[name][1]} for at, name in enumerate(vrfs)),
            ospf=(_identifier(number),),
            bgp=({**_identifier(number), "autonomous_system": 65000, "neighbours": (peer,)}, *of_vrfs),
        )  # fmt: skip

    core = _router(
        "p", _port("lo", "192.0.2.9/32", ospf={"cost": 10}),
        *(_port(f"pe{number}", f"10.0.{number}.2/30", segment=f"core{number}", ospf={"cost": 10}) for number in (1, 2)),
        ospf=(_identifier(9),),
    )  # fmt: skip
    return Design(routers=(edge(1, 2, ("blue", "hear")), core, edge(2, 1, ("blue", "apart"))))
