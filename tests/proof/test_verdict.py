"""What stands with a verdict: lines nobody read, facts it rests on, what it does not cover, where a failure stands."""

from network_models.district import now
from orchestrator.model.cloud import SecurityGroup, SecurityRule, Tenant
from orchestrator.model.finding import Fact, Where
from orchestrator.proof import verify
from orchestrator.vendors.parsed import Unparsed
from tests.proof.plans import drop, plan, policy, put, replace_entry, step


def test_a_step_that_adds_to_a_cloud_and_takes_away_is_told_as_not_covered() -> None:
    group = SecurityGroup(tenant="cz", name="web")
    rules = [
        SecurityRule.model_validate(
            {"tenant": "cz", "group": "web", "direction": "ingress", "protocol": "tcp", "ports": (port, port)}
        )
        for port in (80, 443)
    ]
    base = now().with_nouns(Tenant(name="cz", cloud="c", organisation="990102-CZ", zone="vpn-cz"), group, rules[0])
    mixed = step("mixed", put(rules[1]), drop(base, "security_rules", rules[0].key))
    told = verify(base, plan((mixed,), base=base), policy()).limits
    assert "mixed adds to a cloud and takes away from it: " in "\n".join(told)
    parted = (step("adds", put(rules[1])),), (step("takes", drop(base, "security_rules", rules[0].key)),)
    assert "adds to a cloud" not in "\n".join(verify(base, plan(*parted, base=base), policy()).limits)


def test_a_line_nobody_understood_makes_the_verdict_unknown_and_names_the_line() -> None:
    line = Unparsed(device="fw1", file="configs/fw1/nftables.conf", line=7, text="ip saddr 10.0.0.0/8 drop")
    verdict = verify(now(), plan(), policy(), unparsed=(line,))
    assert verdict.result == "unknown"
    reason = "line not understood: configs/fw1/nftables.conf:7 'ip saddr 10.0.0.0/8 drop'"
    assert any(item.subject == "R4" and reason in item.what for item in verdict.findings if item.result == "unknown")
    flows = [item for item in verdict.findings if item.subject == "F-010" and item.result == "unknown"]
    assert any(reason in item.what for item in flows)
    advice = "make what is named here readable or take it out, then read the configuration again"
    assert {item.fix for item in flows} == {advice}
    assert verdict.proof["unparsed"] == ["configs/fw1/nftables.conf:7"]


def test_a_proof_names_the_claimed_facts_on_which_it_rests() -> None:
    where = Where(source="topology.yaml", line=3)
    facts = [
        Fact(row="links[cz-line]", standing="claimed", where=where),
        Fact(row="routes[cz1/default/10.8.2.0/24/10.8.254.2]", standing="configured", where=where),
        Fact(row="organisations[cz]", standing="claimed", where=where),
    ]
    assert [fact.row for fact in verify(now(), plan(), policy(), facts=facts).rests_on] == ["links[cz-line]"]


def test_a_failure_names_the_file_and_line_of_its_row() -> None:
    where = Where(source="configs/fw1/nftables.conf", line=12)
    facts = [Fact(row="filters[fw1]", standing="configured", where=where)]
    verdict = verify(now(), replace_entry(first_add=False), policy(), facts=facts)
    (finding,) = verdict.failures()
    assert str(finding.where) == "configs/fw1/nftables.conf:12 filters[fw1]"
    assert finding.trace is not None
    assert finding.trace.hops[-1].where == where


def test_the_same_inputs_give_the_same_proof() -> None:
    one, other = (verify(now(), replace_entry(first_add=True), policy()).proof for _time in range(2))
    assert one == other
    assert one["plan"] == replace_entry(first_add=True).hash
