"""Small random filters, translations and decision graphs, and what becomes of one packet in them, step by step."""

from __future__ import annotations

from ipaddress import ip_network
from random import Random

import numpy as np
from hypothesis import strategies as st

from orchestrator.forwarding.engine.builder import AnyPrefix, Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.labels import Labels
from orchestrator.forwarding.engine.network import NONE, Action, Network, Packet, TranslationKind
from orchestrator.forwarding.engine.outcomes import Outcome, Outcomes, Variants
from orchestrator.forwarding.engine.packets import Interval, position
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.rows import fields_fit

FOUR = [f"10.0.0.{low}/{length}" for length in (28, 29, 30, 31, 32) for low in range(0, 16, 1 << (32 - length))]
SIX = [f"2001:db8::{low:x}/{length}" for length in (124, 126, 127, 128) for low in range(0, 16, 1 << (128 - length))]
PORTS = [(0, 65535)] * 4 + [(80, 80), (443, 443), (22, 80), (100, 2000), (0, 99), (80, 65535)]
PROTOCOLS = [(0, 255)] * 2 + [(6, 6)] * 3 + [(17, 17), (1, 1), (6, 17)]
ZONES = 3
RANDOMS = st.integers(0, 2**32 - 1).map(Random)  # what a law draws is too much for hypothesis to shrink


def random_match(random: Random, family: int, in_ports: bool = True) -> Match:
    """A match of one family (or of any)."""
    pool: list[AnyPrefix] = [None, None, *random.sample(FOUR if family == 4 else SIX, 6)]
    return Match(
        random.choice(pool),
        random.choice(pool),
        random.choice(PROTOCOLS),
        random.choice(PORTS),
        random.choice(PORTS),
        random.choice([NONE, NONE, NONE, 1]),
        random.choice([NONE, NONE, NONE, 1]),
        random.choice([NONE, NONE, NONE, 7, 8]) if in_ports else NONE,
    )


def random_network(random: Random, *, most_entries: int = 6, rules: bool = True) -> Network:
    """Filters and translation rules and nothing else."""
    made = NetworkBuilder()
    for _ in range(3):
        entries = [
            Entry(
                random_match(random, random.choice((4, 4, 6))),
                random.choice((Action.PERMIT, Action.PERMIT, Action.DENY, Action.DENY, Action.UNKNOWN)),
                f"filter:{random.randrange(99)}",
            )
            for _ in range(random.randrange(most_entries + 1))
        ]
        made.filter(entries, random.choice((Action.DENY, Action.PERMIT)), stateful=random.random() < 0.5)
    for _ in range(3 if rules else 0):
        made.translation([random_rule(random)])
    return made.build()


def random_rule(random: Random) -> Translation:
    """A 1:1 rule, or one to a host."""
    family = random.choice((4, 4, 6))
    kind = random.choice((TranslationKind.SOURCE, TranslationKind.DESTINATION))
    match = random_match(random, family, in_ports=False)
    pool = FOUR if family == 4 else SIX
    own = match.source if kind == TranslationKind.SOURCE else match.destination
    length = ip_network(own).prefixlen if own is not None and random.random() < 0.5 else 32 if family == 4 else 128
    to = random.choice([prefix for prefix in pool if ip_network(prefix).prefixlen == length])
    port = random.choice((NONE, 80, 8080)) if kind == TranslationKind.DESTINATION else NONE
    return Translation(match, kind, to, port, "rule:1")


def labels_of(network: Network) -> Labels:
    """Labels for everything that filters and translations name."""
    matches = (network.filters.match, network.translations.match)
    return Labels([half for match in matches for half in (match.source, match.destination)])


def variants_of(network: Network) -> Variants:
    """Every filter as a packet meets it that entered by port 7, 8, or another."""
    count = len(network.filters.default)
    ports = np.repeat(np.array([NONE, 7, 8], np.int32), count)
    return Variants(np.tile(np.arange(count, dtype=np.int32), 3), ports)


