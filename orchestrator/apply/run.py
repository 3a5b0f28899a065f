"""A proven plan into the world: waves, batches, the canary first, a live check after every batch.

The same loop begins a run, goes on with it on a later night, and resumes it after a kill: the journal says what is
done, the world says how far an open step came.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import Field

from orchestrator.apply.gates import confirmed, in_window, opening
from orchestrator.apply.hands import Hands
from orchestrator.errors import PartlyAppliedError, StaleError, SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Policy
from orchestrator.proof import ProvenPlan
from orchestrator.records.journal import Direction, Event, Journal
from orchestrator.records.runs import Records, Run

Progress = Callable[[str], None]


class Options(Noun):
    """How a run is carried out."""

    who: str
    rehearsal: bool = False  # on a lab: windows do not count, and nobody is asked for a checklist
    wave: int | None = None  # only up to this wave
    limit: tuple[str, ...] = ()  # only these steps (and all before them must be done)
    confirmed: tuple[str, ...] = ()  # manual steps whose checklist somebody has worked through
    workers: int = 3
    undo_failed_batch: bool = True


class Outcome(Noun):
    """What a run did."""

    run: str
    done: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float
    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)  # step -> part -> what it reported
    outages: dict[str, float] = Field(default_factory=dict)  # workload -> seconds without writes at its last cutover
    checks: int = 0  # live probes that were compared with the prediction
    findings: tuple[Finding, ...] = ()

    def total(self, what: Literal["lines", "resources"]) -> int:
        """Configuration lines changed, or cloud resources made, changed and removed."""
        parts = [part for step in self.steps.values() for part in step.values()]
        if what == "lines":
            return sum(int(part.get("lines", 0)) for part in parts)
        return sum(len(part["changed"]) for part in parts if isinstance(part.get("changed"), dict))


class Checked(Noun):
    """What a live check found: how many probes were sent, and the failing ones as findings."""

    probes: int
    findings: tuple[Finding, ...] = ()


class Prober(Protocol):
    """Sends real packets and compares them with what the estate predicts, positive and negative."""

    def check(self, estate: Estate, /) -> Checked:
        """Hold the world to this estate. Raises LabError when a probe could not be sent."""


class NoProber:
    """For networks in which nothing can send probes: says so by a count of 0."""

    def check(self, _: Estate) -> Checked:
        """No probe was sent."""
        return Checked(probes=0)


def apply(
    proven: ProvenPlan,
    start: Estate,
    policy: Policy,
    hands: Hands,
    prober: Prober,
    records: Records,
    options: Options,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Carry out a proven plan (or what is left of it on this night).

    `start` is the estate it was built from. Raises StaleError when the world is no longer that one, RefusedError
    outside a window, SurpriseError and PartlyAppliedError with what stands and what does not.
    """
    plan = proven.plan
    if plan.built_from != start.digest:
        raise StaleError(
            f"the plan is for estate {plan.built_from[:8]}…, not {start.digest[:8]}…: run 'onefold plan' again"
        )
    with records.claim():
        run = _run_of(plan, start, hands, records, options, progress)
        return _forward(run, policy, hands, prober, records, options, progress)


