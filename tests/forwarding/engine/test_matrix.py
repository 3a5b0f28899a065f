"""The zone matrix against single packets, one native way against the other, updates against beginning anew."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from network_models.tree import tree
from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.matrix import Matrix, PairChanges
from orchestrator.forwarding.engine.matrix_fast import FastPart
from orchestrator.forwarding.engine.matrix_parts import SlicedPart
from orchestrator.forwarding.engine.network import Action, HopKind, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.tables import compile_network
from orchestrator.forwarding.engine.updates import (
    Entry,
    EntryUpdate,
    InsertEntry,
    Match,
    Prefix,
    RemoveEntry,
    ReplaceEntry,
)
from tests.forwarding.engine.graphs import RANDOMS, ZONES, random_packet
from tests.forwarding.engine.test_mutations import broken_library
from tests.forwarding.engine.zone_graphs import ZoneGraph
from tests.laws import examples


def matrices(of: ZoneGraph) -> list[Matrix]:
    """The matrix by each native way."""
    return [Matrix(of.decider(), of.classes, of.attachments, pairwise=pairwise) for pairwise in (False, True)]


@given(RANDOMS, st.booleans())
def test_the_matrix_says_what_single_packets_do(random: Random, rules: bool) -> None:
    of = ZoneGraph(random, rules=rules)
    for matrix in matrices(of):
        answers = {(a, b): matrix.packets(a, b) for a in range(ZONES) for b in range(ZONES)}
        for (a, b), found in answers.items():
            assert found.union_of_services() == matrix.services(a, b)
            assert bool(found) == matrix.reaches()[a, b]
        must = {(a, b): matrix.packets(a, b, every_path=True) for a in range(ZONES) for b in range(ZONES)}
        for _ in range(40):
            packet, zone = random_packet(random), random.randrange(ZONES)
            ends = of.ends(zone, packet)
            for b in range(ZONES):
                assert must[zone, b].holds(packet) == (ends == {(Outcome.DELIVER, b)})
            for b in range(ZONES):
                assert answers[zone, b].holds(packet) == ((Outcome.DELIVER, b) in ends)


@given(RANDOMS)
def test_both_native_ways_agree_on_chains_of_filters(random: Random) -> None:
    of = ZoneGraph(random, rules=False, chains=True)
    one, other = matrices(of)
    assert numbers_as_services(one) == numbers_as_services(other)


def numbers_as_services(matrix: Matrix) -> list[list[int]]:
    """Both answers of every pair as bitsets, -1 where nothing leads."""
    known = [matrix.sets.bits(number) for number in range(len(matrix.sets))]
    return [[known[n] if n >= 0 else -1 for n in side.ravel().tolist()] for side in (matrix.some, matrix.every)]


@given(RANDOMS)
def test_a_services_matrix_is_the_matrix_cut_to_that_service(random: Random) -> None:
    of = ZoneGraph(random)
    for matrix in matrices(of):
        packet = random_packet(random)
        atom = matrix.decider.table.services.atom(packet)
        expected = [[matrix.services(a, b) >> atom & 1 == 1 for b in range(ZONES)] for a in range(ZONES)]
        assert matrix.reaches(packet).tolist() == expected


def random_update(random: Random, sizes: list[int]) -> EntryUpdate:
    """An update that fits filters of these sizes; keeps `sizes` up to date."""
    number = random.randrange(len(sizes))
    kinds = ["insert"] + ["remove", "replace"] * (sizes[number] > 0)
    kind = random.choice(kinds)
    family = random.choice((4, 6))
    base, width = (10 << 24, 32) if family == 4 else (0x20010DB8 << 96, 128)
    sides = [Prefix()] + [Prefix(family, base + low, width - 2) for low in (0, 4, 8)]
    match = Match(
        random.choice(sides),
        random.choice(sides),
        random.choice([(0, 255), (6, 6), (17, 17)]),
        destination_port=random.choice([(0, 65535), (80, 80), (443, 443), (4000, 4001)]),
    )
    entry = Entry(match, random.choice(list(Action)))
    if kind == "insert":
        sizes[number] += 1
        return InsertEntry(number, random.randrange(sizes[number]), entry)
    if kind == "remove":
        sizes[number] -= 1
        return RemoveEntry(number, random.randrange(sizes[number] + 1))
    return ReplaceEntry(number, random.randrange(sizes[number]), entry)


@given(RANDOMS, st.booleans())
@example(Random(60480), False)  # a way beside the filter to a zone that others reach through it
def test_updates_end_where_beginning_anew_ends(random: Random, upper: bool) -> None:
    of = ZoneGraph(random)
    sizes = np.diff(of.network.filters.first).tolist()
    pair = [Matrix(of.decider(), of.classes, of.attachments, upper=upper, pairwise=way) for way in (False, True)]
    for _ in range(4):
        update = random_update(random, sizes)
        for matrix in pair:
            before = numbers_as_services(matrix)
            changes = matrix.apply(update)
            fresh = Matrix(matrix.decider, of.classes, of.attachments, upper=upper, pairwise=False)
            assert numbers_as_services(matrix) == numbers_as_services(fresh)
            says_what_changed(matrix, before, changes)


def says_what_changed(matrix: Matrix, before: list[list[int]], changes: PairChanges) -> None:
    """Pairs that changes do not name are as they were; those named tell what they were."""
    if changes.rebuilt:
        return
    after = numbers_as_services(matrix)
    named = set((changes.source * ZONES + changes.destination).tolist())
    for number in range(ZONES * ZONES):
        if number not in named:
            assert [side[number] for side in before] == [side[number] for side in after]
    for row, number in enumerate((changes.source * ZONES + changes.destination).tolist()):
        for side, numbers in enumerate((changes.some, changes.every)):
            old = int(numbers[row])
            assert before[side][number] == (matrix.sets.bits(old) if old >= 0 else -1)


def small_tree() -> tuple[Decider, Matrix, Matrix]:
    """A tree of 20 routers by both native ways."""
    network = tree(20, 12, seed=5).network
    compiled = compile_network(network)
    core = Core(compiled)
    result = []
    for pairwise in (True, False):
        decider = Decider(network, compiled.labels, core.outcomes(), compiled.variants)
        result.append(Matrix(decider, core.classes(), compiled.attachments, pairwise=pairwise))
    return result[0].decider, *result


def test_a_tree_with_a_filter_on_every_edge() -> None:
    decider, fast, sliced = small_tree()
    assert isinstance(fast.parts[0], FastPart)
    assert isinstance(sliced.parts[0], SlicedPart)
    assert numbers_as_services(fast) == numbers_as_services(sliced)
    assert 0.1 < fast.reaches().mean() < 0.9
    assert np.flatnonzero(fast.some != fast.every).size, "parts of zones have to make a difference"
    for packet in (Packet(4, 0, 0, 6, 40000, 443), Packet(4, 0, 0, 17, 40000, 53), Packet(4, 0, 0, 1, 0, 0)):
        assert fast.reaches(packet).tolist() == sliced.reaches(packet).tolist()
        assert 0.1 < fast.reaches(packet).mean() < 0.9
    random = Random(1)
    for _ in range(examples(40, 2000)):
        number, at = random.randrange(38), random.randrange(12)
        zone = (10 << 24) + (random.randrange(60) << 8)
        side = [Prefix(4, zone, 24), Prefix(4, zone, 26), Prefix(4, 10 << 24, 18), Prefix()]
        service = random.choice([(443, 443), (443, 443), (0, 65535)])
        match = Match(random.choice(side), random.choice(side), (6, 6), destination_port=service)
        update = ReplaceEntry(number, at, Entry(match, random.choice((Action.PERMIT, Action.DENY))))
        asked = [(random.randrange(60), random.randrange(60)) for _ in range(20)]
        for matrix in (fast, sliced):
            before = [matrix.packets(*pair) for pair in asked]
            changes = matrix.apply(update)
            named = set(zip(changes.source.tolist(), changes.destination.tolist(), strict=True))
            same = [old == matrix.packets(*pair) for pair, old in zip(asked, before, strict=True)]
            assert all(equal for pair, equal in zip(asked, same, strict=True) if pair not in named)
        assert numbers_as_services(fast) == numbers_as_services(sliced)
    anew = Matrix(decider, fast.classes, fast.attachments, pairwise=True)
    assert numbers_as_services(anew) == numbers_as_services(fast)


def test_a_pair_of_one_services_is_a_product_and_packets_say_the_same() -> None:
    _, fast, _ = small_tree()
    uniform = np.argwhere((fast.some == fast.every) & (fast.some > 0))
    for a, b in uniform[:: max(1, len(uniform) // 20)].tolist():
        found = fast.packets(a, b)
        source, to = (10 << 24) + (a << 8), (10 << 24) + (b << 8)
        assert found.pieces == ((to, to + 256, ((source, source + 256, fast.services(a, b)),)),)
    varied = np.argwhere(fast.some != fast.every)
    for a, b in varied[:: max(1, len(varied) // 20)].tolist():
        found = fast.packets(a, b)
        assert found.union_of_services() == fast.services(a, b)
        assert (
            found.pieces[0][2][0][:2] != ((10 << 24) + (a << 8), (10 << 24) + (a << 8) + 256) or len(found.pieces) > 1
        )


@pytest.mark.parametrize("behind", [0, 1, -(10**8)])
def test_nothing_behind_the_zones_of_attachments_is_read(behind: int) -> None:
    """Two threads, and one zone has most attachments: the part of one thread is empty."""
    made = NetworkBuilder()
    one, others = made.port("r/x"), [made.port("r/x") for _ in range(7)]
    made.attach("one", one, "198.18.1.0/24")
    for number, port in enumerate(others):
        made.attach("other", port, f"198.18.2.{number}/32")
    made.route("r/x", "198.18.2.0/24", (HopKind.PORT, others[0]))
    made.route("r/x", "198.18.1.0/24", (HopKind.PORT, one))
    engine = Engine(made.build())
    zone = np.append(engine.attachments.zone, np.int32(behind))[:-1]
    given = engine.attachments._replace(zone=zone)
    for _time in range(20):
        found = Matrix(engine.decider, engine.classes(), given, pairwise=True, threads=2)
        assert found.reaches().all()


def test_a_network_without_zones_that_send_has_an_empty_matrix() -> None:
    of = ZoneGraph(Random(3))
    nobody = type(of.attachments)(of.attachments.port[:0], of.attachments.zone[:0])
    zones = type(of.network.zones)(
        of.network.zones.zone[:0],
        of.network.zones.port[:0],
        type(of.network.zones.source)(*(column[:0] for column in of.network.zones.source)),
    )
    of.network = replace(of.network, zones=zones)
    nowhere = of.classes._replace(node=of.classes.node[:, :0], column=of.classes.column[:0])
    matrix = Matrix(of.decider(), nowhere, nobody)
    assert not matrix.reaches().any()
    assert not matrix.reaches(Packet(4, 1, 1, 6, 1, 1)).any()


@pytest.mark.parametrize("way", [Matrix.apply, lambda matrix, update: matrix.decider.table.apply(update)])
def test_an_entry_that_is_not_there_is_refused_as_the_engine_does_and_nothing_changes(way: Any) -> None:
    _, fast, _ = small_tree()
    before, entry = numbers_as_services(fast), Entry(Match(), Action.DENY)
    for wrong, message in (
        (ReplaceEntry(3, 12, entry), "filter 3 has 12 entries, none at 12: correct the position"),
        (RemoveEntry(3, -1), "filter 3 has 12 entries, none at -1: correct the position"),
        (InsertEntry(3, 13, entry), "filter 3 has 12 entries, none at 13: correct the position"),
        (RemoveEntry(38, 0), "filter 38 is none of 38: correct the update"),
    ):
        with pytest.raises(UpdateError) as refused:
            way(fast, wrong)
        assert str(refused.value) == message
    assert numbers_as_services(Matrix(fast.decider, fast.classes, fast.attachments, pairwise=True)) == before
    way(fast, InsertEntry(3, 12, entry))
    assert int(fast.decider.table.count[3]) == 13


UPDATE_BREAKS = {
    "what a filter lets through now is forgotten": ("felt", "found_some[k] & c->come[k];", "0;"),
    "what a filter refuses now is forgotten": ("felt", "!(passes || some[k] & c->gone[k])", "!passes"),
    "what a filter refuses now passes on where something else has come": ("felt", "(some[k] & ~c->gone[k])", "some[k]"),
    "what passes between all addresses stays as it was": ("felt", "(every[k] & ~c->gone[k])", "every[k]"),
    "what comes between all addresses is forgotten": ("felt", "(found_every[k] & c->come[k])", "0"),
    "destinations that lead to one zone are forgotten": ("update", "n->to[m->only[d]]", "0"),
    "ways behind the filter are forgotten": ("update", "n->to[m->node_zone[root]])", "n->to[m->node_zone[root]] && i)"),
}


@pytest.mark.parametrize("name", UPDATE_BREAKS)
def test_an_update_of_the_tree_that_forgets_something_is_noticed(name: str, tmp_path: Path) -> None:
    part, text, other = UPDATE_BREAKS[name]
    with (
        broken_library(tmp_path, ((f"filters_matrix_{part}.c", text, other),)),
        pytest.raises(AssertionError),
    ):
        test_a_tree_with_a_filter_on_every_edge()
