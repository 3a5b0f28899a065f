"""A router's filter and translations, said once: as nftables text for the kernel, and as operations of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from orchestrator.forwarding.control.arrays import Plumbing
from orchestrator.forwarding.control.design import DEFAULT_VRF, Prefix
from orchestrator.forwarding.engine.builder import Entry, Match, Translation
from orchestrator.forwarding.engine.network import EVERY_PORT, EVERY_PROTOCOL, Action, OperationKind, TranslationKind

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17}


class GateRule(NamedTuple):
    """One line of the forward chain; what is None matches everything."""

    permit: bool
    came_by: str | None = None
    leaves_by: str | None = None
    source: Prefix | None = None
    destination: Prefix | None = None
    protocol: str | None = None
    ports: tuple[int, int] | None = None


class Forwarding(NamedTuple):
    """What is sent to `address` and `port` goes to `to` and `to_port` instead."""

    address: IPv4Address
    protocol: str
    port: int
    to: IPv4Address
    to_port: int


class Renumbering(NamedTuple):
    """`inside` is seen as `outside` behind `leaves_by`: whole prefixes of one length, or many behind one address."""

    inside: IPv4Network
    outside: IPv4Network
    leaves_by: str


class Gate(NamedTuple):
    """One router's filter (the first rule that matches decides, else `permit`) and translations."""

    router: str
    rules: tuple[GateRule, ...] = ()
    permit: bool = True
    stateful: bool = True
    forwardings: tuple[Forwarding, ...] = ()
    renumberings: tuple[Renumbering, ...] = ()


def text(gate: Gate) -> str:
    """Return the gate as nftables reads it."""
    lines = ["table inet gate {", " chain forward { type filter hook forward priority filter;"]
    lines[-1] += f" policy {'accept' if gate.permit else 'drop'};"
    if gate.stateful:
        lines.append("  ct state established,related accept")
    lines += [f"  {_rule(rule)}" for rule in gate.rules]
    lines += [" }", "}"]
    if gate.forwardings or gate.renumberings:
        lines += _translations(gate)
    return "\n".join(lines)


def _rule(rule: GateRule) -> str:
    words = []
    for word, value in (("iifname", rule.came_by), ("oifname", rule.leaves_by)):
        words += [f'{word} "{value}"'] if value else []
    for word, prefix in (("saddr", rule.source), ("daddr", rule.destination)):
        words += [f"{'ip' if prefix.version == 4 else 'ip6'} {word} {prefix}"] if prefix is not None else []
    if rule.protocol is not None:
        words.append(f"meta l4proto {rule.protocol}")
    if rule.ports is not None:
        words.append(f"th dport {rule.ports[0]}-{rule.ports[1]}")
    return " ".join([*words, "accept" if rule.permit else "drop"])


def _translations(gate: Gate) -> list[str]:
    lines = ["table ip gate-nat {", " chain before { type nat hook prerouting priority dstnat;"]
    lines += [
        f"  ip daddr {one.address} {one.protocol} dport {one.port} dnat to {one.to}:{one.to_port}"
        for one in gate.forwardings
    ]
    whole = [one for one in gate.renumberings if one.inside.prefixlen == one.outside.prefixlen]
    lines += [
        f"  ip daddr {one.outside} dnat ip prefix to ip daddr map {{ {one.outside} : {one.inside} }}" for one in whole
    ]
    lines += [" }", " chain after { type nat hook postrouting priority srcnat;"]
    for many in gate.renumberings:
        front = f'  oifname "{many.leaves_by}" ip saddr {many.inside} snat'
        if many in whole:
            lines.append(f"{front} ip prefix to ip saddr map {{ {many.inside} : {many.outside} }}")
        else:
            lines.append(f"{front} to {many.outside.network_address}")
    return [*lines, " }", "}"]


def install(plumbing: Plumbing, gate: Gate) -> None:
    """Put the gate's operations on every port of its router, in the kernel's order.

    Destination translation before routing; the forward chain between routing and source translation, so at the port
    by which packets leave.
    """
    builder = plumbing.builder
    here = (gate.router, DEFAULT_VRF)  # every VRF is a network namespace with a firewall of its own
    mine = {name[1]: ports for name, ports in plumbing.ports.items() if plumbing.places[name] == here}
    before = [*_forwarded(gate), *_renumbered_back(gate)]
    translation = builder.translation(before) if before else None
    for name, ports in mine.items():
        filtering = builder.filter(
            [entry for rule in gate.rules for entry in _entries(gate, rule, name, mine)],
            Action.PERMIT if gate.permit else Action.DENY, stateful=gate.stateful,
        )  # fmt: skip
        after = [one for one in _renumbered(gate) if one[0] == name]
        leaving = builder.translation([rule for _, rule in after]) if after else None
        for port in ports:
            if translation is not None:
                builder.ingress(port, OperationKind.TRANSLATE, translation)
            builder.egress(port, OperationKind.FILTER, filtering)
            if leaving is not None:
                builder.egress(port, OperationKind.TRANSLATE, leaving)


def _entries(gate: Gate, rule: GateRule, leaves_by: str, mine: dict[str, tuple[int, ...]]) -> Iterator[Entry]:
    if rule.leaves_by not in {None, leaves_by}:
        return
    match = Match(
        rule.source, rule.destination, _protocol(rule.protocol),
        destination_port=rule.ports or EVERY_PORT,
    )  # fmt: skip
    action = Action.PERMIT if rule.permit else Action.DENY
    line = f"{gate.router}: {_rule(rule)}"
    ports = [None] if rule.came_by is None else list(mine.get(rule.came_by, ()))
    for port in ports:
        yield Entry(match if port is None else match._replace(in_port=port), action, line)


def _protocol(name: str | None) -> tuple[int, int]:
    return EVERY_PROTOCOL if name is None else (NUMBERS[name], NUMBERS[name])


def _forwarded(gate: Gate) -> Iterator[Translation]:
    for one in gate.forwardings:
        match = Match(
            destination=f"{one.address}/32", protocol=_protocol(one.protocol), destination_port=(one.port, one.port)
        )
        yield Translation(match, TranslationKind.DESTINATION, f"{one.to}/32", one.to_port, f"{gate.router}: {one}")


def _renumbered_back(gate: Gate) -> Iterator[Translation]:
    for one in gate.renumberings:
        if one.inside.prefixlen == one.outside.prefixlen:
            match = Match(destination=one.outside)
            yield Translation(match, TranslationKind.DESTINATION, one.inside, line=f"{gate.router}: {one}")


def _renumbered(gate: Gate) -> Iterator[tuple[str, Translation]]:
    for one in gate.renumberings:
        rule = Translation(Match(source=one.inside), TranslationKind.SOURCE, one.outside, line=f"{gate.router}: {one}")
        yield one.leaves_by, rule
