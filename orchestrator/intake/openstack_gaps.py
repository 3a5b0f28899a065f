"""What else decides in a cloud who reaches whom and has no row: floating addresses, ports that nothing filters ..."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from orchestrator.model.finding import Where

ROUTER_PORTS = (
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
)
_FLOATING = "network:floatingip"
_HARMLESS = (
    *ROUTER_PORTS,
    _FLOATING,
    "",
    "network:dhcp",
    "network:distributed",
    "network:router_gateway",
    "network:router_centralized_snat",
    "network:router_ha_interface",
)
"""Owners of ports that rows stand for, that serve their own network alone, or that nobody has taken yet."""


class Known(NamedTuple):
    """What rows were made of: project id -> where its cloud is; ids of the provider networks -> the same."""

    projects: dict[str, str]
    providers: dict[str, str]


class Seen(Protocol):
    """What is needed of everything the API said."""

    networks: list[Any]
    routers: list[Any]
    ports: list[Any]
    servers: list[Any]


Gap = tuple[Where, str, str]


def gaps(seen: Seen, known: Known) -> Iterator[Gap]:
    """Object, what is not known there, the next move. Projects of no registered organisation are not looked at."""
    for network in seen.networks:
        source = known.projects.get(network.project_id)
        if source and network.is_shared and not network.is_router_external:
            what = f"network {network.name!r} is shared: who else is on it is not known here"
            yield Where(source=source, item=f"network {network.id}"), what, "take the sharing back"
    for router in seen.routers:
        source = known.projects.get(router.project_id)
        if source:
            where = Where(source=source, item=f"router {router.id}")
            yield from ((where, f"router {router.name!r} {what}", fix) for what, fix in _router(router, known))
    yield from _ports(seen, known)


def _router(router: Any, known: Known) -> Iterator[tuple[str, str]]:
    outside = (router.external_gateway_info or {}).get("network_id")
    if outside and outside not in known.providers:
        yield "leads out over a network that is no provider network known here", "give it one of a VLAN, with a row"
    if router.routes:
        hops = ", ".join(f"{route['destination']} via {route['nexthop']}" for route in router.routes)
        yield f"has routes of its own ({hops}), which are not known here", "remove them"
    if router.is_admin_state_up is False:
        yield "is switched off: whether its networks are reached is not known here", "switch it on, or remove it"


def _ports(seen: Seen, known: Known) -> Iterator[Gap]:
    networks = {network.id: network for network in seen.networks}
    projects = {server.id: server.project_id for server in seen.servers}
    for port in seen.ports:
        network = networks.get(port.network_id)
        owner = network.project_id if network else ""
        addresses = ", ".join(fixed["ip_address"] for fixed in port.fixed_ips or ()) or "no address"
        if port.device_owner == _FLOATING and port.network_id in known.providers:
            where = Where(source=known.providers[port.network_id], item=f"port {port.id}")
            yield where, f"floating address {addresses}: to whom it leads is not known here", "remove it"
            continue
        source = known.projects.get(projects.get(port.device_id, "")) or known.projects.get(owner)
        if source:
            where = Where(source=source, item=f"port {port.id}")
            for what, fix in _port(port, owner, projects):
                yield where, f"the port with {addresses} {what}", fix


def _port(port: Any, owner: str, projects: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if port.device_id in projects and projects[port.device_id] != owner:
        yield "joins a server to a network of another project: neither is known whole here", "remove it"
    elif (port.device_owner or "") not in _HARMLESS and port.device_id not in projects:
        yield f"belongs to {port.device_owner!r}: what that forwards is not known here", "remove it"
    if port.device_id in projects and not port.security_group_ids and not port.is_port_security_enabled:
        yield "has no port security: no group filters it, which is not known here", "switch port security on"
    if port.allowed_address_pairs:
        pairs = ", ".join(pair["ip_address"] for pair in port.allowed_address_pairs)
        yield f"may send as {pairs} too, which is not known here", "remove the allowed address pairs"
