"""What a proof asks a world, and what it answers: subjects, promises, and what was broken before any step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from orchestrator.errors import InputError, PlanError
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.packets import position, text_at
from orchestrator.forwarding.engine.policy import Broken, Pair, Policy
from orchestrator.forwarding.engine.updates import Update
from orchestrator.proof.reachable_senders import Senders
from orchestrator.proof.reachable_steps import Step


class Loop(NamedTuple):
    """That no packet of a zone goes round that did not before any step."""

    zone: int


Subject = Pair | int | Loop
"""What a promise is about: a pair of zones (isolation), a flow, or a loop."""


class World(Protocol):
    """A network that changes and answers what of the policy does not hold in it."""

    def apply(self, update: Update) -> object:
        """Change it."""

    def broken(self) -> Broken:
        """What does not hold now."""


@runtime_checkable
class ByPackets(Protocol):
    """A world that knows which packets get across forbidden pairs, as sets that `|` puts together."""

    def crossing(self) -> Mapping[Pair, Any]:
        """The packets that get across and are not allowed to."""

    def allow_only(self, only: Mapping[Pair, Any]) -> None:
        """Judge from now on as if `Policy.only` were this."""


@runtime_checkable
class Rounds(Protocol):
    """A world that knows which packets go round."""

    def loops(self) -> frozenset[int]:
        """Zones some of whose packets go round now and did not in the first state."""


class Reason(NamedTuple):
    """Of a promise that does not hold: a packet that shows it, and lines (of Network.lines) that nobody could read."""

    packet: Packet | None = None
    lines: frozenset[int] = frozenset()


@runtime_checkable
class Explaining(Protocol):
    """A world that can say more of what does not hold."""

    def why(self, subjects: Collection[Pair | int]) -> Mapping[Pair | int, Reason]:
        """What is known of some promises that do not hold now; those of which nothing is known may be left out."""


@runtime_checkable
class Standing(Protocol):
    """A world that knows what it was made of."""

    def stands_at(self, network: Network, policy: Policy) -> bool:
        """Whether it is this network, with this policy, and nothing of it has changed."""


class Promises(NamedTuple):
    """Answers about one state or envelope, without what was broken or unknown before the plan."""

    fail: frozenset[Subject]
    unknown: frozenset[Subject]

    @classmethod
    def of(cls, broken: Broken) -> Promises:
        """What surely does not hold, and what nobody knows."""
        fail = frozenset[Subject](broken.isolation) | (broken.flows - broken.unread)
        return cls(fail, frozenset[Subject](broken.unknown) | broken.unread)

    @property
    def all(self) -> frozenset[Subject]:
        """Every subject that does not simply hold."""
        return self.fail | self.unknown


def fits(network: Network, policy: Policy, world: World, batches: Iterable[Sequence[Step]]) -> None:
    """Raise InputError or PlanError when what a proof is given does not belong together: it would prove something else.

    A world that was used already, or made of another network; an outage for a flow that nobody registered; two steps of
    one batch with one name, by which findings tell them; a flow that its zone cannot begin in any state.
    """
    policy.check(network)
    _begin(network, policy)
    if isinstance(world, Standing) and not world.stands_at(network, policy):
        raise PlanError("the world is not this network with this policy before any step: make one anew for each call")
    for steps in batches:
        _fit(steps, policy)


def _begin(network: Network, policy: Policy) -> None:
    senders = Senders(network)
    for number, (zone, packet) in enumerate(policy.flows):
        if zone not in senders.zones(packet.family, packet.source):
            name, source = network.zone_names[zone], text_at(position(packet.family, packet.source))
            raise InputError(f"flow {number} comes from {source}, with which {name} does not send: correct the flow")


def _fit(steps: Sequence[Step], policy: Policy) -> None:
    if not isinstance(steps, Sequence):
        raise PlanError(f"a batch is given as {type(steps).__name__}: give every batch as a list of steps")
    seen = set[str]()
    for step in steps:
        if not isinstance(step, Step):
            raise PlanError(f"a batch holds a {type(step).__name__}: give every batch as a list of steps")
        if step.name in seen:
            raise PlanError(f"two steps of one batch are named {step.name}: findings tell them by name; rename one")
        seen.add(step.name)
        wrong = [flow for flow in step.outage if not 0 <= flow < len(policy.flows)]
        if wrong:
            flows = f"the policy has {len(policy.flows)} flows, counted from 0"
            raise PlanError(f"step {step.name} declares an outage of flow {wrong[0]}: {flows}; correct the step")


def begun(world: World, policy: Policy) -> tuple[Promises, Promises]:
    """What does not hold before any step, and what of it no later state is blamed for.

    Packets that get across a forbidden pair already are allowed to from now on (`ended` takes that back), and such a
    pair is blamed for others. A world that knows no packets is not asked about such pairs any more.
    """
    first = Promises.of(world.broken())
    if not isinstance(world, ByPackets):
        return first, first
    crossing = world.crossing()
    if crossing:
        allowed = policy.only
        world.allow_only(
            {pair: allowed[pair] | found if pair in allowed else found for pair, found in crossing.items()}
            | {pair: found for pair, found in allowed.items() if pair not in crossing}
        )
    pairs = frozenset(subject for subject in first.fail if not isinstance(subject, int))
    return first, Promises(first.fail - pairs, first.unknown | pairs)


def ended(world: World, policy: Policy) -> None:
    """The policy counts again as it stands."""
    if isinstance(world, ByPackets):
        world.allow_only(policy.only)
