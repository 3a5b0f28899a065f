"""Hold every reachable state of a plan to every rule and every registered flow.

Findings already true of `now` are told apart; none may be added on the way and none may be left at the end.
"""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

from orchestrator.errors import PlanError, StaleError
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import Classes, classes_of
from orchestrator.forwarding.segments import ALWAYS_UP
from orchestrator.forwarding.world import ALL_TABLES, GUARD_TABLES, UnparsedLine, World, text_of
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Result
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Flow, Policy
from orchestrator.proof.collector import seldom_collected
from orchestrator.proof.judge import Judge, Seen
from orchestrator.proof.loops import Loops
from orchestrator.proof.settling import EVERY
from orchestrator.proof.stretches import judged
from orchestrator.proof.verdict import Verdict
from orchestrator.rules.registry import rules, rules_in_force

Progress = Callable[[str], None]

MOST_GROWN = 3
"""Packets named with which a finding of `now` has grown on the way."""

STACK_TABLES = GUARD_TABLES | {"tenants", "cloud_networks", "cloud_routers", "provider_networks"}
"""Rows that a cloud makes, in an order of its own."""


def verify(
    now: Estate,
    plan: Plan,
    policy: Policy,
    unparsed: Iterable[UnparsedLine] = (),
    progress: Progress | None = None,
    facts: Iterable[Fact] = (),
    *,
    plain: bool = False,
    processes: int = 0,
) -> Verdict:
    """The verdict on a plan. `plain`: the simulator alone judges, which is the oracle for what the engine says.

    `processes`: how many may share the work; 0 for as many as there are processors.

    Raises StaleError when the plan was not built from `now`, PlanError when its steps do not lead where it says,
    DisagreementError when engine and simulator do not agree about a packet.
    """
    if plan.built_from != now.digest:
        raise StaleError(
            f"the plan is for estate {plan.built_from[:8]}…, this one is {now.digest[:8]}…: run 'onefold plan' again"
        )
    started = monotonic()
    fact_of = {fact.row: fact for fact in facts}
    with seldom_collected():
        first = _first(now, plan, policy, tuple(unparsed), plain=plain)

        def fresh() -> Judge:
            return Judge(plan, policy, fact_of, rules_in_force(policy), Loops.since(first))

        found = judged(plan, first, fresh, progress or _silent, processes)
    if found.leads_to != plan.leads_to:
        raise PlanError("the plan's steps do not lead to the estate it names: run 'onefold plan' again")
    judge = found.judge
    findings = (*_failures(judge, first.classes), *_passes(judge), *judge.loops.findings(judge.count))
    result = _result(judge)
    limits = (*_unordered(plan), *_pairwise(judge), *found.limits, *_not_held(judge), *_unasked(now, first.world))
    rests_on = tuple(fact for row, fact in sorted(fact_of.items()) if fact.standing == "claimed" and _matters(row))
    return Verdict(
        result=result,
        findings=findings,
        states=judge.count,
        packets=judge.packets,
        walked=found.walked,
        settling=judge.settled,
        rests_on=rests_on,
        limits=limits,
        seconds=round(monotonic() - started, 3),
        proof=_record(judge, plan, result, findings, rests_on, limits, first),
    )


def _silent(_: str) -> None:
    """Progress for nobody."""


def _first(now: Estate, plan: Plan, policy: Policy, lines: tuple[UnparsedLine, ...], *, plain: bool) -> Matrix:
    """The matrix of `now`, from which those of all states are made."""
    edits = [edit for step in plan.steps for edit in step.edits]
    classes = classes_of(now, edits, [(flow.protocol, flow.port) for flow in policy.flows])
    if plain:
        return Matrix.of(now, classes, lines)
    return EngineMatrix.of(now, classes, lines, _ahead(now, plan))


def _ahead(now: Estate, plan: Plan) -> Iterator[Estate]:
    """The estate after each batch."""
    for names in plan.batches():
        for name in names:
            now = now.apply(plan.step_of[name].edits)
        yield now


def _is_existing(seen: Seen) -> bool:
    """Already true of `now`, no wider on the way, and gone at the end: told apart, not held against the plan."""
    return seen.in_now and not seen.at_end and not seen.grown()


def _failures(judge: Judge, classes: Classes) -> Iterator[Finding]:
    order = sorted(judge.seen.items(), key=lambda item: (_is_existing(item[1]), item[1].finding.result, item[0]))
    for _identity, seen in order:
        what = (
            f"{seen.finding.what}, in {seen.count} of {judge.count} states, first: {seen.first}{_more(seen, classes)}"
        )
        yield seen.finding.model_copy(update={"what": what, "existing": _is_existing(seen)})


