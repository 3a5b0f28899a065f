"""What a planner should worry about: outages, manual work, what nobody knows, what runs late."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.design import Design
from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan
from orchestrator.proof import Verdict


@dataclass(frozen=True)
class Risk:
    """One concern, with what is done about it."""

    kind_zh: str
    kind_en: str
    what: str
    answer: str


def risks(
    plan: Plan, design: Design, verdict: Verdict, census: Sequence[Finding], deadlines: Sequence[Finding]
) -> list[Risk]:
    """Outages first, then manual steps, then what is not proved, missed or unknown."""
    found = [
        Risk("停机", "outage", f"{s.title}: {s.outage_minutes} min, {', '.join(s.outage)}", s.evidence)
        for s in plan.steps
        if s.outage
    ]
    found += [Risk("人工", "manual", s.title, " · ".join(s.checklist)) for s in plan.steps if s.mode == "manual"]
    found += [Risk("未证明", "not covered", limit, "the proof says nothing about it") for limit in verdict.limits]
    open_ends = [*deadlines, *design.findings, *census, *verdict.findings]
    found += [
        Risk("未知" if f.result == "unknown" else "不符", f.result, f"{f.subject}: {f.what}", f.fix)
        for f in open_ends
        if f.result != "pass"
    ]
    return found
