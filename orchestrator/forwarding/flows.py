"""A registered flow as packets: who asks, where the service name sends them, who must answer.

A workload is found by the service name of its system as the asker sees it (a view of the asker's organisation or zone
wins over the name for everybody), because that is how people find it: a name that still points at the old place makes
the flow fail here as it would in the world. `system.fqdn` belongs to the system's workloads without a name of their
own; `WORKLOAD.fqdn` to that workload. A system without any service name is reached at its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import server_zone
from orchestrator.forwarding.segments import place_address
from orchestrator.forwarding.simulator import fits, packet_of, trace_of
from orchestrator.forwarding.walk import LOOP, Header, Way
from orchestrator.model.census import Workload
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Trace
from orchestrator.model.policy import Flow


class Asker(NamedTuple):
    """Somebody at the source of a flow."""

    node: str
    address: int
    organisation: str
    zone: str


class Probe(NamedTuple):
    """One packet of a flow: it must be answered by one of `ends` on `port` (None: any port)."""

    asker: Asker
    header: Header
    ends: frozenset[str]
    port: int | None


class Resolution(NamedTuple):
    """A flow in one estate: its packets, and what could not be resolved."""

    probes: tuple[Probe, ...]
    problems: tuple[str, ...]


class FlowResult(NamedTuple):
    """Whether a flow works in one estate (None: unknown), and if not, why and on which way."""

    works: bool | None
    why: str
    trace: Trace | None = None


def resolve(flow: Flow, estate: Estate) -> Resolution:
    """The packets of a flow in this estate."""
    askers = tuple(askers_of(flow.source, estate))
    if not askers:
        return Resolution((), (f"{flow.source} names nobody",))
    probes: list[Probe] = []
    problems: list[str] = []
    for asker in askers:
        found = _target(flow, asker, estate)
        if isinstance(found, str):
            problems.append(found)
            continue
        address, ends, port = found
        probes.append(Probe(asker, Header(asker.address, address, flow.protocol, 40000, flow.port), ends, port))
    return Resolution(tuple(probes), tuple(problems))


def askers_of(source: str, estate: Estate) -> Iterator[Asker]:
    """The hosts and servers a flow's source names."""
    kind, _, name = source.partition(":")
    if kind == "host":
        yield from _hosts(estate, [name])
    elif kind == "organisation":
        of_it = [row.name for row in estate.hosts.values() if row.organisation == name and row.role == "terminal"]
        yield from _hosts(estate, sorted(of_it))
    elif kind == "zone":
        yield from _hosts(estate, sorted(row.name for row in estate.hosts.values() if row.zone == name))
        for key, server in sorted(estate.servers.items()):
            if server_zone(estate, server) == name:
                yield from _at_place(estate, key)
    elif kind in ("system", "workload"):
        for workload in running(estate, name):
            yield from _at_place(estate, workload.place)


def _hosts(estate: Estate, names: Iterable[str]) -> Iterator[Asker]:
    for name in names:
        host = estate.hosts.get(name)
        if host:
            yield Asker(name, int(host.address), host.organisation, host.zone)


def _at_place(estate: Estate, place: str) -> Iterator[Asker]:
    yield from _hosts(estate, [place])
    server = estate.servers.get(place)
    if server:
        tenant = estate.tenants.get(server.tenant)
        yield Asker(place, int(server.address), tenant.organisation if tenant else "", tenant.zone if tenant else "")


def running(estate: Estate, name: str) -> list[Workload]:
    """The running workloads of "SYSTEM" or "SYSTEM/NAME"."""
    found = [row for row in estate.workloads.values() if name in (row.system, f"{row.system}/{row.name}")]
    return sorted((row for row in found if row.state == "running"), key=lambda row: row.key)


Target = tuple[int, frozenset[str], int | None]


def _target(flow: Flow, asker: Asker, estate: Estate) -> Target | str:
    """(address asked for, who must answer, on which port), or why there is none."""
    kind, _, name = flow.destination.partition(":")
    if kind == "host":
        host = estate.hosts.get(name)
        return (int(host.address), frozenset({name}), None) if host else f"there is no host {name}"
    if kind == "service":
        return _service_target(name, asker, estate)
    if kind == "workload":
        return _workload_target(name, asker, estate)
    return f"destination {flow.destination!r} is not host:, service: or workload:"


def _service_target(fqdn: str, asker: Asker, estate: Estate) -> Target | str:
    address = answer_of(fqdn, asker, estate)
    if address is None:
        return f"the name {fqdn} has no answer for {asker.node}"
    serving = [row for row in estate.workloads.values() if row.state == "running" and name_of(row, estate) == fqdn]
    if not serving:
        return f"no running workload serves {fqdn}"
    return address, frozenset(row.place for row in serving), _port(serving)


def _workload_target(name: str, asker: Asker, estate: Estate) -> Target | str:
    serving = running(estate, name)
    if not serving:
        return f"no workload {name} is running"
    fqdn = name_of(serving[0], estate)
    ends = frozenset(row.place for row in serving)
    if fqdn is not None:
        address = answer_of(fqdn, asker, estate)
        if address is None:
            return f"the name {fqdn} has no answer for {asker.node}"
        return address, ends, _port(serving)
    place = place_address(estate, serving[0])
    return (place, ends, _port(serving)) if place is not None else f"the place {serving[0].place} does not exist"


def _port(serving: list[Workload]) -> int | None:
    ports = {row.port for row in serving}
    return ports.pop() if len(ports) == 1 else None


