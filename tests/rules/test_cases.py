"""Golden cases beside the rules: every rule has at least one that passes and one that fails, told word for word."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import orchestrator.rules as folder
from network_models.district import now
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.points import classes_of
from orchestrator.forwarding.world import ROUTING_TABLES
from orchestrator.intake.policy import read_policy
from orchestrator.model.estate import NOUN_OF, Estate
from orchestrator.model.policy import Policy
from orchestrator.proof.judge import REACH_TABLES
from orchestrator.rules.moment import Moment
from orchestrator.rules.registry import rules

CASES = Path(folder.__path__[0]) / "cases"
POLICY = read_policy(Path(__file__).parents[2] / "network_models" / "wangchao" / "policy.yaml")


def _cases() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        found += [(path.stem, case) for case in yaml.safe_load(path.read_text(encoding="utf-8"))]
    return found


def _estate(case: dict[str, Any]) -> Estate:
    """`base` district or empty; `remove` rows, `change` fields of rows, `add` rows by table."""
    estate = now() if case["base"] == "district" else Estate()
    tables = {name: dict(rows) for name, rows in estate.tables().items()}
    for table, keys in case.get("remove", {}).items():
        for key in keys:
            del tables[table][key]
    for table, rows in case.get("change", {}).items():
        for key, fields in rows.items():
            changed = NOUN_OF[table].model_validate({**tables[table].pop(key).plain(), **fields})
            tables[table][changed.key] = changed
    for table, rows in case.get("add", {}).items():
        for fields in rows:
            noun = NOUN_OF[table].model_validate(fields)
            assert noun.key not in tables[table]
            tables[table][noun.key] = noun
    return Estate.of(*[noun for rows in tables.values() for noun in rows.values()])


def _policy(case: dict[str, Any]) -> Policy:
    return Policy.model_validate({**POLICY.plain(), **case.get("policy", {})})


@pytest.mark.parametrize(
    ("rule_name", "case"), [pytest.param(*item, id=f"{item[0]}: {item[1]['name']}") for item in _cases()]
)
def test_a_case_is_judged_word_for_word(rule_name: str, case: dict[str, Any]) -> None:
    estate, policy = _estate(case), _policy(case)
    rule = next(rule for rule in rules() if rule.name == rule_name)
    ports = [(flow.protocol, flow.port) for flow in policy.flows]
    matrix = Matrix.of(estate, classes_of(estate, (), ports))
    moment = Moment(estate, policy, case.get("on", date(2018, 1, 8)), matrix, final=case.get("final", False))
    assert [str(finding) for finding in rule.check(moment)] == case["says"]


def test_every_rule_has_a_case_that_passes_and_one_that_fails() -> None:
    told: dict[str, set[str]] = {rule.name: set() for rule in rules()}
    for name, case in _cases():
        told[name] |= {line.split()[1].rstrip(":") for line in case["says"]}
    assert {name: sorted({"pass", "fail"} - results) for name, results in told.items()} == {name: [] for name in told}


def test_the_boundary_rules_are_all_there_with_their_source() -> None:
    names = ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R11", "R15", "R16", "R17", "R20", "R22", "R27"]
    assert [rule.name for rule in rules()] == names
    assert all(rule.sentence.startswith(f"{rule.name}: ") and rule.source for rule in rules())


def test_a_rule_that_looks_into_tables_reads_all_that_makes_them() -> None:
    """Equal inputs give the kept answer: an input that is not named would let an old pass stand."""
    reads = {rule.name: {*rule.reads, *(REACH_TABLES if "reaches" in rule.reads else ())} for rule in rules()}
    assert ROUTING_TABLES - reads["R16"] == set()
