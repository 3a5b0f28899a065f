"""Random filters and translations for random designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_network
from random import Random

from lab.control.gates import Forwarding, Gate, GateRule, Renumbering
from orchestrator.forwarding.control.arrays import ZoneAt

_LOOPBACKS = ip_network("192.0.2.0/24")
#: BGP between routers passes other routers: a session that a filter ends is not part of what is computed
_SESSIONS = GateRule(permit=True, source=_LOOPBACKS, destination=_LOOPBACKS)


def draw_gates(random: Random, zones: Sequence[ZoneAt], ports: Mapping[str, list[str]]) -> list[Gate]:
    """Draw the gates of a design, on none, one or two of the routers whose ports are given."""
    if random.random() < 0.3:
        return []
    found = []
    for router in random.sample(sorted(ports), random.randint(1, 2)):
        rules = tuple(_rule(random, zones, ports[router]) for _ in range(random.randint(2, 6)))
        permit, stateful = random.random() < 0.5, random.random() < 0.8
        found.append(Gate(router, (_SESSIONS, *rules), permit, stateful, *_translations(random, zones, ports[router])))
    return found


def _rule(random: Random, zones: Sequence[ZoneAt], ports: list[str]) -> GateRule:
    prefixes = [prefix for zone in zones for prefix in zone.sources if prefix.version == 4]
    protocol = random.choice([None, "tcp", "udp", "udp"])
    low = random.choice([1, 80, 443, 1000])
    return GateRule(
        random.random() < 0.6,
        random.choice([None, None, *ports]),
        random.choice([None, None, *ports]),
        random.choice([None, None, *prefixes]),
        random.choice([None, *prefixes]),
        protocol,
        None if protocol is None or random.random() < 0.4 else (low, low + random.choice([0, 10, 5000])),
    )


def _translations(
    random: Random, zones: Sequence[ZoneAt], ports: list[str]
) -> tuple[tuple[Forwarding, ...], tuple[Renumbering, ...]]:
    """One host published under an address of nobody; one zone seen as another prefix or behind one address."""
    forwardings, renumberings = [], []
    inside = random.choice([prefix for zone in zones for prefix in zone.sources if isinstance(prefix, IPv4Network)])
    if random.random() < 0.5:
        forwardings.append(Forwarding(IPv4Address("10.200.0.1"), "udp", 80, inside[10], 443))
    if random.random() < 0.5:
        outside = IPv4Network(random.choice(["10.200.7.0/24", "10.200.0.9/32"]))
        renumberings.append(Renumbering(inside, outside, random.choice(ports)))
    return tuple(forwardings), tuple(renumberings)
