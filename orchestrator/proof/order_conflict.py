"""Why there is no safe order: a smallest set of steps and promises that exclude each other.

All other steps are *free* here: they may be done and taken back at will, at any moment, and all other promises may
break. If the chosen steps still cannot be brought from "none done" to "all done" one after another with the chosen
promises kept, they exclude each other, whatever is done about the rest. More steps or promises only make it harder, so
taking out one after another as long as it stays impossible ends at a set of which every member counts.
"""

from collections.abc import Hashable
from typing import NamedTuple

from pysat.solvers import Solver

from orchestrator.proof.order_nogoods import Nogood, OrderSolver, sequence
from orchestrator.proof.order_search import BudgetError, Component


class Conflict(NamedTuple):
    """Steps and promises that exclude each other; free any one step or lift any one promise, and they do not.

    `reasons`: broken states that together exclude every order of the steps. `two_phase`: the state with all steps of
    the component done keeps every promise, so installing the new forwarding beside the old one and moving the packets
    over, each zone in one piece, keeps them too. `minimal`: False when the calls allowed ran out on the way.
    """

    steps: tuple[int, ...]
    promises: tuple[Hashable, ...]
    reasons: tuple[Nogood, ...]
    component: tuple[int, ...]
    two_phase: bool
    minimal: bool = True


def smallest_conflict(component: Component, most_calls: int) -> Conflict:
    """The conflict of a component that cannot be settled; the component's steps are taken back afterwards."""
    limit = component.walker.calls + most_calls
    with _Free(component, limit) as free, OrderSolver() as solver:
        for nogood in component.nogoods:
            solver.add(nogood)
        if solver.solve() is not None:
            raise ValueError("the component's nogoods leave an order: settle() has not said there is none")
        reasons = solver.core()
        steps = frozenset[int]().union(*(nogood.steps for nogood in reasons))
        promises = frozenset[Hashable]().union(*(nogood.promises for nogood in reasons))
        minimal = True
        try:
            steps, promises, reasons = _shrink(free, steps, promises, reasons)
        except BudgetError:
            minimal = False
        return Conflict(
            tuple(step for step in component.steps if step in steps),
            tuple(sorted(promises, key=str)),
            reasons,
            component.steps,
            free.target_holds(),
            minimal,
        )


def _shrink(
    free: "_Free", steps: frozenset[int], promises: frozenset[Hashable], reasons: tuple[Nogood, ...]
) -> tuple[frozenset[int], frozenset[Hashable], tuple[Nogood, ...]]:
    """Take out what is not needed, one by one."""
    for step in sorted(steps):
        why = free.impossible(steps - {step}, promises)
        if why:
            steps, reasons = steps - {step}, why
    for promise in sorted(promises, key=str):
        why = free.impossible(steps, promises - {promise})
        if why:
            promises, reasons = promises - {promise}, why
    return steps, promises, reasons


