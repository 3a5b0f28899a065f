"""Hold every reachable state of a plan to every rule and every registered flow.

Findings already true of `now` are told apart; none may be added on the way and none may be left at the end.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from orchestrator.errors import PlanError, StaleError
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.flows import Resolution, applies, judge, resolve
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of
from orchestrator.forwarding.world import ALL_TABLES, UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Result
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Flow, Policy
from orchestrator.proof.collector import seldom_collected
from orchestrator.proof.loops import Loops
from orchestrator.proof.states import Limits, State, states
from orchestrator.proof.verdict import Verdict
from orchestrator.rules.moment import Moment, place_of
from orchestrator.rules.registry import Rule, rules_in_force

Progress = Callable[[str], None]
Identity = tuple[str, str, str]
"""(rule or flow, row, what): the same failure in two states."""

REACH_TABLES = ("hosts", "servers", "tenants", "interfaces", "vrfs", "devices")
CROSSING_TABLES = ("hosts", "servers", "tenants")
FLOW_TABLES = ("hosts", "servers", "tenants", "workloads", "service_names", "systems")


@dataclass
class Seen:
    """One failure or doubt over all states."""

    finding: Finding
    first: str
    count: int = 0
    in_now: bool = False
    at_end: bool = False


@dataclass
class Judge:
    """Judges state after state, reusing every result whose inputs did not change."""

    plan: Plan
    policy: Policy
    facts: dict[str, Fact]
    rules: tuple[Rule, ...]
    seen: dict[Identity, Seen] = field(default_factory=dict)
    passed: dict[str, Finding] = field(default_factory=dict)  # what each rule last said when it held
    worked: dict[str, int] = field(default_factory=dict)  # flow -> states in which it was held and worked
    excused: dict[str, int] = field(default_factory=dict)  # flow -> states inside a declared outage
    count: int = 0
    packets: int = 0
    loops: Loops = field(default_factory=Loops)
    _kept: dict[str, tuple[tuple[Any, ...], tuple[Finding, ...]]] = field(default_factory=dict)
    _resolved: dict[str, tuple[tuple[Any, ...], Resolution]] = field(default_factory=dict)

    def state(self, state: State, matrix: Matrix) -> None:
        """Judge one state."""
        self.count += 1
        self.loops.see(matrix)
        self.packets += len(matrix.keys) * len(matrix.classes.ports)
        moment = Moment(state.estate, self.policy, state.on, matrix, state.final, self.facts)
        ends = state.final or state.label == "now"
        for rule in self.rules:
            if rule.scope == "always" or ends:
                self._take(rule.name, self._findings(rule, moment), state)
        outage = self._outage(state)
        for flow in self.policy.flows:
            if flow.expires is None or flow.expires >= state.on:
                self._flow(flow, state, matrix, outage)

    def _findings(self, rule: Rule, moment: Moment) -> tuple[Finding, ...]:
        inputs: list[Any] = [moment.on, moment.final]
        for name in rule.reads:
            if name == "reaches":
                inputs += [moment.matrix.alive, *(getattr(moment.estate, table) for table in REACH_TABLES)]
            elif name == "crossings":
                inputs += [moment.matrix.crossings, tuple(moment.matrix.world.guests.values())]
                inputs += [getattr(moment.estate, table) for table in CROSSING_TABLES]
            else:
                inputs.append(getattr(moment.estate, name))
        kept = self._kept.get(rule.name)
        if kept is None or not _same(kept[0], inputs):
            kept = (tuple(inputs), tuple(rule.check(moment)))
            self._kept[rule.name] = kept
        return kept[1]

    def _outage(self, state: State) -> frozenset[str]:
        """Flows that may fail now: those that the step under way declares."""
        step = self.plan.step_of.get(state.partial)
        return frozenset(step.outage) if step else frozenset()

    def _flow(self, flow: Flow, state: State, matrix: Matrix, outage: frozenset[str]) -> None:
        if not applies(flow, state.estate, state.final):
            return
        if flow.code in outage:
            self.excused[flow.code] = self.excused.get(flow.code, 0) + 1
            return
        result = judge(flow, matrix, self._resolution(flow, state.estate), self.facts)
        if result.works:
            self.worked[flow.code] = self.worked.get(flow.code, 0) + 1
            return
        row = result.trace.hops[-1].row if result.trace and result.trace.hops else ""
        finding = Finding(
            subject=flow.code,
            result="unknown" if result.works is None else "fail",
            what=result.why,
            where=place_of(row, self.facts),
            fix="change the order of the steps, or declare the outage in the step that causes it",
            trace=result.trace,
        )
        self._take(flow.code, (finding,), state)

    def _resolution(self, flow: Flow, estate: Estate) -> Resolution:
        inputs = [getattr(estate, table) for table in FLOW_TABLES]
        kept = self._resolved.get(flow.code)
        if kept is None or not _same(kept[0], inputs):
            kept = (tuple(inputs), resolve(flow, estate))
            self._resolved[flow.code] = kept
        return kept[1]

    def _take(self, name: str, findings: Iterable[Finding], state: State) -> None:
        for finding in findings:
            if finding.result == "pass":
                self.passed[name] = finding
                continue
            row = finding.where.item if finding.where else ""
            identity = (finding.subject, row, finding.what)
            seen = self.seen.setdefault(identity, Seen(finding, state.label))
            seen.count += 1
            seen.in_now = seen.in_now or state.label == "now"
            seen.at_end = seen.at_end or state.final


def _same(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Identity for tables, equality for the rest: unchanged tables are the same objects from state to state."""
    return all(a is b or (not isinstance(a, dict) and a == b) for a, b in zip(one, other, strict=True))


