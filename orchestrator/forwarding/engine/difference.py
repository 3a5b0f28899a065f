"""Which packets a change lets through newly, and which no longer: exactly, zone by zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST
from orchestrator.forwarding.engine.packets import FAMILIES, Interval, PacketSet, Row, union_of
from orchestrator.forwarding.engine.service_cells import extended
from orchestrator.forwarding.engine.services import Services, samples
from orchestrator.forwarding.engine.slices import label_intervals
from orchestrator.forwarding.engine.updates import InsertEntry, ReplaceEntry

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.change import Change
    from orchestrator.forwarding.engine.decide import Decider
    from orchestrator.forwarding.engine.engine import Engine

Pair = tuple[int, int]


@dataclass
class Difference:
    """Packets that some way brings from zone to zone after a change and none did before, and the other way round."""

    newly: dict[Pair, PacketSet] = field(default_factory=dict)
    gone: dict[Pair, PacketSet] = field(default_factory=dict)


Reached = dict[Pair, PacketSet]
Touched = dict[int, list[Interval]]
"""Per zone the destinations (positions, which outlive labels) for which its packets may fare otherwise than before."""


def difference(engine: Engine, change: Change) -> Difference:
    """What the last change that stands has changed for packets between zones.

    Zones with several attachments: a packet counts as arriving when it does by any of them.
    """
    if change.way_back is None and not len(change.records):
        return Difference()
    touched = _touched(engine, change, {})
    with engine.without(change):
        touched = _touched(engine, change, touched)  # what is denied everywhere, nobody meets: other ways in each state
        before = reached(engine, touched)
    return _compare(engine.decider, before, reached(engine, touched))


def between(before: Engine, after: Engine) -> Difference:
    """What gets from zone to zone in one network and not in another one with the same zones, all answers of both."""
    everything = {zone: list(FAMILIES) for zone in range(len(before.base.zone_names))}
    return _compare(before.decider, reached(before, everything), reached(after, everything))


def reached(engine: Engine, touched: Touched) -> Reached:
    """Packets to these destinations that get from zone to zone, by any attachment."""
    found: Reached = {}
    decider, zones = engine.decider, engine.attachments.zone.tolist()
    for attachment in [row for row, zone in enumerate(zones) if zone in touched]:
        source = zones[attachment]
        for node, destinations in _by_node(engine, attachment, touched[source]).items():
            intervals = decider.intervals(*zip(*destinations, strict=True))
            for zone, packets in decider.packets(node, engine.sources(attachment), intervals).items():
                pair = source, zone
                found[pair] = found[pair] | packets if pair in found else packets
    return found


def _by_node(engine: Engine, attachment: int, touched: list[Interval]) -> dict[int, list[Interval]]:
    """Of some destinations those that share what becomes of them, as labels, ascending."""
    lows, highs = label_intervals(engine.labels, touched)
    start, node = engine.segments(attachment)
    ends = np.append(start[1:], END)
    found: dict[int, list[Interval]] = {}
    for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
        first, last = int(np.searchsorted(start, low, "right")) - 1, int(np.searchsorted(start, high))
        rows = zip(start[first:last].tolist(), ends[first:last].tolist(), node[first:last].tolist(), strict=True)
        for begin, end, number in rows:
            found.setdefault(number, []).append((max(low, begin), min(high, end)))
    return found


def families(low: int, high: int) -> Iterator[Interval]:
    """A label interval cut into those of the two families; labels between them stand for nothing."""
    for begin, end in ((0, V4_END), (V6_FIRST, END)):
        if max(low, begin) < min(high, end):
            yield max(low, begin), min(high, end)


def _touched(engine: Engine, change: Change, known: Touched) -> Touched:
    """What a change can have touched, besides `known`: answers that became others, or those that meet its filter."""
    rows = _meeting(engine, change) if change.way_back is not None else _changed(engine, change)
    labels: dict[int, list[Interval]] = {}
    for zone, low, high in rows:
        labels.setdefault(zone, []).append((low, high))
    found = {zone: list(intervals) for zone, intervals in known.items()}
    for zone, intervals in labels.items():
        cut = [part for low, high in union_of(intervals) for part in families(low, high)]
        found.setdefault(zone, []).extend(engine.decider.intervals(*zip(*cut, strict=True)) if cut else [])
    return {zone: list(union_of(intervals)) for zone, intervals in found.items()}


def _changed(engine: Engine, change: Change) -> Iterator[tuple[int, int, int]]:
    zone = engine.attachments.zone[change.records["attachment"]]
    yield from zip(zone.tolist(), change.records["low"].tolist(), change.records["high"].tolist(), strict=True)


def _meeting(engine: Engine, change: Change) -> Iterator[tuple[int, int, int]]:
    """Zone and destinations of packets that an entry which came or went may match on their way."""
    decider, zones = engine.decider, engine.attachments.zone
    meets = decider.slicer.below(np.flatnonzero(engine.variants.filter == change.filter).tolist())
    for sources, (low, high) in _areas(engine, change):
        for attachment in np.flatnonzero(np.isin(zones, sources)).tolist():
            start, node = engine.segments(attachment)
            ends = np.append(start[1:], END)
            here = np.flatnonzero(meets[node] & (start < high) & (ends > low))
            for begin, end in zip(start[here].tolist(), ends[here].tolist(), strict=True):
                yield int(zones[attachment]), max(low, begin), min(high, end)


def _areas(engine: Engine, change: Change) -> Iterator[tuple[NDArray[np.int32], Interval]]:
    """Per entry that came or went: zones that send with addresses it matches, and destinations it matches."""
    senders = engine.base.zones
    if len(engine.base.translations.kind):  # what it meets may have had other addresses
        yield senders.zone, (0, END)
        return
    low, high = engine.labels.low(senders.source), engine.labels.high(senders.source)
    for update in (change.update, change.back):
        if isinstance(update, InsertEntry | ReplaceEntry):
            begin, end = engine.labels.interval(update.entry.match.source)
            yield senders.zone[(low < end) & (high > begin)], engine.labels.interval(update.entry.match.destination)


def _in(services: Services, packets: PacketSet) -> PacketSet:
    """The same set in services that tell apart at least as much, of another engine's making or of this one's."""
    mine = packets.services
    if services.refines(mine):
        return packets.lifted(services)
    before = [1 << mine.atom(sample) for sample in samples(services)]

    def row(of: Row) -> Row:
        return tuple(
            (low, high, sum(1 << atom for atom, bit in enumerate(before) if bits & bit)) for low, high, bits in of
        )

    return PacketSet(services, tuple((low, high, row(of)) for low, high, of in packets.pieces))


def _compare(decider: Decider, before: Reached, after: Reached) -> Difference:
    """`decider` is of the state that `before` is of, or of one built anew since."""
    services = decider.table.services
    for packets in [*before.values(), *after.values()]:
        services = extended(services, packets.services.keys)
    result, nothing = Difference(), PacketSet(services)
    for pair in sorted(set(before) | set(after)):
        old = _in(services, before.get(pair, nothing))
        new = _in(services, after.get(pair, nothing))
        if new - old:
            result.newly[pair] = new - old
        if old - new:
            result.gone[pair] = old - new
    return result
