"""After a kill: go on from what the journal and the world say, in the direction in which the run was going."""

from collections.abc import Callable

from orchestrator.apply.hands import Hands
from orchestrator.apply.outcome import Options, Outcome, Prober
from orchestrator.apply.rollback import rollback
from orchestrator.apply.run import carry_on, direction_of
from orchestrator.errors import StaleError
from orchestrator.model.policy import Policy
from orchestrator.records import approvals
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

    Forward it goes under the signatures it was begun with, and they under the policy they were given for: raises
    StaleError when that was changed, ApprovalError when they do not hold. Back it may always go. Raises what
    `run.carry_on` and `rollback` raise.
    """
    records.hold_newest(run.name)
    if direction_of(run, records) == "back":
        return rollback(run, hands, prober, records, options, progress)
    if run.plan.policy_digest != policy.digest:
        raise StaleError(
            f"run {run.name} was approved under policy {run.plan.policy_version} ({run.plan.policy_digest[:8]}…), the "
            f"folder holds {policy.version} ({policy.digest[:8]}…): put that one back, or 'onefold rollback'"
        )
    approvals.check(run.plan, policy, run.signed)
    return carry_on(run, policy, hands, prober, records, options, progress)


__all__ = ["direction_of", "resume"]
