"""R1: no link, route or host joins the internal (classified) network to anything. (S1, S2)"""

from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R1"
SOURCE = "S1, S2"
READS = ("private_networks", "private_sites", "hosts", "interfaces")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Classified networks are stubs: no prefixes, no sites, nobody on them; undecided ones are unknown."""
    count = len(moment.estate.private_networks)
    yield from moment.answer(RULE, _find(moment), f"{count} private networks, no classified one is joined to anything")


def _find(moment: Moment) -> Iterator[Finding]:
    for network in moment.estate.private_networks.values():
        row = f"private_networks[{network.key}]"
        sites = [site.key for site in moment.estate.private_sites.values() if site.network == network.code]
        if network.classified is None:
            what = f"nobody has said whether {network.code} is classified"
            fix = "decide it in form F3 before anything else"
            yield Finding(subject=RULE, result="unknown", what=what, where=moment.where(row), fix=fix)
        elif network.classified and (network.prefixes or sites or network.target != "internal_stub"):
            what = f"{network.code} is classified and still has prefixes, sites or a target on the extranet"
            yield moment.fails(RULE, row, what, "leave only its stub; its move is done outside this program")
