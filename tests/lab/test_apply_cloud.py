"""A tenant by the engine: there, seen, killed inside the engine, refused for its quota, and back.

The whole district, with kills at many journal points, is in test_district.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from lab.openstack.node import attach_node
from lab.openstack.settings import Bed
from network_models.district import now
from orchestrator.apply.access import Access, load_access
from orchestrator.apply.cloud import Cloud, stacks_changed
from orchestrator.apply.cloud_world import cloud_rows, expected_rows, project_of
from orchestrator.errors import EngineError
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

pytestmark = pytest.mark.lab
NOW = now()
CLOUD, STACK, PROVIDER = "administrative-service-cloud", "tenant-cz", "provider-administrative-service-cloud"


BASE = NOW.with_nouns(
    ProviderNetwork(name="prov-cz", cloud=CLOUD, vlan=2010, prefix=IPv4Network("198.18.130.0/24"),
                    gateway=IPv4Address("198.18.130.1")),
)  # fmt: skip
"""What a tenant stands on."""


def tenant(quota: Quota | None = None) -> Estate:
    return BASE.with_nouns(
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


@pytest.fixture(scope="module")
def provided(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with its provider network, which goes again at the end."""
    cloud.push(PROVIDER, NOW, BASE, resuming=True)
    yield cloud
    cloud.push(PROVIDER, BASE, NOW, resuming=True)
    assert cloud_rows(cloud.connection, NOW) == {}


def clear(cloud: Cloud, estate: Estate, base: Estate = BASE) -> None:
    for stack in reversed(stacks_changed(base, estate)):
        cloud.push(stack, estate, base, resuming=True)
    assert cloud_rows(cloud.connection, base) == expected_rows(base)


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
    clear(cloud, estate, NOW)
    assert cloud_rows(cloud.connection, NOW) == {}


def with_tenants(*names: str) -> Estate:
    return NOW.with_nouns(
        *(Tenant(name=name, cloud=CLOUD, organisation="cz", zone="vpn-cz") for name in names),
        *(CloudNetwork(tenant=name, name="net", prefix=IPv4Network("198.18.137.0/24")) for name in names),
        *(SecurityGroup(tenant=name, name=f"of-{name}") for name in names),
    )


def test_tenants_side_by_side_get_each_their_own(cloud: Cloud) -> None:
    names = ("one", "two", "three")
    estate = with_tenants(*names)
    with ThreadPoolExecutor(len(names)) as pool:
        there = list(pool.map(lambda name: cloud.push(f"tenant-{name}", NOW, with_tenants(name)).changed, names))
        assert [set(changed.values()) for changed in there] == [{"create"}] * 3
        assert [f"group-of-{name}" in changed for name, changed in zip(names, there, strict=True)] == [True] * 3
        assert cloud_rows(cloud.connection, estate) == expected_rows(estate)
        back = list(pool.map(lambda name: cloud.push(f"tenant-{name}", with_tenants(name), NOW).changed, names))
        assert [set(changed.values()) for changed in back] == [{"delete"}] * 3
    assert cloud_rows(cloud.connection, NOW) == {}


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from orchestrator.apply.access import load_access
from orchestrator.apply.cloud import Cloud
from tests.lab.test_apply_cloud import BASE, STACK, tenant
def note(name, state):
    if (name, state) == (sys.argv[2], "started"):
        threading.Timer(float(sys.argv[3]), os.killpg, (os.getpgrp(), getattr(signal, sys.argv[4]))).start()
Cloud(load_access(Path(sys.argv[1]))).push(STACK, BASE, tenant(), resuming=True, note=note)
"""


@pytest.mark.parametrize(
    ("resource", "delay"), [("project", 0.0), ("network-net", 0.2), ("group-web", 0.4), ("server-budget-web", 1.0)]
)
def test_after_a_kill_inside_the_engine_nothing_is_there_twice(provided: Cloud, resource: str, delay: float) -> None:
    estate = tenant()
    access = provided.access.ssh_key.parent / "access.json"
    words = [sys.executable, "-c", KILLED, str(access), resource, str(delay), "SIGKILL"]
    died = subprocess.run(words, start_new_session=True, env=dict(os.environ, PYTHONPATH="."), timeout=300, check=False)
    assert died.returncode == -9
    with pytest.raises(EngineError, match=r"is locked: another onefold works on it|^stack tenant-cz"):
        provided.push(STACK, BASE, estate)
    provided.push(STACK, BASE, estate, resuming=True)
    assert cloud_rows(provided.connection, estate) == expected_rows(estate)
    assert provided.preview(STACK, estate) == {}
    project = project_of(provided.connection, estate, "cz").id
    api = provided.connection.network
    counted = [
        len(list(listing(project_id=project))) for listing in (api.networks, api.subnets, api.routers, api.ports)
    ]
    assert counted == [1, 1, 1, 2]  # the ports: the server's and the router's inner one
    assert len(list(api.security_groups(project_id=project))) == 3  # with the project's own "default"
    clear(provided, estate)


@pytest.mark.parametrize(("resource", "delay"), [("project", 0.0), ("network-net", 0.3), ("server-budget-web", 1.0)])
def test_after_a_kill_inside_the_engine_the_way_back_leaves_nothing(
    provided: Cloud, resource: str, delay: float
) -> None:
    estate = tenant()
    access = provided.access.ssh_key.parent / "access.json"
    words = [sys.executable, "-c", KILLED, str(access), resource, str(delay), "SIGKILL"]
    died = subprocess.run(words, start_new_session=True, env=dict(os.environ, PYTHONPATH="."), timeout=300, check=False)
    assert died.returncode == -9
    clear(provided, estate)
    assert [p.name for p in provided.connection.identity.projects() if p.name == "cz"] == []


def test_a_stack_that_another_run_works_on_is_locked_and_left_alone(provided: Cloud) -> None:
    """The positive twin is every push above: nobody else holds the lock."""
    estate = tenant()
    access = provided.access.ssh_key.parent / "access.json"
    words = [sys.executable, "-c", KILLED, str(access), "network-net", "0.0", "SIGSTOP"]
    other = subprocess.Popen(words, start_new_session=True, env=dict(os.environ, PYTHONPATH="."))
    try:
        os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        with pytest.raises(EngineError, match=r"^stack tenant-cz is locked: another onefold works on it, or a killed"):
            provided.push(STACK, BASE, estate)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
    clear(provided, estate)


def test_a_quota_that_is_too_small_stops_with_the_clouds_own_words(provided: Cloud) -> None:
    estate = tenant(Quota(networks=0))
    with pytest.raises(EngineError, match=r"stack tenant-cz: up failed: .*[Qq]uota exceeded"):
        provided.push(STACK, BASE, estate)
    clear(provided, estate)
