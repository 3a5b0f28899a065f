"""Servers of a tenant as the API shows them: one port with one address each, or a gap told in words."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from orchestrator.model.base import Row
from orchestrator.model.cloud import Server
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Where

Made = TypeVar("Made", bound=Row)

BY_HAND = "correct the server by hand: Onefold makes one port with one address"
RENAME = "give it a name of letters, digits and _ . : - and values of IPv4; until then nothing is known of it"
AGAIN = "read the cloud again when nobody is at work in it"


def made(shape: type[Made], fields: Mapping[str, Any]) -> Made | str:
    """The row; or, in words, the first value that rows do not have: a name in Chinese, an address of IPv6."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(part) for part in detail["loc"])
        value = " ".join(str(detail["input"]).split())
        return f"{where} is missing" if detail["input"] is None else f"{where} {value!r} is none that Onefold can hold"


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
) -> Iterator[tuple[Server | None, Where, tuple[str, str]]]:
    """Each server as a row (or None, the gap and the next move), and its API object. `networks`: id to name."""
    groups = {group.id: group.name for group in seen.groups}
    images = {image.id: image.name for image in seen.images}
    for server in servers:
        where = Where(source=source, item=f"server {server.id}")
        ports = [port for port in seen.ports if port.device_id == server.id]
        if len(ports) != 1 or len(ports[0].fixed_ips) != 1:
            count = sum(len(port.fixed_ips) for port in ports)
            gap = f"server {server.name!r} of {tenant} has {len(ports)} ports with {count} addresses"
            yield None, where, (gap, BY_HAND)
            continue
        named = set(ports[0].security_group_ids or ())
        if ports[0].network_id not in networks or not named <= groups.keys():
            yield None, where, (f"server {server.name!r} of {tenant} changed while the cloud was read", AGAIN)
            continue
        image = (server.image or {}).get("id", "")
        known = expected.servers.get(f"{tenant}/{server.name}")
        fields = {
            "tenant": tenant,
            "name": server.name,
            "network": networks[ports[0].network_id],
            "address": ports[0].fixed_ips[0]["ip_address"],
            "flavor": server.flavor.get("original_name") or server.flavor.get("name") or "",
            "image": images.get(image, image),
            "groups": known_order({groups[group] for group in named}, known.groups if known else ()),
        }
        row = made(Server, fields)
        if isinstance(row, str):
            yield None, where, (f"server {server.name!r} of {tenant}: {row}", RENAME)
        else:
            yield row, where, ("", "")
