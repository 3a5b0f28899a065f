"""R4: the two service domains meet only in registered flows over their gateway. (S2, GB/T 22239-2019)"""

from collections.abc import Iterator

from orchestrator.forwarding.matrix import Crossing
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment, delivered

RULE = "R4"
SOURCE = "S2, GB/T 22239-2019"
READS = ("crossings", "workloads", "service_names", "systems", "hosts", "servers")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Every packet between the two domains belongs to a live registered flow and passes its gateway."""
    between = [item for item in moment.crossings if _between(moment, item)]
    checked = f"{len(between)} crossings between the two service domains, all registered flows over their gateway"
    yield from moment.answer(RULE, _find(moment, between), checked)


def _between(moment: Moment, crossing: Crossing) -> bool:
    if crossing.reach.way.outcome == "unknown" or moment.nameless(crossing):
        return True
    here, there = moment.domain(crossing.source_zone), moment.domain(crossing.end_zone)
    return bool(here) and bool(there) and here != there


def _find(moment: Moment, between: list[Crossing]) -> Iterator[Finding]:
    yield from moment.doubts(RULE, between)
    for crossing in delivered(item for item in between if not moment.nameless(item)):
        reach = crossing.reach
        bare = [port for port in reach.ports if moment.flow_for(reach, port) is None]
        if bare:
            row = moment.deciding(reach)
            ends = f"{reach.source} ({crossing.source_zone}) reaches {reach.end} ({crossing.end_zone})"
            what = f"{ends} with {moment.packets(bare)} without a registered flow"
            fix = "register the flow with its gateway, or remove the entry named here"
            yield moment.fails(RULE, row, what, fix, moment.trace(reach, bare[0]))
