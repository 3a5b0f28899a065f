"""Real packets between hosts of a throw-away world: each one sent by hand, and seen (or not) where it arrives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from lab.control.world import World
from orchestrator.errors import LabError
from orchestrator.forwarding.engine.network import Packet

_PROBER = str(Path(__file__).with_name("prober.py"))
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58}
QUIET = 0.6
"""Seconds after the last packet in which nothing new may arrive: paths here take far less than a millisecond."""


class Probe(NamedTuple):
    """A packet that a host sends."""

    host: str
    packet: Packet


class Seen(NamedTuple):
    """A packet as a host saw it arrive."""

    host: str
    packet: Packet


def observe(world: World, probes: Sequence[Probe], hosts: Sequence[str]) -> list[list[Seen]]:
    """Send all probes and return, for each, where it was seen and how it looked there.

    Raises LabError when the prober cannot run, or when a host does not even see what it sends to itself.
    """
    asked = {
        "hosts": {host: world.nodes[host] for host in hosts}, "quiet": QUIET,
        "probes": [[number, probe.host, *_plain(probe.packet)] for number, probe in enumerate(probes)],
    }  # fmt: skip
    answer = json.loads(world.run(None, ["/usr/bin/python3", "-I", _PROBER], json.dumps(asked), 120))
    if deaf := sorted(set(hosts) - set(answer["hearing"])):
        raise LabError(f"hosts {', '.join(deaf)} do not see their own packets: this says nothing about the network")
    found: list[list[Seen]] = [[] for _ in probes]
    for number, host, family, source, destination, protocol, source_port, destination_port in answer["seen"]:
        packet = Packet(
            family, int(ip_address(source)), int(ip_address(destination)), protocol, source_port, destination_port
        )
        if (seen := Seen(host, packet)) not in found[number]:
            found[number].append(seen)
    return found


def _plain(packet: Packet) -> list[int | str]:
    kind = IPv4Address if packet.family == 4 else IPv6Address
    ends = [str(kind(packet.source)), str(kind(packet.destination))]
    ports = [packet.source_port, packet.destination_port]
    return [packet.family, *ends, packet.protocol, *ports, int(packet.established)]
