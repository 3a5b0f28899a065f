"""Isolation over the engine: which destinations at which attachments lead to forbidden zones, change by change.

At first all pairs are asked about at once. After a change only those answers are looked at that may cross a forbidden
pair where nothing did before, and those that did (engine/judge.py); what that leaves open is decided exactly, packet
set by packet set. A pair of which some packets are allowed (`Policy.only`) is crossed when others get across.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.filter_rows import ACTION, Row
from orchestrator.forwarding.engine.judge import EntryChange, Judge, Place, Seen
from orchestrator.forwarding.engine.matrix import Matrix, source_units
from orchestrator.forwarding.engine.matrix_parts import bounds_of
from orchestrator.forwarding.engine.network import Action, Packet
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet, apart, union_of
from orchestrator.forwarding.engine.policy import Pair, Policy
from orchestrator.forwarding.engine.restated import restated
from orchestrator.proof.reachable_bad import Bad, BadRows, Reached, Stretch
from orchestrator.proof.reachable_world import Reason

EVERYTHING: Stretch = (0, 1 << 62)
Between = tuple[tuple[Interval, ...], tuple[Interval, ...]]
"""Sources and destinations, as positions."""
Flags = NDArray[np.uint8]
"""[zones, zones]: 1 for pairs that are asked about."""


NOWHERE = Reached()


class Isolation:
    """Forbidden pairs of zones over one engine: which destinations at which attachments lead there."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine = engine
        self._forbidden = ~policy.allowed
        np.fill_diagonal(self._forbidden, val=False)
        self._wanted = np.ascontiguousarray(self._forbidden, np.uint8)
        self._only: dict[Pair, PacketSet] = dict(policy.only)
        self._reset()

    def _reset(self) -> None:
        engine = self.engine
        self._generation = engine.generation
        self._dirty: list[Place] = []
        self._decided: dict[tuple[int, int, tuple[Stretch, ...]], Reached] = {}
        self._crossed: dict[Pair, PacketSet] | None = None  # since somebody asked, if nothing has changed
        self._nothing = PacketSet(engine.decider.table.services)
        self._sent: dict[int, tuple[Interval, ...]] = {}
        self._only = {pair: restated(packets, engine.decider.table) for pair, packets in self._only.items()}
        self._zone: list[int] = engine.attachments.zone.tolist()
        self._bad = BadRows(self._zone)
        self._broken = frozenset[Pair](), frozenset[Pair]()
        self._counted = self._bad.version
        self._both = engine.reads_unknown or engine.base.policies.match.size > 0  # entries may open and close
        matrix = Matrix(engine.decider, engine.classes(), engine.attachments)
        self._units = source_units(engine.base, engine.decider, engine.attachments)
        self._judge = Judge(engine.core, engine.table, self._units, self._forbidden)
        self._begin(matrix)

    def _begin(self, matrix: Matrix) -> None:
        """Look at answers one by one only where some forbidden pair is crossed, or something unread is about."""
        crossed = matrix.reaches() & self._forbidden
        wanted = self._wanted if self._unread else np.ascontiguousarray(crossed, np.uint8)
        asked = [(attachment, *EVERYTHING) for attachment, zone in enumerate(self._zone) if wanted[zone].any()]
        self._look(asked, wanted)

    @property
    def _unread(self) -> bool:
        """Whether anything unread may decide about a packet."""
        return bool(self.engine.reads_unknown or (self.engine.outcomes().kind == Outcome.UNKNOWN).any())

    # ---- changes ----

    def allow_only(self, only: Mapping[Pair, PacketSet]) -> None:
        """Other packets are allowed to get across forbidden pairs from now on: all that `Policy.only` says."""
        before = self._only
        self._only = {pair: restated(packets, self.engine.table) for pair, packets in only.items()}
        self._decided.clear()
        less = {pair for pair, packets in before.items() if not packets <= self._only.get(pair, self._nothing)}
        free = {pair for pair in self._only.keys() - less if self._is_free(pair)}
        self._crossed = None
        touched = {source for source, _zone in less | (self._only.keys() - free)}
        self._dirty += [(row, *EVERYTHING) for row, zone in enumerate(self._zone) if zone in touched]
        for attachment in self._bad.release(free):
            self._tell(attachment)

    def _is_free(self, pair: Pair) -> bool:
        """Whether all that is known to get across a pair is allowed to."""
        return self._crossed is not None and self._crossed.get(pair, self._nothing) <= self._only[pair]

    def changed(self, change: Change) -> None:
        """What an update made other: answers of the engine, or a filter's entries."""
        self._crossed = None
        if self._generation != self.engine.generation:
            return  # everything is looked at anew when somebody asks
        if change.way_back is not None:
            self._decided.clear()
            if change.rows is not None:
                entries = self._entries(change.rows, change.way_back.done.position)
                self._take(self._judge.entry(change.filter, entries))
        if len(change.records):
            self._dirty += self._judge.harmful(change.records)

    def _take(self, seen: list[Seen]) -> None:
        """What an entry has opened for certain is bad at once; the rest has to be looked at."""
        found: dict[int, list[Bad]] = {}
        for attachment, low, high, node, zones, is_open in seen:
            if is_open or (self._only and self._is_limited(attachment, zones)):
                self._dirty.append((attachment, low, high))
            else:
                found.setdefault(attachment, []).append(Bad(low, high, node, Reached(zones)))
        for attachment, rows in found.items():
            self._bad.add(attachment, rows)

    def _entries(self, rows: tuple[Row | None, Row | None], at: int) -> list[EntryChange]:
        """The entries that came and went at a place."""
        both, (came, went), found = self._both, rows, []
        if came is not None:
            grants = came[ACTION] == Action.PERMIT
            found.append(EntryChange(came, at, both or grants, both or not grants))
        if went is not None:
            grants = went[ACTION] == Action.DENY
            found.append(EntryChange(went, at, both or grants, both or not grants))
        return found

    # ---- answers ----

    def broken(self) -> tuple[frozenset[Pair], frozenset[Pair]]:
        """Forbidden pairs that some packet gets across, and those of which something unread makes it unknown."""
        self._settle()
        if self._counted != self._bad.version:
            self._counted, wrong = self._bad.version, self._bad.pairs()
            unread = ((zone, np.flatnonzero(self._forbidden[zone]).tolist()) for zone in self._bad.unread())
            self._broken = wrong, frozenset((zone, other) for zone, found in unread for other in found) - wrong
        return self._broken

    def crossing(self) -> dict[Pair, PacketSet]:
        """The packets that get across forbidden pairs and are not allowed to, exactly; pairs without any left out."""
        self._settle()
        if self._crossed is None:
            parts: dict[tuple[int, int], list[PacketSet]] = {}
            for (attachment, node), (stretches, zones) in self._bad.by_node().items():
                where = self._between(attachment, stretches)
                for zone in zones:
                    parts.setdefault((attachment, zone), []).append(self._across(attachment, node, where, zone))
            found: dict[Pair, PacketSet] = {}
            for (attachment, zone), sets in parts.items():
                pair, packets = (self._zone[attachment], zone), apart(self.engine.table.services, sets)
                found[pair] = found[pair] | packets if pair in found else packets
            self._crossed = found
        return dict(self._crossed)

    def why(self, pairs: Collection[Pair]) -> dict[Pair, Reason]:
        """Of forbidden pairs that do not hold a packet, and the lines that nobody could read where those decide."""
        crossed, _unknown = self.broken()
        found = dict.fromkeys(pairs, Reason())
        found |= {pair: Reason(packet) for pair, packet in self._examples(crossed.intersection(pairs))}
        rest = found.keys() - crossed
        for zone in {source for source, _other in rest}:
            reason = self._unread_of(zone)
            found |= {pair: reason for pair in rest if pair[0] == zone}
        return found

    def _examples(self, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, Packet | None]]:
        """Pairs with a packet that gets across and is not allowed to."""
        if self._crossed is not None:
            yield from ((pair, self._crossed[pair].example()) for pair in pairs if pair in self._crossed)
            return
        wanted: dict[int, set[int]] = {}
        for source, other in pairs:
            wanted.setdefault(source, set()).add(other)
        for attachment, row in self._bad:
            zone = self._zone[attachment]
            for other in wanted.get(zone, set()) & row.reached.zones:
                where = self._between(attachment, [(row.low, row.high)])
                packets = self._across(attachment, row.node, where, other)
                if packets:
                    wanted[zone].discard(other)
                    yield (zone, other), packets.example()

    def _unread_of(self, zone: int) -> Reason:
        """A packet of a zone of which nobody can tell, and all lines that make it so."""
        decider, packet, lines = self.engine.decider, None, frozenset[int]()
        for attachment, row in self._bad:
            if self._zone[attachment] == zone and row.reached.unread:
                packets = decider.unknown(row.node, *self._between(attachment, [(row.low, row.high)]))
                packet = packet or packets.example()
                lines |= decider.lines(row.node, packets)
        return Reason(packet, lines)

    def _settle(self) -> None:
        if self._generation != self.engine.generation:
            self._reset()
        elif self._dirty:
            self._look(self._dirty, self._wanted)

    def _look(self, places: list[Place], wanted: Flags) -> None:
        """Decide stretches of attachments' answers anew, and the rest of what was bad and is partly among them."""
        asked = self._apart(places)
        before = {attachment: self._bad.of(attachment) for attachment in asked}
        self._dirty, self._crossed = [], None
        stretches = [
            (attachment, *one) for attachment, mine in asked.items() for one in self._bad.take(attachment, mine)
        ]
        found: dict[int, list[Bad]] = {}
        for attachment, bad in self._judged(stretches, wanted):
            found.setdefault(attachment, []).append(bad)
        for attachment, old in before.items():
            self._bad.put(attachment, found.get(attachment, []))
            if self._bad.of(attachment) != old:
                self._tell(attachment)
        self._dirty = []

    def _tell(self, attachment: int) -> None:
        """An attachment's bad stretches are others now."""
        self._judge.set_bad(attachment, [row[:3] for row in self._bad.of(attachment)])

    @staticmethod
    def _apart(places: list[Place]) -> dict[int, list[Stretch]]:
        """The same labels per attachment in stretches that do not overlap."""
        found: dict[int, list[Stretch]] = {}
        for attachment, low, high in sorted(places):
            mine = found.setdefault(attachment, [])
            if mine and low <= mine[-1][1]:
                mine[-1] = mine[-1][0], max(mine[-1][1], high)
            else:
                mine.append((low, high))
        return found

    def _judged(self, places: list[Place], wanted: Flags) -> Iterator[tuple[int, Bad]]:
        """What leads somewhere forbidden. What the native part leaves open is decided node by node first."""
        slow: dict[tuple[int, int], list[Stretch]] = {}
        unread = self._unread
        for attachment, low, high, node, zones, is_open in self._judge.look(places, wanted):
            if is_open or (self._only and self._is_limited(attachment, zones)):
                slow.setdefault((attachment, node), []).append((low, high))
            else:
                yield attachment, Bad(low, high, node, Reached(zones))
        for (attachment, node), found in slow.items():
            if self._reached(attachment, node, found, unread) == NOWHERE:
                continue
            for low, high in found:
                reached = self._reached(attachment, node, [(low, high)], unread)
                if reached != NOWHERE:
                    yield attachment, Bad(low, high, node, reached)

    def _is_limited(self, attachment: int, zones: Iterable[int]) -> bool:
        return any((self._zone[attachment], zone) in self._only for zone in zones)

    def _reached(self, attachment: int, node: int, stretches: list[Stretch], unread: bool) -> Reached:
        """What one answer leads to for some destinations, packet set by packet set; `unread`: as something may be."""
        key = attachment, node, tuple(stretches)
        if key not in self._decided:
            decider, zone = self.engine.decider, self._zone[attachment]
            wanted = (other for other in decider.zones(node) if self._forbidden[zone, other])
            where = self._between(attachment, stretches)
            zones = frozenset(other for other in wanted if self._across(attachment, node, where, other))
            open_ends = unread and self._forbidden[zone].any() and decider.unknown(node, *where)
            self._decided[key] = Reached(zones, bool(open_ends))
        return self._decided[key]

    def _across(self, attachment: int, node: int, where: Between, zone: int) -> PacketSet:
        """Packets to some destinations that get to a forbidden zone and are not allowed to."""
        found = self.engine.decider.between(node, *where, zone, every_path=False)
        allowed = self._only.get((self._zone[attachment], zone))
        return found if allowed is None else found - allowed

    def _between(self, attachment: int, stretches: Sequence[Stretch]) -> Between:
        """Everything an attachment sends with, and some destinations."""
        decider = self.engine.decider
        if attachment not in self._sent:
            self._sent[attachment] = union_of(decider.intervals(*bounds_of(self._units, attachment)))
        goals = decider.intervals([low for low, _high in stretches], [high for _low, high in stretches])
        return self._sent[attachment], union_of(goals)
