"""The reachable states of a plan, as docs/proof.md defines them.

Batches are done in order. Inside a batch any subset of its steps may be done; besides, one step may have stopped after
any strict prefix of its edits. That step stands on top of every subset of the others while these states are few, else
on top of none and of all of them. The way back takes the same edits in reverse order and meets the same states.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from orchestrator.errors import PlanError
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan, Step

MOST_PARTIAL = 64
"""Partial states of one batch up to which they are put on top of every subset of the other steps."""

MOST_STEPS = 10
"""Steps of one batch whose subsets are enumerated."""


@dataclass(eq=False)
class State:
    """One reachable estate. `done` are the steps of the current batch; `partial` is under way, `edits` of it done."""

    label: str
    estate: Estate
    on: date
    origin: "State | None" = None  # the state it differs from by one edit
    batch: int = 0
    done: frozenset[str] = frozenset()
    partial: str = ""
    final: bool = False


@dataclass
class Limits:
    """What the enumeration left out: filled while it runs."""

    narrowed: list[str] = field(default_factory=list)


def states(
    now: Estate, plan: Plan, start: date, limits: Limits | None = None, batches: Sequence[int] | None = None
) -> Iterator[State]:
    """Every reachable state, each once, `now` first and the target last.

    `batches`: only the states of these, numbered from 1, and `now` (0). Numbers that follow each other.
    Raises PlanError for a batch of too many steps, EditError when a step does not fit.
    """
    limits = limits or Limits()
    nights = [(wave, batch) for wave in plan.waves for batch in wave.batches]
    wanted = range(len(nights) + 1) if batches is None else batches
    base = State(label="now", estate=now, on=start, final=not nights)
    if 0 in wanted:
        yield base
    for number, (wave, names) in enumerate(nights, start=1):
        steps = [plan.step_of[name] for name in names]
        if number not in wanted:
            if number < wanted[0]:
                base = State(f"after batch {number}", _after(base.estate, steps), wave.night, batch=number)
            continue
        if len(steps) > MOST_STEPS:
            raise PlanError(f"batch {number} has {len(steps)} steps: split it into batches of at most {MOST_STEPS}")
        batch = _Batch(number, steps, wave.night, base, limits)
        yield from batch.states(last=number == len(nights))
        base = batch.end


def count(steps: Sequence[Step]) -> int:
    """How many states a batch of these steps adds to those before it."""
    partial = _partial(steps)
    inside = partial if partial <= MOST_PARTIAL else sum(max(len(step.edits) - 1, 0) for step in steps) * 2
    return inside + (1 << len(steps)) - 1


def _partial(steps: Sequence[Step]) -> int:
    """Steps stopped in their middle, on top of every subset of the others."""
    return sum(max(len(step.edits) - 1, 0) for step in steps) << max(len(steps) - 1, 0)


def _after(estate: Estate, steps: Iterable[Step]) -> Estate:
    for step in steps:
        estate = estate.apply(step.edits)
    return estate


class _Batch:
    """The states of one batch on top of the state all earlier batches led to."""

    def __init__(self, number: int, steps: list[Step], on: date, base: State, limits: Limits) -> None:
        self.number, self.steps, self.on, self.base = number, steps, on, base
        self.every = (1 << len(steps)) - 1
        self.subsets: dict[int, State] = {0: base}
        partial = _partial(steps)
        self.wide = partial <= MOST_PARTIAL
        if not self.wide:
            limits.narrowed.append(
                f"batch {number}: a step stopped in its middle is judged with none and with all of the others done, "
                f"not with every subset ({partial} states)"
            )

    @property
    def end(self) -> State:
        """The state with every step done."""
        return self.subsets[self.every]

    def states(self, *, last: bool) -> Iterator[State]:
        """Every state of the batch but its base; the end state comes last."""
        for mask in range(self.every + 1):
            for index in range(len(self.steps)):
                bit = 1 << index
                if not mask & bit:
                    yield from self._do(mask, index, bit)
        if self.steps:
            self.end.final = last
            yield self.end

    def _do(self, mask: int, index: int, bit: int) -> Iterator[State]:
        """The step on top of a subset: its partial states where they are wanted, its end state when it is new."""
        target = mask | bit
        wanted = self.wide or mask in (0, self.every & ~bit)
        if target in self.subsets and not (wanted and self.steps[index].edits):
            return
        step, origin = self.steps[index], self.subsets[mask]
        if not wanted or not step.edits:
            yield from self._finish(State("", origin.estate.apply(step.edits), self.on, origin, self.number), target)
            return
        for count, edit in enumerate(step.edits, start=1):
            state = State("", origin.estate.apply((edit,)), self.on, origin, self.number, self._names(mask))
            if count < len(step.edits):
                state.partial = step.name
                state.label = f"{self._text(mask)}, {step.name} stopped after {count} of {len(step.edits)} edits"
                origin = state
                yield state
            elif target not in self.subsets:
                yield from self._finish(state, target)

    def _finish(self, state: State, mask: int) -> Iterator[State]:
        state.done = self._names(mask)
        state.label = self._text(mask)
        self.subsets[mask] = state
        if mask != self.every:  # the end of the batch is told last
            yield state

    def _names(self, mask: int) -> frozenset[str]:
        return frozenset(step.name for index, step in enumerate(self.steps) if mask >> index & 1)

    def _text(self, mask: int) -> str:
        if mask == self.every:
            return f"after batch {self.number}"
        return f"batch {self.number} with {', '.join(sorted(self._names(mask))) or 'none'} done"
