"""Updates one by one: a province of 30,000 routers with its filters, and a backbone of full tables.

After each update the engine's answers are those of the new network, and pairs that the policy does not allow are
counted anew. Beside it, in the same run: the whole answer computed anew. In the end all updates are taken back, and
the answers are compared with an engine built from the changed network.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.measure import percentiles, timed
from network_models.backbone import backbone
from network_models.province import province
from network_models.province_sites import Shape
from network_models.rule_sets import guarded
from network_models.update_streams import stream
from orchestrator.forwarding.engine.engine import Change, Engine
from orchestrator.forwarding.engine.network import Network

GOALS = {"median": 50.0, "p99": 5_000.0}
KINDS = ("routes", "entries", "ports", "mixed", "adversarial")


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


def streamed(network: Network, kind: str, count: int) -> dict[str, Any]:
    """One stream through one engine, taken back at the end. Raises AssertionError when an answer differs."""
    full, engine = timed(Engine, network)
    before = answers(engine)
    updates = stream(network, kind, count)
    seconds: list[float] = []
    changes: list[Change] = []
    for update in updates:
        begin = time.perf_counter()
        changes.append(engine.apply(update))
        seconds.append(time.perf_counter() - begin)
    assert answers(engine) == answers(Engine(engine.network))
    for change in reversed(changes):
        engine.undo(change)
    assert answers(engine) == before
    figures = percentiles(seconds)
    return figures | {"full_microseconds": round(1e6 * full), "slower_than_full": sum(took > full for took in seconds)}


def in_province(routers: int, entries: int, kind: str, count: int) -> dict[str, Any]:
    """A stream of one kind in a province."""
    return streamed(guarded(province(Shape(routers=routers)), entries).network, kind, count)


def in_backbone(routers: int, prefixes: int, count: int) -> dict[str, Any]:
    """A stream of routes in a backbone, through Python one by one."""
    return streamed(backbone(routers, prefixes), "routes", count)
