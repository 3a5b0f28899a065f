"""The lab's cloud is real: its interfaces, its packets, its servers; and nothing of it is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.openstack import cloud as cloud_of
from lab.openstack import namespaces, node, processes
from lab.openstack import server as server_of
from lab.openstack.catalogue import connect
from lab.openstack.settings import ADMIN, DOMAINS, FLAVORS, IMAGE, Bed, port, port_base
from orchestrator.errors import LabError

pytestmark = pytest.mark.lab

SERVICES = ("keystone", "glance", "neutron", "nova", "placement", "database", "broker")
WEB, OTHER = "10.50.1.11", "10.50.1.12"


def eventually(what: Callable[[], bool], seconds: float = 30) -> bool:
    return processes.wait(what, seconds, 0.1)


def listens(name: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port(name))) == 0


@dataclass
class District:
    """One tenant network behind a router on the provider VLAN, with two servers."""

    edge: Any
    cloud: Any
    hosts: Path

    def ssh(self, *words: str, hosts: Path | None = None) -> subprocess.CompletedProcess[str]:
        options = [
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={hosts or self.hosts}",
            "ConnectTimeout=5",
            "BatchMode=yes",
        ]
        flags = [word for option in options for word in ("-o", option)]
        done: subprocess.CompletedProcess[str] = self.edge.run(
            "ssh", *flags, "-i", str(node.server_key()), f"root@{WEB}", *words
        )
        return done


@pytest.fixture(scope="module")
def district(own_cloud: Bed, spaces: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    inside, edge = spaces
    node.attach_node(inside.pid, {"civil0": 101}, answer_ports=(443, 8080))
    cloud = connect(own_cloud, DOMAINS[1])
    network = cloud.network
    outer = network.create_network(
        name="provider-civil", is_router_external=True, provider_network_type="vlan",
        provider_physical_network="physnet1", provider_segmentation_id=101,
    )  # fmt: skip
    network.create_subnet(
        network_id=outer.id, cidr="100.66.1.0/24", gateway_ip="100.66.1.1", ip_version=4, enable_dhcp=False
    )
    inner = network.create_network(name="web")
    subnet = network.create_subnet(network_id=inner.id, cidr="10.50.1.0/24", ip_version=4)
    gateway = {"network_id": outer.id, "enable_snat": False, "external_fixed_ips": [{"ip_address": "100.66.1.10"}]}
    router = network.create_router(name="router", external_gateway_info=gateway)
    network.add_interface_to_router(router, subnet_id=subnet.id)
    group = network.create_security_group(name="web")
    for number in (22, 443):
        network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
            port_range_min=number, port_range_max=number, remote_ip_prefix="100.66.1.0/24",
        )  # fmt: skip
    flavor, image = cloud.compute.find_flavor("small"), cloud.image.find_image(IMAGE)
    for name, address in (("web", WEB), ("other", OTHER)):
        hung = network.create_port(
            name=name, network_id=inner.id, fixed_ips=[{"ip_address": address}], security_groups=[group.id]
        )
        made = cloud.compute.create_server(
            name=name, flavor_id=flavor.id, image_id=image.id, networks=[{"port": hung.id}]
        )
        assert cloud.compute.wait_for_server(made, interval=0.2, wait=60).status == "ACTIVE"
    assert eventually(lambda: bool(edge.probe(WEB, 443) and edge.probe(OTHER, 443)))
    hosts = tmp_path_factory.mktemp("ssh") / "known_hosts"
    hosts.write_text(f"{WEB} {node.host_key('web')}\n")
    yield District(edge, cloud, hosts)
    node.detach_node()


def test_down_leaves_nothing_even_when_the_start_was_killed(own_place: Bed) -> None:
    """Comes first: what it leaves is the cloud in its first state, for whoever needs one (its twin: all of them)."""
    cloud_of.down()
    start = subprocess.Popen([sys.executable, "-m", "lab.openstack", "reset"], stderr=subprocess.DEVNULL)
    assert eventually(lambda: "mariadb" in processes.members(own_place).values(), 120)
    assert eventually(lambda: listens("database"))
    keeper = processes.keeper(own_place)
    assert keeper is not None
    start.kill()
    start.wait()
    members = set(processes.members(own_place))
    assert members
    cloud_of.down()
    assert cloud_of.status()["state"] == "down"
    assert not any(Path(f"/proc/{pid}").exists() for pid in (*members, keeper))
    assert not any(listens(name) for name in SERVICES)
    cloud_of.up()
    assert cloud_of.status()["state"] == "up"
    assert connect(own_place, ADMIN).identity.find_project("service") is not None


def test_status_names_what_runs(own_cloud: Bed) -> None:
    status = cloud_of.status()
    assert status["state"] == "up"
    services = status["services"]
    assert isinstance(services, list)
    assert {
        "keystone",
        "neutron",
        "nova",
        "nova-compute",
        "glance",
        "placement",
        "mariadb",
        "rabbitmq",
        "ovn-northd",
    } <= set(services)


def test_everything_listens_on_loopback_only(own_cloud: Bed) -> None:
    assert all(listens(name) for name in SERVICES)
    ours = {str(pid) for pid in processes.members(own_cloud)}
    lines = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    mine = [line.split()[3] for line in lines if any(f"pid={pid}," in line for pid in ours)]
    assert len(mine) >= len(SERVICES)
    assert [place for place in mine if not place.startswith(("127.0.0.1:", "[::1]:"))] == []


def test_passwords_are_in_private_files_and_in_no_argument(own_cloud: Bed) -> None:
    secrets = set(own_cloud.secrets().values())
    assert len(secrets) == 6
    configuration = (own_cloud.configuration / "neutron/neutron.conf").read_text()
    assert sum(secret in configuration for secret in secrets) == 3  # database, broker, service user
    arguments = "".join(
        Path(f"/proc/{pid}/cmdline").read_text()
        for pid in processes.members(own_cloud)
        if Path(f"/proc/{pid}").exists()
    )
    assert "neutron" in arguments
    assert [secret for secret in secrets if secret in arguments] == []
    private = [own_cloud.clouds, own_cloud.folder / "secrets.json", *own_cloud.configuration.glob("*/*.conf")]
    assert [file for file in private if file.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_an_administrator_for_its_projects(own_cloud: Bed, domain: str) -> None:
    cloud = connect(own_cloud, domain)
    assert {flavor.name: (flavor.vcpus, flavor.ram) for flavor in cloud.compute.flavors()} == FLAVORS
    assert [image.name for image in cloud.image.images()] == [IMAGE]
    identity = connect(own_cloud, f"{domain}-identity").identity
    project = identity.create_project(name="tenant", domain_id=identity.find_domain(domain).id)
    assert cloud.connect_as(project_id=project.id, project_name=None).compute.get_limits() is not None
    identity.delete_project(project)


def test_a_second_lab_is_refused_the_ports(own_cloud: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = own_cloud.folder
    other = Path(f"/tmp/lab-{os.getpid()}")  # short: unix sockets
    monkeypatch.setenv("ONEFOLD_LAB", str(other))
    with pytest.raises(LabError) as refused:
        cloud_of.up()
    assert str(refused.value) == (
        f"the cloud in {holder} holds the ports from {port_base()}: end that lab, or set ONEFOLD_LAB_PORTS"
    )
    shutil.rmtree(other)


def test_packets_cross_the_provider_network_and_groups_hold(district: District) -> None:
    assert district.edge.probe(WEB, 443) == f"web {WEB}:443 saw 100.66.1.1"
    assert district.edge.probe(WEB, 8080) == ""
    peer = f"exec 3<>/dev/tcp/{OTHER}/443 && cat <&3"
    assert node.server_exec("web", ["timeout", "1.5", "bash", "-c", peer]).stdout == ""  # not from 100.66.1.0/24
    group = district.cloud.network.find_security_group("web")
    district.cloud.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=443, port_range_max=443, remote_ip_prefix="10.50.1.0/24",
    )  # fmt: skip
    answer = f"other {OTHER}:443 saw {WEB}\n"
    assert eventually(lambda: node.server_exec("web", ["timeout", "1.5", "bash", "-c", peer]).stdout == answer, 10)


def test_a_server_is_reached_by_ssh_with_its_own_host_key(district: District, tmp_path: Path) -> None:
    said = district.ssh("hostname; cat > /srv/page <<< moved; cat /srv/page")
    assert said.stdout == "web\nmoved\n"
    assert node.server_exec("other", ["ls", "/srv"]).stdout == ""
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"{WEB} {node.host_key('other')}\n")
    refused = district.ssh("true", hosts=wrong)
    assert refused.returncode == 255
    assert "Host key verification failed." in refused.stderr


def test_a_real_service_takes_over_from_the_answerer(district: District) -> None:
    node.answer("web", [])
    assert district.edge.probe(WEB, 443) == ""
    run = "echo real > /srv/index.html; cd /srv; setsid python3 -m http.server 443 >/dev/null 2>&1 </dev/null & sleep 1"
    assert district.ssh(run).returncode == 0
    fetch = lambda: district.edge.run("curl", "-s", "-m", "3", f"http://{WEB}:443/index.html").stdout  # noqa: E731
    assert eventually(lambda: fetch() == "real\n", 10)
    with pytest.raises(LabError) as refused:
        node.answer("web", [443])
    assert str(refused.value) == "server 'web' runs something of its own on port 443: probe that instead"


def test_the_plugger_may_be_killed_and_finds_its_servers_again(district: District, spaces: tuple[Any, Any]) -> None:
    here = spaces[0].pid
    before = server_of.process(server_of.find("other"), here)
    for pid in namespaces.marked(f"plugger:{server_of.bed().folder}"):
        os.kill(pid, signal.SIGKILL)
    assert district.edge.probe(OTHER, 22).startswith("SSH-2.0-")  # packets and processes go on
    assert district.edge.probe(OTHER, 443) == ""  # the answerer was the plugger's own
    node.attach_node(here, {"civil0": 101}, answer_ports=(443, 8080))
    assert eventually(lambda: district.edge.probe(OTHER, 443) == f"other {OTHER}:443 saw 100.66.1.1")
    assert before is not None
    assert server_of.process(server_of.find("other"), here) == before


def test_a_stopped_server_is_silent_and_keeps_its_files(district: District) -> None:
    node.server_exec("other", ["bash", "-c", "echo kept > /srv/file"])
    server = district.cloud.compute.find_server("other")
    district.cloud.compute.stop_server(server)
    assert eventually(lambda: district.edge.probe(OTHER, 443) == "")
    assert district.edge.probe(WEB, 22).startswith("SSH-2.0-")
    district.cloud.compute.wait_for_server(
        district.cloud.compute.get_server(server.id), status="SHUTOFF", interval=0.2, wait=30
    )
    district.cloud.compute.start_server(server)
    assert eventually(lambda: district.edge.probe(OTHER, 443) == f"other {OTHER}:443 saw 100.66.1.1")
    assert node.server_exec("other", ["cat", "/srv/file"]).stdout == "kept\n"


def test_a_deleted_server_takes_its_processes_and_files_along(district: District) -> None:
    other = server_of.find("other")
    folder = other.folder(server_of.bed())
    assert namespaces.marked(f"server:{other.id}")
    assert folder.exists()
    district.cloud.compute.delete_server(other.id)
    assert eventually(lambda: not folder.exists())
    assert namespaces.marked(f"server:{other.id}") == []
    assert district.edge.probe(WEB, 22).startswith("SSH-2.0-")


def test_reset_keeps_the_node_and_forgets_the_rest(own_cloud: Bed, district: District, spaces: tuple[Any, Any]) -> None:
    assert len(node.servers()) == 1
    begun = time.monotonic()
    cloud_of.reset()
    assert time.monotonic() - begun < 90
    assert eventually(lambda: node.servers() == ())
    assert [network.name for network in connect(own_cloud).network.networks()] == []
    attached = node.node()
    assert attached is not None
    assert attached.pid == spaces[0].pid
