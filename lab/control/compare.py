"""One random design, computed and run: tables against installed tables, packets against observed packets."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address
from itertools import count, islice
from typing import NamedTuple

from lab.control import gates
from lab.control import network as running
from lab.control.corners import CORNERS
from lab.control.packets import PROTOCOLS, Probe, Seen, observe
from lab.control.topologies import Topology, draw
from lab.control.world import World
from orchestrator.forwarding.control.arrays import plumb
from orchestrator.forwarding.control.bgp import Chosen
from orchestrator.forwarding.control.compute import Result, compute
from orchestrator.forwarding.control.design import DEFAULT_VRF, Design, Prefix
from orchestrator.forwarding.control.tables import Place
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.trail import End, Ending, answer_to

SERVICES = (
    ("udp", 53),
    ("udp", 80),
    ("udp", 443),
    ("udp", 1500),
    ("tcp", 80),
    ("tcp", 443),
    ("tcp", 5000),
    ("icmp", 2048),
)
SPECIAL = ("10.200.0.1", "10.200.7.10", "10.200.0.9", "10.201.0.1", "203.0.113.1", "198.51.100.1", "192.0.2.1")
SETTLE = 25.0
"""Seconds in which the routers must come to the computed tables; most do within 8."""


STARTS = 3
"""isisd 8.4 keeps a stale next hop now and then, and routers on a busy machine lose neighbours, given up after 4 s of
silence here; what is computed wrongly differs in every start."""


class Compared(NamedTuple):
    """What one design showed: how much was compared, and every difference as a line."""

    seed: int
    kind: str
    routes: int
    flows: int
    delivered: int
    answers: int
    differences: tuple[str, ...]
    starts: int = 1  # how often its routers were started before nothing differed, or STARTS


class Case(NamedTuple):
    """A packet, and every end that it may come to."""

    probe: Probe
    ends: frozenset[End]


def certain(seeds: Iterable[int]) -> Iterator[tuple[Topology, Result]]:
    """Yield the designs of the seeds whose tables do not depend on the order of events, one after the other."""
    for seed in seeds:
        topology = draw(seed)
        result = compute(topology.design)
        if result.certain:
            yield topology, result


def compare(topology: Topology, result: Result, settle: float = SETTLE) -> Compared:
    """Run a design and compare everything; raise LabError when a part of it cannot be run."""
    wanted = {place: running.predicted(table) for place, table in result.tables.items()}
    routes = sum(len(table) for table in wanted.values())
    kind = "isis" if any(router.isis for router in topology.design.routers) else "ospf"
    with World() as world:
        running.start(world, topology.design, topology.hosts, {one.router: gates.text(one) for one in topology.gates})
        left = running.settle(world, topology.design, wanted, settle)
        if left:
            return Compared(
                topology.seed, kind, routes, 0, 0, 0, tuple(f"seed {topology.seed}: {line}" for line in left)
            )
        sent, delivered, answers, differing = packets(world, topology, result)
    return Compared(
        topology.seed,
        kind,
        routes,
        sent,
        delivered,
        answers,
        tuple(f"seed {topology.seed}: {line}" for line in differing),
    )


def corner(name: str, settle: float = SETTLE) -> list[str]:
    """Run a design by hand and return every difference: tables, and what VRFs hear from the VPN.

    Where something differs it is started anew, up to STARTS times; the last differences count.
    """
    for _ in range(STARTS):
        found = _corner(name, settle)
        if not found:
            break
    return found


def _corner(name: str, settle: float) -> list[str]:
    design = CORNERS[name]()
    result = compute(design)
    wanted = {place: running.predicted(table) for place, table in result.tables.items()}
    heard = {place: _heard(paths) for place, paths in result.bgp.items() if place[1] != DEFAULT_VRF}
    with World() as world:
        running.start(world, design)
        end = time.monotonic() + settle
        left = [*result.doubts, *running.settle(world, design, wanted, settle)]
        while (differing := _vpn(world, design, heard)) and time.monotonic() < end:
            time.sleep(0.5)
    return [f"{name}: {line}" for line in (*left, *differing)]


def _heard(paths: Chosen) -> dict[Prefix, str]:
    found = {}
    for (_, prefix), (best, *_) in paths.items():
        if best.learned == "vpn" and best.exporter is not None:
            found[prefix] = best.exporter[1] if best.next_hop is None else str(best.next_hop)
    return found


def _vpn(world: World, design: Design, heard: dict[Place, dict[Prefix, str]]) -> list[str]:
    lines = []
    for router in design.routers:
        if any(vrf.route_distinguisher for vrf in router.vrfs):
            wanted = {(vrf, prefix): other for (name, vrf), rows in heard.items() if name == router.name
                      for prefix, other in rows.items()}  # fmt: skip
            found = running.imported(world, router)
            lines += [f"{router.name} VRF {vrf} {prefix}: heard from {found.get((vrf, prefix))}, computed "
                      f"{wanted.get((vrf, prefix))}" for vrf, prefix in sorted({*found, *wanted}, key=str)
                      if found.get((vrf, prefix)) != wanted.get((vrf, prefix))]  # fmt: skip
    return lines


def arrays(topology: Topology, result: Result) -> Network:
    """Return the design as the engine's arrays, gates included."""
    plumbing = plumb(topology.design, result, topology.zones)
    for gate in topology.gates:
        gates.install(plumbing, gate)
    return plumbing.builder.build()


