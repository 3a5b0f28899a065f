"""Registered flows over the engine: looked at again only when something that they hang on has changed.

The engine says what becomes of a flow's packet at each of its zone's ports, and of its answer. Where that settles the
flow it is taken; where it hangs on what devices remember beyond the two ends, or on translations, the plain walker
decides. Both agree with `plain_flow.works`, which `tests/proof/test_reachable_engine.py` looks at.
"""

from __future__ import annotations

from typing import Final

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.flow_verdicts import FlowVerdicts, Verdict
from orchestrator.forwarding.engine.policy import Flow
from orchestrator.proof.reachable_senders import Senders
from orchestrator.proof.reachable_walker import Walker
from orchestrator.proof.reachable_ways import atoms, flow_rows

_BOOL: Final = {Verdict.WORKS: True, Verdict.FAILS: False, Verdict.UNREAD: None}


class Flows:
    """The flows of a policy over one engine. `failing` and `unread` hold their numbers after `refresh`."""

    def __init__(self, engine: Engine, walker: Walker, flows: tuple[Flow, ...]) -> None:
        self.engine, self.walker, self.flows = engine, walker, flows
        self.senders = Senders(engine.base)
        self.failing: set[int] = set()
        self.unread: set[int] = set()
        self.reset()

    def reset(self) -> None:
        """Everything anew: the engine gave its labels or nodes new numbers."""
        self._broken: tuple[frozenset[int], frozenset[int]] | None = None
        self._generation = self.engine.generation
        self._table = self.engine.table
        self._rows = flow_rows(self.engine, self.senders, self.flows)
        self._verdicts = FlowVerdicts(self.engine.core, self._table, self._rows)
        self._tell_apart()

    def _tell_apart(self) -> None:
        self._services = self._table.services
        self._rows.atom[:] = atoms(self._services, self.flows)

    def changed(self, change: Change) -> None:
        """What an update made other: answers of the engine, or a filter's entries."""
        if self._generation != self.engine.generation:
            return  # everything is judged anew when somebody asks
        if change.rows is not None:
            self._verdicts.entries(change.filter, [row for row in change.rows if row is not None])
        self._verdicts.changed(change.records)

    def refresh(self) -> None:
        """Look again at the flows that changes concern."""
        if self._generation != self.engine.generation:
            self.reset()
        if self._services is not self._table.services:  # told apart further since
            self._tell_apart()
        for number, verdict in self._verdicts.judge():
            self._broken = None
            works = self._walk(number) if verdict == Verdict.SLOW else _BOOL[Verdict(verdict)]
            (self.failing.add if works is False else self.failing.discard)(number)
            (self.unread.add if works is None else self.unread.discard)(number)

    def broken(self) -> tuple[frozenset[int], frozenset[int]]:
        """Flows that do not work or of which nobody knows, and the latter; the same sets while nothing changes."""
        self.refresh()
        if self._broken is None:
            self._broken = frozenset(self.failing | self.unread), frozenset(self.unread)
        return self._broken

    def _walk(self, number: int) -> bool | None:
        zone, packet = self.flows[number]
        return self.walker.works(zone, packet)
