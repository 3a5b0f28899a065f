"""The reachable states of a plan, as docs/proof.md defines them.

Batches are done in order. Inside a batch steps run side by side, so each of them may be anywhere: not begun, stopped
after any of its edits, done, whatever the others are. The way back takes the same edits in reverse order and meets the
same states.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import prod

from orchestrator.errors import PlanError
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.plan import Plan, Step

MOST_STATES = 4096
"""States inside one batch of several steps beyond which it is refused."""


@dataclass(eq=False)
class State:
    """One reachable estate. `done`: the finished steps of its batch; `stopped`: those in their middle, and how far."""

    label: str
    estate: Estate
    on: date
    origin: "State | None" = None  # the state it differs from by one edit
    batch: int = 0
    done: frozenset[str] = frozenset()
    stopped: tuple[tuple[str, int], ...] = ()
    final: bool = False
    edit: tuple[str, Edit] | None = None  # the one by which it differs from its origin, and the step it belongs to
    settles: int = 0  # devices whose tables are about to change, while it is passed through


def states(now: Estate, plan: Plan, start: date, batches: Sequence[int] | None = None) -> Iterator[State]:
    """Every reachable state, each once, `now` first and the target last; each after its origin.

    `batches`: only the states of these, numbered from 1, and `now` (0). Numbers that follow each other.
    Raises PlanError for a batch of too many states, EditError when a step does not fit.
    """
    nights = [(wave, batch) for wave in plan.waves for batch in wave.batches]
    last = max((number for number, (_wave, names) in enumerate(nights, start=1) if names), default=0)
    wanted = range(len(nights) + 1) if batches is None else batches
    base = State(label="now", estate=now, on=start, final=not last)
    if 0 in wanted:
        yield base
    for number, (wave, names) in enumerate(nights, start=1):
        steps = [plan.step_of[name] for name in names]
        if number not in wanted:
            if number < wanted[0]:
                base = State(f"after batch {number}", _after(base.estate, steps), wave.night, batch=number)
            continue
        if len(steps) > 1 and count(steps) > MOST_STATES:
            raise PlanError(
                f"batch {number} can be in {count(steps):,} states: split it into batches of at most {MOST_STATES:,}"
            )
        for state in _Batch(number, steps, wave.night).beyond(base, (0,) * len(steps), len(steps)):
            state.final = number == last and len(state.done) == len(steps)
            yield state
            base = state


def count(steps: Iterable[Step]) -> int:
    """How many states a batch of these steps adds to those before it."""
    return prod(step.states for step in steps) - 1


def _moves(step: Step) -> list[tuple[Edit, ...]]:
    """What is done at a time; a step that edits nothing is done at once."""
    return [(edit,) for edit in step.edits] or [()]


def _after(estate: Estate, steps: Iterable[Step]) -> Estate:
    for step in steps:
        estate = estate.apply(step.edits)
    return estate


class _Batch:
    """The states of one batch on top of the state all earlier batches led to."""

    def __init__(self, number: int, steps: list[Step], on: date) -> None:
        self.number, self.steps, self.on = number, steps, on
        self.moves = [_moves(step) for step in steps]

    def beyond(self, state: State, at: tuple[int, ...], free: int) -> Iterator[State]:
        """The states in which some of the first `free` steps, none of them begun, have gone on from this one.

        `at`: how many moves of each step are done. The last state has all of them done.
        """
        for index in range(free):
            there = state
            for done in range(1, len(self.moves[index]) + 1):
                place, move = (*at[:index], done, *at[index + 1 :]), self.moves[index][done - 1]
                there = self._state(there, place, move)
                there.edit = (self.steps[index].name, move[0]) if move else None
                yield there
                yield from self.beyond(there, place, index)

    def _state(self, origin: State, place: tuple[int, ...], move: tuple[Edit, ...]) -> State:
        along = list(zip(self.steps, place, self.moves, strict=True))
        done = frozenset(step.name for step, count, moves in along if count == len(moves))
        stopped = tuple((step.name, count) for step, count, moves in along if 0 < count < len(moves))
        estate = origin.estate.apply(move)
        return State(self._label(done, stopped), estate, self.on, origin, self.number, done, stopped)

    def _label(self, done: frozenset[str], stopped: tuple[tuple[str, int], ...]) -> str:
        if len(done) == len(self.steps):
            return f"after batch {self.number}"
        length = {step.name: len(step.edits) for step in self.steps}
        middle = "".join(f", {name} stopped after {count} of {length[name]} edits" for name, count in stopped)
        return f"batch {self.number} with {', '.join(sorted(done)) or 'none'} done{middle}"
