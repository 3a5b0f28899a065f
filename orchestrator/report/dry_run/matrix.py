"""Zone by zone: which services one zone reaches in another."""

from dataclasses import dataclass

from orchestrator.forwarding.points import probe_points
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Policy
from orchestrator.proof import predict


@dataclass(frozen=True)
class Cell:
    """What one zone reaches in another: TCP ports, out of how many pairs of points."""

    ports: tuple[int, ...]
    open_pairs: int
    pairs: int
    unknown: int


@dataclass(frozen=True)
class Matrix:
    """Rows and columns are zones; a missing cell means no two points to ask about."""

    zones: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]


def zone_matrix(estate: Estate, policy: Policy) -> Matrix:
    """Predicted for every pair of probe points on every port a registered flow or workload uses."""
    ports = tuple(sorted({f.port for f in policy.flows if f.port} | {w.port for w in estate.workloads.values()}))
    points = probe_points(estate)
    predicted = predict(estate, points, ports)
    zone_of = {point.node: point.zone for point in points}
    zone_at = {str(point.address): point.zone for point in points}
    found: dict[tuple[str, str], dict[tuple[str, str], list[tuple[int, bool | None]]]] = {}
    for (source, destination, port), works in predicted.items():
        zones = zone_of[source], zone_at.get(destination, "")
        if zones[1]:
            found.setdefault(zones, {}).setdefault((source, destination), []).append((port, works))
    zones = tuple(sorted(set(zone_of.values())))
    return Matrix(zones, {key: _cell(pairs) for key, pairs in found.items()})


def _cell(pairs: dict[tuple[str, str], list[tuple[int, bool | None]]]) -> Cell:
    answers = [answer for pair in pairs.values() for answer in pair]
    return Cell(
        ports=tuple(sorted({port for port, works in answers if works})),
        open_pairs=sum(any(works for _, works in pair) for pair in pairs.values()),
        pairs=len(pairs),
        unknown=sum(works is None for _, works in answers),
    )
