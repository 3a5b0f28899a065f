"""A plan of 5,000 steps in a province: every reachable state proved, the way back included.

The plan is safe as it stands and has to pass; with one step put before all others it has to fail, with that step named.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from benchmarks.measure import alone, shares, smaller, timed
from network_models.moves import LAYERS, Move, Moves, moves
from network_models.province_sites import Shape
from orchestrator.proof.reachable import StatesProof, Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld


def step_of(number: int, move: Move) -> Step:
    """A move as a step of a plan."""
    return Step(f"step {number}: prefix {move.story}, layer {move.layer}", (move.update,))


def in_layers(plan: Moves, first: Sequence[int] = ()) -> list[list[Step]]:
    """The plan's batches, one per layer, after a batch of the moves in `first`."""
    batches: list[list[Step]] = [[] for _ in range(LAYERS + 1)]
    for number, move in enumerate(plan.moves):
        batches[0 if number in first else move.layer + 1].append(step_of(number, move))
    return [batch for batch in batches if batch]


def proved(plan: Moves, batches: list[list[Step]]) -> tuple[float, float, StatesProof]:
    """(seconds to build the world, seconds to prove, proof)."""
    built, world = timed(EngineWorld, plan.network, plan.policy)
    took, proof = timed(prove_states, plan.network, batches, plan.policy, world, world.name)
    return built, took, proof


def states(routers: int, cities: int, zones: int, steps: int, entries: int, audited: int) -> dict[str, Any]:
    """Prove the plan, and the plan with a step too early. Raises AssertionError when a result is wrong."""
    plan = moves(Shape(routers=routers, cities=cities, zones=zones), steps=steps, entries=entries)
    batches = in_layers(plan)
    built, took, proof = proved(plan, batches)
    assert proof.result == "pass", proof.findings[:3]
    wrong = min(plan.early)
    _, late, failed = proved(plan, in_layers(plan, first=(wrong,)))
    assert failed.result == "fail"
    assert any(f"step {wrong}:" in str(finding) for finding in failed.findings), failed.findings[:3]
    if audited:
        assert audit(plan.network, batches, plan.policy, proof, audited, 1).contradictions == ()
    return {
        "routers": routers,
        "steps": steps,
        "batches": len(batches),
        "states": f"{proof.states:.3e}" if proof.states < 10**300 else f"10^{len(str(proof.states)) - 1}",
        "promises": proof.promises,
        "asked": proof.asked,
        "world_seconds": round(built, 3),
        "seconds": round(took, 3),
        "failing_plan_seconds": round(late, 3),
        "audited_states": audited,
    }


LEAST = {"routers": 100, "cities": 2, "zones": 12, "steps": 30, "entries": 500}


def run(*, quick: bool = False) -> dict[str, Any]:
    """One object with the goal beside the figures."""
    size = {"routers": 200, "cities": 4, "zones": 20, "steps": 90, "entries": 2_500, "audited": 2}
    if not quick:
        size = {"routers": 30_000, "cities": 20, "zones": 200, "steps": 5_000, "entries": 60_000, "audited": 0}
    measured = alone(states, **size)
    growing = [alone(states, **smaller(size, share, **LEAST)) for share in shares(quick=quick)]
    growth = [
        {key: part[key] for key in ("routers", "steps", "world_seconds", "seconds", "peak_megabytes")}
        for part in (*growing, measured)
    ]
    return measured | {"growth": growth, "goal_seconds": 10.0, "cpus": os.cpu_count()}
