"""The services' configuration files, rendered from the templates beside this module, and the users' clouds.yaml."""

from __future__ import annotations

import shutil
from string import Template

import yaml

from lab import ovn
from lab.openstack.settings import (
    ADDRESS,
    ADMIN,
    DOMAINS,
    HERE,
    NODE,
    OPERATIONS,
    PHYSICAL_NETWORK,
    REGION,
    Bed,
    port,
    url,
    write_private,
)  # fmt: skip

TEMPLATES = HERE / "templates"
#: template -> folder; each holds passwords and is written for its owner alone
FILES = {
    "keystone.conf": "keystone", "placement.conf": "placement", "glance-api.conf": "glance", "neutron.conf": "neutron",
    "nova.conf": "nova", "nova-database.conf": "nova", "rabbitmq.conf": "rabbit",
}  # fmt: skip
_PASTE = {
    "glance": "etc/glance/glance-api-paste.ini",
    "neutron": "etc/neutron/api-paste.ini",
    "nova": "etc/nova/api-paste.ini",
}
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova", "nova_cell0")


def render(bed: Bed) -> None:
    """Write every configuration file and folder that the services expect."""
    for folder in ("nova", "neutron", "glance/images", "glance/staging", "glance/tasks"):
        (bed.run / "state" / folder).mkdir(parents=True, exist_ok=True)
    bed.logs.mkdir(exist_ok=True)
    values = _values(bed)
    for name, folder in FILES.items():
        write_private(bed.configuration / folder / name, _fill(name, values))
    for folder, paste in _PASTE.items():
        shutil.copy(bed.venv / paste, bed.configuration / folder)
    write_private(bed.configuration / "rabbit" / "enabled_plugins", "[].\n")
    write_private(bed.clouds, yaml.safe_dump({"clouds": clouds(bed)}, sort_keys=False))


def _fill(name: str, values: dict[str, str]) -> str:
    return Template((TEMPLATES / name).read_text()).substitute(values)


def _values(bed: Bed) -> dict[str, str]:
    secrets = bed.secrets()
    values = {
        "keystone": url("keystone"), "glance": url("glance"), "address": ADDRESS, "region": REGION, "node": NODE,
        "physical_network": PHYSICAL_NETWORK, "logs": str(bed.logs), "configuration": str(bed.configuration),
        "state": str(bed.run / "state"), "ovn": str(bed.ovn), "broker_port": str(port("broker")),
        "broker": f"rabbit://openstack:{secrets['broker']}@{ADDRESS}:{port('broker')}/",
        "broker_password": secrets["broker"], "service_password": secrets["service"],
    }  # fmt: skip
    values |= {f"{name}_database": bed.database(name) for name in DATABASES}
    values["login"] = _fill("login.inc", values).rstrip()
    values["token"] = _fill("token.inc", values).rstrip()
    return values


def clouds(bed: Bed) -> dict[str, object]:
    """Return the entries of clouds.yaml: the cloud's administrator, and one administrator per domain.

    A domain's administrator acts in the project ``operations`` of the domain, because OpenStack's network and compute
    interfaces refuse tokens of a domain; the entry ``<domain>-identity`` is the same user with a token of the domain.
    """
    own = {"project_name": "admin", "project_domain_name": "Default"}
    entries: dict[str, object] = {ADMIN: _entry(bed, ADMIN, "Default", **own)}
    for domain in DOMAINS:
        entries[domain] = _entry(bed, domain, domain, project_name=OPERATIONS, project_domain_name=domain)
        entries[f"{domain}-identity"] = _entry(bed, domain, domain, domain_name=domain)
    return entries


def _entry(bed: Bed, user: str, domain: str, **scope: str) -> dict[str, object]:
    login = {"auth_url": f"{url('keystone')}/v3", "username": user, "password": bed.secrets()[user]}
    return {
        "auth": {**login, "user_domain_name": domain, **scope},
        "region_name": REGION,
        "identity_api_version": 3,
    }


def service_environment(bed: Bed) -> dict[str, str]:
    """Return the environment by which the services find their configuration and OVN's programs."""
    names = ("keystone", "placement", "glance", "neutron", "nova")
    return {f"OS_{name.upper()}_CONFIG_DIR": str(bed.configuration / name) for name in names} | {
        "PATH": ovn.ensure().path(),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf;nova-database.conf",
    }
