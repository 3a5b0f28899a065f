"""Two routers of one domain with one identifier are refused; of two domains they are two."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.forwarding.control.check import DesignFaultError, check_design
from orchestrator.forwarding.control.design import Bgp, Design, IsisPort, Ospf, OspfPort, Router, Vrf
from tests.forwarding.control.build import port, router

JOINED = "is that of r1 and r3, which are in one domain: give each its own"


def chain(protocol: str, names: tuple[int, int, int], ends: dict[str, Any] | None = None) -> Design:
    """r1 - r2 - r3, cabled a to b; `ends`: other words about the port of r3."""
    process = {
        "ospf": lambda name: {"ospf": (Ospf.model_validate({"router_id": f"192.0.2.{name}"}),)},
        "ospf6": lambda name: {"ospf": (Ospf.model_validate({"router_id": f"192.0.2.{name}", "family": 6}),)},
        "isis": lambda name: {"isis": ({"area": "49.0001", "system_id": f"0000.0000.000{name}"},)},
    }[protocol]

    def told(**more: Any) -> dict[str, Any]:
        return {protocol: IsisPort(**more) if protocol == "isis" else OspfPort(**more)}

    return Design(
        routers=(
            router("r1", port("a", "10.0.0.1/30", segment="12", **told()), **process(names[0])),
            router("r2", port("a", "10.0.0.2/30", segment="12", **told()),
                   port("b", "10.0.0.5/30", segment="23", **told()), **process(names[1])),
            router("r3", port("b", "10.0.0.6/30", segment="23", **told(**(ends or {}))), **process(names[2])),
        )
    )  # fmt: skip


def refused(design: Design) -> str:
    with pytest.raises(DesignFaultError) as fault:
        check_design(design)
    return str(fault.value)


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        ("ospf", "OSPF router id 192.0.2.1"),
        ("ospf6", "OSPFv3 router id 192.0.2.1"),
        ("isis", "IS-IS system id 0000.0000.0001"),
    ],
)
def test_one_identifier_of_two_routers_in_a_domain_is_refused(protocol: str, name: str) -> None:
    check_design(chain(protocol, (1, 2, 3)))
    assert refused(chain(protocol, (1, 2, 1))) == f"{name} {JOINED}"
    check_design(chain(protocol, (1, 2, 1), {"passive": True}))  # where no neighbour is looked for, there is no domain


def test_areas_that_border_on_a_router_are_one_domain_and_unequal_areas_on_a_cable_are_none() -> None:
    assert refused(chain("ospf", (1, 1, 2))).startswith("OSPF router id 192.0.2.1 is that of r1 and r2")
    check_design(chain("ospf", (1, 2, 1), {"area": 5}))
    one, middle, other = chain("ospf", (1, 2, 1), {"area": 5}).routers
    moved = middle.interfaces[1].model_copy(update={"ospf": OspfPort(area=5)})
    border = middle.model_copy(update={"interfaces": (middle.interfaces[0], moved)})
    assert refused(Design(routers=(one, border, other))) == f"OSPF router id 192.0.2.1 {JOINED}"


def speaker(name: str, number: int, system: int, *vrfs: str) -> Router:
    told = {"autonomous_system": system, "router_id": f"192.0.2.{number}"}
    instances = tuple(Bgp.model_validate(told | {"vrf": vrf}) for vrf in ("default", *vrfs))
    return router(name, vrfs=tuple(Vrf(name=vrf) for vrf in vrfs), bgp=instances)


def test_one_bgp_identifier_of_two_routers_of_one_system_is_refused() -> None:
    check_design(Design(routers=(speaker("r1", 1, 65001, "blue"), speaker("r3", 2, 65001))))
    check_design(Design(routers=(speaker("r1", 1, 65001), speaker("r3", 1, 65002))))  # RFC 6286, 2.1: others may
    design = Design(routers=(speaker("r1", 1, 65001, "blue"), speaker("r3", 1, 65001)))
    assert refused(design) == f"BGP router id 192.0.2.1 of AS 65001 {JOINED}"