def verify(
    now: Estate,
    plan: Plan,
    policy: Policy,
    unparsed: Iterable[UnparsedLine] = (),
    progress: Progress | None = None,
    facts: Iterable[Fact] = (),
    *,
    plain: bool = False,
) -> Verdict:
    """The verdict on a plan. `plain`: the simulator alone judges, which is the oracle for what the engine says.

    Raises StaleError when the plan was not built from `now`, PlanError when its steps do not lead where it says,
    DisagreementError when engine and simulator do not agree about a packet.
    """
    if plan.built_from != now.digest:
        raise StaleError(
            f"the plan is for estate {plan.built_from[:8]}…, this one is {now.digest[:8]}…: run 'onefold plan' again"
        )
    started = monotonic()
    fact_of = {fact.row: fact for fact in facts}
    judged = Judge(plan, policy, fact_of, rules_in_force(policy))
    limits = Limits()
    lines = tuple(unparsed)
    with seldom_collected():
        matrix = _first(judged, now, lines, plain=plain)
        last = _run(judged, matrix, limits, progress)
    if last.digest != plan.leads_to:
        raise PlanError("the plan's steps do not lead to the estate it names: run 'onefold plan' again")
    findings = (*_failures(judged), *_passes(judged), *judged.loops.findings(judged.count))
    result = _result(judged)
    rests_on = tuple(fact for row, fact in sorted(fact_of.items()) if fact.standing == "claimed" and _matters(row))
    return Verdict(
        result=result,
        findings=findings,
        states=judged.count,
        packets=judged.packets,
        walked=matrix.store.walked,
        rests_on=rests_on,
        limits=tuple(limits.narrowed),
        seconds=round(monotonic() - started, 3),
        proof=_record(judged, plan, result, findings, rests_on, limits, matrix),
    )


def _first(judged: Judge, now: Estate, lines: tuple[UnparsedLine, ...], *, plain: bool) -> Matrix:
    """The matrix of `now`, from which those of all states are made."""
    edits = [edit for step in judged.plan.steps for edit in step.edits]
    classes = classes_of(now, edits, [(flow.protocol, flow.port) for flow in judged.policy.flows])
    if plain:
        return Matrix.of(now, classes, lines)
    return EngineMatrix.of(now, classes, lines, _ahead(now, judged.plan))


