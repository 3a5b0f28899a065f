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
        self.leads = np.zeros(0, np.bool_)
        self._rewriter = Rewriter(decider.table.services)
        self._known: dict[tuple[int, PacketSet], PacketSet] = {}
        self.grow()

    def grow(self) -> None:
        """Take in the nodes that the decider knows by now; what filters say is asked anew."""
        outcomes, old = self._decider.slicer.outcomes, len(self.leads)
        self._known.clear()
        if self._rewriter.services is not self._decider.table.services:
            self._rewriter = Rewriter(self._decider.table.services)
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
        if self._decider.slicer.outcomes.kind[node] == self._end:
            return packets
        key = node, packets
        if key not in self._known:
            self._known[key] = self._below(node, packets)
        return self._known[key]

    def _below(self, node: int, packets: PacketSet) -> PacketSet:
        outcomes, children = self._decider.slicer.outcomes, self._decider.children(node)
        kind, argument = outcomes.kind[node], int(outcomes.a[node])
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
