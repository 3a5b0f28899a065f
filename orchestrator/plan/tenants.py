"""A tenant's base: everything of it, with groups before servers; plus rules for what is still at its old place."""

from orchestrator.design.departments import Department
from orchestrator.design.endpoints import destinations, in_force, place, sources
from orchestrator.design.tenants import server_rules
from orchestrator.model.cloud import CloudNetwork, CloudRouter, SecurityGroup, SecurityRule, Server
from orchestrator.model.network import Port
from orchestrator.plan.outages import seen_from_outside
from orchestrator.plan.way import Change, Way

COPY_PORT: Port = 22
"""Data is copied over SSH from the old host to the new server."""


def build_tenant(way: Way, department: Department, phase: int) -> None:
    """Add the step that makes the tenant: project and quota, groups with rules (R27), network, router, servers."""
    code = department.code
    if code not in way.target.tenants or code in way.estate.tenants:
        return
    # groups and rules stand before the first server (R27)
    rows: list[Change] = [way.target.tenants[code]]
    rows += [each for each in way.added(SecurityGroup) if each.tenant == code]
    rows += [each for each in way.added(SecurityRule) if each.tenant == code]
    rows += temporary_rules(way, code)
    rows += [each for each in way.added(CloudNetwork) if each.tenant == code]
    rows += [each for each in way.added(CloudRouter) if each.tenant == code]
    rows += [each for each in way.added(Server) if each.tenant == code]
    cloud = way.target.tenants[code].cloud
    way.step(
        f"tenant.{code}",
        phase,
        "cloud",
        f"建立租户 {code} / create tenant {code}",
        f"{code} 的系统迁入 {cloud} / systems of {code} move into {cloud}",
        rows,
        after=["cloud.provider-networks"],
    )


def temporary_rules(way: Way, tenant: str) -> list[SecurityRule]:
    """Rules needed only during migration: old addresses of those who ask, and the copy from the old place."""
    found: dict[str, SecurityRule] = {}
    for rule in (*_old_addresses(way, tenant), *_copies(way, tenant)):
        if rule.key not in way.target.security_rules:
            found.setdefault(rule.key, rule)
    return [found[key] for key in sorted(found)]


def _old_addresses(way: Way, tenant: str) -> list[SecurityRule]:
    rules: list[SecurityRule] = []
    for flow in way.policy.flows:
        if not in_force(flow, way.policy.planned_from) or _inside_one_system(flow.source, flow.destination):
            continue
        for source in sources(way.now, flow):
            seen = source.model_copy(update={"address": seen_from_outside(way, source)})
            for destination in destinations(way.target, flow):
                rules += server_rules(tenant, flow, seen, destination)
    return rules


def _inside_one_system(source: str, destination: str) -> bool:
    """Both ends are workloads of one system: they move together, so no mixed pair ever exists."""
    ends = [
        end.partition(":")[2].split("/")[0] for end in (source, destination) if end.startswith(("workload:", "system:"))
    ]
    return len(ends) == 2 and ends[0] == ends[1]


def _copies(way: Way, tenant: str) -> list[SecurityRule]:
    rules = []
    for old, new in moves(way):
        if new.split("/")[0] != tenant:
            continue
        end = place(way.now, old)
        address = seen_from_outside(way, end) if end else None
        rules.append(
            SecurityRule.model_validate(
                {
                    "tenant": tenant,
                    "group": new.split("/")[1],
                    "direction": "ingress",
                    "protocol": "tcp",
                    "ports": (COPY_PORT, COPY_PORT),
                    "remote_prefix": address and f"{address}/32",
                    "flow": copy_flow(way, new),
                }
            )
        )
    return rules


def moves(way: Way) -> list[tuple[str, str]]:
    """Old place and new place of every workload that moves into a tenant."""
    found = []
    for workload in way.target.workloads.values():
        if workload.key in way.now.workloads or workload.place not in way.target.servers:
            continue
        wanted = (workload.system, workload.name, "running")
        olds = [old for old in way.now.workloads.values() if (old.system, old.name, old.state) == wanted]
        found += [(old.place, workload.place) for old in olds]
    return sorted(found)


def copy_flow(way: Way, new: str) -> str:
    """The comment of rules that exist for a copy."""
    system = next(w.system for w in way.target.workloads.values() if w.place == new)
    return f"migration:{system}"
