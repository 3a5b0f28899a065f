"""The engine is the real one: found by version, of the right names, and it changes a real cloud."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lab.openstack import node
from lab.openstack.catalogue import connect
from lab.openstack.settings import DOMAINS, IMAGE, Bed
from lab.progress import printed
from orchestrator.apply import engine, engine_build

ROOT = Path(__file__).parents[2]
DOMAIN = DOMAINS[0]
#: second names of resources that the plugin knows by another, and one (the last) that its provider does not have
WITHOUT = {
    "BgpvpnNetworkAssociateV2", "BgpvpnPortAssociateV2", "BgpvpnRouterAssociateV2", "BgpvpnV2",
    "LbFlavorprofileV2", "LbLoadbalancerV2", "WorkflowWorkflowV2",
}  # fmt: skip
Program = Callable[[], None]


def test_versions_are_the_same_everywhere() -> None:
    wanted = (ROOT / "requirements.in").read_text()
    assert re.search(rf"^pulumi=={re.escape(engine.VERSION)}\b", wanted, re.M)
    assert re.search(rf"^pulumi-openstack=={re.escape(engine.PROVIDER_VERSION)}\b", wanted, re.M)
    modules = (engine_build.SOURCES / "cli/go.mod").read_text()
    assert f"\tgithub.com/pulumi/pulumi/pkg/v3 v{engine.VERSION} " in modules


def test_every_resource_of_the_python_package_has_its_name_in_the_plugin() -> None:
    found = find_spec("pulumi_openstack")
    assert found is not None
    assert found.origin is not None
    texts = (file.read_text() for file in Path(found.origin).parent.rglob("*.py"))
    called = {token for text in texts for token in re.findall(r"'(openstack:\w+/\w+:\w+)'", text)}
    resources = {token for token in called if not token.rpartition(":")[2].startswith("get")}
    assert len(engine.tokens()) == 108
    assert engine.tokens() <= resources
    assert {token.rpartition(":")[2] for token in resources - engine.tokens()} == WITHOUT


def test_a_program_of_another_version_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    plugin = tmp_path / f"home/plugins/resource-openstack-v{engine.PROVIDER_VERSION}/pulumi-resource-openstack"
    _write_program(plugin, "exit 0")
    _write_program(tmp_path / "bin/pulumi", "echo v3.1.0")
    assert engine.find() is None
    _write_program(tmp_path / "bin/pulumi", f"echo v{engine.VERSION}")
    found = engine.find()
    assert found == engine.Engine(tmp_path / "bin/pulumi", tmp_path / "home", engine.VERSION, engine.PROVIDER_VERSION)
    from pulumi import automation

    asked = automation.PulumiCommand(root=str(tmp_path), skip_version_check=True)
    assert vars(found.command()) == vars(asked)
    plugin.unlink()
    assert engine.find() is None


def test_an_older_go_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    _write_program(tmp_path / "bin/go", "echo go version go1.19.8 linux/amd64")
    assert engine_build.find_go() is None
    _write_program(tmp_path / "bin/go", "echo go version go1.27.3 linux/amd64")
    assert engine_build.find_go() == tmp_path / "bin/go"


def _write_program(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


@dataclass
class Tenancy:
    """One stack of one tenant against the tests' own cloud."""

    folder: Path
    clouds: Path
    home: engine.Engine

    def stack(self, name: str, program: Program) -> Any:
        from pulumi import automation

        backend = f"file://{self.folder}"
        environment = {
            **self.home.environment(),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_BACKEND_URL": backend,
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
        }
        settings = automation.ProjectSettings("onefold", "python", backend=automation.ProjectBackend(backend))
        options = automation.LocalWorkspaceOptions(
            env_vars=environment, project_settings=settings, pulumi_command=self.home.command()
        )
        return automation.create_or_select_stack(name, "onefold", program, opts=options)


@pytest.fixture(scope="module")
def tenancy(own_cloud: Bed, tmp_path_factory: pytest.TempPathFactory) -> Tenancy:
    return Tenancy(tmp_path_factory.mktemp("stacks"), own_cloud.clouds, engine.ensure(printed))


def _tenant(domain_id: str, **adopted: str) -> Program:
    """A project, its quota, network, subnet, security group and rule; what is in ``adopted`` is taken over."""

    def program() -> None:
        import pulumi
        import pulumi_openstack as cloud

        provider = cloud.Provider("login", cloud=DOMAIN)

        def options(name: str, *after: Any) -> Any:
            # an order given at creation only, and so nothing that can be read from what is adopted
            unread = ["deleteDefaultRules"] if name == "group" and name in adopted else None
            taken = adopted.get(name)
            return pulumi.ResourceOptions(provider=provider, depends_on=after, import_=taken, ignore_changes=unread)

        project = cloud.identity.Project("project", name="civil", domain_id=domain_id, opts=options("project"))
        quota = cloud.networking.QuotaV2(
            "quota", project_id=project.id, network=50, security_group=50, opts=options("quota")
        )
        network = cloud.networking.Network("web", name="web", tenant_id=project.id, opts=options("network", quota))
        cloud.networking.Subnet(
            "web", name="web", network_id=network.id, tenant_id=project.id, cidr="10.60.1.0/24", ip_version=4,
            allocation_pools=[{"start": "10.60.1.10", "end": "10.60.1.99"}], opts=options("subnet"),
        )  # fmt: skip
        group = cloud.networking.SecGroup(
            "web", name="web", tenant_id=project.id, delete_default_rules=True, opts=options("group", quota)
        )
        cloud.networking.SecGroupRule(
            "web-443", direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=443, port_range_max=443,
            remote_ip_prefix="198.18.0.0/15", security_group_id=group.id, tenant_id=project.id, opts=options("rule"),
        )  # fmt: skip

    return program


