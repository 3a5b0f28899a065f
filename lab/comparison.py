"""Predicted against observed: every pair of probe points, every probe port, the simulator's answer and a real one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.openstack.node import wait_servers
from lab.probe import Request, Result, observe
from lab.services import PROBE_PORTS
from orchestrator.forwarding.points import Point, probe_points
from orchestrator.forwarding.predict import predict
from orchestrator.forwarding.simulator import Simulator
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Packet

LATE = 5.0
"""Seconds for a connection that should have been answered at once: a first SYN and its repetitions after 1 and 3 s."""


@dataclass(frozen=True)
class Difference:
    """One packet that did otherwise than predicted."""

    request: Request
    predicted: bool
    observed: Result
    by: str = ""  # who should have answered, where somebody else did

    def __str__(self) -> str:
        asked = f"{self.request.source} -> {self.request.destination}:{self.request.port}"
        want = f"answered{f' by {self.by}' if self.by else ''}" if self.predicted else "blocked"
        return f"{asked}: predicted {want}, observed {self.observed.error or self.observed.reply or 'connected'}"


@dataclass(frozen=True)
class Comparison:
    """How many packets were predicted and observed, how many of them were answered, and which differ.

    `asked_again`: how many of the answers were late at first and asked for once more.
    """

    packets: int
    answered: int
    unknown: int
    differences: tuple[Difference, ...]
    asked_again: int = 0

    @property
    def equal(self) -> bool:
        """Whether all agree, with some answered and some blocked: on a dead network every "blocked" fits."""
        return not self.differences and 0 < self.answered < self.packets


def compare(estate: Estate, points: Iterable[Point] | None = None, ports: Iterable[int] = PROBE_PORTS) -> Comparison:
    """Predict and observe every pair of points (all hosts and servers by default) on every port.

    A prediction of "unknown" is counted and not judged. Raises LabError when a probe could not run.
    """
    predicted = predict(estate, probe_points(estate) if points is None else points, ports)
    wanted = {Request(node, IPv4Address(address), port): answer for (node, address, port), answer in predicted.items()}
    if estate.servers:
        wait_servers(server.name for server in estate.servers.values())
    results, late = _again_if_late(observe(wanted), wanted)
    ends = _ends(estate, results)
    differ = tuple(filter(None, (_judge(result, wanted[result.request], ends) for result in results)))
    unknown = sum(answer is None for answer in wanted.values())
    return Comparison(len(results), sum(result.connected for result in results), unknown, differ, late)


def _again_if_late(results: list[Result], wanted: Mapping[Request, bool | None]) -> tuple[list[Result], int]:
    """Ask once more, by themselves and for longer, for answers that should have come and did not come in time.

    A busy machine loses packets of a thousand connections begun at once; a filter or a missing route loses them again.
    What should be blocked is asked once: a second chance could only hide that it was let through.
    """
    late = [one.request for one in results if wanted[one.request] and one.error == "timeout"]
    second = {one.request: one for one in observe(late, LATE)} if late else {}
    return [second.get(one.request, one) for one in results], len(late)


def _judge(result: Result, want: bool | None, ends: dict[Request, str]) -> Difference | None:
    if want is None:
        return None
    if want != result.connected:
        return Difference(result.request, want, result)
    by = ends.get(result.request, "")
    # two sites use the same addresses: an answer must come from the right one of them
    return Difference(result.request, want, result, by) if by and result.answered_by != by else None


def _ends(estate: Estate, results: list[Result]) -> dict[Request, str]:
    """Return who should have answered each connection in which the answer names somebody."""
    simulator = Simulator(estate)
    addresses = {point.node: str(point.address) for point in probe_points(estate)}
    found: dict[Request, str] = {}
    for result in results:
        asked = result.request
        if result.answered_by and asked.source in addresses:
            packet = Packet(
                source=addresses[asked.source],
                destination=str(asked.destination),
                protocol="tcp",
                destination_port=asked.port,
            )
            found[asked] = simulator.trace(asked.source, packet).end.rpartition("/")[2]
    return found
