"""What a box does to packets besides routing: forward filters, address translation, security groups.

Every answer says whether it looked at the protocol or a port (`sensitive`): one that did not holds for all of them.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import NamedTuple

from orchestrator.forwarding.segments import router_node
from orchestrator.model.cloud import SecurityRule
from orchestrator.model.estate import Estate
from orchestrator.model.network import Filter, FilterRule, Nat

Span = tuple[int, int]
"""(network, mask) as integers."""


class Judgement(NamedTuple):
    """A filter's answer about one packet and the row that gave it."""

    accept: bool
    decision: str
    row: str
    sensitive: bool


class Translation(NamedTuple):
    """The new address (and port, None: unchanged) of a packet, and the row that says so."""

    address: int
    port: int | None
    row: str


class Translated(NamedTuple):
    """A translator's answer: `change` None when no row matches."""

    change: Translation | None
    sensitive: bool


def span(network: IPv4Network) -> Span:
    """The network as (network, mask)."""
    return int(network.network_address), int(network.netmask)


def within(address: int, spans: tuple[Span, ...]) -> bool:
    """True when one of the spans holds the address, or there are none (everything)."""
    return not spans or any(address & mask == network for network, mask in spans)


class CompiledRule(NamedTuple):
    """A filter entry with its networks as integers."""

    rule: FilterRule
    sources: tuple[Span, ...]
    destinations: tuple[Span, ...]


class Wall:
    """The forward filter of one device: first match decides, else the default."""

    def __init__(self, policy: Filter, rules: Iterable[FilterRule]) -> None:
        self.policy = policy
        self.stateful = policy.stateful
        ordered = sorted(rules, key=lambda rule: rule.sequence)
        self.rules = [compiled(rule) for rule in ordered]

    def judge(self, way: tuple[str, str], ends: tuple[int, int], protocol: str, port: int) -> Judgement:
        """What the filter does with a new connection; `way` is (in port, out port), `ends` (source, destination)."""
        sensitive = False
        for item in self.rules:
            if not on_way(item, way, ends):
                continue
            rule = item.rule
            sensitive = sensitive or rule.protocol != "any"
            if _carries(rule.protocol, rule.ports, protocol, port):
                text = f"filter {rule.sequence:05d} {rule.action}"
                return Judgement(rule.action == "accept", text, f"filter_rules[{rule.key}]", sensitive)
        default = self.policy.default
        return Judgement(default == "accept", f"filter default {default}", f"filters[{self.policy.key}]", sensitive)


def compiled(rule: FilterRule) -> CompiledRule:
    """The entry with its networks as integers."""
    return CompiledRule(rule, tuple(map(span, rule.sources)), tuple(map(span, rule.destinations)))


def on_way(item: CompiledRule, way: tuple[str, str], ends: tuple[int, int]) -> bool:
    """True when the entry's interfaces and addresses fit; protocol and ports are not looked at."""
    rule = item.rule
    if rule.in_interfaces and way[0] not in rule.in_interfaces:
        return False
    if rule.out_interfaces and way[1] not in rule.out_interfaces:
        return False
    return within(ends[0], item.sources) and within(ends[1], item.destinations)


def _carries(wanted: str, ports: tuple[tuple[int, int], ...], protocol: str, port: int) -> bool:
    if wanted not in ("any", protocol):
        return False
    return not ports or any(first <= port <= last for first, last in ports)


class Translator:
    """The address translation of one device; `destination` and `source` rows before `prefix` rows, each by key."""

    def __init__(self, rows: Iterable[Nat]) -> None:
        ordered = sorted(rows, key=lambda row: (row.kind == "prefix", row.key))
        self.rows = [(row, span(row.inside), span(row.outside)) for row in ordered]

    def inbound(self, port_name: str, destination: int, protocol: str, port: int) -> Translated:
        """Before routing, for a packet that enters by this port."""
        sensitive = False
        for row, inside, outside in self.rows:
            if row.kind == "source" or row.interface != port_name or not within(destination, (outside,)):
                continue
            sensitive = sensitive or row.protocol != "any" or row.port is not None
            if row.protocol in ("any", protocol) and row.port in (None, port):
                address = inside[0] if row.kind == "destination" else _moved(destination, inside)
                return Translated(Translation(address, row.inside_port, f"nats[{row.key}]"), sensitive)
        return Translated(None, sensitive)

    def outbound(self, port_name: str, source: int, protocol: str, port: int) -> Translated:
        """After the filter, for a packet that leaves by this port."""
        sensitive = False
        for row, inside, outside in self.rows:
            if row.kind == "destination" or row.interface != port_name or not within(source, (inside,)):
                continue
            sensitive = sensitive or row.protocol != "any" or row.port is not None
            if row.protocol in ("any", protocol) and row.port in (None, port):
                address = outside[0] if row.kind == "source" else _moved(source, outside)
                return Translated(Translation(address, None, f"nats[{row.key}]"), sensitive)
        return Translated(None, sensitive)


