"""Which steps keep a flow broken, and which step would break one: from routes alone, as they stand now.

A way that loses packets by routes loses them whatever filters do, and as long as the routes on it stay as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from orchestrator.forwarding.engine.lost_ways import BITS
from orchestrator.forwarding.engine.policy import Flow
from orchestrator.forwarding.engine.updates import Prefix
from orchestrator.proof.reachable_base import Interval, NewRoute, intervals
from orchestrator.proof.reachable_groups import overlap
from orchestrator.proof.reachable_senders import Senders
from orchestrator.proof.reachable_steps import Batch

Starts = tuple[Sequence[int], Sequence[int]]
"""Tables where a flow's packets, and where its answers begin."""


@runtime_checkable
class Finder(Protocol):
    """A world that also knows on which ways its routes lose packets."""

    @property
    def certain(self) -> bool:
        """Whether a flow with such a way fails for certain: nothing that nobody could read makes it unknown."""

    def lost(
        self,
        starts: Sequence[int],
        address: Interval,
        marked: Sequence[int],
        line: NewRoute | None = None,
    ) -> list[int]:
        """The smallest sets of marked tables on ways from `starts` to one address that are lost (engine/lost_ways.py).

        `line`: as if it had been applied; nothing where it does not decide about the address.
        """


class Reasons:
    """Answers about the steps of a batch that is applied to a world step by step."""

    def __init__(self, batch: Batch, flows: Sequence[Flow], world: object) -> None:
        self._batch, self._flows = batch, flows
        by_routes = isinstance(world, Finder) and not batch.base.policed and not batch.base.links
        self._world = world if isinstance(world, Finder) and by_routes else None
        self._senders = Senders(batch.base.network)
        self._known: dict[int, Starts] = {}
        self._ends = sorted(
            (*interval[:2], flow, side) for flow, both in enumerate(batch.flows) for side, interval in enumerate(both)
        )

    def of(self, flow: int) -> list[frozenset[int]]:
        """Sets of steps each of which, as it stands now, keeps a flow that fails from working, whatever others do.

        The smallest ones, of steps that change routes on ways that lose packets; where there is no such way, all
        steps near the flow.
        """
        found = {steps for side in (0, 1) for steps in self._lost(flow, side)}
        return sorted(found, key=sorted) or [frozenset(self._batch.near(flow))]

    def foreseen(self, step: int, most: int) -> list[tuple[int, frozenset[int]]]:
        """Flows that a step not done yet would surely break, and the steps (itself among them) that they then hang on.

        Only of steps of one line, and some of their flows: it is a matter of microseconds. Where nothing is foreseen,
        the step has to be done to be judged.
        """
        lines = self._batch.steps[step].lines
        if self._world is None or not self._world.certain or len(lines) != 1:
            return []
        (line,) = lines
        if not isinstance(line, NewRoute):
            return []
        found = []
        for flow, side in islice(self._to(line.prefix), most):
            if not self._world.lost([line.table], self._batch.flows[flow][side], (), line):
                break  # others to the same prefix hardly go another way
            found += [(flow, steps) for steps in self._lost(flow, side, line)]
        return found

    def _to(self, prefix: Prefix) -> Iterable[tuple[int, int]]:
        """Flows, and which of their ends, with an address of a prefix."""
        for family, low, high in intervals(prefix):
            first, last = (bisect_left(self._ends, (family, end)) for end in (low, high))
            yield from ((flow, side) for _family, _address, flow, side in self._ends[first:last])

    def _lost(self, flow: int, side: int, line: NewRoute | None = None) -> list[frozenset[int]]:
        """Steps on ways to one of a flow's ends that lose packets."""
        address = self._batch.flows[flow][side]
        tables = self._tables(address)
        if self._world is None or not tables:
            return []
        sets = self._world.lost(self._starts(flow)[side], address, list(tables), line)
        steps = [(1 << place % BITS, mine) for place, mine in enumerate(tables.values())]
        return [frozenset[int]().union(*(mine for bit, mine in steps if one & bit)) for one in sets]

    def _tables(self, address: Interval) -> dict[int, set[int]]:
        """Tables in which steps change routes to an address, and those steps."""
        found: dict[int, set[int]] = {}
        for step in self._batch.touching(address):
            for key in self._batch.keys[step]:
                if isinstance(key[1], Prefix) and any(overlap(address, one) for one in intervals(key[1])):
                    found.setdefault(int(key[0]), set()).add(step)
        return found

    def _starts(self, flow: int) -> Starts:
        known = self._known.get(flow)
        if known is None:
            zone, packet = self._flows[flow]
            owners = self._senders.of(packet.family, packet.destination)
            alone = len({owner for owner, _port in owners}) == 1
            there = self._senders.ports(zone, packet.family, packet.source)
            back = [port for _zone, port in owners] if alone else []
            known = self._known[flow] = self._tables_of(there), self._tables_of(back)
        return known

    def _tables_of(self, ports: Iterable[int]) -> list[int]:
        return sorted({int(self._batch.base.network.ports.table[port]) for port in ports})
