"""Which packets of a set may come to an end of some kind: go round, or be lost by routes. Exact, filter by filter."""

from __future__ import annotations

from functools import reduce
from operator import or_

import numpy as np

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.rewriting import Rewrite, Rewriter


class Endings:
    """The nodes below which packets may end as `end` (DROP or LOOP), and which packets do.

    A filter with nothing but DROP behind it is DROP itself (outcomes.py): packets it denies count as lost there.
    """

    def __init__(self, decider: Decider, end: Outcome) -> None:
        self._decider, self._end = decider, end
        outcomes = decider.slicer.outcomes
        self._kind, self._argument = outcomes.kind, outcomes.a
        self.leads = self._kind == end
        owner = np.repeat(np.arange(len(self.leads)), np.diff(outcomes.first))
        before = -1
        while before != (before := int(self.leads.sum())):  # deep graphs need a round per level
            self.leads[owner[self.leads[outcomes.children]]] = True
        self._rewriter = Rewriter(decider.table.services)
        self._known: dict[tuple[int, PacketSet], PacketSet] = {}

    def packets(self, node: int, packets: PacketSet) -> PacketSet:
        """Those packets of a set for which some branch below a node ends so."""
        if not packets or not self.leads[node]:
            return PacketSet(packets.services)
        if self._kind[node] == self._end:
            return packets
        key = node, packets
        if key not in self._known:
            self._known[key] = self._below(node, packets)
        return self._known[key]

    def _below(self, node: int, packets: PacketSet) -> PacketSet:
        kind, argument, children = self._kind[node], int(self._argument[node]), self._decider.children(node)
        if kind == Outcome.EITHER:
            return reduce(or_, (self.packets(child, packets) for child in children))
        if kind == Outcome.REWRITE:
            rewrite = Rewrite.of(self._decider.network, argument)
            answer = self.packets(children[0], self._rewriter.image(packets, rewrite))
            return self._rewriter.back(answer, rewrite, packets, every=False)
        variant = argument + (self._decider.table.rule_base if kind == Outcome.BRANCH_RULE else 0)
        through, unread = self._decider.split(variant, packets)
        found = self.packets(children[0], through)
        return found if kind == Outcome.FILTER else found | self.packets(children[1], packets - through - unread)
