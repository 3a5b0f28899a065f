"""One change of each kind on real parts: there, seen, refused when somebody else was faster, and back.

The whole district, with kills at many journal points, is in test_district.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab import network
from lab.openstack.node import attach_node
from lab.openstack.settings import Bed
from network_models.district import now
from orchestrator.apply.access import Access, load_access
from orchestrator.apply.cloud import Cloud, stacks_changed
from orchestrator.apply.cloud_world import cloud_rows, expected_rows, project_of
from orchestrator.apply.device import read_all
from orchestrator.apply.network import push
from orchestrator.apply.remote import Remote
from orchestrator.apply.snapshot import Snapshot, unequal
from orchestrator.errors import EngineError, SurpriseError, UnreachableError
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
from orchestrator.model.estate import Estate
from orchestrator.model.network import FilterRule, Interface, Vlan, Vrf

pytestmark = pytest.mark.lab
NOW = now()
CLOUD, STACK, PROVIDER = "administrative-service-cloud", "tenant-cz", "provider-administrative-service-cloud"


def with_vrf() -> Estate:
    like = NOW.vrfs["pe1/adm"]
    assert like.overlay is not None
    overlay = like.overlay.model_copy(
        update={"vni": 10100, "address": IPv4Interface("169.254.64.9/30"), "peer": IPv4Address("169.254.64.10")}
    )
    target = ("65000:100",)
    vrf = Vrf(device="pe1", name="cz", zone="vpn-cz", route_distinguisher="65000:100", import_targets=target,
              export_targets=target, overlay=overlay)  # fmt: skip
    leg = Interface(device="pe1", name="fw-cz", vrf="cz", address=IPv4Interface("198.19.255.9/30"))
    return NOW.with_nouns(vrf, leg)


def with_rule() -> Estate:
    return NOW.with_nouns(
        FilterRule(
            device="fw1",
            sequence=150,
            action="accept",
            in_interfaces=("cz0",),
            out_interfaces=("adm0",),
            sources=(IPv4Network("198.18.32.100/32"),),
            destinations=(IPv4Network("198.18.0.10/32"),),
            protocol="tcp",
            ports=((443, 443),),
            flow="F-003",
        )
    )


def with_vlan() -> Estate:
    return NOW.with_nouns(Vlan(device="msw1", vlan=2010, description="PROV-CZ"))


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Remote, Access]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEFOLD_LAB", str(tmp_path_factory.mktemp("apply")))
        network.up(NOW)
        try:
            access = load_access(network.node.place().access)
            with Remote(access) as remote:
                yield remote, access
        finally:
            network.down()


CHANGES = {"pe1": with_vrf, "fw1": with_rule, "msw1": with_vlan}


@pytest.mark.parametrize("device", CHANGES)
def test_a_device_goes_there_and_back_and_is_what_it_was(devices: tuple[Remote, Access], device: str) -> None:
    remote, access = devices
    after = CHANGES[device]()
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    pushed = push(device, NOW, after, remote, access)
    assert (pushed.changed, pushed.lines > 0) == (True, True)
    assert not push(device, NOW, after, remote, access, resuming=True).changed
    with pytest.raises(SurpriseError, match=f"{device} has all of this change, and no run of ours made it"):
        push(device, NOW, after, remote, access)
    push(device, after, NOW, remote, access)
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()


def test_a_hand_made_line_stops_a_push_and_stays(devices: tuple[Remote, Access]) -> None:
    remote, access = devices
    address = NOW.devices["cz1"].management
    assert address is not None
    try:
        remote.ask("cz1", address, "vtysh -c 'configure terminal' -c 'ip route 203.0.113.0/24 blackhole'")
        port = Interface(device="cz1", name="up0", address=IPv4Interface("198.18.240.2/30"))
        with pytest.raises(SurpriseError) as caught:
            push("cz1", NOW, NOW.with_nouns(port), remote, access)
        assert "routes[cz1/default/203.0.113.0/24/blackhole] is " in str(caught.value)
        assert "203.0.113.0/24" in remote.ask("cz1", address, "vtysh -c 'show running-config'")
        assert "198.18.240.2" not in remote.ask("cz1", address, "vtysh -c 'show running-config'")
    finally:
        remote.ask("cz1", address, "vtysh -c 'configure terminal' -c 'no ip route 203.0.113.0/24 blackhole'")


def test_a_device_of_another_host_key_is_not_spoken_to(devices: tuple[Remote, Access], tmp_path: Path) -> None:
    _, access = devices
    pe1, pe2 = (NOW.devices[name].management for name in ("pe1", "pe2"))
    assert pe1 is not None
    assert pe2 is not None
    lines = {line.split()[0]: line for line in access.known_hosts.read_text().splitlines()}
    swapped = tmp_path / "known_hosts"
    swapped.write_text(lines[f"pe2,{pe2}"].replace(str(pe2), str(pe1)) + "\n")
    wary = Remote(access.model_copy(update={"known_hosts": swapped}))
    with wary, pytest.raises(UnreachableError, match=r"pe1 \(172\.31\.0\.11\) cannot be reached by ssh: Host key"):
        wary.ask("pe1", pe1, "true")
    with Remote(access) as trusting:
        assert trusting.ask("pe1", pe1, "echo here") == "here\n"


def tenant(quota: Quota | None = None) -> Estate:
    return NOW.with_nouns(
        ProviderNetwork(name="prov-cz", cloud=CLOUD, vlan=2010, prefix=IPv4Network("198.18.130.0/24"),
                        gateway=IPv4Address("198.18.130.1")),
        Tenant(name="cz", cloud=CLOUD, organisation="cz", zone="vpn-cz", quota=quota or Quota()),
        CloudNetwork(tenant="cz", name="net", prefix=IPv4Network("198.18.136.0/24")),
        CloudRouter(tenant="cz", name="router", provider_network="prov-cz", address=IPv4Address("198.18.130.4"),
                    networks=("net",)),
        SecurityGroup(tenant="cz", name="web"),
        SecurityGroup(tenant="cz", name="db"),
        SecurityRule(tenant="cz", group="web", direction="ingress", protocol="tcp", ports=(8080, 8080), flow="F-001",
                     remote_prefix=IPv4Network("10.8.1.0/24")),
        SecurityRule(tenant="cz", group="db", direction="ingress", protocol="tcp", ports=(3306, 3306), flow="F-002",
                     remote_group="web"),
        Server(tenant="cz", name="budget-web", network="net", address=IPv4Address("198.18.136.20"), flavor="small",
               image="onefold-host", groups=("web",)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def cloud(own_cloud: Bed, spaces: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    attach_node(spaces[0].pid, {"civil0": 2010})
    folder = tmp_path_factory.mktemp("stacks")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    access = folder / "access.json"
    made = Access(
        ssh_key=key, known_hosts=folder / "none", clouds_file=own_cloud.clouds, pulumi_backend=str(folder / "state")
    )
    access.write_text(made.model_dump_json())
    access.chmod(0o600)
    yield Cloud(load_access(access))
    # the Automation API leaves event loops open: closed here, they give no warning at the end of all tests
    for loop in [one for one in gc.get_objects() if isinstance(one, asyncio.AbstractEventLoop)]:
        if not loop.is_running():
            loop.close()


def clear(cloud: Cloud, estate: Estate) -> None:
    for stack in reversed(stacks_changed(NOW, estate)):
        cloud.push(stack, estate, NOW, resuming=True)
    assert cloud_rows(cloud.connection, NOW) == {}


def test_a_tenant_comes_is_what_the_plan_says_and_goes(cloud: Cloud) -> None:
    estate = tenant()
    for stack in stacks_changed(NOW, estate):
        assert set(cloud.push(stack, NOW, estate).changed.values()) == {"create"}
    assert cloud_rows(cloud.connection, estate) == expected_rows(estate)
    assert cloud.preview(STACK, estate) == {}
    project = project_of(cloud.connection, estate, "cz")
    mine = next(iter(cloud.connection.network.networks(project_id=project.id)))
    cloud.connection.network.update_network(mine, name="tampered")
    assert cloud.preview(STACK, estate) == {"network-net": "update"}
    cloud.connection.network.update_network(mine, name="net")
    clear(cloud, estate)


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from orchestrator.apply.access import load_access
from orchestrator.apply.cloud import Cloud
from tests.lab.test_apply import NOW, STACK, tenant
def note(name, state):
    if (name, state) == (sys.argv[2], "started"):
        threading.Timer(float(sys.argv[3]), os.killpg, (os.getpgrp(), signal.SIGKILL)).start()
Cloud(load_access(Path(sys.argv[1]))).push(STACK, NOW, tenant(), resuming=True, note=note)
"""


