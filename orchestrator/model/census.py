"""Census nouns: who there is, what they run, what they rent (forms F1, F3 and F4 of the census workbook)."""

import re
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator

from orchestrator.model.base import Row
from orchestrator.model.network import Name, Port

ServiceDomain = Literal["public_service_domain", "administrative_service_domain"]
Disposition = Literal["migrate", "replace", "retire", "merge", "keep", "untouchable", "unknown"]

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


def _in_dns(name: str) -> str:
    if len(name) > 253 or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", name):
        raise ValueError("no name that DNS takes: labels of Latin letters, digits and hyphens, with dots between them")
    return name


DomainName = Annotated[str, AfterValidator(_in_dns)]
"""A name as DNS takes it (RFC 1035, 2.3.1, and underscores). It is written to hosts, so nothing else may be in it."""


class Organisation(Row):
    """A government body. `code` is the short name used in names of VRFs and tenants."""

    code: Name
    name: str
    short_name: str
    level: Literal["province", "city", "county", "town"] = "county"
    service_domain: ServiceDomain | None = None

    @property
    def key(self) -> str:
        return self.code


class InformationSystem(Row):
    """F1: one information system. A classified system is a stub: its other details are not recorded (R2)."""

    code: str
    name: str
    organisation: str
    category: str = ""
    classified: bool = False
    mlps_level: int | None = None
    use_scope: str = ""
    use_frequency: str = ""
    logins_12m: int | None = None
    approved_on: date | None = None
    bearer_networks: tuple[str, ...] = ()
    cores: int | None = None
    memory_gigabytes: int | None = None
    disk_gigabytes: int | None = None
    addresses: tuple[IPv4Network, ...] = ()
    fqdn: str | None = None
    dependencies: tuple[str, ...] = ()
    zombie_marks: tuple[str, ...] = ()
    shadow_group: str | None = None
    disposition: Disposition = "unknown"
    service_domain: ServiceDomain | None = None
    successor: str | None = None  # the system that replaces it or into which it is merged

    @property
    def key(self) -> str:
        return self.code


class Workload(Row):
    """One running component of a system: where it runs now and what it serves.

    `place` is a host's name or `tenant/server`. `state` of the one that answers is "running"; an old copy kept
    until acceptance is "standby"; "stopped" answers nothing.
    """

    system: str
    name: Name
    kind: Literal["web", "database", "files", "mail"]
    place: str
    port: Port
    state: Literal["running", "standby", "stopped"] = "running"
    data: tuple[str, ...] = ()  # folders or database names that make up its data

    @property
    def key(self) -> str:
        return f"{self.system}/{self.name}@{self.place}"


class ServiceName(Row):
    """A name under which clients find a service, and the address it answers with."""

    fqdn: DomainName
    address: IPv4Address
    view: str = ""  # the zone or organisation that asks, where answers differ; empty is everybody

    @property
    def key(self) -> str:
        return f"{self.fqdn}/{self.view or 'any'}"


class PrivateNetwork(Row):
    """F3: a department's own network."""

    code: str
    name: str
    organisation: str
    classified: bool | None = None
    sensitivity: Literal["sensitive", "ordinary"] | None = None
    sites: int | None = None
    prefixes: tuple[IPv4Network, ...] = ()
    routing: str = ""
    target: Literal["extranet", "interconnect", "internal_stub", "unknown"] = "unknown"
    state: Literal["separate", "dual_running", "folded"] = "separate"

    @property
    def key(self) -> str:
        return self.code


class PrivateSite(Row):
    """One site of a private network: its prefix now, what becomes of it, and why."""

    network: str
    site: str
    device: Name
    prefix: IPv4Network
    needs_common_zone: bool = False
    fixed_addresses: bool = False  # equipment there cannot be renumbered soon
    treatment: Literal["undecided", "keep", "renumber", "translate"] = "undecided"

    @property
    def key(self) -> str:
        return f"{self.network}/{self.site}"


class InternetEgress(Row):
    """F4: one exit to the Internet."""

    code: str
    organisation: str
    level: Literal["city", "county", "town"]
    device: Name
    interface: str
    link: Name
    public_prefixes: tuple[IPv4Network, ...]
    shared_platform: bool = False  # the city-county access platform itself
    log_months: int | None = None
    state: Literal["in_service", "consolidated"] = "in_service"

    @property
    def key(self) -> str:
        return self.code
