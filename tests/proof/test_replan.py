"""A plan whose order breaks a promise gets one that does not; where there is none, the conflict is named."""

from datetime import date
from ipaddress import IPv4Address

import pytest

from network_models.district import now
from orchestrator.design import design
from orchestrator.model.estate import Edit
from orchestrator.model.network import FilterRule, Host
from orchestrator.model.plan import Plan
from orchestrator.plan import build
from orchestrator.proof import step_world, verify
from orchestrator.proof.order import Conflict
from orchestrator.proof.replan import reordered, way_out
from orchestrator.proof.step_world import StepWorld
from tests.design.estates import policy as policy_of_the_whole
from tests.proof.plans import drop, in_waves, plan, policy, put, spoilt_district, step, whole_policy
from tests.whole import planned

PORTAL = {
    "device": "fw1",
    "action": "accept",
    "in_interfaces": ("adm0",),
    "out_interfaces": ("pub0",),
    "sources": ("198.18.16.0/24",),
    "destinations": ("198.18.64.10/32",),
    "protocol": "tcp",
    "ports": ((443, 443),),
    "flow": "F-010",
}


def entry(sequence: int, **more: object) -> FilterRule:
    return FilterRule.model_validate({**PORTAL, "sequence": sequence, **more})


def names(of: Plan) -> list[str]:
    return [name for batch in of.batches() for name in batch]


def test_a_safe_plan_is_left_as_it_is() -> None:
    good = plan((step("add", put(entry(110))),), (step("remove", drop(now(), "filter_rules", "fw1/00100")),))
    found = reordered(now(), good, policy())
    assert found.plan is good
    assert found.verdict.result == "pass"
    assert found.said == ()


def test_a_spoilt_order_is_mended_and_proved() -> None:
    """The entry that goes is taken out before the one that replaces it is there."""
    spoilt = plan((step("remove", drop(now(), "filter_rules", "fw1/00100")),), (step("add", put(entry(110))),))
    assert verify(now(), spoilt, policy()).result == "fail"
    found = reordered(now(), spoilt, policy())
    assert names(found.plan) == ["add", "remove"]
    assert found.verdict.result == "pass"
    assert found.verdict.proof["plan"] == found.plan.hash
    assert [item.what for item in found.said] == [
        "the first order broke F-010 on the way; in the order of this plan all hold: moved are add, remove"
    ]


def test_a_search_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = plan((step("remove", drop(now(), "filter_rules", "fw1/00100")),), (step("add", put(entry(110))),))
    for every, told in ((1, True), (100, False)):
        heard: list[str] = []
        monkeypatch.setattr(step_world, "TELL", every)
        assert names(reordered(now(), spoilt, policy(), progress=heard.append).plan) == ["add", "remove"]
        assert ("looking for a safe order: 2 steps tried" in heard) is told


def test_what_breaks_at_the_end_alone_is_no_matter_of_order() -> None:
    """Rules of both ends, flows of the target, exceptions that expire before the last night: nothing is searched."""
    useless = entry(500, sources=("198.18.16.100/32",), flow="F-999")
    two = plan((step("useless", put(useless)), step("idle")))
    late = whole_policy().flows[2].model_copy(update={"code": "T-1", "destination": "host:nobody"})
    grant = next(one for one in whole_policy().exceptions if one.rule == "R17")
    expiring = grant.model_copy(update={"expires": date(2018, 1, 7)})
    for pack, code in (
        (policy(), "R7"),
        (policy(flows=[*policy().flows, late]), "T-1"),
        (policy(exceptions=[expiring], planned_from=date(2018, 1, 7)), "R17"),
    ):
        heard: list[str] = []
        found = reordered(now(), two, pack, progress=heard.append)
        assert code in {item.subject for item in found.verdict.failures()}
        assert (found.plan, found.said) == (two, ())
        assert not [line for line in heard if "order" in line]


def test_what_a_date_breaks_is_no_matter_of_order() -> None:
    """A trial that is longer than the exception for the exit that goes after it: nothing is searched."""
    pack = policy_of_the_whole().model_copy(update={"trial_days": 180})
    long = build(now(), design(now(), pack), pack, "wangchao", "planner-1")
    heard: list[str] = []
    found = reordered(now(), long, pack, progress=heard.append)
    (late,) = found.verdict.failures()
    assert (late.subject, "the exception X-2017-011 expired on 2018-06-30" in late.what) == ("R17", True)
    assert (found.plan, found.said) == (long, ())
    assert not [line for line in heard if "order" in line]


