"""R22: a one-way gate has no reverse flow. (GB/T 20279)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R22"
SOURCE = "GB/T 20279"
READS = ("devices", "filters", "filter_rules")
SCOPE = "always"

ROLE = "data_diode"
"""The role of a one-way gate in Device.role."""


def check(moment: Moment) -> Iterator[Finding]:
    """Devices of role data_diode: no state, no entry and no packet in both directions; without any, it says so."""
    gates = sorted(device.name for device in moment.estate.devices.values() if device.role == ROLE)
    none = f"no such gate: 0 of {len(moment.estate.devices)} devices have the role {ROLE}"
    checked = f"{len(gates)} one-way gates, no packet passes any of them both ways" if gates else none
    yield from moment.answer(RULE, _find(moment, gates), checked)


def _find(moment: Moment, gates: list[str]) -> Iterator[Finding]:
    for gate in gates:
        doubt = moment.matrix.world.doubt(gate)
        if doubt:
            what = f"the one-way gate {gate} cannot be judged: {doubt.reason}"
            fix = "make the line readable or take it out, then read the configuration again"
            yield Finding(subject=RULE, result="unknown", what=what, where=moment.where(doubt.row), fix=fix)
        policy = moment.estate.filters.get(gate)
        if policy is None or policy.stateful or policy.default != "drop":
            what = f"the one-way gate {gate} has no filter that drops by default and remembers nothing"
            yield moment.fails(RULE, f"filters[{gate}]", what, "give it a stateless filter with default drop")
        rows = moment.estate.filter_rules.values()
        rules = [rule for rule in rows if rule.device == gate and rule.action == "accept"]
        into = {name for rule in rules for name in rule.in_interfaces}
        for rule in rules:
            if not rule.in_interfaces or not rule.out_interfaces or into & set(rule.out_interfaces):
                what = f"{rule.key} opens the reverse way of the one-way gate {gate}"
                yield moment.fails(RULE, f"filter_rules[{rule.key}]", what, "remove the entry")
