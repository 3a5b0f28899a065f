"""Entries that could go, against z3: shadowed, redundant, unused, each exactly when the solver says so."""

from __future__ import annotations

from functools import reduce
from random import Random
from typing import Any

import numpy as np
import pytest
import z3

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.hygiene import Fault, idle_entries
from orchestrator.forwarding.engine.network import NONE, Action
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.rows import Filter, Rows
from orchestrator.forwarding.engine.updates import Entry, InsertEntry, Match
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.test_solver import in_set, meets, never, permits
from tests.laws import examples

Faults = dict[int, Fault]


def ports_of(decider: Decider, number: int) -> list[int]:
    """Ports by which packets of a filter are told apart, NONE for any other."""
    table = decider.table
    rows = np.flatnonzero(table.variant_filter[: table.rule_base] == number)
    return [int(port) for port in table.variant_port[rows]]


def shadowed(rule: Filter, place: int, ports: list[int]) -> bool:
    """No packet gets as far as the entry, whatever port it came by."""

    def left(port: int) -> Any:
        met = [meets(entry, port, rule.stateful) for entry in rule.entries[: place + 1]]
        return z3.And(met[-1], z3.Not(reduce(z3.Or, met[:-1], z3.BoolVal(False))))

    return all(never(left(port)) for port in ports)


def redundant(rule: Filter, place: int, ports: list[int]) -> bool:
    """Without the entry every packet gets the same: permitted, denied, or unknown."""
    without = rule._replace(entries=rule.entries[:place] + rule.entries[place + 1 :])
    kinds = [(port, upper) for port in ports for upper in (False, True)]
    return all(never(z3.Xor(permits(rule, *kind), permits(without, *kind))) for kind in kinds)


def expected(rule: Filter, ports: list[int], arriving: PacketSet) -> Faults:
    """What the solver says of each entry that some packet could meet at all."""
    found: Faults = {}
    for place, entry in enumerate(rule.entries):
        whatever = entry._replace(match=entry.match._replace(in_port=NONE))
        match = meets(whatever, NONE, rule.stateful)
        if never(match):  # waits for a connection: left alone
            continue
        if shadowed(rule, place, ports):
            found[place] = Fault.SHADOWED
        elif entry.action != Action.UNKNOWN and redundant(rule, place, ports):
            found[place] = Fault.REDUNDANT
        elif never(z3.And(in_set(arriving), match)):
            found[place] = Fault.UNUSED
    return found


def told(decider: Decider, number: int, arriving: PacketSet) -> Faults:
    """What the engine says."""
    return {idle.position: idle.fault for idle in idle_entries(decider, number, arriving)}


def some_arriving(decider: Decider, number: int) -> PacketSet:
    """What another filter permits takes the part of the packets that get here."""
    other = number + 1 if number + 1 < decider.table.filters else 0
    variant = int(np.flatnonzero(decider.table.variant_filter == other)[0])
    whole = decider.slicer.permitted([(0, 1 << 32)], [(0, 1 << 32)], variant=variant)
    return whole - decider.match(int(decider.table.start[number]))


@pytest.mark.parametrize("block", range(2))
def test_entries_that_could_go_are_those_that_the_solver_names(block: int) -> None:
    seen: set[Fault] = set()
    for seed in range(block, examples(24, 600), 2):
        network = random_network(Random(seed), ("filters", "odd", "ipv6") if seed % 4 < 2 else ("filters",))
        decider, rules = Engine(network).decider, Rows(network).filters
        for number, rule in enumerate(rules[:2]):
            arriving = some_arriving(decider, number) if rule.entries else PacketSet(decider.table.services)
            found = told(decider, number, arriving)
            assert found == expected(rule, ports_of(decider, number), arriving), f"network {seed}, filter {number}"
            seen |= set(found.values())
    assert seen == set(Fault), "every fault has to occur"


def test_the_solver_would_notice_an_entry_that_it_is_not_told_of() -> None:
    noticed = 0
    for seed in range(8):
        network = random_network(Random(seed), ("filters",))
        decider, rule = Engine(network).decider, Rows(network).filters[0]
        arriving, ports = PacketSet(decider.table.services), ports_of(decider, 0)
        assert told(decider, 0, arriving) == expected(rule, ports, arriving)
        decider.table.apply(InsertEntry(0, 0, Entry(Match(), Action.DENY)))  # takes everything
        said = {place - 1: fault for place, fault in told(decider, 0, arriving).items() if place}
        noticed += said != expected(rule, ports, arriving)
    assert noticed >= 4
