"""Design: now + policy + lock -> target. Pure: same inputs, same bytes; an unrelated addition moves nothing."""

from orchestrator.design.boundary import build_boundary, build_site_filters
from orchestrator.design.departments import departments
from orchestrator.design.draft import Decision, Design, Draft
from orchestrator.design.egress import consolidate, drop_moved_prefixes, fold_networks, release_lines
from orchestrator.design.routing import build_routes
from orchestrator.design.sites import treat_sites
from orchestrator.design.systems import dispose_systems
from orchestrator.design.tenants import build_groups, build_tenants
from orchestrator.design.vlans import build_vlans
from orchestrator.design.vrfs import build_vrfs
from orchestrator.model.estate import Estate
from orchestrator.model.lock import Lock
from orchestrator.model.policy import Policy

__all__ = ["Decision", "Design", "design"]


def design(now: Estate, policy: Policy, lock: Lock | None = None) -> Design:
    """What the estate should become, each decision with its reason, and the lock to save.

    What nobody has decided is a finding and stays untouched. Raises DesignError when a pool is exhausted or the
    estate has a shape that design does not know (an overlay needs two PEs).
    """
    draft = Draft(now, policy, lock or Lock())
    folding = departments(now, policy)
    _networks_undecided(draft)
    treat_sites(draft, folding)
    build_vrfs(draft, folding)
    build_vlans(draft, folding)
    build_tenants(draft, folding)
    dispose_systems(draft, folding)
    drop_moved_prefixes(draft, folding)
    consolidate(draft, folding)
    release_lines(draft, folding)
    build_routes(draft, folding)
    build_boundary(draft, folding)
    build_site_filters(draft, folding)
    build_groups(draft)
    fold_networks(draft, folding)
    return draft.finished()


def _networks_undecided(draft: Draft) -> None:
    for key, network in sorted(draft.now.private_networks.items()):
        if network.classified is None:
            draft.find(
                f"private_networks[{key}]",
                "unknown",
                f"nobody has decided whether {network.name} is classified",
                "fill in 涉密 on the F3 sheet: it is decided first (S1)",
            )
        elif network.target == "unknown":
            draft.find(
                f"private_networks[{key}]",
                "unknown",
                f"nobody has decided what becomes of {network.name}",
                "fill in 去向 on the F3 sheet",
            )
