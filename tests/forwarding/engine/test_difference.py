"""What a change has made of packets is the difference of what gets from zone to zone before and after, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from orchestrator.forwarding.engine import difference as module
from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.difference import Pair
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.packets import PacketsError, PacketSet
from orchestrator.forwarding.engine.restated import restated
from orchestrator.forwarding.engine.service_cells import extended
from tests.forwarding.engine.changes import random_update
from tests.forwarding.engine.networks import random_network
from tests.laws import examples


def crossing(engine: Engine) -> dict[Pair, PacketSet]:
    """Every pair of zones with the packets that get across."""
    matrix, zones = engine.reach(), range(len(engine.base.zone_names))
    return {(one, other): matrix.packets(one, other) for one in zones for other in zones}


def same(engine: Engine, one: PacketSet, other: PacketSet) -> bool:
    """Whether two sets hold the same packets, in whatever services they are said."""
    mine, yours = restated(one, engine.table), restated(other, engine.table)
    mine = mine.lifted(yours.services)
    return not mine - yours and not yours - mine


def without(engine: Engine, one: PacketSet, other: PacketSet) -> PacketSet:
    """Packets of the first set that the second one has not."""
    mine, yours = restated(one, engine.table), restated(other, engine.table)
    return mine.lifted(yours.services) - yours


def deviations(seed: int, changes: int) -> Iterator[str]:
    """Pairs of zones for which the difference says something else than the two matrices."""
    random = Random(seed)
    network: Network = random_network(random)
    engine, older = Engine(network), Engine(network)
    before, nothing = crossing(engine), PacketSet(engine.table.services)
    for _ in range(changes):
        update = random_update(random, network)
        network = changed(network, [update])
        change = engine.apply(update)
        told, after = engine.difference(change), crossing(engine)
        anew = older.difference_to(engine)
        older = Engine(network)
        if set(anew.newly) != set(told.newly) or set(anew.gone) != set(told.gone):
            yield f"network {seed}, {update}: pairs between which two engines differ"
        for pair, packets in after.items():
            newly, gone = without(engine, packets, before[pair]), without(engine, before[pair], packets)
            if not same(engine, newly, told.newly.get(pair, nothing)):
                yield f"network {seed}, {update}: what newly gets through between {pair}"
            if not same(engine, gone, told.gone.get(pair, nothing)):
                yield f"network {seed}, {update}: what no longer gets through between {pair}"
        before = after


def first_deviation(seeds: int) -> str | None:
    """The first deviation on some networks; those beyond the engine's bounds are left out."""
    for seed in range(seeds):
        try:
            found = next(deviations(seed, 3), None)
        except AnswerError:
            continue
        if found:
            return found
    return None


def test_a_difference_is_that_of_two_matrices() -> None:
    assert first_deviation(examples(40, 4_000)) is None


def test_services_that_parted_are_not_taken_for_each_other() -> None:
    network = random_network(Random(1))
    older = Engine(network).table.services
    web, names = ((6, 6, 0, 65535, port, port, 1, 0, 0) for port in (8_191, 8_193))
    one, other = (extended(older, np.array([row], np.int32)) for row in (web, names))
    both = extended(one, np.array([names], np.int32))
    assert PacketSet(one).lifted(both).services is both
    assert PacketSet(older).lifted(other).services is other
    with pytest.raises(PacketsError, match="different services"):
        PacketSet(one).lifted(other)


@pytest.mark.parametrize("broken", ["_changed", "_meeting"])
def test_a_difference_that_overlooks_something_is_noticed(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, broken, lambda engine, change: iter(()))
    assert first_deviation(40) is not None
