"""The steps of a plan in another order, put on nights again.

Nobody is brought forward: a step stays on its wave's night or is delayed to a later one. What was observed stays
observed: a wave keeps its distance to the waves before it, a step to the delayed steps that it comes after, as far as
a trial or an observation of the policy stood between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy
from orchestrator.plan.schedule import footprint, has_room, night, organisations

Batches = tuple[tuple[str, ...], ...]
Cut = Callable[[Sequence[Step]], Batches]


def rearranged(now: Estate, plan: Plan, policy: Policy, order: Sequence[Step], cut: Cut) -> Plan:
    """The plan with its steps in this order, which keeps predecessors first, each night cut into batches by `cut`.

    Raises PlanError when no night is free for a wave within three years, or no window holds its outages.
    """
    return _Calendar(now, plan, policy, cut).filled(order)


def side_by_side(steps: Sequence[Step]) -> Batches:
    """Batches of steps that follow each other, touch nothing in common and do not wait for each other."""
    groups: list[list[Step]] = []
    for step in steps:
        last = groups[-1] if groups else []
        free = all(not footprint(step) & footprint(one) and one.name not in step.after for one in last)
        if last and free and has_room(last, step):
            last.append(step)
        else:
            groups.append([step])
    return tuple(tuple(step.name for step in group) for group in groups)


def one_by_one(steps: Sequence[Step]) -> Batches:
    """Each step in a batch of its own."""
    return tuple((step.name,) for step in steps)


@dataclass
class _Night:
    """Steps of one new wave, made of the wave with this number in the old plan."""

    index: int
    steps: list[Step] = field(default_factory=list)


class _Calendar:
    def __init__(self, now: Estate, plan: Plan, policy: Policy, cut: Cut) -> None:
        self.now, self.plan, self.policy, self.cut = now, plan, policy, cut
        self.target = plan.target(now)
        self.wave_of = {
            name: index for index, wave in enumerate(plan.waves) for batch in wave.batches for name in batch
        }

    def filled(self, order: Sequence[Step]) -> Plan:
        earlier = _predecessors(order)
        waves: list[Wave] = []
        day_of: dict[str, date] = {}
        nights = self._nights(order, earlier)
        for one in nights:
            earliest = self.plan.waves[one.index].night
            if waves:
                earliest = max(earliest, waves[-1].night + timedelta(days=1))
            for known, wave in zip(nights, waves, strict=False):  # those that stand already
                earliest = max(earliest, wave.night + self._wait(known.index, one.index))
            for step in one.steps:
                waits = (day_of[name] + self._wait_of(name, step.name) for name in earlier[step.name] & day_of.keys())
                earliest = max([earliest, *waits])
            waves.append(self._wave(one, earliest, len(waves) + 1))
            day_of |= {step.name: waves[-1].night for step in one.steps}
        return self.plan.model_copy(update={"waves": tuple(waves), "steps": tuple(order)})

    def _nights(self, order: Sequence[Step], earlier: dict[str, set[str]]) -> list[_Night]:
        """Steps that share a night: none before its own wave's, none with a delayed step after which it must wait."""
        found: list[_Night] = []
        for step in order:
            index = max(self.wave_of[step.name], found[-1].index if found else 0)
            together = found[-1].steps if found and found[-1].index == index else None
            if together is None or any(
                one.name in earlier[step.name] and self._wait_of(one.name, step.name) for one in together
            ):
                found.append(_Night(index))
            found[-1].steps.append(step)
        return found

    def _wait_of(self, one: str, other: str) -> timedelta:
        return self._wait(self.wave_of[one], self.wave_of[other])

    def _wait(self, one: int, other: int) -> timedelta:
        """The trial or observation that the old plan leaves between two waves; nothing when it leaves less."""
        gap = (self.plan.waves[other].night - self.plan.waves[one].night).days
        wanted = (days for days in (self.policy.trial_days, self.policy.observation_days) if 0 < days <= gap)
        return timedelta(days=max(wanted, default=0))

    def _wave(self, one: _Night, earliest: date, number: int) -> Wave:
        """A wave on the first night that is free for everybody it touches."""
        minutes = {step.name: step.outage_minutes for step in one.steps}
        touched = organisations(self.now, one.steps) | organisations(self.target, one.steps)
        groups = self.cut(one.steps)
        outages = sum(max(minutes[name] for name in group) for group in groups)
        day, window = night(self.policy, earliest, touched, outages)
        old = self.plan.waves[one.index]
        return old.model_copy(update={"number": number, "night": day, "window": window, "batches": groups})


def _predecessors(order: Sequence[Step]) -> dict[str, set[str]]:
    """All steps that a step comes after, at once or by others."""
    found: dict[str, set[str]] = {}
    for step in order:
        found[step.name] = set(step.after).union(*(found.get(name, ()) for name in step.after))
    return found
