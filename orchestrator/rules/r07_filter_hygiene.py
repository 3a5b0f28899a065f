"""R7: shadowed, expired or unused filter entries are findings. (GB/T 22239-2019, level 1)"""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import NamedTuple

from orchestrator.model.finding import Finding
from orchestrator.model.network import FilterRule
from orchestrator.rules.breadth import Range, merged, together
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
    before: dict[str, list[_Taken]] = defaultdict(list)
    for rule in sorted(moment.estate.filter_rules.values(), key=lambda rule: rule.key):
        row = f"filter_rules[{rule.key}]"
        fix = "remove the entry"
        taken = _Taken.by(rule)
        shadow = next((other.rule for other in before[rule.device] if other.holds(taken)), None)
        before[rule.device].append(taken)
        if shadow:
            yield moment.fails(RULE, row, f"{rule.key} is shadowed by {shadow.key}", fix)
        elif rule.action == "accept" and not _serves(moment, rule):
            flow = rule.flow or "no flow"
            yield moment.fails(RULE, row, f"{rule.key} serves {flow}, which is not registered or over", fix)
        elif rule.action == "accept" and row not in used and not doubts:
            yield moment.fails(RULE, row, f"{rule.key} matches no packet that arrives", fix)


def _serves(moment: Moment, rule: FilterRule) -> bool:
    return any(flow.code == rule.flow and moment.live(flow) for flow in moment.policy.flows)


class _Taken(NamedTuple):
    """What an entry takes, its networks and ports put together."""

    rule: FilterRule
    sources: tuple[IPv4Network, ...]
    destinations: tuple[IPv4Network, ...]
    ports: tuple[Range, ...]

    @classmethod
    def by(cls, rule: FilterRule) -> "_Taken":
        return cls(rule, together(rule.sources), together(rule.destinations), merged(rule.ports))

    def holds(self, later: "_Taken") -> bool:
        """True when this entry takes every packet of the other, which stands after it."""
        mine, other = self.rule, later.rule
        ways = _names_hold(mine.in_interfaces, other.in_interfaces)
        ways = ways and _names_hold(mine.out_interfaces, other.out_interfaces)
        ends = _networks_hold(self.sources, later.sources) and _networks_hold(self.destinations, later.destinations)
        protocol = mine.protocol in ("any", other.protocol)
        # an entry that names ports, be it all of them, does not take later fragments: they have none
        ports = not mine.ports or (bool(other.ports) and all(_range_held(item, self.ports) for item in later.ports))
        return ways and ends and protocol and ports


def _names_hold(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _networks_hold(wide: tuple[IPv4Network, ...], narrow: tuple[IPv4Network, ...]) -> bool:
    return all(any(one.subnet_of(other) for other in wide) for one in narrow)


def _range_held(item: Range, ranges: tuple[Range, ...]) -> bool:
    return any(first <= item[0] and item[1] <= last for first, last in ranges)
