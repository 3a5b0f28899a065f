"""What a proof over raw updates tells of a broken promise: the state in which it does not hold, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from orchestrator.forwarding.engine.network import NONE, Network, Packet
from orchestrator.model.base import Noun
from orchestrator.model.finding import Result
from orchestrator.proof.reachable_steps import Batch, Mode
from orchestrator.proof.reachable_world import Loop, Reason, Subject

SHOWN = 5
"""Steps, lines of a step and lines of the sources that one finding names; others are counted."""


class StateFinding(Noun):
    """A promise that does not hold in some reachable state, with the first such state found.

    `packet` and `lines` (SHOWN at most) are there where the world can tell them (EngineWorld does).
    """

    subject: str  # "isolation: ZONE -> ZONE", "flow N", or "loop: packets of ZONE"
    result: Result
    batch: int  # 0: before any step; batches count from 1
    state: str
    done: tuple[str, ...] = ()  # steps of that batch, finished
    partial: tuple[tuple[str, int], ...] = ()  # (step, lines done) of steps in their middle
    settled: tuple[tuple[str, tuple[int, ...]], ...] = ()  # of converging ones: which lines are done, from 1
    packet: Packet | None = None  # of isolation: one that gets across, or of which nobody can tell
    lines: tuple[str, ...] = ()  # "file:line" of what nobody could read, where that makes it unknown
    existing: bool = False  # broken before any step: told apart
    fix: str = ""


class State(NamedTuple):
    """One state of a batch, as findings hold it."""

    done: tuple[str, ...]
    partial: tuple[tuple[str, int], ...]
    settled: tuple[tuple[str, tuple[int, ...]], ...]
    text: str

    @classmethod
    def of(cls, batch: Batch, number: int, values: Mapping[int, int]) -> State:
        """`number` of the batch; `values` of its units, 0 where none is given."""
        done, partial, settled, texts = list[str](), [], [], []
        for step, units in zip(batch.steps, batch.units_of, strict=True):
            reached = [values.get(unit.number, 0) for unit in units]
            if not any(reached):
                continue
            if reached == [unit.top for unit in units]:
                done.append(step.name)
                continue
            partial.append((step.name, sum(reached)))
            texts.append(f", {step.name} stopped after {sum(reached)} lines")
            if step.mode == Mode.CONVERGING:
                lines = tuple(line for line, value in enumerate(reached, start=1) if value)
                settled.append((step.name, lines))
                shown = f"line{'s' * (len(lines) > 1)} {some([str(line) for line in lines])}"
                texts[-1] = f", {step.name} settled in {shown} of {len(units)}"
        text = f"batch {number} with {some(done) or 'none'} done{''.join(texts)}"
        return cls(tuple(done), tuple(partial), tuple(settled), text)


AT_THE_END = "the plan's end breaks it, whatever the order: change what the steps lead to"
STILL = "let a step mend it, or take the promise back"
_MOVES: Final = {
    "flow": "change the order of the steps, or declare the outage in the step that causes it",
    "isolation": "change the order of the steps, or narrow what lets the packet across: no outage excuses it",
    "loop": "change the order of the steps, or give the addresses a null route before: no outage excuses it",
}


def next_move(subject: Subject, lines: Sequence[str], *, unknown: bool) -> str:
    """What can be done about a promise that some state on the way does not keep; `lines` that nobody could read."""
    if unknown:
        return f"make {some(lines) or 'what is unread on its way'} readable or take it out, then prove the plan again"
    return _MOVES["flow" if isinstance(subject, int) else "loop" if isinstance(subject, Loop) else "isolation"]


def lines_of(network: Network, reason: Reason) -> tuple[str, ...]:
    """Lines of the sources, as people write them."""
    return tuple(sorted(network.lines[line] for line in reason.lines if line != NONE)[:SHOWN])


def some(names: Sequence[str], most: int = SHOWN) -> str:
    """The first few of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
