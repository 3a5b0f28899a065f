"""A plan that was proved, as a type: `apply` takes nothing else, and only `prove` makes one."""

from collections.abc import Iterable
from typing import Final, final

from orchestrator.errors import PlanError, RefusedError
from orchestrator.forwarding.world import UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Policy
from orchestrator.proof.verdict import Verdict
from orchestrator.proof.verify import Progress, verify


@final
class _Token:
    """Proof of having passed through `prove`; there is one, and it does not leave this module."""


_TOKEN: Final = _Token()


@final
class ProvenPlan:
    """A plan with the verdict that lets it be applied. Raises PlanError when made outside `prove`."""

    __slots__ = ("plan", "verdict")

    def __init__(self, token: _Token, plan: Plan, verdict: Verdict) -> None:
        """Keep the plan and its verdict."""
        if token is not _TOKEN:
            raise PlanError("only prove() makes a ProvenPlan: run 'onefold prove' on the plan")
        self.plan: Final = plan
        self.verdict: Final = verdict


def prove(
    now: Estate,
    plan: Plan,
    policy: Policy,
    unparsed: Iterable[UnparsedLine] = (),
    progress: Progress | None = None,
    facts: Iterable[Fact] = (),
) -> ProvenPlan:
    """The plan as something that may be applied.

    Raises RefusedError with the first promise that breaks or cannot be judged; StaleError, PlanError as `verify`.
    """
    verdict = verify(now, plan, policy, unparsed, progress, facts)
    if verdict.result != "pass":
        against = [item for item in verdict.findings if item.result == verdict.result and not item.existing]
        more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
        raise RefusedError(f"the proof says {verdict.result}: {against[0]}{more}: run 'onefold prove' to see all")
    return ProvenPlan(_TOKEN, plan, verdict)
