"""Where translations are cut: a boundary of routes inside what a rule rewrites to parts what the rule does."""

from __future__ import annotations

import numpy as np

from orchestrator.forwarding.engine.core import Core
from orchestrator.forwarding.engine.network import Network
from orchestrator.forwarding.engine.tables import MAPS, Compiled, cut_rules, rule_targets


class Cuts:
    """The parts of translation rules over one native engine, as fine as its routes need them."""

    def __init__(self, network: Network, compiled: Compiled, core: Core) -> None:
        self._network, self._compiled, self._core = network, compiled, core
        self._low, self._high = rule_targets(network, compiled.labels)
        self._made: list[int] = []

    def at(self, ends: tuple[int, int]) -> None:
        """A route begins and ends there from now on. Raises CompileError beyond the engine's bounds."""
        if not len(self._low) or not any(((self._low < end) & (end < self._high)).any() for end in ends):
            return
        self._made += ends
        arrays = self._compiled.arrays
        boundaries = np.concatenate([arrays["route_low"], arrays["route_high"], np.array(self._made, np.int64)])
        maps = cut_rules(self._network, self._compiled.labels, boundaries)
        self._core.set_maps(*(maps[name] for name in MAPS))
