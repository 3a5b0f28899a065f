"""The whole district, planned and proved once for all tests that look at the result."""

from functools import cache

from network_models.district import now
from orchestrator.design import Design, design
from orchestrator.model.plan import Plan
from orchestrator.plan import build
from orchestrator.proof import Verdict, verify
from tests.design.estates import policy


@cache
def designed() -> Design:
    """The target of the district."""
    return design(now(), policy())


@cache
def planned() -> Plan:
    """The way there."""
    return build(now(), designed(), policy(), "wangchao", "planner-1")


@cache
def proved() -> Verdict:
    """What the proof says of it."""
    return verify(now(), planned(), policy())
