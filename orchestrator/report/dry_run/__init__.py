"""The dry-run report: what moves when and why, which promises hold, for people who have no access to any machine.

Input: the estate as read, the design, the plan, the verdict. Output: one HTML text that opens offline and prints well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2 import Environment, PackageLoader, select_autoescape

from orchestrator.design import Design
from orchestrator.forwarding.world import UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Policy
from orchestrator.plan import late
from orchestrator.proof import Verdict
from orchestrator.report.dry_run.changes import device_changes, moved_servers, tenant_changes
from orchestrator.report.dry_run.matrix import Matrix, zone_matrix
from orchestrator.report.dry_run.risks import Risk, risks
from orchestrator.report.dry_run.topology import drawing


@dataclass(frozen=True)
class Figures:
    """The numbers on the first line of the report."""

    systems_moved: int
    systems_closed: int
    sites_folded: int
    circuits_released: int
    yearly_rent_saved: int  # yuan
    egresses_consolidated: int
    steps: int
    manual_steps: int
    waves: int
    outage_minutes: int


def figures(before: Estate, after: Estate, plan: Plan) -> Figures:
    """Counted from the two estates and the plan."""
    released = [
        link
        for key, link in before.links.items()
        if link.state == "in_service" and after.links[key].state == "released"
    ]
    ended = [before.systems[step.system].disposition for step in plan.steps if step.kind == "retire"]
    folded = [network.code for network in after.private_networks.values() if network.state == "folded"]
    return Figures(
        systems_moved=sum(step.kind == "cutover" for step in plan.steps),
        systems_closed=sum(ended.count(kind) for kind in ("retire", "merge", "replace")),
        sites_folded=sum(site.network in folded for site in after.private_sites.values()),
        circuits_released=len(released),
        yearly_rent_saved=sum(link.yearly_rent or 0 for link in released),
        egresses_consolidated=sum(
            after.egresses[key].state != egress.state
            for key, egress in before.egresses.items()
            if key in after.egresses
        ),
        steps=len(plan.steps),
        manual_steps=sum(step.mode == "manual" for step in plan.steps),
        waves=len(plan.waves),
        outage_minutes=sum(step.outage_minutes for step in plan.steps),
    )


def render(
    now: Estate,
    design: Design,
    plan: Plan,
    verdict: Verdict,
    policy: Policy,
    census: Sequence[Finding],
    language: Literal["zh", "en", "both"] = "both",
    unparsed: Sequence[UnparsedLine] = (),
) -> str:
    """The report as one HTML document. Same inputs, same bytes (no clock, no random).

    `language` is what it opens in; the reader can turn to the others. `unparsed`: lines that nobody could read.
    """
    target = plan.target(now)
    environment = Environment(
        loader=PackageLoader("orchestrator.report.dry_run", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    matrices: tuple[Matrix, Matrix] = zone_matrix(now, policy, unparsed), zone_matrix(target, policy, unparsed)
    concerns: list[Risk] = risks(plan, design, verdict, census, late(plan, policy, now))
    return environment.get_template("page.html.j2").render(
        language=language,
        plan=plan,
        policy=policy,
        design=design,
        verdict=verdict,
        figures=figures(now, target, plan),
        census=sorted(census, key=lambda f: (f.result != "fail", f.subject)),
        devices=device_changes(now, target),
        tenants=tenant_changes(now, target),
        servers=moved_servers(now, target),
        before=drawing(now, "before"),
        after=drawing(target, "after"),
        matrices=matrices,
        risks=concerns,
        rules=_rules(verdict),
        systems=sorted(now.systems.values(), key=lambda s: s.code),
    )


def _rules(verdict: Verdict) -> list[tuple[str, str, Finding]]:
    """(subject, worst result, the finding that says so) per rule and flow."""
    order = {"fail": 0, "unknown": 1, "pass": 2}
    worst: dict[str, Finding] = {}
    for finding in verdict.findings:
        held = worst.get(finding.subject)
        if held is None or order[finding.result] < order[held.result]:
            worst[finding.subject] = finding
    return [(subject, worst[subject].result, worst[subject]) for subject in sorted(worst, key=_natural)]


def _natural(subject: str) -> tuple[str, int]:
    digits = "".join(char for char in subject if char.isdigit())
    return subject.rstrip("0123456789"), int(digits or 0)
