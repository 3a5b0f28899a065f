"""Verdicts: what breaks in the middle is found, what was broken before is told apart, nothing is passed on trust."""

import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from network_models.district import now
from orchestrator.errors import PlanError, RefusedError, StaleError
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.points import classes_of
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import Route
from orchestrator.model.plan import Plan
from orchestrator.proof import ProvenPlan, Verdict, prove, verify
from orchestrator.proof.judge import Judge
from orchestrator.proof.loops import Loops
from orchestrator.proof.stretches import walked
from orchestrator.rules.registry import rules_in_force
from orchestrator.vendors.parsed import Unparsed
from tests.proof.plans import (
    PORTAL,
    drop,
    in_waves,
    plan,
    policy,
    put,
    replace_entry,
    rule,
    spoilt_district,
    step,
    whole_policy,
)
from tests.whole import planned, proved

EGRESS = "E-MZ-01 is an exit of its own"


def against(verdict: Verdict) -> list[str]:
    """The findings that count against the plan, without those of the department egress that small plans leave."""
    found = [item for item in verdict.findings if item.result != "pass" and not item.existing]
    return [f"{item.subject} {item.result}: {item.what}" for item in found]


def test_the_order_of_edits_inside_a_step_matters() -> None:
    good = verify(now(), replace_entry(first_add=True), policy())
    assert (good.result, against(good)) == ("pass", [])
    bad = verify(now(), replace_entry(first_add=False), policy())
    assert bad.result == "fail"
    assert against(bad) == [
        (
            "F-010 fail: tcp 198.18.16.100 -> 198.18.64.10:443 from staff is dropped at fw1: "
            "filter default drop (adm0 > pub0), in 1 of 3 states, "
            "first: batch 1 with none done, replace stopped after 1 of 2 edits"
        )
    ]


def test_a_declared_outage_excuses_only_its_own_flow_and_only_while_the_step_is_under_way() -> None:
    assert verify(now(), replace_entry(first_add=False, outage=("F-010",)), policy()).result == "pass"
    assert verify(now(), replace_entry(first_add=False, outage=("F-009",)), policy()).result == "fail"
    removed = plan((step("remove", drop(now(), "filter_rules", "fw1/00100"), outage=("F-010",)),))
    lost = verify(now(), removed, policy())
    assert [item.split(" fail")[0] for item in against(lost)] == ["F-010"]


@pytest.mark.parametrize("wider", [False, True])
def test_a_finding_of_now_that_stands_for_more_on_the_way_is_a_new_one(*, wider: bool) -> None:
    """R6 names an entry and two zones, not each packet that it lets through."""
    loose = rule(120, **PORTAL, sources=("198.18.16.100/32",), flow="F-010")
    more = rule(120, **PORTAL, sources=("198.18.16.0/24",), flow="F-010")
    base = now().apply((put(loose),))
    change = Edit(table="filter_rules", key=loose.key, before=loose.plain(), after=more.plain())
    steps = [(step("widen", change),)] if wider else []
    gone = step("gone", drop(base.apply((change,)) if wider else base, "filter_rules", loose.key))
    verdict = verify(base, plan(*steps, (gone,), base=base), policy())
    [found] = [item for item in verdict.findings if item.subject == "R6" and item.result != "pass"]
    assert found.existing is not wider
    told = "; not before: guest ce1:lan0 198.18.16.254 to 198.18.64.10 with tcp/"
    assert (told in found.what) is wider
    assert "about" not in found.plain()


def test_two_steps_in_their_middle_at_one_moment_are_judged_together() -> None:
    """Two entries let the flow pass; each step renews one of them: only where both are away does it fail."""
    allowed: dict[str, object] = {**PORTAL, "ports": ((443, 443),), "sources": ("198.18.16.0/24",), "flow": "F-010"}
    base = now().apply((put(rule(110, **allowed)),))
    narrower = {**allowed, "sources": ("198.18.16.100/32",)}
    first = drop(base, "filter_rules", "fw1/00100"), put(rule(130, **narrower))
    second = drop(base, "filter_rules", "fw1/00110"), put(rule(140, **allowed))
    together = verify(base, plan((step("a", *first), step("b", *second)), base=base), policy())
    assert against(together) == [
        (
            "F-010 fail: tcp 198.18.16.100 -> 198.18.64.10:443 from staff is dropped at fw1: "
            "filter default drop (adm0 > pub0), in 1 of 9 states, "
            "first: batch 1 with none done, a stopped after 1 of 2 edits, b stopped after 1 of 2 edits"
        )
    ]
    for steps in (
        ((step("a", *first),), (step("b", *second),)),
        ((step("a", *first), step("b", *second, outage=("F-010",))),),
        ((step("a", *first, outage=("F-010",)), step("b", *second)),),
    ):
        assert verify(base, plan(*steps, base=base), policy()).result == "pass"


