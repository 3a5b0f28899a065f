"""The zone matrix of a whole engine against the plain walker: sets, examples, one service, and after changes."""

from __future__ import annotations

from random import Random

import pytest

from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import Plain
from tests.forwarding.engine.answers import plain_answer
from tests.forwarding.engine.changes import random_update
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples, told

Sets = dict[tuple[int, int], PacketSet]


def matrix_of(engine: Engine) -> Matrix:
    """All pairs."""
    return Matrix(engine.decider, engine.classes(), engine.attachments)


def sets_of(matrix: Matrix, *, every_path: bool = False) -> Sets:
    """Which packets get from each zone to each."""
    zones = range(len(matrix.decider.network.zone_names))
    return {(one, other): matrix.packets(one, other, every_path=every_path) for one in zones for other in zones}


def agree(matrix: Matrix, network: Network, random: Random, count: int = 12) -> Sets:
    """Hold a matrix against the plain walker: both ways of asking, its own examples, and random packets."""
    plain, sets, sure = Plain(network), sets_of(matrix), sets_of(matrix, every_path=True)
    assert {pair: bool(found) for pair, found in sets.items()} == {pair: bool(matrix.reaches()[pair]) for pair in sets}
    for (one, other), found in sets.items():
        assert found.union_of_services() == matrix.services(one, other)
        example = found.example()
        if example is not None:
            assert other in plain_answer(plain, one, example).may, f"{example} from {one} does not get to {other}"
    for zone, packet in some_packets(network, random, count):
        expected = plain_answer(plain, zone, packet)
        got = {other for (one, other), found in sets.items() if one == zone and found.holds(packet)}
        surely = {other for (one, other), found in sure.items() if one == zone and found.holds(packet)}
        assert (got, surely) == (expected.may, expected.must), f"{packet} from zone {zone}"
    return sets


def hold_what_is_possible(engine: Engine, sets: Sets) -> None:
    """What may get through, the unknown counted as open: the same packets by all ways of asking, and no fewer."""
    upper = engine.reach(unknown_reaches=True)
    for (one, other), found in sets_of(upper).items():
        assert (bool(found), found.union_of_services()) == (upper.reaches()[one, other], upper.services(one, other))
        assert sets[one, other] <= found


@pytest.mark.parametrize("block", range(4))
def test_the_matrix_of_a_network_and_what_changes_in_it(block: int) -> None:
    """Also: the difference of two states is what newly reaches and no longer reaches, packet by packet."""
    for seed in told(f"matrix[{block}]", range(block, examples(80, 4000), 4)):
        random = Random(seed)
        network = random_network(random)
        try:
            engine = Engine(network)
            before = agree(matrix_of(engine), network, random)
            hold_what_is_possible(engine, before)
            update, generation = random_update(random, network), engine.generation
            engine.apply(update)
            now = changed(network, [update])
            after = agree(matrix_of(engine), now, random)
            fresh = sets_of(matrix_of(Engine(now)))
        except AnswerError:
            continue
        old, new = Plain(network), Plain(now)
        for pair, found in after.items():
            assert found.is_empty == fresh[pair].is_empty
            if engine.generation != generation:  # built anew: its sets speak of other services
                continue
            for difference, gone, come in ((before[pair] - found, old, new), (found - before[pair], new, old)):
                example = difference.example()
                if example is not None:
                    assert pair[1] in plain_answer(gone, pair[0], example).may
                    assert pair[1] not in plain_answer(come, pair[0], example).may
