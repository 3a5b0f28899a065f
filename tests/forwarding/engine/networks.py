"""Random small networks with every feature of network.py on, random packets for them, and random changes.

One generator for both uses: with a `Random` of its own for the soak, and with hypothesis' (whose choices shrink).
Addresses come from two pools of 32, so prefixes overlap, nest and shadow each other all the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from random import Random
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from orchestrator.forwarding.engine.builder import Entry, Hop, Match, NetworkBuilder, Range, Translation
from orchestrator.forwarding.engine.network import (
    EVERY_PORT,
    EVERY_PROTOCOL,
    NONE,
    Action,
    HopKind,
    Network,
    OperationKind,
    TranslationKind,
)

Some = TypeVar("Some")
AnyNetwork = IPv4Network | IPv6Network
BASE = {4: 0xC6120000, 6: 0x20010DB8 << 96}
FREE = 5  # bits of a pool
WIDTH = {4: 32, 6: 128}
PROTOCOLS: Sequence[Range] = (EVERY_PROTOCOL, (6, 6), (17, 17), (1, 1), (58, 58), (6, 17), (0, 5), (89, 255))
PORTS: Sequence[Range] = (
    *(EVERY_PORT, (443, 443), (0, 1023), (1024, 65535), (80, 443), (53, 53), (65535, 65535), (0, 0)),
    (8 << 8, (8 << 8) + 255),  # of ICMP: echo requests, whatever their code
)
TYPES: Sequence[Range] = (*((kind << 8, (kind << 8) + 255) for kind in (8, 0, 128, 129)), EVERY_PORT, (8 << 8, 8 << 8))
"""Echo requests and replies of ICMP, both families."""
ACTIONS = (Action.PERMIT, Action.DENY, Action.PERMIT, Action.DENY, Action.PERMIT, Action.DENY, Action.UNKNOWN)


@dataclass
class Maker:
    """A network in the making. `features`: what this one may have beyond routes."""

    random: Random
    features: frozenset[str]
    build: NetworkBuilder = field(default_factory=NetworkBuilder)
    tables: list[str] = field(default_factory=list)
    ports: dict[str, list[int]] = field(default_factory=dict)
    neighbours: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    attached: list[tuple[str, int, AnyNetwork]] = field(default_factory=list)
    routed: set[tuple[str, AnyNetwork]] = field(default_factory=set)

    def chance(self, percent: int) -> bool:
        """True so often; false is the simple case."""
        return self.random.randint(0, 99) >= 100 - percent

    def one(self, choices: Sequence[Some]) -> Some:
        return choices[self.random.randint(0, len(choices) - 1)]

    def port(self, table: str) -> int:
        port = self.build.port(table)
        self.ports[table].append(port)
        return port

    def every_port(self) -> list[int]:
        return sorted(port for ports in self.ports.values() for port in ports)

    def family(self) -> int:
        return 6 if "ipv6" in self.features and self.chance(40) else 4

    def prefix(self, family: int, lengths: Sequence[int] = (32, 31, 30, 29, 28, 27, 0)) -> AnyNetwork:
        """A prefix of the pool; `lengths` as for IPv4, IPv6 has 96 more (and 0 stays 0)."""
        length = self.one(lengths)
        return self.prefix_of(family, length + WIDTH[family] - 32 if length else 0)

    def prefix_of(self, family: int, length: int) -> AnyNetwork:
        address = BASE[family] | self.random.randint(0, (1 << FREE) - 1)
        network = address >> (WIDTH[family] - length) << (WIDTH[family] - length) if length else 0
        return IPv4Network((network, length)) if family == 4 else IPv6Network((network, length))


FEATURES = ("ipv6", "ecmp", "leaks", "filters", "translations", "policies", "gates", "odd", "down")


def random_network(random: Random, features: Sequence[str] | None = None) -> Network:
    """A network with some of the features (None: a random choice)."""
    chosen = [name for name in FEATURES if random.randint(0, 99) >= 45] if features is None else features
    maker = Maker(random, frozenset(chosen))
    _tables(maker)
    _zones(maker)
    _sensible_routes(maker)
    _random_routes(maker)
    _operations(maker)
    network = maker.build.build()
    if "down" in maker.features:
        up = np.array([not maker.chance(12) for _port in range(network.ports.table.size)], np.bool_)
        network = replace(network, ports=network.ports._replace(up=up))
    return network


def networks(*features: str) -> st.SearchStrategy[Network]:
    """The same for hypothesis."""
    randoms = st.randoms(use_true_random=False)
    return randoms.map(lambda random: random_network(random, features or None))


def _tables(maker: Maker) -> None:
    for number in range(maker.random.randint(2, 5)):
        table = f"d{number}/x"
        if number and "leaks" in maker.features and maker.chance(30):
            table = f"d{number - 1}/y"
        if table not in maker.tables:
            maker.tables.append(table)
    for table in maker.tables:
        maker.build.table(table)
        maker.ports[table], maker.neighbours[table] = [], []
    for number, table in enumerate(maker.tables[1:], 1):
        _cable(maker, maker.tables[maker.random.randint(0, number - 1)], table)
    for _extra in range(maker.random.randint(0, 2)):
        _cable(maker, maker.one(maker.tables), maker.one(maker.tables))


def _cable(maker: Maker, table: str, other: str) -> None:
    there, back = maker.port(table), maker.port(other)
    one_way = "gates" in maker.features and maker.chance(25)
    maker.build.connect(there, back, one_way=one_way)
    maker.neighbours[table].append((other, there))
    if not one_way:
        maker.neighbours[other].append((table, back))


def _zones(maker: Maker) -> None:
    for number in range(maker.random.randint(2, 4)):
        for _attachment in range(2 if maker.chance(25) else 1):
            table = maker.one(maker.tables)
            odd = "odd" in maker.features and maker.chance(10)
            taken = {port for _zone, port, _source in maker.attached}
            cabled = [port for port in maker.ports[table] if port not in taken]
            port = maker.one(cabled) if odd and cabled else maker.port(table)
            for _source in range(2 if maker.chance(30) else 1):
                source = maker.prefix(maker.family())
                maker.build.attach(f"z{number}", port, source)
                maker.attached.append((table, port, source))


def _sensible_routes(maker: Maker) -> None:
    """Most tables know the way to most zones: on random routes alone hardly a packet would arrive."""
    for home, port, source in maker.attached:
        if maker.chance(85):
            _add_route(maker, home, source, ((HopKind.PORT, port),))
        towards: dict[str, list[int]] = {home: []}
        reached = deque([home])
        while reached:
            far = reached.popleft()
            for near in maker.tables:
                ways = [out for table, out in maker.neighbours[near] if table == far]
                if ways and near not in towards:
                    towards[near] = ways
                    reached.append(near)
        for table, ways in towards.items():
            if ways and maker.chance(85):
                hops = ways if "ecmp" in maker.features else ways[:1]
                _add_route(maker, table, source, tuple((HopKind.PORT, out) for out in hops))


def _random_routes(maker: Maker) -> None:
    for table in maker.tables:
        for _route in range(maker.random.randint(0, 3)):
            several = "ecmp" in maker.features and maker.chance(40)
            hops = tuple(_hop(maker, table) for _hop_number in range(maker.random.randint(2, 3) if several else 1))
            _add_route(maker, table, maker.prefix(maker.family()), hops)


def _hop(maker: Maker, table: str) -> Hop:
    own = maker.ports[table]
    if "leaks" in maker.features and maker.chance(20):
        return HopKind.TABLE, maker.build.table(maker.one(maker.tables))
    if "odd" in maker.features and maker.chance(15):
        return HopKind.UNKNOWN, maker.build.line(f"routes:{maker.random.randint(1, 9)}")
    if not own or maker.chance(10):
        return HopKind.DROP, NONE
    return HopKind.PORT, maker.one(maker.every_port() if "odd" in maker.features and maker.chance(5) else own)


def _add_route(maker: Maker, table: str, prefix: AnyNetwork, hops: tuple[Hop, ...]) -> None:
    if (table, prefix) not in maker.routed:
        maker.routed.add((table, prefix))
        maker.build.route(table, prefix, *hops, line=f"{table}:{len(maker.routed)}")


def _operations(maker: Maker) -> None:
    made: list[tuple[tuple[OperationKind, int], ...]] = []
    if "filters" in maker.features:
        made += [((OperationKind.FILTER, _filter(maker)),) for _number in range(maker.random.randint(1, 3))]
    if "translations" in maker.features:
        made += [_translation(maker) for _number in range(maker.random.randint(1, 3))]
    for port in maker.every_port() if made else []:
        for add in (maker.build.ingress, maker.build.egress):
            for _operation in range(maker.random.randint(1, 2) if maker.chance(35) else 0):
                for kind, index in maker.one(made):
                    add(port, kind, index)
    _policies(maker)


def _policies(maker: Maker) -> None:
    if "policies" in maker.features:
        policies = [_policy(maker) for _number in range(maker.random.randint(1, 2))]
        for port in maker.every_port():
            if maker.chance(25):
                maker.build.ingress(port, OperationKind.POLICY, maker.one(policies))


def _filter(maker: Maker, *, may_be_stateful: bool = True) -> int:
    entries = [_entry(maker) for _number in range(maker.random.randint(0, 5))]
    default = maker.one((Action.DENY, Action.PERMIT, Action.DENY, Action.PERMIT, Action.UNKNOWN))
    if default == Action.UNKNOWN and "odd" not in maker.features:
        default = Action.PERMIT
    return maker.build.filter(entries, default, stateful=may_be_stateful and maker.chance(50))


def _entry(maker: Maker) -> Entry:
    action = maker.one(ACTIONS)
    if action == Action.UNKNOWN and "odd" not in maker.features:
        action = Action.PERMIT
    return Entry(match(maker), action, f"filters:{maker.random.randint(1, 99)}")


def match(maker: Maker, family: int | None = None, *, often: int = 50) -> Match:
    """A header match; both prefixes of one family. `often`: percentage of each condition on addresses and protocol.

    Answers and later fragments are rare among packets: an entry about them has few other conditions.
    """
    family = maker.family() if family is None else family
    established, fragment = (1 if maker.chance(often // 3) else NONE for _flag in range(2))
    often = often if established == fragment == NONE else often // 3
    protocol = maker.one(PROTOCOLS) if maker.chance(often) else EVERY_PROTOCOL
    ports = TYPES if protocol in ((1, 1), (58, 58)) else PORTS
    return Match(
        source=maker.prefix(family) if maker.chance(often) else None,
        destination=maker.prefix(family) if maker.chance(often) else None,
        protocol=protocol,
        source_port=maker.one(PORTS) if maker.chance(often // 2) else EVERY_PORT,
        destination_port=maker.one(ports) if maker.chance(often - often // 5) else EVERY_PORT,
        established=established,
        fragment=fragment,
        in_port=maker.one(maker.every_port()) if "odd" in maker.features and maker.chance(15) else NONE,
    )


def _translation(maker: Maker) -> tuple[tuple[OperationKind, int], ...]:
    """A translation; with filters in the network often one behind it that looks at what it has made of packets."""
    rules = [_rule(maker) for _number in range(maker.random.randint(1, 3))]
    made = ((OperationKind.TRANSLATE, maker.build.translation(rules)),)
    if "filters" not in maker.features or not maker.chance(60):
        return made
    actions = (Action.DENY, Action.PERMIT) if maker.chance(50) else (Action.PERMIT, Action.DENY)
    entries = [Entry(_made_by(rule), actions[0], f"filters:{maker.random.randint(1, 99)}") for rule in rules]
    return (*made, (OperationKind.FILTER, maker.build.filter(entries, actions[1])))


def _made_by(rule: Translation) -> Match:
    """What a rule makes of a packet, as far as only the rule can have made it: the port where it sets one."""
    if rule.to_port != NONE:
        return Match(destination_port=(rule.to_port, rule.to_port))
    source = rule.kind == TranslationKind.SOURCE
    return Match(source=rule.to if source else None, destination=None if source else rule.to)


def _rule(maker: Maker) -> Translation:
    family = maker.family()
    kind = maker.one((TranslationKind.SOURCE, TranslationKind.DESTINATION))
    condition, width = match(maker, family, often=30), WIDTH[family]
    length = width
    if maker.chance(50):  # 1:1
        prefix = maker.prefix(family, (32, 31, 30, 29, 28))
        source = kind == TranslationKind.SOURCE
        condition = condition._replace(source=prefix) if source else condition._replace(destination=prefix)
        length = prefix.prefixlen
    forwards_port = kind == TranslationKind.DESTINATION and maker.chance(40)
    to_port = maker.one((443, 80, 0, 65535, 1024)) if forwards_port else NONE
    return Translation(
        condition, kind, maker.prefix_of(family, length), to_port, f"rules:{maker.random.randint(1, 99)}"
    )


def _policy(maker: Maker) -> int:
    entries = []
    for _number in range(maker.random.randint(1, 2)):
        group = maker.build.group(_hop(maker, maker.one(maker.tables)))
        entries.append((_filter(maker, may_be_stateful=False), group))
    return maker.build.policy(entries)
