"""The engine cold: a province from its tables, with filters, its growth, a tree with a filter on every edge, first use.

Each part runs in a process of its own; `python -m benchmarks.forwarding` runs the tree by itself. Every answer is
checked: the pairs found open are the faults put in, and packets drawn at random become what the plain walker says.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.measure import alone, peak_megabytes, percentiles, process, spread, timed
from network_models.province import province
from network_models.province_sites import Shape
from network_models.rule_sets import Guarded, guarded
from network_models.tree import tree
from network_models.update_streams import stream
from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.forwarding.engine.updates import ReplaceEntry

SIZES = (1_000, 3_000, 10_000, 30_000)
BATFISH: dict[str, Any] = {  # quoted, not measured here: another program, the same kind of tree, two such cores
    "what": "Batfish's engine, one fixpoint in process, quoted",
    "all_services_seconds": 322.0,
    "one_service_seconds": 33.0,
    "after_one_line_seconds": 97.0,
    "peak_megabytes": 12_500.0,
}
TREE = {"routers": 1_000, "lines": 50, "packets": 200}
SMALL_TREE = {"routers": 60, "lines": 10, "packets": 40}
DIFFERENCES = ("routes", "entries")
GOALS_OF_TREE = {"all_services": 1.0, "one_service": 0.2, "after_one_line": 0.01}
FRESH = """
from orchestrator.forwarding.engine.engine import Engine
from network_models.tree import tree
engine = Engine(tree(3, lines=2).network)
assert engine.classes().node.size
"""


def opened(matrix: Matrix, made: Guarded) -> set[tuple[int, int]]:
    """Pairs that some packet crosses and the policy does not allow."""
    wrong = matrix.reaches() & ~made.policy.allowed
    np.fill_diagonal(wrong, val=False)
    return {(int(source), int(destination)) for source, destination in np.argwhere(wrong)}


def agrees(matrix: Matrix, network: Network, asked: list[tuple[int, int, Packet]]) -> int:
    """Hold packets (from zone, to zone) against the plain walker; how many got through. Raises AssertionError."""
    plain, through = Plain(network), 0
    for source, destination, packet in asked:
        ends = plain.ends(source, packet)
        there = any(end.ending == Ending.DELIVERED and end.zone == destination for end in ends)
        assert matrix.packets(source, destination).holds(packet) == there, (source, destination, packet, there)
        through += there
    return through


def some_packets(network: Network, count: int, seed: int = 1) -> list[tuple[int, int, Packet]]:
    """Packets from zone to zone, drawn at random."""
    random, zones = np.random.default_rng(seed), network.zones
    found: list[tuple[int, int, Packet]] = []
    while len(found) < count:
        source, destination = (int(row) for row in random.integers(0, len(zones.zone), 2))
        family, pair = int(zones.source.family[source]), (int(zones.zone[source]), int(zones.zone[destination]))
        if pair[0] == pair[1] or family != int(zones.source.family[destination]):
            continue
        port = int(random.choice([22, 80, 443, 1521, 3306, 27017]))
        addresses = _address(zones.source, source), _address(zones.source, destination)
        found.append((*pair, Packet(family, *addresses, 6, 50_000, port)))
    return found


def registered_packets(made: Guarded, count: int) -> list[tuple[int, int, Packet]]:
    """First packets of registered flows, whose filters permit them, with the zones they are for."""
    plain, found = Plain(made.network), []
    for flow in made.policy.flows[:count]:
        zones = {end.zone for end in plain.ends(flow.zone, flow.packet) if end.ending == Ending.DELIVERED}
        found += [(flow.zone, zone, flow.packet) for zone in zones]
    return found


def _address(many: Any, row: int) -> int:
    return (int(many.high[row]) << 64 | int(many.low[row])) + 9


def forwarding(routers: int, runs: int = 3) -> dict[str, Any]:
    """Tables to answers for every zone and destination, no filters: check, compile, solve."""
    network = province(Shape(routers=routers)).network
    seconds = []
    for _ in range(runs):
        took, engine = timed(Engine, network)
        seconds.append(took)
        counts = engine.counts()
        del engine
    return {
        "routers": routers,
        "routes": len(network.routes.table),
        "zones": len(network.zone_names),
        "atoms": counts.atoms,
        "seconds": spread(seconds),
    }


def filters(routers: int, entries: int) -> dict[str, Any]:
    """The whole proof: tables and all filters, nothing known before; then once more with everything known."""
    generation, made = timed(lambda: guarded(province(Shape(routers=routers)), entries))
    cold, engine = timed(Engine, made.network)
    matrix_took, matrix = timed(engine.reach)
    warm = []
    for _ in range(3):
        took, again = timed(engine.reach)
        warm.append(took)
        assert np.array_equal(again.reaches(), matrix.reaches())
    assert opened(matrix, made) == made.opened
    return {
        "routers": routers,
        "routes": len(made.network.routes.table),
        "entries": entries,
        "pairs": len(made.network.zone_names) ** 2,
        "generation_seconds": round(generation, 3),
        "tables_seconds": round(cold, 3),
        "cold_seconds": round(cold + matrix_took, 3),
        "warm_seconds": spread(warm),
        "faults_found": len(made.opened),
    }


def walked(routers: int, entries: int, packets: int) -> dict[str, Any]:
    """Random packets through a filtered province, the plain walker beside the engine."""
    made = guarded(province(Shape(routers=routers, cities=4, zones=min(60, routers // 10))), entries)
    engine = Engine(made.network)
    matrix = engine.reach()
    assert opened(matrix, made) == made.opened
    asked = some_packets(made.network, packets // 2) + registered_packets(made, packets // 2)
    through = agrees(matrix, made.network, asked)
    assert packets // 3 < through < len(asked)
    return {"routers": routers, "packets": len(asked), "through": through, "different": 0}


def trees(routers: int, lines: int, packets: int) -> dict[str, Any]:
    """All pairs of zones of a tree, all packets; one service; after one changed line."""
    network = tree(routers, lines).network
    Engine(tree(3, lines).network).reach()  # what Python loads at the first use is `first_use`
    cpu, main = time.process_time(), time.thread_time()
    took, engine = timed(Engine, network)
    more, matrix = timed(engine.reach)
    cpu, main = time.process_time() - cpu, time.thread_time() - main
    figures: dict[str, Any] = {
        "routers": routers,
        "zones": len(network.zone_names),
        "pairs": len(network.zone_names) ** 2,
        "reached_share": round(float(matrix.reaches().mean()), 4),
        "tables_seconds": round(took, 3),
        "all_services_seconds": round(took + more, 3),
        "all_services_cpu_seconds": round(cpu, 3),
        "all_services_main_thread_seconds": round(main, 3),
    }
    asked = [packet for _, _, packet in some_packets(network, 5)]
    figures["one_service_seconds"] = spread([timed(matrix.reaches, packet)[0] for packet in asked])
    lines_took, lines_main = [], []
    drawn = [one for one in stream(network, "entries", 400) if isinstance(one, ReplaceEntry)]
    changes = [replace(one, position=one.position % lines) for one in drawn]  # no filter has grown or shrunk here
    for update in changes:
        begin, main = time.perf_counter(), time.thread_time()
        matrix.apply(update)
        lines_took.append(time.perf_counter() - begin)
        lines_main.append(time.thread_time() - main)
    figures |= {
        "after_one_line_seconds": spread(lines_took),
        "after_one_line_microseconds": percentiles(lines_took),
        "after_one_line_main_thread_microseconds": percentiles(lines_main),
        "peak_megabytes": peak_megabytes(),
    }
    network = changed(network, changes)
    assert np.array_equal(matrix.reaches(), Engine(network).reach().reaches())
    assert 0 < agrees(matrix, network, some_packets(network, packets)) < packets
    return figures


def differences(routers: int, entries: int, updates: int) -> dict[str, Any]:
    """What a change has made of packets between zones: routes and filter entries, one after the other."""
    made = guarded(province(Shape(routers=routers)), entries)
    engine = Engine(made.network)
    figures: dict[str, Any] = {"routers": routers, "entries": entries}
    network = made.network
    for kind in DIFFERENCES:
        took, changed_pairs = [], 0
        updates_of = list(stream(network, kind, updates))
        for update in updates_of:
            change = engine.apply(update)
            seconds, told = timed(engine.difference, change)
            took.append(seconds)
            changed_pairs += len(told.newly.keys() | told.gone.keys())
        network = changed(network, updates_of)
        figures |= {f"{kind}_seconds": spread(took), f"{kind}_pairs": changed_pairs}
    assert figures["entries_pairs"]
    return figures


def fresh(runs: int) -> dict[str, Any]:
    """The first answer in a fresh process, beside the start of Python with numpy alone. Nothing is compiled then."""
    first, empty = process([sys.executable, "-c", FRESH], runs), process([sys.executable, "-c", "import numpy"], runs)
    return {
        "seconds": first,
        "goal": "no compilation at first use (numba: 20 to 30 s)",
        "peer": "python -c 'import numpy'",
        "peer_seconds": empty,
        "ratio": round(first["median"] / empty["median"], 2),
    }


def ratios(measured: dict[str, Any]) -> dict[str, float]:
    """How many times the quoted peer's time, or memory, is ours."""
    found = {}
    for name in BATFISH.keys() & measured.keys():
        ours = measured[name]
        found[name] = round(BATFISH[name] / (ours["median"] if isinstance(ours, dict) else ours), 1)
    return found


