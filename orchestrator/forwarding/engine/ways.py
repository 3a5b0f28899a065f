"""Single packets through the network as the engine has it now: their ways, why they end there, and flows.

The walk is the plain walker's, which knows nothing of classes and graphs. The engine only hands it the rows it meets,
so that a million routes need not be read for one packet. Entries are numbered inside their filter here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from orchestrator.forwarding.engine.changed import filters_of
from orchestrator.forwarding.engine.network import (
    EVERY_PORT,
    NONE,
    Action,
    Filters,
    Int,
    Network,
    OperationKind,
    Packet,
    Prefixes,
    Routes,
)
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.rows import Filter, Port, Route, Rows
from orchestrator.forwarding.engine.rows import Prefix as PrefixRow
from orchestrator.forwarding.engine.trail import Ending, Trail
from orchestrator.forwarding.engine.updates import Prefix

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.engine import Engine

Value = TypeVar("Value")


class Reason(NamedTuple):
    """Why one branch of a packet's way ends as it does, and the line ("file:line", "" when not known) that decides."""

    ending: Ending
    zone: int  # where it was delivered, or NONE
    what: str
    table: str  # the last table it was in, "" when it was never sent
    line: str
    filter: int = NONE  # that denies it, or that nobody could read here
    by_default: bool = False  # no entry of that filter is about the packet


class _Made(dict[int, Value]):
    """A sequence whose rows are made when they are asked for."""

    def __init__(self, make: Callable[[int], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, number: int) -> Value:
        self[number] = self._make(number)
        return self[number]


def _none(prefixes: Prefixes) -> Prefixes:
    return Prefixes(prefixes.family[:0], prefixes.high[:0], prefixes.low[:0], prefixes.length[:0])


def _bare(base: Network, filters: Filters) -> Network:
    """A network without routes, and with other filters."""
    none = _none(base.routes.prefix)
    routes = Routes(base.routes.table[:0], none, base.routes.group[:0])
    return Network(**{**base.__dict__, "routes": routes, "route_line": base.route_line[:0], "filters": filters})


class CurrentRows(Rows):
    """The rows a walk meets, as the engine has them now. Routes are numbered as they are met."""

    def __init__(self, engine: Engine, still: Rows | None = None) -> None:
        """`still`: rows made before for the same base, whose ports, translations and zones are taken over."""
        rows = still or Rows(_bare(engine.base, filters_of([])))
        # those that were made from rows, not rows made from others in their turn: updates are many
        self._still: Rows = rows._still if isinstance(rows, CurrentRows) else rows
        self._engine = engine
        self._up = engine.core.ups()
        self._number: dict[tuple[int, Prefix], int] = {}
        self._lines: list[int] = []
        groups: Any = _Made(engine.hops)
        filters: Any = _Made(self._filter)
        ports: Any = _Made(self._port)
        self.groups, self.filters, self.ports = groups, filters, ports
        self.routes = []
        self.translations, self.policies = rows.translations, rows.policies
        self.attached, self.senders = rows.attached, rows.senders
        self.telling_source_ports = self._telling()

    def _port(self, number: int) -> Port:
        return self._still.ports[number]._replace(up=bool(self._up[number]))

    def _filter(self, number: int) -> Filter:
        base = self._engine.base
        made = Rows(_bare(_nothing(base), filters_of(self._engine.entries.of(number)))).filters[0]
        return made._replace(
            default=Action(int(base.filters.default[number])), stateful=bool(base.filters.stateful[number])
        )

    def _telling(self) -> list[int]:
        """One source port of every set of them that no match tells apart."""
        base, entries = self._engine.base, self._engine.entries
        matches = [base.filters.match, base.translations.match]
        matches += [filters_of(entries.of(number)).match for number in sorted(entries.touched())]
        cuts: list[Int] = [np.zeros(1, np.int32)]
        cuts += [column for match in matches for column in (match.source_port_low, match.source_port_high + 1)]
        found: list[int] = np.unique(np.concatenate(cuts)).tolist()
        return [cut for cut in found if cut <= EVERY_PORT[1]]

    def longest(self, table: int, packet: Packet) -> int:
        """The number of the route that decides; NONE without any."""
        labels = self._engine.labels
        found = self._engine.core.route(table, labels.of(packet.family, packet.destination))
        if found is None:
            return NONE
        group, low, high = found
        address = labels.address(low)[1]
        rest = (labels.address(high)[1] - address).bit_length() - 1
        prefix = Prefix(packet.family, address, (32 if packet.family == 4 else 128) - rest)
        key = table, prefix
        if key not in self._number:
            self._number[key] = len(self.routes)
            self.routes.append(Route(len(self.routes), PrefixRow(packet.family, address, rest), group))
            self._lines.append(self._engine.line(table, prefix))
        return self._number[key]

    def line_of(self, route: int) -> int:
        """The line of a route that was met."""
        return NONE if route == NONE else self._lines[route]


def _nothing(base: Network) -> Network:
    """The names of a network alone: what rows of one filter are read with."""
    ports = base.ports
    empty = {name: getattr(ports, name)[:1] * 0 for name in ("ingress_first", "egress_first")}
    no_ports = ports._replace(**{name: column[:0] for name, column in ports._asdict().items() if column is not None})
    zones = base.zones._replace(
        zone=base.zones.zone[:0],
        port=base.zones.port[:0],
        source=_none(base.zones.source),
    )
    groups = base.groups._replace(first=base.groups.first[:1], kind=base.groups.kind[:0], target=base.groups.target[:0])
    return Network(**{**base.__dict__, "ports": no_ports._replace(**empty), "zones": zones, "groups": groups})


class Walker(Plain):
    """The plain walker over rows that are there already."""

    def __init__(self, rows: CurrentRows) -> None:
        self.rows = rows


def reasons(engine: Engine, walker: Walker, trails: list[Trail]) -> list[Reason]:
    """What ended each branch: a filter's entry, a route, a port, or the packet's arrival."""
    return [_reason(engine, walker, trail) for trail in trails]


def _reason(engine: Engine, walker: Walker, trail: Trail) -> Reason:
    end, last = trail.end, trail.steps[-1] if trail.steps else None
    line = end.line
    if line == NONE and last is not None and end.reason not in ("denied", "unknown entry"):
        line = walker.rows.line_of(last.route)
    table = engine.base.tables[last.table] if last is not None else ""
    name = engine.base.lines[line] if line != NONE else ""
    filtered = last is not None and end.reason in ("denied", "unknown entry")
    decides = last.passed[-1] if filtered and last is not None else None
    if decides is None or decides.kind != OperationKind.FILTER:
        return Reason(end.ending, end.zone, end.reason, table, name)
    return Reason(end.ending, end.zone, end.reason, table, name, decides.number, decides.row == NONE)
