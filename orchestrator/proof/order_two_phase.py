"""The last offer when steps exclude each other: new entries beside the old ones, then the move, then the old ones out.

Routes alone never exclude each other for long: towards one destination some order is free of loops. What excludes is a
filter that has to change together with a route. So filters are widened first by what they will permit, entry by entry;
then routes move, one row an update; then what is no longer wanted goes. Every part is ordered by the search, one update
a step, and the whole is proved; where either fails the reason is told instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orchestrator.forwarding.engine.changed import changed
from orchestrator.forwarding.engine.network import Action, Network
from orchestrator.forwarding.engine.policy import Policy
from orchestrator.forwarding.engine.updates import (
    AddRoute,
    Entry,
    InsertEntry,
    PortDown,
    PortUp,
    RemoveEntry,
    RemoveRoute,
    ReplaceRoute,
    Update,
)
from orchestrator.proof.reachable import StatesProof, prove_states
from orchestrator.proof.reachable_base import Base
from orchestrator.proof.reachable_rows import FilterRow
from orchestrator.proof.reachable_steps import Batch, Step
from orchestrator.proof.reachable_world import World

MakeWorld = Callable[[Network, Policy], World]
Batches = tuple[tuple[Step, ...], ...]
Ordering = Callable[[Network, Sequence[Step], Policy, World], "Batches | str"]
"""Orders steps, or says in a sentence why they cannot be ordered."""


class TwoPhase(NamedTuple):
    """A plan that leads where the steps lead, with its proof; or (`why`) the reason why there is none."""

    batches: Batches
    proof: StatesProof | None
    why: str = ""


class Line(NamedTuple):
    """One entry of a filter, in the order of all entries there ever are: whether it is there before, and at the end."""

    entry: Entry
    before: bool
    after: bool

    def between(self, *, keep_denies: bool) -> bool:
        """Whether it is there while routes move. `keep_denies`: what denies goes at the end only."""
        if self.entry.action == Action.PERMIT:
            return self.before or self.after
        return self.before and (self.after or keep_denies)


def two_phase(network: Network, steps: Sequence[Step], policy: Policy, make: MakeWorld, ordering: Ordering) -> TwoPhase:
    """Construct and prove such a plan. Raises PlanError when a line of the steps does not fit the network."""
    batch = Batch(Base(network), steps)
    filters = {number: _lines(batch.base, row) for number, row in batch.rows.filters.items()}
    reasons = []
    for keep_denies in (True, False):
        offer = _proved(network, _parts(batch, filters, keep_denies=keep_denies), policy, make, ordering)
        if not offer.why:
            return offer
        reasons.append(offer.why)
    return TwoPhase((), None, reasons[0])


def _lines(base: Base, row: FilterRow) -> list[Line]:
    """All entries of a filter, those that come among those that are there."""
    found, at = [], 0
    for item in row.items:
        found += [Line(base.entry(row.filter, position), before=True, after=True) for position in range(at, item.at)]
        at = item.at + (not item.new)
        if item.since is None or item.until is None:  # what comes and goes in one plan need not come
            found.append(Line(item.entry, before=item.since is None, after=item.until is None))
    rest = range(at, row.count)
    return found + [Line(base.entry(row.filter, position), before=True, after=True) for position in rest]


def _parts(batch: Batch, filters: dict[int, list[Line]], *, keep_denies: bool) -> list[list[Step]]:
    """Widening, moving, narrowing: one update a step."""
    widen: list[Update] = [
        PortUp(port) for port, row in batch.rows.ports.items() if row.edits[-1][1] and not row.before
    ]
    narrow: list[Update] = [
        PortDown(port) for port, row in batch.rows.ports.items() if row.before and not row.edits[-1][1]
    ]
    for number, lines in filters.items():
        between = [line.between(keep_denies=keep_denies) for line in lines]
        widen += _entries(number, lines, [line.before for line in lines], between)
        narrow += _entries(number, lines, between, [line.after for line in lines])
    named = zip(("widen", "move", "narrow"), (widen, list(_moves(batch)), narrow), strict=True)
    return [
        [Step(f"{name} {index}", (update,)) for index, update in enumerate(updates, start=1)] for name, updates in named
    ]


def _entries(number: int, lines: Sequence[Line], now: Sequence[bool], then: Sequence[bool]) -> Iterator[Update]:
    """What makes a filter's entries `then` out of `now`; positions count the entries there are now."""
    position = 0
    for line, there, wanted in zip(lines, now, then, strict=True):
        if wanted and not there:
            yield InsertEntry(number, position, line.entry)
        elif there and not wanted:
            yield RemoveEntry(number, position)
        position += there


def _moves(batch: Batch) -> Iterator[Update]:
    for row in batch.rows.routes.values():
        hops = row.edits[-1][1]
        if hops == row.before:
            continue
        if hops is None:
            yield RemoveRoute(row.table, row.prefix)
        elif row.before is None:
            yield AddRoute(row.table, row.prefix, hops, row.line)
        else:
            yield ReplaceRoute(row.table, row.prefix, hops, row.line)


def after(network: Network, steps: Sequence[Step]) -> Network:
    """The network once all steps of one batch are done: positions in filters count the entries before the batch."""
    batch = Batch(Base(network), steps)
    return changed(network, list(batch.rows.state({unit.number: unit.top for unit in batch.units})))


def _proved(
    network: Network, parts: Sequence[Sequence[Step]], policy: Policy, make: MakeWorld, ordering: Ordering
) -> TwoPhase:
    """Order each part on top of the one before, and prove the whole."""
    batches: list[tuple[Step, ...]] = []
    state = network
    for steps in parts:
        found = ordering(state, steps, policy, make(state, policy))
        if isinstance(found, str):
            return TwoPhase((), None, found)
        batches += found
        for batch in found:
            state = after(state, batch)
    proof = prove_states(network, batches, policy, make(network, policy))
    if proof.result == "pass":
        return TwoPhase(tuple(batches), proof)
    finding = next(finding for finding in proof.findings if not finding.existing)
    return TwoPhase((), None, f"{finding.subject} does not hold in {finding.state}")
