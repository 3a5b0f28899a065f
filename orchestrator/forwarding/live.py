"""The engine taken from state to state of one estate: it is handed the difference, as updates.

An engine is built anew only when the shape has grown: at the first sight of a table, a zone, a port or a translation.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, HopKind
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    Update,
)
from orchestrator.forwarding.lowering import Lowering
from orchestrator.forwarding.shape import Lowered, Made, Routes
from orchestrator.forwarding.world import World


class Moved(NamedTuple):
    """What a move changed: attachments whose answers did (None: perhaps any), and filters with other entries."""

    attachments: frozenset[int] | None
    filters: frozenset[int]


class Live:
    """One engine and the state of the estate that it holds at the moment."""

    def __init__(self, world: World, ahead: Iterable[World] = ()) -> None:
        """Build the engine of a first state, with room for what the states `ahead` have.

        Raises NetworkError when the arrays made of it are not sound.
        """
        self.lowering = Lowering()
        self.updates = 0
        self.builds = 0
        self.entries: dict[int, tuple[Entry, ...]] = {}
        for later in ahead:
            self.lowering.of(later)
        self.state = self.lowering.of(world)
        self.engine = self._built()

    def move(self, world: World) -> Moved:
        """Take the engine to another state."""
        before, self.state = self.state, self.lowering.of(world)
        shape = self.lowering.shape
        if shape.version != self._version:
            self.engine = self._built()
            return Moved(None, frozenset())
        generation, found, filters = self.engine.generation, set[int](), set[int]()
        for update in self._difference(before):
            change = self.engine.apply(update)
            self.updates += 1
            found.update(change.records["attachment"].tolist())
            if change.filter != NONE:
                filters.add(change.filter)
        if self.engine.generation != generation:  # it built itself anew: its nodes have other numbers
            return Moved(None, frozenset())
        return Moved(frozenset(found), frozenset(filters))

    def _built(self) -> Engine:
        self.builds += 1
        shape = self.lowering.shape
        self._version, self._lines = shape.version, len(shape.lines)
        self.entries = dict(self.state.entries)  # of the engine: a filter out of use keeps those it had
        network = shape.network(self.state)
        self.zones = {name: number for number, name in enumerate(network.zone_names)}
        return Engine(network)

    def _difference(self, before: Lowered) -> Iterator[Update]:
        """The updates from the state before to the present one."""
        now = self.state
        for table in before.routes.keys() | now.routes.keys():
            old, new = before.routes.get(table, {}), now.routes.get(table, {})
            if old is not new:
                yield from self._routes(table, old, new)
        for number, entries in now.entries.items():
            known = self.entries.get(number, ())
            if known is not entries:
                self.entries[number] = entries
                yield from self._entries(number, known, entries)

    def _routes(self, table: int, old: Routes, new: Routes) -> Iterator[Update]:
        for prefix in old.keys() - new.keys():
            yield RemoveRoute(table, prefix)
        for prefix, route in new.items():
            known = old.get(prefix)
            if known is None:
                yield AddRoute(table, prefix, self._hops(route), self._line(route.line))
            elif known.hops != route.hops:
                yield ReplaceRoute(table, prefix, self._hops(route), self._line(route.line))

    def _hops(self, route: Made) -> tuple[Hop, ...]:
        return tuple(
            Hop(hop.kind, self._line(hop.target)) if hop.kind in (HopKind.DROP, HopKind.UNKNOWN) else hop
            for hop in route.hops
        )

    def _line(self, line: int) -> int:
        """A line as the engine knows it: those met since it was built have no number in it."""
        return line if line < self._lines else NONE

    def _entries(self, number: int, old: tuple[Entry, ...], new: tuple[Entry, ...]) -> Iterator[Update]:
        """One list of entries made the other: what they begin and end with in common stays."""
        shorter, first, behind = min(len(old), len(new)), 0, 0
        while first < shorter and old[first] == new[first]:
            first += 1
        while behind < shorter - first and old[-1 - behind] == new[-1 - behind]:
            behind += 1
        for position in range(first, shorter - behind):
            yield ReplaceEntry(number, position, self._entry(new[position]))
        for _time in range(len(old) - len(new)):
            yield RemoveEntry(number, shorter - behind)
        for position in range(shorter - behind, len(new) - behind):
            yield InsertEntry(number, position, self._entry(new[position]))

    def _entry(self, entry: Entry) -> Entry:
        return entry._replace(line=self._line(entry.line))
