"""Reading the cloud by openstacksdk: the rows it shows, the facts a program needs, and the id of an existing object."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.apply.device import Rows
from orchestrator.errors import InputError, UnreachableError
from orchestrator.intake.openstack import read_cloud
from orchestrator.intake.openstack_rows import CloudReading
from orchestrator.model.base import Row
from orchestrator.model.cloud import CloudRouter, Server, Tenant
from orchestrator.model.estate import Estate
from stacks.resource import Resource

NO_CLOUDS_FILE = "the access file names no clouds file: write a clouds.yaml and name it as clouds_file"
CLOUD_TABLES = (
    "tenants",
    "cloud_networks",
    "cloud_routers",
    "security_groups",
    "security_rules",
    "servers",
    "provider_networks",
)


def connect(access: Access) -> Any:
    """A connection by the access file's admin entry. Raises InputError without a clouds file, UnreachableError."""
    import openstack

    if access.clouds_file is None:
        raise InputError(NO_CLOUDS_FILE)
    if not Path(access.clouds_file).exists():
        raise InputError(f"the clouds file {access.clouds_file} is missing: write it and name it in the access file")
    try:
        known = openstack.config.OpenStackConfig(config_files=[str(access.clouds_file)], load_envvars=False)
        connection = openstack.connection.Connection(config=known.get_one(access.admin_cloud))
        connection.authorize()
    except Exception as error:
        # keystoneauth, requests and openstacksdk share no base class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreachableError(f"the cloud does not let us in as {access.admin_cloud}: {reason}") from error
    return connection


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Tell in one line that the API does not answer. Raises UnreachableError instead of what its library raises."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    try:
        yield
    except (SDKException, ClientException) as error:
        raise UnreachableError(
            f"the cloud's API does not answer as an administrator needs ({' '.join(str(error).split())}): "
            "check the entry in clouds.yaml and 'onefold doctor'"
        ) from error


def facts(connection: Any, wanted: Iterable[str], access: Access) -> dict[str, str]:
    """The values of `stacks.resource.world` facts; one the cloud does not have is left out."""
    found: dict[str, str] = {}
    for fact in sorted(set(wanted)):
        kind, _, name = fact.partition("/")
        value = _fact(connection, kind, name, access)
        if value:
            found[fact] = value
    return found


def _fact(connection: Any, kind: str, name: str, access: Access) -> str | None:
    if kind == "public_key":
        return _public_key(access.ssh_key)
    if kind == "physical_network":
        return access.physical_network
    if kind == "domain":
        domain = connection.identity.find_domain(name)
        return str(domain.id) if domain else None
    found = connection.network.find_network(name)
    if kind == "network" or found is None:
        return str(found.id) if found else None
    return next((str(subnet.id) for subnet in connection.network.subnets(network_id=found.id)), None)


def _public_key(key: Path) -> str:
    file = key.with_name(key.name + ".pub")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} is missing: write the public half of ssh_key there ('ssh-keygen -y -f {key}')"
        ) from error


def project_of(connection: Any, estate: Estate, tenant: str) -> Any:
    """The Keystone project of a tenant, or None."""
    row = estate.tenants[tenant]
    domain = connection.identity.find_domain(estate.clouds[row.cloud].keystone_domain)
    if domain is None:
        return None
    return next(iter(connection.identity.projects(name=tenant, domain_id=domain.id)), None)


def find_id(connection: Any, project: str | None, resource: Resource) -> str | None:
    """The import id of an existing object that a resource describes; None when there is none or it needs none."""
    asked = resource.find
    kind = asked.get("kind")
    if kind is None:
        return None
    network, name = connection.network, asked.get("name", "")
    if kind == "project":
        domain = connection.identity.find_domain(asked["domain"])
        return _first(connection.identity.projects(name=name, domain_id=domain.id)) if domain else None
    if kind == "network" and project is None:
        return _first(network.networks(name=name))
    if kind == "subnet" and project is None:
        return _first(network.subnets(name=name))
    if kind == "keypair":
        return _keypair(connection, name)
    if project is None:
        return None
    listing: dict[str, Callable[[], Iterable[Any]]] = {
        "network": lambda: network.networks(name=name, project_id=project),
        "subnet": lambda: network.subnets(name=name, project_id=project),
        "router": lambda: network.routers(name=name, project_id=project),
        "group": lambda: network.security_groups(name=name, project_id=project),
        "port": lambda: network.ports(name=name, project_id=project),
        "server": lambda: connection.compute.servers(all_projects=True, project_id=project, name=f"^{name}$"),
        "router_interface": lambda: _router_ports(network, project, asked),
        "rule": lambda: _rules(network, project, asked),
    }
    return _first(listing[kind]())


def _first(found: Iterable[Any]) -> str | None:
    return next((str(one.id) for one in found), None)


def _keypair(connection: Any, name: str) -> str | None:
    """A key pair belongs to a user and is known by its name; we look at everybody's."""
    for user in connection.identity.users():
        if any(pair.name == name for pair in connection.compute.keypairs(user_id=user.id)):
            return name
    return None


def _router_ports(network: Any, project: str, asked: dict[str, str]) -> Iterator[Any]:
    for router in network.routers(name=asked["router"], project_id=project):
        for subnet in network.subnets(name=asked["subnet"], project_id=project):
            for port in network.ports(device_id=router.id):
                if any(fixed["subnet_id"] == subnet.id for fixed in port.fixed_ips):
                    yield port


def _rules(network: Any, project: str, asked: dict[str, str]) -> Iterator[Any]:
    groups = {group.id: group.name for group in network.security_groups(project_id=project)}
    for rule in network.security_group_rules(project_id=project):
        low, high = rule.port_range_min, rule.port_range_max
        same = (
            groups.get(rule.security_group_id) == asked["group"]
            and rule.direction == asked["direction"]
            and (rule.protocol or "any") == asked["protocol"]
            and (f"{low}-{high}" if low is not None else "all") == asked["ports"]
            and (rule.remote_ip_prefix or "") == asked["remote_prefix"]
            and groups.get(rule.remote_group_id, "") == asked["remote_group"]
        )
        if same:
            yield rule


def cloud_rows(connection: Any, estate: Estate) -> Rows:
    """What the cloud shows of the estate's clouds and tenants, zones aside. Raises UnreachableError."""
    return rows_of(read_cloud(connection, estate))


def rows_of(reading: CloudReading) -> Rows:
    """The rows of a reading in the form of `expected_rows`; what it has no words for is in its findings."""
    return expected_rows(reading.estate)


def expected_rows(estate: Estate) -> Rows:
    """The rows of the estate that a cloud shows, less what it cannot tell: zones, and the order of names."""
    rows: Rows = {}
    for table in CLOUD_TABLES:
        for key, row in getattr(estate, table).items():
            rows[table, key] = _shown(row)
    return rows


def _shown(row: Row) -> Row:
    if isinstance(row, Tenant):
        return row.model_copy(update={"zone": ""})
    if isinstance(row, CloudRouter):
        return row.model_copy(update={"networks": tuple(sorted(row.networks))})
    if isinstance(row, Server):
        return row.model_copy(update={"groups": tuple(sorted(row.groups))})
    return row