@pytest.mark.parametrize(
    ("resource", "delay"), [("project", 0.0), ("network-net", 0.2), ("group-web", 0.4), ("server-budget-web", 1.0)]
)
def test_after_a_kill_inside_the_engine_nothing_is_there_twice(cloud: Cloud, resource: str, delay: float) -> None:
    estate = tenant()
    cloud.push(PROVIDER, NOW, estate, resuming=True)
    access = cloud.access.ssh_key.parent / "access.json"
    words = [sys.executable, "-c", KILLED, str(access), resource, str(delay)]
    died = subprocess.run(words, start_new_session=True, env=dict(os.environ, PYTHONPATH="."), timeout=300, check=False)
    assert died.returncode == -9
    with pytest.raises(EngineError, match=r"is locked: another onefold works on it|^stack tenant-cz"):
        cloud.push(STACK, NOW, estate)
    cloud.push(STACK, NOW, estate, resuming=True)
    assert cloud_rows(cloud.connection, estate) == expected_rows(estate)
    assert cloud.preview(STACK, estate) == {}
    project = project_of(cloud.connection, estate, "cz").id
    api = cloud.connection.network
    counted = [
        len(list(listing(project_id=project))) for listing in (api.networks, api.subnets, api.routers, api.ports)
    ]
    assert counted == [1, 1, 1, 2]  # the ports: the server's and the router's inner one
    assert len(list(api.security_groups(project_id=project))) == 3  # with the project's own "default"
    clear(cloud, estate)


def test_a_quota_that_is_too_small_stops_with_the_clouds_own_words(cloud: Cloud) -> None:
    estate = tenant(Quota(networks=0))
    cloud.push(PROVIDER, NOW, estate, resuming=True)
    with pytest.raises(EngineError, match=r"stack tenant-cz: up failed: .*[Qq]uota exceeded"):
        cloud.push(STACK, NOW, estate)
    clear(cloud, estate)