def _more(seen: Seen, classes: Classes) -> str:
    """Packets with which a finding of `now` has grown on the way."""
    grown = seen.grown()
    told = "; ".join(
        f"{source} to {text_of(end)} with {classes.told(ports)}" for source, end, ports in grown[:MOST_GROWN]
    )
    more = f" and {len(grown) - MOST_GROWN} more" if len(grown) > MOST_GROWN else ""
    return f"; not before: {told}{more}" if grown else ""


def _passes(judge: Judge) -> Iterator[Finding]:
    troubled = {identity[0] for identity in judge.seen}
    for rule in judge.rules:
        if rule.name not in troubled and rule.name in judge.passed:
            ends = " at both ends" if rule.scope == "ends" else f" in all {judge.count} states"
            said = judge.passed[rule.name]
            yield said.model_copy(update={"what": f"held{ends}; at the end: {said.what}", "source": rule.source})
    for flow in judge.policy.flows:
        if flow.code not in troubled and flow.code in judge.worked:
            outage = judge.excused.get(flow.code, 0)
            inside = f", {outage} states inside its declared outage" if outage else ""
            what = f"{flow.purpose}: works in {judge.worked[flow.code]} states ({flow.validity}){inside}"
            yield Finding(subject=flow.code, result="pass", what=what)


def _not_held(judge: Judge) -> Iterator[str]:
    """Rules and flows that no state was held to: who reads "pass" has to know that these are not meant."""
    missing = [rule.name for rule in rules() if rule not in judge.rules]
    if missing:
        yield f"the policy puts {', '.join(missing)} out of force"
    troubled = {identity[0] for identity in judge.seen}
    for flow in judge.policy.flows:
        if flow.code not in troubled and flow.code not in judge.worked:
            inside = judge.excused.get(flow.code, 0)
            why = f"all {inside} states lie inside its declared outage" if inside else _absence(flow)
            yield f"{flow.code} was held in no state: {why}"


def _unasked(now: Estate, world: World) -> Iterator[str]:
    """Ports behind which the model knows nobody, and no zone either: nobody there was asked for, or asks."""
    for port in sorted(now.interfaces.values(), key=lambda port: port.key):
        segment = world.segments.segment_of.get((port.device, port.name))
        there = world.segments.directory.get(segment, {}) if segment else {}
        others = any(answer.node != port.device for answers in there.values() for answer in answers)
        if not (port.zone or others or segment in world.segments.silent or port.name.lower().startswith(ALWAYS_UP)):
            yield (
                f"nobody is known behind {port.device}:{port.name} ({port.address.network}): "
                "who reaches it, and whom it reaches, was not asked"
            )


def _unordered(plan: Plan) -> Iterator[str]:
    """Steps whose resources a cloud may make in an order of its own that is not between the ends of the step.

    Where a step only adds rows, or only takes some away, whatever order there is reaches no more than one of its two
    ends and no less than the other.
    """
    for step in plan.steps:
        edits = [edit for edit in step.edits if edit.table in STACK_TABLES]
        one_way = all(edit.before is None for edit in edits) or all(edit.after is None for edit in edits)
        if len(edits) > 1 and not one_way:
            yield (
                f"{step.name} adds to a cloud and takes away from it: "
                "the cloud may do this in another order than the plan's, which was judged"
            )


def _pairwise(judge: Judge) -> Iterator[str]:
    """That mixtures of many devices were not all judged."""
    if judge.settling_most > EVERY:
        yield (
            f"routing settles on up to {judge.settling_most} devices at once: any two of them were judged in every "
            "mixture, ways over three or more were not"
        )


def _absence(flow: Flow) -> str:
    return f"it ended on {flow.expires}" if flow.expires else f"it never began ({flow.validity})"


def _result(judge: Judge) -> Result:
    against = {seen.finding.result for seen in judge.seen.values() if not _is_existing(seen)}
    if "fail" in against:
        return "fail"
    return "unknown" if "unknown" in against else "pass"


def _matters(row: str) -> bool:
    return row.partition("[")[0] in ALL_TABLES


def _record(
    judge: Judge,
    plan: Plan,
    result: Result,
    findings: tuple[Finding, ...],
    rests_on: tuple[Fact, ...],
    limits: tuple[str, ...],
    matrix: Matrix,
) -> dict[str, Any]:
    """The canonical record of the proof."""
    return {
        "engine": matrix.judge,
        "estate": plan.built_from,
        "leads_to": plan.leads_to,
        "plan": plan.hash,
        "policy": judge.policy.digest,
        "policy_version": judge.policy.version,
        "result": result,
        "states": judge.count,
        "settling": judge.settled,
        "packets": judge.packets,
        "promises": [[item.subject, item.result, item.what] for item in findings],
        "rests_on": [fact.row for fact in rests_on],
        "unparsed": [f"{line.file}:{line.line}" for line in matrix.unparsed],
        "limits": list(limits),
    }
