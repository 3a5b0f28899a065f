"""One family of a matrix in native/filters_matrix.c: chains of filters, pair by pair.

Couples (attachment, destination) that the native part leaves out are decided as questions for filters.c: ways that
branch, and the few along which one service varies within a pair in two filters.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.matrix_parts import Ground, Keys, joined_sets
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.slices import Units, UnitView, Whole, check

MANY: Final = 1_000
CHANGE: Final = np.dtype([(name, "<i4") for name in ("source", "target", "some", "every")])
"""A pair decided anew, and its numbers before."""
Changes = NDArray[np.void]
LARGE: Final = 400_000
"""Rows from which on numpy asks for large pages: a page at a time, new memory takes longer than what is put there."""


class FastPart:
    """One family in native/filters_matrix.c; keeps what it points to alive."""

    def __init__(self, ground: Ground, units: Units, packed: Units, rows: Whole) -> None:
        native = library()
        native.matrix_new.restype = ctypes.c_void_p
        self.ground, self.rows, self.units, self.packed = ground, rows, units, packed
        views = [UnitView(len(each.first) - 1, *(column.ctypes.data for column in each)) for each in (units, packed)]
        self.node = np.ascontiguousarray(ground.classes.node, np.int32)
        self.column = np.ascontiguousarray(ground.classes.column, np.int32)
        self.zone = np.ascontiguousarray(ground.attachments.zone, np.int32)
        status = ctypes.c_int32()
        self.handle = ctypes.c_void_p(
            native.matrix_new(
                ctypes.byref(ground.decider.table.view),
                ctypes.byref(ground.decider.slicer.graph),
                ctypes.byref(views[0]),
                pointer(self.zone),
                ctypes.c_int64(ground.zones),
                ctypes.byref(views[1]),
                pointer(rows),
                pointer(self.node),
                ctypes.c_int64(self.node.shape[1]),
                pointer(self.column),
                ctypes.c_uint32(ground.flags),
                ctypes.c_int32(ground.threads),
                ctypes.byref(status),
            )
        )
        check(status.value, "a matrix")
        self._conflicts: dict[int, set[int]] = {}  # pairs left out by the native part, with their nodes
        self._branching: Keys | None = None  # questions about nodes that are no chain of filters

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            library().matrix_free(self.handle)

    def put(self, some: Whole, every: Whole) -> None:
        """All answers into a matrix (flat); NONE where no destination leads."""
        count = ctypes.c_int64()
        sets = self.ground.sets.handle
        status = library().matrix_answer(self.handle, sets, pointer(some), pointer(every), ctypes.byref(count))
        check(status, "a matrix")
        everything = self.ground.decider.table.services.everything
        self._look_closer(count.value, some, every, everything, keep=True)

    def service(self, atom: int) -> NDArray[np.bool_]:
        """Per pair (flat) whether packets of one service get there."""
        size = self.ground.zones * self.ground.zones
        reached, count = np.zeros(size, np.uint8), ctypes.c_int64()
        status = library().matrix_service(self.handle, ctypes.c_int32(atom), pointer(reached), ctypes.byref(count))
        check(status, "a matrix")
        found = reached.view(np.bool_)
        if count.value:
            some = np.where(found, 1, NONE).astype(np.int32)
            self._look_closer(count.value, some, some.copy(), 1 << atom, keep=False)
            found = some > 0
        return found

    def _look_closer(self, count: int, some: Whole, every: Whole, services: int, *, keep: bool) -> None:
        """Decide the couples (attachment, destination) that the native part left out."""
        if not count:
            return
        attachment, destination = np.empty(count, np.int32), np.empty(count, np.int32)
        branching = np.empty(count, np.uint8)
        library().matrix_rest(self.handle, pointer(attachment), pointer(destination), pointer(branching))
        for branches in (False, True):
            here = np.flatnonzero(branching == branches)
            node = self.node[self.rows[destination[here]], self.column[attachment[here]]]
            keys = self.ground.expanded(node, attachment[here], destination[here], self.packed)
            self._add(keys, some, every, services)
            if keep and branches and len(here):
                self._branching = keys
            elif keep:
                for pair, number in zip(self._pairs(keys).tolist(), keys.node.tolist(), strict=True):
                    self._conflicts.setdefault(pair, set()).add(number)

    def _pairs(self, keys: Keys) -> NDArray[np.int64]:
        return self.zone[keys.unit].astype(np.int64) * self.ground.zones + keys.zone

    def _add(self, keys: Keys, some: Whole, every: Whole, services: int) -> None:
        """Decide questions and add their answers to those of their pairs."""
        mine, yours = self.ground.decide(keys, self.units)
        sets = self.ground.sets
        for pair, one, other in zip(self._pairs(keys).tolist(), mine.tolist(), yours.tolist(), strict=True):
            found = [sets.masked(one, services)], [sets.masked(other, services)]
            if some[pair] != NONE:
                found[0].append(int(some[pair]))
                found[1].append(int(every[pair]))
            some[pair], every[pair] = joined_sets(sets, *found)

    def update(self, variants: Sequence[int], some: Whole, every: Whole) -> Changes:
        """A filter has changed: the pairs computed anew in the matrix (CHANGE), and what they were before."""
        forced = self._forced(variants)
        found = [self._update(variant, forced, some, every) for variant in variants]
        if self._branching is not None and found:
            pairs = np.unique(np.concatenate([self._numbers(rows) for rows in found]))
            again = np.flatnonzero(np.isin(self._pairs(self._branching), pairs))
            everything = self.ground.decider.table.services.everything
            self._add(self._branching.rows(again), some, every, everything)
        if len(found) == 1:
            return found[0]
        every_row = np.concatenate(found or [np.zeros(0, CHANGE)])
        _pairs, first = np.unique(self._numbers(every_row), return_index=True)
        changes: Changes = every_row[first]  # what each pair was before the first of them
        return changes

    def _numbers(self, changes: Changes) -> NDArray[np.int64]:
        """Pairs as numbers: source zone * zones + zone."""
        found: NDArray[np.int64] = changes["source"].astype(np.int64) * self.ground.zones + changes["target"]
        return found

    def _among_conflicts(self, changes: Changes) -> list[int]:
        """Those of the pairs that have been left out by the native part."""
        if len(changes) > MANY:  # mostly few, of few zones, are looked for among hundreds of thousands
            left = np.fromiter(self._conflicts, np.int64)
            from_here = np.zeros(self.ground.zones, np.bool_)
            from_here[left // self.ground.zones] = True
            changes = changes[from_here[changes["source"]]]
            changes = changes[np.isin(self._numbers(changes), left)]
        return [pair for pair in self._numbers(changes).tolist() if pair in self._conflicts]

    def _forced(self, variants: Sequence[int]) -> NDArray[np.int64]:
        """Pairs with questions for filters.c whose way holds one of the variants."""
        if not self._conflicts and self._branching is None:
            return np.zeros(0, np.int64)
        wanted = set(variants)
        pairs = [
            pair
            for pair, nodes in self._conflicts.items()
            if any(wanted & self.ground.decider.variants_below(node) for node in nodes)
        ]
        if self._branching is not None:
            below = self.ground.decider.slicer.below(variants)
            pairs += self._pairs(self._branching)[below[self._branching.node]].tolist()
        return np.array(sorted(set(pairs)), np.int64)

    def _update(self, variant: int, forced: NDArray[np.int64], some: Whole, every: Whole) -> Changes:
        changed, rest = ctypes.c_int64(), ctypes.c_int64()
        status = library().matrix_update(
            self.handle,
            ctypes.byref(self.ground.decider.table.view),
            self.ground.sets.handle,
            ctypes.c_int32(variant),
            ctypes.c_int64(len(forced)),
            pointer(forced),
            pointer(some),
            pointer(every),
            ctypes.byref(changed),
            ctypes.byref(rest),
        )
        check(status, "a matrix")
        rows = np.empty(max(changed.value, LARGE if changed.value > LARGE // 8 else 0), CHANGE)[: changed.value]
        library().matrix_changes(self.handle, pointer(rows))
        for pair in self._among_conflicts(rows) if self._conflicts else ():
            self._conflicts.pop(pair, None)
        everything = self.ground.decider.table.services.everything
        self._look_closer(rest.value, some, every, everything, keep=True)
        return rows
