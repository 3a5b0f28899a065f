"""A tenant's stack: project, quotas first, networks, router, security groups, servers."""

from collections.abc import Iterator
from typing import Any

from orchestrator.model.cloud import CloudNetwork, CloudRouter, SecurityRule, Server, Tenant
from orchestrator.model.estate import Estate
from stacks.resource import Resource, reference, world

PROJECT = "project"


def stack_name(tenant: str) -> str:
    """The name of the tenant's stack."""
    return f"tenant-{tenant}"


def resources(estate: Estate, tenant: str) -> tuple[Resource, ...]:
    """Everything of one tenant; empty when the estate has no such tenant."""
    found = estate.tenants.get(tenant)
    if found is None:
        return ()
    mine = [
        *_project(found, estate.clouds[found.cloud].keystone_domain),
        *(r for n in estate.cloud_networks.values() if n.tenant == tenant for r in _network(n)),
        *(r for r_ in estate.cloud_routers.values() if r_.tenant == tenant for r in _router(r_)),
        *(_group(tenant, group.name) for group in estate.security_groups.values() if group.tenant == tenant),
        *(_rule(rule) for rule in estate.security_rules.values() if rule.tenant == tenant),
        *_servers(estate, tenant),
    ]
    return tuple(sorted(mine, key=lambda resource: resource.name))


def _project(tenant: Tenant, domain: str) -> Iterator[Resource]:
    row, quota = f"tenants[{tenant.key}]", tenant.quota
    yield Resource(
        name=PROJECT,
        type="identity.Project",
        arguments={"name": tenant.name, "domain_id": world(f"domain/{domain}"), "description": tenant.organisation},
        row=row,
        find={"kind": "project", "name": tenant.name, "domain": domain},
    )
    yield Resource(
        name="quota-network",
        type="networking.QuotaV2",
        arguments={
            "project_id": reference(PROJECT),
            "network": quota.networks,
            "subnet": quota.subnets,
            "router": quota.routers,
            "port": quota.ports,
            "security_group": quota.security_groups,
            "security_group_rule": quota.security_group_rules,
        },
        row=row,
    )
    yield Resource(
        name="quota-compute",
        type="compute.QuotaSetV2",
        arguments={
            "project_id": reference(PROJECT),
            "instances": quota.instances,
            "cores": quota.cores,
            "ram": quota.memory_megabytes,
        },
        row=row,
    )


def _network(network: CloudNetwork) -> Iterator[Resource]:
    row = f"cloud_networks[{network.key}]"
    yield Resource(
        name=f"network-{network.name}",
        type="networking.Network",
        arguments={"name": network.name, "tenant_id": reference(PROJECT), "admin_state_up": True},
        after=("quota-network",),
        row=row,
        find={"kind": "network", "name": network.name},
    )
    yield Resource(
        name=f"subnet-{network.name}",
        type="networking.Subnet",
        arguments={
            "name": network.name,
            "network_id": reference(f"network-{network.name}"),
            "tenant_id": reference(PROJECT),
            "cidr": str(network.prefix),
            "ip_version": 4,
            # servers get their fixed address by config drive: a DHCP port would take an address of its own choice
            "enable_dhcp": False,
        },
        row=row,
        find={"kind": "subnet", "name": network.name},
    )


def _router(router: CloudRouter) -> Iterator[Resource]:
    row, name = f"cloud_routers[{router.key}]", f"router-{router.name}"
    outside = router.provider_network
    yield Resource(
        name=name,
        type="networking.Router",
        arguments={
            "name": router.name,
            "tenant_id": reference(PROJECT),
            "admin_state_up": True,
            "external_network_id": world(f"network/{outside}"),
            "external_fixed_ips": [{"subnet_id": world(f"subnet/{outside}"), "ip_address": str(router.address)}],
            "enable_snat": router.source_nat,
        },
        after=("quota-network",),
        row=row,
        find={"kind": "router", "name": router.name},
    )
    for network in router.networks:
        yield Resource(
            name=f"{name}-{network}",
            type="networking.RouterInterface",
            arguments={"router_id": reference(name), "subnet_id": reference(f"subnet-{network}")},
            row=row,
            find={"kind": "router_interface", "router": router.name, "subnet": network},
        )


