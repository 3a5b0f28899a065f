"""Filters as the native part reads them: entries as label ranges, services as atoms, room for entries to come.

Translation rules stand behind the filters, each as a filter of one permitting entry: a branch at a rule's match is then
a branch at a filter. Entries of a filter are one run of rows; a filter that grows moves to the end of the columns.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.changed import UpdateError, check_position
from orchestrator.forwarding.engine.filter_rows import ADDRESSES, Column, FilterRows, Row, RowChange
from orchestrator.forwarding.engine.labels import END, V4_END, V6_FIRST, Labels
from orchestrator.forwarding.engine.network import ANY_FAMILY, NONE, Action, Matches, Network
from orchestrator.forwarding.engine.outcomes import Variants
from orchestrator.forwarding.engine.service_cells import extended, services
from orchestrator.forwarding.engine.service_keys import distinct_keys, service_keys
from orchestrator.forwarding.engine.services import Services
from orchestrator.forwarding.engine.updates import Entry, EntryUpdate, InsertEntry, Match, RemoveEntry

Long = NDArray[np.int64]
Whole = NDArray[np.int32]


class FilterView(ctypes.Structure):
    """`filter_view` of native/filters.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (*ADDRESSES, "action", "match", "in_port")),
        ("filters", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("start", "count", "otherwise")),
        ("variants", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("variant_filter", "variant_port")),
        ("rule_base", ctypes.c_int64),
        ("matches", ctypes.c_int64),
        ("width", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("words", "run_first", "runs", "whole", "everything")),
    )


