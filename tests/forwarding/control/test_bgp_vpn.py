"""Routes of VPNs between routers and inside one, derived by hand from RFC 4364."""

from typing import Any

import pytest

from orchestrator.forwarding.control.design import (
    Bgp,
    Redistribution,
    StaticRoute,
    Vrf,
)
from tests.forwarding.control.build import computed, lines, one, port, router


def edge(number: int, other: int, imports: tuple[str, ...], exports: tuple[str, ...], **of_vpn: Any) -> Any:
    """A provider edge with VRF "blue": a customer network, and a VPN session to the other edge's loopback."""
    vrf = Vrf(name="blue", route_distinguisher=f"65000:{number}", import_targets=imports, export_targets=exports)
    peer = {
        "address": f"192.0.2.{other}",
        "remote_as": 65000,
        "source": f"192.0.2.{number}",
        "unicast": False,
        "vpn": True,
    }
    core = Bgp.model_validate({"autonomous_system": 65000, "router_id": f"192.0.2.{number}", "neighbours": (peer,)})
    blue = Bgp.model_validate({"autonomous_system": 65000, "router_id": f"192.0.2.{number}", "vrf": "blue",
                               "redistribute": (Redistribution(source="connected"),)})  # fmt: skip
    return router(
        f"pe{number}", port("lo", f"192.0.2.{number}/32"), port("core", f"10.0.0.{number}/30", segment="core"),
        port("lan", f"198.18.{number}.1/24", vrf="blue"), vrfs=(vrf,), bgp=(core, blue), **of_vpn,
        static=(StaticRoute.model_validate({"prefix": f"192.0.2.{other}/32", "via": f"10.0.0.{other}"}),),
    )  # fmt: skip


def test_route_targets_decide_what_a_vrf_hears() -> None:
    # RFC 4364, 4.3.1 and 4.3.5: the next hop is the other edge, whose label leads into its VRF
    found = computed(edge(1, 2, ("65000:100",), ("65000:100",)), edge(2, 1, ("65000:100",), ("65000:100",)))
    assert lines(found, "pe1", "blue") == ["198.18.2.0/24 bgp/vpn [200/0] table pe2/blue"]
    assert lines(found, "pe2", "blue") == ["198.18.1.0/24 bgp/vpn [200/0] table pe1/blue"]
    assert one(found, "pe1", "198.18.2.0/24") == "nothing"
    apart = computed(edge(1, 2, ("65000:100",), ("65000:100",)), edge(2, 1, ("65000:200",), ("65000:200",)))
    assert lines(apart, "pe1", "blue") == lines(apart, "pe2", "blue") == []
    one_way = computed(edge(1, 2, ("65000:200",), ("65000:100",)), edge(2, 1, (), ("65000:200",)))
    assert (lines(one_way, "pe1", "blue") != [], lines(one_way, "pe2", "blue")) == (True, [])


@pytest.mark.parametrize("turned", [False, True])
def test_one_prefix_from_two_vrfs_is_a_doubt_and_no_guess(turned: bool) -> None:
    def found(exports: tuple[str, ...], paths: int = 1) -> Any:
        ends = [Vrf(name=name, route_distinguisher=f"65000:{at}", export_targets=(f"65000:{at}",))
                for at, name in enumerate(exports)]  # fmt: skip
        hub = Vrf(name="hub", route_distinguisher="65000:9", import_targets=("65000:0", "65000:1"))
        told = [{"autonomous_system": 65000, "router_id": "192.0.2.1", "vrf": name, "internal_paths": paths,
                 "redistribute": (Redistribution(source="connected"),)} for name in (*exports, "hub")]  # fmt: skip
        lans = [port(name, "198.18.1.1/24", vrf=name) for name in exports]
        vrfs = (*(reversed(ends) if turned else ends), hub)
        core = {"autonomous_system": 65000, "router_id": "192.0.2.1"}
        return computed(router("pe", *lans, vrfs=vrfs, bgp=(core, *told)))

    advice = "import one of them, prefer one or share the load"
    assert found(("blue", "red")).doubts == (
        f"pe VRF hub 198.18.1.0/24: pe VRF blue and pe VRF red announce it alike: {advice}",
    )  # fmt: skip
    assert lines(found(("blue",)), "pe", "hub") == ["198.18.1.0/24 bgp/vpn [20/0] table pe/blue"]
    shared = found(("blue", "red"), paths=2)
    assert shared.certain
    assert lines(shared, "pe", "hub") == ["198.18.1.0/24 bgp/vpn [20/0] table pe/blue, table pe/red"]


def test_two_vrfs_of_one_router_exchange_routes_by_their_targets() -> None:
    vrfs = tuple(
        Vrf(name=name, route_distinguisher=f"65000:{at}", import_targets=("65000:9",), export_targets=("65000:9",))
        for at, name in enumerate(("blue", "red"))
    )
    told = [{"autonomous_system": 65000, "router_id": "192.0.2.1", "vrf": name,
             "redistribute": (Redistribution(source="connected"),)} for name in ("blue", "red")]  # fmt: skip
    core = {"autonomous_system": 65000, "router_id": "192.0.2.1"}
    found = computed(
        router("pe", port("b", "198.18.1.1/24", vrf="blue"), port("r", "198.18.2.1/24", vrf="red"), vrfs=vrfs,
               bgp=(core, *told))
    )  # fmt: skip
    assert lines(found, "pe", "blue") == ["198.18.2.0/24 bgp/vpn [20/0] table pe/red"]
    assert lines(found, "pe", "red") == ["198.18.1.0/24 bgp/vpn [20/0] table pe/blue"]
