"""Every reachable state is covered, and nothing else: held against walking through all of them one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.errors import PlanError
from orchestrator.forwarding.engine.network import Action, Network, Packet
from orchestrator.forwarding.engine.plain import Plain, TooManyTrailsError
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    Match,
    PortDown,
    PortUp,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    Update,
)
from orchestrator.proof.reachable import Mode, Step, prove_states
from orchestrator.proof.reachable_audit import audit
from orchestrator.proof.reachable_engine import EngineWorld
from orchestrator.proof.reachable_steps import states_of
from orchestrator.proof.reachable_world import Loop
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples
from tests.proof.plain_world import PlainWorld, Rows, crossing, judged, looping
from tests.proof.square import Square

MODES = (Mode.ATOMIC, Mode.LINES, Mode.CONVERGING)


class Taken:
    """Rows that are taken: by other steps of the batch, or by this one where each line counts for itself."""

    def __init__(self) -> None:
        self.owner: dict[object, str] = {}

    def take(self, row: object, step: str, mode: Mode) -> bool:
        if row in self.owner and (self.owner[row] != step or mode is Mode.CONVERGING):
            return False
        self.owner[row] = step
        return True


def line(rows: Rows, random: Random, take: Callable[[object], bool]) -> Update | None:
    """A random line that fits; rows that other steps of the batch have taken are left alone."""
    choice = random.randrange(6)
    if choice == 0 and rows.up:
        port = random.randrange(len(rows.up))
        if not take(("port", port)):
            return None
        return PortDown(port) if rows.up[port] else PortUp(port)
    if choice in (1, 2) and rows.entries:
        return entry_line(rows, random, take)
    keys = list(rows.routes)
    if not keys:
        return None
    table, prefix = random.choice(keys)
    other = random.choice(keys)[1]
    hops = rows.routes[random.choice([key for key in keys if key[0] == table])]
    if random.random() < 0.4:
        prefix = other
    if not take((table, prefix)):
        return None
    if (table, prefix) not in rows.routes:
        return AddRoute(table, prefix, hops)
    return RemoveRoute(table, prefix) if random.random() < 0.3 else ReplaceRoute(table, prefix, hops)


def entry_line(rows: Rows, random: Random, take: Callable[[object], bool]) -> Update | None:
    number = random.randrange(len(rows.entries))
    entries = rows.entries[number]
    position = random.randint(0, len(entries))
    pool = [entry for one in rows.entries for entry in one] or [Entry(Match(), Action.PERMIT)]
    entry = random.choice(pool)._replace(action=random.choice((Action.PERMIT, Action.DENY)))
    if position == len(entries) or random.random() < 0.5:
        return InsertEntry(number, position, entry)
    if not take(("entry", number, id(entries[position]))):
        return None
    return RemoveEntry(number, position) if random.random() < 0.5 else ReplaceEntry(number, position, entry)


def random_batches(rows: Rows, random: Random, flows: int) -> list[list[Step]]:
    """Batches of steps that fit one after the other; no row is touched by two steps of a batch."""
    batches = []
    now = rows.copy()
    for batch in range(random.randint(1, 2)):
        taken = Taken()
        after = now.copy()
        steps = []
        for number in range(random.randint(1, 3)):
            name, mode = f"{batch}{'abc'[number]}", random.choice(MODES)
            own = now.copy()
            lines = []
            for _line in range(random.randint(1, 3)):
                update = line(own, random, partial(taken.take, step=name, mode=mode))
                if update is not None:
                    own.apply(update)
                    lines.append(update)
                    if not hasattr(update, "filter"):
                        after.apply(update)
            outage = frozenset(flow for flow in range(flows) if random.random() < 0.15)
            steps.append(Step(name, tuple(lines), mode, outage))
        after.entries = merged(now, steps, [(True,) * len(step.lines) for step in steps])
        now = after
        batches.append(steps)
    return batches


def values(step: Step) -> list[tuple[bool, ...]]:
    """Every set of lines of a step that may be done."""
    count = len(step.lines)
    if step.mode is Mode.ATOMIC:
        return [(False,) * count, (True,) * count] if count else [()]
    if step.mode is Mode.LINES:
        return [tuple(index < done for index in range(count)) for done in range(count + 1)]
    return list(product((False, True), repeat=count))


def state_of(rows: Rows, steps: list[Step], chosen: Sequence[tuple[bool, ...]]) -> Rows:
    """The rows with some lines of each step done."""
    state = rows.copy()
    state.entries = merged(rows, steps, chosen)
    for step, lines in zip(steps, chosen, strict=True):
        for update, done in zip(step.lines, lines, strict=True):
            if done and not hasattr(update, "filter"):
                state.apply(update)
    return state


def by_exhaustion(
    rows: Rows, batches: list[list[Step]], policy: Policy, packets: list[tuple[int, Packet]]
) -> tuple[set[object], set[object], int, Rows]:
    """(subjects that fail somewhere, subjects unknown somewhere, number of states, the target)."""
    before, only = judged(rows, policy, packets), crossing(rows, policy, packets)
    fail: set[object] = set()
    unknown: set[object] = set()
    round_before = looping(rows, packets)
    count = 1
    for steps in batches:
        for chosen in product(*map(values, steps)):
            begun = [step for step, lines in zip(steps, chosen, strict=True) if any(lines) and not all(lines)]
            excused = frozenset[int]().union(*(step.outage for step in begun))
            count += any(any(lines) for lines in chosen)
            state = state_of(rows, steps, chosen)
            answer = judged(state, policy, packets, only)
            fail |= {Loop(zone) for zone, _packet in looping(state, packets) - round_before}
            fail |= answer.isolation | (answer.flows - excused - answer.unread - (before.flows - before.unread))
            unknown |= (answer.unknown | (answer.unread - excused)) - before.isolation - before.unknown - before.flows
        rows = state_of(rows, steps, [(True,) * len(step.lines) for step in steps])
    return fail, unknown, count, rows


def merged(rows: Rows, steps: list[Step], chosen: Sequence[tuple[bool, ...]]) -> list[list[Entry]]:
    """The entries of every filter with some lines done, each step counting positions as it sees them by itself."""
    result = []
    for number, entries in enumerate(rows.entries):
        all_ = [[entry, True] for entry in entries]  # every entry there ever is, and whether it is there
        for step, lines in zip(steps, chosen, strict=True):
            view = [item for item in all_ if any(item[0] is entry for entry in entries)]
            for update, done in zip(step.lines, lines, strict=True):
                if getattr(update, "filter", None) != number:
                    continue
                position = update.position
                right = view[position] if position < len(view) else None
                before = next((index for index, item in enumerate(all_) if item is right), len(all_))
                if not isinstance(update, InsertEntry):
                    view.pop(position)[1] &= not done
                if not isinstance(update, RemoveEntry):
                    new = [update.entry, done]
                    all_.insert(before, new)
                    view.insert(position, new)
        result.append([entry for entry, there in all_ if there])
    return result


def random_policy(network: Network, random: Random, packets: list[tuple[int, Packet]]) -> Policy:
    """Most of what is reached is allowed; flows that work are registered."""
    count = len(network.zone_names)
    allowed = np.zeros((count, count), np.bool_)
    rows = Rows(network)
    everything_open = judged(rows, Policy(allowed), packets)
    for pair in everything_open.isolation:
        allowed[pair] = random.random() < 0.9
    plain = Plain(network)
    flows = [Flow(zone, packet) for zone, packet in packets if works(plain, zone, packet) is True]
    return Policy(allowed, tuple(random.sample(flows, min(len(flows), 4))))


def plainly(rows: Rows) -> dict[object, set[Hop]]:
    return {key: set(hops) for key, hops in rows.routes.items()}


def the_proof_holds(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    packets = some_packets(network, random, 25)
    policy = random_policy(network, random, packets)
    batches = random_batches(Rows(network), random, len(policy.flows))
    world = PlainWorld(network, policy, packets)
    proof = prove_states(network, batches, policy, world)
    fail, unknown, count, final = by_exhaustion(Rows(network), batches, policy, packets)
    names = {
        pair: f"isolation: {network.zone_names[pair[0]]} -> {network.zone_names[pair[1]]}"
        for pair in product(range(len(network.zone_names)), repeat=2)
    }
    told = {finding.subject for finding in (*proof.findings, *proof.loops) if finding.batch}
    loops = {Loop(zone): f"loop: packets of {name}" for zone, name in enumerate(network.zone_names)}
    expected = {(names | loops).get(item, f"flow {item}") for item in fail | unknown}
    assert told == expected
    assert proof.states == count
    if any(not isinstance(item, Loop) for item in fail):
        assert proof.result in ("fail", "unknown")
    assert all(finding.subject.startswith("loop") for finding in proof.loops)
    if all(isinstance(item, Loop) for item in fail | unknown):
        assert all(finding.batch == 0 for finding in proof.findings)
    assert plainly(world.rows) == plainly(final)
    assert (world.rows.entries, world.rows.up) == (final.entries, final.up)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(80, 4_000), deadline=None)
def test_the_proof_finds_what_walking_through_every_state_finds(seed: int) -> None:
    try:
        the_proof_holds(seed)
    except TooManyTrailsError:  # the walker counts branches one by one
        reject()


def test_the_way_back_meets_the_same_states() -> None:
    for step in (Step("s", (PortDown(0), PortDown(1), PortDown(2)), mode) for mode in MODES):
        there = set(values(step))
        assert len(there) == states_of(step)
        back = {taken for state in there for taken in taken_back(step, state)}
        assert back <= there
        assert back | {tuple(True for _line in step.lines)} == there


def taken_back(step: Step, state: tuple[bool, ...]) -> list[tuple[bool, ...]]:
    """What one more move of the way back leads to: a line, a commit, or any line where routers settle by themselves."""
    if step.mode is Mode.ATOMIC:
        return [(False,) * len(state)]
    lines = [index for index, done in enumerate(state) if done]
    if step.mode is Mode.LINES:
        lines = lines[-1:]
    return [tuple(done and index != line for index, done in enumerate(state)) for line in lines]


def test_a_mode_in_words_is_the_mode_and_nothing_else_is_one() -> None:
    square = Square()
    lines = (square.to_b("r2", "r3"), square.to_b("r3", "r4"))
    for mode in MODES:
        said, meant = (Step("detour", lines, mode=one) for one in (str(mode), mode))
        assert said == meant
        assert states_of(said) == states_of(meant)
        proofs = [prove_states(square.network, [[step]], square.policy, square.world()) for step in (said, meant)]
        assert proofs[0].record == proofs[1].record
        assert proofs[0].result == ("pass" if mode == Mode.ATOMIC else "fail")
    for wrong in ("LINES", "zzz", "", None, 1):
        with pytest.raises(PlanError) as caught:
            Step("detour", lines, mode=wrong)  # type: ignore[arg-type]  # what is no mode is refused
        assert str(caught.value) == (
            f"step detour has the mode {wrong!r}: give one of 'atomic', 'line by line', 'converging'"
        )


def test_two_steps_of_a_batch_may_not_change_the_same_row() -> None:
    square = Square()
    steps = [Step("one", (square.to_b("r2", "r3"),)), Step("two", (square.to_b("r2", "r1"),))]
    with pytest.raises(PlanError, match=r"steps two and one of one batch both change the route of table \d+ to"):
        prove_states(square.network, [steps], square.policy, square.world())
    assert prove_states(square.network, [steps[:1]], square.policy, square.world()).steps == 1


def test_a_loop_that_was_not_there_before_is_told_though_no_flow_is_promised() -> None:
    square = Square()
    steps = [Step("r2", (square.to_b("r2", "r3"),)), Step("r3", (square.to_b("r3", "r4"),))]
    nothing = Policy(np.ones((2, 2), np.bool_))
    for world in (PlainWorld(square.network, nothing, [(0, square.packet)]), EngineWorld(square.network, nothing)):
        proof = prove_states(square.network, [steps], nothing, world)
        assert (proof.result, proof.findings) == ("pass", ())
        assert [(loop.subject, loop.result, loop.state) for loop in proof.loops] == [
            ("loop: packets of a", "fail", "batch 1 with r2 done")
        ]
        assert audit(square.network, [steps], nothing, proof, number=10, seed=1).contradictions == ()
        hidden = proof.model_copy(update={"loops": ()})
        assert audit(square.network, [steps], nothing, hidden, number=10, seed=1).contradictions != ()
    turned = prove_states(square.network, [steps[1:], steps[:1]], nothing, EngineWorld(square.network, nothing))
    assert turned.loops == ()


def test_too_many_cases_ask_for_a_split() -> None:
    square = Square()
    steps = [Step("r2", (square.to_b("r2", "r3"),)), Step("r3", (square.to_b("r3", "r4"),))]
    found = prove_states(square.network, [steps], square.policy, square.world(), most_asked=1)
    (finding,) = found.findings
    assert (found.result, finding.result, finding.subject) == ("unknown", "unknown", "flow 0")
    assert finding.state == "batch 1: r2, r3 touch the same packets, and not every mixture of them holds"
    assert finding.fix == "split the batch: put these steps into batches of their own"


def test_what_was_broken_before_is_told_apart() -> None:
    square = Square("r2")
    broken = [Step("r2", (square.to_b("r2", "r3"),))]
    world = square.world()
    for step in broken:
        for update in step.lines:
            world.apply(update)
    network = world.rows.arrays()
    mend = [[Step("r3", (square.to_b("r3", "r4"),))]]
    proof = prove_states(network, mend, square.policy, PlainWorld(network, square.policy, world.packets))
    assert (proof.result, proof.mended) == ("pass", ("flow 0",))
    assert [(finding.existing, finding.state) for finding in proof.findings] == [
        (True, "before any step, mended at the end")
    ]


def test_the_same_inputs_give_the_same_record() -> None:
    square = Square()
    batches = [[Step("r3", (square.to_b("r3", "r4"),), Mode.CONVERGING)]]
    one = prove_states(square.network, batches, square.policy, square.world(), engine="plain")
    other = prove_states(square.network, batches, square.policy, square.world(), engine="plain")
    assert one.record == other.record
    assert (one.record["states"], one.record["engine"], "seconds" in one.record) == ("2", "plain", False)
