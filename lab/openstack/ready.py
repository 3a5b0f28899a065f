"""When the cloud may be called ready: its services report up, and one authenticated write per interface succeeded.

Neutron answers reads before its policies are loaded and refuses the first writes: only writes show that it is ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

from lab.openstack.catalogue import Connection, connect
from lab.openstack.settings import Bed
from orchestrator.errors import LabError


def _write_project(cloud: Connection, name: str) -> None:
    project = cloud.identity.create_project(name=name, domain_id="default")
    cloud.identity.delete_project(project)


def _write_network(cloud: Connection, name: str) -> None:
    network = cloud.network.create_network(name=name)
    cloud.network.delete_network(network)


def _write_keypair(cloud: Connection, name: str) -> None:
    keypair = cloud.compute.create_keypair(name=name)
    cloud.compute.delete_keypair(keypair)


def _write_image(cloud: Connection, name: str) -> None:
    image = cloud.image.create_image(name=name, data=b"probe", disk_format="raw", container_format="bare", wait=True)
    cloud.image.delete_image(image)


def _write_provider(cloud: Connection, name: str) -> None:
    provider = cloud.placement.create_resource_provider(name=name)
    cloud.placement.delete_resource_provider(provider)


def _services_up(cloud: Connection, _name: str) -> None:
    """Raise unless Nova's three services report up and the compute host offers resources."""
    up = {service.binary for service in cloud.compute.services() if service.state == "up"}
    if absent := {"nova-compute", "nova-conductor", "nova-scheduler"} - up:
        raise LabError(f"{', '.join(sorted(absent))} not up")
    if not list(cloud.placement.resource_providers()):
        raise LabError("no resource provider yet")


#: interface -> the write (made and taken away again) that shows it ready
CHECKS: dict[str, Callable[[Connection, str], None]] = {
    "identity": _write_project,
    "network": _write_network,
    "compute": _write_keypair,
    "image": _write_image,
    "placement": _write_provider,
    "services": _services_up,
}


def check(bed: Bed) -> dict[str, str]:
    """Return, per interface, ``ready`` or why it is not; asks each once."""
    cloud = connect(bed)
    return {name: _answer(probe, cloud) for name, probe in CHECKS.items()}


def _answer(probe: Callable[[Connection, str], None], cloud: Connection) -> str:
    try:
        probe(cloud, f"probe-{uuid4().hex[:8]}")
    except (SDKException, ClientException, LabError) as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    return "ready"


def wait_ready(bed: Bed, seconds: float = 120) -> None:
    """Wait until every interface is ready; raise :class:`LabError` with what was missing last."""
    end = time.monotonic() + seconds
    while True:
        missing = {name: answer for name, answer in check(bed).items() if answer != "ready"}
        if not missing:
            return
        if time.monotonic() > end:
            why = "; ".join(f"{name}: {answer}" for name, answer in missing.items())
            raise LabError(f"the cloud is not ready after {seconds:.0f} s ({why}): see {bed.logs}")
        time.sleep(0.5)
