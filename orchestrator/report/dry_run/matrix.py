"""Zone by zone: which services one zone reaches in another."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from orchestrator.forwarding.points import Point, leads_to, probe_points
from orchestrator.forwarding.predict import predict
from orchestrator.forwarding.world import UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Policy


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


def zone_matrix(estate: Estate, policy: Policy, unparsed: Iterable[UnparsedLine] = ()) -> Matrix:
    """Predicted for every pair of probe points on every port a registered flow or workload uses.

    What a configuration line that nobody could read may change is unknown.
    """
    ports = tuple(sorted({f.port for f in policy.flows if f.port} | {w.port for w in estate.workloads.values()}))
    points = probe_points(estate)
    predicted = predict(estate, points, ports, unparsed)
    zone_of = {point.node: point.zone for point in points}
    zones_at = _zones_at(estate, points, {destination for _, destination, _ in predicted})
    found: dict[tuple[str, str], dict[tuple[str, str], list[tuple[int, bool | None]]]] = {}
    for (source, destination, port), works in predicted.items():
        own = zone_of[source]
        candidates = zones_at.get(destination, frozenset())
        # an address used in several zones is, for somebody inside one of them, the one of that zone
        for zone in {own} if own in candidates else candidates:
            found.setdefault((own, zone), {}).setdefault((source, destination), []).append((port, works))
    zones = tuple(sorted(set(zone_of.values())))
    return Matrix(zones, {key: _cell(pairs) for key, pairs in found.items()})


def _zones_at(estate: Estate, points: Iterable[Point], addresses: Iterable[str]) -> dict[str, frozenset[str]]:
    """The zones in which an address stands, published and translated addresses by what they lead to."""
    real: dict[int, set[str]] = {}
    for point in points:
        real.setdefault(int(point.address), set()).add(point.zone)
    found = {}
    for text in addresses:
        ends = leads_to(estate, int(IPv4Address(text))) | {int(IPv4Address(text))}
        found[text] = frozenset(zone for end in ends for zone in real.get(end, ()))
    return found


def _cell(pairs: dict[tuple[str, str], list[tuple[int, bool | None]]]) -> Cell:
    answers = [answer for pair in pairs.values() for answer in pair]
    return Cell(
        ports=tuple(sorted({port for port, works in answers if works})),
        open_pairs=sum(any(works for _, works in pair) for pair in pairs.values()),
        pairs=len(pairs),
        unknown=sum(works is None for _, works in answers),
    )