def test_a_step_that_is_too_early_by_a_night_is_delayed_to_a_later_one() -> None:
    """Inside the waves there is no order: the entry goes on Monday, the one that replaces it comes on Tuesday."""
    gone, come = step("remove", drop(now(), "filter_rules", "fw1/00100")), step("add", put(entry(110)))
    monday, tuesday, wednesday = date(2018, 1, 8), date(2018, 1, 9), date(2018, 1, 10)
    spoilt = in_waves(plan((gone, step("idle")), (come,), (step("last"),)), monday, tuesday, wednesday)
    assert verify(now(), spoilt, policy()).result == "fail"
    found = reordered(now(), spoilt, policy())
    assert found.verdict.result == "pass"
    assert [(wave.night, wave.title, [n for names in wave.batches for n in names]) for wave in found.plan.waves] == [
        (monday, "wave 1", ["idle"]),
        (tuesday, "wave 2", ["add", "remove"]),
        (wednesday, "wave 3", ["last"]),
    ]
    assert found.verdict.proof["plan"] == found.plan.hash != spoilt.hash
    told = "moved are add, remove; delayed are remove to 2018-01-09"
    assert [(item.result, item.what) for item in found.said] == [
        ("pass", f"the first order broke F-010 on the way; in the order of this plan all hold: {told}")
    ]


def test_an_order_without_a_free_night_is_told_and_not_taken() -> None:
    """Both steps need the whole window, so that they cannot share the night that the order asks for."""
    fields = {"outage_minutes": 24 * 60 - 1, "devices": ("fw1",)}
    gone = step("remove", drop(now(), "filter_rules", "fw1/00100")).model_copy(update=fields)
    come = step("add", put(entry(110))).model_copy(update=fields)
    spoilt = in_waves(plan((gone,), (come,)), date(2018, 1, 8), date(2018, 1, 9))
    found = reordered(now(), spoilt, policy())
    assert (found.plan, found.verdict.result) == (spoilt, "fail")
    assert [(item.result, item.what[:46]) for item in found.said] == [
        ("unknown", "an order that breaks no promise was found, but")
    ]


def test_steps_of_a_batch_that_may_not_meet_are_taken_apart() -> None:
    """Side by side any subset may be done, one of which breaks the flow."""
    spoilt = plan((step("remove", drop(now(), "filter_rules", "fw1/00100")), step("add", put(entry(110)))))
    found = reordered(now(), spoilt, policy())
    assert found.plan.batches() == (("add",), ("remove",))
    assert found.verdict.result == "pass"


def moved_portal() -> Edit:
    """The portal gets another address in one piece."""
    old = now().hosts["portal"]
    address = f"{IPv4Address('198.18.64.20')}/{old.address.network.prefixlen}"
    new = Host.model_validate({**old.plain(), "address": address})
    return Edit(table="hosts", key="portal", before=old.plain(), after=new.plain())


def without_order() -> Plan:
    """The entry moves in one piece, the host too: whichever is first, the flow is cut in between."""
    there = entry(100, destinations=("198.18.64.20/32",))
    before = now().filter_rules["fw1/00100"]
    follow = Edit(table="filter_rules", key="fw1/00100", before=before.plain(), after=there.plain())
    idle = step("idle", put(entry(115, sources=("198.18.16.200/32",))))
    return plan((step("host", moved_portal()),), (idle,), (step("entry", follow),))


def test_steps_that_exclude_each_other_are_named_with_the_promise() -> None:
    impossible = without_order()
    found = reordered(now(), impossible, policy("F-010"))
    assert found.plan is impossible
    assert found.verdict.result == "fail"
    (said,) = (item for item in found.said if item.subject == "order")
    assert (said.result, said.what, said.fix) == (
        "fail",
        "no order of the steps keeps every promise: host and entry exclude F-010",
        "free one of these steps (split it, or let it do less), or declare the flow in its outage",
    )


def test_no_outage_is_offered_where_steps_break_a_rule() -> None:
    """An outage excuses flows alone."""
    world = StepWorld(now(), without_order(), policy("F-010"), (), ())
    ways = [
        way_out(Conflict((0, 2), promises, (), (0, 1, 2), two_phase=True), world)
        for promises in (("R4 fw1: tcp 443",), ("R4 fw1: tcp 443", "F-010"))
    ]
    assert ways == [
        "free one of these steps (split it, or let it do less)",
        "free one of these steps (split it, or let it do less), or declare the flow in its outage",
    ]


def test_what_no_order_can_mend_is_not_searched_for() -> None:
    lost = plan((step("remove", drop(now(), "filter_rules", "fw1/00100")),))
    found = reordered(now(), lost, policy())
    assert (found.plan, found.said) == (lost, ())
    assert found.verdict.result == "fail"


def test_the_spoilt_district_is_put_right_inside_its_waves() -> None:
    """Hosts get their new addresses before the gateway has one beside them: two departments' flows are cut."""
    found = reordered(now(), spoilt_district("readdress.cz-2", "alongside.cz2"), whole_policy())
    assert found.verdict.result == "pass"
    what = (
        "the first order broke F-001, F-012, loops on the way; in the order of this plan all hold: "
        "moved are retire.990102-CZ-0002, alongside.cz2, readdress.cz-2"
    )
    assert [item.what for item in found.said] == [what]
    assert [wave.night for wave in found.plan.waves] == [wave.night for wave in planned().waves]
    assert found.plan.target(now()).digest == found.plan.leads_to


def test_the_good_district_keeps_its_bytes() -> None:
    found = reordered(now(), planned(), whole_policy())
    assert found.plan.text() == planned().text()
    assert found.said == ()