def test_parallel_steps_are_judged_in_every_order() -> None:
    """One of two steps side by side makes a loop, whether the other is done or not."""
    away = Route.model_validate({"device": "cz2", "prefix": "10.8.1.10/32", "next_hop": "10.8.254.1"})
    back = Route.model_validate({"device": "cz1", "prefix": "10.8.1.10/32", "next_hop": "10.8.254.2"})
    both = plan((step("a", put(away)), step("b", put(back))))
    verdict = verify(now(), both, policy())
    assert verdict.result == "fail"
    near = "F-001 fail: loop: tcp 192.168.10.100 -> 10.8.1.10:8080 from cz-user3 goes round over cz1, cz2"
    far = "F-001 fail: loop: tcp 10.8.2.100 -> 10.8.1.10:8080 from cz-user2 goes round over cz1, cz2"
    assert against(verdict) == [
        f"{near}, in 2 of 4 states, first: batch 1 with b done",
        f"{far}, in 1 of 4 states, first: batch 1 with b done",
        f"{far}, in 1 of 4 states, first: after batch 1",
        "loops fail: loop: packets to 10.8.1.10 go round over cz1, cz2, in 2 of 4 states, first: batch 1 with b done",
    ]
    alone = verify(now(), plan((step("a", put(away)),)), policy())
    assert against(alone) == []
    assert "loops" not in {item.subject for item in alone.findings}


def test_a_hole_open_only_in_the_middle_is_found_by_the_rule_with_its_packet() -> None:
    wide = rule(120, **PORTAL, ports=((22, 22),), sources=("198.18.16.100/32",), flow="F-010")
    opened = now().apply((put(wide),))
    there_and_back = plan((step("open", put(wide)),), (step("close", drop(opened, "filter_rules", "fw1/00120")),))
    verdict = verify(now(), there_and_back, policy())
    assert verdict.result == "fail"
    assert against(verdict) == [
        (
            "R4 fail: staff (common-adm) reaches portal (common-pub) with tcp/22 without a registered flow, "
            "in 1 of 3 states, first: after batch 1"
        )
    ]
    finding = verdict.failures()[0]
    assert finding.trace is not None
    assert str(finding.trace.packet) == "tcp 198.18.16.100 -> 198.18.64.10:22"
    assert str(finding.where) == "estate filter_rules[fw1/00120]"
    assert verify(now(), plan(), policy()).result == "pass"


def test_what_was_broken_before_is_told_apart_must_not_grow_and_must_be_gone_at_the_end() -> None:
    hole = rule(120, **PORTAL, ports=((22, 22),), sources=("198.18.16.100/32",), flow="F-010")
    broken = now().apply((put(hole),))
    repair = plan((step("repair", drop(broken, "filter_rules", "fw1/00120")),), base=broken)
    repaired = verify(broken, repair, policy())
    assert repaired.result == "pass"
    told = [item for item in repaired.findings if item.result == "fail"]
    assert [(item.subject, item.existing) for item in told] == [("R4", True)]
    left = verify(broken, plan(base=broken), policy())
    assert (left.result, [item.existing for item in left.findings if item.result == "fail"]) == ("fail", [False])
    worse = rule(130, **PORTAL, ports=((23, 23),), sources=("198.18.16.100/32",), flow="F-010")
    both = broken.apply((put(worse),))
    grown = plan(
        (step("worse", put(worse)),),
        (step("repair", drop(both, "filter_rules", "fw1/00130"), drop(both, "filter_rules", "fw1/00120")),),
        base=broken,
    )
    assert "R4 fail: staff (common-adm) reaches portal (common-pub) with tcp/23 without a registered flow" in str(
        against(verify(broken, grown, policy()))
    )


