"""The rows that steps change: what each may hold in any reachable state, and the widest and narrowest network of all.

While steps are *open* (done, not done, or in their middle), a row has several possible values. The envelope gives the
engine one network that stands for all of them:

- a route: all its possible next hops side by side, as if they were equal-cost paths. Isolation asks whether any path
  may pass, continuity whether all of them do: so a promise kept with them side by side is kept with each of them. Where
  the route may be absent, the next hops of the covering routes stand in;
- a filter entry that may be there: for isolation permits are there and denies are not, for continuity the other way;
- a port that may be down: up for isolation, down for continuity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.errors import PlanError
from orchestrator.forwarding.engine.network import Action, HopKind
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    Hop,
    InsertEntry,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceRoute,
    Update,
)
from orchestrator.proof.reachable_base import Base, Hops

DROPPED: Hops = (Hop(HopKind.DROP),)


class Unit(NamedTuple):
    """What moves by itself: lines of step `step`; it goes through the values 0 .. `top`, or is in between unseen.

    An atomic step is one unit of top 1, a step of m lines applied one by one is one unit of top m, a converging step of
    m lines is m units of top 1.
    """

    number: int
    step: int
    top: int


Fixed = Mapping[int, int]
"""Unit number -> value, for units whose value is decided; the others are open."""


class Condition(NamedTuple):
    """Holds from the moment `unit` has reached `value`."""

    unit: Unit
    value: int

    def holds(self, fixed: Fixed) -> bool | None:
        """True, False, or None while the unit is open."""
        value = fixed.get(self.unit.number)
        return None if value is None else value >= self.value


@dataclass
class RouteRow:
    """One prefix of one table. `edits`: from which moment on it has which next hops (None: no such route)."""

    table: int
    prefix: Prefix
    before: Hops | None
    edits: list[tuple[Condition, Hops | None]] = field(default_factory=list)
    line: int = -1

    def options(self, fixed: Fixed) -> list[Hops | None]:
        """Every value it may have."""
        unit = self.edits[0][0].unit
        value = fixed.get(unit.number)
        levels = range(unit.top + 1) if value is None else (value,)
        return list(dict.fromkeys(self._at(level) for level in levels))

    def _at(self, level: int) -> Hops | None:
        value = self.before
        for condition, hops in self.edits:
            if condition.value <= level:
                value = hops
        return value


@dataclass(eq=False)
class Item:
    """An entry that comes or goes: there from `since` on (None: from the beginning), until `until`.

    `at`: it is the base's entry of that position, or (`new`) stands before it.
    """

    entry: Entry
    at: int
    new: bool
    since: Condition | None = None
    until: Condition | None = None
    present: bool = False  # whether the engine has it now

    def of(self, step: int) -> bool:
        """Whether this step put it there or takes it away."""
        return any(condition is not None and condition.unit.step == step for condition in (self.since, self.until))

    def there(self, fixed: Fixed) -> bool | None:
        """True, False, or None when it may be there."""
        began = True if self.since is None else self.since.holds(fixed)
        ended = False if self.until is None else self.until.holds(fixed)
        if began is False or ended is True:
            return False
        return True if began and ended is False else None

    def wanted(self, fixed: Fixed, *, wide: bool) -> bool:
        """Whether it is there in the widest or in the narrowest filter."""
        there = self.there(fixed)
        if there is not None:
            return there
        return self.entry.action == Action.UNKNOWN or (self.entry.action == Action.PERMIT) == wide


@dataclass
class FilterRow:
    """One filter. `items` are the entries that are not there in every state, in the filter's order."""

    filter: int
    count: int  # entries of the base
    items: list[Item] = field(default_factory=list)

    def updates(self, fixed: Fixed, *, wide: bool) -> Iterator[Update]:
        """What makes the engine's filter the widest or the narrowest of all it may be."""
        shift = 0
        for item in self.items:
            want = item.wanted(fixed, wide=wide)
            if want and not item.present:
                yield InsertEntry(self.filter, item.at + shift, item.entry)
            elif item.present and not want:
                yield RemoveEntry(self.filter, item.at + shift)
            item.present = want
            shift += want - (not item.new)

    def find(self, position: int, own: int) -> int | Item:
        """What step `own` sees at a position: one of its new items, or the number of one of the base's entries."""
        seen, base = 0, 0
        for item in self.items:
            if not item.of(own):
                continue
            gap = item.at - base
            if position < seen + gap:
                break
            seen, base = seen + gap, item.at + (not item.new)
            if item.new and item.until is None:
                if position == seen:
                    return item
                seen += 1
        return base + position - seen

    def seen(self, own: int) -> int:
        """How many entries step `own` sees."""
        mine = [item for item in self.items if item.of(own)]
        return self.count + sum(1 if item.new else -1 for item in mine if not (item.new and item.until))

    def put(self, item: Item, before: Item | None = None) -> None:
        """Take an item in: before another one, or where its place among the base's entries is."""
        if before is not None:
            index = self.items.index(before)
        else:
            place = (item.at, not item.new)
            index = sum((other.at, not other.new) <= place for other in self.items)
        self.items.insert(index, item)


