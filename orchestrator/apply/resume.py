"""After a kill: go on from what the journal and the world say, in the direction in which the run was going."""

from collections.abc import Callable

from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import Options, Outcome, Prober
from orchestrator.apply.rollback import rollback
from orchestrator.apply.run import carry_on
from orchestrator.model.policy import Policy
from orchestrator.records.journal import Direction
from orchestrator.records.runs import Records, Run


def resume(
    run: Run,
    policy: Policy,
    hands: Hands,
    prober: Prober,
    records: Records,
    options: Options,
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Finish an interrupted run. An open step is judged by the world: what is done is noted, the rest is done.

    Raises what `run.carry_on` and `rollback` raise.
    """
    if direction_of(run, records) == "back":
        return rollback(run, hands, prober, records, options, progress)
    return carry_on(run, policy, hands, prober, records, options, progress)


def direction_of(run: Run, records: Records) -> Direction:
    """The way the run was going when it stopped: what was last asked for; a batch taken back on the way is not it."""
    asked = [event for event in records.journal.events(run.name) if not event.step and event.state == "intent"]
    return asked[-1].direction if asked else "forward"
