"""Which packets a change lets through newly, and which no longer: exactly, zone by zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet, Row
from orchestrator.forwarding.engine.service_cells import extended
from orchestrator.forwarding.engine.services import Services, samples

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.decide import Decider
    from orchestrator.forwarding.engine.engine import Change, Engine

Pair = tuple[int, int]


@dataclass
class Difference:
    """Packets that some way brings from zone to zone after a change and none did before, and the other way round."""

    newly: dict[Pair, PacketSet] = field(default_factory=dict)
    gone: dict[Pair, PacketSet] = field(default_factory=dict)


class Way(NamedTuple):
    """Packets to labels [low, high) that enter by an attachment, and the node that says what becomes of them."""

    attachment: int
    low: int
    high: int
    node: int


Reached = dict[Pair, PacketSet]


def difference(engine: Engine, change: Change) -> Difference:
    """What the last change that is not taken back has changed for packets between zones.

    Zones with several attachments: a packet counts as arriving when it does by any of them.
    """
    if change.back is not None:
        ways = list(ways_by_filter(engine, change.filter))
        after = reached(engine, engine.decider, ways)
        engine.undo(change)
        before = reached(engine, engine.decider, list(ways_by_filter(engine, change.filter)))
        engine.apply(change.update)
        return _compare(engine.decider, before, after)
    touched = sorted({(int(row["low"]), int(row["high"])) for row in change.records})
    after = reached(engine, engine.decider, list(_ways_to(engine, touched)))
    engine.undo(change)
    before = reached(engine, engine.decider, list(_ways_to(engine, touched)))
    engine.apply(change.update)
    return _compare(engine.decider, before, after)


def reached(engine: Engine, decider: Decider, ways: Iterable[Way]) -> Reached:
    """Packets that get from zone to zone by some of these ways."""
    found: Reached = {}
    for way in ways:
        source = int(engine.attachments.zone[way.attachment])
        destinations = list(families(way.low, way.high))
        intervals = decider.intervals(*zip(*destinations, strict=True)) if destinations else []
        for zone, packets in decider.packets(way.node, engine.sources(way.attachment), intervals).items():
            pair = source, zone
            found[pair] = found[pair] | packets if pair in found else packets
    return found


def families(low: int, high: int) -> Iterator[Interval]:
    """A label interval cut into those of the two families; labels between them stand for nothing."""
    for begin, end in ((0, V4_END), (V6_FIRST, END)):
        if max(low, begin) < min(high, end):
            yield max(low, begin), min(high, end)


def _stretches(engine: Engine, attachment: int) -> Iterator[Way]:
    start, node = engine.segments(attachment)
    for (low, high), number in zip(pairwise([*start.tolist(), END]), node.tolist(), strict=True):
        yield Way(attachment, low, high, number)


def ways_by_filter(engine: Engine, number: int) -> Iterator[Way]:
    """All ways on which a filter is met."""
    meets = nodes_with(engine, number)
    for attachment in range(len(engine.attachments.port)):
        yield from (way for way in _stretches(engine, attachment) if meets[way.node])


def nodes_with(engine: Engine, number: int) -> NDArray[np.bool_]:
    """Per node whether a filter is asked below it."""
    outcomes = engine.outcomes()
    asks = np.isin(outcomes.kind, (Outcome.FILTER, Outcome.BRANCH_FILTER))
    found = np.zeros(len(outcomes.kind), np.bool_)
    found[asks] = engine.variants.filter[outcomes.a[asks]] == number
    owner = np.repeat(np.arange(len(found)), np.diff(outcomes.first))
    before = -1
    while before != int(found.sum()):
        before = int(found.sum())
        found[owner[found[outcomes.children]]] = True
    return found


def _ways_to(engine: Engine, touched: list[Interval]) -> Iterator[Way]:
    """Ways to labels that some answer changed for, by every attachment of the zones it may concern."""
    for attachment in range(len(engine.attachments.port)):
        for way in _stretches(engine, attachment):
            for low, high in touched:
                if max(low, way.low) < min(high, way.high):
                    yield way._replace(low=max(low, way.low), high=min(high, way.high))


def _in(services: Services, packets: PacketSet) -> PacketSet:
    """The same set in services that tell apart at least as much, of another engine's making or of this one's."""
    mine = packets.services
    if mine.root is services.root:
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
