"""Sampled states of a plan judged once more: the engine, taken from one to the next, against two plain walks.

The simulator walks the estate's own rows, from nothing; the other walker knows only the arrays made of them. Every
packet of every point has to end in the same place for all three. A proof itself walks only what the engine says is
alive: here what it says is dropped is walked too.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from orchestrator.errors import InputError
from orchestrator.forwarding.changes import next_world
from orchestrator.forwarding.ends import DROPPED, LOOPS, UNKNOWN
from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import End, Ending
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.lowered_boxes import PROTOCOLS
from orchestrator.forwarding.lowering import DEVICE, lower
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import Classes, classes_of, guests
from orchestrator.forwarding.tables import Tables
from orchestrator.forwarding.world import UnparsedLine, World, text_of
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Policy
from orchestrator.proof.settling import settling
from orchestrator.proof.states import State, states

SOURCE_PORT = 40000
Outcome = tuple[str, str]
"""(delivered, unknown, dropped or round; where it was delivered)."""
NOWHERE, ROUND = ("dropped", ""), ("round", "")


class Rechecked(Noun):
    """What an audit compared: labels of the states, packets, and each packet that went two ways.

    `reachable`: how many states there are; no more than those can be compared.
    """

    states: tuple[str, ...]
    reachable: int
    packets: int
    differences: tuple[str, ...] = ()


def recheck(
    now: Estate,
    plan: Plan,
    policy: Policy,
    number: int,
    unparsed: Iterable[UnparsedLine] = (),
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Rechecked:
    """Compare `number` states (the first and the last always among them), chosen by `seed`; all where it is more.

    Raises InputError for a number below 1.
    """
    if number < 1:
        raise InputError(f"an audit of {number} states compares nothing: ask for 1 or more")
    lines = tuple(unparsed)
    edits = [edit for step in plan.steps for edit in step.edits]
    classes = classes_of(now, edits, [(flow.protocol, flow.port) for flow in policy.flows])
    packets = 0
    differences: list[str] = []
    labels: list[str] = []
    every = list(_every(now, plan, policy, classes, lines))
    sampled = _sampled(every, number, seed)
    judge = EngineMatrix.of(now, classes, lines, [state.estate for state, _tables in sampled])
    for state, tables in sampled:
        progress(f"audit of {len(labels) + 1} of {len(sampled)}: {state.label}")
        labels.append(state.label)
        judge = judge.advance(state.estate)
        compared = list(_compared(judge if tables is None else judge.settling(tables), tables))
        packets += len(compared)
        differences += [f"{state.label}: {text}" for text in compared if text]
    return Rechecked(states=tuple(labels), reachable=len(every), packets=packets, differences=tuple(differences))


def _every(
    now: Estate, plan: Plan, policy: Policy, classes: Classes, lines: tuple[UnparsedLine, ...]
) -> Iterator[tuple[State, Tables | None]]:
    """Every state that is judged, with its routing tables where they are not those that its estate makes."""
    way: list[tuple[State, World]] = []
    for state in states(now, plan, policy.planned_from):
        while way and way[-1][0] is not state.origin:
            way.pop()
        there = guests(state.estate, classes)
        world = next_world(way[-1][1], state.estate, there) if way else World.of(now, there, lines)
        way.append((state, world))
        yield state, None
        for late in settling(way):
            yield late.state, late.tables


def _sampled(every: list[tuple[State, Tables | None]], number: int, seed: int) -> list[tuple[State, Tables | None]]:
    last = max(index for index, (_state, tables) in enumerate(every) if tables is None)
    ends = sorted({0, last})[:number]
    inner = sorted(set(range(len(every))) - set(ends))
    chosen = random.Random(seed).sample(inner, min(max(number - 2, 0), len(inner)))  # noqa: S311  # no secret
    return [every[index] for index in sorted({*ends, *chosen})]


def _compared(judge: EngineMatrix, tables: Tables | None) -> Iterator[str]:
    """One text for each packet: empty when the engine and both walkers agree."""
    estate, classes, lines = judge.estate, judge.classes, judge.unparsed
    world = World.of(estate, guests(estate, classes), lines)
    matrix = Matrix.walked(world if tables is None else replace(world, tables=tables), classes, lines)
    network = lower(matrix.world)
    plain = Plain(network)
    zones = {name: number for number, name in enumerate(network.zone_names)}
    for node, destination in matrix.keys:
        endpoint = matrix.world.endpoint(node)
        if endpoint is None or endpoint.address == destination:
            continue
        proved = _proved(matrix, node, destination)
        for index, (protocol, port) in enumerate(classes.ports):
            packet = Packet(4, endpoint.address, destination, PROTOCOLS[protocol][0], SOURCE_PORT, port)
            other = _lost({_outcome(end, network.zone_names) for end in plain.ends(zones[node], packet)})
            this, said = proved.get(index, NOWHERE), _said(judge, node, destination, index)
            same = other == {said} or (said[0] == "unknown" and len(other) > 1)  # ways that disagree are unknown
            walked = this == (NOWHERE if said == ROUND else said)  # a matrix keeps no loops of the simulator
            told = f"engine {said}, simulator {this}, arrays {sorted(other)}"
            yield "" if same and walked else f"{node} to {text_of(destination)} {protocol}/{port}: {told}"


def _lost(several: set[Outcome]) -> set[Outcome]:
    """Of packets that nobody gets, whichever way is taken, it is said that they go round when any does."""
    return {ROUND} if ROUND in several and several <= {ROUND, NOWHERE} else several


def _said(judge: EngineMatrix, node: str, destination: int, index: int) -> Outcome:
    """What the engine says of one packet."""
    answer = judge.decided.get((node, destination))
    end = answer[index] if answer else DROPPED
    if end in (DROPPED, LOOPS):
        return ROUND if end == LOOPS else NOWHERE
    return ("unknown", "") if end == UNKNOWN else ("delivered", end)


def _proved(matrix: Matrix, node: str, destination: int) -> dict[int, Outcome]:
    """Port class -> outcome, where it is not dropped."""
    found: dict[int, Outcome] = {}
    for reach in matrix.alive.get((node, destination), ()):
        if reach.way.outcome != "dropped":
            found.update(dict.fromkeys(reach.ports, (reach.way.outcome, _end(matrix, reach.way.outcome, reach.end))))
    return found


def _end(matrix: Matrix, outcome: str, node: str) -> str:
    if outcome != "delivered":
        return ""
    return node if matrix.world.endpoint(node) else DEVICE + node


def _outcome(end: End, zones: tuple[str, ...]) -> Outcome:
    if end.ending == Ending.DELIVERED:
        return "delivered", zones[end.zone]
    if end.ending == Ending.LOOP:
        return ROUND
    return ("unknown", "") if end.ending == Ending.UNKNOWN else NOWHERE
