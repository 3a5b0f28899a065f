"""The world of a project as the verbs that touch it need it: hands to work with, packets to check with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import NoProber, Options, Outcome, Prober
from orchestrator.cli.common import access_of, state_folder
from orchestrator.cli.session import Session
from orchestrator.intake.project import Project
from orchestrator.model.estate import Estate
from orchestrator.pipeline import author_of_this_call
from orchestrator.records.audit import Audit
from orchestrator.records.runs import Records


@dataclass(frozen=True)
class World:
    """Everything a run needs besides its plan."""

    hands: Hands
    prober: Prober
    records: Records
    audit: Audit
    who: str

    def options(
        self,
        rehearsal: bool,
        wave: int | None = None,
        limit: tuple[str, ...] = (),
        confirmed: tuple[str, ...] = (),
    ) -> Options:
        """Options in the name of whoever calls."""
        return Options(who=self.who, rehearsal=rehearsal, wave=wave, limit=limit, confirmed=confirmed)


@contextmanager
def world_of(session: Session, project: Project, known: Estate) -> Iterator[World]:
    """Open the project's world; closed at the end. Raises InputError when nothing says how to reach it."""
    access = access_of(project)
    folder = state_folder(project)
    if project.world == "lab":
        from lab.rehearsal import LabCarrier, LabProber, server_key

        prober: Prober = LabProber()
        hands = Hands(access, known, server_key=server_key, carrier=LabCarrier(), progress=session.progress)
    else:
        prober = NoProber()
        hands = Hands(access, known, progress=session.progress)
    try:
        yield World(hands, prober, Records(folder, project.world), Audit(folder / "audit.jsonl"), author_of_this_call())
    finally:
        hands.close()


def tell(session: Session, schema: str, outcome: Outcome) -> int:
    """Print what a run did; 0: what was asked is done (`status` ends with 4 while steps of the plan are left)."""
    session.say(
        f"run {outcome.run}: {len(outcome.done)} steps stand, {len(outcome.left)} left; "
        f"{outcome.total('resources')} cloud resources and {outcome.total('lines')} configuration lines changed; "
        f"{outcome.checks} live packets checked; {outcome.seconds:.0f} s"
    )
    if not outcome.checks:
        session.say("  no real packet was compared with the prediction: send some by hand where nothing here can")
    for workload, seconds in outcome.outages.items():
        session.say(f"  no writes at {workload} for {seconds:.1f} s")
    session.findings(outcome.findings)
    session.result(schema, outcome.plain())
    return 0


def estate_now(records: Records, start: Estate) -> Estate:
    """The estate in which the world should be: what was read, plus the steps of the newest run that stand."""
    names = records.runs()
    if not names:
        return start
    run = records.load(names[-1])
    estate = run.start
    for step in records.status(run.name).done:
        estate = estate.apply(run.plan.step_of[step].edits)
    return estate
