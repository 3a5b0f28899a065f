"""R20: a retained private network needs a live exception and the interconnection zone. (S1, DB34/T 4319)"""

from collections.abc import Iterator

from orchestrator.model.census import PrivateNetwork
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R20"
SOURCE = "S1, DB34/T 4319"
READS = ("private_networks", "private_sites", "hosts")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Networks whose target is interconnection; without any, it says so."""
    retained = [row for row in moment.estate.private_networks.values() if row.target == "interconnect"]
    count = len(moment.estate.private_networks)
    checked = f"{len(retained)} of {count} private networks are retained, each with a live exception and its own zone"
    yield from moment.answer(RULE, _find(moment, retained), checked)


def _find(moment: Moment, retained: list[PrivateNetwork]) -> Iterator[Finding]:
    for network in moment.estate.private_networks.values():
        if network.target == "unknown":
            what = f"nobody has decided what becomes of {network.code}"
            fix = "decide its target in form F3"
            row = f"private_networks[{network.key}]"
            yield Finding(subject=RULE, result="unknown", what=what, where=moment.where(row), fix=fix)
    for network in retained:
        row = f"private_networks[{network.key}]"
        grant = moment.grant(RULE, row)
        if grant is None or grant.expires < moment.on:
            state = f"its exception {grant.code} expired on {grant.expires}" if grant else "it has no exception"
            what = f"{network.code} is kept apart, but {state}"
            fix = "get the exception approved and dated, or fold the network in"
            yield Finding(subject=RULE, result="fail", what=what, where=moment.where(row), fix=fix)
        zones = {host.zone for host in moment.estate.hosts.values() if host.organisation == network.organisation}
        joined = sorted(zone for zone in zones if moment.zone(zone).kind == "common")
        if joined:
            what = f"{network.code} is retained, but its department stands in {joined[0]}"
            fix = "join it over the interconnection zone only"
            yield Finding(subject=RULE, result="fail", what=what, where=moment.where(row), fix=fix)
