"""A safe order of the steps of one component: greedy first, guided by a solver where that gets stuck.

Every state of an order given back was judged by the verifier, in that very order. "None" means: the nogoods learned,
each of them a broken state seen, exclude every order.
"""

from collections.abc import Hashable, Iterable, Sequence
from heapq import heapify, heappop, heappush

from orchestrator.errors import PlanError
from orchestrator.proof.order_nogoods import Foreseeing, Nogood, OrderSolver, Pair, Verifier, Violation, needs


class BudgetError(PlanError):
    """No answer within the verifier calls allowed."""


class Walker:
    """A verifier that remembers what is applied and what it has cost. `existing`: promises already broken before.

    `calls`: steps done and taken back; `refused`: steps known to break a promise without being done.
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.applied: list[int] = []
        self.calls = 0
        self.refused = 0
        self.existing: frozenset[Hashable] = frozenset(item.promise for item in verifier.violations())
        self._foreseeing = verifier if isinstance(verifier, Foreseeing) else None

    def apply(self, step: int) -> None:
        """Do a step."""
        self.calls += 1
        self.verifier.apply(step)
        self.applied.append(step)

    def back(self, length: int) -> None:
        """Take back the last steps until `length` are left."""
        while len(self.applied) > length:
            self.calls += 1
            self.verifier.undo(self.applied.pop())

    def broken(self, component: frozenset[int], base: int) -> list[Nogood]:
        """What the present state teaches, with the first `base` applied steps belonging to other components.

        Raises PlanError when an answer hangs on a step of another component: the footprints are wrong.
        """
        return self._learned(self.verifier.violations(), component, self.applied[base:])

    def foreseen(self, step: int, component: frozenset[int], base: int) -> list[Nogood]:
        """What a step teaches that is not done, as it would break a promise; nothing where that is not known."""
        if self._foreseeing is None:
            return []
        found = self._learned(self._foreseeing.foreseen(step), component, [*self.applied[base:], step])
        self.refused += bool(found)
        return found

    def _learned(self, items: Sequence[Violation], component: frozenset[int], applied: Sequence[int]) -> list[Nogood]:
        found = [item for item in items if item.promise not in self.existing]
        done = frozenset(applied) if found else frozenset[int]()
        return [self._nogood(item.promise, item.because, item.midway, component, done) for item in found]

    def _nogood(
        self,
        promise: Hashable,
        because: frozenset[int] | None,
        midway: bool,
        component: frozenset[int],
        done: frozenset[int],
    ) -> Nogood:
        if because is None:
            because = component
        elif not because <= component:
            step = min(because - component)
            raise PlanError(f"promise {promise} hangs on step {step}, whose footprint shares nothing: widen footprints")
        promises = frozenset({promise})
        if not midway:
            return Nogood(because & done, because - done, None, promises)
        last = self.applied[-1]
        return Nogood((because & done) - {last}, because - done, last, promises)


class Component:
    """Steps that may touch the same promises, and what is known about their order."""

    def __init__(self, walker: Walker, steps: Sequence[int], after: Iterable[Pair] = ()) -> None:
        """`steps` in the order preferred; `after`: (before, after) pairs that must be kept to carry the steps out."""
        self.walker = walker
        self.steps = tuple(steps)
        self.members = frozenset(steps)
        self.rank = {step: number for number, step in enumerate(steps)}
        self.base = len(walker.applied)
        self.nogoods: dict[Nogood, None] = {}
        self.searched = False  # whether greedy placing was not enough
        self._naming: dict[int, list[Nogood]] = {}
        for before, later in after:
            self.learn(needs(later, before))

    def learn(self, nogood: Nogood) -> None:
        """Remember a nogood."""
        if nogood not in self.nogoods:
            self.nogoods[nogood] = None
            for step in nogood.done if nogood.moving is None else (nogood.moving,):
                self._naming.setdefault(step, []).append(nogood)

    def forbidden(self, done: set[int], step: int) -> Nogood | None:
        """A known nogood that doing `step` now would run into."""
        return next((nogood for nogood in self._naming.get(step, ()) if nogood.forbids(done, step)), None)

    def settle(self, most_calls: int) -> bool:
        """Apply all steps in a safe order (True), or find that there is none and take them all back (False).

        Raises BudgetError after `most_calls` verifier calls, with all steps taken back.
        """
        if self._walk(frozenset()):
            return True
        self.searched = True
        limit = self.walker.calls + most_calls
        with OrderSolver() as solver:
            told = 0
            while self.walker.calls < limit:
                known = list(self.nogoods)
                for nogood in known[told:]:
                    solver.add(nogood)
                told = len(known)
                pairs = solver.solve()
                if pairs is None:
                    self.walker.back(self.base)
                    return False
                if self._walk(pairs):
                    return True
        self.walker.back(self.base)
        raise BudgetError(
            f"no order of {len(self.steps)} steps found within {most_calls} verifier calls: raise the limit"
        )

    def _walk(self, pairs: frozenset[Pair]) -> bool:
        """Place step after step, keeping the pairs; a step that breaks a promise waits for one that may mend it.

        Pairs that avoid all known nogoods never leave it stuck without a new nogood learned: of the steps left, the
        first one by the pairs has all its predecessors placed, so no known nogood forbids it.
        """
        waiting, after = self._pairs(pairs)
        done = self._keep(after, waiting)
        ready = [self.rank[step] for step in self.steps if not waiting[step] and step not in done]
        heapify(ready)
        asleep: dict[int, list[int]] = {}
        while ready:
            step = self.steps[heappop(ready)]
            if step in done:  # woken twice
                continue
            reason = self.forbidden(done, step) or self._try(step)
            if reason is not None:
                for other in reason.undone:
                    asleep.setdefault(other, []).append(step)
                continue
            done.add(step)
            for other in after.get(step, ()):
                waiting[other] -= 1
                if not waiting[other]:
                    heappush(ready, self.rank[other])
            for other in dict.fromkeys(asleep.pop(step, ())):
                heappush(ready, self.rank[other])
        return len(done) == len(self.steps)

    def _pairs(self, pairs: frozenset[Pair]) -> tuple[dict[int, int], dict[int, list[int]]]:
        waiting = dict.fromkeys(self.steps, 0)
        after: dict[int, list[int]] = {}
        for before, later in pairs:
            waiting[later] += 1
            after.setdefault(before, []).append(later)
        return waiting, after

    def _keep(self, after: dict[int, list[int]], waiting: dict[int, int]) -> set[int]:
        """Keep the longest beginning of what is applied that agrees with the pairs: those states are judged already."""
        done: set[int] = set()
        applied = self.walker.applied
        for step in applied[self.base :]:
            if waiting[step]:
                break
            done.add(step)
            for other in after.get(step, ()):
                waiting[other] -= 1
        self.walker.back(self.base + len(done))
        return done

    def _try(self, step: int) -> Nogood | None:
        """Do the step, unless it is known what it breaks; that is learned and the step taken back."""
        broken = self.walker.foreseen(step, self.members, self.base)
        if not broken:
            self.walker.apply(step)
            broken = self.walker.broken(self.members, self.base)
            if not broken:
                return None
            self.walker.back(len(self.walker.applied) - 1)
        for nogood in broken:
            self.learn(nogood)
        return broken[0]
