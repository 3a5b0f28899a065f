"""A plan whose order breaks a promise somewhere on the way gets another order, or the reason why there is none.

    found = reordered(now, plan, policy, unparsed, facts)

Steps stay in their waves where that is possible; else a step is delayed to a later wave, never brought forward to an
earlier night. What comes out is proved like any other plan.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import permutations
from typing import NamedTuple

from orchestrator.errors import PlanError
from orchestrator.forwarding.world import UnparsedLine
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Policy
from orchestrator.plan.rearrange import one_by_one, rearranged, side_by_side
from orchestrator.proof.order import Conflict, Ordered, safe_order
from orchestrator.proof.step_world import StepWorld
from orchestrator.proof.verdict import Verdict
from orchestrator.proof.verify import verify

MOST_CALLS = 2_000
"""Steps done and taken back in search of an order, and again for the smallest conflict."""
MOST_NAMED = 6
MOST_CONFIRMED = 5
"""Steps of a conflict whose orders are all walked once more."""


class Reordered(NamedTuple):
    """The plan, the verdict on it, and what there is to say about its order: nothing when it was safe as it was."""

    plan: Plan
    verdict: Verdict
    said: tuple[Finding, ...] = ()


def reordered(
    now: Estate,
    plan: Plan,
    policy: Policy,
    unparsed: Iterable[UnparsedLine] = (),
    facts: Iterable[Fact] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Reordered:
    """The plan in a safe order, if its own is not and there is one. Raises as `verify`."""
    lines, known = tuple(unparsed), tuple(facts)
    verdict = verify(now, plan, policy, lines, progress, known)
    if verdict.result != "fail":
        return Reordered(plan, verdict)
    world = StepWorld(now, plan, policy, lines, known, progress)
    if not _by_order(verdict, world):  # broken before, at the end or by a date: no order mends that
        return Reordered(plan, verdict)
    found: Ordered | None = None
    for inside in (True, False):
        progress(f"looking for a safe order {'inside the waves' if inside else 'over the waves'}")
        pairs = (*world.needed(), *(world.by_waves() if inside else ()))
        found = safe_order([("plan",)] * len(world.steps), world, pairs, MOST_CALLS)
        order = [world.steps[number] for number in found.order]
        if len(order) == len(world.steps):
            for made in _plans(now, plan, policy, order):
                judged = verify(now, made, policy, lines, progress, known)
                if not _by_order(judged, world):
                    return Reordered(made, judged, (_told(plan, made, verdict),))
        world.reset()
    return Reordered(plan, verdict, tuple(_reasons(found, world)) if found else ())


def _by_order(verdict: Verdict, world: StepWorld) -> list[Finding]:
    """Failures that are neither in the first state nor in the last: another order may avoid them."""
    return [item for item in verdict.failures() if not world.is_ignored(item)]


def _plans(now: Estate, plan: Plan, policy: Policy, order: Sequence[Step]) -> Iterator[Plan]:
    """The plan in another order: side by side what does not touch, then one after the other; where nights are free."""
    for cut in (side_by_side, one_by_one):
        with suppress(PlanError):  # no night for these batches: there may be one for the others
            yield rearranged(now, plan, policy, order, cut)


def _told(before: Plan, after: Plan, verdict: Verdict) -> Finding:
    """What was moved, and why."""
    place = {name: number for number, names in enumerate(before.batches()) for name in names}
    new = {name: number for number, names in enumerate(after.batches()) for name in names}
    moved = [name for name in new if any((place[name] - place[other]) * (new[name] - new[other]) < 0 for other in new)]
    broken = ", ".join(sorted({item.subject for item in verdict.failures()}))
    what = (
        f"the first order broke {broken} on the way; in the order of this plan all hold: moved are {', '.join(moved)}"
    )
    return Finding(subject="order", result="pass", what=what + _delayed(before, after))


def _delayed(before: Plan, after: Plan) -> str:
    """Which steps have a later night than before, by night."""
    first = {name: wave.night for wave in before.waves for batch in wave.batches for name in batch}
    told = []
    for wave in after.waves:
        names = [name for batch in wave.batches for name in batch if first[name] < wave.night]
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            told.append(f"{', '.join(names[:MOST_NAMED])}{more} to {wave.night}")
    return f"; delayed are {'; '.join(told)}" if told else ""


def _reasons(found: Ordered, world: StepWorld) -> Iterator[Finding]:
    """Why there is no order: the smallest conflicts, each walked again, or that nobody knows."""
    if len(found.order) == len(world.steps):
        what = "an order that breaks no promise was found, but no batches of it on free nights that keep them all"
        fix = "widen windows or freezes in policy.yaml, or split the steps that the proof names"
        yield Finding(subject="order", result="unknown", what=what, fix=fix)
    for conflict in found.conflicts:
        names = [world.steps[step].name for step in conflict.steps]
        if conflict.minimal and _confirmed(conflict, world):
            what = (
                f"no order of the steps keeps every promise: {' and '.join(names)} "
                f"exclude {' and '.join(map(str, conflict.promises))}"
            )
            yield Finding(subject="order", result="fail", what=what, fix=way_out(conflict, world))
        else:
            yield _undecided(names)
    for steps in found.undecided:
        yield _undecided([world.steps[step].name for step in steps])


def way_out(conflict: Conflict, world: StepWorld) -> str:
    """What frees a step; an outage excuses flows, no rule."""
    free = "free one of these steps (split it, or let it do less)"
    codes = {flow.code for flow in world.policy.flows}
    return f"{free}, or declare the flow in its outage" if codes.intersection(conflict.promises) else free


def _undecided(names: list[str]) -> Finding:
    what = f"no safe order of {len(names)} steps was found within {MOST_CALLS} trials: {', '.join(names[:MOST_NAMED])}"
    return Finding(subject="order", result="unknown", what=what, fix="split the steps that the proof names")


def _confirmed(conflict: Conflict, world: StepWorld) -> bool:
    """Every order of the steps breaks one of the promises, with no other step done and with all that can be.

    What a broken promise hangs on is found by moving one step at a time, so a conflict is looked at once more.
    """
    if len(conflict.steps) > MOST_CONFIRMED:
        return False
    promises = {str(promise) for promise in conflict.promises}
    chosen = set(conflict.steps)
    fewest = world.before(chosen) - chosen
    most = set(range(len(world.steps))) - world.behind(chosen)
    return all(
        world.breaks(sorted(others), order, promises)
        for others in (fewest, most)
        for order in permutations(conflict.steps)
        if world.can_follow(order)
    )
