"""Where packets of one source to one destination end, by the engine's graph of decisions, all classes of ports at once.

The engine says which node of its graph is in charge of a destination; here its filters and translations are read for
single addresses. A set of classes of ports is a number, one bit for each.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestrator.forwarding.engine.deep import Asking, answered
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, Action
from orchestrator.forwarding.engine.outcomes import Outcome
from orchestrator.forwarding.engine.rows import Rows, Rule
from orchestrator.forwarding.engine.updates import Entry, Match, Prefix
from orchestrator.forwarding.live import Live
from orchestrator.forwarding.lowered_boxes import PROTOCOLS

DROPPED, UNKNOWN, LOOPS = "", "?", "@"
"""What becomes of packets that no zone receives; no zone has such a name."""

Ports = tuple[tuple[int, int], ...]
"""(protocol, destination port) of each class."""

Span = tuple[int, int]
"""(network, mask)."""


class Flow(NamedTuple):
    """Packets on their way: `ports` of all classes, and the classes still among them."""

    source: int
    destination: int
    ports: Ports
    classes: int


class _Test(NamedTuple):
    """A header match without the port of entry."""

    source: Span
    destination: Span
    protocol: tuple[int, int]
    numbers: tuple[int, int]


Ends = dict[str, int]
"""End -> classes with a way that ends so. Equally good ways may put one class into several."""


class Graph:
    """The present graph of an engine, read for single addresses. Made anew when the engine is built anew."""

    def __init__(self, live: Live) -> None:
        self.live, self.engine = live, live.engine
        self._zones = self.engine.base.zone_names
        self._rules = _rules(self.engine)
        self._compiled: dict[int, tuple[tuple[Entry, ...], list[tuple[_Test, Action]]]] = {}
        self._carried: dict[tuple[tuple[int, int], tuple[int, int], Ports], int] = {}
        self._below: dict[int, frozenset[int]] = {}
        self._size = -1

    def refresh(self) -> None:
        """Read the nodes that have been made since; a node never changes."""
        size = self.engine.counts().nodes
        if size != self._size:
            outcomes = self.engine.outcomes()
            self._size = size
            self._kind, self._a = outcomes.kind.tolist(), outcomes.a.tolist()
            self._first, self._children = outcomes.first.tolist(), outcomes.children.tolist()

    def children(self, node: int) -> list[int]:
        """A node's children."""
        found: list[int] = self._children[self._first[node] : self._first[node + 1]]
        return found

    def filters_below(self, node: int) -> frozenset[int]:
        """Filters that packets may meet at a node or behind it."""
        return answered(node, self._filters_below)

    def _filters_below(self, node: int) -> Asking[int, frozenset[int]]:
        known = self._below.get(node)
        if known is None:
            known = frozenset()
            for child in self.children(node):
                known |= yield child
            if self._kind[node] in (Outcome.FILTER, Outcome.BRANCH_FILTER):
                known |= {int(self.engine.variants.filter[self._a[node]])}
            self._below[node] = known
        return known

    def ends(self, node: int, flow: Flow) -> Ends:
        """Where the packets end that a node is in charge of."""
        return answered((node, flow), self._ends)

    def _ends(self, asked: tuple[int, Flow]) -> Asking[tuple[int, Flow], Ends]:
        node, flow = asked
        if not flow.classes:
            return {}
        kind, argument = self._kind[node], self._a[node]
        if kind == Outcome.DELIVER:
            return {self._zones[argument]: flow.classes}
        if kind in _BARE:
            return {_BARE[kind]: flow.classes}
        children = self.children(node)
        if kind == Outcome.EITHER:
            found: Ends = {}
            for child in children:
                found = _joined(found, (yield child, flow))
            return found
        if kind == Outcome.REWRITE:
            return (yield children[0], _rewritten(self._rules[argument], flow))
        if kind == Outcome.BRANCH_RULE:
            taken, unknown = self._meets(_test(self._rules[argument]), flow), 0
        else:
            taken, unknown = self._permitted(argument, flow)
        others = flow.classes & ~taken & ~unknown
        rest = {DROPPED: others} if kind == Outcome.FILTER else (yield children[1], flow._replace(classes=others))
        return _joined((yield children[0], flow._replace(classes=taken)), rest, {UNKNOWN: unknown})

    def _permitted(self, variant: int, flow: Flow) -> tuple[int, int]:
        """Classes that a filter permits, and those of which it cannot be told."""
        number = int(self.engine.variants.filter[variant])
        found = {Action.PERMIT: 0, Action.UNKNOWN: 0, Action.DENY: 0}
        left = flow.classes
        for test, action in self._entries(variant, number):
            taken = self._meets(test, flow) & left
            found[action] |= taken
            left &= ~taken
            if not left:
                break
        found[Action(int(self.engine.base.filters.default[number]))] |= left
        return found[Action.PERMIT], found[Action.UNKNOWN]

    def _entries(self, variant: int, number: int) -> list[tuple[_Test, Action]]:
        """The entries of a filter that packets meet which entered by the variant's port."""
        entries = self.live.entries.get(number, ())
        known = self._compiled.get(variant)
        if known is None or known[0] is not entries:
            port = int(self.engine.variants.in_port[variant])
            tests = [(_entry_test(entry.match), entry.action) for entry in entries if _enters(entry.match, port)]
            known = self._compiled[variant] = entries, tests
        return known[1]

    def _meets(self, test: _Test, flow: Flow) -> int:
        """Classes of the flow that a match takes."""
        if (
            flow.source & test.source[1] != test.source[0]
            or flow.destination & test.destination[1] != test.destination[0]
        ):
            return 0
        key = test.protocol, test.numbers, flow.ports
        known = self._carried.get(key)
        if known is None:
            known = self._carried[key] = _carried(*key)
        return known & flow.classes


