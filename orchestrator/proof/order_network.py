"""A safe order for steps over raw updates: the search of order.py with the states of reachable.py as its judge.

    found = order_steps(network, steps, policy, world)
    proof = prove_states(network, found.batches, policy, fresh_world)

Each step is judged with everything it goes through: the states between its lines, routers that settle in any order, and
the state it leads to. Where an order is impossible because a step does too much at once, its lines are tried as steps
of their own before the conflict is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, cast

from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.updates import (
    InsertEntry,
    PortDown,
    PortUp,
    RemoveEntry,
    ReplaceEntry,
    Update,
)
from orchestrator.proof.collector import seldom_collected
from orchestrator.proof.order import MOST_CALLS, Conflict, Ordered, keepable, safe_order
from orchestrator.proof.order_nogoods import Pair, Violation
from orchestrator.proof.order_reasons import Reasons
from orchestrator.proof.order_two_phase import Batches, MakeWorld, TwoPhase, two_phase
from orchestrator.proof.reachable import MOST_ASKED, flow_ends
from orchestrator.proof.reachable_base import Base
from orchestrator.proof.reachable_search import Search
from orchestrator.proof.reachable_steps import Batch, Step
from orchestrator.proof.reachable_world import Loop, Promises, Subject, World, begun, ended, fits

EXPLAINED = 3
"""Broken flows of one state that are explained way by way; the others hang on all steps near them."""
NOTHING = Promises(frozenset(), frozenset())
Promise = tuple[Literal["broken", "unknown"], Subject]


class OrderedSteps(NamedTuple):
    """What came of it. `batches` are ready for `prove_states`: filter positions count entries as they are then.

    `steps` are the ones that were ordered: those given, or their lines where that was needed (`split` names the steps
    taken apart). `result` speaks of them by number. `offer`: where there is no order, the two-phase plan or why not.
    """

    batches: tuple[tuple[Step, ...], ...]
    steps: tuple[Step, ...]
    split: tuple[str, ...]
    result: Ordered
    offer: TwoPhase | None = None

    def conflicts(self, network: Network) -> list[str]:
        """Every conflict in one sentence, with what can be done."""
        return [_sentence(conflict, self.steps, network, self.offer) for conflict in self.result.conflicts]


class NetworkVerifier:
    """Steps applied to a world one after the other, each judged with the states it goes through."""

    def __init__(self, base: Base, steps: Sequence[Step], policy: Policy, world: World) -> None:
        self.batch = Batch(base, steps, [flow_ends(flow.packet) for flow in policy.flows])
        self.world = world
        self.reasons = Reasons(self.batch, policy.flows, world)
        self.component = {step: number for number, group in enumerate(self.batch.components()) for step in group}
        self._midway: Promises = NOTHING
        self._static: Promises | None = None  # None: not asked in this state
        self._first, self._start = begun(world, policy)

    def _ask(self) -> Promises:
        fail, unknown = Promises.of(self.world.broken())
        # what was broken from the start does not get worse by becoming unknown
        return Promises(fail, unknown - fail - self._first.fail)

    @property
    def existing(self) -> frozenset[Promise]:
        """What was broken or unknown before any step."""
        return frozenset(_promises(self._first))

    @property
    def footprints(self) -> list[tuple[int]]:
        """What each step touches, for `safe_order`: the number of its component."""
        return [(self.component[step],) for step in range(len(self.batch.steps))]

    def apply(self, step: int) -> None:
        """Do a step."""
        search = Search(self.world, self.batch, (step,), self._start, MOST_ASKED)
        found = search.run()
        fail = frozenset(broke.subject for broke in found.broke if not broke.unknown)
        self._midway = Promises(fail, found.open | {broke.subject for broke in found.broke if broke.unknown})
        clean = not found.broke and not found.exhausted and not self._start.all
        self._static = NOTHING if clean else None

    def undo(self, step: int) -> None:
        """Take back the last step."""
        Search(self.world, self.batch, (step,), NOTHING, MOST_ASKED).back()
        self._midway = NOTHING
        self._static = None

    def foreseen(self, step: int) -> list[Violation]:
        """Some promises that a step would surely break, if routes alone say so."""
        found = self.reasons.foreseen(step, EXPLAINED)
        return [Violation(("broken", flow), because) for flow, because in found if flow not in self._first.all]

    def violations(self) -> list[Violation]:
        """Promises broken in this state, and on the way of the last step into it."""
        if self._static is None:
            self._static = self._ask()
        found = []
        for place, promise in enumerate(_promises(self._static)):
            reasons = self._reasons(promise[1]) if place < EXPLAINED else [self._near(promise[1])]
            found += [Violation(promise, because) for because in reasons]
        there = {violation.promise for violation in found}
        midway = [promise for promise in _promises(self._midway) if promise not in there]
        return found + [Violation(promise, self._near(promise[1]), midway=True) for promise in midway]

    def _near(self, subject: Subject) -> frozenset[int] | None:
        """The steps that an answer may hang on in any state."""
        return frozenset(self.batch.near(subject)) if isinstance(subject, int) else None

    def _reasons(self, subject: Subject) -> Sequence[frozenset[int] | None]:
        """Sets of steps each of which, as it stands, keeps the promise broken."""
        return self.reasons.of(subject) if isinstance(subject, int) else [None]


def _promises(answer: Promises) -> list[Promise]:
    """One promise for each subject: that it does not fail, or that it is known."""
    unknown = [("unknown", subject) for subject in sorted(answer.unknown, key=str)]
    return [("broken", subject) for subject in sorted(answer.fail, key=str)] + unknown


@seldom_collected()
def order_steps(
    network: Network,
    steps: Sequence[Step],
    policy: Policy,
    world: World,
    after: Iterable[Pair] = (),
    most_calls: int = MOST_CALLS,
    make: MakeWorld | None = None,
) -> OrderedSteps:
    """Order steps so that every state on the way keeps the policy; `after`: (before, after) pairs of step numbers.

    `make` builds worlds (EngineWorld does): with it a two-phase plan is constructed and proved where there is no order.
    The world stands at the state before all steps, and afterwards where the order leads. Raises PlanError when a line
    does not fit, two steps change the same row or have one name, no order keeps `after`, or the world is another one;
    InputError when the policy does not fit.
    """
    fits(network, policy, world, [steps])
    kept = keepable(after, [step.name for step in steps])
    result, verifier = _order(network, steps, policy, world, kept, most_calls)
    apart = {step for conflict in result.conflicts for step in conflict.steps if _divisible(steps[step])}
    chosen = tuple(steps)
    if apart:
        for step in reversed(result.order):
            verifier.undo(step)
        lines, numbers = _in_lines(steps, apart)
        pairs = [(one, other) for before, later in kept for one in numbers[before] for other in numbers[later]]
        chosen = tuple(lines)
        result, verifier = _order(network, chosen, policy, world, tuple(pairs), most_calls)
    offer = None
    if make is not None and result.conflicts and all(conflict.two_phase for conflict in result.conflicts):
        offer = two_phase(network, steps, policy, make, _in_order)
    names = tuple(steps[step].name for step in sorted(apart))
    return OrderedSteps(_batches(verifier, result), chosen, names, result, offer)


def _in_order(network: Network, steps: Sequence[Step], policy: Policy, world: World) -> Batches | str:
    """For the parts of a two-phase plan: their batches, or why there are none."""
    found = order_steps(network, steps, policy, world)
    if found.result.undecided:
        return "the calls allowed do not suffice to order its parts"
    told = [_conflict(conflict, found.steps, network) for conflict in found.result.conflicts]
    return told[0] if told else found.batches


def _order(
    network: Network, steps: Sequence[Step], policy: Policy, world: World, after: tuple[Pair, ...], most_calls: int
) -> tuple[Ordered, NetworkVerifier]:
    verifier = NetworkVerifier(Base(network), steps, policy, world)
    result = safe_order(verifier.footprints, verifier, after, most_calls)
    ended(world, policy)
    return result._replace(existing=verifier.existing), verifier


def _batches(verifier: NetworkVerifier, result: Ordered) -> tuple[tuple[Step, ...], ...]:
    done: set[int] = set()
    batches = []
    for numbers in result.batches:
        batches.append(tuple(verifier.batch.moved(number, done) for number in numbers))
        done |= set(numbers)
    return tuple(batches)


def _row(line: Update) -> object:
    """What a line changes, coarsely: one filter counts as one row."""
    if isinstance(line, InsertEntry | RemoveEntry | ReplaceEntry):
        return "filter", line.filter
    if isinstance(line, PortDown | PortUp):
        return "port", line.port
    return line.table, line.prefix


def _divisible(step: Step) -> bool:
    """Whether each of its lines can be a step of its own."""
    return len(step.lines) > 1 and len({_row(line) for line in step.lines}) == len(step.lines)


def _in_lines(steps: Sequence[Step], apart: set[int]) -> tuple[list[Step], list[list[int]]]:
    """The steps with some taken apart, and which new numbers each old one has."""
    found: list[Step] = []
    numbers: list[list[int]] = []
    for number, step in enumerate(steps):
        parts = [step]
        if number in apart:
            parts = [
                replace(step, name=f"{step.name} line {index}", lines=(line,))
                for index, line in enumerate(step.lines, start=1)
            ]
        numbers.append(list(range(len(found), len(found) + len(parts))))
        found += parts
    return found, numbers


def _conflict(conflict: Conflict, steps: Sequence[Step], network: Network) -> str:
    names = ", ".join(steps[step].name for step in conflict.steps)
    promises = ", ".join(_promise(promise, network) for promise in conflict.promises)
    verb = "exclude each other" if len(conflict.steps) > 1 else "cannot be done"
    small = "" if conflict.minimal else " (not shown to be the smallest such set)"
    return f"{names} {verb} while keeping {promises}{small}"


def _sentence(conflict: Conflict, steps: Sequence[Step], network: Network, offer: TwoPhase | None) -> str:
    if not conflict.two_phase:
        way = "the target itself breaks it: change what the steps lead to"
    elif offer is None:
        way = "the target keeps it: ask for a two-phase plan"
    elif offer.why:
        way = f"nor is there a two-phase plan: {offer.why}"
    else:
        way = f"a two-phase plan of {len(offer.batches)} batches does it, and is proved"
    return f"{_conflict(conflict, steps, network)}; {way}"


def _promise(promise: object, network: Network) -> str:
    kind, subject = cast("Promise", promise)
    doubt = " known" if kind == "unknown" else ""
    if isinstance(subject, int):
        return f"flow {subject}{doubt}"
    if isinstance(subject, Loop):  # the order is not asked for loops; promises are
        return f"loop of {network.zone_names[subject.zone]}{doubt}"
    source, destination = subject
    return f"isolation {network.zone_names[source]} -> {network.zone_names[destination]}{doubt}"
