"""Does a packet get there and its answer back? The engine's answer, kept while nothing on the way changes.

An answer that meets a translating device which never saw the question is left alone there, as connection tracking does
it; the engine's own `flow` would translate it like a packet of its own.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import ECHO_REQUEST, NONE, Action, OperationKind, Packet
from orchestrator.forwarding.engine.plain import Branch, Moment, Treated
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.rows import WIDTH, Filter, Rows
from orchestrator.forwarding.engine.rows import Entry as EntryRow
from orchestrator.forwarding.engine.rows import Match as MatchRow
from orchestrator.forwarding.engine.rows import Prefix as PrefixRow
from orchestrator.forwarding.engine.trail import Memory
from orchestrator.forwarding.engine.updates import Entry, Match, Prefix
from orchestrator.forwarding.engine.ways import CurrentRows, Walker
from orchestrator.forwarding.live import Live
from orchestrator.forwarding.lowered_boxes import PROTOCOLS
from orchestrator.forwarding.walk import Header


class _Kept(NamedTuple):
    """An answer, and the routes and entries on which it rests: the same objects while they say the same.

    Numbers of tables and filters are the shape's, so they hold for an engine built anew too.
    """

    works: bool | None
    tables: Mapping[int, object]
    filters: Mapping[int, object]


class _Lists:
    """Filters as rows, for as long as their entries are the same."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[tuple[Entry, ...], Filter]] = {}

    def row(self, live: Live, number: int) -> Filter:
        """A filter as it is now."""
        entries = live.entries.get(number, ())
        known = self._made.get(number)
        if known is None or known[0] is not entries:
            filters = live.engine.base.filters
            rows = tuple(EntryRow(NONE, _match(entry.match), entry.action, entry.line) for entry in entries)
            made = Filter(rows, Action(int(filters.default[number])), bool(filters.stateful[number]))
            known = self._made[number] = entries, made
        return known[1]


class _Rows(CurrentRows):
    """The rows a walk meets in the state that a `Live` holds."""

    def __init__(self, live: Live, lists: _Lists, still: Rows | None) -> None:
        self._live, self._lists_of = live, lists
        super().__init__(live.engine, still)

    def _filter(self, number: int) -> Filter:
        return self._lists_of.row(self._live, number)

    def _telling(self) -> list[int]:
        """Nothing in an estate looks at source ports: one stands for all."""
        return [0]


class _Noting(Walker):
    """A walker that notes which tables and filters it has met."""

    def __init__(self, rows: CurrentRows) -> None:
        super().__init__(rows)
        self.tables: set[int] = set()
        self.filters: set[int] = set()

    def _route(self, at: Moment, treated: Treated, memories: tuple[Memory, ...]) -> Iterable[Branch]:  # type: ignore[override] # narrower use
        self.tables.add(at.table)
        return super()._route(at, treated, memories)

    def decide(self, index: int, packet: Packet, in_port: int) -> tuple[Action, int, int]:
        """What a filter does with a packet nobody remembers."""
        self.filters.add(index)
        return super().decide(index, packet, in_port)

    def _operation(
        self, kind: OperationKind, index: int, one: Treated, in_port: int, known: Memory | None
    ) -> Iterable[Treated]:
        if kind == OperationKind.TRANSLATE and one.packet.established:
            return [one]
        return super()._operation(kind, index, one, in_port, known)


class Exchanges:
    """Answers for the state that a `Live` holds."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.walked = 0
        self._kept: dict[tuple[str, Header], list[_Kept]] = {}
        self._lists = _Lists()
        self._current: tuple[Engine, int, _Rows] | None = None

    def works(self, node: str, header: Header) -> bool | None:
        """True when the packet and its answer arrive; None when it cannot be told."""
        zone = self.live.lowering.zone(node)
        if zone is None:
            return False
        for kept in self._kept.get((zone, header), ()):
            if self._holds(kept):
                return kept.works
        self.walked += 1
        walker = _Noting(self._rows())
        answer = works(walker, self.live.zones[zone], _packet(header))
        tables = {table: self.live.state.routes.get(table) for table in walker.tables}
        filters = {index: self.live.entries.get(index) for index in walker.filters}
        self._kept.setdefault((zone, header), []).append(_Kept(answer, tables, filters))
        return answer

    def _rows(self) -> _Rows:
        engine = self.live.engine
        if self._current is None or self._current[:2] != (engine, engine.version):
            still = self._current[2] if self._current is not None and self._current[0] is engine else None
            self._current = engine, engine.version, _Rows(self.live, self._lists, still)
        return self._current[2]

    def _holds(self, kept: _Kept) -> bool:
        routes, entries = self.live.state.routes, self.live.entries
        return all(routes.get(table) is made for table, made in kept.tables.items()) and all(
            entries.get(number) is made for number, made in kept.filters.items()
        )


def _packet(header: Header) -> Packet:
    """A header as the engine's packet; icmp is a ping."""
    ports = (0, ECHO_REQUEST) if header.protocol == "icmp" else (header.source_port, header.port)
    return Packet(4, header.source, header.destination, PROTOCOLS[header.protocol][0], *ports)


def _match(match: Match) -> MatchRow:
    source, destination = (_prefix(side) for side in match[:2])
    return MatchRow(source, destination, *match[2:])


def _prefix(prefix: Prefix) -> PrefixRow:
    return PrefixRow(prefix.family, prefix.address, WIDTH[prefix.family] - prefix.length)
