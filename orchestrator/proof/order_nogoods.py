"""What a broken state teaches about the order of steps, and a solver that finds orders which avoid all of it.

A nogood says: whenever these steps are done and those are not, this promise breaks. An order avoids it when one of the
steps not done comes before one of the done ones. So a nogood is a clause over "f comes before t", and an order that
avoids many nogoods is a model of the clauses whose chosen pairs have no cycle. Cycles are excluded when they turn up.
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

from pysat.solvers import Solver

Pair = tuple[int, int]
"""(before, after), step numbers."""


class Violation(NamedTuple):
    """A broken promise. `because`: the steps whose being done or not the answer hangs on; None: not known.

    Whatever is done about all other steps, the promise stays broken while those in `because` stay as they are.
    `midway`: broken while the last applied step was under way, not in the state it led to.
    """

    promise: Hashable
    because: frozenset[int] | None = None
    midway: bool = False


class Verifier(Protocol):
    """A world that steps can be applied to and taken back from, last one first."""

    def apply(self, step: int) -> None:
        """Do a step."""

    def undo(self, step: int) -> None:
        """Take back `step`, the last one applied."""

    def violations(self) -> Sequence[Violation]:
        """Every promise broken in the present state or, marked `midway`, on the way the last step took into it."""


@runtime_checkable
class Foreseeing(Protocol):
    """A verifier that knows of some steps without doing them what they would break."""

    def foreseen(self, step: int) -> Sequence[Violation]:
        """Promises that are surely broken in the state that `step` would lead to; nothing said where there are none."""


class Nogood(NamedTuple):
    """Promises break whenever all of `done` are done, none of `undone`, and `moving` (unless None) is under way."""

    done: frozenset[int]
    undone: frozenset[int]
    moving: int | None
    promises: frozenset[Hashable]

    def pairs(self) -> Iterable[Pair]:
        """The pairs of which one must hold in any order that avoids this."""
        if self.moving is None:
            return ((before, after) for before in sorted(self.undone) for after in sorted(self.done))
        late = ((self.moving, after) for after in sorted(self.done))
        return (*late, *((before, self.moving) for before in sorted(self.undone)))

    def forbids(self, done: Collection[int], step: int) -> bool:
        """Whether doing `step` on top of `done` runs into it."""
        if any(other in done for other in self.undone):
            return False
        if self.moving is not None:
            return self.moving == step and all(other in done for other in self.done)
        return step not in self.undone and all(other == step or other in done for other in self.done)

    @property
    def steps(self) -> frozenset[int]:
        """Every step it speaks of."""
        return self.done | self.undone | ({self.moving} if self.moving is not None else set())


def needs(step: int, other: int) -> Nogood:
    """`step` cannot even be carried out before `other`: no promise is involved."""
    return Nogood(frozenset({step}), frozenset({other}), None, frozenset())


class OrderSolver:
    """Orders that avoid every nogood told so far. A context manager: the solver's memory is its own."""

    def __init__(self) -> None:
        self._solver = Solver(name="cadical153")
        self._variable: dict[Pair, int] = {}
        self._selector: dict[int, Nogood] = {}
        self._count = 0

    def __enter__(self) -> "OrderSolver":
        return self

    def __exit__(self, *_: object) -> None:
        self._solver.delete()

    def add(self, nogood: Nogood) -> None:
        """Avoid this too."""
        selector = self._new()
        self._selector[selector] = nogood
        self._solver.add_clause([-selector, *(self._literal(pair) for pair in nogood.pairs())])

    def solve(self, without: Nogood | None = None) -> frozenset[Pair] | None:
        """Pairs without a cycle that avoid every nogood (but `without`); None when there are none."""
        chosen = [selector for selector, nogood in self._selector.items() if nogood is not without]
        return self._solve(chosen)

    def core(self) -> tuple[Nogood, ...]:
        """After `solve` found nothing: nogoods that exclude every order; without any one of them one is left."""
        kept = [selector for selector in self._solver.get_core() or () if selector in self._selector]
        for selector in tuple(kept):
            rest = [other for other in kept if other != selector]
            if self._solve(rest) is None:
                kept = rest
        return tuple(self._selector[selector] for selector in kept)

    def _solve(self, chosen: list[int]) -> frozenset[Pair] | None:
        while self._solver.solve(assumptions=chosen):
            true = {literal for literal in self._solver.get_model() if literal > 0}
            pairs = [pair for pair, variable in self._variable.items() if variable in true]
            circle = cycle(pairs)
            if not circle:
                return frozenset(pairs)
            self._solver.add_clause([-self._variable[pair] for pair in circle])
        return None

    def _literal(self, pair: Pair) -> int:
        known = self._variable.get(pair)
        if known is None:
            known = self._variable[pair] = self._new()
            self._solver.set_phases([-known])  # few pairs chosen, few cycles
            opposite = self._variable.get((pair[1], pair[0]))
            if opposite is not None:
                self._solver.add_clause([-known, -opposite])
        return known

    def _new(self) -> int:
        self._count += 1
        return self._count


def cycle(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs of one cycle, or nothing."""
    after: dict[int, list[int]] = {}
    for one, other in pairs:
        after.setdefault(one, []).append(other)
    finished: set[int] = set()
    for start in after:
        path = [] if start in finished else _cycle_from(start, after, finished)
        if path:
            return list(pairwise(path))
    return []


def _cycle_from(start: int, after: dict[int, list[int]], finished: set[int]) -> list[int]:
    """Depth first from `start`: the nodes of a cycle, its first one repeated at the end, or nothing."""
    path, open_ = [start], {start}
    trail = [iter(after.get(start, ()))]
    while trail:
        node = next(trail[-1], None)
        if node is None:
            trail.pop()
            open_.discard(path[-1])
            finished.add(path.pop())
        elif node in open_:
            return [*path[path.index(node) :], node]
        elif node not in finished:
            path.append(node)
            open_.add(node)
            trail.append(iter(after.get(node, ())))
    return []


def sequence(steps: Iterable[int], pairs: Iterable[Pair]) -> list[int]:
    """The steps in an order that keeps every pair among them, smallest number first. The pairs have no cycle."""
    waiting = dict.fromkeys(steps, 0)
    after: dict[int, list[int]] = {}
    for one, other in pairs:
        if one in waiting and other in waiting:
            waiting[other] += 1
            after.setdefault(one, []).append(other)
    ready = [step for step, count in waiting.items() if not count]
    heapify(ready)
    order = []
    while ready:
        step = heappop(ready)
        order.append(step)
        for other in after.get(step, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heappush(ready, other)
    return order
