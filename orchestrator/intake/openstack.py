"""An OpenStack cloud as it is, by its API: projects of the clouds' Keystone domains, and external VLAN networks."""

from collections.abc import Iterable
from typing import Any

from orchestrator.errors import UnreachableError
from orchestrator.intake.openstack_rows import CloudReading, Observed, interpret
from orchestrator.model.cloud import Cloud
from orchestrator.model.estate import Estate


def read_cloud(connection: Any, expected: Estate) -> CloudReading:
    """The clouds of `expected` as they are. `connection` is an openstack.connection.Connection of an administrator.

    What the API cannot tell (a tenant's zone, the cloud of a provider network) is taken from the rows of the same
    name in `expected`. Raises UnreachableError when the API does not answer or refuses.
    """
    return interpret(fetch(connection, expected.clouds.values()), expected)


def fetch(connection: Any, clouds: Iterable[Cloud]) -> Observed:
    """Ask the API for everything `interpret` needs. Raises UnreachableError."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    try:
        return _fetch(connection, clouds)
    except (SDKException, ClientException) as error:
        raise UnreachableError(
            f"the cloud's API does not answer as an administrator needs ({' '.join(str(error).split())}): "
            "check the entry in clouds.yaml and 'onefold doctor'"
        ) from error


def _fetch(connection: Any, clouds: Iterable[Cloud]) -> Observed:
    seen = Observed()
    for cloud in clouds:
        domain = connection.identity.find_domain(cloud.keystone_domain, ignore_missing=True)
        if domain is None:
            seen.absent.append(cloud)
            continue
        seen.projects[cloud.name] = list(connection.identity.projects(domain_id=domain.id))
        for project in seen.projects[cloud.name]:
            seen.network_quotas[project.id] = connection.network.get_quota(project.id)
            seen.compute_quotas[project.id] = connection.compute.get_quota_set(project.id)
    network = connection.network
    seen.networks, seen.subnets = list(network.networks()), list(network.subnets())
    seen.routers, seen.ports = list(network.routers()), list(network.ports())
    seen.groups, seen.rules = list(network.security_groups()), list(network.security_group_rules())
    seen.servers = list(connection.compute.servers(all_projects=True))
    seen.images = list(connection.image.images())
    return seen
