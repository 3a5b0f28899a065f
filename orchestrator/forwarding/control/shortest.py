"""Shortest paths with every equal-cost first hop (Dijkstra 1959; RFC 2328, 16.1; ISO 10589, C.2)."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator.forwarding.control.tables import Hop

Node = tuple[str, ...]
"""A router's table ("router", "vrf") or a segment ("segment",)."""


class Edge(NamedTuple):
    """A directed edge. `hop` is how its near end sends over it; an edge into a segment leaves the gateway open."""

    to: Node
    cost: int
    hop: Hop


class Reached(NamedTuple):
    """How far a node is, and by which first hops."""

    cost: int
    hops: frozenset[Hop]


def is_segment(node: Node) -> bool:
    """Return whether the node is a segment (a pseudonode)."""
    return len(node) == 1


def shortest(graph: Mapping[Node, Sequence[Edge]], root: Node) -> dict[Node, Reached]:
    """Return every node that can be reached from `root`, itself included, with all equal-cost first hops.

    Costs into routers must be positive; edges out of segments cost 0. Segments settle before routers of the same cost,
    so that no equal-cost hop is missed. O(E log E).
    """
    found: dict[Node, Reached] = {root: Reached(0, frozenset())}
    settled: set[Node] = set()
    queue: list[tuple[int, bool, Node]] = [(0, True, root)]
    while queue:
        cost, _, node = heapq.heappop(queue)
        if node in settled:
            continue
        settled.add(node)
        for edge in graph.get(node, ()):
            if edge.to in settled:
                continue
            new = Reached(cost + edge.cost, _first(root, node, found[node].hops, edge))
            known = found.get(edge.to)
            if known is not None and known.cost == new.cost:
                found[edge.to] = Reached(new.cost, known.hops | new.hops)
            elif known is None or new.cost < known.cost:
                found[edge.to] = new
                heapq.heappush(queue, (new.cost, not is_segment(edge.to), edge.to))
    return found


def _first(root: Node, node: Node, hops: frozenset[Hop], edge: Edge) -> frozenset[Hop]:
    if node == root:
        return frozenset((edge.hop,))
    if is_segment(node) and any(hop.neighbour is None for hop in hops):
        # the root stands on this segment itself: the hop that the segment left open is the router it leads to
        own = frozenset(
            Hop(hop.interface, edge.hop.gateway, edge.hop.neighbour) for hop in hops if hop.neighbour is None
        )
        return own | frozenset(hop for hop in hops if hop.neighbour is not None)
    return hops
