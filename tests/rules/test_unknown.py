"""A line nobody understood is never a pass: every rule that asks who reaches whom says unknown and names the line."""

from datetime import date

import pytest

from network_models.district import now
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of
from orchestrator.model.finding import Finding
from orchestrator.model.policy import Policy
from orchestrator.rules.moment import Moment
from orchestrator.rules.registry import rules
from orchestrator.vendors.parsed import Unparsed
from tests.proof.plans import whole_policy

LINE = Unparsed(device="fw1", file="configs/fw1/nftables.conf", line=7, text="meta mark 3 accept")
REACHING = ["R3", "R4", "R5", "R6", "R7", "R15", "R16", "R17"]


def judged(name: str, *lines: Unparsed, policy: Policy | None = None) -> list[Finding]:
    matrix = Matrix.of(now(), classes_of(now()), lines)
    moment = Moment(now(), policy or whole_policy(), date(2018, 1, 8), matrix)
    return list(next(rule for rule in rules() if rule.name == name).check(moment))


@pytest.mark.parametrize("name", REACHING)
def test_an_unread_line_on_the_boundary_makes_the_rule_unknown(name: str) -> None:
    assert {finding.result for finding in judged(name)} == {"pass"}
    found = [finding for finding in judged(name, LINE) if finding.result != "pass"]
    assert {finding.result for finding in found} == {"unknown"}
    reason = "packets may pass fw1: line not understood: configs/fw1/nftables.conf:7 'meta mark 3 accept'"
    assert {finding.what for finding in found} == {reason}


@pytest.mark.parametrize("name", REACHING)
def test_a_zone_that_the_policy_does_not_have_makes_the_rule_unknown(name: str) -> None:
    """Of a zone nobody knows no rule can tell whether it is the Internet, a department's or a domain's."""
    whole = whole_policy()
    without = whole.model_copy(update={"zones": tuple(zone for zone in whole.zones if zone.name != "internet")})
    found = {finding.what for finding in judged(name, policy=without) if finding.result == "unknown"}
    assert any(what.endswith("stands in the zone 'internet', of which the policy says nothing") for what in found)
