"""The order of the plan is safe, not lucky: the proof holds it, and notices when it is turned round."""

from datetime import timedelta

import pytest

from orchestrator.design import design
from orchestrator.design.endpoints import place
from orchestrator.errors import PlanError
from orchestrator.forwarding.simulator import Simulator
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Packet
from orchestrator.model.plan import Plan
from orchestrator.plan import build, late
from orchestrator.plan.deadlines import last_day
from orchestrator.plan.tenants import moves
from orchestrator.plan.way import Way
from orchestrator.proof import verify
from tests.design.estates import Newcomer, Site, district, policy, with_newcomer, with_zones
from tests.whole import planned as plan
from tests.whole import proved


def state_before(name: str) -> Estate:
    """The estate just before the batch of a step."""
    estate = district()
    for batch in plan().batches():
        if name in batch:
            return estate
        for each in batch:
            estate = estate.apply(plan().step_of[each].edits)
    raise AssertionError(f"no step {name}")


def test_every_reachable_state_of_the_district_keeps_all_promises() -> None:
    verdict = proved()
    assert [str(f) for f in verdict.findings if f.result != "pass"] == []
    assert verdict.result == "pass"
    assert verdict.states > len(plan().steps)


def test_turned_round_the_same_plan_fails_its_proof() -> None:
    # the positive twin of the test above: what it does not find cannot be missing by luck
    turned = {"reroute.mz1": "reroute.mz2", "reroute.mz2": "reroute.mz1"}
    waves = [
        wave.model_copy(update={"batches": tuple(tuple(turned.get(n, n) for n in batch) for batch in wave.batches)})
        for wave in plan().waves
    ]
    # not model_copy: a copy would carry cached values along
    verdict = verify(district(), Plan.model_validate({**plan().plain(), "waves": waves}), policy())
    assert verdict.result == "fail"
    assert {f.subject for f in verdict.findings if f.result == "fail"} == {"F-005"}


@pytest.mark.slow
def test_another_department_folds_as_safely() -> None:
    new = Newcomer("jt", (Site(True, False, "pe2"), Site(False, False, "pe1"), Site(True, False, "pe1")), leased=True)
    estate = with_newcomer(district(), new)
    rules = with_zones(policy(), new)
    verdict = verify(estate, build(estate, design(estate, rules), rules, "wangchao", "planner-1"), rules)
    assert [str(f) for f in verdict.findings if f.result != "pass"] == []


@pytest.mark.parametrize("system", ["990102-CZ-0001", "990102-MZ-0001"])
def test_data_can_be_copied_when_its_step_comes_and_no_longer_at_the_end(system: str) -> None:
    ready = state_before(f"copy.{system}")
    target = design(district(), policy()).target
    pairs = [pair for pair in moves(Way(district(), target, policy())) if _system_at(pair[0]) == system]
    assert pairs
    for estate, works in ((ready, True), (target, False)):
        for old, new in pairs:
            begin, end = place(estate, old), place(estate, new)
            assert begin is not None
            assert end is not None
            packet = Packet(
                source=str(begin.address), destination=str(end.address), protocol="tcp", destination_port=22
            )
            assert Simulator(estate).exchange(old, packet).works is works, (old, new)


@pytest.mark.parametrize("moves_away", [True, False])
def test_a_site_whose_router_does_not_have_its_prefix_is_told(moves_away: bool) -> None:
    """Half a configuration: the census claims the prefix, and nobody knows the port behind which the data lies."""
    rows = [row for table in district().tables().values() for row in table.values()]
    port = district().interfaces["mz1/lan0/192.168.10.1/24"]
    left_out = [port, *([] if moves_away else [w for w in district().workloads.values() if w.place == "mz-web"])]
    now = Estate.of(*(row for row in rows if row not in left_out))
    if not moves_away:
        assert build(now, design(now, policy()), policy(), "wangchao", "planner-1").steps
        return
    with pytest.raises(PlanError) as caught:
        build(now, design(now, policy()), policy(), "wangchao", "planner-1")
    assert str(caught.value) == (
        "data is copied from site mz-1, and mz1 is not configured with its prefix 192.168.10.0/24: "
        "correct the prefix in form F3 or read the device's whole configuration, then plan again"
    )


@pytest.mark.parametrize(
    ("successor", "disposition"),
    [("990102-MZ-0003", "retire"), ("990102-MZ-0002", "replace"), ("990102-CZ-0002", "merge")],
)
def test_nobody_is_taken_over_by_a_system_that_ends_itself(successor: str, disposition: str) -> None:
    """Its names would lead to what the same plan switches off; where no flow is registered nothing else tells."""
    shadow = district().systems["990102-CZ-0002"]
    assert "retire.990102-CZ-0002" in plan().step_of
    rows = [row for table in district().tables().values() for row in table.values() if row is not shadow]
    now = Estate.of(*rows, shadow.model_copy(update={"successor": successor}))
    with pytest.raises(PlanError) as caught:
        build(now, design(now, policy()), policy(), "wangchao", "planner-1")
    assert str(caught.value) == (
        f"990102-CZ-0002 is to be taken over by {successor}, which is given up itself ({disposition}): "
        "name the system that stays as its successor in form F1"
    )


def _system_at(host: str) -> str:
    return next(w.system for w in district().workloads.values() if w.place == host)


