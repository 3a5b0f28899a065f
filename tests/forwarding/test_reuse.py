"""Laws: a matrix carried from state to state equals one walked from nothing; edits taken back restore the digest."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.forwarding.flows import resolve
from orchestrator.forwarding.matrix import Matrix, Talk
from orchestrator.forwarding.points import Classes, classes_of
from orchestrator.forwarding.simulator import Simulator
from orchestrator.forwarding.walk import Header
from orchestrator.model.base import Noun
from orchestrator.model.cloud import (
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    SecurityGroup,
    SecurityRule,
    Server,
    Tenant,
)
from orchestrator.model.estate import NOUN_OF, TABLE_OF, Edit, Estate
from orchestrator.model.network import Filter, FilterRule, Interface, Nat, Route
from orchestrator.model.policy import Flow
from tests.laws import examples

FLOWS = (
    Flow(code="1", purpose="p", source="organisation:cz", destination="workload:990102-CZ-0001/web", port=8080),
    Flow(code="2", purpose="p", source="zone:internet", destination="service:service.mz.wangchao.example", port=443),
    Flow(code="3", purpose="p", source="organisation:mz", destination="workload:990102-MZ-0002/mail", port=25),
    Flow(code="4", purpose="p", source="host:staff", destination="host:portal", port=443),
)


def _arrivals() -> list[Noun]:
    """Rows that a state may bring: ways into other VRFs, filter entries, translations, a tenant."""
    rows: list[tuple[type[Noun], dict[str, object]]] = [
        (Route, {"device": "ce1", "prefix": "0.0.0.0/0", "next_hop": "198.19.252.1"}),
        (Route, {"device": "pe1", "vrf": "adm", "prefix": "0.0.0.0/0", "next_hop": "198.19.255.2"}),
        (Route, {"device": "pe1", "vrf": "adm", "prefix": "198.18.64.10/32", "next_hop": None}),
        (Route, {"device": "cz1", "prefix": "10.8.0.0/16", "next_hop": "10.8.254.2"}),
        (Route, {"device": "mz2", "prefix": "192.168.10.0/24", "next_hop": "172.16.254.2"}),
        (Route, {"device": "pe1", "vrf": "pub", "prefix": "198.18.136.0/24", "next_hop": "198.18.130.10"}),
        (Route, {"device": "fw1", "prefix": "198.18.136.0/24", "next_hop": "198.19.255.5"}),
        (Interface, {"device": "pe2", "name": "ac-cz2", "vrf": "adm", "address": "198.19.240.1/30"}),
        (Interface, {"device": "cz2", "name": "up0", "address": "198.19.240.2/30"}),
        (Interface, {"device": "cz2", "name": "lan0", "address": "198.18.33.1/24", "zone": "vpn-cz"}),
        (Interface, {"device": "pe1", "name": "dc-cz", "vrf": "pub", "address": "198.18.130.1/24"}),
        (FilterRule, {"device": "fw1", "sequence": 10, "action": "drop", "protocol": "tcp", "ports": ((443, 443),)}),
        (FilterRule, {"device": "fw1", "sequence": 20, "action": "accept", "sources": ("198.18.16.0/24",)}),
        (FilterRule, {"device": "mz1", "sequence": 5, "action": "accept", "protocol": "icmp"}),
        (Filter, {"device": "cz1", "default": "drop"}),
        (
            Nat,
            {
                "device": "mz1",
                "name": "a",
                "kind": "prefix",
                "interface": "inet0",
                "inside": "192.168.10.0/24",
                "outside": "203.0.113.0/24",
            },
        ),
        (
            Nat,
            {
                "device": "fw1",
                "name": "a",
                "kind": "source",
                "interface": "pub0",
                "inside": "198.18.16.0/24",
                "outside": "198.19.255.6/32",
            },
        ),
        (Tenant, {"name": "t", "cloud": "public-service-cloud", "organisation": "mz", "zone": "common-pub"}),
        (
            ProviderNetwork,
            {
                "name": "p",
                "cloud": "public-service-cloud",
                "vlan": 2010,
                "prefix": "198.18.130.0/24",
                "gateway": "198.18.130.1",
            },
        ),
        (CloudNetwork, {"tenant": "t", "name": "n", "prefix": "198.18.136.0/24"}),
        (
            CloudRouter,
            {"tenant": "t", "name": "r", "provider_network": "p", "address": "198.18.130.10", "networks": ("n",)},
        ),
        (SecurityGroup, {"tenant": "t", "name": "g"}),
        (SecurityRule, {"tenant": "t", "group": "g", "direction": "ingress", "protocol": "tcp", "ports": (443, 443)}),
        (SecurityRule, {"tenant": "t", "group": "g", "direction": "egress"}),
        (
            Server,
            {
                "tenant": "t",
                "name": "s",
                "network": "n",
                "address": "198.18.136.10",
                "flavor": "f",
                "image": "i",
                "groups": ("g",),
            },
        ),
        (
            Server,
            {
                "tenant": "t",
                "name": "u",
                "network": "n",
                "address": "198.18.136.11",
                "flavor": "f",
                "image": "i",
                "groups": (),
            },
        ),
    ]
    return [kind.model_validate(fields) for kind, fields in rows]


def _toggles() -> list[Edit]:
    """Every network row of the district taken out, every arrival put in."""
    tables = (
        "routes",
        "interfaces",
        "filters",
        "filter_rules",
        "nats",
        "links",
        "hosts",
        "vrfs",
        "service_names",
        "workloads",
    )
    base = now()
    gone = [
        Edit(table=table, key=key, before=row.plain(), after=None)
        for table in tables
        for key, row in getattr(base, table).items()
    ]
    keyed = [(TABLE_OF[type(row)], row) for row in _arrivals()]
    return gone + [Edit(table=table, key=row.key, before=None, after=row.plain()) for table, row in keyed]  # type: ignore[attr-defined]


TOGGLES = _toggles()
CLASSES: Classes = classes_of(now(), TOGGLES, [("tcp", 25), ("tcp", 443), ("tcp", 8080)])


def _apply(estate: Estate, edit: Edit) -> tuple[Estate, Edit]:
    """Turn the row over: as the edit says, or back when it is done already."""
    there = edit.key in getattr(estate, edit.table)
    way = edit if there == (edit.before is not None) else edit.undo()
    return estate.apply((way,)), way


def _talks(matrix: Matrix) -> Iterator[Talk]:
    for flow in FLOWS:
        for probe in resolve(flow, matrix.estate).probes:
            yield matrix.talk(probe.asker.node, probe.header)


@settings(max_examples=examples(8))
@given(st.lists(st.sampled_from(TOGGLES), min_size=1, max_size=8))
def test_a_matrix_carried_along_equals_a_fresh_one_in_every_state(edits: list[Edit]) -> None:
    estate, done = now(), []
    matrix = carried = Matrix.of(estate, CLASSES)
    for edit in edits:
        estate, way = _apply(estate, edit)
        done.append(way)
        carried = carried.advance(estate)
    fresh = Matrix.of(estate, CLASSES)
    assert carried.keys == fresh.keys
    assert carried.alive == fresh.alive
    assert matrix.crossings
    assert sorted(map(str, carried.crossings)) == sorted(map(str, fresh.crossings))
    assert list(_talks(carried)) == list(_talks(fresh))
    back = carried
    for way in reversed(done):
        estate = estate.apply((way.undo(),))
        back = back.advance(estate)
    assert estate.digest == now().digest
    assert back.alive == matrix.alive


@pytest.mark.slow
def test_all_rows_together_carried_one_by_one() -> None:
    estate, carried = now(), Matrix.of(now(), CLASSES)
    for edit in TOGGLES[-len(_arrivals()) :]:
        estate, _way = _apply(estate, edit)
        carried = carried.advance(estate)
        assert list(_talks(carried)) == list(_talks(Matrix.of(estate, CLASSES)))
    assert carried.alive == Matrix.of(estate, CLASSES).alive
    assert any(reach.end == "t/s" and reach.way.outcome == "delivered" for reach in carried.reaches())


def test_every_cell_of_the_matrix_is_what_single_packets_do() -> None:
    """The matrix walks once for all ports nobody looks at; single packets do not know of that."""
    estate = now()
    for row in _arrivals():
        estate = estate.with_nouns(row) if row.key not in getattr(estate, TABLE_OF[type(row)]) else estate  # type: ignore[attr-defined]
    matrix = Matrix.of(estate, CLASSES)
    simulator = Simulator(estate, guests=matrix.world.guests.values())
    found = {}
    for reach in matrix.reaches():
        for port in reach.ports:
            found[(reach.source, reach.destination, port)] = (reach.way.outcome, reach.end)
    own = dict(matrix.points())
    for source, destination in matrix.keys:
        for index, (protocol, port) in enumerate(CLASSES.ports):
            if own[source] != destination:
                way = simulator.way(source, Header(own[source], destination, protocol, 40000, port))
                expected = found.get((source, destination, index), ("dropped", way.end))
                assert (way.outcome, way.end) == expected


def test_unknown_tables_are_not_overlooked() -> None:
    """A new table of the model must be put into one of the parts that are built again, or named here as no matter."""
    from orchestrator.forwarding.world import ALL_TABLES

    no_matter = {
        "organisations",
        "systems",
        "workloads",
        "service_names",
        "private_networks",
        "private_sites",
        "egresses",
        "vlans",
        "clouds",
        "tenants",
    }
    assert set(NOUN_OF) == ALL_TABLES | no_matter
