"""Small plans over the district, one edit a line, for the proof tests."""

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from network_models.district import now
from orchestrator.intake.policy import read_policy
from orchestrator.model.base import Noun
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.network import FilterRule
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy
from tests.whole import planned

NIGHT = date(2018, 1, 8)


@lru_cache(maxsize=1)
def whole_policy() -> Policy:
    """The district's rule pack."""
    return read_policy(Path(__file__).parents[2] / "network_models" / "wangchao" / "policy.yaml")


def policy(*flows: str, **more: object) -> Policy:
    """The rule pack with these flows only: the small plans here do not reach the whole target.

    The department egress may stay: its exception is made to last.
    """
    whole = whole_policy().plain()
    kept = [
        flow for flow in whole["flows"] if flow["validity"] != "target_only" and (not flows or flow["code"] in flows)
    ]
    return Policy.model_validate({**whole, "flows": kept, **more})


def drop(estate: Estate, table: str, key: str) -> Edit:
    """Take a row out."""
    return Edit(table=table, key=key, before=getattr(estate, table)[key].plain(), after=None)


def put(noun: Noun) -> Edit:
    """Put a row in."""
    row: Any = noun
    return Edit(table=TABLE_OF[type(noun)], key=row.key, before=None, after=noun.plain())


def step(name: str, *edits: Edit, outage: tuple[str, ...] = ()) -> Step:
    """A step of these edits."""
    return Step(name=name, title=name, why="test", kind="network", edits=edits, outage=outage)


def plan(*batches: tuple[Step, ...], base: Estate | None = None) -> Plan:
    """A plan of one wave over the district."""
    estate = base or now()
    steps = tuple(step for batch in batches for step in batch)
    target = estate
    for one in steps:
        target = target.apply(one.edits)
    names = tuple(tuple(step.name for step in batch) for batch in batches)
    return Plan(
        project="test",
        author="nobody",
        built_from=estate.digest,
        leads_to=target.digest,
        policy_version="1",
        policy_digest=whole_policy().digest,
        steps=steps,
        waves=(Wave(number=1, title="one", night=NIGHT, window="weeknight", batches=names),),
    )


def in_waves(of: Plan, *nights: date) -> Plan:
    """The plan with a wave for each of its batches, on these nights."""
    waves = tuple(
        Wave(number=number, title=f"wave {number}", night=night, window="weeknight", batches=(names,))
        for number, (night, names) in enumerate(zip(nights, of.batches(), strict=True), start=1)
    )
    return of.model_copy(update={"waves": waves})


def rule(sequence: int, **more: object) -> FilterRule:
    """An entry of fw1 that accepts."""
    return FilterRule.model_validate({"device": "fw1", "sequence": sequence, "action": "accept", **more})


PORTAL = {
    "in_interfaces": ("adm0",),
    "out_interfaces": ("pub0",),
    "destinations": ("198.18.64.10/32",),
    "protocol": "tcp",
}


def replace_entry(*, first_add: bool, outage: tuple[str, ...] = ()) -> Plan:
    """Replace fw1/00100 by one of the same meaning with another number."""
    edits = (
        put(rule(110, **PORTAL, ports=((443, 443),), sources=("198.18.16.0/24",), flow="F-010")),
        drop(now(), "filter_rules", "fw1/00100"),
    )
    return plan((step("replace", *(edits if first_add else edits[::-1]), outage=outage),))


def spoilt_district(early: str, before: str) -> Plan:
    """The district's plan with one step moved before another, alone in a batch of its own."""
    good = planned()
    waves = []
    for wave in good.waves:
        groups: list[tuple[str, ...]] = []
        for batch in wave.batches:
            if before in batch:
                groups.append((early,))
            rest = tuple(name for name in batch if name != early)
            groups += [rest] if rest else []
        waves.append(wave.model_copy(update={"batches": tuple(groups)}))
    order = [name for wave in waves for group in wave.batches for name in group]
    steps = tuple(sorted(good.steps, key=lambda one: order.index(one.name)))
    fields = {name: getattr(good, name) for name in Plan.model_fields} | {"waves": tuple(waves), "steps": steps}
    return Plan.model_construct(**{**fields, "leads_to": Plan.model_construct(**fields).target(now()).digest})