def test_traffic_leaves_a_line_before_its_rows_and_the_carrier_comes_last() -> None:
    order = {name: index for index, batch in enumerate(plan().batches()) for name in batch}
    assert order["reroute.mz2"] < order["reroute.mz1"] < order["clear.mz1.inet0"] < order["release.mz-inet"]
    assert order["release.mz-inet"] < order["consolidate.E-MZ-01"]
    assert plan().step_of["release.mz-inet"].mode == "manual"
    assert "LH-MZ-I001" in " ".join(plan().step_of["release.mz-inet"].checklist)


def test_trial_and_observation_days_lie_between() -> None:
    night = {name: wave.night for wave in plan().waves for batch in wave.batches for name in batch}
    trial = night["retire.990102-CZ-0001"] - night["cutover.990102-CZ-0001"]
    assert trial.days >= policy().trial_days
    observed = night["release.cz-line"] - night["clear.cz1.wan2"]
    assert observed.days >= policy().observation_days


def test_deadlines_are_met_and_a_late_start_misses_them() -> None:
    assert {(f.subject, f.result) for f in late(plan(), policy(), district())} == {
        (f"deadline {task}", "pass")
        for task in (
            "zombie_retired", "mail_unified", "mail_retired", "egress_consolidated", "private_network_folded",
            "cloud_migration", "cloud_migration_70_percent",
        )
    }  # fmt: skip
    slow = policy().model_copy(update={"planned_from": policy().t_zero.replace(year=2018, month=7)})
    late_plan = build(district(), design(district(), slow), slow, "wangchao", "planner-1")
    missed = {f.subject for f in late(late_plan, slow, district()) if f.result == "fail"}
    tasks = ("zombie_retired", "mail_unified", "mail_retired", "egress_consolidated", "cloud_migration_70_percent")
    assert missed == {f"deadline {task}" for task in tasks}


def test_of_a_share_only_so_many_steps_are_due() -> None:
    """Of two migrations both are seven tenths, rounded up; of four three are enough, and two are not."""
    part = next(one for one in policy().deadlines if one.task == "cloud_migration_70_percent")
    moves = [step for step in plan().steps if step.name.startswith("cutover.")]
    early, after = last_day(policy(), part.months) - timedelta(days=1), last_day(policy(), part.months)
    for all_of_them, in_time, result in ((2, 1, "fail"), (4, 3, "pass"), (4, 2, "fail")):
        steps = [moves[0].model_copy(update={"name": f"cutover.{number}"}) for number in range(all_of_them)]
        names = [step.name for step in steps]
        waves = [
            plan().waves[0].model_copy(update={"night": night, "batches": (tuple(some),)})
            for night, some in ((early, names[:in_time]), (after, names[in_time:]))
        ]
        systems = [district().systems[moves[0].system].model_copy(update={"code": str(n)}) for n in range(all_of_them)]
        now = Estate.of(*systems)
        moved = plan().model_copy(update={"steps": tuple(steps), "waves": tuple(waves)})
        held = policy().model_copy(update={"deadlines": (part,)})
        assert {finding.result for finding in late(moved, held, now)} == {result}


CLOUD = "deadline cloud_migration"
LEFT_OUT = "decide and complete them in the census, or watch over them yourself"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({}, f"{CLOUD} pass: 2 steps, the last on 2018-01-10, before 2019-01-01"),
        # nobody knows where it runs, so the plan cannot move it
        ({"workloads": {}}, f"{CLOUD} unknown: the plan ends 0 of 2, due are 2: not 990102-CZ-0001, 990102-MZ-0001"),
        (
            {"systems": {"990102-SJ-0001": "unknown"}},
            f"{CLOUD} unknown: the plan ends 2 of 3, due are 3: not 990102-SJ-0001",
        ),
        ({"systems": {"990102-CZ-0001": "keep"}}, f"{CLOUD} pass: 1 steps, the last on 2018-01-10, before 2019-01-01"),
        (
            {"systems": {"990102-CZ-0001": "keep", "990102-MZ-0001": "keep"}},
            f"{CLOUD} pass: 0 steps, nothing waits for it",
        ),
    ],
)
def test_what_a_plan_leaves_out_is_not_counted_as_done(tables: dict[str, dict[str, str]], said: str) -> None:
    estate = district()
    rows = {
        code: row.model_copy(update={"disposition": tables.get("systems", {}).get(code, row.disposition)})
        for code, row in estate.systems.items()
    }
    now = Estate.of(
        *rows.values(),
        *(
            row
            for table in estate.tables()
            if table != "systems"
            for row in tables.get(table, getattr(estate, table)).values()
        ),
    )
    rules = policy().model_copy(update={"deadlines": policy().deadlines[-1:]})
    found = late(build(now, design(now, rules), rules, "wangchao", "planner-1"), rules, now)
    assert [str(one).removesuffix(f"; {LEFT_OUT}") for one in found] == [said]


def test_a_deadline_of_a_task_that_nobody_knows_is_unknown() -> None:
    misspelt = policy().deadlines[0].model_copy(update={"task": "zombies_retired"})
    (found,) = late(plan(), policy().model_copy(update={"deadlines": (misspelt,)}), district())
    assert found.result == "unknown"
    assert "zombie_retired" in found.fix
