"""The batches of a plan judged in stretches, one beside the other where the machine has processors for them.

Each stretch begins at the state that all batches before it lead to, and knows nothing of the others: what they say is
put together in the order of the plan, so that it does not show how many there were.
"""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import accumulate, pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.matrix import Matrix
from orchestrator.model.plan import Plan
from orchestrator.proof.judge import Judge
from orchestrator.proof.settling import Meetings, settling
from orchestrator.proof.states import State, count, states

WORTH = 100
"""States for which another process is begun."""

OFTEN = 50
"""States after which it is told again how far a long batch is."""

Progress = Callable[[str], None]


class ProcessEndedError(OnefoldError):
    """A process that judged states has ended before it was done."""


@dataclass
class Stretch:
    """What was found in some batches: their judge, walks made, where they lead, what was not judged."""

    judge: Judge
    walked: int = 0
    leads_to: str = ""
    limits: list[str] = field(default_factory=list)

    def absorb(self, later: "Stretch") -> None:
        """Take over what was found in the batches that follow; those without steps lead nowhere."""
        self.leads_to = later.leads_to if later.judge.count else self.leads_to
        self.judge.absorb(later.judge)
        self.walked += later.walked
        self.limits += later.limits


def judged(plan: Plan, first: Matrix, fresh: Callable[[], Judge], progress: Progress, processes: int = 0) -> Stretch:
    """Every state of the plan judged. `fresh` makes a judge; `processes`: 0 for as many as there are processors.

    Raises what a state raises; ProcessEndedError when a process was killed.
    """
    parts = divided(plan, processes or _processors())
    of = f"of {len(plan.batches())}"
    if len(parts) == 1:
        return walked(
            plan, first, fresh(), parts[0], lambda n, seen: progress(f"proving batch {n} {of}: {seen} states so far")
        )
    told = f"proving {len(plan.batches())} batches in {len(parts)} processes"
    whole, *others = _side_by_side(plan, first, fresh, parts, lambda n: progress(f"{told}: {n} states so far"))
    for later in others:
        whole.absorb(later)
    return whole


def divided(plan: Plan, processes: int) -> list[range]:
    """Stretches of batches (numbered from 1; 0 is `now`) with about as many states in each."""
    behind = [0, *accumulate(count([plan.step_of[name] for name in names]) for names in plan.batches())]
    every = range(len(behind))
    wanted = max(1, min(processes, behind[-1] // WORTH))
    shares = [behind[-1] * share / wanted for share in range(1, wanted)]
    cuts = {min(every, key=lambda number: abs(behind[number] - share)) + 1 for share in shares}  # used now
    return [range(start, end) for start, end in pairwise(sorted({0, *cuts, len(every)}))]


def _processors() -> int:
    """How many processes may be begun: one where threads run that a copy of this process would not have."""
    return len(os.sched_getaffinity(0)) if threading.active_count() == 1 and hasattr(os, "fork") else 1


def walked(
    plan: Plan,
    first: Matrix,
    judge: Judge,
    batches: range,
    told: Callable[[int, int], None] = lambda _batch, _states: None,
) -> Stretch:
    """Judge the states of some batches in turn. `first` is the matrix of `now`; `told` hears of each batch."""
    way: list[tuple[State, Matrix]] = []  # to the present state, each one the origin of the next
    meetings, said = Meetings(), 0
    batch, leads_to, before = 0, first.estate, first.store.walked if batches.start else 0
    for state in states(first.estate, plan, judge.policy.planned_from, batches):
        begins = state.batch != batch
        if begins:
            batch, way = state.batch, way[-1:]
        if begins or judge.count - said >= OFTEN:
            said = judge.count
            told(batch, said)
        way = _up_to_origin(way, state, first)
        if way and begins and judge.expires_between(way[-1][0].on, state.on):
            judge.state(_later(way[-1][0], state.on), way[-1][1])
        way.append((state, way[-1][1].advance(state.estate) if way else first))
        judge.state(state, way[-1][1])
        worlds = [(there, matrix.world) for there, matrix in way]
        meetings.see(worlds)
        for late in settling(worlds):
            judge.settling(late.state, way[late.base][1].settling(late.tables))
        leads_to = state.estate
    judge.forget()
    return Stretch(judge, first.store.walked - before, leads_to.digest, meetings.told)


def _up_to_origin(way: list[tuple[State, Matrix]], state: State, first: Matrix) -> list[tuple[State, Matrix]]:
    """The way as far as a state has it in common with the one before."""
    if state.origin is None:
        return []
    if not way:  # a stretch begins on top of a state that another one judges
        return [(state.origin, first.advance(state.origin.estate))]
    while way[-1][0] is not state.origin:
        way.pop()
    return way


def _later(state: State, night: date) -> State:
    """A state that still stands on a later night."""
    return replace(state, on=night, label=state.label if state.label == "now" else f"{state.label}, on {night}")


def _side_by_side(
    plan: Plan, first: Matrix, fresh: Callable[[], Judge], parts: Sequence[range], told: Callable[[int], None]
) -> list[Stretch]:
    """Judge each stretch in a copy of this process."""
    context = get_context("fork")
    ends: list[Connection] = []
    workers: list[ForkProcess] = []
    try:
        for batches in parts:
            mine, other = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(plan, first, fresh(), batches, other), daemon=True)
            worker.start()
            other.close()  # so that the end of the process is seen
            ends.append(mine)
            workers.append(worker)
        return _gathered(ends, told)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        for end in ends:
            end.close()


def _work(plan: Plan, first: Matrix, judge: Judge, batches: range, out: Connection) -> None:
    """What a copy does: tell how far it is, and at the end what it found or what was raised."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent ends it
    try:
        out.send(walked(plan, first, judge, batches, lambda _batch, states: out.send(states)))
    except Exception as error:  # noqa: BLE001  # told to the parent, which raises it
        out.send(error)


def _gathered(ends: Sequence[Connection], told: Callable[[int], None]) -> list[Stretch]:
    """What comes out of the pipes, in their order. Raises what a process raised."""
    found: dict[int, Stretch] = {}
    states = [0] * len(ends)
    while len(found) < len(ends):
        ready = wait([end for number, end in enumerate(ends) if number not in found])
        for number, end in enumerate(ends):
            if end not in ready:
                continue
            said = _received(end)
            if isinstance(said, Stretch):
                found[number] = said
            elif isinstance(said, int):
                states[number] = said
                told(sum(states))
            else:
                raise said
    return [found[number] for number in range(len(ends))]


def _received(end: Connection) -> Stretch | int | Exception:
    try:
        said: Stretch | int | Exception = end.recv()
    except EOFError:
        return ProcessEndedError("a process of this proof was ended from outside: nothing is proved, run it again")
    return said
