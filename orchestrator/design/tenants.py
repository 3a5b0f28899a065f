"""Tenants: one per department that moves something: project with quota, network, router, servers, groups."""

import re
from collections import defaultdict
from fractions import Fraction
from math import ceil

from orchestrator.design.departments import Department
from orchestrator.design.draft import Draft
from orchestrator.design.endpoints import Endpoint, destinations, in_force, sources
from orchestrator.design.pools import pool
from orchestrator.model.census import InformationSystem, Workload
from orchestrator.model.cloud import CloudNetwork, CloudRouter, Quota, SecurityGroup, SecurityRule, Server, Tenant
from orchestrator.model.policy import Flow

SPARE = Fraction(6, 5)
"""Quotas hold 20 % more than the demand of the census (usable capacity of the reference scenario)."""

FLAVORS = (("small", 1, 512), ("medium", 2, 2048))
"""Name, cores and megabytes of the sizes both clouds offer, smallest first."""

IMAGE = "onefold-host"
DEFAULT_RULES = 4  # rules of the group "default" that every new project has
NEW_GROUP_RULES = 2  # egress rules of a new group, there until they are removed


def build_tenants(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write a tenant for every department with a system to migrate and a place to put it; move its workloads there."""
    for department in departments:
        systems = [each for _, each in sorted(draft.now.systems.items()) if _goes(draft, department, each)]
        if systems:
            _tenant(draft, department, systems)


def _goes(draft: Draft, department: Department, system: InformationSystem) -> bool:
    if system.organisation != department.code or system.disposition != "migrate" or system.classified:
        return False
    provider = draft.estate.provider_networks.get(f"prov-{department.code}")
    item = f"systems[{system.key}]"
    if provider is None:
        draft.find(
            item,
            "unknown",
            f"{system.name}: no handover into a cloud is reserved for {department.code}",
            "add a spare link from a PE to the cloud node with reserved_for to topology.yaml",
        )
        return False
    cloud = draft.now.clouds[provider.cloud]
    if system.service_domain != cloud.service_domain:
        draft.find(
            item,
            "fail",
            f"{system.name} belongs to {system.service_domain or 'no domain'}, {cloud.name} is {cloud.service_domain}",
            "correct the system's service domain in the census, or deliver a handover into the other cloud",
        )
        return False
    if not _label(system) and not _LABEL.fullmatch(system.code):
        draft.find(
            item,
            "unknown",
            f"{system.name}: neither its domain name nor its code {system.code!r} can name a server",
            "fill in 域名 or 系统编码 with letters, digits and hyphens in the census",
        )
        return False
    if system.mlps_level is None or cloud.mlps_level is None:
        draft.find(
            item,
            "unknown",
            f"{system.name}: level of the system or of {cloud.name} is not known (R10)",
            "fill in 等保 in the census",
        )
        return False
    if system.mlps_level > cloud.mlps_level:
        draft.find(
            item,
            "fail",
            f"{system.name} is level {system.mlps_level}, {cloud.name} only {cloud.mlps_level} (R10)",
            "ask for an exception or keep the system",
        )
        return False
    return True


def _tenant(draft: Draft, department: Department, systems: list[InformationSystem]) -> None:
    code = department.code
    provider = draft.estate.provider_networks[f"prov-{code}"]
    block = pool(draft.policy, "tenants")
    network = CloudNetwork(
        tenant=code, name=f"{code}-net", prefix=draft.allocator.network(f"tenant/{code}", block.prefix, block.length)
    )
    address = draft.allocator.address(f"address/router/{code}", provider.prefix)
    router = CloudRouter(
        tenant=code, name=f"{code}-router", provider_network=provider.name, address=address, networks=(network.name,)
    )
    tenant = Tenant(name=code, cloud=provider.cloud, organisation=code, zone=department.zone)
    rows = draft.put(tenant, network, router)
    names = _Names(draft, code)
    for system in systems:
        rows += _servers(draft, network, system, names)
    reason = "20%余量 / quota with 20 % spare over the census demand; no address translation: the VPN sees every server"
    draft.decide(f"tenant {code}", f"{network.prefix} in {provider.cloud} behind {address}", reason, rows)


_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,29}")


def _label(system: InformationSystem) -> str:
    """The first label of the system's domain name; empty where there is none that can name a server."""
    label = (system.fqdn or "").split(".")[0]
    return label if _LABEL.fullmatch(label) else ""


class _Names:
    """Names of one tenant's servers: one for each workload, however alike their systems and components are called."""

    def __init__(self, draft: Draft, tenant: str) -> None:
        self._given: set[str] = set()
        self._owner: dict[str, str] = {}
        for _, workload in sorted(draft.now.workloads.items()):
            owner, _, name = workload.place.partition("/")
            if owner == tenant and workload.place in draft.now.servers:
                self._owner[name] = workload.system
                self._given |= {name} if workload.state == "running" else set()

    def give(self, system: InformationSystem, workload: Workload) -> str:
        """First label of the system's domain name and the component, `budget-web`; the system's code in place of the
        label where another system has that name, a number behind it for the second server of a pair.
        """
        code = system.code.lower()
        label = _label(system) or code
        if self._owner.get(f"{label}-{workload.name}", system.code) != system.code and _LABEL.fullmatch(code):
            label = code
        base = f"{label}-{workload.name}"
        numbered = (base, *(f"{base}-{number}" for number in range(2, len(self._given) + 3)))
        name = next(each for each in numbered if each not in self._given)
        self._given.add(name)
        self._owner[name] = system.code
        return name


def _servers(draft: Draft, network: CloudNetwork, system: InformationSystem, names: _Names) -> tuple[str, ...]:
    moving = [w for _, w in sorted(draft.now.workloads.items()) if w.system == system.code and w.state == "running"]
    rows: tuple[str, ...] = ()
    for workload in moving:
        if workload.place in draft.now.servers:
            continue
        name = names.give(system, workload)
        purpose = f"address/{network.tenant}/{name}"
        server = Server(
            tenant=network.tenant,
            name=name,
            network=network.name,
            address=draft.allocator.address(purpose, network.prefix),
            flavor=_flavor(draft, system, len(moving)),
            image=IMAGE,
            groups=(name,),
        )
        rows += draft.put(SecurityGroup(tenant=network.tenant, name=name), server)
        rows += draft.put(
            workload.model_copy(update={"place": server.key}), workload.model_copy(update={"state": "stopped"})
        )
    return rows


def _flavor(draft: Draft, system: InformationSystem, workloads: int) -> str:
    if system.cores is None or system.memory_gigabytes is None:
        draft.find(
            f"systems[{system.key}]",
            "unknown",
            f"{system.name}: how many cores or how much memory it needs is not known, "
            "its servers get the smallest flavor that holds the rest",
            "fill in vCPU and 内存 in the census",
        )
    cores, memory = (system.cores or 1) / workloads, (system.memory_gigabytes or 0) * 1024 / workloads
    fits = [name for name, has, holds in FLAVORS if has >= cores and holds >= memory]
    if fits:
        return fits[0]
    largest, has, holds = FLAVORS[-1]
    draft.find(
        f"systems[{system.key}]",
        "unknown",
        f"{system.name} asks for {cores:g} cores and {memory:g} MB a server, "
        f"the largest flavor {largest} has {has} and {holds}",
        "agree on a larger flavor with the cloud's operator before the cutover",
    )
    return largest


def build_groups(draft: Draft) -> None:
    """Write the security rules every tenant needs for the registered flows, then its quota."""
    for _, tenant in sorted(draft.estate.tenants.items()):
        rules = flow_rules(draft, tenant.name)
        rows = draft.put(*rules)
        quota = draft.put(tenant.model_copy(update={"quota": _quota(draft, tenant.name)}))
        reason = "只放行已登记业务流 / only registered flows are accepted (R6, R27)"
        draft.decide(f"security groups {tenant.name}", f"{len(rules)} rules", reason, rows + quota)


def flow_rules(draft: Draft, tenant: str) -> tuple[SecurityRule, ...]:
    """The accepting rules for all flows in force that begin or end at a server of the tenant."""
    found: dict[str, SecurityRule] = {}
    for flow in sorted(draft.policy.flows, key=lambda each: each.code):
        if not in_force(flow, draft.policy.planned_from):
            continue
        for source in sources(draft.estate, flow):
            for destination in destinations(draft.estate, flow):
                found.update({rule.key: rule for rule in server_rules(tenant, flow, source, destination)})
    return tuple(found[key] for key in sorted(found))


def server_rules(tenant: str, flow: Flow, source: Endpoint, destination: Endpoint) -> tuple[SecurityRule, ...]:
    """What one pair of a flow's ends needs: ingress where the destination is a server, egress where the source is."""
    rules = []
    ports = None if flow.protocol in ("any", "icmp") else (flow.port, flow.port)
    for end, other, direction in ((destination, source, "ingress"), (source, destination, "egress")):
        if end.tenant != tenant:
            continue
        group = end.name.split("/")[1]
        remote = (
            {"remote_group": other.name.split("/")[1]} if other.tenant == tenant else {"remote_prefix": other.address}
        )
        fields = {"tenant": tenant, "group": group, "direction": direction, "protocol": flow.protocol, "ports": ports}
        rules.append(SecurityRule.model_validate({**fields, **remote, "flow": flow.code}))
    return tuple(rules)


def _quota(draft: Draft, tenant: str) -> Quota:
    now, estate = draft.now, draft.estate
    count: dict[str, int] = defaultdict(int)
    for table in ("cloud_networks", "cloud_routers", "servers", "security_groups", "security_rules"):
        count[table] = sum(1 for each in getattr(estate, table).values() if each.tenant == tenant)
    sizes = {name: (cores, memory) for name, cores, memory in FLAVORS}
    flavors = [
        sizes[server.flavor] for server in estate.servers.values() if server.tenant == tenant and server.flavor in sizes
    ]
    systems = {w.system for w in estate.workloads.values() if w.place.startswith(f"{tenant}/")}
    demand = [now.systems[code] for code in systems if code in now.systems]
    cores = max(sum(each.cores or 0 for each in demand), sum(each[0] for each in flavors))
    memory = max(sum((each.memory_gigabytes or 0) * 1024 for each in demand), sum(each[1] for each in flavors))
    groups = count["security_groups"] + 1
    # during migration every group holds rules for old and new addresses, and one for the copy
    rules = 2 * count["security_rules"] + count["servers"] + DEFAULT_RULES + NEW_GROUP_RULES * groups
    return Quota(
        networks=_spare(count["cloud_networks"]),
        subnets=_spare(count["cloud_networks"]),
        routers=_spare(count["cloud_routers"]),
        ports=_spare(count["servers"] + count["cloud_routers"] + 2 * count["cloud_networks"]),
        security_groups=_spare(groups),
        security_group_rules=_spare(rules),
        instances=_spare(count["servers"]),
        cores=_spare(cores),
        memory_megabytes=_spare(memory),
    )


def _spare(demand: int) -> int:
    return ceil(demand * SPARE)
