"""The laws: the engine says what the plain walker says, whatever the network and whatever changes led there.

Every network is random (networks.py: all features, both families); packets are taken from the edges and the midst of
everything the network can tell apart (points.py). A few thousand networks on every day, 100,000 and more in the soak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings

from network_models.province import province
from network_models.province_sites import Shape
from network_models.rule_sets import guarded
from network_models.update_streams import stream
from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.plain import Plain
from tests.forwarding.engine.answers import engine_answer, plain_answer
from tests.forwarding.engine.changes import random_update
from tests.forwarding.engine.networks import FEATURES, networks, random_network
from tests.forwarding.engine.points import every_packet, some_packets
from tests.laws import FIRST, examples, told

BLOCKS = 4  # a failing block says which quarter of the seeds it was
PACKETS = 10
STEPS = 6


def deviations(engine: Engine, network: Network, random: Random, packets: int = PACKETS) -> Iterator[str]:
    """Packets about which the engine and the plain walker disagree."""
    plain = Plain(network)
    for zone, packet in some_packets(network, random, packets):
        expected, found = plain_answer(plain, zone, packet), engine_answer(engine, plain, zone, packet)
        if expected != found:
            yield f"{packet} from zone {zone}: {expected} by the plain walker, {found} by the engine"


def of_seed(seed: int) -> Iterator[str]:
    """Deviations on one random network."""
    random = Random(seed)
    network = random_network(random)
    for deviation in deviations(Engine(network), network, random):
        yield f"network {seed}: {deviation}"


Prepare = Callable[[Engine], None]


def as_large(engine: Engine) -> None:
    """The edits of every change are answered class by class."""
    engine.core.patience(-1)


def with_hubs(engine: Engine, every: int = 1) -> None:
    """Outcomes of every so-manieth table are kept, and read in every change."""
    engine.core.hubs(every)


def of_sequence(seed: int, features: Sequence[str] | None = None, prepare: Prepare | None = None) -> Iterator[str]:
    """Deviations along one random sequence of changes, there and back. `features`: as for random_network."""
    random = Random(seed)
    network = random_network(random, features)
    engine = Engine(network)
    if prepare:
        prepare(engine)
    before: list[tuple[Change, Network, str]] = []
    for step in range(STEPS):
        update = random_update(random, network)
        digest, after = engine.digest(), changed(network, [update])
        before.append((engine.apply(update), network, digest))
        network = after
        where = f"network {seed}, change {step} {update}"
        yield from (f"{where}: {deviation}" for deviation in deviations(engine, network, random, 5))
        if engine.digest() != Engine(network).digest():
            yield f"{where}: the digest is not that of the changed network"
    while before:
        change, network, digest = before.pop()
        engine.undo(change)
        if engine.digest() != digest:
            yield f"network {seed}, undo of {change.update}: the digest is not the one before"
        yield from (f"network {seed}, undo: {deviation}" for deviation in deviations(engine, network, random, 2))


def within_bounds(block: int, count: int, law: Callable[[int], Iterator[str]]) -> int:
    """Run a law on its seeds; how many networks were beyond the engine's bounds and said so."""
    refused = 0
    for seed in told(f"{law.__name__}[{block}]", range(FIRST + block, FIRST + count, BLOCKS)):
        try:
            assert not list(law(seed))
        except AnswerError:
            refused += 1
    return refused


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_engine_answers_like_the_plain_walker(block: int) -> None:
    count = examples(800, 100_000)
    assert within_bounds(block, count, of_seed) <= 1 + count // BLOCKS // 100


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_change_leads_where_a_new_engine_begins_and_undo_leads_back(block: int) -> None:
    count = examples(160, 12_000)
    assert within_bounds(block, count, of_sequence) <= 1 + count // BLOCKS // 100


