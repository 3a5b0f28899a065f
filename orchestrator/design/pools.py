"""Where addresses come from: the pools of the policy, and what to do when one is not named there."""

from typing import Literal

from orchestrator.errors import DesignError
from orchestrator.model.policy import Policy, Pool

TRANSIT_LENGTH = 30


def pool(policy: Policy, name: Literal["sites", "tenants", "provider"]) -> Pool:
    """A pool by name. Raises DesignError when the policy has none."""
    for each in policy.numbering.pools:
        if each.name == name:
            return each
    raise DesignError(f"numbering of policy {policy.version} has no pool {name!r}: add it under numbering.pools")


def transit_pool(policy: Policy) -> Pool:
    """The pool of links between devices: as the policy says, else the last 32nd of the extranet pool."""
    for each in policy.numbering.pools:
        if each.name == "transit":
            return each
    *_, last = policy.extranet_pool.subnets(prefixlen_diff=5)
    return Pool.model_validate({"name": "transit", "prefix": str(last), "length": TRANSIT_LENGTH})
