"""Which packets of a set may come to an end of some kind: go round, or be lost by routes. Exact, filter by filter."""

from __future__ import annotations

from typing import Final

import numpy as np

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.slices import GOES_ROUND, IS_LOST

_ASKED: Final = {Outcome.LOOP: GOES_ROUND, Outcome.DROP: IS_LOST}


class Endings:
    """The nodes below which packets may end as `end` (DROP or LOOP), and which packets do.

    A filter with nothing but DROP behind it is DROP itself (outcomes.py): packets it denies count as lost there.
    """

    def __init__(self, decider: Decider, end: Outcome) -> None:
        self._decider, self._end = decider, end
        self.leads = np.zeros(0, np.bool_)
        self.grow()

    def grow(self) -> None:
        """Take in the nodes that the decider knows by now."""
        outcomes, old = self._decider.slicer.outcomes, len(self.leads)
        if old == len(outcomes.kind):
            return
        leads = np.concatenate([self.leads, outcomes.kind[old:] == self._end])
        first = int(outcomes.first[old])
        children = outcomes.children[first:]
        owner = np.repeat(np.arange(old, len(leads)), np.diff(outcomes.first[old:]))
        before = -1
        while before != (before := int(leads.sum())):  # a round per level
            leads[owner[leads[children]]] = True
        self.leads = leads

    def packets(self, node: int, packets: PacketSet) -> PacketSet:
        """Those packets of a set for which some branch below a node ends so."""
        if not packets or not self.leads[node]:
            return PacketSet(packets.services)
        return self._decider.delivered(node, packets, _ASKED[self._end], every_path=False)
