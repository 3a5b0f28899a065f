"""Servers of a tenant as the API shows them: one port with one address each, or a gap told in words."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from orchestrator.model.cloud import Server
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Where


class Seen(Protocol):
    """What is needed of everything the API said."""

    ports: list[Any]
    groups: list[Any]
    images: list[Any]


def known_order(names: set[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """A set of names in the order they are known in, else sorted: order is never a difference."""
    return known if set(known) == names else tuple(sorted(names))


def read_servers(
    tenant: str, source: str, servers: Iterable[Any], networks: Mapping[str, str], seen: Seen, expected: Estate
) -> Iterator[tuple[Server | None, Where, str]]:
    """Each server as a row (or None and the gap), and its API object. `networks` maps network id to name."""
    groups = {group.id: group.name for group in seen.groups}
    images = {image.id: image.name for image in seen.images}
    for server in servers:
        where = Where(source=source, item=f"server {server.id}")
        ports = [port for port in seen.ports if port.device_id == server.id]
        if len(ports) != 1 or len(ports[0].fixed_ips) != 1:
            count = sum(len(port.fixed_ips) for port in ports)
            yield None, where, f"server {server.name!r} of {tenant} has {len(ports)} ports with {count} addresses"
            continue
        image = (server.image or {}).get("id", "")
        known = expected.servers.get(f"{tenant}/{server.name}")
        names = {groups[group] for group in ports[0].security_group_ids or ()}
        row = Server(
            tenant=tenant,
            name=server.name,
            network=networks[ports[0].network_id],
            address=ports[0].fixed_ips[0]["ip_address"],
            flavor=server.flavor.get("original_name") or server.flavor.get("name") or "",
            image=images.get(image, image),
            groups=known_order(names, known.groups if known else ()),
        )
        yield row, where, ""
