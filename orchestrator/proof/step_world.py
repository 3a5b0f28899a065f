"""The steps of a plan as a world that the search for a safe order can walk: done, taken back, and judged on the way.

Each step is judged as `verify` judges it: after every one of its edits, and in the state it leads to.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.points import classes_of
from orchestrator.forwarding.world import UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Policy
from orchestrator.proof.judge import Judge
from orchestrator.proof.loops import Loops
from orchestrator.proof.order_nogoods import Pair, Violation
from orchestrator.proof.states import State
from orchestrator.rules.registry import rules_in_force

Broken = frozenset[str]
"""Promises as people read them: a flow's code, or a rule and what it found."""
TELL = 100
"""Steps tried between two words of progress: some seconds for a district."""


@dataclass(frozen=True)
class Place:
    """Where the walk stands, and what was broken on the last step's way and where it led."""

    matrix: EngineMatrix
    broken: Broken = frozenset()
    midway: Broken = frozenset()


class StepWorld:
    """Steps of a plan, numbered as the plan has them. `ignored`: promises broken in `now` or in the target."""

    def __init__(
        self,
        now: Estate,
        plan: Plan,
        policy: Policy,
        unparsed: Iterable[UnparsedLine],
        facts: Iterable[Fact],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Judge the two ends; `progress` is told of steps tried. Raises EditError when the steps do not fit `now`."""
        self._progress, self._tried = progress, 0
        self.plan, self.policy = plan, policy
        self.steps = [plan.step_of[name] for names in plan.batches() for name in names]
        self.number = {step.name: number for number, step in enumerate(self.steps)}
        self.wave = {name: wave for wave in plan.waves for batch in wave.batches for name in batch}
        edits = [edit for step in plan.steps for edit in step.edits]
        classes = classes_of(now, edits, [(flow.protocol, flow.port) for flow in policy.flows])
        target = plan.target(now)
        first = EngineMatrix.of(now, classes, tuple(unparsed), (target,))
        facts_of = {fact.row: fact for fact in facts}
        self._judge = Judge(plan, policy, facts_of, rules_in_force(policy), Loops.since(first))
        last = max((wave.night for wave in plan.waves), default=policy.planned_from)
        # a night is never brought forward: what the first state breaks on one of them, it breaks in whatever order
        days = {policy.planned_from, *(wave.night for wave in plan.waves)}
        ends = frozenset[str]().union(*(self._judged(State("now", now, day), first) for day in sorted(days)))
        self.ignored = ends | self._judged(State("target", target, last, final=True), first.advance(target))
        self.applied: list[int] = []
        self._places = [Place(first)]
        self._after = self.needed()

    def needed(self) -> tuple[Pair, ...]:
        """(before, after) pairs without which steps cannot be carried out: said by the plan, or they write one row."""
        pairs = {(self.number[name], number) for number, step in enumerate(self.steps) for name in step.after}
        writer: dict[tuple[str, str], int] = {}
        for number, step in enumerate(self.steps):
            for row in {(edit.table, edit.key) for edit in step.edits}:
                if row in writer:
                    pairs.add((writer[row], number))
                writer[row] = number
        return tuple(sorted(pairs))

    def by_waves(self) -> tuple[Pair, ...]:
        """Pairs that keep every step of a wave behind all of the wave before."""
        waves = [[self.number[name] for batch in wave.batches for name in batch] for wave in self.plan.waves]
        return tuple((one, other) for a, b in pairwise(waves) for one in a for other in b)

    def before(self, steps: set[int]) -> set[int]:
        """These steps and everything they need."""
        return set[int]().union(*(self._with_predecessors(step, set()) for step in steps))

    def behind(self, steps: set[int]) -> set[int]:
        """These steps and everything that needs them."""
        every = set(range(len(self.steps)))
        return set[int]().union(*(self._with_successors(step, every) for step in steps))

    def can_follow(self, order: Sequence[int]) -> bool:
        """Whether steps can be carried out in this order."""
        place = {step: number for number, step in enumerate(order)}
        return all(place[one] < place[later] for one, later in self._after if one in place and later in place)

    def breaks(self, others: Iterable[int], order: Sequence[int], promises: set[str]) -> bool:
        """Whether one of the promises breaks when steps are done in this order on top of others."""
        self.reset()
        for step in others:
            self.apply(step)
        broken = False
        for step in order:
            self.apply(step)
            place = self._places[-1]
            broken = broken or bool((place.broken | place.midway) & promises)
        self.reset()
        return broken

    def reset(self) -> None:
        """Take everything back."""
        while self.applied:
            self.undo(self.applied[-1])

    def is_ignored(self, finding: Finding) -> bool:
        """Whether a finding is about a promise that the first state breaks, on whichever night, or the last one."""
        flow = any(finding.subject == flow.code for flow in self.policy.flows)
        text = finding.subject if flow else f"{finding.subject} {finding.what}"
        return text in self.ignored or any(text.startswith(f"{promise}, in ") for promise in self.ignored)

    # ---- the world of the search ----

    def apply(self, step: int) -> None:
        """Do a step, edit by edit."""
        self._tried += 1
        if self._tried % TELL == 0:
            self._progress(f"looking for a safe order: {self._tried} steps tried")
        matrix = self._places[-1].matrix
        midway: set[str] = set()
        edits = self.steps[step].edits
        for count, edit in enumerate(edits, start=1):
            matrix = matrix.advance(matrix.estate.apply((edit,)))
            if count < len(edits):
                midway |= self._broken(matrix, self.steps[step], under_way=True)
        broken = self._broken(matrix, self.steps[step])
        self.applied.append(step)
        self._places.append(Place(matrix, broken, frozenset(midway) - broken))

    def undo(self, step: int) -> None:
        """Take the last step back."""
        if self.applied.pop() != step:
            raise ValueError(f"step {step} is not the last one done")
        self._places.pop()

    def violations(self) -> Sequence[Violation]:
        """What is broken here, and on the way of the last step, with the steps on which it hangs."""
        place = self._places[-1]
        found = [Violation(promise, self._because(promise)) for promise in sorted(place.broken)]
        last = frozenset(self.applied[-1:])
        found += [
            Violation(promise, last | self._midway_because(promise), midway=True) for promise in sorted(place.midway)
        ]
        return found

    def _broken(self, matrix: EngineMatrix, step: Step, *, under_way: bool = False) -> Broken:
        """The promises that a state breaks or of which it cannot be told, beyond those that are ignored."""
        stopped = ((step.name, 1),) if under_way else ()
        state = State(label="", estate=matrix.estate, on=self.wave[step.name].night, stopped=stopped)
        return self._judged(state, matrix) - self.ignored

    def _judged(self, state: State, matrix: EngineMatrix) -> Broken:
        self._judge.seen.clear()
        self._judge.state(state, matrix)
        flows = {flow.code for flow in self.policy.flows}
        told = ((finding.subject, finding.what) for finding in (seen.finding for seen in self._judge.seen.values()))
        return frozenset(subject if subject in flows else f"{subject} {what}" for subject, what in told)

    # ---- what a broken promise hangs on ----

    def _because(self, promise: str) -> frozenset[int]:
        """Steps each of which, done or taken back by itself, would mend the promise here."""
        here = self._places[-1].matrix
        done = set(self.applied)
        found = set()
        for step in range(len(self.steps)):
            group = self._with_successors(step, done) if step in done else self._with_predecessors(step, done)
            estate = here.estate
            if step in done:
                for other in reversed([other for other in self.applied if other in group]):
                    estate = estate.apply(self.steps[other].undo())
            else:
                for other in sorted(group):
                    estate = estate.apply(self.steps[other].edits)
            if promise not in self._broken(here.advance(estate), self.steps[step]):
                found |= group
        return frozenset(found) or frozenset(range(len(self.steps)))

    def _midway_because(self, promise: str) -> frozenset[int]:
        """All steps done, and those not done yet that would keep the promise while the last one is under way."""
        last = self.applied[-1]
        before = self._places[-2].matrix
        done = set(self.applied)
        found = set(done)
        for step in range(len(self.steps)):
            group = self._with_predecessors(step, done - {last})
            if step in done or last in group:
                continue
            matrix = before.advance(self._on(before.estate, group))
            midway = set[str]()
            for edit in self.steps[last].edits[:-1]:
                matrix = matrix.advance(matrix.estate.apply((edit,)))
                midway |= self._broken(matrix, self.steps[last], under_way=True)
            if promise not in midway:
                found |= group
        return frozenset(found)

    def _on(self, estate: Estate, steps: set[int]) -> Estate:
        for step in sorted(steps):
            estate = estate.apply(self.steps[step].edits)
        return estate

    def _with_predecessors(self, step: int, done: set[int]) -> set[int]:
        """A step and what must be done before it and is not."""
        return self._closed(step, lambda one, later, group: one if later in group and one not in done else None)

    def _with_successors(self, step: int, done: set[int]) -> set[int]:
        """A step and what was done that needs it."""
        return self._closed(step, lambda one, later, group: later if one in group and later in done else None)

    def _closed(self, step: int, drawn: Callable[[int, int, set[int]], int | None]) -> set[int]:
        group, size = {step}, 0
        while len(group) > size:
            size = len(group)
            group |= {found for pair in self._after if (found := drawn(*pair, group)) is not None}
        return group
