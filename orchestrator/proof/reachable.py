"""Every reachable state of a plan over raw updates, the way back included, held to a policy.

    proof = prove_states(network, batches, policy, world)

`batches` are done in order; the steps of one batch run side by side. What is reachable, and why these states are all,
on the way there and on the way back: docs/proof.md, "Reachable states of raw updates".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from time import monotonic
from typing import Any

import numpy as np

from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.policy import Broken, Pair, Policy
from orchestrator.model.base import Noun, digest
from orchestrator.model.finding import Result
from orchestrator.proof.reachable_base import Base, Interval
from orchestrator.proof.reachable_findings import AT_THE_END, STILL, State, StateFinding, lines_of, next_move, some
from orchestrator.proof.reachable_search import Broke, Found, Search
from orchestrator.proof.reachable_steps import Batch, Mode, Step, states_of
from orchestrator.proof.reachable_world import (
    ByPackets,
    Explaining,
    Loop,
    Promises,
    Reason,
    Subject,
    World,
    begun,
    ended,
    fits,
)

__all__ = ["Mode", "StateFinding", "StatesProof", "Step", "World", "prove_states"]

MOST_ASKED = 2_000
"""Questions to the engine about one component's envelopes before the batch has to be split."""


class StatesProof(Noun):
    """What was proved about the states of a plan. `record` holds no time and no machine: same inputs, same bytes.

    `states`: distinct reachable states, all of them covered unless a finding names a batch to split. The way back goes
    through the same states. `asked`: envelopes and cases the engine was asked about. `mended`: promises broken before
    that hold at the end. `loops`: packets that go round in some state and did not before any step, zone by zone; no
    promise is broken by that alone, so `result` does not count them.
    """

    result: Result
    engine: str
    network: str  # digests
    plan: str
    policy: str
    batches: int
    steps: int
    states: int
    promises: int
    asked: int
    cases: int  # components whose envelope did not hold and that were taken apart
    findings: tuple[StateFinding, ...]
    mended: tuple[str, ...] = ()
    loops: tuple[StateFinding, ...] = ()
    seconds: float = 0.0

    @property
    def record(self) -> dict[str, Any]:
        """The canonical record."""
        plain = self.plain()
        del plain["seconds"]
        return plain | {"states": str(self.states)}


def prove_states(
    network: Network,
    batches: Sequence[Sequence[Step]],
    policy: Policy,
    world: World,
    engine: str = "",
    most_asked: int = MOST_ASKED,
) -> StatesProof:
    """Hold every reachable state to the policy; `world` is the network with that policy, and ends in the target.

    Raises PlanError when a line does not fit, two steps of one batch change the same row or have one name, or the world
    is another one; InputError when the policy does not fit.
    """
    fits(network, policy, world, batches)
    started = monotonic()
    prover = _Prover(network, policy, world, most_asked)
    for steps in batches:
        prover.batch(steps)
    ended(world, policy)
    final = world.broken()
    findings = (*prover.existing(final), *prover.on_the_way(final))
    return StatesProof(
        result=_result(findings),
        engine=engine,
        network=network_digest(network),
        plan=plan_digest(batches),
        policy=policy_digest(policy),
        batches=len(batches),
        steps=sum(map(len, batches)),
        states=1 + sum(prod(map(states_of, steps)) - 1 for steps in batches),
        promises=int((~policy.allowed).sum() - (~policy.allowed.diagonal()).sum()) + len(policy.flows),
        asked=prover.asked,
        cases=prover.cases,
        findings=findings,
        mended=tuple(prover.name(subject) for subject in prover.mended(final)),
        loops=tuple(prover.loops),
        seconds=round(monotonic() - started, 3),
    )