@dataclass
class PortRow:
    """One port that goes down or up."""

    port: int
    before: bool
    edits: list[tuple[Condition, bool]] = field(default_factory=list)
    present: bool = True

    def wanted(self, fixed: Fixed, *, wide: bool) -> bool:
        """Up for isolation and down for continuity while both may be."""
        unit = self.edits[0][0].unit
        value = fixed.get(unit.number)
        levels = range(unit.top + 1) if value is None else (value,)
        found = {self._at(level) for level in levels}
        return found.pop() if len(found) == 1 else wide

    def _at(self, level: int) -> bool:
        value = self.before
        for condition, up in self.edits:
            if condition.value <= level:
                value = up
        return value

    def updates(self, wanted: bool) -> Iterator[Update]:
        """What makes the engine's port the wanted one."""
        if wanted != self.present:
            self.present = wanted
            yield PortUp(self.port) if wanted else PortDown(self.port)


class Rows:
    """All rows that a set of steps changes, on top of a base."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.routes: dict[tuple[int, Prefix], RouteRow] = {}
        self.filters: dict[int, FilterRow] = {}
        self.ports: dict[int, PortRow] = {}
        self.present: dict[tuple[int, Prefix], Hops | None] = {}

    def hops(self, table: int, prefix: Prefix, fixed: Fixed) -> Hops | None:
        """The next hops that stand for every possible value of a route; None: it is absent for certain."""
        row = self.routes.get((table, prefix))
        if row is None:
            return self.base.hops(table, prefix)
        options = row.options(fixed)
        if None not in options:
            return self._joined(options)
        rest = [option for option in options if option is not None]
        return self._joined([*rest, self._covering(table, prefix, fixed)]) if rest else None

    def _covering(self, table: int, prefix: Prefix, fixed: Fixed) -> Hops:
        """Where packets go when the route is absent."""
        for outer in self.base.outer(prefix):
            hops = self.hops(table, outer, fixed)
            if hops is not None:
                return hops
        return DROPPED

    @staticmethod
    def _joined(options: list[Hops | None]) -> Hops:
        return tuple(sorted({hop for option in options if option is not None for hop in option}))

    def route_update(self, row: RouteRow, fixed: Fixed) -> Iterator[Update]:
        """What makes the engine's route the envelope of its possible values."""
        key = (row.table, row.prefix)
        wanted, there = self.hops(row.table, row.prefix, fixed), self.present[key]
        if wanted == there:
            return
        self.present[key] = wanted
        if wanted is None:
            yield RemoveRoute(row.table, row.prefix)
        elif there is None:
            yield AddRoute(row.table, row.prefix, wanted, row.line)
        else:
            yield ReplaceRoute(row.table, row.prefix, wanted, row.line)

    def state(self, values: Fixed) -> Iterator[Update]:
        """What leads from the rows as they are to the state in which every unit has its value."""
        for route in self.routes.values():
            yield from self.route_update(route, values)
        for row in self.filters.values():
            yield from row.updates(values, wide=True)
        for port in self.ports.values():
            yield from port.updates(port.wanted(values, wide=True))

    def commit(self) -> None:
        """Take over the values that the engine has now: every unit stands at its top."""
        for key, hops in self.present.items():
            self.base.set_route(*key, hops)
        for row in self.filters.values():
            for item in reversed(row.items):
                self.base.change_entries(row.filter, item.at, item.entry if item.new else None, item.present)
        for port in self.ports.values():
            self.base.set_port(port.port, port.present)


def conflict(what: str, one: str, other: str) -> PlanError:
    """Two steps that change the same row cannot run side by side."""
    return PlanError(f"steps {one} and {other} of one batch both change {what}: put them into different batches")
