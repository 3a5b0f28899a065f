"""A network's arrays -> what the native engine reads: labels for prefixes, numbers for named ports, rewritten labels.

Nothing is checked here: `check_network` has said before that every number is in range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.carried import carried_back
from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST, Label, Labels
from orchestrator.forwarding.engine.native import Input, pointer
from orchestrator.forwarding.engine.network import NONE, Action, Int, Network, TranslationKind
from orchestrator.forwarding.engine.outcomes import Attachments, Variants

MOST_PARTS: Final = 20_000_000


class CompileError(OnefoldError):
    """The network is sound and still more than the engine keeps in memory."""


@dataclass
class Compiled:
    """Arrays by the names of `native.Input`, and what the numbers in the engine's answers mean."""

    labels: Labels
    variants: Variants
    attachments: Attachments
    named_ports: Int
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def native(self) -> Input:
        """The structure that the library reads; keep `self` alive as long as it is used."""
        values: dict[str, Any] = {name: pointer(array) for name, array in self.arrays.items()}
        return Input(**self.counts, **values)


def compile_network(network: Network) -> Compiled:
    """Labels, numbers and cut translations of a sound network. Raises LabelsError and CompileError beyond bounds."""
    labels = _labels(network)
    named = _named_ports(network)
    variants, filters = _variants(network, named)
    zones = network.zones
    pairs = np.unique(np.stack([zones.port, zones.zone], axis=1), axis=0).astype(np.int32)
    attachments = Attachments(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))
    compiled = Compiled(labels, variants, attachments, named)
    arrays = compiled.arrays
    arrays |= filters | _routes(network, labels) | _ports(network, named, attachments)
    arrays |= _rules(network, labels, named)
    arrays |= cut_rules(network, labels, np.concatenate([arrays["route_low"], arrays["route_high"]]))
    arrays["policy_first"] = network.policies.first
    arrays["policy_filter"] = network.policies.match
    arrays["policy_group"] = network.policies.group
    arrays["attachment_port"], arrays["attachment_zone"] = attachments
    for name, array in arrays.items():
        arrays[name] = np.ascontiguousarray(array)
    compiled.counts = {
        "tables": len(network.tables),
        "ports": len(network.ports.table),
        "groups": len(network.groups.first) - 1,
        "routes": len(network.routes.table),
        "filters": len(network.filters.default),
        "rules": len(network.translations.kind),
        "translations": len(network.translations.first) - 1,
        "policies": len(network.policies.first) - 1,
        "attachments": len(attachments.port),
        "zones": len(network.zone_names),
        "hops": len(network.groups.kind),
    }
    return compiled


def _labels(network: Network) -> Labels:
    match, rules = network.filters.match, network.translations
    return Labels(
        [
            network.routes.prefix,
            *(match.source, match.destination),
            *(rules.match.source, rules.match.destination, rules.to),
            network.zones.source,
        ],
        carried_back(network),
    )


def _named_ports(network: Network) -> Int:
    """Ports that some match names, ascending; context i + 1 means the i-th of them."""
    ports = np.concatenate([network.filters.match.in_port, network.translations.match.in_port])
    return np.unique(ports[ports != NONE]).astype(np.int32)


def _variants(network: Network, named: Int) -> tuple[Variants, dict[str, NDArray[Any]]]:
    """One variant of each filter, and one more for each port that its entries name."""
    filters = network.filters
    count = len(filters.default)
    of_entry = np.repeat(np.arange(count, dtype=np.int32), np.diff(filters.first))
    names = filters.match.in_port != NONE
    pairs = np.unique(np.stack([of_entry[names], filters.match.in_port[names]], axis=1), axis=0)
    named_first = np.searchsorted(pairs[:, 0], np.arange(count + 1)).astype(np.int32)
    contexts = (np.searchsorted(named, pairs[:, 1]) + 1).astype(np.int32)
    first = (np.arange(count) + named_first[:-1]).astype(np.int32)
    of_variant = np.full(count + len(pairs), 0, np.int32)
    in_port = np.full(count + len(pairs), NONE, np.int32)
    of_variant[first] = np.arange(count)
    behind = np.arange(len(pairs)) + pairs[:, 0] + 1
    of_variant[behind], in_port[behind] = pairs[:, 0], pairs[:, 1]
    unread = filters.default == Action.UNKNOWN
    unread[of_entry[filters.action == Action.UNKNOWN]] = True
    return Variants(of_variant, in_port), {
        "variant_first": first,
        "named_first": named_first,
        "named": contexts,
        "variant_unread": unread[of_variant].astype(np.uint8),
    }


def _routes(network: Network, labels: Labels) -> dict[str, NDArray[Any]]:
    routes, groups = network.routes, network.groups
    return {
        "route_table": routes.table,
        "route_group": routes.group,
        "route_low": labels.low(routes.prefix),
        "route_high": labels.high(routes.prefix),
        "route_length": routes.prefix.length,
        "group_first": groups.first,
        "hop_kind": groups.kind,
        "hop_target": groups.target,
    }