_BARE: Final = {Outcome.DROP: DROPPED, Outcome.LOOP: LOOPS, Outcome.UNKNOWN: UNKNOWN}


def _carried(protocols: tuple[int, int], numbers: tuple[int, int], ports: Ports) -> int:
    found = 0
    for index, (protocol, port) in enumerate(ports):
        if protocols[0] <= protocol <= protocols[1] and numbers[0] <= port <= numbers[1]:
            found |= 1 << index
    return found


def _enters(match: Match, port: int) -> bool:
    """Nothing is remembered of single packets, so entries for answers take none of them."""
    return match.in_port in (NONE, port) and match.established == NONE and match.fragment == NONE


def _span(prefix: Prefix) -> Span:
    mask = 0xFFFFFFFF << (32 - prefix.length) & 0xFFFFFFFF if prefix.family else 0
    return prefix.address & mask, mask


def _entry_test(match: Match) -> _Test:
    return _Test(_span(match.source), _span(match.destination), match.protocol, match.destination_port)


def _test(rule: Rule) -> _Test:
    source, destination = (
        (side.network, 0xFFFFFFFF << side.rest & 0xFFFFFFFF if side.family else 0)
        for side in (rule.match.source, rule.match.destination)
    )
    return _Test(source, destination, rule.match.protocol, rule.match.destination_port)


def _rewritten(rule: Rule, flow: Flow) -> Flow:
    """Nothing in an estate looks at source ports, so what a translation makes of them is of no account."""
    if not rule.rewrites_destination:
        return flow._replace(source=rule.new_address(flow.source))
    ports = flow.ports
    if rule.to_port != NONE:
        ports = tuple((protocol, rule.to_port) for protocol, _port in ports)
    return flow._replace(destination=rule.new_address(flow.destination), ports=ports)


def _joined(*several: Ends) -> Ends:
    found: Ends = {}
    for ends in several:
        for end, classes in ends.items():
            if classes:
                found[end] = found.get(end, 0) | classes
    return found


def _rules(engine: Engine) -> list[Rule]:
    """Translation rules by their row; they stay while the engine is not built anew."""
    return [rule for rules in Rows(engine.base).translations for rule in rules]


def ports_of(classes: Sequence[tuple[str, int]]) -> Ports:
    """Classes of ports by the number of their protocol."""
    return tuple((PROTOCOLS[name][0], port) for name, port in classes)


def by_class(ends: Ends, count: int) -> tuple[str, ...]:
    """One end for each class; ways that disagree about a delivery are unknown."""
    if len(ends) == 1:  # one end for all that were asked about
        return tuple(ends) * count
    found = []
    for index in range(count):
        mine = {end for end, classes in ends.items() if classes >> index & 1}
        if mine <= {DROPPED, LOOPS}:
            found.append(LOOPS if LOOPS in mine else DROPPED)
        else:
            found.append(mine.pop() if len(mine) == 1 else UNKNOWN)
    return tuple(found)
