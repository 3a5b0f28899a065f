"""Filter entries that could go: shadowed, redundant, or met by no packet of the network's own zones.

Shadowed: earlier entries take all its packets. Redundant: without it every packet gets the same verdict. Unused: no
packet that a zone can send gets to the filter and matches. Only what holds whatever port packets came in by is said,
and an entry for answers in a stateful filter is left alone: no first packet meets it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.decide import LABEL_FAMILIES, Decider
from orchestrator.forwarding.engine.matrix_parts import bounds_of, gathered
from orchestrator.forwarding.engine.native import library, pointer
from orchestrator.forwarding.engine.network import Action
from orchestrator.forwarding.engine.outcomes import Attachments, Classes, Outcome
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.rewriting import Rewrite, Rewriter
from orchestrator.forwarding.engine.slices import Units, check

TAKERS: Final = 8  # of filters.h


class Fault(StrEnum):
    """Why an entry could go."""

    SHADOWED = "shadowed"
    REDUNDANT = "redundant"
    UNUSED = "unused"


class Idle(NamedTuple):
    """An entry that could go: filter, position, line (index into Network.lines); who takes its packets (first few).

    `other_action`: one of those decides otherwise than the entry would (then it is probably a mistake, not dust).
    """

    fault: Fault
    filter: int
    position: int
    line: int
    covering: tuple[int, ...] = ()
    covering_lines: tuple[int, ...] = ()
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


def idle_entries(decider: Decider, number: int, arriving: PacketSet | None = None) -> Iterator[Idle]:
    """Entries of a filter that could go; `arriving` (see `arrivals`): packets of the zones that get to the filter."""
    table = decider.table
    found = inspected(decider, number)
    rows = table.rows(number)
    actions, lines = table.columns["action"][rows], table.columns["line"][rows]
    for position in range(len(found.met)):
        if not table.services.bits(int(table.columns["match"][rows.start + position])):
            continue
        line = int(lines[position])
        takers = [taker for taker in found.takers[position].tolist() if taker >= 0]
        if not found.met[position]:
            other = any(actions[taker] != actions[position] for taker in takers)
            covering = tuple(int(lines[taker]) for taker in takers)
            yield Idle(Fault.SHADOWED, number, position, line, tuple(takers), covering, other)
        elif found.spare[position] and actions[position] != Action.UNKNOWN:
            yield Idle(Fault.REDUNDANT, number, position, line)
        elif arriving is not None and not arriving & decider.match(rows.start + position):
            yield Idle(Fault.UNUSED, number, position, line)


def arrivals(decider: Decider, classes: Classes, attachments: Attachments, sources: Units, number: int) -> PacketSet:
    """The packets, of those that the zones send (`sources` per attachment), that get to a filter."""
    table = decider.table
    variants = set(np.flatnonzero(table.variant_filter[: table.rule_base] == number).tolist())
    found = PacketSet(table.services)
    every = Units(classes.first, classes.low, classes.high)
    rewriter = Rewriter(table.services)
    for attachment in range(len(attachments.zone)):
        column = classes.nodes(attachment)
        mine = decider.intervals(*bounds_of(sources, attachment))
        for root in np.unique(column).tolist():
            if not holds(decider, root, variants):
                continue
            asked = gathered(every, np.flatnonzero(column == root))
            to = decider.intervals(asked.low.tolist(), asked.high.tolist())
            whole = PacketSet.product(table.services, mine, to, table.services.everything)
            found |= passing(decider, rewriter, root, whole, variants)
    return found


def holds(decider: Decider, root: int, variants: Iterable[int]) -> bool:
    """Whether one of the filter variants is at a node or below it."""
    kind, argument = decider.slicer.outcomes.kind, decider.slicer.outcomes.a
    wanted = set(variants)
    return any(
        kind[node] in (Outcome.FILTER, Outcome.BRANCH_FILTER) and int(argument[node]) in wanted
        for node in decider.below(root)
    )


def passing(decider: Decider, rewriter: Rewriter, root: int, packets: PacketSet, variants: set[int]) -> PacketSet:
    """The packets that meet one of the variants, of those that begin at a node."""
    kind, argument = decider.slicer.outcomes.kind, decider.slicer.outcomes.a
    at: dict[int, PacketSet] = {root: packets}
    found = PacketSet(packets.services)
    for node in reversed(decider.below(root)):  # parents before children
        here = at.get(node)
        children = decider.children(node)
        if not here or not children:
            continue
        number = int(argument[node])
        if kind[node] == Outcome.EITHER:
            shares = [here] * len(children)
        elif kind[node] == Outcome.REWRITE:
            shares = [rewriter.exact_image(here, Rewrite.of(decider.network, number))]
        else:
            rule = kind[node] == Outcome.BRANCH_RULE
            found |= here if number in variants and not rule else PacketSet(packets.services)
            through, unknown = decider.split(number + (decider.table.rule_base if rule else 0), here)
            shares = [through, here - through - unknown][: len(children)]
        for child, share in zip(children, shares, strict=True):
            at[child] = at[child] | share if child in at else share
    return found
