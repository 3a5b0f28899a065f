"""A safe order of steps: one in which every state on the way keeps every promise, or the reason why there is none.

    result = safe_order(footprints, verifier)

Steps are numbers 0 .. n-1, `footprints[step]` names what the step touches (any hashable values); steps that share
nothing, not even over others, never meet and are ordered apart. Method and meaning: docs/proof.md, "A safe order".
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import NamedTuple

from orchestrator.errors import PlanError
from orchestrator.proof.order_conflict import Conflict, smallest_conflict
from orchestrator.proof.order_nogoods import Nogood, Pair, Verifier, Violation, cycle
from orchestrator.proof.order_search import BudgetError, Component, Walker

__all__ = ["Conflict", "Nogood", "Ordered", "Verifier", "Violation", "components", "keepable", "safe_order"]

MOST_CALLS = 50_000
"""Verifier calls spent on one component's search, and again on its smallest conflict."""


class Ordered(NamedTuple):
    """What came of it. `order` holds the steps of every component that can be ordered, and is applied to the verifier.

    `batches`: the same steps, those that never meet side by side. `calls`: verifier calls (apply and undo) in all;
    `refused`: steps put off without any, as it was known what they would break.
    `undecided`: components on which the calls allowed ran out. `existing`: promises broken before any step, told apart.
    """

    order: tuple[int, ...]
    batches: tuple[tuple[int, ...], ...]
    conflicts: tuple[Conflict, ...]
    undecided: tuple[tuple[int, ...], ...]
    components: int
    searched: int
    calls: int
    existing: frozenset[Hashable]
    refused: int = 0


def safe_order(
    footprints: Sequence[Collection[Hashable]],
    verifier: Verifier,
    after: Iterable[Pair] = (),
    most_calls: int = MOST_CALLS,
) -> Ordered:
    """Order the steps; `after` holds (before, after) pairs that must be kept in any case.

    The verifier stands at the state before all steps. Raises PlanError when its answers contradict the footprints, or
    when no order keeps `after`.
    """
    kept = keepable(after, [f"step {number}" for number in range(len(footprints))])
    walker = Walker(verifier)
    groups = components(footprints, kept)
    needed = _by_group(groups, kept)
    orders: list[tuple[int, ...]] = []
    conflicts: list[Conflict] = []
    undecided: list[tuple[int, ...]] = []
    searched = 0
    for number, steps in enumerate(groups):
        component = Component(walker, steps, needed.get(number, ()))
        try:
            if component.settle(most_calls):
                orders.append(tuple(walker.applied[component.base :]))
            else:
                conflicts.append(smallest_conflict(component, most_calls))
        except BudgetError:
            undecided.append(steps)
        searched += component.searched
    return Ordered(
        tuple(walker.applied),
        _side_by_side(orders),
        tuple(conflicts),
        tuple(undecided),
        len(groups),
        searched,
        walker.calls,
        walker.existing,
        walker.refused,
    )


def keepable(after: Iterable[Pair], names: Sequence[str]) -> tuple[Pair, ...]:
    """The pairs (before, after) as given; `names` of the steps. Raises PlanError when no order keeps them all."""
    kept = tuple(after)
    for pair in kept:
        numbers = pair if isinstance(pair, tuple | list) else ()
        if len(numbers) != 2 or not all(isinstance(one, int) and 0 <= one < len(names) for one in numbers):
            raise PlanError(f"after has {pair!r}: give pairs of step numbers, (before, after); there are {len(names)}")
    circle = cycle(kept)
    if circle:
        shown = ", then ".join(names[step] for step in (circle[0][0], *(later for _before, later in circle)))
        raise PlanError(f"after wants {shown}: no order keeps that; take one of these pairs out")
    return kept


def components(footprints: Sequence[Collection[Hashable]], after: Iterable[Pair] = ()) -> list[tuple[int, ...]]:
    """Steps that share part of a footprint or must keep an order, directly or over others; each group ascending."""
    parent = list(range(len(footprints)))

    def top(step: int) -> int:
        while parent[step] != step:
            parent[step] = parent[parent[step]]
            step = parent[step]
        return step

    owner: dict[Hashable, int] = {}
    for step, keys in enumerate(footprints):
        for key in keys:
            one, other = top(owner.setdefault(key, step)), top(step)
            parent[max(one, other)] = min(one, other)
    for before, later in after:
        one, other = top(before), top(later)
        parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for step in range(len(footprints)):
        groups.setdefault(top(step), []).append(step)
    return [tuple(group) for group in groups.values()]


def _by_group(groups: Sequence[tuple[int, ...]], after: Iterable[Pair]) -> dict[int, list[Pair]]:
    group_of = {step: number for number, steps in enumerate(groups) for step in steps}
    found: dict[int, list[Pair]] = {}
    for pair in after:
        found.setdefault(group_of[pair[0]], []).append(pair)
    return found


def _side_by_side(orders: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """The first steps of all components in one batch, then the second ones: they never meet."""
    longest = max(map(len, orders), default=0)
    return tuple(tuple(order[turn] for order in orders if turn < len(order)) for turn in range(longest))
