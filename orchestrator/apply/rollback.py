"""Back to the snapshot: every step that stands or was left open, taken back in the reverse order."""

import time
from collections.abc import Callable, Iterator, Sequence

from orchestrator.apply.crew import Crew
from orchestrator.apply.gates import out_of_reach
from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import Checked, Options, Outcome, Prober
from orchestrator.apply.snapshot import Snapshot, take, unequal
from orchestrator.errors import SurpriseError
from orchestrator.model.finding import Finding
from orchestrator.records.runs import Records, Run


def rollback(
    run: Run,
    hands: Hands,
    prober: Prober,
    records: Records,
    options: Options,
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Take a run back and show that the world equals its snapshot.

    Raises RefusedError when a later run stands on this one, SurpriseError with the first thing that is not as it was,
    StaleError when nobody can tell how it was, and what the parts of steps raise.
    """
    began = time.monotonic()
    with records.claim():
        records.hold_newest(run.name)
        records.journal.record(run.name, "intent", direction="back", detail={"who": options.who})
        crew = Crew(run, hands, records.journal, "back", options, progress)
        checks: Checked = Checked(probes=0)
        for batch in reversed(run.plan.batches()):
            standing = [name for name in reversed(batch) if crew.is_done(name) or crew.is_open(name)]
            checks = Checked(probes=checks.probes, findings=(*checks.findings, *by_hand(crew, standing)))
            if standing or crew.unchecked(batch):
                crew.undo_batch([run.plan.step_of[name] for name in standing])
                found = prober.check(crew.estate)
                checks = Checked(probes=checks.probes + found.probes, findings=checks.findings + found.findings)
                if found.findings:
                    raise SurpriseError(
                        f"on the way back before {batch[0]}: {found.findings[0].what}: look there, then again"
                    )
                crew.checked(found.probes)
        _compare(run, hands, records)
        records.journal.record(run.name, "undone", direction="back")
    return Outcome(
        run=run.name,
        done=crew.finished(),
        left=tuple(step.name for step in run.plan.steps),
        seconds=round(time.monotonic() - began, 2),
        steps=crew.told,
        checks=checks.probes,
        findings=checks.findings,
    )


def by_hand(crew: Crew, names: Sequence[str]) -> Iterator[Finding]:
    """What people did because nobody here could, only people can take back."""
    for step in (crew.run.plan.step_of[name] for name in names):
        other = crew.estate.apply(step.undo() if crew.is_done(step.name) else step.edits)
        if apart := out_of_reach(step, other, crew.estate):
            what = f"{', '.join(apart)}: no management address, so nothing was taken back there"
            yield Finding(subject=step.name, result="unknown", what=what, fix="take that back by hand")


def _compare(run: Run, hands: Hands, records: Records) -> None:
    apart = unequal(Snapshot.model_validate(records.snapshot(run.name)), take(run.start, hands))
    if apart:
        raise SurpriseError(
            f"the world is not the snapshot again at {len(apart)} places, first {apart[0]}: mend it by hand"
        )