@pytest.mark.parametrize("seed", [4000443, 4003000])
def test_labels_that_no_packet_has_keep_one_answer(seed: int) -> None:
    """A port up again where everything had been answered anew: the hole between the families was given an answer."""
    assert not list(of_sequence(seed))


def impatient(seed: int) -> Iterator[str]:
    """As of_sequence, with the edits of every change answered class by class."""
    return of_sequence(seed, prepare=as_large)


def kept(seed: int) -> Iterator[str]:
    """As of_sequence, with outcomes kept between changes; translations and policies would have none."""
    return of_sequence(seed, ("filters", "ecmp", "down", "leaks"), partial(with_hubs, every=1 + seed % 3))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_edits_answered_class_by_class_lead_where_a_new_engine_begins(block: int) -> None:
    count = examples(160, 8_000)
    assert within_bounds(block, count, impatient) <= 1 + count // BLOCKS // 100


@pytest.mark.parametrize("block", range(BLOCKS))
def test_outcomes_kept_between_changes_lead_where_a_new_engine_begins(block: int) -> None:
    count = examples(160, 12_000)
    assert within_bounds(block, count, kept) <= 1 + count // BLOCKS // 100


@pytest.mark.parametrize("prepare", [None, as_large, with_hubs])
def test_answers_stay_those_of_a_new_engine_where_many_ways_lead_through_few_tables(prepare: Prepare | None) -> None:
    """Routes and filters alone, every answer compared: changes that packets meet late, and in loops that branch."""
    swept = read = 0
    seeds = (*range(examples(60, 10_000)), 3117)  # one loop in which only others' answers change is rare
    for seed in told(f"many ways[{prepare.__name__ if prepare else None}]", seeds):
        random = Random(seed)
        network = random_network(random, ("filters", "ecmp", "down", "leaks"))
        engine = Engine(network)
        if prepare:
            prepare(engine)
        for step in range(STEPS):
            update = random_update(random, network)
            network = changed(network, [update])
            engine.apply(update)
            assert engine.digest() == Engine(network).digest(), f"network {seed}, change {step}: {update}"
        swept += engine.core.counts().sweeps
        read += engine.core.counts().kept_read
    assert swept > 60 if prepare is as_large else swept < 60
    assert read > 200 if prepare is with_hubs else read == 0


@pytest.mark.parametrize("kind", ["routes", "ports", "adversarial"])
@pytest.mark.parametrize("every", [1, 3])
def test_outcomes_kept_between_changes_are_those_of_a_new_engine_in_a_province(every: int, kind: str) -> None:
    """Streams of changes in small provinces, with many ways through the few tables whose outcomes are kept."""
    read = 0
    for seed in told(f"province[{every}, {kind}]", range(examples(1, 60))):
        made = guarded(province(Shape(routers=150, zones=24, cities=3, seed=seed + 1)), 800)
        engine, network = Engine(made.network), made.network
        engine.core.hubs(every)
        for step, update in enumerate(stream(made.network, kind, 30, seed)):
            network = changed(network, [update])
            engine.apply(update)
            assert engine.digest() == Engine(network).digest(), f"province {seed}, change {step}: {update}"
        read += engine.core.counts().kept_read
    assert read > 20


@given(networks())
def test_what_hypothesis_finds_is_no_different(network: Network) -> None:
    assert not list(deviations(Engine(network), network, Random(1)))


@settings(max_examples=examples(8, 800))
@given(networks("filters", "ecmp"))
def test_every_cell_of_packets_agrees_where_there_are_few(network: Network) -> None:
    engine, plain = Engine(network), Plain(network)
    for zone in range(len(network.zone_names)):
        packets = every_packet(network, zone)
        for packet in packets[:: 1 + len(packets) // 400]:
            assert engine_answer(engine, plain, zone, packet) == plain_answer(plain, zone, packet)


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_alone(feature: str) -> None:
    for seed in range(examples(12, 400)):
        random = Random(seed)
        network = random_network(random, (feature,))
        assert not list(deviations(Engine(network), network, random))
