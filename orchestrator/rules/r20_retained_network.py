"""R20: a retained private network needs a live exception and the interconnection zone. (S1, DB34/T 4319)"""

from collections import defaultdict
from collections.abc import Iterator

from orchestrator.model.census import PrivateNetwork, PrivateSite
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R20"
SOURCE = "S1, DB34/T 4319"
READS = ("private_networks", "private_sites", "hosts", "interfaces")
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
        yield from _joined(moment, network)


def _joined(moment: Moment, network: PrivateNetwork) -> Iterator[Finding]:
    """What stands in the common zone with an address of the network's sites; its department may have others there."""
    row = moment.where(f"private_networks[{network.key}]")
    sites = [site for site in moment.estate.private_sites.values() if site.network == network.code]
    for name, zone in _in_common(moment, network, sites):
        if sites:
            what = f"{network.code} is retained, but {name} of it stands in {zone}"
            fix = "join it over the interconnection zone only"
            yield Finding(subject=RULE, result="fail", what=what, where=row, fix=fix)
        else:
            what = f"{network.code} is retained, its sites are not known, and {name} of its department stands in {zone}"
            fix = "list its sites in form F3, then it can be told whether they are joined"
            yield Finding(subject=RULE, result="unknown", what=what, where=row, fix=fix)


def _in_common(moment: Moment, network: PrivateNetwork, sites: list[PrivateSite]) -> Iterator[tuple[str, str]]:
    """(host or port, zone) in a common zone: those of the sites; where none is known, all of the department."""
    at_site, at_device = defaultdict(list), defaultdict(list)
    for site in sites:
        at_site[site.site].append(site.prefix)
        at_device[site.device].append(site.prefix)
    for key, host in sorted(moment.estate.hosts.items()):
        own = any(host.address.ip in prefix for prefix in at_site[host.site])
        own = own or (not sites and host.organisation == network.organisation)
        if own and moment.zone(host.zone).kind == "common":
            yield key, host.zone
    for _key, port in sorted(moment.estate.interfaces.items()):
        own = any(port.address.ip in prefix for prefix in at_device[port.device])
        if own and moment.zone(port.zone).kind == "common":
            yield f"{port.device}:{port.name}", port.zone