def walker(topology: Topology, result: Result) -> tuple[Plain, tuple[str, ...]]:
    """Return the plain walker over the design's arrays, and the names of its zones."""
    network = arrays(topology, result)
    return Plain(network), network.zone_names


def _held(topology: Topology, result: Result, cases: list[Case], seen: list[list[Seen]]) -> Iterator[str]:
    """The engine's exact matrix must hold each packet for just the zones that it was predicted, and seen, to reach."""
    network = arrays(topology, result)
    zones = network.zone_names
    matrix = Engine(network).reach()
    sets = {near: [matrix.packets(at, other) for other in range(len(zones))] for at, near in enumerate(zones)}
    for case, found in zip(cases, seen, strict=True):
        held = {
            zone for zone, packets in zip(zones, sets[case.probe.host], strict=True) if packets.holds(case.probe.packet)
        }
        predicted = {zones[end.zone] for end in case.ends if _delivers(end)}
        real = {one.host for one in found}
        if held != predicted or not real <= held:
            ends = f"the matrix says {sorted(held)}, the walk {sorted(predicted)}, seen {sorted(real)}"
            yield f"{_said(case.probe)}: {ends}"


def flows(topology: Topology) -> Iterator[Probe]:
    """Yield packets of every host to every other, to addresses that are translated, dropped or nobody's."""
    ports = count(10000)
    specials = [IPv4Address(text) for text in SPECIAL]
    for host in topology.hosts:
        for own in host.addresses:
            others = [there.ip for other in topology.hosts if other is not host for there in other.addresses]
            for to in [one for one in (*others, *specials) if one.version == own.version]:
                for protocol, port in SERVICES:
                    number = PROTOCOLS[protocol]
                    if (protocol, own.version) == ("icmp", 6):
                        number, port = PROTOCOLS["icmp6"], 128 * 256  # an echo request by its type
                    yield Probe(host.name, Packet(own.version, int(own.ip), int(to), number, next(ports), port))


def packets(world: World, topology: Topology, result: Result) -> tuple[int, int, int, list[str]]:
    """Send all packets and their answers; return how many were sent, arrived and answered, and the differences."""
    plain, zones = walker(topology, result)
    cases = [Case(probe, plain.ends(zones.index(probe.host), probe.packet)) for probe in flows(topology)]
    seen = _observed(world, topology, cases)
    lines = [line for case, found in zip(cases, seen, strict=True) for line in _judge(case, found, zones)]
    lines += _held(topology, result, cases, seen)
    answers = list(_answers(plain, zones, cases, seen))
    returned = _observed(world, topology, answers)
    lines += [line for case, found in zip(answers, returned, strict=True) for line in _judge(case, found, zones)]
    return len(cases), sum(map(bool, seen)), len(answers), lines


def _observed(world: World, topology: Topology, cases: list[Case]) -> list[list[Seen]]:
    """Send every packet; what should have arrived for certain and did not is sent once more, for a lost one."""
    hosts = [host.name for host in topology.hosts]
    seen = observe(world, [case.probe for case in cases], hosts)
    lost = [
        at for at, case in enumerate(cases) if not seen[at] and all(_delivers(end) for end in case.ends) and case.ends
    ]
    if lost:
        again = observe(world, [cases[at].probe for at in lost], hosts)
        for at, found in zip(lost, again, strict=True):
            seen[at] = found
    return seen


