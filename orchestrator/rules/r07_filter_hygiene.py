"""R7: shadowed, expired or unused filter entries are findings. (GB/T 22239-2019, level 1)"""

from collections.abc import Iterator
from ipaddress import IPv4Network

from orchestrator.model.finding import Finding
from orchestrator.model.network import FilterRule
from orchestrator.rules.moment import Moment

RULE = "R7"
SOURCE = "GB/T 22239-2019 level 1"
READS = ("reaches", "filters", "filter_rules", "workloads")
SCOPE = "ends"


def check(moment: Moment) -> Iterator[Finding]:
    """Held at both ends of a plan: on the way an entry may wait for the route that will use it."""
    count = len(moment.estate.filter_rules)
    yield from moment.answer(RULE, _find(moment), f"{count} filter entries, each used and for a live registered flow")


def _find(moment: Moment) -> Iterator[Finding]:
    doubts = list(moment.doubts(RULE, moment.crossings))
    yield from doubts
    used = {mark.row for reach in moment.matrix.reaches() for mark in reach.way.marks}
    rules = sorted(moment.estate.filter_rules.values(), key=lambda rule: rule.key)
    for rule in rules:
        row = f"filter_rules[{rule.key}]"
        fix = "remove the entry"
        shadow = next((other for other in rules if _shadows(other, rule)), None)
        if shadow:
            yield moment.fails(RULE, row, f"{rule.key} is shadowed by {shadow.key}", fix)
        elif rule.action == "accept" and not _serves(moment, rule):
            flow = rule.flow or "no flow"
            yield moment.fails(RULE, row, f"{rule.key} serves {flow}, which is not registered or over", fix)
        elif rule.action == "accept" and row not in used and not doubts:
            yield moment.fails(RULE, row, f"{rule.key} matches no packet that arrives", fix)


def _serves(moment: Moment, rule: FilterRule) -> bool:
    return any(flow.code == rule.flow and moment.live(flow) for flow in moment.policy.flows)


def _shadows(other: FilterRule, rule: FilterRule) -> bool:
    """True when the other entry stands before this one and takes every packet of it."""
    if other.device != rule.device or other.sequence >= rule.sequence:
        return False
    ways = _names_hold(other.in_interfaces, rule.in_interfaces)
    ways = ways and _names_hold(other.out_interfaces, rule.out_interfaces)
    ends = _networks_hold(other.sources, rule.sources) and _networks_hold(other.destinations, rule.destinations)
    protocol = other.protocol in ("any", rule.protocol)
    ports = not other.ports or (bool(rule.ports) and all(_range_held(item, other.ports) for item in rule.ports))
    return ways and ends and protocol and ports


def _names_hold(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _networks_hold(wide: tuple[IPv4Network, ...], narrow: tuple[IPv4Network, ...]) -> bool:
    return not wide or (bool(narrow) and all(any(one.subnet_of(other) for other in wide) for one in narrow))


def _range_held(item: tuple[int, int], ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= item[0] and item[1] <= last for first, last in ranges)
