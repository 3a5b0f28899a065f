"""R2: classified systems never target the extranet or a cloud; only their stub is kept. (S1, S4)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R2"
SOURCE = "S1, S4"
READS = ("systems", "workloads")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """A classified system has no address, no name, no workload, and is untouchable."""
    stubs = sum(1 for system in moment.estate.systems.values() if system.classified)
    yield from moment.answer(RULE, _find(moment), f"{stubs} classified systems are stubs that nothing touches")


def _find(moment: Moment) -> Iterator[Finding]:
    placed = {workload.system for workload in moment.estate.workloads.values()}
    for system in moment.estate.systems.values():
        if system.classified and system.disposition != "untouchable":
            what = f"the classified system {system.code} has the disposition {system.disposition}"
            yield moment.fails(RULE, f"systems[{system.key}]", what, "set it to untouchable")
        if system.classified and (system.addresses or system.fqdn or system.code in placed):
            what = f"the classified system {system.code} is recorded with addresses, a name or workloads"
            yield moment.fails(RULE, f"systems[{system.key}]", what, "remove the details")
