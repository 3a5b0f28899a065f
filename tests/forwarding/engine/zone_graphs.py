"""Small zones on both sides of a random decision graph: attachments, classes and what single packets do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from itertools import pairwise
from random import Random

import numpy as np

from orchestrator.forwarding.engine.builder import numbers, prefixes
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST, Labels
from orchestrator.forwarding.engine.network import Packet, Zones
from orchestrator.forwarding.engine.outcomes import Attachments, Classes, Outcome
from tests.forwarding.engine.graphs import FOUR, SIX, ZONES, Graph, random_network

ATTACHMENTS = ((10, 0), (11, 0), (12, 1), (13, 2))  # (port, zone)


class ZoneGraph:
    """A graph with zones that send into it, and classes of destinations with a random node per attachment."""

    def __init__(self, random: Random, *, rules: bool = True, chains: bool = False, most_entries: int = 6) -> None:
        network = random_network(random, rules=rules, most_entries=most_entries)
        senders = [(zone, port, random.choice(FOUR + SIX)) for port, zone in ATTACHMENTS for _ in range(2)]
        zones = Zones(
            numbers(row[0] for row in senders),
            numbers(row[1] for row in senders),
            prefixes([row[2] for row in senders]),
        )
        self.network = replace(network, zone_names=tuple(f"zone{zone}" for zone in range(ZONES)), zones=zones)
        matches = (network.filters.match, network.translations.match)
        halves = [half for match in matches for half in (match.source, match.destination)]
        cuts = sorted(random.sample(FOUR[:16] + SIX, 6), key=lambda text: int(ip_network(text).network_address))
        self.labels = Labels([*halves, zones.source, prefixes(cuts)])
        self.graph = Graph(random, self.network, rules=rules, chains=chains)
        self.attachments = Attachments(*(numbers(row[column] for row in ATTACHMENTS) for column in range(2)))
        self.classes = self._classes(random, cuts)

    def _classes(self, random: Random, cuts: list[str]) -> Classes:
        ends = {0, V4_END, V6_FIRST, END}
        for text in cuts:
            only = prefixes([text])
            ends |= {int(self.labels.low(only)[0]), int(self.labels.high(only)[0])}
        points = sorted(ends)
        spans = [(low, high) for low, high in pairwise(points) if low != V4_END]
        count = 4
        owner = [random.randrange(count) for _ in spans]
        rows = [[span for span, which in zip(spans, owner, strict=True) if which == number] for number in range(count)]
        usable = [number for number, node in enumerate(self.graph.nodes) if node[0] != Outcome.REWRITE]
        node = [[random.choice(usable) for _ in ATTACHMENTS] for _ in range(count)]
        return Classes(
            np.cumsum([0, *map(len, rows)]).astype(np.int64),
            np.array([low for row in rows for low, _ in row], np.int64),
            np.array([high for row in rows for _, high in row], np.int64),
            np.array(node, np.int32),
            np.arange(len(ATTACHMENTS), dtype=np.int32),
        )

    def decider(self) -> Decider:
        """The decider of this graph."""
        return Decider(self.network, self.labels, self.graph.outcomes(), self.graph.variants)

    def roots(self, zone: int, packet: Packet) -> list[int]:
        """Nodes that decide about a packet as a zone sends it."""
        label = self.labels.of(packet.family, packet.destination)
        rows = np.flatnonzero((self.classes.low <= label) & (label < self.classes.high))
        (number,) = np.searchsorted(self.classes.first, rows, side="right") - 1
        ports = {port for port, prefix in self.graph.plain.rows.senders[zone] if sends(prefix, packet)}
        return [int(self.classes.node[number, row]) for row, (port, _) in enumerate(ATTACHMENTS) if port in ports]

    def ends(self, zone: int, packet: Packet) -> set[tuple[Outcome, int]]:
        """Where a packet of a zone may end."""
        return set().union(*(self.graph.ends(root, packet) for root in self.roots(zone, packet)))


def sends(prefix: tuple[int, int, int], packet: Packet) -> bool:
    """Whether a prefix (family, network, free bits) holds a packet's source."""
    family, network, rest = prefix
    return family == packet.family and packet.source >> rest == network >> rest
