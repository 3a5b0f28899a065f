"""Filters' exact packet sets against z3: same set, emptiness, difference and covering for random pairs of filters.

z3 sees a packet as bit vectors and a filter as the nested if-then-else that network.py describes. It shares nothing
with atoms, slices or labels.
"""

from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any

import numpy as np
import pytest
import z3

from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.labels import Labels
from orchestrator.forwarding.engine.network import ANY_FAMILY, EVERY_PORT, NONE, TCP, Action, Network
from orchestrator.forwarding.engine.outcomes import Outcomes, Variants
from orchestrator.forwarding.engine.packets import FAMILIES, PacketSet
from orchestrator.forwarding.engine.rows import WIDTH, Entry, Filter, Prefix, Rows
from orchestrator.forwarding.engine.slices import UPPER, Slicer
from tests.forwarding.engine.networks import random_network
from tests.laws import examples

SIX = z3.Bool("six")
SOURCE, DESTINATION = z3.BitVec("source", 128), z3.BitVec("destination", 128)
PROTOCOL = z3.BitVec("protocol", 8)
SOURCE_PORT, DESTINATION_PORT = z3.BitVec("source_port", 16), z3.BitVec("destination_port", 16)
ESTABLISHED, FRAGMENT = z3.Bool("established"), z3.Bool("fragment")
FOUR_ONLY = z3.And(z3.ULT(SOURCE, 1 << 32), z3.ULT(DESTINATION, 1 << 32))
NO_PORTS = z3.And(SOURCE_PORT == 0, DESTINATION_PORT == 0)
REAL = z3.And(z3.Or(SIX, FOUR_ONLY), z3.Implies(FRAGMENT, NO_PORTS))


def within(value: Any, span: tuple[int, int], last: int) -> Any:
    """low <= value <= high."""
    if span == (0, last):
        return z3.BoolVal(True)
    return z3.And(z3.ULE(span[0], value), z3.ULE(value, span[1]))


def in_prefix(value: Any, prefix: Prefix) -> Any:
    if prefix.family == ANY_FAMILY:
        return z3.BoolVal(True)
    leading = z3.LShR(value, prefix.rest) == prefix.network >> prefix.rest if prefix.rest < 128 else z3.BoolVal(True)
    return z3.And(SIX if prefix.family == 6 else z3.Not(SIX), leading)


def meets(entry: Entry, in_port: int, stateful: bool) -> Any:
    """Packets that an entry decides."""
    match = entry.match
    if match.in_port not in (NONE, in_port) or (stateful and match.established == 1):
        return z3.BoolVal(False)
    ports = z3.And(
        within(SOURCE_PORT, match.source_port, 65535), within(DESTINATION_PORT, match.destination_port, 65535)
    )
    flag = match.established == 1
    needs = flag or match.source_port != EVERY_PORT or match.destination_port != EVERY_PORT
    later = z3.BoolVal(not (needs and entry.action == Action.DENY))
    whole = z3.And(ports, z3.BoolVal(match.fragment != 1), ESTABLISHED if flag else z3.BoolVal(True))
    return z3.And(
        in_prefix(SOURCE, match.source),
        in_prefix(DESTINATION, match.destination),
        within(PROTOCOL, match.protocol, 255),
        z3.If(FRAGMENT, later, whole),
        PROTOCOL == TCP if flag else z3.BoolVal(True),
    )


def permits(rule: Filter, in_port: int, upper: bool) -> Any:
    """Packets that a filter permits for certain, or (`upper`) perhaps."""
    good = (Action.PERMIT, Action.UNKNOWN) if upper else (Action.PERMIT,)
    formula = z3.BoolVal(rule.default in good)
    for entry in reversed(rule.entries):
        formula = z3.If(meets(entry, in_port, rule.stateful), z3.BoolVal(entry.action in good), formula)
    return formula


