"""One moment as a rule sees it: the estate, the policy, the date, and who reaches whom."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from orchestrator.forwarding.flows import applies, askers_of, covered, places_of
from orchestrator.forwarding.matrix import Crossing, Matrix, Reach
from orchestrator.forwarding.simulator import packet_of, trace_of
from orchestrator.forwarding.walk import Header, Mark
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Packets, Result, Trace, Where
from orchestrator.model.network import Device
from orchestrator.model.policy import ExceptionGrant, Flow, Policy, Zone

Unread = dict[tuple[str, str], tuple[Reach, frozenset[Packets]]]
"""(node, reason) -> the first reach that ends there unknown, and the packets of all of them."""

UNKNOWN_ZONE = Zone(name="", kind="private")


@dataclass
class Moment:
    """What a rule may look at. `final` is the end of a plan; `facts` give the file and line of a row."""

    estate: Estate
    policy: Policy
    on: date
    matrix: Matrix
    final: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)
    _known: dict[int, tuple[tuple[Crossing, ...], Unread]] = field(default_factory=dict)

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Delivered or unknown reaches between two zones."""
        return self.matrix.crossings

    @cached_property
    def foreign(self) -> tuple[Crossing, ...]:
        """Crossings, the two zones of one department (its old network and its VPN) counted as one."""
        return tuple(item for item in self.crossings if not self.one_department(item.source_zone, item.end_zone))

    def zone(self, name: str) -> Zone:
        """The policy's zone of this name; an unnamed private zone when there is none."""
        return self.policy.zone_of.get(name, UNKNOWN_ZONE)

    def domain(self, name: str) -> str:
        """The service domain of a zone, empty when it has none."""
        return self.zone(name).service_domain or ""

    def one_department(self, one: str, other: str) -> bool:
        """True when both zones belong to one organisation."""
        organisation = self.zone(one).organisation
        return bool(organisation) and organisation == self.zone(other).organisation

    def boundary_devices(self) -> frozenset[str]:
        """Named boundary devices: firewalls, devices of role boundary, and filtering devices at a registered egress."""
        egress = {row.device for row in self.estate.egresses.values() if row.device in self.estate.filters}
        return frozenset(egress | {row.name for row in self.estate.devices.values() if _is_boundary(row)})

    def flow_for(self, reach: Reach, port: int) -> Flow | None:
        """The registered, unexpired flow that covers this packet and whose gateway is on its way."""
        protocol, number = self.matrix.classes.ports[port]
        for flow in self.policy.flows:
            if (flow.protocol, flow.port) == (protocol, number) and self.live(flow) and self._covers(flow, reach):
                return flow
        return None

    def live(self, flow: Flow) -> bool:
        """True when the flow is registered for this moment: not expired, its validity not over."""
        if flow.expires is not None and flow.expires < self.on:
            return False
        # a flow of the target may open while the plan is under way: its way is prepared before its first day
        return flow.validity == "target_only" or applies(flow, self.estate, self.final)

    def _covers(self, flow: Flow, reach: Reach) -> bool:
        if flow.gateway and all(mark.node != flow.gateway for mark in reach.way.marks):
            return False
        sources, ends = self._as(reach.source, flow, asking=True), self._as(reach.end, flow, asking=False)
        return any(covered(flow, self.estate, source, end) for source in sources for end in ends)

    def _as(self, node: str, flow: Flow, *, asking: bool) -> Iterable[str]:
        """The registered nodes a node counts as: an unused address counts as the hosts of its segment."""
        guest = self.matrix.world.guests.get(node)
        if guest is None:
            return (node,)
        named = [asker.node for asker in askers_of(flow.source, self.estate)] if asking else self._ends(flow)
        return [name for name in named if self._on_segment(name, guest.network, guest.mask, guest.zone)]

    def _ends(self, flow: Flow) -> list[str]:
        kind, _, name = flow.destination.partition(":")
        return [name] if kind == "host" else sorted(places_of(kind, name, self.estate))

    def _on_segment(self, name: str, network: int, mask: int, zone: str) -> bool:
        host = self.estate.hosts.get(name)
        return host is not None and host.zone == zone and int(host.address) & mask == network

    def accepting(self, reach: Reach) -> list[Mark]:
        """The filter decisions that let the packet through, in order."""
        return [mark for mark in reach.way.marks if mark.row.startswith(("filter_rules[", "filters["))]

    def deciding(self, reach: Reach) -> str:
        """The row that let the packet through: the last filter entry, else the last static route, else the last row."""
        marks = reach.way.marks
        for kind in ("filter_rules[", "routes["):
            row = next((mark.row for mark in reversed(marks) if mark.row.startswith(kind)), "")
            if row:
                return row
        return marks[-1].row

    def trace(self, reach: Reach, port: int | None = None) -> Trace:
        """The reach as a counterexample: one of its packets and its way."""
        protocol, number = self.matrix.classes.ports[reach.ports[0] if port is None else port]
        endpoint = self.matrix.world.endpoint(reach.source)
        source = endpoint.address if endpoint else 0
        packet = packet_of(Header(source, reach.destination, protocol, 40000, number))
        return trace_of(reach.source, packet, reach.way, self.facts)

    def where(self, row: str) -> Where | None:
        """The place of a row: its file and line when known, else the row."""
        return place_of(row, self.facts)

    def grant(self, rule: str, row: str) -> ExceptionGrant | None:
        """The exception granted for this rule and row, live or expired; a live one is preferred."""
        granted = [item for item in self.policy.exceptions if (item.rule, item.row) == (rule, row)]
        return max(granted, key=lambda item: item.expires, default=None)

    def packets(self, ports: Iterable[int]) -> str:
        """These port classes in words: tcp/443, icmp; "any packet" for all of them."""
        return self.matrix.classes.told(ports)

    def fails(
        self, rule: str, row: str, what: str, fix: str, trace: Trace | None = None, about: Iterable[Reach] = ()
    ) -> Finding:
        """A failure, or a pass that names the live exception which excuses it. `about`: all that it stands for."""
        grant = self.grant(rule, row)
        result: Result = "fail"
        if grant and grant.expires >= self.on:
            result, what = "pass", f"{what} (excused until {grant.expires} by {grant.code}, {grant.document})"
        elif grant:
            what = f"{what} (the exception {grant.code} expired on {grant.expires})"
        return Finding(
            subject=rule,
            result=result,
            what=what,
            where=self.where(row),
            fix=fix,
            trace=trace,
            about=packets_of(about),
        )

    def passes(self, rule: str, what: str) -> Finding:
        """A pass that says what was checked."""
        return Finding(subject=rule, result="pass", what=what)

    def answer(self, rule: str, findings: Iterable[Finding], checked: str) -> Iterator[Finding]:
        """The findings, or when there are none a pass that says what was checked."""
        silent = True
        for finding in findings:
            silent = False
            yield finding
        if silent:
            yield self.passes(rule, checked)

    def nameless(self, crossing: Crossing) -> list[tuple[str, str]]:
        """(point, zone) of the ends of which the policy does not have the zone: no rule knows what may be there."""
        reach = crossing.reach
        ends = ((reach.source, crossing.source_zone), (reach.end, crossing.end_zone))
        return [(node, zone) for node, zone in ends if zone not in self.policy.zone_of]

    def doubts(self, rule: str, crossings: Iterable[Crossing]) -> Iterator[Finding]:
        """One unknown finding per place where the way of a packet cannot be judged, and per zone nobody knows."""
        crossings = tuple(crossings)
        yield from self._unreadable(rule, crossings)
        strange = {zone: node for item in delivered(crossings) for node, zone in self.nameless(item)}
        for zone, node in sorted(strange.items()):
            yield Finding(
                subject=rule,
                result="unknown",
                what=f"{node} stands in the zone {zone!r}, of which the policy says nothing",
                where=self.where(f"hosts[{node}]" if node in self.estate.hosts else ""),
                fix="add the zone to policy.yaml, or correct its name in topology.yaml",
            )

    def _unreadable(self, rule: str, crossings: tuple[Crossing, ...]) -> Iterator[Finding]:
        for (end, reason), (first, about) in self._unread(crossings).items():
            yield Finding(
                subject=rule,
                result="unknown",
                what=f"packets may pass {end}: {reason}",
                where=self.where(first.way.marks[-1].row),
                trace=self.trace(first),
                fix="make the line readable or take it out, then read the configuration again",
                about=about,
            )

    def _unread(self, crossings: tuple[Crossing, ...]) -> Unread:
        """Where ways end that cannot be judged, and why: the first one, and all their packets. Asked by many rules."""
        if id(crossings) not in self._known:
            found: dict[tuple[str, str], list[Reach]] = {}
            for crossing in crossings:
                way = crossing.reach.way
                if way.outcome == "unknown":
                    found.setdefault((way.end, way.reason), []).append(crossing.reach)
            unread = {place: (reaches[0], packets_of(reaches)) for place, reaches in found.items()}
            self._known[id(crossings)] = crossings, unread
        return self._known[id(crossings)][1]


def packets_of(reaches: Iterable[Reach]) -> frozenset[Packets]:
    """The packets of reaches."""
    return frozenset((reach.source, reach.destination, reach.ports) for reach in reaches)


def place_of(row: str, facts: Mapping[str, Fact]) -> Where | None:
    """The place of a row: its file and line when known, else the row itself; None for no row."""
    if not row:
        return None
    fact = facts.get(row)
    return fact.where.model_copy(update={"item": row}) if fact else Where(source="estate", item=row)


def _is_boundary(device: Device) -> bool:
    return device.kind == "firewall" or device.role == "boundary"


def delivered(crossings: Iterable[Crossing]) -> list[Crossing]:
    """The crossings whose packets arrive."""
    return [item for item in crossings if item.reach.way.outcome == "delivered"]