def carry_on(
    run: Run,
    policy: Policy,
    hands: Hands,
    prober: Prober,
    records: Records,
    options: Options,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Go on with a run that was begun: the caller has proved its plan before it was begun, and holds no claim."""
    with records.claim():
        return _forward(run, policy, hands, prober, records, options, progress)


def _run_of(plan: Plan, start: Estate, hands: Hands, records: Records, options: Options, progress: Progress) -> Run:
    from orchestrator.apply.snapshot import differences, take

    for name in reversed(records.journal.runs()):
        run = records.load(name)
        if run.plan.hash == plan.hash and records.status(name).state in ("under way", "partly applied"):
            return run
    progress("reading the world")
    snapshot = take(start, hands)
    found = differences(start, snapshot)
    if found:
        raise StaleError(f"the world is not the estate the plan was proved for: {found[0]}; run 'onefold drift'")
    run = records.begin(plan, start, options.who, options.rehearsal)
    records.write(run.name, "snapshot.json", snapshot.plain())
    return run


def _forward(
    run: Run, policy: Policy, hands: Hands, prober: Prober, records: Records, options: Options, progress: Progress
) -> Outcome:
    began = time.monotonic()
    crew = Crew(run, hands, records.journal, "forward", options, progress)
    checks = 0
    findings: list[Finding] = []
    for wave in run.plan.waves:
        if options.wave is not None and wave.number > options.wave:
            break
        for batch in wave.batches:
            chosen = [name for name in batch if not options.limit or name in options.limit]
            if all(crew.is_done(name) for name in chosen):
                continue
            steps = [run.plan.step_of[name] for name in chosen]
            if not (options.rehearsal or run.rehearsal):
                in_window(wave, policy, datetime.now())
                confirmed([step for step in steps if not crew.is_done(step.name)], options.confirmed)
            crew.batch(steps)
            checked = prober.check(crew.estate)
            checks += checked.probes
            findings += checked.findings
            if checked.findings:
                _surprised(crew, chosen, checked, options)
    left = tuple(name for batch in run.plan.batches() for name in batch if not crew.is_done(name))
    if not left:
        records.journal.record(run.name, "done")
    return Outcome(
        run=run.name,
        done=crew.finished(),
        left=left,
        seconds=round(time.monotonic() - began, 2),
        steps=reported(records.journal.events(run.name, "forward"), crew.finished()),
        outages=outages(records.journal.events(run.name)),
        checks=checks,
        findings=tuple(findings),
    )


def reported(events: Sequence[Event], finished: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Step -> part -> what it reported, for steps that stand, whichever night or process did them."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.step in finished and event.part and event.state == "done" and event.detail:
            found.setdefault(event.step, {})[event.part] = event.detail
    return found


def outages(events: Sequence[Event]) -> dict[str, float]:
    """Workload -> seconds from its freeze to its opening elsewhere, at its last cutover; reads went on meanwhile."""
    frozen: dict[str, float] = {}
    found: dict[str, float] = {}
    for event in events:
        kind, _, workload = event.part.partition(":")
        if event.state == "done" and kind == "freeze":
            frozen[workload] = float(event.detail["frozen_at"])
        elif event.state == "done" and kind == "open" and workload in frozen:
            found[workload] = round(float(event.detail["open_at"]) - frozen[workload], 2)
    return found


def _surprised(crew: "Crew", batch: Sequence[str], checked: Checked, options: Options) -> None:
    """Real packets went other ways than proved: take the batch back (if asked) and stop."""
    first = checked.findings[0]
    if options.undo_failed_batch:
        crew.undo_batch([crew.run.plan.step_of[name] for name in reversed(batch) if name in crew.told])
        what = "the batch was taken back"
    else:
        what = "nothing was taken back"
    raise SurpriseError(f"after {', '.join(batch)}: {first.what}; {what}: look there, then resume or roll back")


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
        self._events = journal.events(run.name)
        self._state = journal.steps(run.name)
        self._lock = threading.Lock()
        self.estate = run.start
        for name in self.finished():
            self.estate = self.estate.apply(run.plan.step_of[name].edits)

    def is_done(self, name: str) -> bool:
        """Whether the step stands in the world, as the journal knows it."""
        return self._state.get(name) in ("done", "adopted")

    def is_open(self, name: str) -> bool:
        """Whether the step was begun and nobody wrote how it ended."""
        return self._state.get(name) in ("intent", "started", "failed")

    def finished(self) -> tuple[str, ...]:
        """Steps that stand, in the plan's order."""
        return tuple(name for batch in self.run.plan.batches() for name in batch if self.is_done(name))

    def batch(self, steps: Sequence[Step]) -> None:
        """Do these steps: the first alone (the canary), then the others side by side. Stops at the first failure."""
        todo = [step for step in steps if not self.is_done(step.name)]
        if todo and not any(self.is_done(step.name) for step in steps):
            self.do(todo.pop(0))
        self._together(self.do, todo)

    def undo_batch(self, steps: Sequence[Step]) -> None:
        """Take these steps of one batch back, side by side. Stops at the first failure."""
        self._together(self.undo, steps)

    def _together(self, act: Callable[[Step], None], steps: Sequence[Step]) -> None:
        with ThreadPoolExecutor(self._options.workers) as pool:
            futures = [pool.submit(act, step) for step in steps]
            failures = [error for future in futures if (error := future.exception())]
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
        notes = StepNotes(self._journal, self.run.name, step.name, direction, self._events)
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
            told = self._hands.perform(step, before, after, notes, resuming=resuming)
        except Exception as error:
            notes.write("", "failed", {"error": str(error)[:500]})
            self._state[step.name] = "failed"
            raise
        notes.write("", ends_as, {})
        with self._lock:
            if self.is_done(step.name) or ends_as == "done":
                self.estate = self.estate.apply(edits)
            self._state[step.name] = ends_as
            self.told[step.name] = told


class StepNotes:
    """The journal of one step, as `hands` needs it."""

    def __init__(self, journal: Journal, run: str, step: str, direction: Direction, earlier: Sequence[Event]) -> None:
        """`earlier`: the run's events before this try."""
        self._journal, self._run, self._step, self._direction = journal, run, step, direction
        self._earlier = _last_try(step, direction, earlier)

    def begun(self, part: str) -> bool:
        """Whether the try that was cut off had begun this part."""
        return part in self._earlier

    def finished(self, part: str) -> bool:
        """Whether the try that was cut off had finished this part."""
        return self._earlier.get(part) == "done"

    def write(self, part: str, state: Any, detail: dict[str, Any]) -> None:
        """Put an event on disk. Raises JournalError."""
        self._journal.record(self._run, state, step=self._step, part=part, direction=self._direction, detail=detail)


def _last_try(step: str, direction: Direction, events: Sequence[Event]) -> dict[str, str]:
    """Part -> last state, over all tries since the step last stood or was taken back."""
    parts: dict[str, str] = {}
    for event in events:
        if event.step != step:
            continue
        if event.direction != direction or (not event.part and event.state in ("done", "undone")):
            parts = {}
        elif event.part:
            parts[event.part] = event.state
    return parts


__all__ = [
    "Checked", "Crew", "NoProber", "Options", "Outcome", "PartlyAppliedError", "Prober", "apply", "carry_on", "opening",
]  # fmt: skip
