"""Laws of plans: they end at their target, every step has its way back, batches do not collide, nights are allowed."""

from datetime import date, timedelta
from ipaddress import IPv4Interface
from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.design import design
from orchestrator.errors import PlanError
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import Interface
from orchestrator.model.plan import Plan, Step
from orchestrator.model.policy import Freeze, Policy, Window
from orchestrator.plan import build, late
from orchestrator.plan.schedule import STATES, footprint, night
from tests.design.estates import Newcomer, district, newcomers, policy, with_newcomer
from tests.laws import examples

SLOW = settings(max_examples=examples(5))


def planned(estate: Estate, rules: Policy | None = None) -> Plan:
    rules = rules or policy()
    return build(estate, design(estate, rules), rules, "wangchao", "planner-1")


@SLOW
@given(newcomers())
def test_a_plan_ends_at_its_target_and_every_step_has_its_way_back(new: Newcomer) -> None:
    now = with_newcomer(district(), new)
    plan = planned(now)
    estate = now
    for batch in plan.batches():
        for name in batch:
            after = estate.apply(plan.step_of[name].edits)
            assert after.apply(plan.step_of[name].undo()).digest == estate.digest, name
            estate = after
    assert estate.digest == plan.leads_to == design(now, policy()).target.digest
    assert plan.built_from == now.digest


@SLOW
@given(newcomers())
def test_steps_of_a_batch_may_run_in_any_order(new: Newcomer) -> None:
    now = with_newcomer(district(), new)
    plan = planned(now)
    estate = now
    for batch in plan.batches():
        forward, backward = estate, estate
        for name in batch:
            forward = forward.apply(plan.step_of[name].edits)
        for name in reversed(batch):
            backward = backward.apply(plan.step_of[name].edits)
        assert forward.digest == backward.digest, batch
        estate = forward


@SLOW
@given(newcomers())
def test_steps_of_a_batch_are_in_no_more_states_than_are_soon_proved(new: Newcomer) -> None:
    plan = planned(with_newcomer(district(), new))
    together = [prod(plan.step_of[name].states for name in batch) for batch in plan.batches()]
    assert all(states <= STATES or len(batch) == 1 for states, batch in zip(together, plan.batches(), strict=True))
    assert max(map(len, plan.batches())) > 1


@SLOW
@given(newcomers())
def test_routes_of_two_steps_of_a_batch_meet_in_no_vpn(new: Newcomer) -> None:
    plan = planned(with_newcomer(district(), new))
    met = 0
    for batch in plan.batches():
        vpns = [_vpns(plan.step_of[name]) for name in batch]
        assert len(set().union(*vpns)) == sum(map(len, vpns)), batch
        met += any(vpns)
    assert met


def test_a_port_that_moves_occupies_the_vpn_it_leaves_and_the_one_it_joins() -> None:
    port = Interface(device="pe1", name="ge1", vrf="cz", address=IPv4Interface("198.19.240.1/30"))
    fields = {"name": "move", "title": "move", "why": "w", "kind": "network"}

    def vpns(before: Interface | None, after: Interface | None) -> set[str]:
        sides = (side and side.plain() for side in (before, after))
        edit = Edit(table="interfaces", key=port.key, **dict(zip(("before", "after"), sides, strict=True)))
        return {thing for thing in footprint(Step.model_validate({**fields, "edits": (edit,)})) if "vpn" in thing}

    moved, in_none = port.model_copy(update={"vrf": "mz"}), port.model_copy(update={"vrf": "default"})
    assert vpns(port, moved) == {"vpn cz", "vpn mz"}
    assert vpns(port, in_none) == vpns(None, port) == vpns(port, None) == {"vpn cz"}
    assert vpns(None, in_none) == set()


def _vpns(step: Step) -> set[str]:
    names = {
        (edit.after or edit.before or {}).get("vrf") for edit in step.edits if edit.table in ("routes", "interfaces")
    }
    return {name for name in names if name and name != "default"}


BOXES = ("filters", "filter_rules", "nats")
ROUTING = ("interfaces", "routes", "vrfs", "vlans")


@SLOW
@given(newcomers())
def test_edits_of_a_step_are_in_the_order_of_the_push(new: Newcomer) -> None:
    """Device after device; what filters and translates before ports and routes, as `apply` pushes them."""
    mixed = 0
    for step in planned(with_newcomer(district(), new)).steps:
        parts = [
            (step.devices.index(edit.key.split("/")[0]), edit.table in ROUTING)
            for edit in step.edits
            if edit.table in (*BOXES, *ROUTING)
        ]
        assert parts == sorted(parts), step.name
        mixed += len(set(parts)) > 1
    assert mixed


@SLOW
@given(newcomers())
def test_same_inputs_give_the_same_hash(new: Newcomer) -> None:
    one, two = (planned(with_newcomer(district(), new)) for _ in range(2))
    assert one.hash == two.hash
    assert one.text() == two.text()