class FilterTable:
    """All filters and translation rules of a network, compiled; kept up to date entry by entry."""

    def __init__(self, network: Network, labels: Labels, variants: Variants) -> None:
        """Compile. Raises TooManyServicesError when the service matches cannot be told apart within bounds."""
        filters, rules = network.filters, network.translations
        self.labels = labels
        self.filters = len(filters.default)
        self.rules = len(rules.kind)
        sizes = np.diff(filters.first)
        self.stateful = filters.stateful
        keys = np.concatenate(
            [
                service_keys(filters.match, filters.action, np.repeat(filters.stateful, sizes)),
                service_keys(rules.match),
            ]
        )
        distinct, match = distinct_keys(keys)
        self._known: dict[tuple[tuple[Any, ...], Action, bool], int] = {}
        self._number: dict[bytes, int] = {row.tobytes(): number for number, row in enumerate(distinct)}
        telling = distinct if not self.rules else with_shadows(distinct)
        columns: dict[str, Column] = {}
        both = (filters.match, rules.match)
        for side in ("source", "destination"):
            for end in (labels.low, labels.high):
                values = [end(getattr(part, side)) for part in both]
                values[1] = of_family(values[1], getattr(rules.match, side).family, rules.to.family, end.__name__)
                columns[f"{side}_{end.__name__}"] = np.concatenate(values).astype(np.int64)
        permits = np.full(self.rules, Action.PERMIT, np.int32)
        nowhere = np.full(self.rules, NONE, np.int32)
        columns["action"] = np.concatenate([filters.action, permits]).astype(np.int32)
        columns["match"] = match.astype(np.int32)
        columns["in_port"] = np.concatenate([filters.match.in_port, nowhere]).astype(np.int32)
        columns["line"] = np.concatenate([filters.line, rules.line]).astype(np.int32)
        total = len(filters.match.in_port)
        start = np.concatenate([filters.first[:-1], total + np.arange(self.rules)]).astype(np.int64)
        count = np.concatenate([sizes, np.ones(self.rules, np.int64)]).astype(np.int64)
        self._rows = FilterRows(columns, start, count)
        self.otherwise: Whole = np.concatenate([filters.default, np.full(self.rules, Action.DENY, np.int32)]).astype(
            np.int32
        )
        self.version = 0
        self._view: FilterView | None = None
        self._set_services(services(telling))
        self.set_variants(variants)

    def set_variants(self, variants: Variants) -> None:
        """The filter variants that the decision graph speaks of; rules follow behind them."""
        rules = np.arange(self.filters, self.filters + self.rules, dtype=np.int32)
        self.rule_base = len(variants.filter)
        self.variant_filter: Whole = np.concatenate([variants.filter, rules]).astype(np.int32)
        self.variant_port: Whole = np.concatenate([variants.in_port, np.full(self.rules, NONE)]).astype(np.int32)
        self._view = None

    def _set_services(self, made: Services) -> None:
        self.services = made
        self.version += 1
        if made.words is not None:
            self.whole = np.array([made.bits(number) == made.everything for number in range(len(made.keys))], np.uint8)
        else:
            self.whole = np.zeros(len(made.keys), np.uint8)
        size = made.width * 8
        self.everything = np.frombuffer(made.everything.to_bytes(size, "little"), "<u8").astype(np.uint64)
        self._number = {row.tobytes(): number for number, row in enumerate(made.keys)}
        self._view = None

    @property
    def view(self) -> FilterView:
        """The columns as the native part reads them; valid until the table changes."""
        if self._view is None:
            made = self.services
            arrays = {name: self.columns[name] for name in (*ADDRESSES, "action", "match", "in_port")}
            pointers = {name: column.ctypes.data for name, column in arrays.items()}
            self._view = FilterView(
                **pointers,
                filters=len(self.start),
                start=self.start.ctypes.data,
                count=self.count.ctypes.data,
                otherwise=self.otherwise.ctypes.data,
                variants=len(self.variant_filter),
                variant_filter=self.variant_filter.ctypes.data,
                variant_port=self.variant_port.ctypes.data,
                rule_base=self.rule_base,
                matches=len(made.keys),
                width=made.width,
                words=None if made.words is None else made.words.ctypes.data,
                run_first=made.run_first.ctypes.data,
                runs=made.runs.ctypes.data,
                whole=self.whole.ctypes.data,
                everything=self.everything.ctypes.data,
            )
        return self._view

    @property
    def columns(self) -> dict[str, Column]:
        """Entries by row: addresses as labels, action, number of the service match, port, line."""
        return self._rows.columns

    @property
    def start(self) -> Long:
        """The first row of each filter, then of each translation rule."""
        return self._rows.start

    @property
    def count(self) -> Long:
        """How many rows each has."""
        return self._rows.count

    def rows(self, filter_number: int) -> slice:
        """The rows of a filter's entries."""
        begin = int(self.start[filter_number])
        return slice(begin, begin + int(self.count[filter_number]))

    def area(self, number: int, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The labels, [low, high) of sources and of destinations, that an entry is about."""
        row = int(self.start[number]) + position
        low, high, to, end = (int(self.columns[name][row]) for name in ADDRESSES)
        return (low, high), (to, end)

    def check(self, update: EntryUpdate) -> None:
        """Raise UpdateError when there is no such filter, or no such place in it."""
        if not 0 <= update.filter < self.filters:
            raise UpdateError(f"filter {update.filter} is none of {self.filters}: correct the update")
        check_position(update, int(self.count[update.filter]))

    def apply(self, update: EntryUpdate) -> tuple[Row | None, Row | None]:
        """Take an update of one entry: the numbers of the entry that came, and of the one that went.

        Columns move only when room is used up. Raises UpdateError as `check` does.
        """
        if not 0 <= update.filter < self.filters:
            self.check(update)
        came, kind = None, RowChange.GOES
        if not isinstance(update, RemoveEntry):
            came = self._values(update.entry, bool(self.stateful[update.filter]))
            kind = RowChange.COMES if isinstance(update, InsertEntry) else RowChange.REPLACED
        try:
            moved, went = self._rows.change(update.filter, update.position, kind, came)
        except IndexError:
            self.check(update)
            raise
        if moved:
            self._view = None
        self.version += 1
        return came, went

    def match_number(self, match: Match, action: Action, stateful: bool) -> int:
        """The number of an entry's service match, told apart from others from now on if it was not before."""
        telling = match[2:7], action, stateful
        known = self._known.get(telling)
        if known is not None:
            return known
        key = key_of(match, action, stateful)
        found = self._number.get(key.tobytes())
        if found is None:
            keys = with_shadows(key) if self.rules else key
            self._set_services(extended(self.services, keys))
            found = self._number[key.tobytes()]
        self._known[telling] = found  # matches keep their numbers
        return found

    def tell_apart(self, keys: Whole) -> Services:
        """The services, with these matches (rows of `service_keys`) told apart too from now on."""
        wanted = with_shadows(keys) if self.rules and len(keys) else keys
        made = extended(self.services, wanted)
        if made is not self.services:
            self._set_services(made)
        return made

    def _values(self, entry: Entry, stateful: bool) -> Row:
        match, action, line = entry
        found, interval = self.match_number(match, action, stateful), self.labels.interval
        return *interval(match.source), *interval(match.destination), action, found, match.in_port, line


def of_family(ends: Long, family: NDArray[np.uint8], to_family: NDArray[np.uint8], name: str) -> Long:
    """A rule without an address matches packets of the family it translates to, and no others."""
    four, six = (0, V6_FIRST) if name == "low" else (V4_END, END)
    return np.where(family == ANY_FAMILY, np.where(to_family == 4, four, six), ends)


def with_shadows(keys: Whole) -> Whole:
    """The matches, and each without source ports, destination ports, both.

    A translation moves a packet along one of these axes; with the shadows told apart too, all packets of an atom move
    to one atom (or, with the source port open, to the same atoms). Later fragments have no ports to move along: a match
    of whole packets alone keeps them apart.
    """
    parts = [keys, np.array([(0, 255, 0, 65535, 0, 65535, 1, 0, 0)], np.int32)]
    for free in ((2,), (4,), (2, 4)):
        part = keys.copy()
        for column in free:
            part[:, column : column + 2] = (0, 65535)
        parts.append(part[part[:, 6] == 1])
    together = np.concatenate(parts)
    _, number = distinct_keys(together)
    _, first = np.unique(number, return_index=True)
    return together[np.sort(first)]


def key_of(match: Match, action: Action, stateful: bool) -> Whole:
    """One entry's row of `service_keys`."""

    def column(value: int) -> Whole:
        return np.array([value], np.int32)

    unused = match.source, match.destination
    columns = Matches(
        *unused,  # type: ignore[arg-type] # addresses have no part in a service key
        column(match.protocol[0]),
        column(match.protocol[1]),
        column(match.source_port[0]),
        column(match.source_port[1]),
        column(match.destination_port[0]),
        column(match.destination_port[1]),
        column(match.established),
        column(match.fragment),
        column(match.in_port),
    )
    return service_keys(columns, column(action), np.array([stateful]))