@pytest.mark.lab
def test_a_tenant_is_made_seen_unchanged_adopted_and_taken_away(own_cloud: Bed, tenancy: Tenancy) -> None:
    cloud = connect(own_cloud, DOMAIN)
    domain_id = connect(own_cloud).identity.find_domain(DOMAIN).id
    first = tenancy.stack("first", _tenant(domain_id))
    assert first.preview().change_summary == {"create": 8}  # six resources, the provider, the stack
    assert first.up().summary.resource_changes == {"create": 8}
    assert first.preview(refresh=True).change_summary == {"same": 8}
    project = cloud.identity.find_project("civil", domain_id=domain_id)
    networks = list(cloud.network.networks(project_id=project.id))
    assert [network.name for network in networks] == ["web"]

    network = networks[0]
    group = next(iter(cloud.network.security_groups(project_id=project.id, name="web")))
    rule = next(iter(cloud.network.security_group_rules(security_group_id=group.id)))
    adopted = {
        "project": project.id, "quota": f"{project.id}/RegionOne", "network": network.id,
        "subnet": network.subnet_ids[0], "group": group.id, "rule": rule.id,
    }  # fmt: skip
    second = tenancy.stack("second", _tenant(domain_id, **adopted))
    assert second.preview().change_summary == {"create": 2, "import": 6}
    assert second.up().summary.resource_changes == {"create": 2, "import": 6}
    assert second.preview(refresh=True).change_summary == {"same": 8}

    cloud.network.update_network(network, name="renamed")
    assert second.preview().change_summary == {"same": 8}  # the state alone knows nothing of it
    assert second.preview(refresh=True).change_summary == {"same": 7, "update": 1}
    second.up(refresh=True)
    assert cloud.network.get_network(network.id).name == "web"

    second.destroy()
    assert cloud.identity.find_project("civil", domain_id=domain_id) is None
    assert cloud.network.find_network(network.id) is None


def _server(domain_id: str) -> Program:
    """A tenant with everything a server needs, on a provider network of its own, by the tenant's own login."""

    def program() -> None:
        import pulumi
        import pulumi_openstack as cloud

        admin = pulumi.ResourceOptions(provider=cloud.Provider("login", cloud=DOMAIN))
        project = cloud.identity.Project("project", name="tax", domain_id=domain_id, opts=admin)
        outer = cloud.networking.Network(
            "outer", name="outer", external=True, opts=admin,
            segments=[{"networkType": "vlan", "physicalNetwork": "physnet1", "segmentationId": "101"}],
        )  # fmt: skip
        pool = cloud.networking.Subnet(
            "outer", network_id=outer.id, cidr="100.66.1.0/24", gateway_ip="100.66.1.1", enable_dhcp=False, opts=admin
        )
        login = cloud.Provider("tenant", cloud=DOMAIN, tenant_id=project.id)
        mine = pulumi.ResourceOptions(provider=login)
        network = cloud.networking.Network("inner", name="inner", opts=mine)
        subnet = cloud.networking.Subnet("inner", network_id=network.id, cidr="10.50.9.0/24", opts=mine)
        router = cloud.networking.Router(
            "router", name="router", tenant_id=project.id, external_network_id=outer.id, enable_snat=False,
            external_fixed_ips=[{"subnetId": pool.id, "ipAddress": "100.66.1.10"}], opts=admin,
        )  # fmt: skip
        hung = cloud.networking.RouterInterface("router", router_id=router.id, subnet_id=subnet.id, opts=mine)
        group = cloud.networking.SecGroup("group", name="group", opts=mine)
        cloud.networking.SecGroupRule(
            "rule", direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=443, port_range_max=443,
            remote_ip_prefix="100.66.1.0/24", security_group_id=group.id, opts=mine,
        )  # fmt: skip
        port = cloud.networking.Port(
            "port", name="tax", network_id=network.id, security_group_ids=[group.id],
            fixed_ips=[{"subnetId": subnet.id, "ipAddress": "10.50.9.11"}], opts=mine,
        )  # fmt: skip
        close = cloud.compute.ServerGroup("group", name="tax", policies="anti-affinity", opts=mine)
        key = cloud.compute.Keypair("key", name="tax", opts=mine)
        cloud.compute.Instance(
            "server", name="tax", flavor_name="small", image_name=IMAGE, key_pair=key.name,
            networks=[{"port": port.id}], scheduler_hints=[{"group": close.id}],
            opts=pulumi.ResourceOptions(provider=login, depends_on=[hung]),
        )  # fmt: skip

    return program


@pytest.mark.lab
def test_a_server_made_by_the_engine_answers_packets(own_cloud: Bed, tenancy: Tenancy, spaces: tuple[Any, Any]) -> None:
    inside, edge = spaces
    node.attach_node(inside.pid, {"civil0": 101}, answer_ports=(443, 8080))
    domain_id = connect(own_cloud).identity.find_domain(DOMAIN).id
    stack = tenancy.stack("server", _server(domain_id))
    stack.up()
    assert set(stack.preview(refresh=True).change_summary) == {"same"}
    answer = "tax 10.50.9.11:443 saw 100.66.1.1"
    assert edge.probe("10.50.9.11", 443, 15) == answer or edge.probe("10.50.9.11", 443) == answer
    assert edge.probe("10.50.9.11", 8080) == ""
    stack.destroy()
    assert edge.probe("10.50.9.11", 443) == ""
    node.detach_node()
