"""Isolation over the engine: which destinations at which attachments lead to forbidden zones, change by change.

An answer of the engine is decided once. What adds no way to another one, or meets just the filters that let nothing
through at the beginning, needs no decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from orchestrator.forwarding.engine.engine import Change, Engine
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.slices import NO_ANSWER
from orchestrator.forwarding.engine.updates import InsertEntry, ReplaceEntry, Update
from orchestrator.proof.reachable_graph import Graph

Stretch = tuple[int, int]
"""Labels [low, high)."""
Reached = tuple[frozenset[int], bool]
"""Forbidden zones that some packet gets to, and whether something unread stands on the way."""
Answer = tuple[int, int, int]
"""Labels [low, high) and the engine's node for them, or ASK."""
NOWHERE: Reached = (frozenset(), False)
ASK = -1
Chain = tuple[int, ...]
"""Filter variants in the order in which a packet meets them, and the zone that it then gets to."""
MOST_CHAINS = 64
EVERYTHING: Answer = (0, 1 << 62, ASK)


class Isolation:
    """Forbidden pairs of zones over one engine: which destinations at which attachments lead there."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine, self.policy = engine, policy
        forbidden = ~policy.allowed
        np.fill_diagonal(forbidden, val=False)
        self._forbidden = [frozenset(np.flatnonzero(row).tolist()) for row in forbidden]
        self._reset()

    def _reset(self) -> None:
        self._generation = self.engine.generation
        self._graph = Graph(self.engine)
        self._unread: frozenset[int] | None = None  # variants of filters with something nobody could read
        self._zones: list[frozenset[int]] = []  # node -> zones that may get something
        self._doubtful: list[bool] = []  # node -> whether something unread may stand on the way
        self._decided: dict[tuple[int, int, tuple[Stretch, ...]], Reached] = {}
        self._found: dict[int, list[tuple[int, int, Reached]]] = {}  # attachment -> stretches that lead to forbidden
        self._dirty: dict[int, list[Answer]] = {}
        self._harmless: dict[tuple[int, int], bool] = {}  # (before, after)
        self._fine: set[tuple[int, int, int, int]] = set()  # answers that lead nowhere forbidden
        self._passed: dict[tuple[int, Chain, tuple[Stretch, ...]], bool] = {}
        self._chains: dict[int, frozenset[Chain] | None] = {}
        self._same: dict[frozenset[Chain], frozenset[Chain]] = {}  # equal sets are one object
        self._longer: dict[tuple[int, frozenset[Chain]], frozenset[Chain]] = {}
        attachments = self.engine.attachments
        self._sources: list[list[Interval]] = [[] for _row in attachments.port]
        number = {
            key: row for row, key in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True))
        }
        zones, labels = self.engine.base.zones, self.engine.labels
        low, high = labels.low(zones.source).tolist(), labels.high(zones.source).tolist()
        for key, one, other in zip(zip(zones.zone.tolist(), zones.port.tolist(), strict=True), low, high, strict=True):
            self._sources[number[key]] += self.engine.decider.intervals([one], [other])
        self._refiltered_filters: set[int] = set()
        self._first = [self.engine.segments(attachment) for attachment in range(len(attachments.port))]
        self._begin()

    def _begin(self) -> None:
        """Ask for all pairs at once; only where some forbidden pair is reached its answers are looked at one by one."""
        matrix = Matrix(self.engine.decider, self.engine.classes(), self.engine.attachments)
        reached = matrix.reaches()
        self._know(self.engine.counts().nodes - 1)
        doubtful = any(self._doubtful)
        self._reached_first = [frozenset(np.flatnonzero(row).tolist()) for row in reached]
        for attachment, zone in enumerate(self.engine.attachments.zone.tolist()):
            if doubtful or self._reached_first[zone] & self._forbidden[zone]:
                self._dirty[attachment] = [EVERYTHING]

    def changed(self, change: Change) -> None:
        """What an update made other: answers of the engine, or a filter's entries."""
        if change.back is not None:
            self._refiltered(change.filter, (change.update, change.back))
        records = change.records
        columns = (records[name].tolist() for name in ("attachment", "before", "after", "low", "high"))
        fine, found, dirty = self._fine, self._found, self._dirty
        for attachment, before, after, low, high in zip(*columns, strict=True):
            if attachment in found or attachment in dirty:
                dirty.setdefault(attachment, []).append((low, high, after))
                continue
            fine.add((attachment, before, low, high))  # nothing at this attachment leads anywhere forbidden
            known = self._harmless.get((before, after))
            if known is None:
                known = self._harmless[before, after] = self._adds_nothing(before, after)
            if not known and (attachment, after, low, high) not in fine:
                dirty[attachment] = [(low, high, after)]

    def _adds_nothing(self, before: int, after: int) -> bool:
        """Whether one answer has no way to anywhere that another has not, filter by filter."""
        self._know(max(before, after))
        if self._doubtful[after]:
            return False
        if not self._zones[after]:
            return True
        old, new = self._chains_of(before), self._chains_of(after)
        if old is None or new is None:
            return False
        return old is new or new <= old

    def _refiltered(self, number: int, updates: Iterable[Update]) -> None:
        """A filter's entry came, went, or both: what hangs on it is decided anew, where the entry may match."""
        self._refiltered_filters.add(number)
        self._unread = None
        self._chains.clear()
        self._zones.clear()
        self._doubtful.clear()
        self._decided.clear()
        self._fine.clear()
        self._harmless.clear()
        variants = set(np.flatnonzero(self.engine.variants.filter == number).tolist())
        self._passed = {key: value for key, value in self._passed.items() if variants.isdisjoint(key[1][:-1])}
        for update in updates:
            if isinstance(update, InsertEntry | ReplaceEntry):
                low, high = self.engine.labels.interval(update.entry.match.destination)
                for attachment in range(len(self._sources)):
                    self._dirty.setdefault(attachment, []).append((low, high, ASK))

    def broken(self) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]:
        """Forbidden pairs that some packet gets across, and those of which something unread makes it unknown."""
        if self._generation != self.engine.generation:
            self._reset()
        for attachment, answers in self._dirty.items():
            self._look(attachment, _last(answers))
        self._dirty.clear()
        wrong, doubt = set(), set()
        zone_of = self.engine.attachments.zone
        for attachment, found in self._found.items():
            zone = int(zone_of[attachment])
            for _low, _high, (zones, unread) in found:
                wrong |= {(zone, other) for other in zones}
                doubt |= {(zone, other) for other in self._forbidden[zone]} if unread else set()
        return frozenset(wrong), frozenset(doubt - wrong)

    def _look(self, attachment: int, answers: list[Answer]) -> None:
        """Decide some of an attachment's answers anew, and what was found bad and is partly among them."""
        kept = []
        for old in self._found.pop(attachment, []):
            rest = _without(old, answers)
            if rest == [old[:2]]:
                kept.append(old)
            else:
                answers = answers + [(low, high, ASK) for low, high in rest]
        by_node: dict[int, list[Stretch]] = {}
        for node, low, high in self._risky(attachment, answers):
            by_node.setdefault(node, []).append((low, high))
        for node, found in by_node.items():
            if self._reached(attachment, node, found) != NOWHERE:
                kept += [(*one, self._reached(attachment, node, [one])) for one in found]
        kept = [item for item in kept if item[2] != NOWHERE]
        if kept:
            self._found[attachment] = kept
        else:
            self._fine.update((attachment, after, low, high) for low, high, after in answers if after != ASK)

    def _risky(self, attachment: int, answers: list[Answer]) -> Iterable[tuple[int, int, int]]:
        """(node, low, high) of those answers that may lead to forbidden zones."""
        forbidden = self._forbidden[int(self.engine.attachments.zone[attachment])]
        for low, high, after in answers:
            for node, start, end in [(after, low, high)] if after != ASK else self._segments(attachment, low, high):
                self._know(node)
                if self._zones[node] & forbidden or (self._doubtful[node] and forbidden):
                    yield node, start, end

    def _segments(self, attachment: int, low: int, high: int) -> Iterable[tuple[int, int, int]]:
        start, node = self.engine.segments(attachment)
        first = max(0, int(np.searchsorted(start, low, side="right")) - 1)
        last = int(np.searchsorted(start, high, side="left"))
        ends = np.append(start[first + 1 : last], high)
        for one, begin, end in zip(node[first:last].tolist(), start[first:last].tolist(), ends.tolist(), strict=True):
            yield one, max(begin, low), min(end, high)

    def _know(self, node: int) -> None:
        """Zones below every node up to this one; children stand before their parents."""
        if node < len(self._zones):
            return
        graph = self._graph
        graph.know(node)
        if self._unread is None:
            self._unread = self._unread_variants()
        for one in range(len(self._zones), len(graph.kind)):
            what, below = graph.kind[one], graph.below(one)
            zones = frozenset({graph.a[one]}) if what == Outcome.DELIVER else frozenset[int]()
            for child in below:
                zones |= self._zones[child]
            filters = what in (Outcome.FILTER, Outcome.BRANCH_FILTER) and graph.a[one] in self._unread
            self._zones.append(zones)
            self._doubtful.append(what == Outcome.UNKNOWN or filters or any(self._doubtful[child] for child in below))

    def _unread_variants(self) -> frozenset[int]:
        """Variants of filters that may meet an entry nobody understood: every one, once entries change."""
        table = self.engine.decider.table
        return frozenset(
            variant
            for variant, number in enumerate(table.variant_filter[: table.rule_base].tolist())
            if table.otherwise[number] == 2 or (table.columns["action"][table.rows(number)] == 2).any()
        )

    def _reached(self, attachment: int, node: int, stretches: list[Stretch]) -> Reached:
        """What one answer leads to for some destinations."""
        key = attachment, node, tuple(stretches)
        if key not in self._decided:
            self._decided[key] = self._decide(attachment, node, stretches)
        return self._decided[key]

    def _decide(self, attachment: int, node: int, stretches: Sequence[Stretch]) -> Reached:
        decider = self.engine.decider
        wanted = self._forbidden[int(self.engine.attachments.zone[attachment])] & self._zones[node]
        chains = None if self._doubtful[node] else self._chains_of(node)
        if chains is not None:
            led = (chain for chain in chains if chain[-1] in wanted)
            zones = frozenset(chain[-1] for chain in led if self._passes(attachment, chain, tuple(stretches)))
            return (zones, False) if zones else NOWHERE
        packets = self._packets(attachment, stretches)
        zones = frozenset(zone for zone in wanted if decider.delivered(node, packets, zone, every_path=False))
        unread = self._doubtful[node] and bool(decider.delivered(node, packets, NO_ANSWER, every_path=False))
        return zones, unread

    def _packets(self, attachment: int, stretches: Sequence[Stretch]) -> PacketSet:
        """Everything an attachment sends to some destinations."""
        decider = self.engine.decider
        services = decider.table.services
        goals = decider.intervals([low for low, _high in stretches], [high for _low, high in stretches])
        return PacketSet.product(services, self._sources[attachment], goals, services.everything)

    def _chains_of(self, node: int) -> frozenset[Chain] | None:
        """The filters on every way below a node, with the zone at its end; None where more than filters decide."""
        if node not in self._chains:
            found = self._followed(node)
            self._chains[node] = None if found is None else self._same.setdefault(found, found)
        return self._chains[node]

    def _followed(self, node: int) -> frozenset[Chain] | None:
        self._know(node)
        kind, a = self._graph.kind[node], self._graph.a[node]
        if kind == Outcome.DELIVER:
            return frozenset({(a,)})
        if kind in (Outcome.DROP, Outcome.LOOP):
            return frozenset()
        if kind not in (Outcome.FILTER, Outcome.EITHER):
            return None
        below = [self._chains_of(child) for child in self._graph.below(node)]
        known = [chains for chains in below if chains is not None]
        found = frozenset[Chain]().union(*known)
        if len(known) < len(below) or len(found) > MOST_CHAINS:
            return None
        if kind == Outcome.EITHER:
            return found
        longer = (a, found)
        if longer not in self._longer:
            self._longer[longer] = frozenset((a, *chain) for chain in found)
        return self._longer[longer]

    def _passes(self, attachment: int, chain: Chain, stretches: tuple[Stretch, ...]) -> bool:
        """Whether some packet gets through all filters of a chain."""
        key = attachment, chain, stretches
        known = self._passed.get(key)
        if known is None and self._was_blocked(attachment, chain, stretches):
            known = self._passed[key] = False
        if known is None:
            packets = self._packets(attachment, stretches)
            for variant in chain[:-1]:
                if packets:
                    packets = self.engine.decider.split(variant, packets)[0]
            known = self._passed[key] = bool(packets)
        return known

    def _was_blocked(self, attachment: int, chain: Chain, stretches: tuple[Stretch, ...]) -> bool:
        """Whether packets met just these filters at first, when none got to that zone; the filters are the same."""
        zone = int(self.engine.attachments.zone[attachment])
        filters = {int(self.engine.variants.filter[variant]) for variant in chain[:-1]}
        if chain[-1] in self._reached_first[zone] or not filters.isdisjoint(self._refiltered_filters):
            return False
        start, node = self._first[attachment]
        for low, high in stretches:
            first = max(0, int(np.searchsorted(start, low, side="right")) - 1)
            last = int(np.searchsorted(start, high, side="left"))
            if not all(chain in (self._chains_of(one) or ()) for one in node[first:last].tolist()):
                return False
        return True


def _last(answers: list[Answer]) -> list[Answer]:
    """Answers without what later ones of them say anew."""
    found: list[Answer] = []
    for low, high, after in reversed(answers):
        found += [(one, other, after) for one, other in _without((low, high), found)]
    return found


def _without(stretch: Sequence[Any], answers: list[Answer]) -> list[Stretch]:
    """What is left of a stretch outside some answers."""
    parts: list[Stretch] = [(stretch[0], stretch[1])]
    for low, high, _after in answers:
        cut = [((begin, min(end, low)), (max(begin, high), end)) for begin, end in parts]
        parts = [(begin, end) for both in cut for begin, end in both if begin < end]
    return parts
