"""What a proof asks a world, and what it answers: subjects, promises, and what was broken before any step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from orchestrator.forwarding.engine.policy import Broken, Pair, Policy
from orchestrator.forwarding.engine.updates import Update


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
