"""R5: every flow between zones crosses a named boundary device. (GB/T 22239-2019, level 1)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment, delivered

RULE = "R5"
SOURCE = "GB/T 22239-2019 level 1"
READS = ("crossings", "devices", "egresses", "filters")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """A department's old network and its VPN count as one zone: it moves from the one to the other."""
    names = " and ".join(sorted(moment.boundary_devices())) or "no device"
    checked = f"{len(moment.foreign)} crossings between zones, all over {names}"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, moment.foreign)
    boundary = moment.boundary_devices()
    for crossing in delivered(moment.foreign):
        reach = crossing.reach
        if not any(mark.node in boundary for mark in reach.way.marks):
            ends = f"{reach.source} ({crossing.source_zone}) reaches {reach.end} ({crossing.end_zone})"
            what = f"{ends} with {moment.packets(reach.ports)} past every boundary device"
            fix = "take back the route named here, or lead it over the boundary firewall"
            yield moment.fails(RULE, moment.deciding(reach), what, fix, moment.trace(reach))
