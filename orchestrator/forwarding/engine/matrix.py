"""Zone by zone: which packets get from each to each.

For a pair the matrix holds two sets of services by number (`Sets`): those that some packet has that gets there, and
those that get there between all addresses that are routed there. Where they are equal, the answer is that product; else
`packets` writes down the exact set. Both are exact in any case; -1: no destination leads there.

Two native ways give the same: pair by pair over chains of filters (filters_matrix.c), when there are many pairs and few
services; or for each distinct (attachment, node), sliced and swept (filters.c). Translations are decided in Python.
"""

from __future__ import annotations

from mmap import mmap
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.labels import V4_END
from orchestrator.forwarding.engine.matrix_fast import FastPart
from orchestrator.forwarding.engine.matrix_parts import (
    Area,
    Ground,
    SlicedPart,
    bounds_of,
    gathered,
    joined_sets,
)
from orchestrator.forwarding.engine.network import NONE, Network, Packet
from orchestrator.forwarding.engine.outcomes import Attachments, Classes
from orchestrator.forwarding.engine.packets import FAMILIES, Interval, PacketSet
from orchestrator.forwarding.engine.slices import EVERY_PATH, THREADS, UPPER, Units, Whole
from orchestrator.forwarding.engine.sound import Sound, check_packet
from orchestrator.forwarding.engine.updates import EntryUpdate, InsertEntry, RemoveEntry

MANY_PAIRS: Final = 200_000  # from here on the native matrix takes (attachment, class) pair by pair
ATOMS: Final = 62  # services that it keeps in one word
ENTRIES: Final = 64  # entries of a filter that it keeps in one word

Bool = NDArray[np.bool_]


class PairChanges(NamedTuple):
    """Pairs (source zone, zone) decided anew, and their numbers in `Matrix.some` and `every` before.

    A pair whose two numbers are equal, before and now, has changed exactly when the numbers have; in others packets may
    have changed while the numbers have not. `rebuilt`: services are told apart further now; numbers before are of
    `Matrix.sets` as it was, and every pair counts as decided anew.
    """

    source: Whole
    destination: Whole
    some: Whole
    every: Whole
    rebuilt: bool = False


