"""A proof checked again by the plain walker, on states drawn at random: packet by packet, without the engine.

The walker builds each state from the plan's lines and walks flows and packets of the touched destinations through it.
It agrees when nothing breaks that the proof says holds, and when the states that the proof blames do break their flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from orchestrator.errors import InputError, StaleError
from orchestrator.forwarding.engine.network import Network, Packet, Prefixes
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.trail import Ending
from orchestrator.proof.reachable import StatesProof, network_digest, plan_digest, policy_digest
from orchestrator.proof.reachable_base import WIDTH, Base, Interval, prefix_at
from orchestrator.proof.reachable_findings import StateFinding
from orchestrator.proof.reachable_rows import Unit
from orchestrator.proof.reachable_steps import Batch, Step
from orchestrator.proof.reachable_walker import Still, Walker

FLOWS = 50
PACKETS = 200


class Audit(NamedTuple):
    """What was looked at, and every contradiction to the proof: none means the walker agrees."""

    states: int
    flows: int
    packets: int
    contradictions: tuple[str, ...]


def audit(
    network: Network, batches: Sequence[Sequence[Step]], policy: Policy, proof: StatesProof, number: int, seed: int
) -> Audit:
    """Walk through `number` reachable states drawn with this seed, and through those that the proof blames.

    In each at most FLOWS registered flows and PACKETS packets from zones to touched or forbidden destinations; a state
    may be drawn twice. Raises StaleError when the proof is of another network, plan or policy, InputError for a number
    below 0 (0: only the states blamed).
    """
    if number < 0:
        raise InputError(f"an audit of {number} states cannot be drawn: ask for 0 or more")
    for said, found in (
        (proof.network, network_digest(network)),
        (proof.plan, plan_digest(batches)),
        (proof.policy, policy_digest(policy)),
    ):
        if said != found:
            raise StaleError(f"the proof is for {said[:8]}…, this is {found[:8]}…: prove this one")
    return _Auditor(network, batches, policy, proof, Random(seed)).run(number)  # noqa: S311  # a sample, no secret


class _Auditor:
    """One audit."""

    def __init__(
        self, network: Network, batches: Sequence[Sequence[Step]], policy: Policy, proof: StatesProof, random: Random
    ) -> None:
        self.network, self.batches, self.policy, self.proof, self.random = network, batches, policy, proof, random
        self.still = Still.of(network)
        self.before = {finding.subject for finding in proof.findings if not finding.batch}
        self.told = {finding.subject for finding in (*proof.findings, *proof.loops) if finding.batch}
        self.start = Walker(network, self.still)
        self.states = self.flows = self.packets = 0
        self.contradictions: list[str] = []

    def run(self, number: int) -> Audit:
        """Draw the states, walk, compare."""
        blamed = [finding for finding in self.proof.findings if finding.batch]
        drawn = sorted(self.random.randrange(len(self.batches)) for _draw in range(number)) if self.batches else []
        base = Base(self.network)
        for index, steps in enumerate(self.batches):
            batch = Batch(base, steps)
            for finding in blamed:
                if finding.batch == index + 1:
                    self._replay(batch, finding)
            for _state in range(drawn.count(index)):
                self._look(batch, f"batch {index + 1}", {unit.number: self._value(unit) for unit in batch.units})
            list(batch.rows.state({unit.number: unit.top for unit in batch.units}))
            batch.rows.commit()
        return Audit(self.states, self.flows, self.packets, tuple(self.contradictions))

    def _value(self, unit: Unit) -> int:
        return self.random.randint(0, unit.top)

    def _walker(self, batch: Batch, values: dict[int, int]) -> Walker:
        """The network in one state of a batch."""
        self.states += 1
        walker = Walker(self.network, self.still, batch.base.copy())
        for update in batch.rows.state(values):
            walker.apply(update)
        list(batch.rows.state(dict.fromkeys(values, 0)))  # the rows stand at the batch's beginning again
        return walker

    def _replay(self, batch: Batch, finding: StateFinding) -> None:
        """A state that the proof blames must break the flow, let the packet across, or leave it unknown."""
        if not finding.subject.startswith("flow "):
            self._replay_packet(batch, finding)
            return
        if finding.result == "unknown":
            return
        values = _values(batch, finding)
        flow = self.policy.flows[int(finding.subject.removeprefix("flow "))]
        self.flows += 1
        if self._walker(batch, values).works(flow.zone, flow.packet) is True:
            self.contradictions.append(f"{finding.state}: {finding.subject} is said to fail and works")

    def _replay_packet(self, batch: Batch, finding: StateFinding) -> None:
        if finding.packet is None:
            return
        source, _arrow, destination = finding.subject.removeprefix("isolation: ").partition(" -> ")
        names = self.network.zone_names
        self.packets += 1
        ends = self._walker(batch, _values(batch, finding)).ends(names.index(source), finding.packet)
        if finding.result == "unknown":
            agreed, said = any(end.ending == Ending.UNKNOWN for end in ends), "to be unknown"
        else:
            agreed = any(end.ending == Ending.DELIVERED and names[end.zone] == destination for end in ends)
            said = "to get across"
        if not agreed:
            self.contradictions.append(f"{finding.state}: {finding.packet} is said {said}, {finding.subject}")

    def _look(self, batch: Batch, where: str, values: dict[int, int]) -> None:
        """Nothing may break in a state that the proof does not tell."""
        walker = self._walker(batch, values)
        chosen = range(len(self.policy.flows))
        for index in self.random.sample(chosen, min(FLOWS, len(chosen))):
            excused = any(index in step.outage for step in batch.steps)
            if f"flow {index}" in self.told | self.before or excused:
                continue
            self.flows += 1
            flow = self.policy.flows[index]
            if walker.works(flow.zone, flow.packet) is False:
                self.contradictions.append(f"{where}, units {values}: flow {index} fails")
        touched = [interval for found in batch.touched for interval in found]
        for zone, packet in self._some_packets(touched):
            self.packets += 1
            for end in walker.ends(zone, packet):
                if end.ending == Ending.LOOP and not self._may_loop(zone, packet):
                    self.contradictions.append(f"{where}, units {values}: {packet} goes round")
                if end.ending == Ending.DELIVERED and self._forbidden(zone, end.zone, packet):
                    self.contradictions.append(f"{where}, units {values}: {packet} gets to zone {end.zone}")

    def _forbidden(self, source: int, destination: int, packet: Packet) -> bool:
        """Whether a packet that got across is a contradiction: the proof does not tell, and it did not before."""
        names = self.network.zone_names
        subject = f"isolation: {names[source]} -> {names[destination]}"
        if source == destination or self.policy.allowed[source, destination] or subject in self.told:
            return False
        only = self.policy.only.get((source, destination))
        if only is not None and only.holds(packet):
            return False
        return subject not in self.before or not self._crossed_before(source, destination, packet)

    def _may_loop(self, zone: int, packet: Packet) -> bool:
        """Whether the proof tells of a loop of this zone's packets, or the packet went round before any step."""
        if f"loop: packets of {self.network.zone_names[zone]}" in self.told:
            return True
        return any(end.ending == Ending.LOOP for end in self.start.ends(zone, packet))

    def _crossed_before(self, source: int, destination: int, packet: Packet) -> bool:
        ends = self.start.ends(source, packet)
        return any(end.ending == Ending.DELIVERED and end.zone == destination for end in ends)

    def _some_packets(self, touched: list[Interval]) -> Iterator[tuple[int, Packet]]:
        """Packets that zones can send to touched addresses and to other zones' addresses."""
        zones, random = self.network.zones, self.random
        for _draw in range(PACKETS if len(zones.zone) else 0):
            row, other = random.randrange(len(zones.zone)), random.randrange(len(zones.zone))
            family, low, high = _interval(zones.source, row)
            goal = random.choice(touched) if touched and random.random() < 0.7 else _interval(zones.source, other)
            if goal[0] != family:
                continue
            source, destination = random.randrange(low, high), random.randrange(goal[1], goal[2])
            protocol, port = random.choice(((6, 443), (6, 22), (17, 53), (1, 2048), (6, random.randrange(65536))))
            established = random.random() < 0.2
            yield int(zones.zone[row]), Packet(family, source, destination, protocol, 40000, port, established)


def _interval(columns: Prefixes, row: int) -> Interval:
    prefix = prefix_at(columns, row)
    return prefix.family, prefix.address, prefix.address + (1 << (WIDTH[prefix.family] - prefix.length))


def _values(batch: Batch, finding: StateFinding) -> dict[int, int]:
    """The values of the units in a blamed state."""
    units_of = {step.name: units for step, units in zip(batch.steps, batch.units_of, strict=True)}
    values = {unit.number: 0 for unit in batch.units}
    for name in finding.done:
        values |= {unit.number: unit.top for unit in units_of[name]}
    settled = dict(finding.settled)
    for name, count in finding.partial:
        if name in settled:
            values |= {units_of[name][line - 1].number: 1 for line in settled[name]}
        else:
            values |= {unit.number: count for unit in units_of[name]}
    return values
