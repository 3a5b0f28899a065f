"""Updates one by one: a province of 30,000 routers with its filters, and a backbone of full tables.

After each update the engine's answers are those of the new network, and pairs that the policy does not allow are
counted anew. Beside it, in the same run: the whole answer computed anew. In the end all updates are taken back, and
the answers are compared with an engine built from the changed network.

Times are of the processor, not of the clock: an update waits for nothing, and other work of the machine is not its own.
A stream ends after so many updates, or after so many seconds of them: `runs` says how many there were.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import alone, percentiles, shares, smaller
from network_models.backbone import backbone
from network_models.province import province
from network_models.province_sites import Shape
from network_models.rule_sets import guarded
from network_models.update_streams import KINDS, stream
from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.core import Kind
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    InsertEntry,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    RouteUpdate,
    Update,
)
from orchestrator.proof.reachable_engine import EngineWorld

GOALS = {"median": 50.0, "p99": 5_000.0}
KINDS_NATIVE = {AddRoute: Kind.ADD_ROUTE, RemoveRoute: Kind.REMOVE_ROUTE, ReplaceRoute: Kind.REPLACE_ROUTE}


def processed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """(seconds of the processor, result) of one call."""
    begin = time.process_time()
    result = work(*arguments)
    return time.process_time() - begin, result


def answers(engine: Engine) -> list[tuple[bytes, bytes]]:
    """Per attachment the stretches of destinations and what becomes of them, in words that other engines share."""
    words = _words(engine)
    found = []
    for attachment in range(len(engine.attachments.port)):
        start, node = engine.segments(attachment)
        named = [words[number] for number in node.tolist()]
        places = [engine.labels.address(label) for label in start.tolist()]
        kept = [row for row in range(len(named)) if not row or named[row] != named[row - 1]]
        found.append((repr([places[row] for row in kept]).encode(), repr([named[row] for row in kept]).encode()))
    return found


def _words(engine: Engine) -> list[int]:
    outcomes, variants = engine.outcomes(), engine.variants
    words: list[int] = []
    bounds, children = outcomes.first.tolist(), outcomes.children.tolist()
    for number, (kind, a) in enumerate(zip(outcomes.kind.tolist(), outcomes.a.tolist(), strict=True)):
        below = [words[child] for child in children[bounds[number] : bounds[number + 1]]]
        filtered = kind in (4, 6)  # the number of a variant depends on the engine; its filter and port do not
        name = (int(variants.filter[a]), int(variants.in_port[a])) if filtered else a
        words.append(hash((kind, name, tuple(sorted(below) if kind == 5 else below))))
    return words


def slower(seconds: list[float], before: float, after: float) -> dict[str, int]:
    """How many updates took longer than everything anew, before the stream and after: it leaves more to tell apart."""
    return {"full_after": round(1e6 * after), "slower_than_full": sum(took > max(before, after) for took in seconds)}


def streamed(engine: Engine, updates: list[Update], full: float, most_seconds: float) -> dict[str, Any]:
    """One stream through one engine, taken back at the end. Raises AssertionError when an answer differs."""
    before, seconds, changes = answers(engine), list[float](), list[Change]()
    for update in updates:
        begin = time.process_time()
        changes.append(engine.apply(update))
        seconds.append(time.process_time() - begin)
        if sum(seconds) > most_seconds:
            break
    after, anew = processed(Engine, engine.network)
    assert answers(engine) == answers(anew)
    for change in reversed(changes):
        engine.undo(change)
    assert answers(engine) == before
    return percentiles(seconds) | slower(seconds, full, after)


def judged(
    world: EngineWorld, policy: Policy, updates: list[Update], full: float, most_seconds: float
) -> dict[str, Any]:
    """The same with the whole policy answered after each update: forbidden pairs exactly, and flows both ways."""
    seconds, broken = list[float](), world.broken()
    for update in updates:
        begin = time.process_time()
        world.apply(update)
        broken = world.broken()
        seconds.append(time.process_time() - begin)
        if sum(seconds) > most_seconds:
            break
    after, anew = processed(EngineWorld, world.engine.network, policy)
    assert broken == anew.broken()
    return percentiles(seconds) | slower(seconds, full, after)


def in_province(routers: int, zones: int, entries: int, kind: str, count: int, most_seconds: float) -> dict[str, Any]:
    """A stream of one kind in a province, the engine alone and with its policy; microseconds."""
    made = guarded(province(Shape(routers=routers, zones=zones)), entries)
    updates = stream(made.network, kind, count)
    full, engine = processed(Engine, made.network)
    figures = {"kind": kind, "full": round(1e6 * full), "engine": streamed(engine, updates, full, most_seconds)}
    del engine
    whole, world = processed(EngineWorld, made.network, made.policy)
    assert world.broken().isolation == made.opened
    assert world.broken().flows == made.cut
    policy = judged(world, made.policy, updates, whole, most_seconds)
    return figures | {"full_with_policy": round(1e6 * whole), "with_policy": policy}


def in_matrix(routers: int, zones: int, entries: int, count: int, most_seconds: float) -> dict[str, Any]:
    """Filter entries with the whole matrix kept: forbidden pairs that some packet crosses, after each entry."""
    made = guarded(province(Shape(routers=routers, zones=zones)), entries)
    engine = Engine(made.network)
    matrix, forbidden = engine.reach(), ~made.policy.allowed
    np.fill_diagonal(forbidden, val=False)
    wrong, seconds, done = matrix.reaches() & forbidden, list[float](), list[Update]()
    for update in stream(made.network, "entries", count):
        if not isinstance(update, InsertEntry | RemoveEntry | ReplaceEntry):
            continue
        begin = time.process_time()
        pairs = matrix.apply(update)
        source, destination = pairs.source, pairs.destination
        wrong[source, destination] = (matrix.some[source, destination] > 0) & forbidden[source, destination]
        seconds.append(time.process_time() - begin)
        done.append(update)
        if sum(seconds) > most_seconds:
            break
    assert np.array_equal(wrong, Engine(changed(made.network, done)).reach().reaches() & forbidden)
    return percentiles(seconds)


def in_backbone(routers: int, prefixes: int, count: int) -> dict[str, Any]:
    """A stream of routes in a backbone: one call each from Python, and handed over as arrays."""
    network = backbone(routers, prefixes)
    updates = stream(network, "routes", count)
    full, engine = processed(Engine, network)
    one_by_one = streamed(engine, updates, full, 600.0)
    rows = [(KINDS_NATIVE[type(one)], one.table, *engine.labels.interval(one.prefix), _group(engine, one))
            for one in updates if isinstance(one, AddRoute | RemoveRoute | ReplaceRoute)]  # fmt: skip
    kind, table, low, high, group = (np.array(column) for column in zip(*rows, strict=True))
    small = (kind.astype(np.int32), table.astype(np.int32))
    nanoseconds, _ = engine.core.batch(*small, low.astype(np.int64), high.astype(np.int64), group.astype(np.int32))
    assert answers(engine) == answers(Engine(changed(network, updates)))
    return {
        "routers": routers,
        "routes": len(network.routes.table),
        "full": round(1e6 * full),
        "one_by_one": one_by_one,
        "as_arrays": percentiles([took / 1e9 for took in nanoseconds.tolist()]),
    }


def _group(engine: Engine, update: RouteUpdate) -> int:
    return NONE if isinstance(update, RemoveRoute) else engine.group(update.hops)


def run(*, quick: bool = False) -> dict[str, Any]:
    """One object: every stream with its goals, in microseconds, and peak memory of each process."""
    size: dict[str, Any] = {"routers": 30_000, "zones": 200, "entries": 250_000, "count": 1_000, "most_seconds": 20.0}
    few = {"routers": 6, "prefixes": 500, "count": 100}
    kinds = KINDS[-2:] if quick else KINDS  # the last two have updates of every kind in them
    many = {"routers": 18, "prefixes": 100_000, "count": 20_000}
    if quick:
        size = {"routers": 160, "zones": 24, "entries": 800, "count": 30, "most_seconds": 1.0}
    measured = [alone(in_province, kind=kind, **size) for kind in kinds]
    mixed = next(part for part in measured if part["kind"] == "mixed")
    fewer = [smaller(size, share, routers=120, zones=12, entries=400) for share in shares(quick=quick)]
    growing = [(few["routers"], alone(in_province, kind="mixed", **few)) for few in fewer] + [(size["routers"], mixed)]
    return {
        "province": measured,
        "growth_of_mixed": [
            {"routers": routers, "peak_megabytes": part["peak_megabytes"]} | part["with_policy"]
            for routers, part in growing
        ],
        "entries_in_the_matrix": alone(in_matrix, **size),
        "goals_microseconds": GOALS,
        "backbone": alone(in_backbone, **(few if quick else many)) | {"goal_median_microseconds": 6.0},
        "unit": "microseconds",
        "cpus": os.cpu_count(),
    }