class Graph:
    """A random decision graph over a network's filters and rules, children before parents."""

    def __init__(
        self, random: Random, network: Network, *, size: int = 8, rules: bool = True, chains: bool = False
    ) -> None:
        self.network, self.plain = network, Plain(network)
        self.variants = variants_of(network)
        self.nodes: list[tuple[Outcome, int, tuple[int, ...]]] = [
            (Outcome.DROP, NONE, ()),
            (Outcome.LOOP, NONE, ()),
            (Outcome.UNKNOWN, 0, ()),
            *((Outcome.DELIVER, zone, ()) for zone in range(ZONES)),
        ]
        kinds = [Outcome.FILTER, Outcome.FILTER]
        kinds += [] if chains else [Outcome.EITHER, Outcome.BRANCH_FILTER]
        if rules and len(network.translations.kind):
            kinds += [Outcome.BRANCH_RULE, Outcome.BRANCH_RULE]
        for _ in range(size):
            self.add(random, random.choice(kinds))

    def add(self, random: Random, kind: Outcome) -> None:
        """One more node over some that stand before it; a rewrite stands below the branch at its rule's match."""
        below = [number for number, node in enumerate(self.nodes) if number > 1 and node[0] != Outcome.REWRITE]
        child, other = random.sample(below, 2)
        if kind == Outcome.EITHER:
            self.nodes.append((kind, NONE, tuple(sorted((child, other)))))
        elif kind == Outcome.BRANCH_RULE:
            rule = random.randrange(len(self.network.translations.kind))
            self.nodes.append((Outcome.REWRITE, rule, (child,)))
            self.nodes.append((kind, rule, (len(self.nodes) - 1, other)))
        else:
            variant = random.randrange(len(self.variants.filter))
            self.nodes.append((kind, variant, (child,) if kind == Outcome.FILTER else (child, other)))

    def outcomes(self) -> Outcomes:
        """As columns."""
        first = np.cumsum([0, *(len(node[2]) for node in self.nodes)])
        children = [child for node in self.nodes for child in node[2]]
        return Outcomes(
            np.array([node[0] for node in self.nodes], np.int32),
            np.array([node[1] for node in self.nodes], np.int32),
            first.astype(np.int32),
            np.array(children, np.int32),
        )

    def ends(self, node: int, packet: Packet) -> set[tuple[Outcome, int]]:
        """Where a packet may end: (DELIVER, zone), (UNKNOWN, NONE) or (DROP, NONE)."""
        kind, argument, children = self.nodes[node]
        if kind in (Outcome.DELIVER, Outcome.UNKNOWN):
            return {(kind, argument if kind == Outcome.DELIVER else NONE)}
        if kind == Outcome.EITHER:
            return set().union(*(self.ends(child, packet) for child in children))
        if kind == Outcome.REWRITE:
            (rule,) = self.plain.rows.translations[argument]
            after = self.plain._rewritten(rule, packet)
            return set().union(*(self.ends(children[0], each) for each in after))
        if kind == Outcome.BRANCH_RULE:
            (rule,) = self.plain.rows.translations[argument]
            fits = rule.to.family == packet.family and fields_fit(rule.match, packet, NONE, ports_must_fit=True)
            return self.ends(children[0 if fits else 1], packet)
        return self.filtered(node, packet)

    def filtered(self, node: int, packet: Packet) -> set[tuple[Outcome, int]]:
        """Where a packet may end that meets a filter, or nothing at all."""
        kind, argument, children = self.nodes[node]
        if kind not in (Outcome.FILTER, Outcome.BRANCH_FILTER):
            return {(Outcome.DROP, NONE)}
        action = self.action(argument, packet)
        if action == Action.UNKNOWN:
            return {(Outcome.UNKNOWN, NONE)}
        if action == Action.PERMIT:
            return self.ends(children[0], packet)
        return {(Outcome.DROP, NONE)} if kind == Outcome.FILTER else self.ends(children[1], packet)

    def action(self, variant: int, packet: Packet) -> Action:
        """What a filter variant does with a packet."""
        in_port = int(self.variants.in_port[variant])
        return self.plain.decide(int(self.variants.filter[variant]), packet, in_port)[0]


def random_packet(random: Random, family: int = 0) -> Packet:
    """A packet in the small space that the matches cut."""
    family = family or random.choice((4, 4, 6))
    base = int(ip_network("10.0.0.0/28" if family == 4 else "2001:db8::/124").network_address)
    port = [0, 21, 22, 79, 80, 81, 99, 100, 443, 2000, 2001, 8080, 65535]
    return Packet(
        family,
        base + random.randrange(18),
        base + random.randrange(18),
        random.choice((0, 1, 6, 17, 5, 255)),
        random.choice(port),
        random.choice(port),
        random.random() < 0.4,
        random.random() < 0.3,
    )


def random_intervals(random: Random) -> list[Interval]:
    """Some addresses of both families, as positions."""
    result = []
    for family, base in ((4, 10 << 24), (6, int(ip_network("2001:db8::/124").network_address))):
        for _ in range(random.choice((0, 1, 1, 2))):
            low = random.randrange(18)
            high = random.randrange(low + 1, 20)
            result.append((position(family, base + low), position(family, base + high)))
        if random.random() < 0.3:
            result.append((position(family, 0), position(family, 1 << (32 if family == 4 else 128))))
    return result


def within(place: int, intervals: list[Interval]) -> bool:
    """Whether a position lies in one of the intervals."""
    return any(low <= place < high for low, high in intervals)