def in_set(packets: PacketSet) -> Any:
    """An engine's set, box by box."""

    def side(value: Any, ends: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]) -> Any:
        family = SIX if ends[0].version == 6 else z3.Not(SIX)
        return z3.And(family, within(value, (int(ends[0]), int(ends[1])), (1 << WIDTH[6]) - 1))

    boxes = []
    for source, destination, service in packets.boxes():
        fragment = FRAGMENT if service.fragment else z3.Not(FRAGMENT)
        ports = (
            within(SOURCE_PORT, service.source_port, 65535),
            within(DESTINATION_PORT, service.destination_port, 65535),
        )
        flag = z3.BoolVal(True) if service.established is None else z3.BoolVal(service.established) == ESTABLISHED
        where = (side(SOURCE, source), side(DESTINATION, destination))
        boxes.append(z3.And(*where, within(PROTOCOL, service.protocol, 255), *ports, flag, fragment))
    return z3.Or(*boxes)


def never(formula: Any) -> bool:
    """No real packet satisfies the formula."""
    solver = z3.Solver()
    solver.add(REAL, formula)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.unsat)


def slicer_of(network: Network, in_port: int) -> Slicer:
    """Variants of all filters for packets of one port of entry."""
    prefixes = [network.filters.match.source, network.filters.match.destination, network.routes.prefix]
    rules = network.translations
    labels = Labels([*prefixes, rules.match.source, rules.match.destination, rules.to, network.zones.source])
    count = network.filters.default.size
    variants = Variants(np.arange(count, dtype=np.int32), np.full(count, in_port, np.int32))
    nothing = np.zeros(0, np.int32)
    table = FilterTable(network, labels, variants)
    return Slicer(table, Outcomes(nothing, nothing, np.zeros(1, np.int32), nothing))


def sample(seed: int) -> Network:
    features = ("filters", "odd", "ipv6") if seed % 2 else ("filters",)
    return random_network(Random(seed), features)


@pytest.mark.parametrize("block", range(4))
def test_permitted_sets_and_what_is_made_of_them_agree_with_the_solver(block: int) -> None:
    for seed in range(block, examples(24, 1000), 4):
        network = sample(seed)
        rows = Rows(network).filters
        in_port = seed % network.ports.table.size
        slicer, upper = slicer_of(network, in_port), seed % 3 == 0
        flags = UPPER if upper else 0
        sets = [slicer.permitted(FAMILIES, FAMILIES, variant=number, flags=flags) for number in range(len(rows))]
        formulas = [permits(rule, in_port, upper) for rule in rows]
        for found, formula in zip(sets, formulas, strict=True):
            assert never(z3.Xor(in_set(found), formula)), f"network {seed}"
        one, other = sets[0], sets[-1]
        left, right = formulas[0], formulas[-1]
        for both, meaning in (
            (one & other, z3.And(left, right)),
            (one | other, z3.Or(left, right)),
            (one - other, z3.And(left, z3.Not(right))),
        ):
            assert both.is_empty == never(meaning), f"network {seed}"
            assert never(z3.Xor(in_set(both), meaning)), f"network {seed}"
        assert (one == other) == never(z3.Xor(left, right)), f"network {seed}"
        assert (one <= other) == never(z3.And(left, z3.Not(right))), f"network {seed}"


def test_the_solver_would_notice_a_forgotten_entry() -> None:
    noticed = 0
    for seed in range(12):
        network = sample(seed)
        slicer = slicer_of(network, NONE)
        for number, rule in enumerate(Rows(network).filters):
            found = slicer.permitted(FAMILIES, FAMILIES, variant=number)
            assert never(z3.Xor(in_set(found), permits(rule, NONE, upper=False)))
            forgetful = rule._replace(entries=rule.entries[1:])
            noticed += not never(z3.Xor(in_set(found), permits(forgetful, NONE, upper=False)))
    assert noticed >= 10


def test_what_the_solver_calls_shadowed_is_what_no_earlier_entry_leaves() -> None:
    """An entry decides nothing exactly when the entries before it hold all its packets, in sets and in the solver."""
    shadowed = alive = 0
    for seed in range(examples(20, 400)):
        network = sample(seed)
        everything = Rows(network).filters
        for rule in everything[:1]:
            met = [meets(entry, NONE, rule.stateful) for entry in rule.entries]
            for place, formula in enumerate(met):
                dead = never(z3.And(formula, z3.Not(reduce(z3.Or, met[:place], z3.BoolVal(False)))))
                shadowed, alive = shadowed + dead, alive + (not dead)
    assert shadowed
    assert alive
