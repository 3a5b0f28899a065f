"""Slices of filters: bounds, big filters, entries that come and go."""

from random import Random

import numpy as np
import pytest
from hypothesis import given

from orchestrator.forwarding.engine import slices
from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, firsts, numbers, prefixes
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.hygiene import inspected
from orchestrator.forwarding.engine.labels import Labels
from orchestrator.forwarding.engine.network import NONE, Action, Filters, Matches, Network, Packet
from orchestrator.forwarding.engine.outcomes import Outcomes, Variants
from orchestrator.forwarding.engine.packets import PacketSet, position
from orchestrator.forwarding.engine.slices import NO_ANSWER, Status, TooManyPiecesError, Units, check
from tests.forwarding.engine.graphs import (
    RANDOMS,
    Graph,
    labels_of,
    random_intervals,
    random_network,
    random_packet,
    variants_of,
    within,
)
from tests.forwarding.engine.test_matrix import random_update

EVERY = [(0, 1 << 32)]


@given(RANDOMS)
def test_a_slice_is_first_match_on_every_packet(random: Random) -> None:
    graph = Graph(random, random_network(random), size=0)
    decider = Decider(graph.network, labels_of(graph.network), graph.outcomes(), graph.variants)
    sources, destinations = random_intervals(random), random_intervals(random)
    for variant in range(len(graph.variants.filter)):
        permitted = decider.slicer.permitted(sources, destinations, variant=variant)
        unknown = decider.slicer.permitted(sources, destinations, variant=variant, zone=NO_ANSWER)
        for _ in range(20):
            packet = random_packet(random)
            asked = within(position(packet.family, packet.source), sources)
            asked = asked and within(position(packet.family, packet.destination), destinations)
            action = graph.action(variant, packet)
            assert permitted.holds(packet) == (asked and action == Action.PERMIT)
            assert unknown.holds(packet) == (asked and action == Action.UNKNOWN)


@given(RANDOMS)
def test_many_questions_at_once_are_summed_up_rightly(random: Random) -> None:
    graph = Graph(random, random_network(random, rules=False))
    decider = Decider(graph.network, labels_of(graph.network), graph.outcomes(), graph.variants)
    low, high = (10 << 24) + random.randrange(8), (10 << 24) + random.randrange(9, 18)
    to, end = (10 << 24) + random.randrange(8), (10 << 24) + random.randrange(9, 18)
    nodes = np.arange(3, len(graph.nodes), dtype=np.int32)
    same = np.zeros(len(nodes), np.int32)
    units = Units(np.array([0, 1]), np.array([low]), np.array([high]))
    asked = Units(np.arange(len(nodes) + 1), np.full(len(nodes), to), np.full(len(nodes), end))
    some, every = decider.slicer.decide(nodes, same, same, units, asked)
    services = decider.table.services
    whole = PacketSet.product(services, [(low, high)], [(to, end)], services.everything)
    for row, node in enumerate(nodes.tolist()):
        found = decider.delivered(node, whole, 0, every_path=False)
        assert decider.slicer.sets.bits(int(some[row])) == found.union_of_services()
        missing = (whole - found).union_of_services()
        assert decider.slicer.sets.bits(int(every[row])) == services.everything & ~missing


@given(RANDOMS)
def test_entries_that_come_and_go_leave_the_filter_that_was_meant(random: Random) -> None:
    graph = Graph(random, random_network(random), size=0)
    decider = Decider(graph.network, labels_of(graph.network), graph.outcomes(), graph.variants)
    sizes = np.diff(graph.network.filters.first).tolist()
    entries = [list(graph.plain.rows.filters[number].entries) for number in range(3)]
    columns = ("source_low", "source_high", "destination_low", "destination_high", "action", "line")
    rows = [[row_of(decider, number, at, columns) for at in range(len(entries[number]))] for number in range(3)]
    for _ in range(12):
        update = random_update(random, sizes)
        kind = type(update).__name__
        decider.table.apply(update)
        own = rows[update.filter]
        if kind == "RemoveEntry":
            del own[update.position]
        else:
            new = row_of(decider, update.filter, update.position, columns)
            assert new[4:] == (update.entry.action, update.entry.line)
            own[update.position : update.position + (kind == "ReplaceEntry")] = [new]
        for number in range(3):
            assert [row_of(decider, number, at, columns) for at in range(sizes[number])] == rows[number]


def row_of(decider: Decider, number: int, at: int, columns: tuple[str, ...]) -> tuple[int, ...]:
    first = int(decider.table.start[number])
    return tuple(int(decider.table.columns[name][first + at]) for name in columns)


def big_filter(matches: Matches, action: np.ndarray) -> Decider:
    """One stateless filter that denies what no entry permits."""
    count = len(action)
    empty = NetworkBuilder().build()
    filters = Filters(
        firsts([count]),
        numbers([Action.DENY]),
        np.array([False]),
        matches,
        action.astype(np.int32),
        np.arange(count, dtype=np.int32),
    )
    network = Network(**{**empty.__dict__, "filters": filters})
    nothing = np.zeros(0, np.int32)
    outcomes = Outcomes(nothing, nothing, np.zeros(1, np.int32), nothing)
    labels = Labels([matches.source, matches.destination])
    return Decider(network, labels, outcomes, Variants(numbers([0]), numbers([NONE])))


def columns_of(count: int, ports: tuple[np.ndarray, np.ndarray], source: object, destination: object) -> Matches:
    full = np.full(count, 65535, np.int32)
    none, zero = np.full(count, NONE, np.int32), np.zeros(count, np.int32)
    six = np.full(count, 6, np.int32)
    low, high = (side.astype(np.int32) for side in ports)
    return Matches(source, destination, six, six, zero, full, low, high, none, none, none)  # type: ignore[arg-type]


