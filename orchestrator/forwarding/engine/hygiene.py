"""Filter entries that could go: shadowed, redundant, or met by no packet of the network's own zones.

    for idle in engine.idle_entries(): ...

Shadowed: earlier entries take all its packets. Redundant: without it every packet gets the same verdict. Unused: no
packet that a zone can send gets to the filter and matches, wherever it ends afterwards. Only what holds whatever port
packets came in by is said, and an entry for answers in a stateful filter is left alone: no first packet meets it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from enum import StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import LABEL_FAMILIES, Decider
from orchestrator.forwarding.engine.matrix import source_units
from orchestrator.forwarding.engine.matrix_parts import bounds_of, gathered
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import NONE, Action, Int
from orchestrator.forwarding.engine.outcomes import Classes, Outcome
from orchestrator.forwarding.engine.packets import Interval, PacketSet
from orchestrator.forwarding.engine.rewriting import Rewrite, Rewriter
from orchestrator.forwarding.engine.slices import Units, check
from orchestrator.forwarding.engine.sound import QuestionError

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.engine import Engine

TAKERS: Final = 8  # of filters.h


class Fault(StrEnum):
    """Why an entry could go."""

    SHADOWED = "shadowed"
    REDUNDANT = "redundant"
    UNUSED = "unused"


class Idle(NamedTuple):
    """An entry that could go: filter, position in it, and "file:line" ("": not known).

    `covering`, `covering_lines`: positions and lines of the earlier entries that take a shadowed entry's packets, the
    first TAKERS of them. `other_action`: one of those decides otherwise than the entry would (then it is probably a
    mistake, not dust).
    """

    fault: Fault
    filter: int
    position: int
    line: str
    covering: tuple[int, ...] = ()
    covering_lines: tuple[str, ...] = ()
    other_action: bool = False


class Inspected(NamedTuple):
    """Per entry: whether some packet gets to it, whether the filter would do without it, who takes its packets."""

    met: NDArray[np.bool_]
    spare: NDArray[np.bool_]
    takers: NDArray[np.int32]


def inspected(decider: Decider, number: int) -> Inspected:
    """Look at every entry of a filter, for packets of every port and both families."""
    table = decider.table
    count = int(table.count[number])
    met, spare = np.zeros(count, np.uint8), np.ones(count, np.uint8)
    takers = np.full((count, TAKERS), -1, np.int32)
    for variant in np.flatnonzero(table.variant_filter[: table.rule_base] == number).tolist():
        for low, high in LABEL_FAMILIES:
            status = library().filters_inspect(
                ctypes.byref(table.view),
                ctypes.c_int32(variant),
                ctypes.c_int64(0),
                ctypes.c_int64(count),
                ctypes.c_int64(low),
                ctypes.c_int64(high),
                pointer(met),
                pointer(spare),
                pointer(takers),
            )
            check(status, f"filter {number}")
    return Inspected(met.astype(np.bool_), spare.astype(np.bool_), takers)


def asked_filters(filters: int, number: int | None) -> list[int]:
    """The filter of this number, or all of so many. Raises QuestionError when there is no such filter."""
    if number is not None and not 0 <= number < filters:
        raise QuestionError(f"filter {number} is none of the network's {filters}: give its number, from 0")
    return list(range(filters)) if number is None else [number]


def idle_of(engine: Engine, filters: list[int]) -> tuple[Idle, ...]:
    """Entries of these filters that could go, filter by filter. `engine`: of the network that losses.meeting makes."""
    decider = engine.decider
    sources = source_units(engine.base, decider, engine.attachments)
    arriving = arrivals(decider, engine.classes(), sources, filters)
    return tuple(idle for number in filters for idle in idle_entries(decider, number, arriving[number]))


def idle_entries(decider: Decider, number: int, arriving: PacketSet | None = None) -> list[Idle]:
    """Entries of a filter that could go; `arriving` (see `arrivals`): packets of the zones that get to the filter.

    Without `arriving` nothing is said to be unused. Raises QuestionError for a filter that is not there.
    """
    asked_filters(decider.table.filters, number)
    return list(_idle(decider, number, arriving))


def _idle(decider: Decider, number: int, arriving: PacketSet | None) -> Iterator[Idle]:
    table = decider.table
    found = inspected(decider, number)
    rows = table.rows(number)
    actions, lines = table.columns["action"][rows], _texts(decider, table.columns["line"][rows].tolist())
    for position in range(len(found.met)):
        if not table.services.bits(int(table.columns["match"][rows.start + position])):
            continue
        line = lines[position]
        takers = [taker for taker in found.takers[position].tolist() if taker >= 0]
        if not found.met[position]:
            other = any(actions[taker] != actions[position] for taker in takers)
            covering = tuple(lines[taker] for taker in takers)
            yield Idle(Fault.SHADOWED, number, position, line, tuple(takers), covering, other)
        elif found.spare[position] and actions[position] != Action.UNKNOWN:
            yield Idle(Fault.REDUNDANT, number, position, line)
        elif arriving is not None and not arriving & decider.match(rows.start + position):
            yield Idle(Fault.UNUSED, number, position, line)


def _texts(decider: Decider, lines: Iterable[int]) -> list[str]:
    return ["" if line == NONE else decider.network.lines[line] for line in lines]


def arrivals(decider: Decider, classes: Classes, sources: Units, filters: Iterable[int]) -> dict[int, PacketSet]:
    """Per filter the packets, of those that the zones send (`sources` per attachment), that get to it, as they do then.

    Of a graph that leaves filters out before losses (losses.meeting makes one that does not) it tells only what gets to
    the filters that are in it.
    """
    found = _Arrivals(decider, filters)
    for column in np.unique(classes.column).tolist():
        senders = np.flatnonzero(classes.column == column).tolist()
        mine = [one for sender in senders for one in decider.intervals(*bounds_of(sources, sender))]
        found.begin(classes.node[:, column], mine, classes)
    return found.end()


class _Arrivals:
    """One question: all packets at a node are together before they go on to its children."""

    def __init__(self, decider: Decider, filters: Iterable[int]) -> None:
        self._decider, table, self._services = decider, decider.table, decider.table.services
        self._rewriter = Rewriter(self._services)
        self._found = {number: PacketSet(self._services) for number in filters}
        of_variant = table.variant_filter[: table.rule_base].tolist()
        variants = (variant for variant, number in enumerate(of_variant) if number in self._found)
        self._filter_of = dict(enumerate(of_variant))
        self._leads = decider.slicer.below(variants)
        self._at: dict[int, PacketSet] = {}
        self._todo: list[int] = []

    def begin(self, nodes: Int, sources: list[Interval], classes: Classes) -> None:
        """Packets from `sources` (positions) begin at a node for each class of destinations."""
        every = Units(classes.first, classes.low, classes.high)
        for root in np.unique(nodes[self._leads[nodes]]).tolist():
            goals = gathered(every, np.flatnonzero(nodes == root))
            to = self._decider.intervals(goals.low.tolist(), goals.high.tolist())
            self._bring(root, PacketSet.product(self._services, sources, to, self._services.everything))

    def end(self) -> dict[int, PacketSet]:
        """What got to each filter; nodes stand behind their children, so the last one has all its packets."""
        while self._todo:
            node = -heappop(self._todo)
            self._pass(node, self._at.pop(node))
        return self._found

    def _bring(self, node: int, packets: PacketSet) -> None:
        if not packets or not self._leads[node]:
            return
        if node in self._at:
            packets |= self._at[node]
        else:
            heappush(self._todo, -node)
        self._at[node] = packets

    def _pass(self, node: int, here: PacketSet) -> None:
        outcomes, children = self._decider.slicer.outcomes, self._decider.children(node)
        kind, number = outcomes.kind[node], int(outcomes.a[node])
        if kind in (Outcome.FILTER, Outcome.BRANCH_FILTER) and self._filter_of[number] in self._found:
            self._found[self._filter_of[number]] |= here
        if not any(self._leads[child] for child in children):
            return
        for child, share in zip(children, self._shares(kind, number, here, len(children)), strict=True):
            self._bring(child, share)

    def _shares(self, kind: int, number: int, here: PacketSet, children: int) -> list[PacketSet]:
        """What of the packets at a node goes on to each child."""
        decider = self._decider
        if kind == Outcome.EITHER:
            return [here] * children
        if kind == Outcome.REWRITE:
            return [self._rewriter.exact_image(here, Rewrite.of(decider.network, number))]
        rule = decider.table.rule_base if kind == Outcome.BRANCH_RULE else 0
        through, unknown = decider.split(number + rule, here)
        return [through, here - through - unknown][:children]
