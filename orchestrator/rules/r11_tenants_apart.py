"""R11: tenants are mutually unreachable save by approved flows. (GB/T 22239-2019, cloud)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R11"
SOURCE = "GB/T 22239-2019 cloud extension"
READS = ("reaches", "workloads", "service_names", "systems")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Reachability between servers of different tenants."""
    servers, tenants = len(moment.estate.servers), len(moment.estate.tenants)
    checked = f"{servers} servers of {tenants} tenants, none reaches another tenant's without approval"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, [item for item in moment.crossings if item.reach.source in moment.estate.servers])
    for reach in moment.matrix.reaches_from(moment.estate.servers):
        source, end = moment.estate.servers.get(reach.source), moment.estate.servers.get(reach.end)
        if reach.way.outcome == "delivered" and source and end and source.tenant != end.tenant:
            bare = [port for port in reach.ports if moment.flow_for(reach, port) is None]
            if bare:
                ends = f"server {source.key} reaches server {end.key} of another tenant"
                what = f"{ends} with {moment.packets(bare)} without an approved flow"
                row = reach.way.marks[-1].row
                yield moment.fails(RULE, row, what, "narrow the security rule named here", moment.trace(reach, bare[0]))
