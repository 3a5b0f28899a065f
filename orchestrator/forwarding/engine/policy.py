"""What is promised: which zone may reach which, and which single flows have to work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.sound import check_packet

Pair = tuple[int, int]
"""Source and destination zone."""


class Flow(NamedTuple):
    """A registered flow: the first packet as zone `zone` sends it; its answer has to come back too."""

    zone: int
    packet: Packet


@dataclass(frozen=True)
class Policy:
    """`allowed[source, destination]` (zones): may any packet get from one to the other; `flows` have to work.

    A zone may always reach itself. Which packets of an allowed pair are meant is the filters' matter.
    `only`: of a pair that is not allowed, packets that may get across all the same, as their zone sends them; what
    matters is the others, exactly. An engine's `reach().packets(source, destination)` makes such sets.
    """

    allowed: NDArray[np.bool_]
    flows: tuple[Flow, ...] = ()
    only: Mapping[Pair, PacketSet] = field(default_factory=dict)

    def check(self, network: Network) -> None:
        """Raise InputError when the policy does not fit the network's zones, or names packets that cannot be."""
        count = len(network.zone_names)
        needed = f"{count} zones need an array of bool, ({count}, {count})"
        if not isinstance(self.allowed, np.ndarray):
            raise InputError(f"policy.allowed is of {type(self.allowed).__name__}: {needed}")
        if self.allowed.shape != (count, count) or self.allowed.dtype != np.bool_:
            raise InputError(f"policy.allowed is {self.allowed.dtype} {self.allowed.shape}: {needed}")
        for index, flow in enumerate(self.flows):
            if not isinstance(flow, Flow) or not isinstance(flow.packet, Packet):
                raise InputError(f"policy.flows[{index}] is {flow!r}: give Flow(zone, Packet(...))")
            if not isinstance(flow.zone, Integral) or not 0 <= flow.zone < count:
                raise InputError(f"policy.flows[{index}].zone is {flow.zone!r}: use 0..{count - 1}")
            check_packet(flow.packet)
        self._check_only(count)

    def _check_only(self, count: int) -> None:
        for pair, packets in self.only.items():
            if not isinstance(packets, PacketSet):
                given = type(packets).__name__
                raise InputError(
                    f"policy.only[{pair}] is of {given}: give packets, as Engine.reach().packets makes them"
                )
            if not all(0 <= zone < count for zone in pair) or self.allowed[pair]:
                raise InputError(f"policy.only holds {pair}: name pairs of 0..{count - 1} that are not allowed")


class Broken(NamedTuple):
    """What of a policy does not hold: pairs (source zone, destination zone), and indexes of flows.

    `unread`: flows among `flows` that do not fail for certain, as something that nobody could read decides.
    """

    isolation: frozenset[Pair]
    flows: frozenset[int]
    unknown: frozenset[Pair] = frozenset()  # pairs for which something unread decides
    unread: frozenset[int] = frozenset()
