"""What a network may be like while its routing settles after an edit: some devices have new routes, others not yet.

Routers tell each other of the routes of VPNs, so an edit on one device changes tables of others, each in its own time.
On the way back the same tables change the other way round, so both are met: new routes only where they were made, and
only where they were heard of.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from orchestrator.forwarding.tables import Instance, Tables
from orchestrator.forwarding.world import World
from orchestrator.proof.states import State

EVERY = 4
"""Devices up to which every mixture is judged; of more, each two of them in every mixture."""

Way = Sequence[tuple[State, World]]
"""States with their worlds, each the origin of the next."""


class Late(NamedTuple):
    """A state in which routing settles: that of the way with this index, with these routing tables instead."""

    state: State
    base: int
    tables: Tables


def settling(way: Way) -> Iterator[Late]:
    """The states on the way to the last one while its step is settling.

    What other devices have heard may be as old as the step: its edits are pushed at once. None where the edits change
    the tables of one device alone.
    """
    edit, own = way[-1][0].edit, set[str]()
    for index in range(len(way) - 2, -1, -1):
        last = way[index + 1][0].edit
        if edit is None or last is None or last[0] != edit[0]:
            return
        own.add(str((last[1].after or last[1].before or {}).get("device", "")))
        yield from _between(way, index, own, edit[0])


def _between(way: Way, first: int, own: set[str], step: str) -> Iterator[Late]:
    """Mixtures of the last state and an earlier one, between which a step has edited some devices."""
    last = len(way) - 1
    state, old, new = way[last][0], way[first][1].tables, way[last][1].tables
    devices = tuple(sorted({device for device, _vrf in changed_tables(way[first][1], way[last][1])}))
    for settled in mixtures(devices) if len(devices) > 1 else ():
        source = {instance: new if instance[0] in settled else old for instance in new | old}
        late = ", ".join(device for device in devices if device not in settled)
        more = f" (of {last - first} edits)" if last - first > 1 else ""
        base = last if own & set(settled) or not own & set(devices) else first
        there = State(
            label=f"{state.label}, settled on {', '.join(settled)} and not on {late}{more}",
            estate=way[base][0].estate,
            on=state.on,
            origin=state.origin,
            batch=state.batch,
            done=state.done,
            stopped=tuple({**dict(state.stopped), step: 1}.items()),  # under way until its routes have settled
            settles=len(devices),
        )
        yield Late(there, base, {instance: of[instance] for instance, of in source.items() if instance in of})


def changed_tables(before: World, after: World) -> list[Instance]:
    """Routing tables that differ, or are only in one of the two."""
    old, new = before.tables, after.tables
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
