"""Packets that a step sends round break the plan, also where no flow and no rule asks; those that went round before do
not, as long as neither more of them go round nor over other devices.
"""

from network_models.district import now
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host, Route
from orchestrator.proof import Verdict, verify
from orchestrator.proof.replan import reordered
from tests.proof.plans import drop, plan, policy, put, step

ALONE = policy()  # no flow of it goes to the database that loses its packets here


def route(device: str, next_hop: str, prefix: str = "10.8.1.20/32") -> Route:
    return Route.model_validate({"device": device, "prefix": prefix, "next_hop": next_hop})


AWAY, BACK = route("cz2", "10.8.254.1"), route("cz1", "10.8.254.2")
LOOP = "loop: packets to 10.8.1.20 go round over cz1, cz2"


def before(*rows: Route | Host) -> Estate:
    """The district with these rows."""
    return now().apply(tuple(put(row) for row in rows))


def loops(verdict: Verdict) -> list[tuple[str, bool, str]]:
    return [(item.result, item.existing, item.what) for item in verdict.findings if item.subject == "loops"]


def test_a_loop_that_a_step_makes_breaks_the_plan_though_nothing_is_promised_there() -> None:
    verdict = verify(now(), plan((step("back", put(BACK)),)), ALONE)
    assert verdict.result == "fail"
    assert loops(verdict) == [("fail", False, f"{LOOP}, in 1 of 2 states, first: after batch 1")]
    trace = next(item for item in verdict.failures() if item.subject == "loops").trace
    assert trace is not None
    assert (trace.start, str(trace.packet.destination), trace.outcome) == ("cz-stats", "10.8.1.20", "dropped")
    harmless = verify(now(), plan((step("away", put(AWAY)),)), ALONE)
    assert (harmless.result, loops(harmless)) == ("pass", [])


def test_a_loop_only_on_the_way_breaks_the_plan_too() -> None:
    there_and_back = plan((step("make", put(BACK)),), (step("mend", drop(before(BACK), "routes", BACK.key)),))
    verdict = verify(now(), there_and_back, ALONE)
    assert verdict.result == "fail"
    assert loops(verdict) == [("fail", False, f"{LOOP}, in 1 of 3 states, first: after batch 1")]


def test_an_old_loop_is_told_apart_whether_it_stays_or_goes() -> None:
    base = before(BACK)
    stays = verify(base, plan((step("away", put(AWAY)),), base=base), ALONE)
    assert stays.result == "pass"
    assert [(result, existing) for result, existing, _what in loops(stays)] == [("fail", True)]
    assert loops(stays)[0][2].startswith(f"{LOOP} (from ")
    assert loops(stays)[0][2].endswith("before any step, in 2 of 2 states")
    mended = verify(base, plan((step("mend", drop(base, "routes", BACK.key)),), base=base), ALONE)
    assert mended.result == "pass"
    assert loops(mended)[0][2].endswith("before any step, in 1 of 2 states")


def test_an_old_loop_may_not_come_to_go_over_another_device() -> None:
    base = before(BACK)
    moved = plan((step("move", drop(base, "routes", BACK.key), put(route("cz1", "10.8.254.6"))),), base=base)
    verdict = verify(base, moved, ALONE)
    assert verdict.result == "fail"
    over = "loop: packets to 10.8.1.20 go round over cz1, cz3"
    assert ("fail", False, f"{over}, in 1 of 3 states, first: after batch 1") in loops(verdict)


def test_an_old_loop_may_not_draw_in_who_did_not_meet_it() -> None:
    """A null route keeps the packets of one office out of it, until a step takes it away."""
    kept = Route.model_validate({"device": "cz3", "prefix": "10.8.1.20/32", "next_hop": None})
    base = before(BACK, kept)
    assert verify(base, plan(base=base), ALONE).result == "pass"
    verdict = verify(base, plan((step("open", drop(base, "routes", kept.key)),), base=base), ALONE)
    assert verdict.result == "fail"
    assert ("fail", False, f"{LOOP}, in 1 of 2 states, first: after batch 1") in loops(verdict)


def test_a_new_address_in_an_old_loop_makes_no_new_one() -> None:
    """Nobody asked for the address in `now`; asked there, its packets go round as they do later."""
    wide = route("cz1", "10.8.254.2", "10.8.1.192/26")
    fresh = Host.model_validate({**now().hosts["cz-db"].plain(), "name": "cz-new", "address": "10.8.1.200/24"})
    base = before(wide)
    known = verify(base, plan((step("host", put(fresh)),), base=base), ALONE)
    assert known.result == "pass"
    assert {existing for _result, existing, _what in loops(known)} == {True}
    assert "10.8.1.200" in loops(known)[0][2]
    both = verify(now(), plan((step("host", put(fresh)),), (step("wide", put(wide)),)), ALONE)
    assert both.result == "fail"
    assert {existing for _result, existing, _what in loops(both)} == {False}


def test_an_order_without_a_loop_is_found() -> None:
    """The way back is taken away before the new one stands: between them packets go round."""
    base = before(Route.model_validate({"device": "cz1", "prefix": "10.8.1.20/32", "next_hop": None}))
    null = next(row for row in base.routes.values() if row.prefix.prefixlen == 32)
    stop = Route.model_validate({"device": "cz2", "prefix": "10.8.1.20/32", "next_hop": None})
    turned = step("turn", drop(base, "routes", null.key), put(BACK))
    spoilt = plan((turned,), (step("stop", put(stop)),), base=base)
    assert [item.subject for item in verify(base, spoilt, ALONE).failures()] == ["loops"]
    found = reordered(base, spoilt, ALONE)
    assert found.verdict.result == "pass"
    assert [name for batch in found.plan.batches() for name in batch] == ["stop", "turn"]
