"""The rules, found by walking this folder: every module with a RULE is one."""

import pkgutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Literal, NamedTuple

import orchestrator.rules as folder
from orchestrator.model.finding import Finding
from orchestrator.model.policy import Policy
from orchestrator.rules.moment import Moment


class Rule(NamedTuple):
    """A rule: its sentence and source, what it reads, and whether it holds always or at both ends of a plan."""

    name: str
    sentence: str
    source: str
    reads: tuple[str, ...]  # tables of the estate, "reaches", "crossings"; equal ones give equal findings
    scope: Literal["always", "ends"]
    check: Callable[[Moment], Iterator[Finding]]


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their numbers."""
    found = []
    for module in pkgutil.iter_modules(folder.__path__):
        loaded = import_module(f"{folder.__name__}.{module.name}")
        if hasattr(loaded, "RULE"):
            sentence = (loaded.__doc__ or "").strip().splitlines()[0]
            found.append(Rule(loaded.RULE, sentence, loaded.SOURCE, loaded.READS, loaded.SCOPE, loaded.check))
    return tuple(sorted(found, key=lambda rule: int(rule.name[1:])))


def rules_in_force(policy: Policy) -> tuple[Rule, ...]:
    """The rules the policy names; all of them when it names none."""
    return tuple(rule for rule in rules() if not policy.rules or rule.name in policy.rules)
