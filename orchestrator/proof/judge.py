"""The judge of a plan's states: holds each to every rule and every registered flow, and remembers what it saw."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from orchestrator.forwarding.flows import FlowResult, Resolution, applies, resolve, troubles
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.tables import RoutingTable
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Packets
from orchestrator.model.plan import Plan
from orchestrator.model.policy import Flow, Policy
from orchestrator.proof.loops import NAME as LOOPS
from orchestrator.proof.loops import Loops
from orchestrator.proof.states import State
from orchestrator.rules.moment import Moment, place_of
from orchestrator.rules.registry import Rule

Identity = tuple[str, str, str]
"""(rule or flow, row, what): the same failure in two states."""

REACH_TABLES = ("hosts", "servers", "tenants", "interfaces", "vrfs", "devices")
CROSSING_TABLES = ("hosts", "servers", "tenants")
FLOW_TABLES = ("hosts", "servers", "tenants", "workloads", "service_names", "systems")
UNREAD = "make what is named here readable or take it out, then read the configuration again"
ORDER = "change the order of the steps, or declare the outage in the step that causes it"


@dataclass
class Seen:
    """One failure or doubt over all states."""

    finding: Finding
    first: str
    count: int = 0
    in_now: bool = False
    at_end: bool = False
    about: set[Packets] = field(default_factory=set)  # what it stood for in some state
    about_now: set[Packets] = field(default_factory=set)
    _last: frozenset[Packets] = frozenset()

    def note(self, about: frozenset[Packets], state: State) -> None:
        """It was found in one state more, where it stands for these packets."""
        self.count += 1
        if about is not self._last:
            self._last = about
            self.about |= about
        self.at_end = self.at_end or state.final
        if state.label == "now":
            self.in_now = True
            self.about_now |= about

    def absorb(self, later: "Seen") -> None:
        """Take over what was noted of it in later states."""
        self.count += later.count
        self.about |= later.about
        self.about_now |= later.about_now
        self.in_now = self.in_now or later.in_now
        self.at_end = self.at_end or later.at_end

    def grown(self) -> list[Packets]:
        """What it stood for on the way and not before, one class of ports each."""
        if not self.in_now:
            return []
        known = {(source, end, port) for source, end, ports in self.about_now for port in ports}
        more = {(source, end, port) for source, end, ports in self.about - self.about_now for port in ports} - known
        return [(source, end, (port,)) for source, end, port in sorted(more)]


@dataclass
class Judge:
    """Judges state after state, reusing every result whose inputs did not change."""

    plan: Plan
    policy: Policy
    facts: dict[str, Fact]
    rules: tuple[Rule, ...]
    loops: Loops
    seen: dict[Identity, Seen] = field(default_factory=dict)
    passed: dict[str, Finding] = field(default_factory=dict)  # what each rule last said when it held
    worked: dict[str, int] = field(default_factory=dict)  # flow -> states in which it was held and worked
    excused: dict[str, int] = field(default_factory=dict)  # flow -> states inside a declared outage
    count: int = 0
    settled: int = 0  # of these, states in which routing settles
    settling_most: int = 0  # devices on which it does at once
    packets: int = 0
    _kept: dict[str, tuple[tuple[Any, ...], tuple[Finding, ...]]] = field(default_factory=dict)
    _resolved: dict[str, tuple[tuple[Any, ...], Resolution]] = field(default_factory=dict)

    def state(self, state: State, matrix: Matrix) -> None:
        """Judge one state."""
        self.count += 1
        self._take(LOOPS, self.loops.see(matrix), state)
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

    def settling(self, state: State, matrix: Matrix) -> None:
        """Judge one state in which routing settles."""
        self.settled += 1
        self.settling_most = max(self.settling_most, state.settles)
        self.state(state, matrix)

    def expires_between(self, before: date, night: date) -> bool:
        """Whether an exception or a flow counts on one day and no more on a later night."""
        ends = [*(grant.expires for grant in self.policy.exceptions), *(flow.expires for flow in self.policy.flows)]
        return any(end is not None and before <= end < night for end in ends)

    def absorb(self, later: "Judge") -> None:
        """Take over what another judge saw of states that come after all of this one's."""
        self.count += later.count
        self.settled += later.settled
        self.settling_most = max(self.settling_most, later.settling_most)
        self.packets += later.packets
        self.passed |= later.passed
        for mine, theirs in ((self.worked, later.worked), (self.excused, later.excused)):
            for flow, states in theirs.items():
                mine[flow] = mine.get(flow, 0) + states
        for identity, seen in later.seen.items():
            self.seen.setdefault(identity, Seen(seen.finding, seen.first)).absorb(seen)
        self.loops.absorb(later.loops)

    def forget(self) -> None:
        """Let go of what is only kept to be quick."""
        self._kept.clear()
        self._resolved.clear()
        self.loops.forget()

    def _findings(self, rule: Rule, moment: Moment) -> tuple[Finding, ...]:
        inputs: list[Any] = [moment.on, moment.final]
        for name in rule.reads:
            if name == "reaches":
                inputs += [moment.matrix.alive, *moment.matrix.world.tables.values()]  # others while routing settles
                inputs += [getattr(moment.estate, table) for table in REACH_TABLES]
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
        """Flows that may fail now: those that the steps under way declare."""
        return frozenset(flow for name, _edits in state.stopped for flow in self.plan.step_of[name].outage)

    def _flow(self, flow: Flow, state: State, matrix: Matrix, outage: frozenset[str]) -> None:
        if not applies(flow, state.estate, state.final):
            return
        if flow.code in outage:
            self.excused[flow.code] = self.excused.get(flow.code, 0) + 1
            return
        found = tuple(troubles(flow, matrix, self._resolution(flow, state.estate), self.facts))
        if not found:
            self.worked[flow.code] = self.worked.get(flow.code, 0) + 1
        self._take(flow.code, (self._trouble(flow, result) for result in found), state)

    def _trouble(self, flow: Flow, result: FlowResult) -> Finding:
        row = result.trace.hops[-1].row if result.trace and result.trace.hops else ""
        return Finding(
            subject=flow.code,
            result="unknown" if result.works is None else "fail",
            what=result.why,
            where=place_of(row, self.facts),
            fix=UNREAD if result.works is None else ORDER,
            trace=result.trace,
        )

    def _resolution(self, flow: Flow, estate: Estate) -> Resolution:
        inputs = [getattr(estate, table) for table in FLOW_TABLES]
        kept = self._resolved.get(flow.code)
        if kept is None or not _same(kept[0], inputs):
            kept = (tuple(inputs), resolve(flow, estate))
            self._resolved[flow.code] = kept
        return kept[1]

    def _take(self, name: str, findings: Iterable[Finding], state: State) -> None:
        found: dict[Identity, list[Finding]] = {}
        for finding in findings:
            if finding.result == "pass":
                self.passed[name] = finding
                continue
            row = finding.where.item if finding.where else ""
            found.setdefault((finding.subject, row, finding.what), []).append(finding)
        for identity, alike in found.items():
            about = alike[0].about.union(*(other.about for other in alike[1:])) if alike[1:] else alike[0].about
            self.seen.setdefault(identity, Seen(alike[0], state.label)).note(about, state)


def _same(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Identity for tables, equality for the rest: unchanged tables are the same objects from state to state."""
    first, second = list(one), list(other)
    return len(first) == len(second) and all(
        a is b or (not isinstance(a, dict | RoutingTable) and a == b) for a, b in zip(first, second, strict=True)
    )
