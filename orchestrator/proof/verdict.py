"""What a proof says: a value, with everything it covers and everything it rests on."""

from typing import Any

from orchestrator.model.base import Noun
from orchestrator.model.finding import Fact, Finding, Result


class Verdict(Noun):
    """The outcome of holding every reachable state to every promise.

    `states` and `packets` count what was judged, `settling` those of the states in which routing settles, `walked` the
    walks really made (the others were reused unchanged).
    `limits` says what the enumeration left out. `proof` is the canonical record: no time, no machine, same inputs
    same bytes.
    """

    result: Result
    findings: tuple[Finding, ...]
    states: int
    packets: int
    walked: int
    settling: int = 0
    rests_on: tuple[Fact, ...] = ()
    limits: tuple[str, ...] = ()
    seconds: float = 0.0
    proof: dict[str, Any]

    def failures(self) -> tuple[Finding, ...]:
        """The findings that make the verdict fail: new ones, and old ones still there at the end."""
        return tuple(finding for finding in self.findings if finding.result == "fail" and not finding.existing)

    def against(self) -> tuple[Finding, ...]:
        """Everything that keeps the plan from being applied: failures, and what nobody can tell."""
        return tuple(finding for finding in self.findings if finding.result != "pass" and not finding.existing)