def test_who_could_not_ask_before_does_not_hide_who_cannot_ask_on_the_way() -> None:
    """One terminal of an organisation has no cable in `now`; the plan cuts another one off for a while."""
    cable = next(row for row in now().links.values() if "cz-user1" in (row.a_node, row.b_node))
    gone = cable.model_copy(update={"state": "released"})
    cut = Edit(table="links", key=cable.key, before=cable.plain(), after=gone.plain())
    base = now().apply((cut,))
    nowhere = put(Route.model_validate({"device": "cz2", "prefix": "10.8.1.10/32", "next_hop": None}))
    mend = step("mend", cut.undo())
    spoilt = plan((step("spoil", nowhere),), (step("unspoil", nowhere.undo()),), (mend,), base=base)
    verdict = verify(base, spoilt, policy())
    assert verdict.result == "fail"
    assert [one for one in against(verdict) if not one.startswith("R")] == [
        (
            "F-001 fail: tcp 10.8.2.100 -> 10.8.1.10:8080 from cz-user2 is dropped at cz2: null route 10.8.1.10/32, "
            "in 1 of 4 states, first: after batch 1"
        )
    ]
    repaired = verify(base, plan((mend,), base=base), policy())
    assert repaired.result == "pass"
    told = "tcp 10.8.1.100 -> 10.8.1.10:8080 from cz-user1 is dropped at cz-user1: not cabled, in 1 of 2 states"
    assert [item.what for item in repaired.findings if item.subject == "F-001"] == [f"{told}, first: now"]


def test_an_expired_exception_excuses_nothing() -> None:
    grants = [item.plain() for item in whole_policy().exceptions]
    assert verify(now(), plan(), policy()).result == "pass"
    expired = policy(exceptions=[{**grant, "expires": date(2017, 12, 31)} for grant in grants])
    verdict = verify(now(), plan(), expired)
    assert against(verdict) == [
        f"R17 fail: {EGRESS} (the exception X-2017-011 expired on 2017-12-31), in 1 of 1 states, first: now"
    ]


@pytest.mark.parametrize(("last_day", "result"), [(6, "pass"), (7, "pass"), (8, "fail"), (14, "fail"), (15, "pass")])
def test_what_stands_between_two_nights_is_held_to_what_counts_on_the_later_one(last_day: int, result: str) -> None:
    """An excused hole is closed by the first edit of the second night; its exception may end before that night.

    One that ends before the first night is broken before any step, and mended.
    """
    hole = put(rule(120, **PORTAL, ports=((22, 22),), sources=("198.18.16.100/32",), flow="F-010"))
    base, elsewhere = (
        now().apply((hole,)),
        Route.model_validate({"device": "ce1", "prefix": "10.9.0.0/24", "next_hop": None}),
    )
    batches = (step("elsewhere", put(elsewhere)),), (step("close", hole.undo()),)
    nights = date(2018, 1, 8), date(2018, 1, 15)
    grant = {"code": "X", "rule": "R4", "row": "filter_rules[fw1/00120]", "expires": date(2018, 1, last_day)}
    words = {"reason": "", "approver": "", "document": ""}
    granted = policy(
        exceptions=[*whole_policy().plain()["exceptions"], {**grant, **words}], planned_from=date(2018, 1, 7)
    )
    verdict = verify(base, in_waves(plan(*batches, base=base), *nights), granted)
    assert verdict.result == result
    what = f"without a registered flow (the exception X expired on 2018-01-{last_day:02})"
    told = f"R4 fail: staff (common-adm) reaches portal (common-pub) with tcp/22 {what}"
    assert against(verdict) == ([f"{told}, in 1 of 4 states, first: after batch 1, on 2018-01-15"] * (result == "fail"))


def test_only_a_proof_makes_a_proven_plan() -> None:
    good = replace_entry(first_add=True)
    proven = prove(now(), good, policy())
    assert isinstance(proven, ProvenPlan)
    assert proven.plan is good
    with pytest.raises(RefusedError, match=r"^the proof says fail: F-010 fail: .*: run 'onefold prove' to see all$"):
        prove(now(), replace_entry(first_add=False), policy())
    with pytest.raises(PlanError, match=re.escape("only prove() makes a ProvenPlan: run 'onefold prove' on the plan")):
        ProvenPlan("forged", good, proven.verdict)  # type: ignore[arg-type]  # the forgery is the test


def test_a_plan_of_another_estate_or_with_another_end_is_refused() -> None:
    the_plan = replace_entry(first_add=True)
    with pytest.raises(StaleError, match=r"^the plan is for estate "):
        verify(Estate(), the_plan, policy())
    with pytest.raises(PlanError, match=r"^the plan's steps do not lead to the estate it names"):
        verify(now(), the_plan.model_copy(update={"leads_to": "0" * 64}), policy())


@pytest.fixture(scope="module")
def district() -> Plan:
    return planned()


def test_the_district_is_proved_in_every_state() -> None:
    verdict = proved()
    assert [str(item) for item in verdict.findings if item.result != "pass"] == []
    assert verdict.result == "pass"
    subjects = {item.subject for item in verdict.findings}
    assert subjects == {*(f"R{number}" for number in (1, 2, 3, 4, 5, 6, 7, 11, 15, 16, 17, 20, 22, 27)),
                        *(flow.code for flow in whole_policy().flows)}  # fmt: skip
    assert verdict.states > 100
    assert verdict.walked < verdict.states * 50