class Matrix:
    """The answer of one decision graph for all pairs of zones.

    `some`, `every`: [zones, zones] numbers of `sets` (module docstring). `upper` counts what is unknown as permitted.
    """

    def __init__(
        self,
        decider: Decider,
        classes: Classes,
        attachments: Attachments,
        *,
        upper: bool = False,
        threads: int = THREADS,
        pairwise: bool | None = None,
    ) -> None:
        """Decide everything. `pairwise` chooses the native way, None by size (tests compare both)."""
        self.decider, self.zones = decider, len(decider.network.zone_names)
        self._sound = Sound(decider.network)
        self._given = classes, attachments, upper, threads, pairwise
        order = np.argsort(attachments.zone, kind="stable")
        if not np.array_equal(order, np.arange(len(order))):
            attachments = Attachments(*(np.ascontiguousarray(column[order]) for column in attachments))
            classes = classes._replace(column=classes.column[order])
        self.classes, self.attachments = classes, attachments
        self.units = source_units(decider.network, decider, attachments)
        self.sets = decider.slicer.current_sets()
        self._upper = upper
        flags = UPPER if upper else 0
        self.ground = Ground(decider, classes, attachments, self.zones, flags, threads, self.sets)
        self.parts: list[FastPart | SlicedPart] = []
        self._answers: list[tuple[Whole, Whole]] = []
        for six in (False, True):
            self._family(six, pairwise)
        if len(self._answers) == 1:
            self._some, self._every = self._answers[0]
        else:
            size = self.zones * self.zones
            self._some, self._every = np.full(size, NONE, np.int32), np.full(size, NONE, np.int32)
            used = np.zeros(size, np.bool_)
            for some, _ in self._answers:
                used |= some != NONE
            self._combine(np.flatnonzero(used))

    @property
    def some(self) -> Whole:
        """[zones, zones]: numbers of services that some packet has that gets there."""
        return self._some.reshape(self.zones, self.zones)

    @property
    def every(self) -> Whole:
        """[zones, zones]: numbers of services that get there between all addresses."""
        return self._every.reshape(self.zones, self.zones)

    def _family(self, six: bool, pairwise: bool | None) -> None:
        units = chosen(self.units, (self.units.low >= V4_END) == six)
        every = Units(self.classes.first, self.classes.low, self.classes.high)
        destinations = chosen(every, (self.classes.low >= V4_END) == six)
        if not len(units.low) or not len(destinations.low):
            return
        rows = np.flatnonzero(np.diff(destinations.first)).astype(np.int32)
        first = np.append(destinations.first[rows], len(destinations.low)).astype(np.int64)
        packed = Units(first, destinations.low, destinations.high)
        if pairwise is None:
            pairwise = len(rows) * len(self.attachments.zone) >= MANY_PAIRS and self._distinct() >= MANY_PAIRS
        size = self.zones * self.zones
        some, every_answer = numbers(size), numbers(size)
        fits = self.decider.table.services.count <= ATOMS
        part = (FastPart if pairwise and fits else SlicedPart)(self.ground, units, packed, rows)
        part.put(some, every_answer)
        self.parts.append(part)
        self._answers.append((some, every_answer))

    def _distinct(self) -> int:
        """Distinct (attachment, node), from a sample of the attachments."""
        width = len(self.attachments.zone)
        sample = np.unique(np.linspace(0, width - 1, min(width, 20)).astype(np.int64))
        found = sum(len(np.unique(self.classes.nodes(attachment))) for attachment in sample.tolist())
        return found * int(width) // max(1, len(sample))

    def _combine(self, pairs: NDArray[np.int64]) -> None:
        """Put both families' answers for some pairs together."""
        for pair in pairs.tolist():
            rows = [(some[pair], every[pair]) for some, every in self._answers if some[pair] != NONE]
            joined = joined_sets(self.sets, [int(row[0]) for row in rows], [int(row[1]) for row in rows])
            self._some[pair], self._every[pair] = joined

    def apply(self, update: EntryUpdate) -> PairChanges:
        """Change one filter entry (in the decider's table too) and decide anew what it decides about.

        Raises UpdateError when there is no such filter or place in it, or the entry cannot be; nothing is changed then.
        """
        if not isinstance(update, RemoveEntry):
            self._sound.entry(update.entry)
        table = self.decider.table
        table.check(update)
        number, at = update.filter, update.position
        areas = [] if isinstance(update, InsertEntry) else [Area(*table.area(number, at))]
        table.apply(update)
        if not isinstance(update, RemoveEntry):
            areas.append(Area(*table.area(number, at)))
        return self.refresh(update.filter, areas)

    def refresh(self, number: int, areas: list[Area]) -> PairChanges:
        """Decide anew after an entry of filter `number` has changed in the table, within these areas of labels."""
        table = self.decider.table
        if table.services is not self.sets.services or self._outgrown(number):
            return self._rebuilt()
        variants = np.flatnonzero(table.variant_filter[: table.rule_base] == number).tolist()
        before: dict[int, tuple[int, int]] = {}
        single = len(self.parts) == 1
        for part, (some, every) in zip(self.parts, self._answers, strict=True):
            if isinstance(part, FastPart):
                rows = part.update(variants, some, every)
                found = PairChanges(rows["source"], rows["target"], rows["some"], rows["every"])
            else:
                pairs = part.update(variants, areas)
                found = self._changes(pairs, some[pairs], every[pairs])
                for pair in pairs.tolist():
                    some[pair], every[pair] = part.joined(pair)
            if single:
                return found
            for pair in (found.source.astype(np.int64) * self.zones + found.destination).tolist():
                before.setdefault(pair, (int(self._some[pair]), int(self._every[pair])))
        touched = np.array(sorted(before), np.int64)
        old = np.array([before[pair] for pair in touched.tolist()], np.int32).reshape(-1, 2)
        self._combine(touched)
        return self._changes(touched, old[:, 0], old[:, 1])

    def _changes(self, pairs: NDArray[np.int64], some: Whole, every: Whole) -> PairChanges:
        source, destination = np.divmod(pairs, self.zones)
        return PairChanges(source.astype(np.int32), destination.astype(np.int32), some, every)

    def _outgrown(self, number: int) -> bool:
        fast = any(isinstance(part, FastPart) for part in self.parts)
        return fast and int(self.decider.table.count[number]) > ENTRIES

    def _rebuilt(self) -> PairChanges:
        some, every = self._some, self._every
        classes, attachments, upper, threads, pairwise = self._given
        self.__init__(  # type: ignore[misc] # the same questions, with services told apart further
            self.decider, classes, attachments, upper=upper, threads=threads, pairwise=pairwise
        )
        return self._changes(np.arange(len(some)), some, every)._replace(rebuilt=True)

    def reaches(self, packet: Packet | None = None) -> Bool:
        """[zones, zones]: whether any packet gets from one to the other (of the service of `packet`: its protocol,
        ports and flags, whatever its addresses). Raises QuestionError for a packet that cannot be.
        """
        if packet is None:
            return self.some > 0
        check_packet(packet)
        atom = self.decider.table.services.atom(packet)
        if len(self.parts) == 1 and isinstance(self.parts[0], FastPart):
            return self.parts[0].service(atom).reshape(self.zones, self.zones)
        words = self.sets.words()
        holds = (words[:, atom // 64] >> np.uint64(atom % 64)) & np.uint64(1) == 1
        return np.where(self.some > 0, holds[self.some], False)

    def services(self, source: int, destination: int) -> int:
        """Services (bitset) that some packet from one zone to the other has that gets there."""
        number = int(self.some[source, destination])
        return self.sets.bits(number) if number > 0 else 0

    def packets(self, source: int, destination: int, *, every_path: bool = False) -> PacketSet:
        """The exact set of packets that get from one zone to the other.

        `every_path`: by all equal-cost paths, from every attachment of the zone that can send them. Raises
        QuestionError for a zone that the network does not have.
        """
        self._sound.zone(source)
        self._sound.zone(destination)
        found = failed = PacketSet(self.decider.table.services)
        for attachment in np.flatnonzero(self.attachments.zone == source).tolist():
            sources = self.decider.intervals(*bounds_of(self.units, attachment))
            delivered = self._delivered(attachment, sources, destination, every_path)
            found |= delivered
            if every_path:
                services = self.decider.table.services
                failed |= PacketSet.product(services, sources, FAMILIES, services.everything) - delivered
        return found - failed

    def _delivered(self, attachment: int, sources: list[Interval], zone: int, every_path: bool) -> PacketSet:
        """The packets of one attachment that get to a zone."""
        decider, services = self.decider, self.decider.table.services
        found = PacketSet(services)
        every = Units(self.classes.first, self.classes.low, self.classes.high)
        node = self.classes.nodes(attachment)
        flags = (EVERY_PATH if every_path else 0) | (UPPER if self._upper else 0)
        leads = self.ground.zone_of(node)
        for number in np.unique(node[(leads == zone) | (leads == -2)]).tolist():
            if zone not in decider.zones(number):
                continue
            asked = gathered(every, np.flatnonzero(node == number))
            addresses = decider.intervals(asked.low.tolist(), asked.high.tolist())
            whole = PacketSet.product(services, sources, addresses, services.everything)
            found |= decider.reached(number, whole, zone, flags)
        return found


def numbers(size: int) -> Whole:
    """An array to be written by several threads, in pages that are small.

    Above 4 MB numpy asks for large ones. Where a host takes free memory back from its guests, each of these costs some
    milliseconds when it is first touched, and a matrix a tenth of a second.
    """
    return np.frombuffer(mmap(-1, max(1, size) * np.dtype(np.int32).itemsize), np.int32)[:size]


def chosen(units: Units, rows: NDArray[Any]) -> Units:
    """The intervals that `rows` (flags per interval) chooses, set by set."""
    owner = np.repeat(np.arange(len(units.first) - 1), np.diff(units.first))[rows]
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(units.first) - 1))])
    return Units(first.astype(np.int64), units.low[rows], units.high[rows])


def source_units(network: Network, decider: Decider, attachments: Attachments) -> Units:
    """What each attachment sends with: ascending label intervals that do not overlap."""
    labels, zones = decider.table.labels, network.zones
    number = {
        key: row for row, key in enumerate(zip(attachments.zone.tolist(), attachments.port.tolist(), strict=True))
    }
    keys = zip(zones.zone.tolist(), zones.port.tolist(), strict=True)
    owner = np.array([number[key] for key in keys], dtype=np.int64)
    low, high = labels.low(zones.source), labels.high(zones.source)
    order = np.lexsort((-high, low, owner))
    owner, low, high = owner[order], low[order], high[order]
    keep = np.ones(len(owner), np.bool_)
    last, reached = NONE, NONE
    for row, (whose, end) in enumerate(zip(owner.tolist(), high.tolist(), strict=True)):
        keep[row] = whose != last or end > reached  # prefixes nest: one inside another adds nothing
        last, reached = whose, end if keep[row] else reached
    counts = np.bincount(owner[keep], minlength=len(attachments.zone))
    return Units(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), low[keep], high[keep])
