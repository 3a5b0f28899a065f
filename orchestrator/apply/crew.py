"""The steps of one run in one direction: which stand, which are open, one after the other or side by side."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal

from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import Options, Progress
from orchestrator.errors import OnefoldError, PartlyAppliedError
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Step
from orchestrator.records.journal import Direction, Event, Journal
from orchestrator.records.runs import Run

CHECK = "check"
"""The part under which the journal notes a live check that found nothing."""


class Crew:
    """Steps of one run in one direction, one after the other or side by side."""

    def __init__(
        self, run: Run, hands: Hands, journal: Journal, direction: Direction, options: Options, progress: Progress
    ) -> None:
        """Read from the journal what is done."""
        self.run = run
        self.told: dict[str, dict[str, Any]] = {}
        self._hands = hands
        self._journal = journal
        self._direction = direction
        self._options = options
        self._progress = progress
        self._state = journal.steps(run.name)
        self._unchecked = unchecked(journal.events(run.name))
        self._lock = threading.Lock()
        self.estate = run.start
        for name in self.finished():
            self.estate = self.estate.apply(run.plan.step_of[name].edits)

    @cached_property
    def target(self) -> Estate:
        """The estate when all of the plan is done: for a large one the work of minutes, so once."""
        return self.run.plan.target(self.run.start)

    def is_done(self, name: str) -> bool:
        """Whether the step stands in the world, as the journal knows it."""
        return self._state.get(name) in ("done", "adopted")

    def is_open(self, name: str) -> bool:
        """Whether the step was begun and nobody wrote how it ended."""
        return self._state.get(name) in ("intent", "started", "failed")

    def finished(self) -> tuple[str, ...]:
        """Steps that stand, in the plan's order."""
        return tuple(name for batch in self.run.plan.batches() for name in batch if self.is_done(name))

    def unchecked(self, names: Sequence[str]) -> list[str]:
        """Those of these steps at which something was done and no live check has followed, in whichever process."""
        return [name for name in names if name in self._unchecked]

    def checked(self, probes: int) -> None:
        """Write down that real packets went as predicted, so that a later process need not ask again."""
        detail = {"probes": probes}
        self._journal.record(self.run.name, "note", part=CHECK, direction=self._direction, detail=detail)
        self._unchecked.clear()

    def batch(self, steps: Sequence[Step]) -> None:
        """Do these steps: the first alone (the canary), then the others side by side. Stops at the first failure.

        Raises PartlyAppliedError: whatever it was that failed, a step was begun.
        """
        todo = [step for step in steps if not self.is_done(step.name)]
        with self._stopping():
            if todo and not any(self.is_done(step.name) for step in steps):
                self.do(todo.pop(0))
            self._together(self.do, todo)

    def undo_batch(self, steps: Sequence[Step]) -> None:
        """Take these steps of one batch back, side by side. Stops at the first failure. Raises as `batch`."""
        with self._stopping():
            self._together(self.undo, steps)

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except OnefoldError as error:
            if error.exit_code == PartlyAppliedError.exit_code:
                raise
            stand = f"{len(self.finished())} of {len(self.run.plan.steps)} steps stand"
            raise PartlyAppliedError(
                f"{error}; {stand}: mend that, then 'onefold resume' or 'onefold rollback'"
            ) from error

    def _together(self, act: Callable[[Step], None], steps: Sequence[Step]) -> None:
        stopped = threading.Event()

        def unless_stopped(step: Step) -> None:
            if stopped.is_set():
                return
            try:
                act(step)
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(self._options.workers) as pool:
            futures = [pool.submit(unless_stopped, step) for step in steps]
            try:
                failures = [error for future in futures if (error := future.exception())]
            finally:
                stopped.set()  # an interrupt from the keyboard, too, begins nothing more
        if failures:
            raise failures[0]

    def do(self, step: Step) -> None:
        """One step forward. A step that an earlier try left open is judged by the world first."""
        self._move(step, step.edits, "done", "forward")

    def undo(self, step: Step) -> None:
        """One step back."""
        self._move(step, step.undo(), "undone", "back")

    def _move(
        self, step: Step, edits: tuple[Any, ...], ends_as: Literal["done", "undone"], direction: Direction
    ) -> None:
        resuming = self.is_open(step.name)
        notes = StepNotes(self._journal, self.run.name, step.name, direction)
        with self._lock:
            before = self.estate
            if ends_as == "undone" and not self.is_done(step.name):
                # an open step on the way back: it may stand wholly, in part or not at all
                before = before.apply(step.edits)
        after = before.apply(edits)
        word = "back" if direction == "back" else ("resume" if resuming else "do")
        self._progress(f"{word} {step.name}: {step.title}")
        notes.write("", "intent", {})
        try:
            told = self._hands.perform(step, before, after, notes, resuming=resuming, back=direction == "back")
        except Exception as error:
            notes.write("", "failed", {"error": str(error)[:500]})
            self._state[step.name] = "failed"
            raise
        notes.write("", ends_as, {})
        with self._lock:
            if self.is_done(step.name) or ends_as == "done":
                self.estate = self.estate.apply(edits)
            self._state[step.name] = ends_as
            self._unchecked.add(step.name)
            self.told[step.name] = told


def unchecked(events: Sequence[Event]) -> set[str]:
    """Steps of which something was written after the last live check that found nothing."""
    found: set[str] = set()
    for event in events:
        if event.step:
            found.add(event.step)
        elif event.part == CHECK:
            found.clear()
    return found


class StepNotes:
    """The journal of one step, as `hands` needs it."""

    def __init__(self, journal: Journal, run: str, step: str, direction: Direction) -> None:
        """Read what earlier tries of this step have begun, in both directions and in this process, too."""
        self._journal, self._run, self._step, self._direction = journal, run, step, direction
        self._begun = {event.part: event.direction for event in journal.events(run, step=step) if event.part}

    def begun_last(self, part: str) -> str:
        """The direction in which this part was begun last, by whichever try of the step; "" when it never was."""
        return self._begun.get(part, "")

    def write(self, part: str, state: Any, detail: dict[str, Any]) -> None:
        """Put an event on disk. Raises JournalError."""
        self._journal.record(self._run, state, step=self._step, part=part, direction=self._direction, detail=detail)
