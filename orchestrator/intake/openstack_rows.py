"""What an OpenStack API said, as nouns; pure. What the model has no words for is a Finding with the object's id."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.intake.join import row_name
from orchestrator.intake.openstack_gaps import ROUTER_PORTS, Known, gaps
from orchestrator.intake.openstack_servers import AGAIN, RENAME, known_order, made, read_servers
from orchestrator.model.base import Row
from orchestrator.model.cloud import (
    Cloud,
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    Quota,
    SecurityGroup,
    SecurityRule,
    Tenant,
)
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Where

_PROTOCOLS = {
    None: "any",
    "any": "any",
    "tcp": "tcp",
    "udp": "udp",
    "icmp": "icmp",
    "6": "tcp",
    "17": "udp",
    "1": "icmp",
}


Made = TypeVar("Made", bound=Row)


@dataclass
class Observed:
    """What the API said, as openstacksdk resources. `projects` are those of each cloud, by the cloud's name."""

    projects: dict[str, list[Any]] = field(default_factory=dict)
    absent: list[Cloud] = field(default_factory=list)  # clouds whose Keystone domain is not there
    networks: list[Any] = field(default_factory=list)
    subnets: list[Any] = field(default_factory=list)
    routers: list[Any] = field(default_factory=list)
    ports: list[Any] = field(default_factory=list)
    groups: list[Any] = field(default_factory=list)
    rules: list[Any] = field(default_factory=list)
    servers: list[Any] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    network_quotas: dict[str, Any] = field(default_factory=dict)  # project id -> quota
    compute_quotas: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CloudReading:
    """The clouds' rows as an Estate, how each is known, and what could not be put into words."""

    estate: Estate
    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]


@dataclass
class Collected:
    """Rows on their way into a CloudReading."""

    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    known: Known = field(default_factory=lambda: Known({}, {}))

    def add(self, noun: Row, where: Where) -> None:
        """Add a row; a second object of the same name is a Finding with both ids."""
        name = row_name(noun)
        if name in self.rows:
            self.note(where, f"{name} is there twice (also {self.facts[name].where.item})", "remove the one not in use")
        else:
            self.rows[name] = noun
            self.facts[name] = Fact(row=name, standing="observed", where=where)

    def make(self, shape: type[Made], where: Where, title: str, fields: Mapping[str, Any]) -> Made | None:
        """The row, added; None where the model has no words for one of its values, which is noted."""
        row = made(shape, fields)
        if isinstance(row, str):
            self.note(where, f"{title}: {row}", RENAME)
            return None
        self.add(row, where)
        return row

    def note(self, where: Where, what: str, fix: str) -> None:
        """Note something the model has no words for."""
        self.findings.append(Finding(subject="cloud", result="unknown", where=where, what=what, fix=fix))


def interpret(seen: Observed, expected: Estate) -> CloudReading:
    """The nouns of what the API said; pure. `expected` lends what the API cannot tell."""
    collected = Collected()
    for cloud in seen.absent:
        where = Where(source=f"cloud:{cloud.name}", item=f"domain {cloud.keystone_domain}")
        collected.note(
            where, "the Keystone domain is not there", "create it, or correct keystone_domain in the topology"
        )
    _provider_networks(seen, expected, collected)
    for cloud_name, projects in seen.projects.items():
        for project in projects:
            _project(cloud_name, project, seen, expected, collected)
    for gap in gaps(seen, collected.known):
        collected.note(*gap)
    estate = Estate.of(*collected.rows.values())
    return CloudReading(estate, tuple(collected.facts.values()), tuple(collected.findings))


