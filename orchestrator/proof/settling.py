"""What a network may be like while its routing settles after an edit: some devices have new routes, others not yet.

Routers tell each other of the routes of VPNs, so an edit on one device changes tables of others, each in its own time.
On the way back the same tables change the other way round, so both are met: new routes only where they were made, and
only where they were heard of.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.tables import Instance
from orchestrator.proof.states import State

EVERY = 4
"""Devices up to which every mixture is judged; of more, each two of them in every mixture."""


Way = Sequence[tuple[State, Matrix]]
"""States with their matrices, each the origin of the next."""


def settling(way: Way) -> Iterator[tuple[State, Matrix]]:
    """The states on the way to the last one while its step is settling, each with its matrix.

    What other devices have heard may be as old as the step: its edits are pushed at once. None where the edits change
    the tables of one device alone.
    """
    state, after = way[-1]
    if state.edit is None:
        return
    name, own = state.edit[0], set[str]()
    for number in range(len(way) - 1, 0, -1):
        last = way[number][0].edit
        if last is None or last[0] != name:
            return
        own.add(str((last[1].after or last[1].before or {}).get("device", "")))
        yield from _between(state, own, len(way) - number, (way[number - 1][1], after))


def _between(state: State, own: set[str], edits: int, ends: tuple[Matrix, Matrix]) -> Iterator[tuple[State, Matrix]]:
    """Mixtures of two states that so many edits of a step, on its own devices, have between them."""
    name, (before, after) = state.edit[0] if state.edit else "", ends
    devices = changed_devices(before, after)
    old, new = before.world.tables, after.world.tables
    for settled in mixtures(devices) if len(devices) > 1 else ():
        base = after if own & set(settled) or not own & set(devices) else before
        source = {instance: new if instance[0] in settled else old for instance in new | old}
        tables = {instance: of[instance] for instance, of in source.items() if instance in of}
        late = ", ".join(device for device in devices if device not in settled)
        more = f" (of {edits} edits)" if edits > 1 else ""
        label = f"{state.label}, settled on {', '.join(settled)} and not on {late}{more}"
        stopped = tuple(dict([*state.stopped, (name, 1)]).items())  # under way until its routes have settled
        there = State(
            label, base.estate, state.on, state.origin, state.batch, state.done, stopped, settles=len(devices)
        )
        yield there, base.settling(tables)


def changed_devices(before: Matrix, after: Matrix) -> tuple[str, ...]:
    """Devices some of whose routing tables differ."""
    return tuple(sorted({device for device, _vrf in changed_tables(before, after)}))


def changed_tables(before: Matrix, after: Matrix) -> list[Instance]:
    """Routing tables that differ, or are only in one of the two."""
    old, new = before.world.tables, after.world.tables
    return [] if old is new else [each for each in sorted(old | new) if old.get(each) is not new.get(each)]


class Meetings:
    """Tables that several steps of one batch change: where routes of both are late, no mixture was judged."""

    def __init__(self) -> None:
        """None seen."""
        self.told: list[str] = []
        self._batch = 0
        self._steps: dict[Instance, set[str]] = {}

    def see(self, way: Way) -> None:
        """Look at the last edit of a way."""
        state, after = way[-1]
        if state.edit is None or len(way) < 2:
            return
        if state.batch != self._batch:
            self._batch, self._steps = state.batch, {}
        changed = changed_tables(way[-2][1], after)
        if len({device for device, _vrf in changed}) < 2:
            return
        for instance in changed:
            steps = self._steps.setdefault(instance, set())
            if state.edit[0] not in steps:
                steps.add(state.edit[0])
                self._tell(instance, steps)

    def _tell(self, instance: Instance, steps: set[str]) -> None:
        if len(steps) == 2:
            there = f"meet in {instance[0]} vrf {instance[1]}: where both are late at one moment was not judged"
            self.told.append(f"batch {self._batch}: routes of {' and of '.join(sorted(steps))} {there}")


def mixtures(devices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Those that have settled while others have not: every such set of few devices.

    Of many so many sets that of each two devices, one has settled alone in one of them, and the other in another.
    """
    if len(devices) <= EVERY:
        for size in range(1, len(devices)):
            yield from combinations(devices, size)
        return
    for bit in range((len(devices) - 1).bit_length()):
        for wanted in (1, 0):
            yield tuple(device for number, device in enumerate(devices) if number >> bit & 1 == wanted)