def _group(tenant: str, name: str) -> Resource:
    return Resource(
        name=f"group-{name}",
        type="networking.SecGroup",
        arguments={"name": name, "tenant_id": reference(PROJECT), "delete_default_rules": True},
        after=("quota-network",),
        row=f"security_groups[{tenant}/{name}]",
        unread=("delete_default_rules",),
        find={"kind": "group", "name": name},
    )


def _rule(rule: SecurityRule) -> Resource:
    remote = rule.remote_group or str(rule.remote_prefix or "anywhere")
    ports = f"{rule.ports[0]}-{rule.ports[1]}" if rule.ports else "all"
    arguments: dict[str, Any] = {
        "direction": rule.direction,
        "ethertype": "IPv4",
        "security_group_id": reference(f"group-{rule.group}"),
        "tenant_id": reference(PROJECT),
        "description": rule.flow,
    }
    if rule.protocol != "any":
        arguments["protocol"] = rule.protocol
    if rule.ports:
        arguments |= {"port_range_min": rule.ports[0], "port_range_max": rule.ports[1]}
    if rule.remote_group:
        arguments["remote_group_id"] = reference(f"group-{rule.remote_group}")
    elif rule.remote_prefix:
        arguments["remote_ip_prefix"] = str(rule.remote_prefix)
    return Resource(
        name=f"rule-{rule.group}-{rule.direction}-{rule.protocol}-{ports}-{remote}".replace("/", "_"),
        type="networking.SecGroupRule",
        arguments=arguments,
        row=f"security_rules[{rule.key}]",
        find={
            "kind": "rule",
            "group": rule.group,
            "direction": rule.direction,
            "protocol": rule.protocol,
            "ports": ports,
            "remote_group": rule.remote_group or "",
            "remote_prefix": str(rule.remote_prefix or ""),
        },
    )


def _servers(estate: Estate, tenant: str) -> Iterator[Resource]:
    mine = [server for server in estate.servers.values() if server.tenant == tenant]
    if mine:
        # a key pair belongs to the user who makes it, so its name says for which tenant it is
        yield Resource(
            name="keypair",
            type="compute.Keypair",
            arguments={"name": f"onefold-{tenant}", "public_key": world("public_key")},
            after=(PROJECT,),
            row=f"tenants[{tenant}]",
            scope="tenant",
            find={"kind": "keypair", "name": f"onefold-{tenant}"},
        )
    for server in mine:
        yield from _server(server)


def _server(server: Server) -> Iterator[Resource]:
    row = f"servers[{server.key}]"
    yield Resource(
        name=f"port-{server.name}",
        type="networking.Port",
        arguments={
            "name": server.name,
            "network_id": reference(f"network-{server.network}"),
            "tenant_id": reference(PROJECT),
            "admin_state_up": True,
            "fixed_ips": [{"subnet_id": reference(f"subnet-{server.network}"), "ip_address": str(server.address)}],
            "security_group_ids": [reference(f"group-{group}") for group in sorted(server.groups)],
        },
        after=("quota-network",),
        row=row,
        find={"kind": "port", "name": server.name},
        unread=("fixed_ips",),
    )
    yield Resource(
        name=f"server-{server.name}",
        type="compute.Instance",
        arguments={
            "name": server.name,
            "flavor_name": server.flavor,
            "image_name": server.image,
            "key_pair": reference("keypair", "name"),
            "config_drive": True,
            "networks": [{"port": reference(f"port-{server.name}")}],
        },
        after=("quota-compute",),
        row=row,
        scope="tenant",
        find={"kind": "server", "name": server.name},
        unread=("config_drive", "networks", "image_name", "flavor_name", "key_pair"),
    )
