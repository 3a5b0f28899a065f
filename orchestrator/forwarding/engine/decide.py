"""Which packets a node of the decision graph delivers to which zone, exactly.

Parts of the graph without translations are decided natively (slices.py). Where addresses are translated the child is
asked about the image, and its answer comes back through the rule (rewriting.py). Equal-cost paths: `every_path` False
asks what any of them delivers, True what all of them do. What is unknown is a set of its own, with the lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from operator import and_, or_
from typing import Final

from orchestrator.forwarding.engine.deep import Asking, answered
from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST, Labels
from orchestrator.forwarding.engine.network import NONE, Action, Network
from orchestrator.forwarding.engine.outcomes import Outcome, Outcomes, Variants
from orchestrator.forwarding.engine.packets import Interval, PacketSet, union_of
from orchestrator.forwarding.engine.rewriting import Rewrite, Rewriter
from orchestrator.forwarding.engine.slices import EVERY_PATH, NO_ANSWER, UPPER, Slicer, positions

LABEL_FAMILIES: Final = ((0, V4_END), (V6_FIRST, END))
_Asked = tuple[int, PacketSet]
"""A node, and the packets that get there."""


class Decider:
    """Answers over one network's filters and decision graph."""

    def __init__(self, network: Network, labels: Labels, outcomes: Outcomes, variants: Variants) -> None:
        self.network = network
        self.table = FilterTable(network, labels, variants)
        self.slicer = Slicer(self.table, outcomes)
        self._forget()

    def _forget(self) -> None:
        self._zones: dict[int, frozenset[int]] = {}
        self._translates: dict[int, bool] = {}
        self._variants: dict[int, frozenset[int]] = {}
        self._known: dict[tuple[int, PacketSet, int, int], PacketSet] = {}
        self._rewriter = Rewriter(self.table.services)
        self._version = self.table.version

    def update(self, outcomes: Outcomes | None = None, variants: Variants | None = None) -> None:
        """Another decision graph or other filter variants. Entries are updated by `table.apply`."""
        if outcomes is not None:
            self.slicer.set_outcomes(outcomes)
        if variants is not None:
            self.table.set_variants(variants)
        self._forget()

    def intervals(self, low: Iterable[int], high: Iterable[int]) -> list[Interval]:
        """Label intervals as positions."""
        return positions(self.table.labels, low, high)

    def children(self, node: int) -> list[int]:
        """A node's children."""
        outcomes = self.slicer.outcomes
        return [int(child) for child in outcomes.children[outcomes.first[node] : outcomes.first[node + 1]]]

    def below(self, node: int) -> list[int]:
        """The node and everything below it, children first."""
        seen, todo = {node}, [node]
        while todo:
            for child in self.children(todo.pop()):
                if child not in seen:
                    seen.add(child)
                    todo.append(child)
        return sorted(seen)

    def zones(self, node: int) -> frozenset[int]:
        """Zones that the graph below a node delivers to."""
        if node not in self._zones:
            kind, argument = self.slicer.outcomes.kind, self.slicer.outcomes.a
            self._zones[node] = frozenset(
                int(argument[each]) for each in self.below(node) if kind[each] == Outcome.DELIVER
            )
        return self._zones[node]

    def variants_below(self, node: int) -> frozenset[int]:
        """Filter variants at a node or below it."""
        if node not in self._variants:
            kind, argument = self.slicer.outcomes.kind, self.slicer.outcomes.a
            met = (each for each in self.below(node) if kind[each] in (Outcome.FILTER, Outcome.BRANCH_FILTER))
            self._variants[node] = frozenset(int(argument[each]) for each in met)
        return self._variants[node]

    def translates(self, node: int) -> bool:
        """Whether addresses or ports may change below a node."""
        if node not in self._translates:
            kind = self.slicer.outcomes.kind
            self._translates[node] = any(kind[each] == Outcome.REWRITE for each in self.below(node))
        return self._translates[node]

    def packets(
        self, node: int, sources: Iterable[Interval], destinations: Iterable[Interval], *, every_path: bool = False
    ) -> dict[int, PacketSet]:
        """Per zone the packets from `sources` to `destinations` (positions) that are delivered there; none left out.

        `destinations` belong to one class: `node` says what becomes of packets to them.
        """
        sources, destinations = union_of(sources), union_of(destinations)
        answer = {
            zone: self.between(node, sources, destinations, zone, every_path) for zone in sorted(self.zones(node))
        }
        return {zone: found for zone, found in answer.items() if found}

    def between(
        self, node: int, sources: Iterable[Interval], destinations: Iterable[Interval], zone: int, every_path: bool
    ) -> PacketSet:
        """`delivered` for all packets from `sources` to `destinations` (positions)."""
        if not self.translates(node):
            return self.slicer.permitted(
                sources, destinations, node=node, zone=zone, flags=EVERY_PATH if every_path else 0
            )
        everything = PacketSet.product(self.table.services, sources, destinations, self.table.services.everything)
        return self.delivered(node, everything, zone, every_path)

    def unknown(self, node: int, sources: Iterable[Interval], destinations: Iterable[Interval]) -> PacketSet:
        """The packets one of whose ways ends in something that nobody could read."""
        return self.between(node, sources, destinations, NO_ANSWER, every_path=False)

    def delivered(self, node: int, packets: PacketSet, zone: int, every_path: bool) -> PacketSet:
        """The packets of a set that `node` delivers to a zone (or ANY_ZONE, NO_ANSWER, GOES_ROUND)."""
        return self.reached(node, packets, zone, EVERY_PATH if every_path else 0)

    def reached(self, node: int, packets: PacketSet, zone: int, flags: int) -> PacketSet:
        """As `delivered`, with the flags of slices.py (UPPER: what is unknown may be permitted)."""
        if self._version != self.table.version:
            self._forget()
        return self._value(node, packets.lifted(self.table.services), zone, flags)

    def _value(self, node: int, packets: PacketSet, zone: int, flags: int) -> PacketSet:
        return answered((node, packets), partial(self._asked, zone, flags))

    def _asked(self, zone: int, flags: int, asked: _Asked) -> Asking[_Asked, PacketSet]:
        node, packets = asked
        if not packets:
            return packets
        key = node, packets, zone, flags
        if key not in self._known:
            if self.translates(node):
                self._known[key] = yield from self._translated(node, packets, zone, flags)
            else:
                found = self.slicer.permitted(
                    packets.sources(), packets.destinations(), node=node, zone=zone, flags=flags
                )
                self._known[key] = found & packets
        return self._known[key]

    def _translated(self, node: int, packets: PacketSet, zone: int, flags: int) -> Asking[_Asked, PacketSet]:
        kind, argument = self.slicer.outcomes.kind[node], int(self.slicer.outcomes.a[node])
        children = self.children(node)
        if kind == Outcome.EITHER:
            together = and_ if flags & EVERY_PATH else or_
            answer = yield children[0], packets
            for child in children[1:]:
                answer = together(answer, (yield child, packets))
            return answer
        if kind == Outcome.REWRITE:
            rewrite = Rewrite.of(self.network, argument)
            answer = yield children[0], self._rewriter.image(packets, rewrite)
            return self._rewriter.back(answer, rewrite, packets, every=bool(flags & EVERY_PATH))
        variant = argument + (self.table.rule_base if kind == Outcome.BRANCH_RULE else 0)
        through, unknown = self.split(variant, packets)
        refused = packets - through - unknown
        if flags & UPPER:
            through, refused = through | unknown, refused | unknown
        answer = yield children[0], through
        if zone == NO_ANSWER:
            answer |= unknown
        if kind != Outcome.FILTER:
            answer |= yield children[1], refused
        return answer

    def split(self, variant: int, packets: PacketSet) -> tuple[PacketSet, PacketSet]:
        """What a filter variant permits of some packets, and of which of them it cannot be told."""
        where = packets.sources(), packets.destinations()
        through = self.slicer.permitted(*where, variant=variant) & packets
        unknown = self.slicer.permitted(*where, variant=variant, zone=NO_ANSWER) & packets
        return through, unknown

    def lines(self, node: int, packets: PacketSet) -> frozenset[int]:
        """Lines (index into Network.lines, or NONE) of what nobody could read and some of the packets meet."""
        return answered((node, packets), self._asked_lines)

    def _asked_lines(self, asked: _Asked) -> Asking[_Asked, frozenset[int]]:
        node, packets = asked
        if not packets:
            return frozenset()
        kind, argument = self.slicer.outcomes.kind[node], int(self.slicer.outcomes.a[node])
        children = self.children(node)
        if kind == Outcome.UNKNOWN:
            return frozenset({argument})
        found: frozenset[int] = frozenset()
        if kind == Outcome.EITHER:
            for child in children:
                found |= yield child, packets
        if kind == Outcome.REWRITE:
            found = yield children[0], self._rewriter.exact_image(packets, Rewrite.of(self.network, argument))
        if kind not in (Outcome.FILTER, Outcome.BRANCH_FILTER, Outcome.BRANCH_RULE):
            return found
        variant = argument + (self.table.rule_base if kind == Outcome.BRANCH_RULE else 0)
        through, unknown = self.split(variant, packets)
        found = self.unknown_lines(variant, unknown) | (yield children[0], through)
        return found if kind == Outcome.FILTER else found | (yield children[1], packets - through - unknown)

    def unknown_lines(self, variant: int, packets: PacketSet) -> frozenset[int]:
        """Lines of the unknown entries (NONE: the default) that decide about some of the packets."""
        table, rest, found = self.table, packets, set[int]()
        rows = table.rows(int(table.variant_filter[variant]))
        for entry in range(rows.start, rows.stop):
            if not rest:
                break
            if table.columns["action"][entry] != Action.UNKNOWN:
                continue
            taken = rest & self.match(entry)
            if taken:
                found.add(int(table.columns["line"][entry]))
                rest -= taken
        return frozenset(found | ({NONE} if rest else set()))

    def match(self, entry: int) -> PacketSet:
        """The packets that one row of the table of filters matches, whatever port they came by."""
        columns = self.table.columns
        sources, destinations = (
            positions_of(self.table.labels, int(columns[f"{side}_low"][entry]), int(columns[f"{side}_high"][entry]))
            for side in ("source", "destination")
        )
        bits = self.table.services.bits(int(columns["match"][entry]))
        return PacketSet.product(self.table.services, sources, destinations, bits)


def positions_of(labels: Labels, low: int, high: int) -> list[Interval]:
    """One label interval as positions; one over both families falls into two."""
    ends = [(max(low, begin), min(high, end)) for begin, end in LABEL_FAMILIES]
    return positions(labels, *zip(*[(begin, end) for begin, end in ends if begin < end], strict=True))
