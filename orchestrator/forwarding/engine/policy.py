"""What is promised: which zone may reach which, and which single flows have to work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import Network, Packet


class Flow(NamedTuple):
    """A registered flow: the first packet as zone `zone` sends it; its answer has to come back too."""

    zone: int
    packet: Packet


@dataclass(frozen=True)
class Policy:
    """`allowed[source, destination]` (zones): may any packet get from one to the other; `flows` have to work.

    A zone may always reach itself. Which packets of an allowed pair are meant is the filters' matter.
    """

    allowed: NDArray[np.bool_]
    flows: tuple[Flow, ...] = ()

    def check(self, network: Network) -> None:
        """Raise InputError when the policy does not fit the network's zones."""
        count = len(network.zone_names)
        if self.allowed.shape != (count, count):
            raise InputError(f"policy.allowed has shape {self.allowed.shape}: {count} zones need ({count}, {count})")
        for index, flow in enumerate(self.flows):
            if not 0 <= flow.zone < count:
                raise InputError(f"policy.flows[{index}].zone is {flow.zone}: use 0..{count - 1}")


class Broken(NamedTuple):
    """What of a policy does not hold: pairs (source zone, destination zone), and indexes of flows."""

    isolation: frozenset[tuple[int, int]]
    flows: frozenset[int]
    unknown: frozenset[tuple[int, int]] = frozenset()  # pairs for which something unread decides
