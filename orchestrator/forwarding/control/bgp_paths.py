"""BGP paths and which of them is best (RFC 4271, 9.1; RFC 4456, 9; VPN paths as in RFC 4364)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Literal, NamedTuple

from orchestrator.forwarding.control.design import Address, Bgp, Prefix
from orchestrator.forwarding.control.tables import Place

Key = tuple[str, Prefix]
"""(route distinguisher, prefix); the distinguisher of plain unicast is empty."""
IGP, INCOMPLETE = 0, 2


class Path(NamedTuple):
    """One path. `next_hop` None is the router itself; `exporter` is the VRF table whose label a VPN path carries."""

    prefix: Prefix
    learned: Literal["local", "external", "internal", "vpn"]
    next_hop: Address | None = None
    as_path: tuple[int, ...] = ()
    local_preference: int = 100
    med: int = 0
    origin: int = IGP
    communities: frozenset[str] = frozenset()
    distinguisher: str = ""
    targets: frozenset[str] = frozenset()
    exporter: Place | None = None
    peer: Address | None = None
    peer_identifier: int = 0
    from_client: bool = False
    originator: int | None = None
    clusters: tuple[int, ...] = ()
    tag: int = 0
    line: str = ""

    @property
    def key(self) -> Key:
        """Where the path stands in its instance."""
        return self.distinguisher, self.prefix


Distance = Callable[[Path], int | None]
"""The IGP's cost to a path's next hop; None when it cannot be reached."""


def choose(paths: Iterable[Path], told: Bgp, distance: Distance) -> tuple[Path, ...]:
    """Return the best path and those that share the load with it, best first; empty when none is usable.

    MED is compared among paths of one neighbouring AS before the groups are compared with each other, so that the
    order of arrival does not matter (RFC 4271, 9.1.2.2 c; "deterministic MED").
    """
    costs = {path: cost for path in paths if (cost := distance(path)) is not None}
    if not costs:
        return ()

    def compare(one: Path, other: Path) -> int:
        return _compare(one, other, told, costs)

    order = cmp_to_key(compare)
    groups: dict[int | None, list[Path]] = {}
    for path in costs:
        groups.setdefault(path.as_path[0] if path.as_path else None, []).append(path)
    best = min((min(group, key=order) for group in groups.values()), key=order)
    return best, *_sharing(best, sorted(costs, key=order), told, costs)


def as_good(best: Path, paths: Iterable[Path], told: Bgp, distance: Distance) -> list[Path]:
    """Return the other paths that nothing tells from the best one."""
    costs = {path: cost for path in (best, *paths) if (cost := distance(path)) is not None}
    return [path for path in costs if path != best and best in costs and not _compare(best, path, told, costs)]


def _compare(one: Path, other: Path, told: Bgp, costs: dict[Path, int]) -> int:
    """Return below zero when `one` is better."""
    before, after = _preference(one), _preference(other)
    if before == after and one.med != other.med and (told.always_compare_med or one.as_path[:1] == other.as_path[:1]):
        return one.med - other.med
    first = (before, one.learned not in {"external"}, costs[one], *_tie(one))
    second = (after, other.learned not in {"external"}, costs[other], *_tie(other))
    return (first > second) - (first < second)


def _preference(path: Path) -> tuple[bool, int, int, int]:
    """Own routes, local preference, length of the AS path, origin (RFC 4271, 9.1.1 and 9.1.2.2 a-b)."""
    return path.learned != "local", -path.local_preference, len(path.as_path), path.origin


def _tie(path: Path) -> tuple[int, int, int]:
    """Router identifier (the originator's when reflected), length of the cluster list, neighbour address."""
    identifier = path.peer_identifier if path.originator is None else path.originator
    return identifier, len(path.clusters), int(path.peer) if path.peer is not None else 0


def _sharing(best: Path, ordered: list[Path], told: Bgp, costs: dict[Path, int]) -> tuple[Path, ...]:
    """Return the other paths that are equal up to the IGP's cost, as many as the instance may use: lowest next hops."""
    most = told.external_paths if best.learned == "external" else told.internal_paths
    if best.learned == "local":
        return ()
    equal = [path for path in ordered if path != best and _equal(best, path, told, costs)]
    return tuple(sorted(equal, key=_next_hop)[: most - 1])


def _next_hop(path: Path) -> int:
    return -1 if path.next_hop is None else int(path.next_hop)


def _equal(best: Path, path: Path, told: Bgp, costs: dict[Path, int]) -> bool:
    same = (_preference(path), path.learned, costs[path]) == (_preference(best), best.learned, costs[best])
    neighbouring = path.as_path[:1] == best.as_path[:1]
    med = path.med == best.med or not (told.always_compare_med or neighbouring)
    return same and med and (neighbouring if best.learned == "external" else path.as_path == best.as_path)