def anywhere(count: int) -> object:
    return type(prefixes([]))(*(np.zeros(count, kind) for kind in (np.uint8, np.uint64, np.uint64, np.uint8)))


def test_a_hundred_thousand_overlapping_port_ranges() -> None:
    count = 100_000
    random = np.random.default_rng(3)
    ends = np.sort(random.integers(0, 65536, (count, 2)), axis=1)
    action = random.integers(0, 2, count)
    decider = big_filter(columns_of(count, (ends[:, 0], ends[:, 1]), anywhere(count), anywhere(count)), action)
    found = decider.slicer.permitted(EVERY, EVERY, variant=0)
    assert len(found.pieces) == 1
    bits = found.union_of_services()
    for port in random.integers(0, 65536, 500).tolist():
        hits = np.flatnonzero((ends[:, 0] <= port) & (port <= ends[:, 1]))
        expected = bool(len(hits)) and bool(action[hits[0]])
        assert bits >> decider.table.services.atom(Packet(4, 1, 2, 6, 1, port)) & 1 == expected


def test_a_hundred_thousand_hosts_behind_denies_and_shadowed_by_half() -> None:
    count = 100_000
    random = np.random.default_rng(4)
    source = (10 << 24) + random.integers(0, 1 << 16, count)
    to = (11 << 24) + random.integers(0, 1 << 16, count)
    source[0], to[0] = 10 << 24, 11 << 24
    sides = []
    for column in (source, to):
        length = np.full(count, 32, np.uint8)
        length[0] = 9
        sides.append(
            prefixes([])._replace(
                family=np.full(count, 4, np.uint8),
                high=np.zeros(count, np.uint64),
                low=np.where(length == 9, column >> 23 << 23, column).astype(np.uint64),
                length=length,
            )
        )
    ports = np.full(count, 443), np.full(count, 443)
    ports[0][0], ports[1][0] = 0, 65535
    action = np.ones(count)
    action[0] = Action.DENY
    decider = big_filter(columns_of(count, ports, *sides), action)
    found = decider.slicer.permitted(EVERY, EVERY, variant=0)
    half = 1 << 23
    outside = ((source - (10 << 24)) >= half) | ((to - (11 << 24)) >= half)
    assert not outside.any()
    assert found.is_empty, "the first entry takes everything"
    some = inspected_range(decider, 50)
    assert not some.met[1:].any()
    assert (some.takers[1:, 0] == 0).all()


def inspected_range(decider: Decider, count: int) -> object:
    decider.table.count[0] = count
    decider.table._view = None
    return inspected(decider, 0)


def of_entries(entries: list[Entry]) -> Decider:
    """A decider over one filter."""
    made = NetworkBuilder()
    made.filter(entries, Action.PERMIT)
    network = made.build()
    return Decider(network, labels_of(network), Graph(Random(1), network, size=0).outcomes(), variants_of(network))


@pytest.mark.parametrize("limit", [0, 1])
def test_an_answer_above_the_bound_is_refused_however_it_is_large(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few cells with many services, and of many cells with few: the same bound holds the memory of both."""
    spans = [Match("10.0.0.0/8", None, (6, 6), (low, 65535)) for low in range(1, 60)]
    spans += [Match("10.0.0.0/8", None, (6, 6), destination_port=(low, low)) for low in range(1, 60)]
    hosts = [Match(f"10.0.{low}.0/25", f"11.0.{low}.0/25") for low in range(16)]
    for matches, cells, pieces, width in ((spans, 3, 1, 57), (hosts, 33, 33, 1)):
        decider = of_entries([Entry(match, Action.DENY) for match in matches])
        assert decider.table.services.width == width
        monkeypatch.setattr(slices, "LIMIT", (cells + 1) * (width + 24) + (pieces - 1) * 24 - 1 + limit)
        if limit:
            assert decider.slicer.permitted(EVERY, EVERY, variant=0)
            continue
        with pytest.raises(TooManyPiecesError) as caught:
            decider.slicer.permitted(EVERY, EVERY, variant=0)
        assert str(caught.value) == "a filter's answer falls into too many pieces: ask about fewer addresses at once"


def test_equal_services_are_one_number_in_an_answer_and_in_what_is_made_of_it() -> None:
    ports = [(low, low) for low in range(100)]
    matches = [
        Match(f"10.{row}.0.0/17", None, (6, 6), destination_port=port) for row, port in enumerate(ports[:3] * 40)
    ]
    matches += [Match("12.0.0.0/8", None, (6, 6), destination_port=port) for port in ports]
    decider = of_entries([Entry(match, Action.DENY) for match in matches])
    services = decider.table.services
    found = decider.slicer.permitted(EVERY, EVERY, variant=0)
    for made in (
        found,
        found & PacketSet.product(services, EVERY, EVERY, services.everything),
        PacketSet(services) | found,
    ):
        bits = [bits for _low, _high, row in made.pieces for _source, _last, bits in row]
        assert len(bits) > 100
        assert len(set(map(id, bits))) == len(set(bits)) == 5


def test_what_the_native_part_refuses_is_said() -> None:
    with pytest.raises(TooManyPiecesError) as caught:
        check(Status.TOO_LARGE, "a filter's answer")
    assert str(caught.value) == "a filter's answer falls into too many pieces: ask about fewer addresses at once"
    check(Status.FINE, "a filter's answer")