class _Prover:
    """Batch after batch on one world."""

    def __init__(self, network: Network, policy: Policy, world: World, most_asked: int) -> None:
        self.network, self.policy, self.world, self.most_asked = network, policy, world, most_asked
        self.base = Base(network)
        self.flows = [flow_ends(flow.packet) for flow in policy.flows]
        self.why = self._why_at_first()
        self.first, self.before = begun(world, policy)
        self.findings: list[StateFinding] = []
        self.loops: list[StateFinding] = []
        self._told: set[Subject] = set()
        self.number = self.asked = self.cases = 0

    def _why_at_first(self) -> Mapping[Pair | int, Reason]:
        """Before `begun`: then no packet is blamed that gets across already."""
        if not isinstance(self.world, Explaining):
            return {}
        broken = self.world.broken()
        if isinstance(self.world, ByPackets):
            self.world.crossing()  # it will be asked for: examples are taken from the same answer
        return self.world.why([*broken.isolation, *broken.unknown, *broken.unread])

    def batch(self, steps: Sequence[Step]) -> None:
        """Judge the states of one batch; afterwards all its steps are done."""
        self.number += 1
        batch = Batch(self.base, steps, self.flows)
        for component in batch.components():
            before = Promises(self.before.fail | self._told, self.before.unknown)
            search = Search(self.world, batch, component, before, self.most_asked, telling=True)
            found = search.run()
            self.asked += found.asked
            self.cases += found.asked > 1
            self._take(batch, component, found)
        batch.rows.commit()

    def _take(self, batch: Batch, component: Sequence[int], found: Found) -> None:
        for broke in found.broke:
            if broke.subject not in self._told:
                self._told.add(broke.subject)
                self._list_of(broke.subject).append(self._finding(batch, broke))
        if found.exhausted:
            names = [batch.steps[member].name for member in component]
            what = f"batch {self.number}: {some(names, 3)} touch the same packets, and not every mixture of them holds"
            fix = "split the batch: put these steps into batches of their own"
            open_ = [(self._list_of(subject), self.name(subject)) for subject in sorted(found.open, key=self.name)]
            for told, subject in open_ or [(self.findings, "every promise")]:
                told.append(StateFinding(subject=subject, result="unknown", batch=self.number, state=what, fix=fix))

    def _list_of(self, subject: Subject) -> list[StateFinding]:
        return self.loops if isinstance(subject, Loop) else self.findings

    def _finding(self, batch: Batch, broke: Broke) -> StateFinding:
        state = State.of(batch, self.number, broke.values)
        lines = lines_of(self.network, broke.reason)
        return StateFinding(
            subject=self.name(broke.subject),
            result="unknown" if broke.unknown else "fail",
            batch=self.number,
            state=state.text,
            done=state.done,
            partial=state.partial,
            settled=state.settled,
            packet=broke.reason.packet,
            lines=lines,
            fix=next_move(broke.subject, lines, unknown=broke.unknown),
        )

    def name(self, subject: Subject) -> str:
        """A subject for people."""
        if isinstance(subject, int):
            return f"flow {subject}"
        if isinstance(subject, Loop):
            return f"loop: packets of {self.network.zone_names[subject.zone]}"
        source, destination = subject
        return f"isolation: {self.network.zone_names[source]} -> {self.network.zone_names[destination]}"

    def existing(self, final: Broken) -> list[StateFinding]:
        """What did not hold before any step; left at the end, it counts against the plan."""
        left = Promises.of(final).all
        found = []
        for subject in sorted(self.first.all, key=self.name):
            text = "before any step, and still at the end" if subject in left else "before any step, mended at the end"
            result: Result = "fail" if subject in self.first.fail else "unknown"
            reason = Reason() if isinstance(subject, Loop) else self.why.get(subject, Reason())
            lines = lines_of(self.network, reason)
            fix = next_move(subject, lines, unknown=True) if result == "unknown" else STILL
            found.append(
                StateFinding(
                    subject=self.name(subject),
                    result=result,
                    batch=0,
                    state=text,
                    packet=reason.packet,
                    lines=lines,
                    existing=subject not in left,
                    fix=fix if subject in left else "",
                )
            )
        return found

    def on_the_way(self, final: Broken) -> list[StateFinding]:
        """What did not hold in some state; an order mends nothing that fails at the end, too."""
        never = {self.name(subject) for subject in Promises.of(final).fail - self.first.all}
        return [
            finding.model_copy(update={"fix": AT_THE_END})
            if finding.result == "fail" and finding.subject in never
            else finding
            for finding in self.findings
        ]

    def mended(self, final: Broken) -> list[Subject]:
        """What did not hold before and holds at the end."""
        return sorted(self.first.all - Promises.of(final).all, key=self.name)


def flow_ends(packet: Packet) -> tuple[Interval, Interval]:
    """Both addresses of a flow."""
    there, back = packet.destination, packet.source
    return (packet.family, there, there + 1), (packet.family, back, back + 1)


def _result(findings: Iterable[StateFinding]) -> Result:
    against = {finding.result for finding in findings if not finding.existing}
    if "fail" in against:
        return "fail"
    return "unknown" if "unknown" in against else "pass"


def network_digest(network: Network) -> str:
    """SHA-256 over names and arrays."""
    state = hashlib.sha256()
    _feed(state, network.__dict__)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        state.update(f"{value.dtype}{value.shape}".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key in sorted(value):
            state.update(key.encode())
            _feed(state, value[key])
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        _feed(state, value._asdict())
    else:
        state.update(repr(value).encode())


def plan_digest(batches: Sequence[Sequence[Step]]) -> str:
    """SHA-256 over every line of every step in order."""
    return digest([[_plain(step) for step in steps] for steps in batches])


def _plain(step: Step) -> list[Any]:
    return [step.name, step.mode, sorted(step.outage), [repr(line) for line in step.lines]]


def policy_digest(policy: Policy) -> str:
    """SHA-256 over the allowed pairs, the packets allowed across others, and the flows."""
    state = hashlib.sha256()
    only = [(pair, [str(box) for box in packets.boxes()]) for pair, packets in sorted(policy.only.items())]
    _feed(state, {"allowed": policy.allowed, "flows": policy.flows, "only": only})
    return state.hexdigest()
