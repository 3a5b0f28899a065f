"""A proven plan into the world: waves, batches, the canary first, a live check after every batch.

The same loop begins a run, goes on with it on a later night, and resumes it after a kill: the journal says what is
done, the world says how far an open step came.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestrator.apply.crew import Crew
from orchestrator.apply.gates import confirmed, in_window, opening, proved, reached
from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import Checked, Options, Outcome, Prober, Progress
from orchestrator.errors import StaleError, SurpriseError
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy
from orchestrator.plan.schedule import organisations
from orchestrator.proof import ProvenPlan
from orchestrator.records.approvals import Approval
from orchestrator.records.journal import Direction, Event
from orchestrator.records.runs import Records, Run


def apply(
    proven: ProvenPlan,
    start: Estate,
    policy: Policy,
    hands: Hands,
    prober: Prober,
    records: Records,
    options: Options,
    progress: Progress = lambda _: None,
    signed: tuple[Approval, ...] = (),
) -> Outcome:
    """Carry out a proven plan (or what is left of it on this night).

    `start` is the estate it was built from; `signed` are the signatures under which the run goes, which its `resume`
    holds to the policy again. Raises StaleError when the world is no longer that one, RefusedError
    outside a window or for steps before which others are left, InputError for steps or waves that the plan does not
    have, SurpriseError and PartlyAppliedError with what stands and what does not.
    """
    plan = proven.plan
    if plan.built_from != start.digest:
        raise StaleError(
            f"the plan is for estate {plan.built_from[:8]}…, not {start.digest[:8]}…: run 'onefold plan' again"
        )
    with records.claim():
        run = _run_of(plan, start, hands, records, options, progress, signed)
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


def _run_of(
    plan: Plan,
    start: Estate,
    hands: Hands,
    records: Records,
    options: Options,
    progress: Progress,
    signed: tuple[Approval, ...],
) -> Run:
    from orchestrator.apply.snapshot import differences, take

    for name in reversed(records.of_plan(plan)):
        if records.status(name).state in ("under way", "partly applied"):
            return forward_again(records.load(name), records, options)
    proved(plan, options, ())
    progress("reading the world")
    snapshot = take(start, hands)
    found = differences(start, snapshot)
    if found:
        raise StaleError(f"the world is not the estate the plan was proved for: {found[0]}; run 'onefold drift'")
    return records.begin(plan, start, options.who, options.rehearsal, signed=signed, snapshot=snapshot.plain())


def forward_again(run: Run, records: Records, options: Options) -> Run:
    """The run, noted as going forward again when it was being taken back: a resume must not turn it round."""
    records.hold_newest(run.name)
    if direction_of(run, records) == "back":
        records.journal.record(run.name, "intent", detail={"who": options.who})
    return run


def direction_of(run: Run, records: Records) -> Direction:
    """The way the run was going when it stopped: what was last asked for; a batch taken back on the way is not it."""
    asked = [event for event in records.journal.events(run.name) if not event.step and event.state == "intent"]
    return asked[-1].direction if asked else "forward"


def _forward(
    run: Run, policy: Policy, hands: Hands, prober: Prober, records: Records, options: Options, progress: Progress
) -> Outcome:
    began = time.monotonic()
    crew = Crew(run, hands, records.journal, "forward", options, progress)
    proved(run.plan, options, crew.finished())
    checks = 0
    findings: list[Finding] = []
    for wave in run.plan.waves:
        if options.wave is not None and wave.number > options.wave:
            break
        for batch in wave.batches:
            chosen = [name for name in batch if not options.limit or name in options.limit]
            if all(crew.is_done(name) for name in chosen) and not crew.unchecked(chosen):
                continue
            steps = [run.plan.step_of[name] for name in chosen]
            _may_begin(wave, [step for step in steps if not crew.is_done(step.name)], crew, policy, options)
            crew.batch(steps)
            checked = prober.check(crew.estate)
            checks += checked.probes
            findings += checked.findings
            if checked.findings:
                _surprised(crew, chosen, checked, options)
            crew.checked(checked.probes)
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


def _may_begin(wave: Wave, steps: Sequence[Step], crew: Crew, policy: Policy, options: Options) -> None:
    """Raises RefusedError when these steps of a batch may not be done now, or not by us."""
    if not (options.rehearsal or crew.run.rehearsal):
        in_window(wave, policy, datetime.now(), _touched(crew, wave))
        confirmed(steps, options.confirmed)
    for step in steps:
        reached(step, crew.estate, crew.estate.apply(step.edits), options.confirmed)


def _touched(crew: Crew, wave: Wave) -> set[str]:
    """The organisations whose freezes bind a wave, as the plan was made."""
    steps = [crew.run.plan.step_of[name] for batch in wave.batches for name in batch]
    return organisations(crew.run.start, steps) | organisations(crew.target, steps)


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


def _surprised(crew: Crew, batch: Sequence[str], checked: Checked, options: Options) -> None:
    """Real packets went other ways than proved: take the batch back (if asked) and stop."""
    first = checked.findings[0]
    if options.undo_failed_batch:
        fresh = [name for name in reversed(crew.unchecked(batch)) if crew.is_done(name)]
        crew.undo_batch([crew.run.plan.step_of[name] for name in fresh])
        what = "the batch was taken back"
    else:
        what = "nothing was taken back"
    raise SurpriseError(f"after {', '.join(batch)}: {first.what}; {what}: look there, then resume or roll back")


__all__ = ["apply", "carry_on", "direction_of", "forward_again", "opening", "outages", "reported"]
