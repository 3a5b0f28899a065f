"""The engine as the world of a proof: what of a policy does not hold, kept up to date with every update.

    world = EngineWorld(network, policy)
    proof = prove_states(network, batches, policy, world, engine=world.name)

Isolation: the engine names the answers that an update changed; those that may lead to a forbidden zone are decided
exactly, filters and translations included, and what is found is kept by attachment and destinations.
"""

from __future__ import annotations

from collections.abc import Mapping

import orchestrator
from orchestrator.forwarding.engine.core import Kind
from orchestrator.forwarding.engine.engine import Change, Engine
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
from orchestrator.proof.reachable_base import Hops
from orchestrator.proof.reachable_base import Interval as Interval3
from orchestrator.proof.reachable_flows import Flows
from orchestrator.proof.reachable_isolation import Isolation
from orchestrator.proof.reachable_loops import Loops
from orchestrator.proof.reachable_rows import DROPPED
from orchestrator.proof.reachable_walker import Walker


class EngineWorld:
    """A network in the engine, and what of a policy does not hold in it."""

    name = f"engine-{orchestrator.__version__}"

    def __init__(self, network: Network, policy: Policy) -> None:
        """Build and judge the first state. Raises as Engine does, InputError for a policy that does not fit."""
        policy.check(network)
        self.policy = policy
        self.engine = Engine(network)
        self.walker = Walker(network)
        self._hops: dict[int, Hops] = {}  # by the engine's groups
        self._generation = self.engine.generation
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
        if self._generation != self.engine.generation:
            self._generation = self.engine.generation
            self._hops.clear()
        self.walker.apply(update)
        self.flows.changed(change)
        self.isolation.changed(change)
        self._loops.changed(change)

    def _taken_back(self, update: Update) -> Change | None:
        """The change back, when an update takes back the last one: the answers are put back, not found anew."""
        last = self._last
        if last is None or last.generation != self.engine.generation or not _takes_back(update, last):
            return None
        self.engine.undo(last)
        records = last.records.copy()
        records["before"], records["after"] = last.records["after"], last.records["before"]
        return Change(update, records)

    def next_hops(self, table: int, address: Interval3) -> Hops:
        """Where a table sends packets to one address (family, address, address + 1) now."""
        found = self.engine.core.route(table, self.engine.labels.of(address[0], address[1]))
        if found is None:
            return DROPPED
        known = self._hops.get(found[0])
        if known is None:
            known = self._hops[found[0]] = self.engine.hops(found[0])
        return known

    def broken(self) -> Broken:
        """What does not hold now. A flow for which something unread decides counts as one that does not work."""
        self.flows.refresh()
        isolation, unknown = self.isolation.broken()
        unread = frozenset(self.flows.unread)
        return Broken(isolation, unread.union(self.flows.failing), unknown, unread)

    def loops(self) -> frozenset[int]:
        """Zones some of whose packets go round now and did not in the first state."""
        return self._loops.zones()

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