def _moved(address: int, into: Span) -> int:
    """The same host part in another network of the same length."""
    network, mask = into
    return network | (address & ~mask & 0xFFFFFFFF)


class Guard:
    """The security groups of one server: what no rule accepts is dropped."""

    def __init__(self, estate: Estate, server_key: str, members: dict[str, frozenset[int]]) -> None:
        server = estate.servers[server_key]
        self.server = server_key
        groups = {f"{server.tenant}/{name}" for name in server.groups}
        rules = [rule for rule in estate.security_rules.values() if f"{rule.tenant}/{rule.group}" in groups]
        self.rules = [(rule, _remote(rule, members)) for rule in sorted(rules, key=lambda rule: rule.key)]

    def judge(self, direction: str, peer: int, protocol: str, port: int) -> Judgement:
        """What the groups do with a new connection from (ingress) or to (egress) this peer."""
        sensitive = False
        for rule, remote in self.rules:
            if rule.direction != direction or not _is_remote(peer, remote):
                continue
            sensitive = sensitive or rule.protocol != "any"
            if _carries(rule.protocol, (rule.ports,) if rule.ports else (), protocol, port):
                text = f"group {rule.group} accepts {direction}"
                return Judgement(True, text, f"security_rules[{rule.key}]", sensitive)
        return Judgement(False, f"no group accepts {direction}", f"servers[{self.server}]", sensitive)


Remote = Span | frozenset[int] | None


def _remote(rule: SecurityRule, members: dict[str, frozenset[int]]) -> Remote:
    if rule.remote_group is not None:
        return members.get(f"{rule.tenant}/{rule.remote_group}", frozenset())
    return span(rule.remote_prefix) if rule.remote_prefix is not None else None


def _is_remote(peer: int, remote: Remote) -> bool:
    if remote is None:
        return True
    if isinstance(remote, frozenset):
        return peer in remote
    return peer & remote[1] == remote[0]


def build_walls(estate: Estate) -> dict[str, Wall]:
    """Device -> its filter. A device without a Filter row forwards everything, whatever entries it has."""
    rules: dict[str, list[FilterRule]] = {}
    for rule in estate.filter_rules.values():
        rules.setdefault(rule.device, []).append(rule)
    return {row.device: Wall(row, rules.get(row.device, [])) for row in estate.filters.values()}


def build_translators(estate: Estate) -> dict[str, Translator]:
    """Node -> its translation; a tenant router with source NAT hides its networks behind its outside address."""
    rows: dict[str, list[Nat]] = {}
    for nat in estate.nats.values():
        rows.setdefault(nat.device, []).append(nat)
    for router in estate.cloud_routers.values():
        if router.source_nat:
            rows[router_node(router)] = _router_nats(estate, router.tenant, router.name)
    return {node: Translator(found) for node, found in rows.items()}


def _router_nats(estate: Estate, tenant: str, name: str) -> list[Nat]:
    router = estate.cloud_routers[f"{tenant}/{name}"]
    networks = [estate.cloud_networks.get(f"{tenant}/{network}") for network in router.networks]
    return [
        Nat(
            device=tenant,
            name=f"router-{network.name}",
            kind="source",
            interface="provider",
            inside=network.prefix,
            outside=IPv4Network(router.address),
        )
        for network in networks
        if network
    ]


def build_guards(estate: Estate) -> dict[str, Guard]:
    """Server -> its security groups."""
    members: dict[str, set[int]] = {}
    for server in estate.servers.values():
        for group in server.groups:
            members.setdefault(f"{server.tenant}/{group}", set()).add(int(server.address))
    frozen = {group: frozenset(addresses) for group, addresses in members.items()}
    return {key: Guard(estate, key, frozen) for key in estate.servers}
