"""Policy: the versioned rule pack of a project. Deadlines are month offsets from T0, never dates in code."""

import base64
from datetime import date, time
from functools import cached_property
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.model.base import Noun, digest
from orchestrator.model.network import Port, Protocol, VlanId

ServiceDomain = Literal["public_service_domain", "administrative_service_domain"]


def _written(form: str) -> BeforeValidator:
    """Refuses numbers, which pydantic takes for seconds: a window from 2200 would open at 00:36:40."""

    def check(value: Any) -> Any:
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdecimal()):
            raise ValueError(form)
        return value

    return BeforeValidator(check)


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("windows are of local time, without a zone")
    return value


Day = Annotated[date, _written("a day is written as 2017-12-01")]
Clock = Annotated[time, _written("a time is written as 22:00"), AfterValidator(_local)]

_KEY_BYTES = 32
"""Of an Ed25519 public key (RFC 8032)."""


class Zone(Noun):
    """A security zone. `service_domain` and `technical_zone` are DOMAIN terms; `kind` drives the rules."""

    name: str
    title: str = ""
    kind: Literal["common", "vpn", "private", "internet", "internet_access", "management", "interconnect"]
    service_domain: ServiceDomain | None = None
    organisation: str = ""
    mlps_level: int | None = None


class Flow(Noun):
    """A registered service flow. It must work wherever `since`/`until` do not limit it to one end of the plan.

    source: "host:NAME", "organisation:CODE" (its terminals), "system:CODE" (its running workloads) or "zone:NAME".
    destination: "workload:SYSTEM/NAME" (found by its service name or place), "host:NAME" or "service:FQDN".
    """

    code: str
    purpose: str
    source: str
    destination: str
    protocol: Protocol = "tcp"
    port: Port = 0
    gateway: str = ""  # the boundary device that must be on the way, for flows between zones
    validity: Literal["always", "now_only", "target_only"] = "always"
    expires: Day | None = None
    approved_by: str = ""


class ExceptionGrant(Noun):
    """An approved, dated departure from one rule."""

    code: str
    rule: str
    row: str  # "table[key]" it excuses
    reason: str
    approver: str
    document: str
    expires: Day


class Window(Noun):
    """When changes are allowed. Weekday 0 is Monday; an end before the start means the next day (ISO 8601)."""

    name: str
    weekdays: tuple[int, ...]
    start: Clock
    end: Clock


class Freeze(Noun):
    """When changes are forbidden, for everybody or for one organisation (day of month or dates)."""

    name: str
    organisation: str = ""
    first: Day | None = None
    last: Day | None = None
    first_day_of_month: int | None = Field(default=None, ge=1, le=31)
    last_day_of_month: int | None = Field(default=None, ge=1, le=31)


class Deadline(Noun):
    """A task's last month, counted from T0."""

    task: str
    months: int = Field(ge=0, le=1200)
    source: str


class Pool(Noun):
    """A block of extranet addresses and the prefix length handed out from it."""

    name: Literal["sites", "tenants", "provider", "transit"]
    prefix: IPv4Network
    length: int


class Numbering(Noun):
    """Where design takes names and numbers from."""

    autonomous_system: int = Field(ge=1, le=4294967295)
    route_target_base: int = Field(default=100, ge=0, le=4294967295)
    vlan_first: VlanId = 2000
    vlan_last: VlanId = 2999
    vni_first: int = Field(default=10100, ge=1, le=16777215)
    overlay_pool: IPv4Network = IPv4Network("169.254.64.0/20")
    pools: tuple[Pool, ...] = ()


class Administrator(Noun):
    """One of the three administrators (三员); the public key is Ed25519, base64."""

    name: str
    role: Literal["system_admin", "security_admin", "audit_admin", "planner"]
    public_key: str

    @cached_property
    def key(self) -> str:
        """The key in the one base64 text that `onefold keys` tells; empty when it is no key of 32 bytes."""
        try:
            found = base64.b64decode(self.public_key, validate=True)
        except ValueError:
            return ""
        return base64.b64encode(found).decode() if len(found) == _KEY_BYTES else ""


class Approvals(Noun):
    """Who must sign. One person never holds two roles and never signs their own plan."""

    required: tuple[Literal["system_admin", "security_admin", "audit_admin"], ...] = ()
    people: tuple[Administrator, ...] = ()


class Policy(Noun):
    """The rule pack as loaded from policy.yaml."""

    version: str
    t_zero: Day  # first day of T0
    planned_from: Day  # the first night of the plan
    extranet_pool: IPv4Network
    zones: tuple[Zone, ...]
    flows: tuple[Flow, ...] = ()
    exceptions: tuple[ExceptionGrant, ...] = ()
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    numbering: Numbering
    approvals: Approvals = Approvals()
    rules: tuple[str, ...] = ()  # rule names in force; empty means all
    internet_free_domains: tuple[ServiceDomain, ...] = ("administrative_service_domain",)
    observation_days: int = Field(default=7, ge=0, le=3650)
    trial_days: int = Field(default=30, ge=0, le=3650)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest(self.plain())

    @cached_property
    def zone_of(self) -> dict[str, Zone]:
        """Zone by name."""
        return {zone.name: zone for zone in self.zones}
