"""Where routes stand: lines of the network's own routes, and of those that updates brought."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.network import NONE, Network
from orchestrator.forwarding.engine.tables import Compiled
from orchestrator.forwarding.engine.updates import Prefix, RemoveRoute, RouteUpdate


class RouteLines:
    """Lines by table and prefix, as indices into Network.lines."""

    def __init__(self, network: Network, compiled: Compiled) -> None:
        self._network, self._compiled = network, compiled
        self._made: dict[tuple[int, Prefix], int] = {}

    def now(self, table: int, prefix: Prefix) -> int:
        """The line of a route that is there now, or NONE."""
        found = self.made(table, prefix)
        return self.first(table, prefix) if found is None else found

    def made(self, table: int, prefix: Prefix) -> int | None:
        """The line that the last update for this prefix said; None when there was none."""
        return self._made.get((table, prefix))

    def brought(self, update: RouteUpdate) -> int | None:
        """A route has changed: the line that the last update for its prefix said, and this one says its own."""
        key = update.table, update.prefix
        said = self._made.get(key)
        if not isinstance(update, RemoveRoute):
            self._made[key] = update.line
        return said

    def put(self, table: int, prefix: Prefix, line: int | None) -> None:
        """An update says a line; None: as if no update had."""
        if line is None:
            self._made.pop((table, prefix), None)
        else:
            self._made[table, prefix] = line

    def first(self, table: int, prefix: Prefix) -> int:
        """The line of the network's own route, or NONE."""
        order, first = self._by_table
        rows = order[first[table] : first[table + 1]]
        start, stop = self._compiled.labels.interval(prefix)
        arrays = self._compiled.arrays
        here = rows[(arrays["route_low"][rows] == start) & (arrays["route_high"][rows] == stop)]
        return int(self._network.route_line[here[0]]) if len(here) else NONE

    @cached_property
    def _by_table(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of routes table by table, and where each table's begin among them."""
        table = self._network.routes.table
        counts = np.bincount(table, minlength=len(self._network.tables))
        return np.argsort(table, kind="stable"), np.concatenate([[0], np.cumsum(counts)])
