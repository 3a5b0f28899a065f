"""Steps put on nights again in another order: nobody is early, nights are free, what is observed stays observed."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.errors import PlanError
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy
from orchestrator.plan.rearrange import one_by_one, rearranged, side_by_side
from tests.proof.plans import NIGHT, plan, policy, step

EVERY_NIGHT = [{"name": "night", "weekdays": list(range(7)), "start": "22:00", "end": "05:00"}]
FREE = policy(windows=EVERY_NIGHT, freezes=[])


def after(name: str, *before: str, devices: tuple[str, ...] = (), minutes: int = 0) -> Step:
    fields = {"after": before, "devices": devices, "outage_minutes": minutes}
    return step(name).model_copy(update=fields)


def on_nights(*waves: tuple[int, tuple[Step, ...]]) -> Plan:
    """A plan of waves, each so many days after the first night, one batch for each step."""
    made = plan(*((one,) for _day, steps in waves for one in steps))
    found = []
    for number, (days, steps) in enumerate(waves, start=1):
        names = tuple((one.name,) for one in steps)
        night = NIGHT + timedelta(days=days)
        found.append(Wave(number=number, title=f"wave {number}", night=night, window="night", batches=names))
    return made.model_copy(update={"waves": tuple(found)})


def moved(of: Plan, order: str, rules: Policy = FREE) -> list[tuple[int, str]]:
    """(days after the first night, steps) of each wave of the plan in this order."""
    made = rearranged(now(), of, rules, [of.step_of[name] for name in order.split()], side_by_side)
    assert [wave.number for wave in made.waves] == list(range(1, len(made.waves) + 1))
    assert [one.name for one in made.steps] == order.split()
    assert (made.hash == of.hash) is (made.waves == of.waves)
    return [((wave.night - NIGHT).days, " ".join(n for names in wave.batches for n in names)) for wave in made.waves]


def test_a_step_behind_one_of_a_later_wave_is_delayed_to_its_night() -> None:
    three = on_nights((0, (step("a"), step("b"))), (1, (step("c"),)), (2, (step("d"),)))
    assert moved(three, "b a c d") == [(0, "b a"), (1, "c"), (2, "d")]
    assert moved(three, "b c a d") == [(0, "b"), (1, "c a"), (2, "d")]
    assert moved(three, "c a b d") == [(1, "c a b"), (2, "d")], "nobody is brought forward"


def test_a_night_that_is_not_free_for_a_delayed_step_is_passed_over_and_the_next_wave_follows() -> None:
    two = on_nights((0, (after("a", devices=("cz1",)),)), (1, (step("b"),)), (2, (step("c"),)))
    closed = [{"name": "audit", "organisation": "cz", "first": NIGHT, "last": NIGHT + timedelta(days=4)}]
    busy = policy(windows=EVERY_NIGHT, freezes=closed)
    assert now().devices["cz1"].organisation == "cz"
    assert moved(two, "b a c", FREE) == [(1, "b a"), (2, "c")]
    assert moved(two, "b a c", busy) == [(5, "b a"), (6, "c")]


def test_a_wave_keeps_the_observation_between_it_and_one_that_slips() -> None:
    """Trial 30 days, observation 7: distances of waves beyond one of these are kept, others are free to shrink."""
    closed = [{"name": "audit", "organisation": "cz", "first": NIGHT, "last": NIGHT + timedelta(days=4)}]
    busy = policy(windows=EVERY_NIGHT, freezes=closed)
    four = on_nights(
        (0, (after("a", devices=("cz1",)),)), (1, (step("b"),)), (9, (step("c"),)), (33, (step("d"),)), (36, ())
    )
    assert (FREE.observation_days, FREE.trial_days) == (7, 30)
    assert moved(four, "b a c d", busy) == [(5, "b a"), (12, "c"), (35, "d")]


def test_what_a_delayed_step_needs_observed_waits_for_it() -> None:
    """The old copy is not deleted in the night of the cutover, nor before the trial is over."""
    shape = (
        (0, (step("cutover"), step("other"))),
        (7, (step("gate"),)),
        (31, (after("delete", "cutover"), step("tidy"))),
        (33, (after("close", "delete"),)),
    )
    steps = on_nights(*shape)
    assert moved(steps, "other gate cutover tidy delete close") == [
        (0, "other"), (7, "gate cutover"), (37, "tidy delete"), (38, "close")
    ]  # fmt: skip
    assert moved(steps, "other gate tidy cutover delete close") == [
        (0, "other"), (7, "gate"), (31, "tidy cutover"), (61, "delete"), (62, "close")
    ]  # fmt: skip


def test_without_a_night_there_is_no_plan() -> None:
    two = on_nights((0, (after("a", minutes=300),)), (1, (after("b", minutes=300),)))
    assert moved(two, "a b") == [(0, "a"), (1, "b")]
    with pytest.raises(PlanError, match="no window holds 600 minutes of declared outages"):
        rearranged(now(), two, FREE, [two.step_of["b"], two.step_of["a"]], one_by_one)
    never = policy(windows=EVERY_NIGHT, freezes=[{"name": "all", "first": date(2000, 1, 1)}])
    with pytest.raises(PlanError, match="no window is free of freezes"):
        moved(two, "a b", never)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[Plan, Sequence[Step], Policy]:
    """A plan of a few waves, with predecessors and freezes, and an order that keeps predecessors first."""
    steps = [
        after(
            str(number),
            *draw(st.lists(st.sampled_from([str(one) for one in range(number)]), max_size=2, unique=True))
            if number
            else (),
            devices=tuple(draw(st.lists(st.sampled_from(("cz1", "mz1", "pe1")), max_size=1))),
        )
        for number in range(draw(st.integers(2, 8)))
    ]
    cuts = sorted(draw(st.lists(st.integers(1, len(steps)), max_size=3, unique=True)))
    days, waves = 0, []
    for start, end in zip([0, *cuts], [*cuts, len(steps)], strict=True):
        waves.append((days, tuple(steps[start:end])))
        days += draw(st.sampled_from((1, 2, 7, 8, 30, 40)))
    left, order = list(steps), []
    while left:
        ready = [one for one in left if not {other.name for other in left} & set(one.after)]
        order.append(draw(st.sampled_from(ready)))
        left.remove(order[-1])
    freezes = [{"name": "f", "organisation": draw(st.sampled_from(("cz", "mz", ""))), "first": NIGHT, "last": NIGHT}]
    freezes[0]["last"] = NIGHT + timedelta(days=draw(st.integers(0, 50)))
    return on_nights(*(wave for wave in waves if wave[1])), order, policy(windows=EVERY_NIGHT, freezes=freezes)


@given(shuffled())
def test_no_rearranged_plan_is_early_or_watched_too_briefly(made: tuple[Plan, Sequence[Step], Policy]) -> None:
    of, order, rules = made
    found = rearranged(now(), of, rules, order, side_by_side)
    first, then = (
        {name: wave.night for wave in each.waves for names in wave.batches for name in names} for each in (of, found)
    )
    assert [one.name for one in found.steps] == [one.name for one in order]
    assert [name for names in found.batches() for name in names] == [one.name for one in order]
    nights = [wave.night for wave in found.waves]
    assert nights == sorted(set(nights))
    assert all(then[name] >= first[name] for name in first)
    for one in order:
        for before in one.after:
            gap = (first[one.name] - first[before]).days
            kept = max((days for days in (rules.observation_days, rules.trial_days) if days <= gap), default=0)
            assert (then[one.name] - then[before]).days >= kept
    for freeze in rules.freezes:
        for wave in found.waves:
            owners = {
                now().devices[name].organisation for n in wave.batches for s in n for name in of.step_of[s].devices
            }
            assert (
                freeze.organisation not in ("", *owners)
                or wave.night + timedelta(days=1) < freeze.first
                or (freeze.last is not None and wave.night > freeze.last)
            )
