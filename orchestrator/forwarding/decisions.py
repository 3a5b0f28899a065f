"""What the engine says of every point and every address: where each class of packets ends.

Asked again is only what an update can have changed: cells whose node in the engine's graph of decisions is another one,
and cells behind whose node a filter has other entries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.ends import Flow, Graph, by_class, ports_of
from orchestrator.forwarding.live import Live, Moved

Cell = tuple[str, int]
"""(source node, destination address)."""

Answer = tuple[str, ...]
"""One for each class of ports: the zone that receives it, or DROPPED, LOOPS, UNKNOWN of ends.py."""


class Asked(NamedTuple):
    """The cells of one state: addresses by source node, and the destinations of them all."""

    sources: Mapping[str, int]
    destinations: tuple[int, ...]


class _Column(NamedTuple):
    """One source as last looked at: the nodes of its destinations, in their order."""

    address: int
    attachment: int
    destinations: tuple[int, ...]
    nodes: list[int]


class Decisions:
    """Every cell not all of whose packets are dropped, kept up to date with a `Live`. `ports`: (protocol, port)."""

    def __init__(self, live: Live, ports: Sequence[tuple[str, int]]) -> None:
        self.live = live
        self.ports = ports_of(ports)
        self.cells: dict[Cell, Answer] = {}
        self.decided = 0
        self._columns: dict[str, _Column] = {}
        self._forget()

    def _forget(self) -> None:
        """Another engine: nodes and labels have other numbers."""
        names = self.live.engine.base.zone_names
        zones = self.live.engine.attachments.zone.tolist()
        self._attachment = {names[zone]: number for number, zone in enumerate(zones)}
        self.graph = Graph(self.live)
        self._labels: tuple[tuple[int, ...], NDArray[np.int64]] = ((), np.zeros(0, np.int64))
        self._columns = {name: column._replace(attachment=-1) for name, column in self._columns.items()}

    def move(self, asked: Asked, moved: Moved) -> frozenset[Cell]:
        """Look at the state the engine holds now; the cells that were decided again or are gone."""
        if moved.attachments is None:
            self._forget()
        self.graph.refresh()
        touched = set(self._gone(asked))
        for cell in touched:
            self.cells.pop(cell, None)
        for name, address in asked.sources.items():
            if self._stands(self._columns.get(name), address, asked.destinations, moved):
                continue
            for destination, node in self._open(name, address, asked.destinations, moved):
                touched.add((name, destination))
                self._decide(name, address, destination, node)
        return frozenset(touched)

    @staticmethod
    def _stands(known: _Column | None, address: int, destinations: tuple[int, ...], moved: Moved) -> bool:
        """Whether nothing can have changed for a source."""
        return (
            known is not None
            and moved.attachments is not None
            and not moved.filters
            and known.address == address
            and known.destinations is destinations
            and known.attachment not in moved.attachments
        )

    def _gone(self, asked: Asked) -> Iterator[Cell]:
        """Cells that are asked no more."""
        for name, column in list(self._columns.items()):
            if name not in asked.sources:
                del self._columns[name]
                yield from ((name, destination) for destination in column.destinations)
            elif column.destinations is not asked.destinations:
                gone = set(column.destinations) - set(asked.destinations)
                yield from ((name, destination) for destination in gone)

    def _open(self, name: str, address: int, destinations: tuple[int, ...], moved: Moved) -> Iterator[tuple[int, int]]:
        """(destination, node) of one source's cells that may have another answer than before."""
        self.cells.pop((name, address), None)  # nobody is asked what reaches himself
        known = self._columns.get(name)
        attachment = self._attachment[self.live.lowering.zone(name) or ""]
        if known is not None and (known.address, known.attachment) != (address, attachment):
            known = None
        if known is not None and known.destinations is destinations and attachment not in (moved.attachments or ()):
            nodes = known.nodes
            before: Iterable[int | None] = nodes
            if not moved.filters:
                return
        else:
            nodes = self._nodes(attachment, destinations)
            before = _nodes_before(known, destinations)
            self._columns[name] = _Column(address, attachment, destinations, nodes)
        met = {node for node in set(nodes) if self._meets(node, moved.filters)} if moved.filters else frozenset()
        for destination, node, last in zip(destinations, nodes, before, strict=True):
            if (node != last or node in met) and destination != address:
                yield destination, node

    def _meets(self, node: int, filters: frozenset[int]) -> bool:
        return not filters.isdisjoint(self.graph.filters_below(node))

    def _nodes(self, attachment: int, destinations: tuple[int, ...]) -> list[int]:
        if self._labels[0] is not destinations:
            labels = [self.live.engine.labels.of(4, address) for address in destinations]
            self._labels = destinations, np.array(labels, np.int64)
        start, node = self.live.engine.segments(attachment)
        found: list[int] = node[np.searchsorted(start, self._labels[1], "right") - 1].tolist()
        return found

    def _decide(self, name: str, address: int, destination: int, node: int) -> None:
        self.decided += 1
        flow = Flow(address, destination, self.ports, (1 << len(self.ports)) - 1)
        answer = by_class(self.graph.ends(node, flow), len(self.ports))
        if any(answer):
            self.cells[(name, destination)] = answer
        else:
            self.cells.pop((name, destination), None)


def _nodes_before(known: _Column | None, destinations: tuple[int, ...]) -> Iterable[int | None]:
    """The node of each destination when the source was last looked at; None for one that was not asked."""
    if known is None:
        return repeat(None, len(destinations))
    if known.destinations is destinations:
        return known.nodes
    return map(dict(zip(known.destinations, known.nodes, strict=True)).get, destinations)
