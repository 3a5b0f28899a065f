"""Which registered flows a change may interrupt, and how hosts are seen from outside while both networks run."""

from collections.abc import Collection
from ipaddress import IPv4Address

from orchestrator.design.departments import moved
from orchestrator.design.endpoints import Endpoint, destinations, sources
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Policy
from orchestrator.plan.way import Way


def flows_at(estate: Estate, policy: Policy, places: Collection[str]) -> tuple[str, ...]:
    """Codes of flows that begin or end at one of these hosts or servers."""
    found = set()
    for flow in policy.flows:
        ends = (*sources(estate, flow), *destinations(estate, flow))
        if any(end.name in places for end in ends):
            found.add(flow.code)
    return tuple(sorted(found))


def seen_from_outside(way: Way, end: Endpoint) -> IPv4Address | None:
    """An end's address now, as its VRF sees it: translated where its site will be translated."""
    if end.address is None or not end.site:
        return end.address
    for key, site in way.target.private_sites.items():
        was = way.now.private_sites[key]
        if site.site == end.site and site.treatment == "translate" and end.address in was.prefix:
            return moved(end.address, was.prefix, site.prefix)
    return end.address
