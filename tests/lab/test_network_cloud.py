"""Network and cloud as one lab: a host's packets reach a server over two PEs, a provider VLAN and a tenant's router."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from lab import network
from lab.comparison import compare
from lab.openstack import cloud as cloud_of
from lab.openstack import node as cloud_node
from lab.openstack import processes
from lab.openstack.catalogue import connect
from lab.openstack.settings import DOMAINS, IMAGE, Bed
from lab.probe import Request, Result, observe
from network_models import district
from orchestrator.model.cloud import (
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    SecurityGroup,
    SecurityRule,
    Server,
    Tenant,
)
from orchestrator.model.estate import Estate
from orchestrator.model.network import Interface, Route

pytestmark = pytest.mark.lab
CLOUD = "administrative-service-cloud"
OUTER, INNER, STAFF = IPv4Network("198.19.224.0/24"), IPv4Network("198.18.40.0/24"), IPv4Network("198.18.16.0/24")
GATEWAY, ROUTER, WEB = IPv4Address("198.19.224.1"), IPv4Address("198.19.224.10"), IPv4Address("198.18.40.11")
SERVER = "cz/budget-web"


def with_tenant() -> Estate:
    """The district with one server whose provider network hangs on the common zone, open to staff on port 443."""
    return district.now().with_nouns(
        Interface(device="pe1", name="dc-cz", vrf="adm", address=IPv4Interface(f"{GATEWAY}/24")),
        Route(device="pe1", vrf="adm", prefix=INNER, next_hop=ROUTER),
        ProviderNetwork(name="prov-cz", cloud=CLOUD, vlan=2010, prefix=OUTER, gateway=GATEWAY),
        Tenant(name="cz", cloud=CLOUD, organisation="cz", zone="vpn-cz"),
        CloudNetwork(tenant="cz", name="app", prefix=INNER),
        CloudRouter(tenant="cz", name="router", provider_network="prov-cz", address=ROUTER, networks=("app",)),
        SecurityGroup(tenant="cz", name="web"),
        SecurityRule(
            tenant="cz", group="web", direction="ingress", protocol="tcp", ports=(443, 443), remote_prefix=STAFF
        ),
        Server(
            tenant="cz", name="budget-web", network="app", address=WEB, flavor="small", image=IMAGE, groups=("web",)
        ),
    )


@pytest.fixture(scope="module")
def estate(own_cloud: Bed) -> Iterator[Estate]:
    """Network and cloud joined, and the tenant made in the cloud as the estate says."""
    wanted = with_tenant()
    if cloud_of.status()["state"] != "up":
        cloud_of.up()  # a test before this one may have ended it
    network.up(wanted, cloud=True)
    try:
        make_tenant(own_cloud)
        assert processes.wait(lambda: probe("staff", 443).connected, 60, 0.5), "the server does not answer"
        yield wanted
    finally:
        cloud_node.detach_node()
        network.down()


def make_tenant(cloud: Bed) -> None:
    connection = connect(cloud, DOMAINS[1])
    api = connection.network
    outer = api.create_network(
        name="prov-cz", is_router_external=True, provider_network_type="vlan",
        provider_physical_network="physnet1", provider_segmentation_id=2010,
    )  # fmt: skip
    api.create_subnet(network_id=outer.id, cidr=str(OUTER), gateway_ip=str(GATEWAY), ip_version=4, enable_dhcp=False)
    inner = api.create_network(name="app")
    subnet = api.create_subnet(network_id=inner.id, cidr=str(INNER), ip_version=4)
    way_out = {"network_id": outer.id, "enable_snat": False, "external_fixed_ips": [{"ip_address": str(ROUTER)}]}
    router = api.create_router(name="router", external_gateway_info=way_out)
    api.add_interface_to_router(router, subnet_id=subnet.id)
    group = api.create_security_group(name="web")
    for rule in api.security_group_rules(security_group_id=group.id):
        api.delete_security_group_rule(rule)  # a new group lets everything out
    api.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=443, port_range_max=443, remote_ip_prefix=str(STAFF),
    )  # fmt: skip
    port = api.create_port(
        name="budget-web", network_id=inner.id, fixed_ips=[{"ip_address": str(WEB)}], security_groups=[group.id]
    )
    flavor, image = connection.compute.find_flavor("small"), connection.image.find_image(IMAGE)
    made = connection.compute.create_server(
        name="budget-web", flavor_id=flavor.id, image_id=image.id, networks=[{"port": port.id}]
    )
    assert connection.compute.wait_for_server(made, interval=0.2, wait=60).status == "ACTIVE"


def probe(source: str, port: int) -> Result:
    return observe([Request(source, WEB, port)])[0]


def test_a_host_reaches_the_server_with_its_own_address(estate: Estate) -> None:
    result = probe("staff", 443)
    assert result.answered_by == "budget-web"
    assert result.reply.endswith("saw 198.18.16.100")


def test_the_security_group_accepts_its_port_and_source_only(estate: Estate) -> None:
    assert not probe("staff", 8080).connected
    assert not probe("exchange", 443).connected
    assert probe("staff", 443).connected


def test_every_pair_with_the_server_does_what_the_simulator_predicts(estate: Estate) -> None:
    found = compare(estate)
    assert [str(one) for one in found.differences] == []
    assert found.equal
    assert found.packets > 1728  # more than without the server


def test_a_workload_runs_in_the_server_and_gives_its_port_back(estate: Estate) -> None:
    text = '{"name": "moved.web", "title": "moved", "kind": "web", "port": 443, "folder": "/srv/moved"}'
    assert cloud_node.server_exec("budget-web", ["onefold-service", "define"], text=text).returncode == 0
    started = cloud_node.server_exec("budget-web", ["onefold-service", "start", "moved.web"])
    assert started.returncode == 0, started.stderr
    assert probe("staff", 443).answered_by == "moved"
    assert cloud_node.server_exec("budget-web", ["onefold-service", "stop", "moved.web"]).returncode == 0
    assert probe("staff", 443).answered_by == "budget-web"  # at once: `stop` waits for it
