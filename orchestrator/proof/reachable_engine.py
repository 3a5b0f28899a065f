"""The engine as the world of a proof: what of a policy does not hold, kept up to date with every update.

    world = EngineWorld(network, policy)
    proof = prove_states(network, batches, policy, world, engine=world.name)

Isolation: the engine names the answers that an update changed; those that may lead to a forbidden zone are decided
exactly, filters and translations included, and what is found is kept by attachment and destinations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import orchestrator
from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.core import Kind
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.labels import LabelsError
from orchestrator.forwarding.engine.lost_ways import LostWays
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.policy import Broken, Pair, Policy
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    PortDown,
    PortUp,
    RemoveRoute,
    ReplaceRoute,
    Update,
)
from orchestrator.proof.reachable_base import Interval as Interval3
from orchestrator.proof.reachable_base import NewRoute
from orchestrator.proof.reachable_flows import Flows
from orchestrator.proof.reachable_isolation import Isolation
from orchestrator.proof.reachable_loops import Loops
from orchestrator.proof.reachable_walker import Walker
from orchestrator.proof.reachable_world import Reason


class EngineWorld:
    """A network in the engine, and what of a policy does not hold in it."""

    name = f"engine-{orchestrator.__version__}"

    def __init__(self, network: Network, policy: Policy) -> None:
        """Build and judge the first state. Raises as Engine does, InputError for a policy that does not fit."""
        policy.check(network)
        self.policy = policy
        self.engine = Engine(network)
        self.walker = Walker(network)
        self._lost = LostWays(self.engine.core)
        self._last: Change | None = None
        self.flows = Flows(self.engine, self.walker, policy.flows)
        self.isolation = Isolation(self.engine, policy)
        self._loops = Loops(self.engine)

    def stands_at(self, network: Network, policy: Policy) -> bool:
        """Whether this is that network with that policy, unchanged."""
        return self.policy is policy and self.engine.network is network

    def apply(self, update: Update) -> None:
        """Change the network. Raises UpdateError when the update does not fit."""
        change = self._taken_back(update) or self.engine.apply(update)
        self._last = change
        if self._lost.core is not self.engine.core:
            self._lost = LostWays(self.engine.core)
        self.walker.apply(update)
        self.flows.changed(change)
        self.isolation.changed(change)
        self._loops.changed(change)

    def _taken_back(self, update: Update) -> Change | None:
        """The change back, when an update takes back the last one: the answers are put back, not found anew."""
        last = self._last
        if last is None or last.way_back is not None or last.generation != self.engine.generation:
            return None
        if not _takes_back(update, last):
            return None
        self.engine.undo(last)
        records = last.records.copy()
        records["before"], records["after"] = last.records["after"], last.records["before"]
        return Change(update, records)

    @property
    def certain(self) -> bool:
        """Whether nothing that nobody could read may decide about a flow."""
        return not self.engine.reads_unknown

    def lost(
        self,
        starts: Sequence[int],
        address: Interval3,
        marked: Sequence[int],
        line: NewRoute | None = None,
    ) -> list[int]:
        """The smallest sets of marked tables on ways to one address that are lost (engine/lost_ways.py).

        `line`: as if it had been applied; nothing where it does not decide about the address.
        """
        engine = self.engine
        label = engine.labels.of(address[0], address[1])
        if line is None:
            return self._lost.of(starts, label, marked)
        if not self._would_decide(line, label):
            return []
        return self._lost.of(starts, label, marked, (line.table, engine.group(tuple(sorted(set(line.hops))))))

    def _would_decide(self, line: NewRoute, label: int) -> bool:
        """Whether packets to a label would be sent by a route; False also where it needs an engine anew."""
        try:
            low, high = self.engine.labels.interval(line.prefix)
        except LabelsError:
            return False
        now = self.engine.core.route(line.table, label)
        longer = now is not None and low <= now[1] and now[2] <= high and now[1:] != (low, high)
        return low <= label < high and not longer

    def broken(self) -> Broken:
        """What does not hold now. A flow for which something unread decides counts as one that does not work."""
        flows, unread = self.flows.broken()
        isolation, unknown = self.isolation.broken()
        return Broken(isolation, flows, unknown, unread)

    def loops(self) -> frozenset[int]:
        """Zones some of whose packets go round now and did not in the first state."""
        return self._loops.zones()

    def why(self, subjects: Collection[Pair | int]) -> dict[Pair | int, Reason]:
        """A packet that gets across each pair, or of which nobody can tell, and lines that nobody could read."""
        unread = self.flows.broken()[1]
        pairs = self.isolation.why([subject for subject in subjects if not isinstance(subject, int)])
        lines = {flow: self.walker.unread(*self.policy.flows[flow]) for flow in unread.intersection(subjects)}
        return {
            one: Reason(lines=lines.get(one, frozenset())) if isinstance(one, int) else pairs[one] for one in subjects
        }

    def crossing(self) -> dict[Pair, PacketSet]:
        """The packets that get across forbidden pairs now and are not allowed to, exactly."""
        return self.isolation.crossing()

    def allow_only(self, only: Mapping[Pair, PacketSet]) -> None:
        """Judge forbidden pairs from now on as if the policy's `only` were this (`crossing` makes such sets)."""
        self.isolation.allow_only(only)


def _takes_back(update: Update, last: Change) -> bool:
    """Whether an update leads back to the routes or port before a change, whatever line the route comes from."""
    before = last.update
    if isinstance(before, AddRoute):
        return isinstance(update, RemoveRoute) and (update.table, update.prefix) == (before.table, before.prefix)
    if isinstance(before, RemoveRoute | ReplaceRoute):
        made = AddRoute if isinstance(before, RemoveRoute) else ReplaceRoute
        there = isinstance(update, made) and (update.table, update.prefix) == (before.table, before.prefix)
        return there and isinstance(update, AddRoute | ReplaceRoute) and set(update.hops) == set(last.hops)
    if isinstance(before, PortDown | PortUp) and isinstance(update, PortDown | PortUp):
        kind = Kind.PORT_UP if isinstance(update, PortUp) else Kind.PORT_DOWN
        return update.port == before.port and last.native[0] == kind
    return False
