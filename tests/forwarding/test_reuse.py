"""Laws: a matrix carried from state to state equals one walked from nothing; edits taken back restore the digest."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.flows import resolve
from orchestrator.forwarding.matrix import Matrix, Talk
from orchestrator.forwarding.simulator import Simulator
from orchestrator.forwarding.walk import Header
from orchestrator.model.estate import NOUN_OF, TABLE_OF, Edit
from orchestrator.model.policy import Flow
from tests.forwarding.toggles import CLASSES, TOGGLES, arrivals, turned
from tests.laws import examples

FLOWS = (
    Flow(code="1", purpose="p", source="organisation:cz", destination="workload:990102-CZ-0001/web", port=8080),
    Flow(code="2", purpose="p", source="zone:internet", destination="service:service.mz.wangchao.example", port=443),
    Flow(code="3", purpose="p", source="organisation:mz", destination="workload:990102-MZ-0002/mail", port=25),
    Flow(code="4", purpose="p", source="host:staff", destination="host:portal", port=443),
)


def _talks(matrix: Matrix) -> Iterator[Talk]:
    for flow in FLOWS:
        for probe in resolve(flow, matrix.estate).probes:
            yield matrix.talk(probe.asker.node, probe.header)


@pytest.mark.parametrize("kind", [Matrix, EngineMatrix])
@settings(max_examples=examples(8))
@given(edits=st.lists(st.sampled_from(TOGGLES), min_size=1, max_size=8))
def test_a_matrix_carried_along_equals_a_fresh_one_in_every_state(kind: type[Matrix], edits: list[Edit]) -> None:
    estate, done = now(), []
    matrix = carried = kind.of(estate, CLASSES)
    for edit in edits:
        estate, way = turned(estate, edit)
        done.append(way)
        carried = carried.advance(estate)
    fresh = Matrix.of(estate, CLASSES)
    assert carried.keys == fresh.keys
    assert list(carried.alive.items()) == list(fresh.alive.items())
    assert matrix.crossings
    assert carried.crossings == fresh.crossings
    assert list(_talks(carried)) == list(_talks(fresh))
    back = carried
    for way in reversed(done):
        estate = estate.apply((way.undo(),))
        back = back.advance(estate)
    assert estate.digest == now().digest
    assert back.alive == matrix.alive


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Matrix, EngineMatrix])
def test_all_rows_together_carried_one_by_one(kind: type[Matrix]) -> None:
    estate, carried = now(), kind.of(now(), CLASSES)
    for edit in TOGGLES[-len(arrivals()) :]:
        estate, _way = turned(estate, edit)
        carried = carried.advance(estate)
        assert list(_talks(carried)) == list(_talks(Matrix.of(estate, CLASSES)))
    assert carried.alive == Matrix.of(estate, CLASSES).alive
    assert any(reach.end == "t/s" and reach.way.outcome == "delivered" for reach in carried.reaches())


def test_every_cell_of_the_matrix_is_what_single_packets_do() -> None:
    """The matrix walks once for all ports nobody looks at; single packets do not know of that."""
    estate = now()
    for row in arrivals():
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