def assert_same(one: Verdict, other: Verdict) -> None:
    """Engine and simulator say the same: every finding with its text, place and trace, and all counts."""
    without_loops = [item for item in one.findings if item.subject != "loops"]  # those only the engine tells
    assert without_loops == list(other.findings)
    assert (one.result, one.states, one.packets) == (other.result, other.states, other.packets)
    assert one.walked < other.walked
    assert (one.proof["engine"], other.proof["engine"]) == ("forwarding-1, explained by plain-1", "plain-1")


def test_engine_and_simulator_give_the_district_the_same_verdict(district: Plan) -> None:
    assert_same(proved(), verify(now(), district, whole_policy(), plain=True))


def test_both_find_the_same_when_a_step_comes_too_early() -> None:
    spoilt = spoilt_district("readdress.cz-2", "alongside.cz2")
    one, other = (verify(now(), spoilt, whole_policy(), plain=plain) for plain in (False, True))
    assert {item.subject for item in other.failures()} == {"F-001", "F-012"}
    assert {item.subject for item in one.failures()} == {"F-001", "F-012", "loops"}
    assert_same(one, other)


def test_both_do_not_know_what_an_unread_line_could_change() -> None:
    line = Unparsed(device="pe2", file="configs/pe2/frr.conf", line=7, text="pbr-map X seq 1")
    one, other = (verify(now(), plan(), policy(), unparsed=(line,), plain=plain) for plain in (False, True))
    assert one.result == "unknown"
    assert_same(one, other)


def _with(the_plan: Plan, **fields: object) -> Plan:
    """The plan with other fields; a copy would carry the remembered steps along."""
    return Plan.model_construct(**{**{name: getattr(the_plan, name) for name in Plan.model_fields}, **fields})


def _without_edit(district: Plan, name: str, index: int) -> tuple[Edit, Plan]:
    """The plan with one edit of one step left out."""
    left_out = district.step_of[name].edits[index]
    steps = [
        one.model_copy(update={"edits": tuple(edit for edit in one.edits if edit is not left_out)})
        for one in district.steps
    ]
    return left_out, _with(district, steps=tuple(steps))


def _missed_at_the_end(plan_without: Plan) -> bool:
    """Whether the last batch of a plan, judged by itself, fails."""
    first = EngineMatrix.of(now(), classes_of(now(), [], [(f.protocol, f.port) for f in whole_policy().flows]))
    judge = Judge(plan_without, whole_policy(), {}, rules_in_force(whole_policy()), Loops.since(first))
    found = walked(plan_without, first, judge, range(len(plan_without.batches()), len(plan_without.batches()) + 1))
    return any(seen.finding.result == "fail" and seen.at_end for seen in found.judge.seen.values())


def test_a_route_or_filter_entry_forgotten_in_the_district_plan_is_noticed(district: Plan) -> None:
    """Two added filter entries and every twelfth added route, of those that stay to the end."""
    put_in = [
        (one.name, index, edit)
        for one in district.steps
        for index, edit in enumerate(one.edits)
        if edit.before is None and edit.table in ("filter_rules", "routes")
    ]
    edited = [(edit.table, edit.key) for one in district.steps for edit in one.edits]
    lasting = [item for item in put_in if edited.count((item[2].table, item[2].key)) == 1]
    chosen = [item for item in lasting if item[2].table == "filter_rules"][:2]
    chosen += [item for item in lasting if item[2].table == "routes"][::12]
    assert len(chosen) >= 4
    assert not _missed_at_the_end(district)
    for name, index, _edit in chosen:
        left_out, without = _without_edit(district, name, index)
        assert _missed_at_the_end(without), f"nobody misses {left_out.table}[{left_out.key}] of {name}"


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_plan_and_its_way_back_are_both_proved(data: st.DataObject) -> None:
    """Whatever passes forwards passes backwards: the states are the same, only the ends change places."""
    sources = data.draw(
        st.sets(st.sampled_from(["198.18.16.0/25", "198.18.16.128/25", "198.18.16.100/32"]), min_size=1)
    )
    entry = rule(105, **PORTAL, ports=((443, 443),), sources=tuple(sorted(sources)), flow="F-010")
    there = step("there", put(entry))
    target = now().apply(there.edits)
    forward = verify(now(), plan((there,)), policy())
    back = verify(target, plan((step("back", *there.undo()),), base=target), policy())
    middle = {item.subject for item in forward.findings if item.result == "fail" and item.subject != "R7"}
    assert middle == {item.subject for item in back.findings if item.result == "fail" and item.subject != "R7"}
