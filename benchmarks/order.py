"""A safe order of 5,000 steps, a tenth of which come too early as given; found with few questions to the verifier."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.measure import alone, shares, smaller, timed
from benchmarks.proof import LEAST, step_of
from network_models.moves import Moves, moves
from network_models.province_sites import Shape
from orchestrator.proof.order_network import order_steps
from orchestrator.proof.reachable import prove_states
from orchestrator.proof.reachable_engine import EngineWorld


def broken_as_given(plan: Moves) -> bool:
    """Whether the given order breaks a flow, up to its first step that comes too early."""
    world = EngineWorld(plan.network, plan.policy)
    for number in plan.given:
        world.apply(plan.moves[number].update)
        if number in plan.early:
            return bool(world.broken().flows)
    return False


def ordered(routers: int, cities: int, zones: int, steps: int, entries: int, conflicts: float) -> dict[str, Any]:
    """Order the steps; the order found is proved by itself. Raises AssertionError when one step is missing."""
    plan = moves(Shape(routers=routers, cities=cities, zones=zones), steps, conflicts, entries)
    given = [step_of(number, plan.moves[number]) for number in plan.given]
    built, world = timed(EngineWorld, plan.network, plan.policy)
    cpu = time.process_time()
    took, found = timed(order_steps, plan.network, given, plan.policy, world)
    cpu = time.process_time() - cpu
    assert sorted(found.result.order) == list(range(steps)), found.conflicts(plan.network)[:3]
    assert broken_as_given(plan)
    proof = prove_states(plan.network, found.batches, plan.policy, EngineWorld(plan.network, plan.policy))
    assert proof.result == "pass", proof.findings[:3]
    return {
        "routers": routers,
        "steps": steps,
        "too_early": len(plan.early),
        "components": found.result.components,
        "searched": found.result.searched,
        "calls": found.result.calls,
        "calls_per_step": round(found.result.calls / steps, 3),
        "refused_without_a_call": found.result.refused,
        "world_seconds": round(built, 3),
        "seconds": round(took, 3),
        "cpu_seconds": round(cpu, 3),
        "proof_of_the_order_seconds": proof.seconds,
    }


def run(*, quick: bool = False) -> dict[str, Any]:
    """One object with the goals beside the figures."""
    size: dict[str, Any] = {"routers": 200, "cities": 4, "zones": 20, "steps": 90, "entries": 2_500, "conflicts": 0.1}
    if not quick:
        size |= {"routers": 30_000, "cities": 20, "zones": 200, "steps": 5_000, "entries": 60_000}
    measured = alone(ordered, **size)
    growing = [alone(ordered, **smaller(size, share, **LEAST)) for share in shares(quick=quick)]
    growth = [
        {key: part[key] for key in ("routers", "steps", "seconds", "calls_per_step", "peak_megabytes")}
        for part in (*growing, measured)
    ]
    return measured | {"growth": growth, "goal_seconds": 2.0, "goal_calls_per_step": 1.5, "cpus": os.cpu_count()}
