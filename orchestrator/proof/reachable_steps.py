"""Steps over raw updates, and what they change: lines become units, rows and components that never meet.

Positions in a filter count its entries as they were before the batch, plus what the same step did to them before: steps
of one batch insert beside each other like lines with numbers of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from numbers import Integral
from typing import Literal, TypeVar

from orchestrator.errors import PlanError
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    InsertEntry,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    ReplaceRoute,
    Update,
)
from orchestrator.proof.reachable_base import EVERY_ADDRESS, Base, Interval, intervals
from orchestrator.proof.reachable_groups import Spans, grouped, overlap
from orchestrator.proof.reachable_rows import Condition, FilterRow, Item, PortRow, RouteRow, Rows, Unit, conflict

Each = TypeVar("Each")
RowKey = tuple[int, Prefix] | tuple[Literal["port", "filter"], int]


class Mode(StrEnum):
    """How the lines of one step take effect."""

    ATOMIC = "atomic"  # the device commits them together: all or none
    LINES = "line by line"  # in order; it may stop after any of them
    CONVERGING = "converging"  # routers settle one by one in any order: each line by itself, old or new


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `outage`: flows (indexes into Policy.flows) that may fail while it has begun and is not finished.

    A mode may be given as its text, lines and flows in any collection. Raises PlanError for what is none of these.
    """

    name: str
    lines: tuple[Update, ...]
    mode: Mode = Mode.LINES
    outage: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Take what is meant: states are counted by the mode, and digests by values of one kind."""
        for field, taken in (("mode", self._mode()), ("lines", self._lines()), ("outage", self._outage())):
            object.__setattr__(self, field, taken)

    def _mode(self) -> Mode:
        try:
            return Mode(self.mode)
        except ValueError as error:
            modes = ", ".join(f"'{mode}'" for mode in Mode)
            raise PlanError(f"step {self.name} has the mode {self.mode!r}: give one of {modes}") from error

    def _lines(self) -> tuple[Update, ...]:
        lines = _each(self.lines)
        if lines is None or not all(isinstance(line, Update) for line in lines):
            raise PlanError(f"step {self.name} has {self.lines!r} for lines: give a tuple of updates")
        return lines

    def _outage(self) -> frozenset[int]:
        flows = _each(self.outage)
        if flows is None or not all(isinstance(flow, Integral) and not isinstance(flow, bool) for flow in flows):
            raise PlanError(f"step {self.name} has {self.outage!r} for outage: give a set of the flows' numbers")
        return frozenset(map(int, flows))


def _each(given: Collection[Each]) -> tuple[Each, ...] | None:
    """The members of a collection; None where it is none, or a text."""
    return tuple(given) if isinstance(given, Collection) and not isinstance(given, str) else None


def states_of(step: Step) -> int:
    """How many states of its own a step goes through, none and all of its lines included."""
    if step.mode is Mode.ATOMIC:
        return 2 if step.lines else 1
    return len(step.lines) + 1 if step.mode is Mode.LINES else 1 << len(step.lines)


class Batch:
    """The rows and units of steps that may run side by side, on top of a base.

    Raises PlanError when a line does not fit the base, or two steps change the same row.
    """

    def __init__(self, base: Base, steps: Sequence[Step], flows: Sequence[Sequence[Interval]] = ()) -> None:
        """`flows`: the addresses of each flow of the policy, both ends."""
        self.base, self.steps, self.flows = base, tuple(steps), flows
        self.rows = Rows(base)
        self.units: list[Unit] = []
        self.units_of: list[list[Unit]] = []
        self.touched: list[list[Interval]] = []  # destinations, step by step
        self.keys: list[dict[RowKey, None]] = []  # rows, step by step
        self.items: dict[tuple[int, int], list[tuple[FilterRow, Item]]] = {}  # (step, line) -> entries coming, going
        for number in range(len(self.steps)):
            self._read(number)
        self.fixed: dict[int, int] = dict.fromkeys(range(len(self.units)), 0)  # where every unit stands

    def _read(self, number: int) -> None:
        step = self.steps[number]
        self.units_of.append([])
        self.touched.append([])
        self.keys.append({})
        shared = None
        if step.mode is not Mode.CONVERGING and step.lines:
            shared = self._unit(number, 1 if step.mode is Mode.ATOMIC else len(step.lines))
        for index, line in enumerate(step.lines):
            unit = shared or self._unit(number, 1)
            self._line(step, Condition(unit, index + 1 if step.mode is Mode.LINES else 1), line, index)

    def _unit(self, step: int, top: int) -> Unit:
        unit = Unit(len(self.units), step, top)
        self.units.append(unit)
        self.units_of[step].append(unit)
        return unit

    def _line(self, step: Step, when: Condition, line: Update, index: int) -> None:
        touched, keys = self.touched[when.unit.step], self.keys[when.unit.step]
        if isinstance(line, AddRoute | RemoveRoute | ReplaceRoute):
            self._route(step, when, line)
            keys[line.table, line.prefix] = None
            touched.extend(intervals(line.prefix))
        elif isinstance(line, PortDown | PortUp):
            self._port(step, when, line)
            keys["port", line.port] = None
            touched.extend(EVERY_ADDRESS)
        else:
            items = list(self._entry(step, when, line))
            self.items[when.unit.step, index] = [(self.rows.filters[line.filter], item) for item in items]
            for item in items:
                touched.extend(intervals(item.entry.match.destination))
            keys["filter", line.filter] = None
            if line.filter in self.base.policed:  # packets go elsewhere, and may be judged there by anything
                touched.extend(EVERY_ADDRESS)

    def _route(self, step: Step, when: Condition, line: AddRoute | RemoveRoute | ReplaceRoute) -> None:
        key = (line.table, line.prefix)
        row = self.rows.routes.get(key)
        if row is None:
            before = self.base.hops(*key)
            row = self.rows.routes[key] = RouteRow(*key, before)
            self.rows.present[key] = before
        value = row.before
        if row.edits:
            first = row.edits[0][0].unit
            if first != when.unit:
                other = self.steps[first.step].name
                raise conflict(f"the route of table {line.table} to {line.prefix}", step.name, other)
            value = row.edits[-1][1]
        if (value is None) != isinstance(line, AddRoute):
            there = "no such route" if value is None else "that route already"
            raise PlanError(f"step {step.name}: table {line.table} has {there}: {line.prefix}; plan it anew")
        row.edits.append((when, None if isinstance(line, RemoveRoute) else tuple(sorted(set(line.hops)))))
        if not isinstance(line, RemoveRoute):
            row.line = line.line

    def _port(self, step: Step, when: Condition, line: PortDown | PortUp) -> None:
        row = self.rows.ports.get(line.port)
        if row is None:
            before = self.base.port(line.port)
            row = self.rows.ports[line.port] = PortRow(line.port, before, present=before)
        elif row.edits[0][0].unit != when.unit:
            raise conflict(f"port {line.port}", step.name, self.steps[row.edits[0][0].unit.step].name)
        row.edits.append((when, isinstance(line, PortUp)))

    def _entry(self, step: Step, when: Condition, line: InsertEntry | RemoveEntry | ReplaceEntry) -> Iterator[Item]:
        """Change a filter; give every item that comes or goes."""
        number = line.filter
        row = self.rows.filters.get(number)
        if row is None:
            row = self.rows.filters[number] = FilterRow(number, self.base.count(number))
        last = row.seen(when.unit.step) - (not isinstance(line, InsertEntry))
        if not 0 <= line.position <= last:
            raise PlanError(f"step {step.name}: filter {number} has no position {line.position}; plan it anew")
        found = row.find(line.position, when.unit.step)
        if isinstance(line, RemoveEntry | ReplaceEntry):
            yield self._remove(step, when, row, found)
        if isinstance(line, InsertEntry | ReplaceEntry):
            at = found if isinstance(found, int) else found.at
            item = Item(line.entry, at, new=True, since=when)
            row.put(item, before=None if isinstance(found, int) else found)
            yield item

    def _remove(self, step: Step, when: Condition, row: FilterRow, found: int | Item) -> Item:
        if isinstance(found, Item):
            found.until = when
            return found
        for other in row.items:
            if other.at == found and not other.new and other.until is not None:
                name = self.steps[other.until.unit.step].name
                raise conflict(f"entry {found} of filter {row.filter}", step.name, name)
        item = Item(self.base.entry(row.filter, found), found, new=False, until=when, present=True)
        row.put(item)
        return item

    def moved(self, number: int, done: Collection[int]) -> Step:
        """The step as it reads once the steps `done` are: its positions count the filter's entries at that moment."""
        step = self.steps[number]
        if all((number, index) not in self.items for index in range(len(step.lines))):
            return step
        there = set(done)
        lines = list(step.lines)
        for index, line in enumerate(step.lines):
            if isinstance(line, InsertEntry | RemoveEntry | ReplaceEntry):
                row, item = self.items[number, index][0 if isinstance(line, RemoveEntry) else -1]
                lines[index] = replace(line, position=self._position(row, item, number, index, there))
        return replace(step, lines=tuple(lines))

    def _position(self, row: FilterRow, item: Item, number: int, line: int, done: set[int]) -> int:
        """Where an item stands, or comes to stand, when the steps `done` are done and this step up to this line."""
        came, gone = set[int](), set[int]()
        for earlier in range(line):
            changed = [other for _row, other in self.items.get((number, earlier), ())]
            if isinstance(self.steps[number].lines[earlier], InsertEntry | ReplaceEntry):
                came.add(id(changed.pop()))
            gone |= set(map(id, changed))
        shift = 0
        for other in row.items[: row.items.index(item)]:
            began = other.since is None or other.since.unit.step in done or id(other) in came
            ended = (other.until is not None and other.until.unit.step in done) or id(other) in gone
            shift += (began and not ended) - (not other.new)
        return item.at + shift

    def components(self) -> list[tuple[int, ...]]:
        """Steps that may touch the same promises, directly or over others, ascending.

        Two steps meet when their destinations overlap, when a translation leads from one's to the other's, or when
        one touches a flow's way there and the other its way back.
        """
        if len(self.steps) < 2:  # plans found by a search have thousands of batches of one step
            return [(number,) for number in range(len(self.steps))]
        return grouped(self.touched, self.base.links, self.flows)

    def meeting(self, members: Sequence[int]) -> list[tuple[int, ...]]:
        """Some steps in groups whose destinations meet: no packet is touched by two groups on its way."""
        groups = grouped([self.touched[member] for member in members], self.base.links)
        return [tuple(members[index] for index in group) for group in groups]

    def near(self, flow: int) -> set[int]:
        """The steps that touch packets of a flow or their answers."""
        found = set[int]()
        wanted = list(self.flows[flow])
        links = list(self.base.links)
        while wanted:
            interval = wanted.pop()
            found |= self._index.members(interval)
            met = [link for link in links if any(overlap(interval, other) for other in link)]
            links = [link for link in links if link not in met]
            wanted += [other for link in met for other in link]
        return found

    def touching(self, address: Interval) -> set[int]:
        """The steps that touch some address of an interval."""
        return self._index.members(address)

    @cached_property
    def _index(self) -> Spans:
        return Spans([(interval, member) for member, found in enumerate(self.touched) for interval in found])
