"""Cloud nouns: clouds, provider networks, tenants and what is in them (OpenStack terms)."""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.model.base import Noun, Row
from orchestrator.model.network import Name, Port, Protocol, VlanId


class Cloud(Row):
    """One government cloud: a Keystone domain, its service domain and its MLPS level."""

    name: Name
    service_domain: Literal["public_service_domain", "administrative_service_domain"]
    keystone_domain: str
    mlps_level: Annotated[int, Field(ge=1, le=5)] | None = None

    @property
    def key(self) -> str:
        return self.name


class ProviderNetwork(Row):
    """A VLAN network handed over from a PE's VRF into the cloud; tenant routers get their outside address here."""

    name: Name
    cloud: Name
    vlan: VlanId
    prefix: IPv4Network
    gateway: IPv4Address  # the PE's address on it
    external: bool = True

    @property
    def key(self) -> str:
        return self.name


class Quota(Noun):
    """Upper limits of one tenant."""

    networks: int = 10
    subnets: int = 10
    routers: int = 5
    ports: int = 50
    security_groups: int = 20
    security_group_rules: int = 200
    instances: int = 10
    cores: int = 40
    memory_megabytes: int = 81920


class Tenant(Row):
    """One department's project in one cloud."""

    name: Name
    cloud: Name
    organisation: str
    zone: str  # the zone its servers belong to
    quota: Quota = Quota()

    @property
    def key(self) -> str:
        return self.name


class CloudNetwork(Row):
    """A tenant network with its one subnet."""

    tenant: Name
    name: Name
    prefix: IPv4Network

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"


class CloudRouter(Row):
    """A tenant's router between its networks and a provider network. `source_nat` hides the tenant behind `address`."""

    tenant: Name
    name: Name
    provider_network: Name
    address: IPv4Address
    networks: tuple[str, ...]  # names of the tenant's networks
    source_nat: bool = False

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"


class SecurityGroup(Row):
    """A named set of accepting rules; what no rule accepts is dropped, return traffic is accepted."""

    tenant: Name
    name: Name

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"


class SecurityRule(Row):
    """One accepting rule. Remote is a prefix or another group of the tenant; neither means anywhere."""

    tenant: Name
    group: Name
    direction: Literal["ingress", "egress"]
    protocol: Protocol = "any"
    ports: tuple[Port, Port] | None = None
    remote_prefix: IPv4Network | None = None
    remote_group: str | None = None
    flow: str = ""

    @property
    def key(self) -> str:
        ports = f"{self.ports[0]}-{self.ports[1]}" if self.ports else "all"
        remote = self.remote_group or self.remote_prefix or "anywhere"
        return f"{self.tenant}/{self.group}/{self.direction}/{self.protocol}/{ports}/{remote}"


class Server(Row):
    """A server of a tenant on one of its networks."""

    tenant: Name
    name: Name
    network: Name
    address: IPv4Address
    flavor: str
    image: str
    groups: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"
