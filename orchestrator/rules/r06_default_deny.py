"""R6: boundaries deny by default; what they accept is an explicit 5-tuple, never any-any. (GB/T 22239-2019, level 1)"""

from collections.abc import Iterator

from orchestrator.forwarding.matrix import Crossing
from orchestrator.model.finding import Finding
from orchestrator.model.network import FilterRule
from orchestrator.rules.breadth import names_ports, names_some
from orchestrator.rules.moment import Moment, delivered

RULE = "R6"
SOURCE = "GB/T 22239-2019 level 1"
READS = ("crossings", "filters", "filter_rules", "devices", "egresses")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Boundary filters drop by default; entries that let foreign packets in name sources, destinations and ports.

    An entry may leave out the end that is the Internet: it lies behind the interface of a registered egress.
    What names all addresses or all ports (0.0.0.0/0, or its two halves) names none.
    """
    entries = len(moment.estate.filter_rules)
    boundaries = len(moment.boundary_devices())
    checked = f"{boundaries} boundary devices deny by default; {entries} entries, explicit where zones meet"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, moment.foreign)
    for device in sorted(moment.boundary_devices()):
        policy = moment.estate.filters.get(device)
        if policy is None or policy.default != "drop":
            row = f"filters[{device}]"
            yield moment.fails(RULE, row, f"{device} forwards what no entry names", "make its default drop")
    for rule in moment.estate.filter_rules.values():
        ends = names_some(rule.sources) or names_some(rule.destinations)
        if rule.action == "accept" and not (ends or names_ports(rule.ports)):
            row = f"filter_rules[{rule.key}]"
            yield moment.fails(RULE, row, f"{rule.key} accepts any from any", "name its 5-tuple")
    yield from _loose(moment)


def _loose(moment: Moment) -> Iterator[Finding]:
    found: dict[str, list[Crossing]] = {}
    for crossing in delivered(moment.foreign):
        for row in dict.fromkeys(mark.row for mark in moment.accepting(crossing.reach)):
            rule = moment.estate.filter_rules.get(row.removeprefix("filter_rules[").removesuffix("]"))
            if rule is not None and not _explicit(moment, rule):
                found.setdefault(rule.key, []).append(crossing)
    for key, crossings in found.items():
        first, reaches = crossings[0], [crossing.reach for crossing in crossings]
        what = f"{key} lets {first.source_zone} into {first.end_zone} without an explicit 5-tuple"
        fix = "name sources, destinations, protocol and ports"
        yield moment.fails(RULE, f"filter_rules[{key}]", what, fix, moment.trace(first.reach), reaches)


def _explicit(moment: Moment, rule: FilterRule) -> bool:
    outside = {row.interface for row in moment.estate.egresses.values() if row.device == rule.device}
    from_internet = bool(rule.in_interfaces) and set(rule.in_interfaces) <= outside
    to_internet = bool(rule.out_interfaces) and set(rule.out_interfaces) <= outside
    ends = (names_some(rule.sources) or from_internet) and (names_some(rule.destinations) or to_internet)
    return ends and (names_ports(rule.ports) or rule.protocol == "icmp")