def _provider_networks(seen: Observed, expected: Estate, collected: Collected) -> None:
    subnets = _by(seen.subnets, "network_id")
    for network in seen.networks:
        if not network.is_router_external or network.provider_network_type != "vlan":
            continue
        where = Where(source="cloud", item=f"network {network.id}")
        cloud = _cloud_of(network, seen, expected)
        if cloud is None or len(subnets[network.id]) != 1:
            what = "the cloud it belongs to is unknown" if cloud is None else f"has {len(subnets[network.id])} subnets"
            collected.note(where, f"provider network {network.name!r}: {what}", "correct the cloud or the topology")
            continue
        subnet = subnets[network.id][0]
        fields = {
            "name": network.name,
            "cloud": cloud,
            "vlan": network.provider_segmentation_id,
            "prefix": subnet.cidr,
            "gateway": subnet.gateway_ip,
        }
        at = where.model_copy(update={"source": f"cloud:{cloud}"})
        if collected.make(ProviderNetwork, at, f"provider network {network.name!r}", fields):
            collected.known.providers[network.id] = at.source


def _cloud_of(network: Any, seen: Observed, expected: Estate) -> str | None:
    """Which cloud a provider network belongs to: its owner's, else the one of its row, else its handover's."""
    for cloud, projects in seen.projects.items():
        if any(project.id == network.project_id for project in projects):
            return cloud
    if network.name in expected.provider_networks:
        return expected.provider_networks[network.name].cloud
    domains = {cloud.service_domain: cloud.name for cloud in expected.clouds.values()}
    for link in expected.links.values():
        organisation = expected.organisations.get(link.reserved_for)
        if link.vlan == network.provider_segmentation_id and organisation and organisation.service_domain in domains:
            return domains[organisation.service_domain]
    return None


def _project(cloud: str, project: Any, seen: Observed, expected: Estate, collected: Collected) -> None:
    source = f"cloud:{cloud}"
    known = expected.tenants.get(project.name)
    known = known if known and known.cloud == cloud else None
    if known is None and project.description not in expected.organisations:
        _foreign(source, project, seen, collected)
        return
    fields = {
        "name": project.name,
        "cloud": cloud,
        "organisation": project.description or "",
        "zone": known.zone if known else "",
        "quota": _quota(seen.network_quotas[project.id], seen.compute_quotas[project.id]),
    }
    where = Where(source=source, item=f"project {project.id}")
    tenant = collected.make(Tenant, where, f"project {project.name!r}, with all that is in it", fields)
    if tenant is None:
        return
    collected.known.projects[project.id] = source
    names = {network.id: network.name for network in seen.networks}
    _networks(tenant.name, source, _owned(seen.networks, project), seen, collected)
    _routers(tenant.name, source, _owned(seen.routers, project), names, seen, expected, collected)
    _groups(tenant.name, source, project, seen, collected)
    for row, at, gap in read_servers(tenant.name, source, _owned(seen.servers, project), names, seen, expected):
        if row:
            collected.add(row, at)
        else:
            collected.note(at, *gap)


def _foreign(source: str, project: Any, seen: Observed, collected: Collected) -> None:
    """A project of no registered organisation: empty ones are the operator's own, others are told."""
    things = [thing for table in (seen.networks, seen.routers, seen.servers) for thing in _owned(table, project)]
    inside = [thing for thing in things if not getattr(thing, "is_router_external", False)]
    if inside:
        collected.note(
            Where(source=source, item=f"project {project.id}"),
            f"project {project.name!r} ({len(inside)} networks, routers, servers) is of no known organisation",
            "write the organisation's code into its description, or remove it",
        )


def _quota(network: Any, compute: Any) -> Quota:
    return Quota(
        networks=network.networks,
        subnets=network.subnets,
        routers=network.routers,
        ports=network.ports,
        security_groups=network.security_groups,
        security_group_rules=network.security_group_rules,
        instances=compute.instances,
        cores=compute.cores,
        memory_megabytes=compute.ram,
    )


def _networks(tenant: str, source: str, networks: Iterable[Any], seen: Observed, collected: Collected) -> None:
    subnets = _by(seen.subnets, "network_id")
    for network in networks:
        if network.is_router_external:
            continue  # a provider network, whoever owns it
        where = Where(source=source, item=f"network {network.id}")
        ours = [subnet for subnet in subnets[network.id] if subnet.ip_version == 4]
        if len(ours) != 1 or len(subnets[network.id]) != 1:
            collected.note(
                where,
                f"network {network.name!r} of {tenant} has {len(subnets[network.id])} subnets, not one of IPv4",
                "remove the others",
            )
        if ours:
            fields = {"tenant": tenant, "name": network.name, "prefix": ours[0].cidr}
            collected.make(CloudNetwork, where, f"network {network.name!r} of {tenant}", fields)


