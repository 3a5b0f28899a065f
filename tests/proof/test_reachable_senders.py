"""Senders found by prefix are those that the plain walker would start from."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.updates import Prefix
from orchestrator.proof.reachable_base import Base, prefix_at
from orchestrator.proof.reachable_senders import Senders
from tests.forwarding.engine.networks import random_network
from tests.forwarding.engine.points import some_packets
from tests.laws import examples


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(30, 3_000), deadline=None)
def test_senders_are_where_the_plain_walker_starts(seed: int) -> None:
    random = Random(seed)
    network = random_network(random)
    senders, plain = Senders(network), Plain(network)
    zones = range(len(network.zone_names))
    for _zone, packet in some_packets(network, random, 20):
        starts = {zone: [moment.port for moment in plain.starts(zone, packet)] for zone in zones}
        found = {zone: senders.ports(zone, packet.family, packet.source) for zone in zones}
        assert found == starts
        assert senders.zones(packet.family, packet.source) == [zone for zone in zones if starts[zone]]


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=examples(30, 3_000), deadline=None)
def test_a_table_finds_exactly_its_prefixes(seed: int) -> None:
    network = random_network(Random(seed))
    base, routes = Base(network), network.routes
    rows = {(int(table), prefix_at(routes.prefix, row)): row for row, table in enumerate(routes.table)}
    for (table, prefix), row in rows.items():
        assert base.hops(table, prefix) == base.group(int(routes.group[row]))
        for other in {prefix._replace(length=length) for length in range(prefix.length)}:
            if (table, other) not in rows:
                assert base.hops(table, other) is None
    assert base.hops(0, Prefix(6, int(np.uint64(7)) << 64, 128)) is None