def _run(judged: Judge, first: Matrix, limits: Limits, progress: Progress | None) -> Estate:
    """Judge every state in turn; return the last estate."""
    plan, policy, now = judged.plan, judged.policy, first.estate
    matrices: dict[State, Matrix] = {}
    batch, estate = 0, now
    for state in states(now, plan, policy.planned_from, limits):
        matrix = _matrix(state.origin, matrices, first).advance(state.estate) if state.origin else first
        if state.batch != batch:
            batch = state.batch
            if progress:
                progress(f"proving batch {batch} of {len(plan.batches())}: {judged.count} states so far")
            matrices = {state.origin: matrices[state.origin]} if state.origin else {}
        matrices[state] = matrix
        judged.state(state, matrix)
        estate = state.estate
    return estate


def _ahead(now: Estate, plan: Plan) -> Iterator[Estate]:
    """The estate after each batch."""
    for names in plan.batches():
        for name in names:
            now = now.apply(plan.step_of[name].edits)
        yield now


def _matrix(state: State, matrices: dict[State, Matrix], first: Matrix) -> Matrix:
    """The matrix of a state; one that was passed over is worked out from where it came."""
    if state not in matrices:
        matrices[state] = _matrix(state.origin, matrices, first).advance(state.estate) if state.origin else first
    return matrices[state]


def _is_existing(seen: Seen) -> bool:
    """Already true of `now`, and gone at the end: told apart, not held against the plan."""
    return seen.in_now and not seen.at_end


def _failures(judged: Judge) -> Iterator[Finding]:
    order = sorted(judged.seen.items(), key=lambda item: (_is_existing(item[1]), item[1].finding.result, item[0]))
    for _identity, seen in order:
        what = f"{seen.finding.what}, in {seen.count} of {judged.count} states, first: {seen.first}"
        yield seen.finding.model_copy(update={"what": what, "existing": _is_existing(seen)})


def _passes(judged: Judge) -> Iterator[Finding]:
    troubled = {identity[0] for identity in judged.seen}
    for rule in judged.rules:
        if rule.name not in troubled and rule.name in judged.passed:
            ends = " at both ends" if rule.scope == "ends" else f" in all {judged.count} states"
            said = judged.passed[rule.name]
            yield said.model_copy(update={"what": f"held{ends}; at the end: {said.what}", "source": rule.source})
    for flow in judged.policy.flows:
        if flow.code not in troubled and flow.code in judged.worked:
            outage = judged.excused.get(flow.code, 0)
            inside = f", {outage} states inside its declared outage" if outage else ""
            what = f"{flow.purpose}: works in {judged.worked[flow.code]} states ({flow.validity}){inside}"
            yield Finding(subject=flow.code, result="pass", what=what)


def _result(judged: Judge) -> Result:
    against = {seen.finding.result for seen in judged.seen.values() if not _is_existing(seen)}
    if "fail" in against:
        return "fail"
    return "unknown" if "unknown" in against else "pass"


def _matters(row: str) -> bool:
    return row.partition("[")[0] in ALL_TABLES


def _record(
    judged: Judge,
    plan: Plan,
    result: Result,
    findings: tuple[Finding, ...],
    rests_on: tuple[Fact, ...],
    limits: Limits,
    matrix: Matrix,
) -> dict[str, Any]:
    """The canonical record of the proof."""
    return {
        "engine": matrix.judge,
        "estate": plan.built_from,
        "leads_to": plan.leads_to,
        "plan": plan.hash,
        "policy": judged.policy.digest,
        "policy_version": judged.policy.version,
        "result": result,
        "states": judged.count,
        "packets": judged.packets,
        "promises": [[item.subject, item.result, item.what] for item in findings],
        "rests_on": [fact.row for fact in rests_on],
        "unparsed": [f"{line.file}:{line.line}" for line in matrix.unparsed],
        "limits": list(limits.narrowed),
    }
