"""Updates for which the engine has to be built anew in the middle: labels do not suffice any more."""

from __future__ import annotations

from orchestrator.forwarding.engine.builder import NetworkBuilder
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import HopKind
from orchestrator.forwarding.engine.updates import AddRoute, Hop, Prefix

SITE = 0x20010DB8 << 96


def test_a_route_that_needs_new_labels_has_the_next_hops_that_were_asked_for() -> None:
    made = NetworkBuilder()
    office, servers = made.port("r1"), made.port("r2")
    one, two = made.link("r1", "r2")
    other, _end = made.link("r1", "r2")
    made.attach("office", office, "2001:db8:1::/48")
    made.attach("servers", servers, "2001:db8:2::/48")
    made.route("r1", "2001:db8:2::/48", (HopKind.PORT, one))
    made.route("r2", "2001:db8:2::/48", (HopKind.PORT, servers))
    engine = Engine(made.build())
    ways = [(Hop(HopKind.DROP),), (Hop(HopKind.PORT, other),), (Hop(HopKind.PORT, one), Hop(HopKind.PORT, other))]
    address, generations = SITE, set[int]()
    for length in range(49, 100):
        address |= (length % 2) << (128 - length)  # each begins or ends in the middle of the one before
        hops = ways[length % 3] if length % 7 else (Hop(HopKind.PORT, two),)
        engine.apply(AddRoute(0, Prefix(6, address, length), hops))
        generations.add(engine.generation)
        found = engine.core.route(0, engine.labels.of(6, address))
        assert found is not None
        assert set(engine.hops(found[0])) == set(hops)
    assert len(generations) > 1
    assert engine.digest() == Engine(engine.network).digest()