def name_of(workload: Workload, estate: Estate) -> str | None:
    """The service name under which a workload is found; None when its system has none."""
    system = estate.systems.get(workload.system)
    if system is None or system.fqdn is None:
        return None
    named = {row.fqdn for row in estate.service_names.values()}
    own = f"{workload.name}.{system.fqdn}"
    if own in named:
        return own
    return system.fqdn if system.fqdn in named else None


def answer_of(fqdn: str, asker: Asker, estate: Estate) -> int | None:
    """The address the name answers with for this asker: organisation view, zone view, then everybody's."""
    for view in (asker.organisation, asker.zone, "any"):
        row = estate.service_names.get(f"{fqdn}/{view}")
        if row:
            return int(row.address)
    return None


def applies(flow: Flow, estate: Estate, final: bool) -> bool:
    """True when the flow must work in this estate, outages aside."""
    if flow.validity == "target_only":
        return final
    kind, _, name = flow.destination.partition(":")
    if flow.validity == "now_only" and kind == "workload":
        return bool(running(estate, name))
    return True


Facts = Mapping[str, Fact]


def judge(
    flow: Flow, matrix: Matrix, resolution: Resolution | None = None, facts: Facts = MappingProxyType({})
) -> FlowResult:
    """Whether every packet of the flow is answered, by whom it should, over the registered gateway."""
    resolved = resolution or resolve(flow, matrix.estate)
    worst = FlowResult(True, f"{len(resolved.probes)} askers are answered")
    for trouble in troubles(flow, matrix, resolved, facts):
        if trouble.works is False:
            return trouble
        worst = trouble if worst.works else worst
    return worst


def troubles(
    flow: Flow, matrix: Matrix, resolution: Resolution, facts: Facts = MappingProxyType({})
) -> Iterator[FlowResult]:
    """What keeps the flow from working, or from being judged: asker by asker, as one may hide behind another."""
    yield from (FlowResult(False, problem) for problem in dict.fromkeys(resolution.problems))
    for probe in resolution.probes:
        result = _judge_probe(flow, probe, matrix, facts)
        if not result.works:
            yield result


def _judge_probe(flow: Flow, probe: Probe, matrix: Matrix, facts: Facts) -> FlowResult:
    forward, back = matrix.talk(probe.asker.node, probe.header)
    if back is not None and _is_right(flow, probe, forward) and fits(probe.asker.node, probe.header, back):
        return FlowResult(True, "")
    packet = packet_of(probe.header)
    trace = trace_of(probe.asker.node, packet, forward, facts)
    who = f"{packet} from {probe.asker.node}"
    if forward.outcome == "unknown":
        return FlowResult(None, f"{who}: {forward.reason}", trace)
    if back is None and forward.reason.startswith(LOOP):
        return FlowResult(False, f"{LOOP} {who} goes round over {gone_round(forward)}", trace)
    if back is None:
        return FlowResult(False, f"{who} is dropped at {forward.end}: {forward.reason}", trace)
    if forward.end not in probe.ends:
        return FlowResult(False, f"{who} ends at {forward.end}, not at {' or '.join(sorted(probe.ends))}", trace)
    if probe.port is not None and forward.header.port != probe.port:
        return FlowResult(False, f"{who} arrives on port {forward.header.port}, the service has {probe.port}", trace)
    if past := _past_gateway(flow, forward):
        return FlowResult(False, f"{who} does not pass {flow.gateway}", trace_of(probe.asker.node, packet, past, facts))
    works = fits(probe.asker.node, probe.header, back)
    answer = trace_of(forward.end, packet_of(forward.header.reversed()), back, facts)
    reason = back.reason or f"it ends at {back.end} as {answer.packet}"
    return FlowResult(works, f"the answer to {who} does not come back: {reason} at {back.end}", answer)


def gone_round(way: Way) -> str:
    """The nodes between which a packet goes round, from the first by name on; "" when it does not."""
    if not way.reason.startswith(LOOP):
        return ""
    nodes = [mark.node for mark in way.marks]
    circle = list(dict.fromkeys(nodes[nodes.index(way.end) :]))
    first = circle.index(min(circle))
    return ", ".join(circle[first:] + circle[:first])


def _is_right(flow: Flow, probe: Probe, forward: Way) -> bool:
    port_fits = probe.port is None or forward.header.port == probe.port
    return forward.end in probe.ends and port_fits and _past_gateway(flow, forward) is None


def _past_gateway(flow: Flow, forward: Way) -> Way | None:
    """The way that does not pass the registered gateway, among equally good ones."""
    ways = forward.every if flow.gateway else ()
    return next((way for way in ways if all(mark.node != flow.gateway for mark in way.marks)), None)


def covered(flow: Flow, estate: Estate, source: str, end: str) -> bool:
    """True when the flow is registered from this node to this node."""
    if all(asker.node != source for asker in askers_of(flow.source, estate)):
        return False
    kind, _, name = flow.destination.partition(":")
    if kind == "host":
        return name == end
    return end in places_of(kind, name, estate)


def places_of(kind: str, name: str, estate: Estate) -> frozenset[str]:
    """Where a service or workload answers: running and standby copies alike."""
    rows = [row for row in estate.workloads.values() if row.state != "stopped"]
    if kind == "workload":
        return frozenset(row.place for row in rows if name in (row.system, f"{row.system}/{row.name}"))
    return frozenset(row.place for row in rows if name_of(row, estate) == name)
