"""A plan of moves is what it says: layer by layer nothing breaks, and every early step makes a loop."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from network_models.columns import joined, taken, version4
from network_models.moves import Move, Moves, moves
from network_models.province_sites import Shape
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.network import NONE, Groups, Network, Routes
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.plain_flow import works

SMALL = Shape(routers=200, cities=4, zones=20)


@pytest.fixture(scope="module")
def plan() -> Moves:
    return moves(SMALL, steps=90, entries=2_500)


def after(network: Network, done: list[Move]) -> Network:
    """The network with these routes in the place of what their tables had for the prefix."""
    routes, groups = network.routes, network.groups
    for move in done:
        table, prefix, hops = move.update.table, move.update.prefix, move.update.hops
        held = (routes.table == table) & (routes.prefix.low == prefix.address) & (routes.prefix.length == prefix.length)
        kept = ~(held & (routes.prefix.family == 4))
        one = version4([prefix.address], [prefix.length])
        routes = Routes(
            np.append(routes.table[kept], np.int32(table)),
            joined([taken(routes.prefix, kept), one]),
            np.append(routes.group[kept], np.int32(len(groups.first) - 1)),
        )
        groups = Groups(
            np.append(groups.first, np.int32(groups.first[-1] + len(hops))),
            np.append(groups.kind, np.array([hop.kind for hop in hops], np.int32)),
            np.append(groups.target, np.array([hop.target for hop in hops], np.int32)),
        )
    return replace(network, routes=routes, groups=groups, route_line=np.full(len(routes.table), NONE, np.int32))


def broken(plan: Moves, network: Network, story: int) -> set[int]:
    """Flows addressed to the prefix of a story that do not work."""
    prefix = next(move.update.prefix for move in plan.moves if move.story == story)
    plain, width = Plain(network), 32 - prefix.length
    return {
        number
        for number, flow in enumerate(plan.policy.flows)
        if flow.packet.family == 4
        and flow.packet.destination >> width == prefix.address >> width
        and works(plain, flow.zone, flow.packet) is not True
    }


def test_a_plan_has_the_steps_asked_for_each_given_once(plan: Moves) -> None:
    assert len(plan.moves) == 90
    assert sorted(plan.given) == list(range(90))
    assert len(plan.early) == 9
    check_network(plan.network)
    plan.policy.check(plan.network)


def test_layer_by_layer_every_flow_works_in_every_state(plan: Moves) -> None:
    stories = defaultdict(list)
    for move in plan.moves:
        stories[move.story].append(move)
    for story, steps in list(stories.items())[:1]:
        states = [after(plan.network, steps[:count]) for count in range(len(steps) + 1)]
        assert [broken(plan, state, story) for state in states] == [set()] * len(states)


def test_a_step_that_comes_too_early_breaks_a_flow(plan: Moves) -> None:
    for number in sorted(plan.early)[:3]:
        move = plan.moves[number]
        assert broken(plan, plan.network, move.story) == set()
        assert broken(plan, after(plan.network, [move]), move.story)


def test_more_steps_than_there_are_prefixes_for_are_refused() -> None:
    with pytest.raises(InputError, match=r"^the province has prefixes for \d+ steps only: ask for as many, or take mo"):
        moves(replace(SMALL, seed=2), steps=50_000, entries=2_500)