def _ports(network: Network, named: Int, attachments: Attachments) -> dict[str, NDArray[Any]]:
    ports = network.ports
    count = len(ports.table)
    zone = np.full(count, NONE, np.int32)
    zone[attachments.port] = attachments.zone
    context = np.zeros(count, np.int32)
    context[named] = np.arange(1, len(named) + 1)
    return {
        "port_table": ports.table,
        "port_peer": ports.peer,
        "port_zone": zone,
        "port_context": context,
        "port_up": np.ones(count, np.uint8) if ports.up is None else ports.up.astype(np.uint8),
        "ingress_first": ports.ingress_first,
        "ingress_kind": ports.ingress_kind,
        "ingress_index": ports.ingress_index,
        "egress_first": ports.egress_first,
        "egress_kind": ports.egress_kind,
        "egress_index": ports.egress_index,
    }


def _rule_range(network: Network, labels: Labels) -> tuple[Label, Label]:
    """Destinations that each rule may match: of its prefix, and of the family it rewrites to."""
    rules = network.translations
    four = rules.to.family == 4
    low = np.maximum(labels.low(rules.match.destination), np.where(four, 0, V6_FIRST))
    high = np.minimum(labels.high(rules.match.destination), np.where(four, V4_END, END))
    return low, np.maximum(low, high)


def _rules(network: Network, labels: Labels, named: Int) -> dict[str, NDArray[Any]]:
    rules = network.translations
    low, high = _rule_range(network, labels)
    in_port = rules.match.in_port
    return {
        "translation_first": rules.first,
        "rule_kind": rules.kind,
        "rule_context": np.where(in_port == NONE, 0, np.searchsorted(named, in_port) + 1).astype(np.int32),
        "rule_length": rules.to.length.astype(np.int32),
        "rule_to_port": np.where(rules.kind == TranslationKind.DESTINATION, rules.to_port, NONE).astype(np.int32),
        "rule_low": low,
        "rule_high": high,
    }


@dataclass(frozen=True)
class _Shift:
    """A destination rule that maps [low, ...) onto [to, to_end) one to one; host rules have to_end = to + 1 address."""

    low: int
    to: int
    to_end: int
    host: bool
    family: int


def _shifts(network: Network, labels: Labels) -> dict[int, _Shift]:
    rules = network.translations
    destination = np.flatnonzero(rules.kind == TranslationKind.DESTINATION)
    low, _ = _rule_range(network, labels)
    to, to_end = labels.low(rules.to), labels.high(rules.to)
    length, family = rules.to.length, rules.to.family
    return {
        int(rule): _Shift(
            int(low[rule]),
            int(to[rule]),
            int(to_end[rule]),
            bool(length[rule] == (32 if family[rule] == 4 else 128)),
            int(family[rule]),
        )
        for rule in destination
    }


def _before(labels: Labels, shift: _Shift, boundary: int) -> int:
    """The label that a rule rewrites to a boundary inside its target."""
    if shift.family == 4:
        return shift.low + boundary - shift.to
    start, begin = labels.address(shift.low)[1], labels.address(shift.to)[1]
    return labels.boundary(6, start + labels.address(boundary)[1] - begin)


def cut_rules(network: Network, labels: Labels, boundaries: Label) -> dict[str, NDArray[Any]]:
    """Where the rewritten label of each rule passes a boundary: parts of its range, with the label they become.

    Boundaries of parts are boundaries themselves (chains of translations), so this goes on until there are no new ones.
    """
    shifts = _shifts(network, labels)
    low, high = _rule_range(network, labels)
    known = np.unique(np.concatenate([boundaries, low, high])) if shifts else np.zeros(0, np.int64)
    new = known
    parts: dict[int, dict[int, int]] = {rule: {shift.low: shift.to} for rule, shift in shifts.items()}
    while len(new):
        found: set[int] = set()
        for rule, shift in shifts.items():
            if shift.host:
                continue
            inside = new[np.searchsorted(new, shift.to, "right") : np.searchsorted(new, shift.to_end)]
            for boundary in inside.tolist():
                before = _before(labels, shift, boundary)
                parts[rule][before] = boundary
                found.add(before)
        fresh = np.array(sorted(found), np.int64)
        new = np.setdiff1d(fresh, known)
        known = np.union1d(known, new)
        if sum(map(len, parts.values())) > MOST_PARTS:
            raise CompileError("translations cut more than 20 million parts: match them on smaller prefixes")
    return _map_arrays(len(low), parts)


def _map_arrays(rules: int, parts: dict[int, dict[int, int]]) -> dict[str, NDArray[Any]]:
    first, start, target = [0], list[int](), list[int]()
    for rule in range(rules):
        for before, after in sorted(parts.get(rule, {}).items()):
            start.append(before)
            target.append(after)
        first.append(len(start))
    return {name: np.array(rows, np.int64) for name, rows in zip(MAPS, (first, start, target), strict=True)}


MAPS: Final = ("map_first", "map_start", "map_target")


def rule_targets(network: Network, labels: Labels) -> tuple[Label, Label]:
    """[low, high) of what each translation rule rewrites to. A boundary inside means: cut the rules anew."""
    return labels.low(network.translations.to), labels.high(network.translations.to)
