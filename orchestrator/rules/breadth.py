"""What the networks and ports of a filter entry come to together: an entry can name everybody in many ways."""

from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses

from orchestrator.model.network import Port

Range = tuple[Port, Port]
"""First and last port, inclusive."""

LAST_PORT = 65535


def together(networks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """The same addresses in as few networks as possible; for an entry that names none, everybody."""
    return tuple(collapse_addresses(networks)) or (IPv4Network("0.0.0.0/0"),)


def merged(ports: Iterable[Range]) -> tuple[Range, ...]:
    """The same ports in as few ranges as possible; for an entry that names none, all of them."""
    found: list[Range] = []
    for first, last in sorted(ports):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found) or ((0, LAST_PORT),)


def names_some(networks: Iterable[IPv4Network]) -> bool:
    """True when these networks leave anybody out."""
    return together(networks)[0].prefixlen > 0


def names_ports(ports: Iterable[Range]) -> bool:
    """True when these ranges leave a port out that a service can have: 0 is none (RFC 6335)."""
    first, last = merged(ports)[0]
    return first > 1 or last < LAST_PORT
