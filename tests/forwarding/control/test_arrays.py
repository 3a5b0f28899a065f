"""Computed tables as the engine's arrays: the plain walker goes where the tables lead."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from orchestrator.forwarding.control.arrays import ZoneAt, plumb
from orchestrator.forwarding.control.check import DesignFaultError
from orchestrator.forwarding.control.compute import Result, compute
from orchestrator.forwarding.control.design import Design, OspfPort, StaticRoute, Vrf
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import Ending
from tests.forwarding.control.build import port, router


def static(prefix: str, via: str | None = None, **told: Any) -> StaticRoute:
    return StaticRoute.model_validate({"prefix": prefix, "via": via, **told})


def triangle(**of_first: Any) -> Design:
    """Staff behind r1, files behind r2; r1 - r2 directly, and over r3 at the same cost."""

    def speaker(name: str, number: int, *links: Any, **told: Any) -> Any:
        process = {"router_id": f"192.0.2.{number}"}
        return router(name, *links, **{"ospf": (process,), **told})

    def link(name: str, address: str, segment: str, cost: int) -> Any:
        return port(name, address, segment=segment, ospf=OspfPort(cost=cost))

    quiet = OspfPort(passive=True)
    return Design(routers=(
        speaker("r1", 1, link("direct", "10.0.0.1/30", "12", 20), link("round", "10.0.0.5/30", "13", 10),
                port("staff", "198.18.1.1/24", segment="staff", ospf=quiet), **of_first),
        speaker("r2", 2, link("direct", "10.0.0.2/30", "12", 20), link("round", "10.0.0.9/30", "23", 10),
                port("files", "198.18.2.1/24", segment="files", ospf=quiet)),
        speaker("r3", 3, link("a", "10.0.0.6/30", "13", 10), link("b", "10.0.0.10/30", "23", 10)),
    ))  # fmt: skip


ZONES = (
    ZoneAt("staff", ("r1", "staff"), (ip_network("198.18.1.0/24"),)),
    ZoneAt("files", ("r2", "files"), (ip_network("198.18.2.0/24"),)),
)


def ways(design: Design, destination: str, result: Result | None = None) -> list[tuple[tuple[str, ...], str]]:
    """Every way of a packet from staff: the tables it passes, and how it ends."""
    network = plumb(design, result or compute(design), ZONES).builder.build()
    check_network(network)
    packet = Packet(4, int(ip_address("198.18.1.9")), int(ip_address(destination)), 6, 40000, 443)
    trails = Plain(network).trails(network.zone_names.index("staff"), packet)
    return sorted(
        (
            tuple(network.tables[step.table] for step in trail.steps),
            network.zone_names[trail.end.zone] if trail.end.ending == Ending.DELIVERED else trail.end.reason,
        )
        for trail in trails
    )


def test_equal_paths_are_all_walked_and_end_in_the_zone() -> None:
    assert ways(triangle(), "198.18.2.5") == [
        (("r1/default", "r2/default"), "files"),
        (("r1/default", "r3/default", "r2/default"), "files"),
    ]


def test_what_is_sent_to_a_router_ends_there_and_not_in_a_zone() -> None:
    assert ways(triangle(), "198.18.1.1") == [(("r1/default",), "no cable")]
    assert {end for _, end in ways(triangle(), "198.18.2.1")} == {"no cable"}
    assert ways(triangle(), "10.0.0.2") == [(("r1/default", "r2/default"), "no cable")]


def test_a_next_hop_behind_an_interface_route_is_the_router_that_has_it() -> None:
    # the packet goes to 10.9.9.9 on the segment "lan", not to whoever has its destination there
    routes = (static("10.9.9.9/32", interface="lan"), static("198.18.2.0/24", "10.9.9.9"))
    design = Design(routers=(
        router("r1", port("staff", "198.18.1.1/24", segment="staff"), port("lan", "10.0.0.1/24", segment="lan"),
               static=routes),
        router("r2", port("lan", "10.0.0.2/24", "10.9.9.9/32", segment="lan"),
               port("files", "198.18.2.1/24", segment="files")),
        router("r3", port("lan", "10.0.0.3/24", segment="lan")),
    ))  # fmt: skip
    assert ways(design, "198.18.2.5") == [(("r1/default", "r2/default"), "files")]


def test_nowhere_and_a_null_route_drop() -> None:
    null = (static("203.0.113.0/24", discard=True, line="r1.conf:7"),)
    assert ways(triangle(), "203.0.113.1") == [(("r1/default",), "no route")]
    assert ways(triangle(static=null), "203.0.113.1") == [(("r1/default",), "null route")]


def test_a_leak_is_looked_up_again_in_the_other_table() -> None:
    leak = (static("198.19.0.0/16", next_hop_vrf="blue"), static("198.19.0.0/16", discard=True, vrf="blue"))
    design = triangle(static=leak, vrfs=(Vrf(name="blue"),))
    assert ways(design, "198.19.0.1") == [(("r1/default", "r1/blue"), "null route")]


def test_every_route_says_where_it_comes_from() -> None:
    null = (static("203.0.113.0/24", discard=True, line="r1.conf:7"),)
    design = triangle(static=null)
    network = plumb(design, compute(design), ZONES).builder.build()
    said = {network.lines[line] for line in network.route_line.tolist()}
    assert len(network.route_line) == len(network.routes.table)
    assert -1 not in network.route_line.tolist()
    assert {"r1.conf:7", "r1/default ospf intra 198.18.2.0/24", "r2/default own address 198.18.2.1"} <= said


def test_a_zone_on_an_interface_that_is_down_is_cut_off() -> None:
    def design(up: bool) -> Design:
        return Design(routers=(
            router("r1", port("staff", "198.18.1.1/24", segment="staff"),
                   port("files", "198.18.2.1/24", segment="files", up=up)),
        ))  # fmt: skip

    def ends(up: bool) -> list[tuple[str, str]]:
        zones = [zone._replace(port=("r1", zone.zone)) for zone in ZONES]
        network = plumb(design(up), compute(design(up)), zones).builder.build()
        check_network(network)
        found = []
        for source, destination in (("198.18.1.9", "198.18.2.5"), ("198.18.2.5", "198.18.1.9")):
            packet = Packet(4, int(ip_address(source)), int(ip_address(destination)), 6, 40000, 443)
            zone = network.zone_names.index("staff" if source == "198.18.1.9" else "files")
            [end] = Plain(network).ends(zone, packet)
            found.append((end.reason, network.lines[end.line] if end.line >= 0 else network.zone_names[end.zone]))
        return found

    assert [where for _, where in ends(True)] == ["files", "staff"]
    assert ends(False)[0][0] == "no route"
    assert ends(False)[1] == ("null route", "r1 files is down")


def test_a_zone_on_an_interface_that_nobody_has_is_refused() -> None:
    said = "zone files stands on r2 file, which the design does not have: correct the name"
    with pytest.raises(DesignFaultError) as refused:
        plumb(triangle(), compute(triangle()), [ZONES[1]._replace(port=("r2", "file"))])
    assert str(refused.value) == said


def test_an_uncertain_result_is_unknown_everywhere_and_says_why() -> None:
    design = triangle()
    doubtful = Result(compute(design).tables, {}, ("r1 VRF default 203.0.113.0/24: does not converge",), 9)
    network = plumb(design, doubtful, ZONES).builder.build()
    packet = Packet(4, int(ip_address("198.18.1.9")), int(ip_address("198.18.2.5")), 6, 40000, 443)
    [end] = Plain(network).ends(network.zone_names.index("staff"), packet)
    assert (end.ending, network.lines[end.line]) == (Ending.UNKNOWN, doubtful.doubts[0])
