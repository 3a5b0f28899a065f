"""Groups of next hops by number: those of the network, and those that updates bring."""

from __future__ import annotations

from typing import Final

import numpy as np

from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.network import Groups, HopKind
from orchestrator.forwarding.engine.sound import Sound
from orchestrator.forwarding.engine.updates import Hop

_KINDS: Final = tuple(HopKind(number) for number in range(len(HopKind)))


class HopGroups:
    """The groups that one native engine knows."""

    def __init__(self, groups: Groups, core: Core, sound: Sound) -> None:
        self._core, self._sound = core, sound
        self._columns = groups.first.data, groups.kind.data, groups.target.data  # plain numbers, quicker to read
        self._number: dict[tuple[Hop, ...], int] = {}
        self._hops: dict[int, tuple[Hop, ...]] = {}

    def check(self, hops: tuple[Hop, ...]) -> None:
        """Raise UpdateError for hops that lead nowhere."""
        if hops not in self._number:
            self._sound.hops(hops)

    def number(self, hops: tuple[Hop, ...]) -> int:
        """The number of a group, a new one when nobody asked for it before. Raises UpdateError as `check` does."""
        known = self._number.get(hops)
        if known is None:
            self.check(hops)
            kinds = np.array([hop.kind for hop in hops], np.int32)
            known = self._number[hops] = self._core.group(kinds, np.array([hop.target for hop in hops], np.int32))
            self._hops[known] = hops
        return known

    def hops(self, group: int) -> tuple[Hop, ...]:
        """The next hops of a group."""
        known = self._hops.get(group)
        if known is None:
            first, kind, target = self._columns
            rows = range(first[group], first[group + 1])
            known = self._hops[group] = tuple(Hop(_KINDS[kind[row]], target[row]) for row in rows)
        return known
