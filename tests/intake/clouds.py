"""A cloud of one tenant as openstacksdk resources (its real types), and the same as rows."""

from typing import Any

from openstack.compute.v2.quota_set import QuotaSet
from openstack.compute.v2.server import Server as ApiServer
from openstack.identity.v3.project import Project as ApiProject
from openstack.image.v2.image import Image
from openstack.network.v2.network import Network
from openstack.network.v2.port import Port
from openstack.network.v2.quota import Quota as NetworkQuota
from openstack.network.v2.router import Router
from openstack.network.v2.security_group import SecurityGroup as ApiGroup
from openstack.network.v2.security_group_rule import SecurityGroupRule
from openstack.network.v2.subnet import Subnet

from orchestrator.intake.openstack_rows import Observed
from orchestrator.model.cloud import (
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    Quota,
    SecurityGroup,
    SecurityRule,
    Server,
    Tenant,
)

CLOUD = "administrative-service-cloud"


def rule(number: str, group: str, **more: Any) -> SecurityGroupRule:
    fields: dict[str, Any] = {"direction": "ingress", "ethertype": "IPv4", **more}
    return SecurityGroupRule(id=number, security_group_id=group, project_id="p1", **fields)


def observed() -> Observed:
    """One tenant with a network, a router onto the provider network, two groups and a server."""
    port = {"network_id": "n1", "fixed_ips": [{"subnet_id": "s1", "ip_address": "198.18.136.10"}]}
    return Observed(
        projects={CLOUD: [ApiProject(id="p1", name="cz", description="cz")]},
        networks=[
            Network(id="n1", name="app", project_id="p1", **{"router:external": False}),
            Network(
                id="n9",
                name="prov-cz",
                project_id="admin",
                **{"router:external": True, "provider:network_type": "vlan", "provider:segmentation_id": 2010},
            ),
        ],
        subnets=[
            Subnet(id="s1", network_id="n1", cidr="198.18.136.0/24", ip_version=4),
            Subnet(id="s9", network_id="n9", cidr="198.18.130.0/24", ip_version=4, gateway_ip="198.18.130.1"),
        ],
        routers=[
            Router(
                id="r1",
                name="out",
                project_id="p1",
                external_gateway_info={
                    "network_id": "n9",
                    "enable_snat": False,
                    "external_fixed_ips": [{"subnet_id": "s9", "ip_address": "198.18.130.10"}],
                },
            )
        ],
        ports=[
            Port(id="o1", device_id="r1", device_owner="network:router_interface", **port),
            Port(id="o2", device_id="v1", device_owner="compute:nova", security_groups=["g1"], **port),
        ],
        groups=[
            ApiGroup(id="g0", name="default", project_id="p1"),
            ApiGroup(id="g1", name="web", project_id="p1"),
        ],
        rules=[
            rule("u0", "g0", direction="egress"),
            rule(
                "u1", "g1", protocol="tcp", port_range_min=8080, port_range_max=8080, description="F-001",
                remote_ip_prefix="10.8.0.0/16",
            ),
            rule("u2", "g1", protocol="icmp", remote_group_id="g1"),
        ],
        servers=[
            ApiServer(
                id="v1", name="budget-web", project_id="p1", image={"id": "i1"}, flavor={"original_name": "small"}
            )
        ],
        images=[Image(id="i1", name="onefold-host")],
        network_quotas={
            "p1": NetworkQuota(
                network=10, subnet=10, router=5, port=50, security_group=20, security_group_rule=200
            )
        },
        compute_quotas={"p1": QuotaSet(instances=10, cores=40, ram=81920)},
    )  # fmt: skip


def as_designed() -> list[Any]:
    """The same as the rows a design would hold."""
    values: list[tuple[Any, dict[str, Any]]] = [
        (ProviderNetwork, {"name": "prov-cz", "cloud": CLOUD, "vlan": 2010, "prefix": "198.18.130.0/24",
                           "gateway": "198.18.130.1"}),
        (Tenant, {"name": "cz", "cloud": CLOUD, "organisation": "cz", "zone": "vpn-cz", "quota": Quota()}),
        (CloudNetwork, {"tenant": "cz", "name": "app", "prefix": "198.18.136.0/24"}),
        (CloudRouter, {"tenant": "cz", "name": "out", "provider_network": "prov-cz", "address": "198.18.130.10",
                       "networks": ("app",)}),
        (SecurityGroup, {"tenant": "cz", "name": "web"}),
        (SecurityRule, {"tenant": "cz", "group": "web", "direction": "ingress", "protocol": "tcp",
                        "ports": (8080, 8080), "remote_prefix": "10.8.0.0/16", "flow": "F-001"}),
        (SecurityRule, {"tenant": "cz", "group": "web", "direction": "ingress", "protocol": "icmp",
                        "remote_group": "web"}),
        (Server, {"tenant": "cz", "name": "budget-web", "network": "app", "address": "198.18.136.10",
                  "flavor": "small", "image": "onefold-host", "groups": ("web",)}),
    ]  # fmt: skip
    return [shape.model_validate(fields) for shape, fields in values]