def _answers(plain: Plain, zones: tuple[str, ...], cases: list[Case], seen: list[list[Seen]]) -> Iterator[Case]:
    """Yield the answer to every datagram that arrived, with its ends by what the devices on its way remember.

    What a router turns back to where it came from is left out: its answer never leaves the host.
    """
    for case, found in zip(cases, seen, strict=True):
        if case.probe.packet.protocol != PROTOCOLS["udp"] or len(found) != 1 or found[0].host == case.probe.host:
            continue
        answer = answer_to(found[0].packet)
        if answer is None:
            continue
        place = zones.index(found[0].host)
        trails = plain.trails(zones.index(case.probe.host), case.probe.packet)
        ends = frozenset(
            end for trail in trails
            if _delivers(trail.end) and _same(trail.end, found[0], zones)
            if (back := answer_to(trail.end.packet)) is not None
            for end in plain.ends(place, back, trail.memories)
        )  # fmt: skip
        yield Case(Probe(found[0].host, answer), ends)


def _judge(case: Case, found: list[Seen], zones: tuple[str, ...]) -> Iterator[str]:
    delivered = [end for end in case.ends if _delivers(end)]
    if any(end.ending == Ending.UNKNOWN for end in case.ends):
        yield f"{_said(case.probe)}: the prediction is unknown, though everything here is modelled"
    for one in found:
        if not any(_same(end, one, zones) for end in delivered):
            yield f"{_said(case.probe)}: seen as {_said(Probe(*one))}, predicted {_ends(case, zones)}"
    if not found and case.ends and len(delivered) == len(case.ends):
        yield f"{_said(case.probe)}: not seen anywhere, predicted {_ends(case, zones)}"


def _delivers(end: End) -> bool:
    return end.ending == Ending.DELIVERED


def _same(end: End, seen: Seen, zones: tuple[str, ...]) -> bool:
    """Source ports may be changed by a translation of many to one; everything else must agree."""
    ours = end.packet._replace(source_port=0, established=False)
    return zones[end.zone] == seen.host and ours == seen.packet._replace(source_port=0, established=False)


def _said(probe: Probe) -> str:
    packet = probe.packet
    kind = IPv4Address if packet.family == 4 else IPv6Address
    ends = f"{kind(packet.source)}:{packet.source_port} to {kind(packet.destination)}:{packet.destination_port}"
    return f"{probe.host} protocol {packet.protocol} {ends}{' (answer)' if packet.established else ''}"


def _ends(case: Case, zones: tuple[str, ...]) -> str:
    said = {
        _said(Probe(zones[end.zone], end.packet)) if _delivers(end) else f"{end.ending.name} {end.reason}"
        for end in case.ends
    }
    return "; ".join(sorted(said)) or "nothing"


def steadily(topology: Topology, result: Result) -> Compared:
    """Compare, and where something differs start anew, up to STARTS times; the last differences count."""
    for starts in range(1, STARTS + 1):
        found = compare(topology, result)._replace(starts=starts)
        if not found.differences:
            break
    return found


def several(first: int, wanted: int, side_by_side: int = 3) -> Iterator[Compared]:
    """Compare `wanted` designs from seed `first` on, some side by side: most of the time is spent on waiting."""
    with ThreadPoolExecutor(side_by_side) as workers:
        yield from workers.map(lambda pair: steadily(*pair), islice(certain(count(first)), wanted))


def main() -> int:
    """``python -m lab.control.compare FIRST_SEED DESIGNS``: compare by hand; 0 when nothing differs."""
    total = 0
    for one in several(int(sys.argv[1]), int(sys.argv[2])):
        figures = f"{one.routes} routes, {one.flows} packets, {one.delivered} delivered, {one.answers} answers"
        print(
            f"seed {one.seed} ({one.kind}): {figures}, {len(one.differences)} differences, {one.starts} starts",
            flush=True,
        )
        for line in one.differences[:20]:
            print(f"  {line}", flush=True)
        total += len(one.differences)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
