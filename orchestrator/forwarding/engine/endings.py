"""Which packets of a set may go round, and below which nodes packets come to what is asked for. Exact."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.outcomes import Outcome, Outcomes
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.slices import GOES_ROUND

Marks = NDArray[np.bool_]
NOT_YET: Final[Marks] = np.zeros(0, np.bool_)


def leading_to(outcomes: Outcomes, asked: Marks, known: Marks) -> Marks:
    """Per node whether it is asked for, or one below it is. `known`: the answer for the first nodes (NOT_YET: none)."""
    old = len(known)
    leads = np.concatenate([known, asked[old:]])
    children = outcomes.children[int(outcomes.first[old]) :]
    owner = np.repeat(np.arange(old, len(leads)), np.diff(outcomes.first[old:]))
    before = -1
    while before != (before := int(leads.sum())):  # a round per level
        leads[owner[leads[children]]] = True
    return leads


class Endings:
    """The nodes below which packets may go round, and which packets do."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self.leads: Marks = NOT_YET
        self.grow()

    def grow(self) -> None:
        """Take in the nodes that the decider knows by now."""
        outcomes = self._decider.slicer.outcomes
        if len(self.leads) != len(outcomes.kind):
            self.leads = leading_to(outcomes, outcomes.kind == Outcome.LOOP, self.leads)

    def packets(self, node: int, packets: PacketSet) -> PacketSet:
        """Those packets of a set for which some branch below a node goes round."""
        if not packets or not self.leads[node]:
            return PacketSet(packets.services)
        return self._decider.delivered(node, packets, GOES_ROUND, every_path=False)
