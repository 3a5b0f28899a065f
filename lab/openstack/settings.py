"""Where one lab cloud lives: its folders, ports, names and secrets."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lab import folders
from orchestrator.errors import LabError

RELEASE = "2026.1"
ADDRESS = "127.0.0.1"
REGION = "RegionOne"
#: Nova's host and OVN's chassis: one compute and network node
NODE = "dc1"
#: the physical network of all provider networks; each is one VLAN of it
PHYSICAL_NETWORK = "physnet1"
DOMAINS = ("public-service-cloud", "administrative-service-cloud")
#: the project, in each of the two domains, in which the domain's administrator acts
OPERATIONS = "operations"
ADMIN = "onefold-admin"
#: name -> (virtual processors, MB)
FLAVORS = {"small": (1, 512), "medium": (2, 2048)}
IMAGE = "onefold-host"

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
_OFFSETS = {
    "keystone": 0, "glance": 292, "database": 306, "portmapper": 369, "distribution": 670, "broker": 671,
    "neutron": 696, "nova": 774, "placement": 778,
}  # fmt: skip


def port_base() -> int:
    """Return the first port of the cloud (``ONEFOLD_LAB_PORTS``, default 15000); the others lie up to 778 above it."""
    text = os.environ.get("ONEFOLD_LAB_PORTS") or "15000"
    if not text.isdigit() or not 1024 <= int(text) <= 64000:
        raise LabError(f"ONEFOLD_LAB_PORTS is '{text}', not a port between 1024 and 64000: correct or unset it")
    return int(text)


def port(name: str) -> int:
    """Return the port of one service: keystone, glance, neutron, nova, placement, database, broker, …"""
    return port_base() + _OFFSETS[name]


def url(name: str) -> str:
    """Return the address of one API."""
    return f"http://{ADDRESS}:{port(name)}"


@dataclass(frozen=True)
class Bed:
    """One lab cloud: ``run`` holds everything that changes, ``first`` is the saved first state."""

    folder: Path
    venv: Path

    @property
    def run(self) -> Path:
        """Databases, configuration, logs: all that a reset throws away."""
        return self.folder / "run"

    @property
    def first(self) -> Path:
        """The saved first state, to which a reset returns."""
        return self.folder / "first"

    @property
    def configuration(self) -> Path:
        """Configuration files, one folder per service."""
        return self.run / "configuration"

    @property
    def logs(self) -> Path:
        """One log per service."""
        return self.run / "logs"

    @property
    def ovn(self) -> Path:
        """OVN's two databases and their unix sockets, reachable from any network namespace."""
        return self.run / "ovn"

    @property
    def clouds(self) -> Path:
        """The clouds.yaml of this cloud (0600)."""
        return self.folder / "clouds.yaml"

    @property
    def installed(self) -> bool:
        """Whether the venv holds exactly the locked set."""
        mark = self.venv / ".complete"
        return mark.is_file() and mark.read_text() == lock_digest()

    def program(self, name: str) -> str:
        """Return the path of a program in the venv."""
        return str(self.venv / "bin" / name)

    def database(self, name: str) -> str:
        """Return SQLAlchemy's address of one database; holds a password, so for 0600 files only."""
        password = self.secrets()["database"]
        return f"mysql+pymysql://openstack:{password}@{ADDRESS}:{port('database')}/{name}?charset=utf8mb3"

    def secrets(self) -> dict[str, str]:
        """Return the passwords of this cloud by use, generated at the first call and kept in a 0600 file."""
        file = self.folder / "secrets.json"
        if not file.exists():
            uses = ("database", "broker", "service", ADMIN, *DOMAINS)
            write_private(file, json.dumps({use: secrets.token_urlsafe(18) for use in uses}))
        kept: dict[str, str] = json.loads(file.read_text())
        return kept


def bed() -> Bed:
    """Return the cloud of this lab (state folder, cache folder)."""
    folder = folders.state() / "cloud"
    folder.mkdir(mode=0o700, exist_ok=True)
    if len(str(folder)) > 80:
        raise LabError(f"the lab's folder {folder} is too long for unix sockets: set ONEFOLD_LAB to a shorter one")
    return Bed(folder, folders.cache() / f"openstack-{RELEASE}")


def lock_digest() -> str:
    """Return the digest of the locked versions."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    new.rename(file)
