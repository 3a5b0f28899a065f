"""A safe order is found exactly when there is one; a conflict's every member counts; few verifier calls."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.errors import PlanError
from orchestrator.proof.order import Conflict, components, safe_order
from orchestrator.proof.order_nogoods import Nogood, OrderSolver, Violation, sequence
from tests.laws import examples
from tests.proof.order_worlds import (
    TableWorld,
    free_orders_exist,
    orders_exist,
    random_table,
    static,
    way_holds,
)


def nogood(done: set[int], undone: set[int], promise: str = "P", moving: int | None = None) -> Nogood:
    return Nogood(frozenset(done), frozenset(undone), moving, frozenset({promise}))


ONE_KEY = ("all",)


def test_steps_that_touch_nothing_in_common_go_side_by_side() -> None:
    result = safe_order([("a",), ("b",), ("a",)], TableWorld([]))
    assert result.order == (0, 2, 1)
    assert result.batches == ((0, 1), (2,))
    assert (result.components, result.searched, result.calls) == (2, 0, 3)


def test_a_step_that_breaks_a_promise_waits_for_the_one_that_mends_it() -> None:
    world = TableWorld([nogood({0}, {2})])
    result = safe_order([ONE_KEY] * 3, world)
    assert result.order == (1, 2, 0)
    assert result.calls == 5  # one step tried twice
    assert result.searched == 0


def test_a_dead_end_is_left_by_search() -> None:
    # 0 goes first unhindered, but then neither 1 nor 2 can follow: 0 must be last
    world = TableWorld([nogood({0, 1}, {2}), nogood({0, 2}, {1})])
    result = safe_order([ONE_KEY] * 3, world)
    assert result.order[-1] == 0
    assert result.searched == 1


def test_a_needed_order_is_kept() -> None:
    result = safe_order([("a",), ("b",)], TableWorld([]), after=[(1, 0)])
    assert result.order == (1, 0)
    assert result.components == 1


def test_two_steps_each_of_which_breaks_a_promise_before_the_other_exclude_each_other() -> None:
    world = TableWorld([nogood({0}, {1}, "F-1"), nogood({1}, {0}, "F-2"), nogood({2}, {3}, "F-3")])
    result = safe_order([ONE_KEY] * 4, world)
    (conflict,) = result.conflicts
    assert (conflict.steps, conflict.promises) == ((0, 1), ("F-1", "F-2"))
    assert conflict.two_phase
    assert set(conflict.reasons) == {nogood({0}, {1}, "F-1"), nogood({1}, {0}, "F-2")}
    assert result.order == ()
    assert world.applied == []


def test_a_target_that_breaks_a_promise_is_no_matter_of_order() -> None:
    (conflict,) = safe_order([ONE_KEY] * 3, TableWorld([nogood({0, 2}, set())])).conflicts
    assert (conflict.steps, conflict.promises, conflict.two_phase) == ((0, 2), ("P",), False)


def test_a_step_that_cannot_be_under_way_safely_is_a_conflict_of_its_own() -> None:
    (conflict,) = safe_order([ONE_KEY] * 2, TableWorld([nogood(set(), set(), moving=1)])).conflicts
    assert (conflict.steps, conflict.promises, conflict.two_phase) == ((1,), ("P",), True)


def test_a_conflict_in_one_component_leaves_the_others_their_order() -> None:
    world = TableWorld([nogood({0}, {1}), nogood({1}, {0})])
    result = safe_order([("a",), ("a",), ("b",)], world)
    assert result.order == (2,)
    assert [conflict.steps for conflict in result.conflicts] == [(0, 1)]


def test_what_is_broken_before_any_step_is_told_apart_and_stops_nothing() -> None:
    result = safe_order([ONE_KEY] * 2, TableWorld([nogood(set(), {1}, "old"), nogood({0}, {1}, "new")]))
    assert result.existing == {"old"}
    assert result.order == (1, 0)


def test_an_answer_that_hangs_on_a_step_of_another_component_is_refused() -> None:
    with pytest.raises(PlanError, match="promise P hangs on step 1, whose footprint shares nothing: widen footprints"):
        safe_order([("a",), ("b",)], TableWorld([nogood({0}, {1})]))


def test_calls_that_run_out_leave_the_component_undecided_not_impossible() -> None:
    table = [nogood({0, 1}, {2}), nogood({0, 2}, {1})]
    result = safe_order([ONE_KEY] * 3, TableWorld(table), most_calls=0)
    assert (result.undecided, result.conflicts, result.order) == (((0, 1, 2),), (), ())
    assert safe_order([ONE_KEY] * 3, TableWorld(table), most_calls=50).undecided == ()


def check_order(count: int, table: list[Nogood], order: tuple[int, ...], existing: frozenset[object]) -> None:
    promises = {promise for entry in table for promise in entry.promises} - existing
    done: set[int] = set()
    for step in order:
        assert way_holds(table, done, step, promises)
        done.add(step)
        assert static(table, done, promises)
    assert done == set(range(count))


def check_conflict(
    count: int, table: list[Nogood], conflict: Conflict, needed: list[tuple[int, int]], *, complete: bool
) -> None:
    steps, promises = set(conflict.steps), set(conflict.promises)
    assert not free_orders_exist(count, table, steps, promises, needed)
    if complete:
        for step in steps:
            assert free_orders_exist(count, table, steps - {step}, promises, needed), f"step {step} is not needed"
        for promise in promises:
            assert free_orders_exist(count, table, steps, promises - {promise}, needed), f"{promise} is not needed"


@given(st.integers(2, 7), st.integers(1, 14), st.integers(0, 2**32), st.booleans(), st.booleans())
@hypothesis_settings(max_examples=examples(300, 20_000), deadline=None)
def test_an_order_is_found_exactly_when_there_is_one(
    count: int, nogoods: int, seed: int, blind: bool, with_needs: bool
) -> None:
    table = random_table(count, nogoods, seed)
    random = Random(seed)
    needed = sorted({tuple(sorted(random.sample(range(count), 2))) for _ in range(random.randint(0, 2))})
    needed = [(later, before) if seed % 2 else (before, later) for before, later in needed] if with_needs else []
    result = safe_order([ONE_KEY] * count, TableWorld(table, blind=blind), after=needed)
    promises = {promise for entry in table for promise in entry.promises}
    assert not result.existing
    assert bool(result.conflicts) != orders_exist(count, table, promises, needed)
    if result.conflicts:
        (conflict,) = result.conflicts
        assert conflict.minimal
        check_conflict(count, table, conflict, needed, complete=True)
        assert conflict.two_phase == static(table, set(range(count)), promises)
    else:
        check_order(count, table, result.order, result.existing)
        position = {step: number for number, step in enumerate(result.order)}
        assert all(position[before] < position[later] for before, later in needed)


def chains(count: int, share: float, seed: int) -> tuple[list[tuple[int, ...]], TableWorld]:
    """Steps in components of ten; a share of them must wait for a later one of its component."""
    random = Random(seed)
    footprints = [(step // 10,) for step in range(count)]
    table = []
    for step in random.sample(range(count), int(count * share)):
        first = step // 10 * 10
        if step < min(first + 9, count - 1):
            later = random.randint(step + 1, min(first + 9, count - 1))
            table.append(nogood({step}, {later}, f"P{step}"))
    return footprints, TableWorld(table)


class IndexedWorld(TableWorld):
    """The same, looking only at what names the last step: good enough where every state before was fine."""

    def violations(self) -> list[Violation]:
        if not self.applied:
            return []
        last, done = self.applied[-1], self.done
        return [
            Violation(next(iter(entry.promises)), entry.steps)
            for entry in self._naming.get(last, ())
            if entry.done <= done and not entry.undone & done
        ]

    def apply(self, step: int) -> None:
        super().apply(step)
        self.done.add(step)

    def undo(self, step: int) -> None:
        super().undo(step)
        self.done.discard(step)

    @property
    def done(self) -> set[int]:
        if not hasattr(self, "_done"):
            self._done: set[int] = set()
        return self._done


def test_five_thousand_steps_of_which_a_tenth_must_wait_cost_one_and_a_half_calls_each() -> None:
    footprints, world = chains(5000, 0.1, seed=7)
    result = safe_order(footprints, IndexedWorld(world.table))
    assert sorted(result.order) == list(range(5000))
    assert result.calls <= 1.5 * 5000
    assert result.calls > 5000  # some had to wait


def test_one_component_of_five_hundred_steps_in_the_worst_order() -> None:
    # each step must come after the next one: the given order is upside down
    table = [nogood({step}, {step + 1}, f"P{step}") for step in range(499)]
    result = safe_order([ONE_KEY] * 500, IndexedWorld(table))
    assert result.order == tuple(reversed(range(500)))
    assert result.calls <= 3 * 500


def test_a_solver_with_a_core_needs_all_of_it() -> None:
    around = [nogood({0}, {1}, "a"), nogood({1}, {2}, "b"), nogood({2}, {0}, "c"), nogood({3}, {0}, "d")]
    with OrderSolver() as solver:
        for entry in around:
            solver.add(entry)
        assert solver.solve() is None
        assert set(solver.core()) == set(around[:3])
        pairs = solver.solve(without=around[2])
        assert pairs is not None
        assert sequence(range(4), pairs) == [2, 1, 0, 3]


def test_components_are_joined_over_others_and_by_needs() -> None:
    assert components([("a", "b"), ("c",), ("b", "c"), ("d",)]) == [(0, 1, 2), (3,)]
    assert components([("a",), ("b",)], [(1, 0)]) == [(0, 1)]
    assert components([(), ()]) == [(0,), (1,)]
