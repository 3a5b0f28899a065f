"""Equally good routes: a packet may take any of them, so rules and flows are held to each."""

import pytest

from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of
from orchestrator.forwarding.simulator import Simulator, packet_of
from orchestrator.forwarding.walk import Header
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.network import Device, Filter, FilterRule, Host
from orchestrator.model.policy import Flow
from orchestrator.proof import verify
from tests.forwarding.test_walks import box, cable, host, port, route
from tests.proof.plans import plan, policy, put, step

OVER_WALL, PAST_WALL = route("r1", "10.2.0.0/24", "192.0.2.2"), route("r1", "10.2.0.0/24", "192.0.2.10")
REGISTERED = {"code": "F", "purpose": "p", "source": "host:a", "destination": "host:b", "port": 443}
WALL = Filter(device="wall", default="drop", stateful=True)


def square(*more: Noun) -> Estate:
    """a - r1 - wall - r2 - b, and r1 - x - r2 beside it; answers go over the wall."""
    zones = {"a": "common-adm", "b": "common-pub"}
    hosts = [host("a", "10.1.0.10/24", "10.1.0.1"), host("b", "10.2.0.10/24", "10.2.0.1")]
    return Estate.of(
        *(box(name) for name in ("r1", "r2", "x")),
        Device.model_validate({**box("wall").plain(), "kind": "firewall"}),
        *(Host.model_validate({**one.plain(), "zone": zones[one.key]}) for one in hosts),
        cable("r1:lan", "a:eth0"),
        cable("r2:lan", "b:eth0"),
        cable("r1:wall", "wall:in"),
        cable("wall:out", "r2:wall"),
        cable("r1:x", "x:in"),
        cable("x:out", "r2:x"),
        port("r1", "lan", "10.1.0.1/24"),
        port("r2", "lan", "10.2.0.1/24"),
        port("r1", "wall", "192.0.2.1/30"),
        port("wall", "in", "192.0.2.2/30"),
        port("wall", "out", "192.0.2.5/30"),
        port("r2", "wall", "192.0.2.6/30"),
        port("r1", "x", "192.0.2.9/30"),
        port("x", "in", "192.0.2.10/30"),
        port("x", "out", "192.0.2.13/30"),
        port("r2", "x", "192.0.2.14/30"),
        route("wall", "10.2.0.0/24", "192.0.2.6"),
        route("x", "10.2.0.0/24", "192.0.2.14"),
        route("wall", "10.1.0.0/24", "192.0.2.1"),
        route("x", "10.1.0.0/24", "192.0.2.9"),
        route("r2", "10.1.0.0/24", "192.0.2.5"),
        *more,
    )


@pytest.mark.parametrize("plain", [False, True])
def test_a_second_route_past_the_firewall_breaks_rule_and_flow(*, plain: bool) -> None:
    base = square(OVER_WALL)
    second = put(PAST_WALL)
    there_and_back = plan((step("second", second),), (step("gone", second.undo()),), base=base)
    pack = policy(rules=("R5",), flows=[{**REGISTERED, "gateway": "wall"}])
    verdict = verify(base, there_and_back, pack, plain=plain)
    where = "in 1 of 3 states, first: after batch 1"
    assert [f"{item.subject}: {item.what}" for item in verdict.failures()] == [
        f"F: tcp 10.1.0.10 -> 10.2.0.10:443 from a does not pass wall, {where}",
        f"R5: a (common-adm) reaches b (common-pub) with any packet past every boundary device, {where}",
    ]
    for finding in verdict.failures():
        assert finding.trace is not None
        assert "wall" not in {hop.node for hop in finding.trace.hops}
    assert verify(base, plan(base=base), pack, plain=plain).result == "pass"


@pytest.mark.parametrize("kind", [Matrix, EngineMatrix])
@pytest.mark.parametrize("first", ["wall", "x"])
def test_what_one_of_several_routes_looks_at_they_all_hang_on(kind: type[Matrix], first: str) -> None:
    """A filter on one of two routes tells ports apart: what gets through there is unknown, the rest is dropped."""
    other = {"wall": "x", "x": "wall"}[first]
    entry = {"sequence": 10, "action": "accept", "protocol": "tcp", "ports": [(443, 443)]}
    rows = Filter(device="wall"), Filter(device="x"), FilterRule.model_validate({"device": other, **entry})
    estate = square(OVER_WALL, PAST_WALL, *rows)
    matrix = kind.of(estate, classes_of(estate))
    address = int(estate.hosts["b"].address)
    found = {
        matrix.classes.ports[port]: reach.way.outcome for reach in matrix.alive["a", address] for port in reach.ports
    }
    assert found == {("tcp", 443): "unknown"}


@pytest.mark.parametrize("kind", [Matrix, EngineMatrix])
def test_an_answer_has_to_come_back_whichever_route_was_taken(kind: type[Matrix]) -> None:
    """The firewall lets answers through to what it has seen: not to what went past it."""
    entry = {"device": "wall", "sequence": 10, "action": "accept", "destinations": ["10.2.0.0/24"]}
    rows = WALL, FilterRule.model_validate(entry)
    for routes, works in (((OVER_WALL,), True), ((OVER_WALL, PAST_WALL), False)):
        estate = square(*routes, *rows)
        matrix = kind.of(estate, classes_of(estate))
        talk = matrix.talk("a", Header(*(int(estate.hosts[name].address) for name in "ab"), "tcp", 40000, 443))
        assert talk.back is not None
        assert (talk.back.outcome == "delivered") is works
        assert Simulator(estate).exchange("a", packet_of(talk.forward.header)).works is works


def test_a_flow_without_a_gateway_may_take_either() -> None:
    base = square(OVER_WALL, PAST_WALL)
    verdict = verify(base, plan(base=base), policy(rules=("R1",), flows=[Flow.model_validate(REGISTERED).plain()]))
    assert verdict.result == "pass"
