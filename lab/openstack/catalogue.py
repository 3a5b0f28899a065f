"""What the cloud's first state holds: services, the two clouds as domains with their administrators, flavors, image."""

from __future__ import annotations

from typing import Any

import openstack

from lab.openstack.settings import ADMIN, DOMAINS, FLAVORS, IMAGE, OPERATIONS, REGION, Bed, url

Connection = Any  # openstack.connection.Connection is put together at run time and tells a type checker nothing

_ENDPOINTS = {
    "placement": ("placement", ""),
    "image": ("glance", ""),
    "network": ("neutron", ""),
    "compute": ("nova", "/v2.1"),
}
_PICTURE = b"This image holds no operating system: a server of the lab's cloud is a network namespace.\n"


def connect(bed: Bed, name: str = ADMIN) -> Connection:
    """Return a connection by one entry of the cloud's clouds.yaml, whatever the user's own environment says."""
    known = openstack.config.OpenStackConfig(config_files=[str(bed.clouds)], load_envvars=False)
    return openstack.connection.Connection(config=known.get_one(name))


def fill_identity(bed: Bed) -> None:
    """Make the service user, the endpoints, and the two domains with one administrator each."""
    identity = connect(bed).identity
    roles = {name: identity.find_role(name) or identity.create_role(name=name) for name in ("admin", "service")}
    project = identity.create_project(name="service", domain_id="default")
    user = identity.create_user(name="service", password=bed.secrets()["service"], domain_id="default")
    for role in roles.values():
        identity.assign_project_role_to_user(project, user, role)
    for kind, (name, path) in _ENDPOINTS.items():
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=f"{url(name)}{path}", region_id=REGION
            )
    for domain in DOMAINS:
        _fill_domain(identity, domain, bed.secrets()[domain], roles["admin"])


def _fill_domain(identity: Any, name: str, password: str, role: Any) -> None:
    """Make one domain; its administrator has the role on the domain and, inherited, on every project in it."""
    domain = identity.create_domain(name=name, description="one of the two clouds of the lab")
    identity.create_project(name=OPERATIONS, domain_id=domain.id)
    user = identity.create_user(name=name, password=password, domain_id=domain.id)
    identity.assign_domain_role_to_user(domain, user, role)
    identity.assign_domain_role_to_user(domain, user, role, inherited=True)


def fill_compute(bed: Bed) -> None:
    """Make the flavors and the image that stands for every server."""
    cloud = connect(bed)
    for name, (processors, megabytes) in FLAVORS.items():
        cloud.compute.create_flavor(name=name, vcpus=processors, ram=megabytes, disk=1)
    cloud.image.create_image(
        name=IMAGE, data=_PICTURE, disk_format="raw", container_format="bare", visibility="public", wait=True
    )
