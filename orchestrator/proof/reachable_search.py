"""All states of one component of a batch, by envelope first and by cases where the envelope does not hold.

With all units open the engine answers for every mixture at once. If a promise fails there, one unit after another is
fixed at each of its values, and the envelope of the rest is asked again: a case that holds is done, a case with
nothing open is a state that breaks the promise. So only what the promise hangs on is ever taken apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.forwarding.engine.network import Action
from orchestrator.forwarding.engine.policy import Broken
from orchestrator.forwarding.engine.updates import Update
from orchestrator.proof.reachable_rows import Unit
from orchestrator.proof.reachable_steps import Batch
from orchestrator.proof.reachable_world import Explaining, Loop, Promises, Reason, Rounds, Subject, World


class Broke(NamedTuple):
    """A subject that does not hold in one reachable state: the values of the component's units there."""

    subject: Subject
    unknown: bool
    values: dict[int, int]
    reason: Reason = Reason()


@dataclass
class Found:
    """What a component's search came to. `exhausted`: the questions allowed ran out, with `open` still undecided."""

    broke: list[Broke] = field(default_factory=list)
    exhausted: bool = False
    open: frozenset[Subject] = frozenset()
    asked: int = 0


class Search:
    """One component: `members` are its steps. All units outside it stand where they stand."""

    def __init__(
        self,
        world: World,
        batch: Batch,
        members: Sequence[int],
        before: Promises,
        most_asked: int,
        *,
        telling: bool = False,
    ) -> None:
        """`telling`: whether packets that go round are told, and why a promise does not hold, where the world knows."""
        self.rounds = world if telling and isinstance(world, Rounds) else None
        self.explaining = world if telling and isinstance(world, Explaining) else None
        self.world, self.batch, self.before, self.most_asked = world, batch, before, most_asked
        self.members = tuple(members)
        self.units = self._units(self.members)
        self.active = self.units  # those that are taken apart
        self.found = Found()
        self._chosen: tuple[int, ...] | None = None
        self.fixed = batch.fixed
        self._choose_rows(self.members)
        self.stiff = self._stiff()
        self.outage = self._outages()

    def _units(self, members: Iterable[int]) -> list[Unit]:
        return [unit for member in members for unit in self.batch.units_of[member]]

    def _choose_rows(self, members: Iterable[int]) -> None:
        """Rows that `_set` brings up to date: those of some members."""
        members = tuple(members)
        if members == self._chosen:
            return
        self._chosen = members
        rows = self.batch.rows
        keys = list(dict.fromkeys(key for member in members for key in self.batch.keys[member]))
        self.routes = [rows.routes[key] for key in keys if key in rows.routes]
        self.filters = [rows.filters[key[1]] for key in keys if key[0] == "filter"]
        self.ports = [rows.ports[key[1]] for key in keys if key[0] == "port"]

    def _stiff(self) -> frozenset[int]:
        """Units without an envelope: what they change decides where packets go, or hides behind an unread entry."""
        policed = self.batch.base.policed
        conditions = [
            condition
            for row in self.filters
            for item in row.items
            if row.filter in policed or item.entry.action == Action.UNKNOWN
            for condition in (item.since, item.until)
        ]
        own = {unit.number for unit in self.units}
        return frozenset(condition.unit.number for condition in conditions if condition) & own

    def _outages(self) -> dict[int, list[int]]:
        """Flow -> members that declare it."""
        found: dict[int, list[int]] = {}
        for member in self.members:
            for flow in self.batch.steps[member].outage:
                found.setdefault(flow, []).append(member)
        return found

    def run(self) -> Found:
        """Judge every state; afterwards every unit stands at its top."""
        if len(self.units) == 1 and self.units[0].top == 1:
            return self._only()
        self._release(self.units)
        suspects = self._ask(None)
        loops = frozenset(subject for subject in suspects or () if isinstance(subject, Loop))
        if suspects is None or len(self.members) == 1:
            self._cases(suspects if suspects is None else suspects - loops)
        elif suspects - loops:
            self._flows([subject for subject in suspects if isinstance(subject, int)])
            self._pairs(frozenset(subject for subject in suspects - loops if not isinstance(subject, int)))
        self._pairs(loops)  # last: what they cost is not missing for promises
        self.finish()
        return self.found

    def _only(self) -> Found:
        """The one state that a single unit leads to; the one it comes from is judged already."""
        self.finish()
        self.found.asked += 1
        answer = self._told(self.world.broken(), None, self._loops())
        self._break(answer.all, answer, {self.units[0].number: 1})
        return self.found

    def _break(self, subjects: Collection[Subject], answer: Promises, values: dict[int, int]) -> None:
        """Note subjects that do not hold in the state in which the world is."""
        asked = [subject for subject in subjects if not isinstance(subject, Loop)] if self.explaining else []
        why = self.explaining.why(asked) if self.explaining and asked else {}
        for subject in sorted(subjects, key=str):
            reason = Reason() if isinstance(subject, Loop) else why.get(subject, Reason())
            self.found.broke.append(Broke(subject, subject not in answer.fail, values, reason))

    def finish(self) -> None:
        """Bring the world to the state with all steps done."""
        self._hold(self.units, top=True)

    def back(self) -> None:
        """Bring the world to the state with none of the steps done."""
        self._hold(self.units)

    def _release(self, units: Iterable[Unit]) -> None:
        for unit in units:
            self.fixed.pop(unit.number, None)

    def _hold(self, units: Iterable[Unit], *, top: bool = False) -> None:
        self.fixed.update((unit.number, unit.top if top else 0) for unit in units)
        self._choose_rows(self.members)
        self._set(wide=True)

    def _flows(self, flows: list[int]) -> None:
        """Take apart, for flows that hang on the same steps, those steps; the others do not matter to them."""
        groups: dict[tuple[int, ...], list[Subject]] = {}
        for flow in sorted(flows):
            near = self.batch.near(flow) | set(self.outage.get(flow, ()))
            groups.setdefault(tuple(sorted(near & set(self.members))), []).append(flow)
        for members, subjects in groups.items():
            self.active = self._units(members)
            self._choose_rows(members)
            self._cases(frozenset(subjects))
            self._release(self.active)
            self._set(wide=True)

    def _pairs(self, pairs: frozenset[Subject]) -> None:
        """Take apart, for pairs and loops, steps that touch the same destinations, with the other steps not done."""
        if not pairs:
            return
        for members in self.batch.meeting(self.members):
            self._hold(self.units)
            self.active = self._units(members)
            self._choose_rows(members)
            self._release(self.active)
            suspects = self._ask(pairs - self._settled())
            if suspects:
                self._cases(suspects)

    def _cases(self, suspects: frozenset[Subject] | None) -> None:
        """Depth first over the values of the active units, as long as something is suspect."""
        if suspects is not None and not suspects:
            return
        trail: list[tuple[Unit, Iterator[int], frozenset[Subject] | None]] = []
        self._open(trail, suspects)
        while trail:
            unit, values, suspects = trail[-1]
            value = next(values, None)
            wanted = None if suspects is None else suspects - self._settled()
            if value is None or (wanted is not None and not wanted):
                trail.pop()
                self.fixed.pop(unit.number, None)
                continue
            if self.found.asked >= self.most_asked:
                self.found.exhausted, self.found.open = True, self.found.open | (wanted or frozenset())
                return
            self.fixed[unit.number] = value
            left = self._ask(wanted)
            if left or left is None:
                self._open(trail, left)

    def _open(
        self, trail: list[tuple[Unit, Iterator[int], frozenset[Subject] | None]], suspects: frozenset[Subject] | None
    ) -> None:
        """Take the next unit apart; where none is left, this is a state."""
        unit = self._choose(suspects)
        if unit is not None:
            trail.append((unit, iter(range(unit.top + 1)), suspects))
            return
        answer = self._answer()
        values = {unit.number: self.fixed.get(unit.number, 0) for unit in self.units}
        self._break(answer.all & (suspects or frozenset()), answer, values)

    def _settled(self) -> frozenset[Subject]:
        """Subjects of which a state is known in which they do not hold."""
        return frozenset(item.subject for item in self.found.broke)

    def _choose(self, suspects: frozenset[Subject] | None) -> Unit | None:
        """The open unit to take apart next: those without envelope, then declared outages, then what moves together."""
        open_units = [unit for unit in self.active if unit.number not in self.fixed]
        if not open_units:
            return None
        declaring = {member for flow in suspects or () if isinstance(flow, int) for member in self.outage.get(flow, ())}
        return min(
            open_units,
            key=lambda unit: (
                unit.number not in self.stiff,
                unit.step not in declaring,
                -len(self.batch.steps[unit.step].lines),
                unit.number,
            ),
        )

    def _ask(self, suspects: frozenset[Subject] | None) -> frozenset[Subject] | None:
        """Which suspects (None: any subject) may fail with the units fixed so far; None: no envelope to ask."""
        if any(number not in self.fixed for number in self.stiff):
            return suspects
        found = self._answer().all
        return found if suspects is None else found & suspects

    def _answer(self) -> Promises:
        """What does not hold in some mixture of the open units."""
        self.found.asked += 1
        self._set(wide=True)
        wide, loops = self.world.broken(), self._loops()
        if (self.filters or self.ports) and self._set(wide=False):
            return self._told(wide, self.world.broken(), loops)
        return self._told(wide, None, loops)

    def _loops(self) -> frozenset[Subject]:
        """The loops of the widest network: any path may go round."""
        return frozenset(map(Loop, self.rounds.loops())) if self.rounds else frozenset()

    def _told(self, wide: Broken, narrow: Broken | None, loops: frozenset[Subject]) -> Promises:
        """Isolation and loops from the widest network, flows from the narrowest (None: it is the same)."""
        narrow, excused = narrow or wide, self._excused()
        unread = narrow.unread - excused
        fail = (loops | wide.isolation | (narrow.flows - excused - unread)) - self.before.fail
        unknown = (frozenset[Subject](wide.unknown | narrow.unknown) | unread) - self.before.all - fail
        return Promises(fail, unknown)

    def _excused(self) -> frozenset[int]:
        """Flows that may fail: a step that declares them has begun and is not finished, for certain."""
        return frozenset(
            flow for flow, members in self.outage.items() if any(self._under_way(member) for member in members)
        )

    def _under_way(self, member: int) -> bool:
        units = self.batch.units_of[member]
        levels = [self.fixed.get(unit.number) for unit in units]
        if any(level is not None and 0 < level < unit.top for level, unit in zip(levels, units, strict=True)):
            return True
        begun = any(level == unit.top for level, unit in zip(levels, units, strict=True))
        return begun and any(level == 0 for level in levels)

    def _set(self, *, wide: bool) -> bool:
        """Bring the engine to the envelope; whether anything changed."""
        updates = list(self._updates(wide))
        for update in updates:
            self.world.apply(update)
        return bool(updates)

    def _updates(self, wide: bool) -> Iterator[Update]:
        for route in self.routes:
            yield from self.batch.rows.route_update(route, self.fixed)
        for row in self.filters:
            yield from row.updates(self.fixed, wide=wide)
        for port in self.ports:
            yield from port.updates(port.wanted(self.fixed, wide=wide))