@SLOW
@given(newcomers())
def test_batches_are_small_disjoint_and_after_what_they_need(new: Newcomer) -> None:
    plan = planned(with_newcomer(district(), new))
    done: set[str] = set()
    for batch in plan.batches():
        steps = [plan.step_of[name] for name in batch]
        assert 1 <= len(steps) <= 6
        for things in ("devices", "tenants", "hosts"):
            occupied = [thing for step in steps for thing in getattr(step, things)]
            assert len(occupied) == len(set(occupied)), (batch, things)
        rows = [row for step in steps for row in {(edit.table, edit.key) for edit in step.edits}]
        assert len(rows) == len(set(rows)), batch
        assert all(set(step.after) <= done for step in steps), batch
        done |= set(batch)
    assert done == {step.name for step in plan.steps}
    assert len(done) == len(plan.steps)


def test_every_step_says_what_why_and_how_to_tell() -> None:
    for step in planned(district()).steps:
        assert all((step.title, step.why, step.evidence, step.edits)), step.name
        assert " / " in step.title, f"{step.name}: in both languages"
        assert bool(step.outage) == bool(step.outage_minutes), step.name
        # what people have to see to is asked for; a checklist of an automatic step would only be printed
        assert bool(step.checklist) == (step.mode == "manual"), step.name


def test_nothing_ends_before_somebody_has_signed_that_its_users_have_moved() -> None:
    step_of = planned(district()).step_of
    replaced, shadow, zombie = (step_of[f"retire.990102-{code}"] for code in ("MZ-0002", "CZ-0002", "MZ-0003"))
    assert (replaced.mode, shadow.mode, zombie.mode) == ("manual", "manual", "automatic")
    assert replaced.checklist == (
        "users, accounts and data have been taken over by the successor, signed by the department",
    )


def test_equipment_with_fixed_addresses_is_not_renumbered_before_its_supplier_is_there() -> None:
    plan = planned(district())
    fixed = {site.site for site in district().private_sites.values() if site.fixed_addresses}
    steps = {step.name.removeprefix("readdress."): step.mode for step in plan.steps if step.kind == "readdress"}
    assert fixed & steps.keys()
    assert steps == {site: "manual" if site in fixed else "automatic" for site in steps}


def test_a_large_family_sends_one_step_ahead() -> None:
    plan = planned(district())
    order = {name: index for index, batch in enumerate(plan.batches()) for name in batch}
    family = sorted((name for name in order if name.startswith("access.")), key=lambda name: order[name])
    assert len(family) == 10
    assert order[family[0]] < order[family[1]]


def dates() -> st.SearchStrategy[date]:
    return st.dates(date(2018, 1, 1), date(2019, 12, 31))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1))
    hours = st.sampled_from(["00:00", "05:00", "20:00", "22:00"])
    return Window.model_validate({"name": "w", "weekdays": sorted(weekdays), "start": draw(hours), "end": draw(hours)})


@st.composite
def freezes(draw: st.DrawFn) -> Freeze:
    who = draw(st.sampled_from(["", "cz", "mz"]))
    if draw(st.booleans()):
        first, last = draw(st.integers(1, 28)), draw(st.integers(1, 28))
        return Freeze(name="monthly", organisation=who, first_day_of_month=first, last_day_of_month=last)
    day = draw(dates())
    return Freeze(name="once", organisation=who, first=day, last=day + timedelta(days=draw(st.integers(0, 90))))


def allowed(rules: Policy, day: date, touched: set[str]) -> bool:
    """Written apart from the product: is some window open on `day` with no freeze on any of its calendar days?"""
    binding = [freeze for freeze in rules.freezes if freeze.organisation in touched | {""}]
    for window in rules.windows:
        days = [day] if window.start < window.end else [day, day + timedelta(days=1)]
        if day.weekday() in window.weekdays and not any(forbidden(f, d) for f in binding for d in days):
            return True
    return False


def forbidden(freeze: Freeze, day: date) -> bool:
    if freeze.first is not None and freeze.last is not None:
        return freeze.first <= day <= freeze.last
    first, last = freeze.first_day_of_month, freeze.last_day_of_month
    assert first is not None
    assert last is not None
    inside = {n % 31 + 1 for n in range(first - 1, (last if last >= first else last + 31))}
    return day.day in inside


TOUCHED = st.sets(st.sampled_from(["cz", "mz", "city"]))


@settings(max_examples=examples(100))
@given(st.lists(windows(), min_size=1, max_size=2), st.lists(freezes(), max_size=4), dates(), TOUCHED)
def test_a_night_is_the_first_inside_a_window_and_outside_every_freeze(
    w: list[Window], f: list[Freeze], start: date, touched: set[str]
) -> None:
    rules = policy().model_copy(update={"windows": tuple(w), "freezes": tuple(f)})
    try:
        day, _ = night(rules, start, touched)
    except PlanError:
        assert not any(allowed(rules, start + timedelta(days=n), touched) for n in range(1100))
        return
    assert allowed(rules, day, touched)
    assert not any(allowed(rules, start + timedelta(days=n), touched) for n in range((day - start).days))


