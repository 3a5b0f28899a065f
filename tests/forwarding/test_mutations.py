"""Break the engine on purpose: the golden walks must notice each way of breaking it."""

from collections.abc import Callable
from typing import Any

import pytest

from network_models.district import now
from orchestrator.forwarding import boxes, segments, tables, walk
from orchestrator.forwarding.simulator import Simulator
from orchestrator.forwarding.walk import Memory, Walk
from orchestrator.forwarding.world import World
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.finding import Packet
from orchestrator.model.network import FilterRule, Nat, Route

EXPECTED = {
    ("staff", "198.18.16.100", "198.18.0.10", 443): True,
    ("staff", "198.18.16.100", "198.18.64.10", 443): True,
    ("staff", "198.18.16.100", "198.18.64.10", 22): False,
    ("portal", "198.18.64.10", "198.51.100.10", 443): True,
    ("portal", "198.18.64.10", "198.18.0.10", 443): False,
    ("citizen", "198.51.100.10", "203.0.113.10", 443): True,
    ("citizen", "198.51.100.10", "203.0.113.66", 443): True,
    ("citizen", "198.51.100.10", "203.0.113.66", 25): False,
    ("mz-user1", "192.168.10.100", "198.51.100.10", 443): False,  # 00050 drops it
    ("mz-user2", "172.16.5.100", "192.168.10.25", 25): True,
    ("cz-user2", "10.8.2.100", "10.8.1.10", 8080): True,
    ("cz-user1", "10.8.1.100", "10.8.2.50", 80): False,  # null route
    ("cz-user3", "192.168.10.100", "10.8.1.10", 8080): False,  # its fibre is released
    ("citizen", "198.51.100.10", "203.0.113.26", 443): True,  # 1:1
}


def _world() -> Estate:
    """The district with a deny before an accept, a null route inside a wider one, and a 1:1 translation."""
    drop = {"device": "mz1", "sequence": 50, "action": "drop", "sources": ("192.168.10.100/32",)}
    into = {"device": "fw1", "sequence": 250, "action": "accept", "destinations": ("198.18.64.10/32",)}
    one = {"device": "fw1", "name": "one", "kind": "prefix", "interface": "inet0"}
    estate = now().with_nouns(
        FilterRule.model_validate(drop),
        FilterRule.model_validate(into | {"in_interfaces": ("inet0",), "protocol": "tcp", "ports": ((443, 443),)}),
        Nat.model_validate(one | {"inside": "198.18.64.0/28", "outside": "203.0.113.16/28"}),
        Route.model_validate({"device": "cz1", "prefix": "10.8.2.50/32", "next_hop": None}),
    )
    row = estate.links["cz-fibre"]
    released = row.model_copy(update={"state": "released"})
    return estate.apply((Edit(table="links", key="cz-fibre", before=row.plain(), after=released.plain()),))


def deviations() -> list[str]:
    """What the engine now answers differently."""
    simulator = Simulator(_world())
    found = []
    for (start, source, destination, port), expected in EXPECTED.items():
        packet = Packet(source=source, destination=destination, protocol="tcp", destination_port=port)
        if simulator.exchange(start, packet).works is not expected:
            found.append(f"{start} to {destination}:{port}")
    return found


def _ignore_deny(patch: pytest.MonkeyPatch) -> None:
    judge = boxes.Wall.judge
    patch.setattr(boxes.Wall, "judge", lambda self, *rest: judge(self, *rest)._replace(accept=True))


def _ignore_drop_entries(patch: pytest.MonkeyPatch) -> None:
    compiled = boxes.compiled
    nobody = ((0, 0xFFFFFFFF),)
    patch.setattr(
        boxes,
        "compiled",
        lambda rule: compiled(rule)._replace(sources=nobody) if rule.action == "drop" else compiled(rule),
    )


def _forget_reverse_translation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Walk, "_remembered", lambda _self, _node: None)


def _forget_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "stateful", lambda _self, _node: False)


def _skip_route_targets(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tables, "_exchange", lambda *_rest: None)


def _shortest_prefix(patch: pytest.MonkeyPatch) -> None:
    longest = tables.RoutingTable._longest

    def shortest(self: tables.RoutingTable, address: int) -> Any:
        longest(self, address)
        self._lengths.sort()
        return longest(self, address)

    patch.setattr(tables.RoutingTable, "_longest", shortest)


def _ignore_ports(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(boxes, "_carries", lambda wanted, _ports, protocol, _port: wanted in ("any", protocol))


def _filter_before_translation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Walk, "_translate_in", lambda *_rest: None)


def _no_source_translation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Walk, "_translate_out", lambda *_rest: None)


def _forget_null_routes(patch: pytest.MonkeyPatch) -> None:
    static = tables._static
    patch.setattr(
        tables, "_static", lambda table, route, row: None if route.next_hop is None else static(table, route, row)
    )


def _host_part_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(boxes, "_moved", lambda _address, into: into[0])


def _use_released_links(patch: pytest.MonkeyPatch) -> None:
    cabling = segments._cabling

    def every(estate: Estate) -> Any:
        links = [link.model_copy(update={"state": "in_service"}) for link in estate.links.values()]
        return cabling(Estate.of(*estate.devices.values(), *estate.hosts.values(), *links))

    patch.setattr(segments, "_cabling", every)


def _answer_as_stranger(patch: pytest.MonkeyPatch) -> None:
    def remembered(self: Walk, node: str) -> Memory | None:
        return next((memory for memory in self.memories or () if memory.node == node), None)

    patch.setattr(Walk, "_remembered", remembered)
    patch.setattr(walk.Header, "reversed", lambda self: self)


MUTATIONS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _ignore_deny,
    _ignore_drop_entries,
    _forget_reverse_translation,
    _forget_state,
    _skip_route_targets,
    _shortest_prefix,
    _ignore_ports,
    _filter_before_translation,
    _no_source_translation,
    _forget_null_routes,
    _host_part_lost,
    _use_released_links,
    _answer_as_stranger,
]


def test_the_engine_as_it_is_deviates_nowhere() -> None:
    assert deviations() == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__.strip("_"))
def test_a_broken_engine_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    assert deviations() != []
