"""Worlds made of a table of broken states, and exhaustive answers about them, for the laws of ordering."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import chain, combinations
from random import Random

from orchestrator.proof.order_nogoods import Nogood, Violation


class TableWorld:
    """A verifier whose promises break exactly where its table says. `blind`: it does not say why."""

    def __init__(self, table: Sequence[Nogood], *, blind: bool = False) -> None:
        self.table, self.blind = tuple(table), blind
        self.applied: list[int] = []
        self.calls = 0
        self._naming: dict[int, list[Nogood]] = {}
        for nogood in self.table:
            for step in nogood.steps:
                self._naming.setdefault(step, []).append(nogood)

    def apply(self, step: int) -> None:
        assert step not in self.applied[-50:]
        self.calls += 1
        self.applied.append(step)

    def undo(self, step: int) -> None:
        self.calls += 1
        assert self.applied.pop() == step

    def violations(self) -> Sequence[Violation]:
        found = []
        done = set(self.applied)
        for nogood in self.table:
            if broken(nogood, done, self.applied[-1] if self.applied else None):
                because = None if self.blind else nogood.steps
                (promise,) = nogood.promises
                found.append(Violation(promise, because, nogood.moving is not None))
        return found


def broken(nogood: Nogood, done: Collection[int], last: int | None) -> bool:
    """Whether it breaks in a state, or on the way of the last step into it."""
    if nogood.moving is None:
        return all(step in done for step in nogood.done) and not any(step in done for step in nogood.undone)
    before = set(done) - {last} if last is not None else set(done)
    return nogood.moving == last and nogood.done <= before and not nogood.undone & before


def static(table: Iterable[Nogood], done: Collection[int], promises: Collection[Hashable]) -> bool:
    """Whether a state keeps the promises."""
    return not any(n.moving is None and n.promises & set(promises) and broken(n, done, None) for n in table)


def way_holds(table: Iterable[Nogood], done: Collection[int], step: int, promises: Collection[Hashable]) -> bool:
    """Whether `step`, done in this state, keeps the promises while it is under way."""
    after = set(done) | {step}
    return not any(n.moving == step and n.promises & set(promises) and broken(n, after, step) for n in table)


def orders_exist(
    count: int, table: Sequence[Nogood], promises: Collection[Hashable], needed: Collection[tuple[int, int]]
) -> bool:
    """Exhaustive: is there a safe order of all steps? Looks at every reachable state."""
    every = frozenset(range(count))
    seen = {frozenset[int]()}
    front = [frozenset[int]()]
    while front:
        done = front.pop()
        if done == every:
            return True
        for step in every - done:
            after = done | {step}
            if after in seen or any(later == step and before not in done for before, later in needed):
                continue
            if way_holds(table, done, step, promises) and static(table, after, promises):
                seen.add(after)
                front.append(after)
    return False


def free_orders_exist(
    count: int,
    table: Sequence[Nogood],
    steps: Collection[int],
    promises: Collection[Hashable],
    needed: Collection[tuple[int, int]],
) -> bool:
    """Exhaustive: can `steps` be done one after another with the promises kept, all other steps free at any moment?"""
    free = [step for step in range(count) if step not in steps]
    choices = [frozenset(part) for part in chain.from_iterable(combinations(free, n) for n in range(len(free) + 1))]

    def possible(done: frozenset[int]) -> bool:
        return any(
            static(table, done | part, promises)
            and all(before in done | part for before, later in needed if later in done | part)
            for part in choices
        )

    def way(done: frozenset[int], step: int) -> bool:
        return any(
            static(table, done | part, promises)
            and way_holds(table, done | part, step, promises)
            and all(before in done | part for before, later in needed if later in done | part | {step})
            for part in choices
        )

    every = frozenset(steps)
    seen, front = {frozenset[int]()}, [frozenset[int]()]
    while front:
        done = front.pop()
        if done == every:
            return True
        for step in every - done:
            after = done | {step}
            if after not in seen and way(done, step) and possible(after):
                seen.add(after)
                front.append(after)
    return False


def random_table(count: int, nogoods: int, seed: int) -> list[Nogood]:
    """Random broken states, none of them the first."""
    random = Random(seed)
    table = []
    for number in range(nogoods):
        width = random.choice((1, 2, 2, 2, 3, 3, 4))
        steps = random.sample(range(count), min(width, count))
        cut = random.randint(1, len(steps))
        done, undone = frozenset(steps[:cut]), frozenset(steps[cut:])
        moving = None
        if random.random() < 0.25:
            moving = steps[0]
            done -= {moving}
        elif not undone and random.random() < 0.9:  # few targets are bad
            done, undone = done - {steps[0]}, frozenset({steps[0]})
        if done or moving is not None:
            table.append(Nogood(done, undone, moving, frozenset({f"P{number % 4}"})))
    return table
