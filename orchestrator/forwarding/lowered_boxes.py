"""What boxes do to packets, as entries and rules of the forwarding engine: forward filters, groups, translations."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import product

from orchestrator.forwarding.boxes import Guard, Remote, Translator
from orchestrator.forwarding.engine.builder import Match as RuleMatch
from orchestrator.forwarding.engine.builder import Range, Translation
from orchestrator.forwarding.engine.network import EVERY_PORT, EVERY_PROTOCOL, NONE, Action, TranslationKind
from orchestrator.forwarding.engine.updates import Entry, Match
from orchestrator.forwarding.shape import prefix_of
from orchestrator.model.network import FilterRule, Nat

PROTOCOLS: dict[str, Range] = {"any": EVERY_PROTOCOL, "tcp": (6, 6), "udp": (17, 17), "icmp": (1, 1)}

Ports = Sequence[tuple[str, int]]
"""(interface, port of the arrays) by which packets enter one device."""

Line = Callable[[str], int]


def wall_entries(rule: FilterRule, ports: Ports, line: Line) -> Iterator[Entry]:
    """A filter's entry, once for each of its sources, destinations, port ranges and ports of entry."""
    action = Action.PERMIT if rule.action == "accept" else Action.DENY
    number = line(f"filter_rules[{rule.key}]")
    entering = [port for name, port in ports if name in rule.in_interfaces] if rule.in_interfaces else [NONE]
    for in_port in entering:
        for source, destination, numbers in product(
            rule.sources or (None,), rule.destinations or (None,), rule.ports or (EVERY_PORT,)
        ):
            ends = prefix_of(source), prefix_of(destination)
            yield Entry(
                Match(*ends, PROTOCOLS[rule.protocol], destination_port=numbers, in_port=in_port), action, number
            )


def defaults_by_port(default: Action, ports: Ports) -> list[Entry]:
    """The default said once more for every port of entry.

    It decides nothing new. The filter names all ports that an entry of another state may name, so no entry makes the
    engine tell more ports apart than before, which would mean building it anew.
    """
    return [Entry(Match(in_port=port), default) for _name, port in ports]


def guard_entries(guard: Guard, direction: str, line: Line) -> Iterator[Entry]:
    """What a server's groups accept in one direction."""
    for rule, remote in guard.rules:
        if rule.direction != direction:
            continue
        for peer in _remotes(remote):
            peers = Match(source=prefix_of(peer)) if direction == "ingress" else Match(destination=prefix_of(peer))
            match = peers._replace(protocol=PROTOCOLS[rule.protocol], destination_port=rule.ports or EVERY_PORT)
            yield Entry(match, Action.PERMIT, line(f"security_rules[{rule.key}]"))


def _remotes(remote: Remote) -> list[IPv4Network | None]:
    if remote is None:
        return [None]
    if isinstance(remote, frozenset):
        return [IPv4Network(address) for address in sorted(remote)]
    return [IPv4Network((remote[0], remote[1].bit_count()))]


def inbound(translator: Translator, port: str) -> Iterator[Translation]:
    """What is done to packets that enter by this port: see Translator.inbound, whose order is kept."""
    for row, _inside, _outside in translator.rows:
        if row.kind != "source" and row.interface == port:
            to = IPv4Network(row.inside.network_address) if row.kind == "destination" else row.inside
            yield _rule(row, RuleMatch(destination=row.outside), TranslationKind.DESTINATION, to)


def outbound(translator: Translator, port: str) -> Iterator[Translation]:
    """What is done to packets that leave by this port: see Translator.outbound, whose order is kept."""
    for row, _inside, _outside in translator.rows:
        if row.kind != "destination" and row.interface == port:
            to = IPv4Network(row.outside.network_address) if row.kind == "source" else row.outside
            yield _rule(row, RuleMatch(source=row.inside), TranslationKind.SOURCE, to)


def _rule(row: Nat, match: RuleMatch, kind: TranslationKind, to: IPv4Network) -> Translation:
    ports = (row.port, row.port) if row.port is not None else EVERY_PORT
    narrowed = match._replace(protocol=PROTOCOLS[row.protocol], destination_port=ports)
    to_port = row.inside_port if kind == TranslationKind.DESTINATION and row.inside_port is not None else NONE
    return Translation(narrowed, kind, to, to_port, f"nats[{row.key}]")
