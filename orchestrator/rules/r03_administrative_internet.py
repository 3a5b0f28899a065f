"""R3: nothing in the administrative service domain reaches the Internet or is reached from it. (S1, inferred)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment, delivered

RULE = "R3"
SOURCE = "S1 (inferred: policy data)"
READS = ("crossings",)
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Reachability between zones of the Internet-free domains and zones of kind internet, both ways."""
    checked = f"{len(moment.crossings)} crossings, none joins {_names(moment)} and the Internet"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, moment.crossings)
    for crossing in delivered(moment.crossings):
        ends = (crossing.source_zone, crossing.end_zone)
        kept = any(moment.domain(zone) in moment.policy.internet_free_domains for zone in ends)
        if kept and any(moment.zone(zone).kind == "internet" for zone in ends):
            row = moment.deciding(crossing.reach)
            packets = moment.packets(crossing.reach.ports)
            what = f"{crossing.reach.source} reaches {crossing.reach.end} with {packets}: {ends[0]} to {ends[1]}"
            fix = "remove the route or the filter entry named here"
            yield moment.fails(RULE, row, what, fix, moment.trace(crossing.reach))


def _names(moment: Moment) -> str:
    return " and ".join(moment.policy.internet_free_domains) or "no domain"