@settings(max_examples=examples(5))
@given(st.lists(freezes(), max_size=3), st.sampled_from([date(2018, 1, 8), date(2018, 2, 20), date(2018, 9, 1)]))
def test_no_wave_lies_in_a_freeze_of_those_it_touches(extra: list[Freeze], start: date) -> None:
    rules = policy().model_copy(update={"freezes": (*policy().freezes, *extra), "planned_from": start})
    try:
        plan = planned(district(), rules)
    except PlanError as error:
        assert "no window is free of freezes" in str(error)  # noqa: PT017  # raising is allowed, saying nothing is not
        assume(False)
    nights = [wave.night for wave in plan.waves]
    assert nights == sorted(set(nights))
    assert nights[0] >= start
    for wave in plan.waves:
        steps = [plan.step_of[name] for batch in wave.batches for name in batch]
        assert allowed(rules, wave.night, owners(steps)), wave.title


def owners(steps: list[Step]) -> set[str]:
    estate = district()
    named = {name for step in steps for name in (*step.devices, *step.hosts)}
    found = {estate.devices[n].organisation for n in named if n in estate.devices}
    found |= {estate.hosts[n].organisation for n in named if n in estate.hosts}
    return found | {tenant for step in steps for tenant in step.tenants}


def test_no_night_at_all_is_said_with_the_next_move() -> None:
    closed = policy().model_copy(update={"windows": ()})
    with pytest.raises(PlanError) as caught:
        planned(district(), closed)
    assert str(caught.value) == (
        "no window is free of freezes for city, cz, district, mz from 2018-01-08 on: "
        "widen windows or freezes in policy.yaml"
    )


def test_a_freeze_of_an_organisation_that_nobody_knows_is_refused() -> None:
    """Misspelt, it would bind nobody: the plan lay in the days that were to be free of changes."""
    monthly = Freeze(name="month end", organisation="cz", first_day_of_month=25, last_day_of_month=5)
    assert planned(district(), policy().model_copy(update={"freezes": (monthly,)})).waves
    misspelt = monthly.model_copy(update={"organisation": "cs"})
    with pytest.raises(PlanError) as caught:
        planned(district(), policy().model_copy(update={"freezes": (misspelt,)}))
    assert str(caught.value) == (
        "policy.yaml: the freeze 'month end' is for 'cs', an organisation that nobody knows, so it would bind nobody: "
        "correct its code, or add the organisation to topology.yaml"
    )


CHANGES = "trial_days or observation_days in policy.yaml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trial_days": 99_999_999}, f"no calendar reaches 99999999 days after 2018-01-10: shorten {CHANGES}"),
        ({"observation_days": 10**12}, f"no calendar reaches {10**12} days after 2018-01-10: shorten {CHANGES}"),
        (
            {"planned_from": date(9999, 12, 30), "freezes": ()},
            "no window is free of freezes for city, cz, mz from 9999-12-31 on: widen windows or freezes in policy.yaml",
        ),
    ],
)
def test_a_calendar_that_ends_is_said_with_the_next_move(change: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(district(), policy().model_copy(update=change))
    assert str(caught.value) == said
    longest = policy().model_copy(update={"trial_days": 900, "observation_days": 900})
    assert planned(district(), longest).waves[-1].night > date(2024, 1, 1)


@pytest.mark.parametrize("months", [900_000, -90_000])
def test_a_deadline_that_no_calendar_has_is_said_with_the_next_move(months: int) -> None:
    plan, deadline = planned(district()), policy().deadlines[-1]
    far = deadline.model_copy(update={"months": months})
    with pytest.raises(PlanError) as caught:
        late(plan, policy().model_copy(update={"deadlines": (far,)}), district())
    assert str(caught.value) == (
        f"policy.yaml: no calendar has the deadline {months} months from t_zero: correct its months"
    )
    assert [
        found.result for found in late(plan, policy().model_copy(update={"deadlines": (deadline,)}), district())
    ] == ["pass"]


def test_a_window_too_short_for_the_outages_is_not_used() -> None:
    short = Window.model_validate({"name": "short", "weekdays": range(7), "start": "23:30", "end": "00:20"})
    with pytest.raises(PlanError) as caught:
        planned(district(), policy().model_copy(update={"windows": (short,)}))
    assert str(caught.value) == ("no window holds 60 minutes of declared outages: add a longer window in policy.yaml")
    longer = Window.model_validate({"name": "longer", "weekdays": range(7), "start": "23:00", "end": "01:00"})
    plan = planned(district(), policy().model_copy(update={"windows": (short, longer)}))
    used = {wave.window: wave.title for wave in plan.waves}
    assert used.keys() == {"short", "longer"}
    assert "migration" in used["longer"]