class _Free:
    """Judges states in which the steps not asked about are chosen so that they help."""

    def __init__(self, component: Component, limit: int) -> None:
        self.component, self.walker, self.limit = component, component.walker, limit
        self._solver = Solver(name="cadical153")
        self._done = {step: 2 * number + 1 for number, step in enumerate(component.steps)}
        self._moving = {step: 2 * number + 2 for number, step in enumerate(component.steps)}
        self._step_of = {variable: step for step, variable in self._done.items()}
        self._lifted: dict[Hashable, int] = {}  # promise -> the variable that says it does not count
        self._count = 2 * len(component.steps)
        self._first = [nogood for nogood in component.nogoods if not nogood.promises]
        self._told: set[Nogood] = set()
        self._seen: set[tuple[frozenset[int], int | None]] = set()
        for nogood in component.nogoods:
            self._tell(nogood)

    def __enter__(self) -> "_Free":
        return self

    def __exit__(self, *_: object) -> None:
        self._solver.delete()
        self.walker.back(self.component.base)

    def impossible(self, steps: frozenset[int], promises: frozenset[Hashable]) -> tuple[Nogood, ...]:
        """Nogoods over `steps` alone that exclude every order of them; nothing when there is an order.

        Raises BudgetError when the calls allowed are used up.
        """
        with OrderSolver() as solver:
            while (pairs := solver.solve()) is not None:
                learned = self._first_broken(sequence(sorted(steps), pairs), promises)
                if learned is None:
                    return ()
                solver.add(learned)
            return solver.core()

    def target_holds(self) -> bool:
        """Whether the state with all steps done keeps every promise."""
        self._go(self.component.members, None)
        return not any(nogood.moving is None for nogood in self._broken())

    def _first_broken(self, order: list[int], promises: frozenset[Hashable]) -> Nogood | None:
        done: set[int] = set()
        for step in order:
            undone = [other for other in order if other not in done and other != step]
            learned = self._hopeless(done, undone, step, promises)
            if learned is None:
                done.add(step)
                learned = self._hopeless(done, undone, None, promises)
            if learned is not None:
                return learned
        return None

    def _hopeless(
        self, done: set[int], undone: list[int], moving: int | None, promises: frozenset[Hashable]
    ) -> Nogood | None:
        """None when the free steps can be chosen so that the promises hold; else what makes that impossible."""
        wanted = [self._lifted_by(promise) * -1 for promise in promises]
        wanted += [self._done[step] for step in done] + [-self._done[step] for step in undone]
        if moving is not None:
            wanted += [self._moving[moving], -self._done[moving]]
        while self._solver.solve(assumptions=wanted):
            true = {literal for literal in self._solver.get_model() if literal > 0}
            state = frozenset(step for step, variable in self._done.items() if variable in true)
            if not self._new_in(state, moving, promises):
                return None
        return self._projected(set(self._solver.get_core() or ()), moving)

    def _projected(self, core: set[int], moving: int | None) -> Nogood:
        """The part of a state that leaves no choice, as a nogood."""
        under_way = moving if moving is not None and self._moving[moving] in core else None
        return Nogood(
            frozenset(step for variable, step in self._step_of.items() if variable in core),
            frozenset(step for variable, step in self._step_of.items() if -variable in core and step != under_way),
            under_way,
            frozenset(promise for promise, variable in self._lifted.items() if -variable in core),
        )

    def _new_in(self, state: frozenset[int], moving: int | None, promises: frozenset[Hashable]) -> bool:
        """Judge a state, then the way on into `moving`: True when one of the promises breaks."""
        if self._breaks(state, None, promises):
            return True
        return moving is not None and self._breaks(state, moving, promises)

    def _breaks(self, state: frozenset[int], moving: int | None, promises: frozenset[Hashable]) -> bool:
        if (state, moving) in self._seen:  # judged before: all it teaches is known, and the solver still allows it
            return False
        if self.walker.calls >= self.limit:
            raise BudgetError("the calls allowed are used up")
        self._go(state, moving)
        self._seen.add((state, moving))
        found = self._broken()
        for nogood in found:
            self._tell(nogood)
        return any(nogood.promises & promises and nogood.moving == moving for nogood in found)

    def _broken(self) -> list[Nogood]:
        return self.walker.broken(self.component.members, self.component.base)

    def _go(self, state: frozenset[int], moving: int | None) -> None:
        """Bring the world into a state, and on into `moving`."""
        walker, base = self.walker, self.component.base
        length = base
        while length < len(walker.applied) and walker.applied[length] in state:
            length += 1
        walker.back(length)
        pairs = [(before, after) for nogood in self._first for before in nogood.undone for after in nogood.done]
        missing = state - set(walker.applied[base:])
        for step in sequence(missing, pairs):
            walker.apply(step)
        if moving is not None:
            walker.apply(moving)

    def _tell(self, nogood: Nogood) -> None:
        if nogood in self._told:
            return
        self._told.add(nogood)
        clause = [-self._done[step] for step in nogood.done] + [self._done[step] for step in nogood.undone]
        if nogood.moving is not None:
            clause.append(-self._moving[nogood.moving])
        # broken promises of one state are told apart, so each nogood has one promise, or none when it is a need
        clause += [self._lifted_by(promise) for promise in nogood.promises]
        self._solver.add_clause(clause)
        if not nogood.promises:  # nor can the step be under way before what it needs
            moving = [-self._moving[step] for step in nogood.done]
            self._solver.add_clause(moving + [self._done[step] for step in nogood.undone])

    def _lifted_by(self, promise: Hashable) -> int:
        known = self._lifted.get(promise)
        if known is None:
            self._count += 1
            known = self._lifted[promise] = self._count
        return known