def _routers(
    tenant: str,
    source: str,
    routers: Iterable[Any],
    names: Mapping[str, str],
    seen: Observed,
    expected: Estate,
    collected: Collected,
) -> None:
    ports = _by(seen.ports, "device_id")
    for router in routers:
        where = Where(source=source, item=f"router {router.id}")
        outside = router.external_gateway_info or {}
        addresses = outside.get("external_fixed_ips") or []
        if len(addresses) != 1:
            collected.note(
                where, f"router {router.name!r} has {len(addresses)} outside addresses", "give it exactly one"
            )
            continue
        known = expected.cloud_routers.get(f"{tenant}/{router.name}")
        joined = {port.network_id for port in ports[router.id] if port.device_owner in ROUTER_PORTS}
        if not joined | {outside["network_id"]} <= names.keys():
            collected.note(where, f"router {router.name!r} of {tenant} changed while the cloud was read", AGAIN)
            continue
        inside = {names[network] for network in joined}
        fields = {
            "tenant": tenant,
            "name": router.name,
            "provider_network": names[outside["network_id"]],
            "address": addresses[0]["ip_address"],
            "networks": known_order(inside, known.networks if known else ()),
            "source_nat": bool(outside.get("enable_snat")),
        }
        collected.make(CloudRouter, where, f"router {router.name!r} of {tenant}", fields)


def _groups(tenant: str, source: str, project: Any, seen: Observed, collected: Collected) -> None:
    names = {group.id: group.name for group in _owned(seen.groups, project)}
    used = {group for port in seen.ports for group in port.security_group_ids or ()}
    rules = _by(seen.rules, "security_group_id")
    for group in _owned(seen.groups, project):
        if group.name == "default" and group.id not in used:
            continue  # every project is born with it; without a port in it it decides nothing
        where = Where(source=source, item=f"security group {group.id}")
        title = f"security group {group.name!r} of {tenant}"
        if collected.make(SecurityGroup, where, title, {"tenant": tenant, "name": group.name}) is None:
            continue
        for rule in rules[group.id]:
            at = Where(source=source, item=f"security group rule {rule.id}")
            protocol = _PROTOCOLS.get(rule.protocol)
            typed = protocol == "icmp" and rule.port_range_min is not None  # the API's ports are ICMP's type and code
            if protocol is None or rule.ether_type != "IPv4" or typed:
                kind = f"{rule.ether_type} {rule.protocol or 'any'}{f' type {rule.port_range_min}' * typed}"
                what = f"a rule for {kind} in group {group.name!r} is not known here"
                collected.note(at, what, "remove it, or express it for IPv4 tcp, udp or icmp")
            elif rule.remote_address_group_id or (rule.remote_group_id and rule.remote_group_id not in names):
                what = f"whom a rule in group {group.name!r} lets in or out is not known here"
                collected.note(at, what, "name a prefix or a group of the same project instead")
            else:
                title = f"a rule in group {group.name!r} of {tenant}"
                collected.make(SecurityRule, at, title, _rule(tenant, group.name, rule, protocol, names))


def _rule(tenant: str, group: str, rule: Any, protocol: str, names: Mapping[str, str]) -> Mapping[str, Any]:
    ports = None if rule.port_range_min is None else (rule.port_range_min, rule.port_range_max)
    return {
        "tenant": tenant,
        "group": group,
        "direction": rule.direction,
        "protocol": protocol,
        "ports": ports,
        "remote_prefix": rule.remote_ip_prefix,
        "remote_group": names.get(rule.remote_group_id),
        "flow": rule.description or "",
    }


def _owned(rows: Iterable[Any], project: Any) -> Iterator[Any]:
    return (row for row in rows if row.project_id == project.id)


def _by(rows: Iterable[Any], name: str) -> Mapping[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[getattr(row, name)].append(row)
    return grouped