def run(*, quick: bool = False) -> dict[str, Any]:
    """One object: every part with its goal and peak memory."""
    sizes = (500, 1_000) if quick else SIZES
    largest, entries = sizes[-1], 10_000 if quick else 250_000
    growth = [alone(forwarding, routers=routers) for routers in sizes]
    measured = alone(trees, **(SMALL_TREE if quick else TREE))
    return {
        "forwarding": growth[-1] | {"goal_seconds": 1.0},
        "growth": [{key: part[key] for key in ("routers", "routes", "seconds", "peak_megabytes")} for part in growth],
        "seconds_per_million_routes": [round(part["seconds"]["median"] / part["routes"] * 1e6, 3) for part in growth],
        "filters": alone(filters, routers=largest, entries=entries)
        | {"goal_cold_seconds": 10.0, "goal_warm_seconds": 1.0, "goal_megabytes": 4_096},
        "walked": alone(walked, routers=300, entries=3_000, packets=40 if quick else 300),
        "tree": measured | {"goal_seconds": GOALS_OF_TREE, "goal_megabytes": 500},
        "peer_of_tree": BATFISH if quick else BATFISH | {"ratio": ratios(measured)},
        "differences": alone(differences, routers=largest, entries=entries, updates=20 if quick else 60),
        "first_use": fresh(2 if quick else 7),
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(trees(**TREE) | {"goal_seconds": GOALS_OF_TREE, "goal_megabytes": 500}, indent=1))
