"""Four routers in a square: the smallest network in which the order of two changes matters."""

from __future__ import annotations

import numpy as np

from orchestrator.forwarding.engine.builder import Entry, NetworkBuilder
from orchestrator.forwarding.engine.builder import Match as BuiltMatch
from orchestrator.forwarding.engine.network import Action, HopKind, OperationKind, Packet
from orchestrator.forwarding.engine.policy import Flow, Policy
from orchestrator.forwarding.engine.updates import Hop, Prefix, ReplaceRoute
from tests.proof.plain_world import PlainWorld

TO_A, TO_B = Prefix(4, 0xC6120100, 24), Prefix(4, 0xC6120200, 24)
TABLES = ("r1", "r2", "r4", "r3")


class Square:
    """Zone a behind r1, zone b behind r4; r2 and r3 lie between and see each other. All goes over r2."""

    def __init__(
        self, r3: str = "r2", *, r2: str = "r4", filtered: bool = False, guards: tuple[tuple[str, str, str], ...] = ()
    ) -> None:
        """`r3`, `r2`: over whom they reach zone b; `filtered`: zone b takes only what r4 has from r2.

        `guards`: (router, other, only): the router sends to the other only what it has from that third one.
        """
        build = NetworkBuilder()
        self.ports: dict[tuple[str, str], int] = {}
        self.table = {name: build.table(name) for name in TABLES}
        for one, other in (("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4"), ("r2", "r3")):
            self.ports[one, other], self.ports[other, one] = build.port(one), build.port(other)
            build.connect(self.ports[one, other], self.ports[other, one])
        for router, other, only in guards:
            permit = Entry(BuiltMatch(in_port=self.ports[router, only]), Action.PERMIT)
            build.egress(self.ports[router, other], OperationKind.FILTER, build.filter([permit], Action.DENY))
        for zone, router, prefix in (("a", "r1", "198.18.1.0/24"), ("b", "r4", "198.18.2.0/24")):
            out = build.port(router)
            build.attach(zone, out, prefix)
            build.route(router, prefix, (HopKind.PORT, out))
            if filtered and zone == "b":
                permit = Entry(BuiltMatch(in_port=self.ports["r4", "r2"]), Action.PERMIT)
                build.egress(out, OperationKind.FILTER, build.filter([permit], Action.DENY))
        for router, to_a, to_b in (("r1", "", "r2"), ("r2", "r1", r2), ("r3", "r1", r3), ("r4", "r2", "")):
            for prefix, via in (("198.18.1.0/24", to_a), ("198.18.2.0/24", to_b)):
                if via:
                    build.route(router, prefix, (HopKind.PORT, self.ports[router, via]))
        self.network = build.build()
        self.packet = Packet(4, 0xC6120105, 0xC6120205, 6, 40000, 443)
        self.policy = Policy(np.ones((2, 2), np.bool_), (Flow(0, self.packet),))

    def to_b(self, router: str, via: str) -> ReplaceRoute:
        """From now on `router` reaches zone b over `via`."""
        return ReplaceRoute(self.table[router], TO_B, (Hop(HopKind.PORT, self.ports[router, via]),))

    def world(self) -> PlainWorld:
        return PlainWorld(self.network, self.policy, [(0, self.packet)])
