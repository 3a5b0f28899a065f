"""The ways of registered flows in the engine's numbers: where they start, which answers of the engine they hang on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.network import NONE, Packet


class Way(NamedTuple):
    """One direction of a flow: where it starts (attachment rows), and its header in the engine's numbers."""

    attachments: tuple[int, ...]
    packet: Packet
    source: int  # labels
    destination: int


class Places:
    """Which flows hang on the engine's answer for which label at which attachment; asked for many records at once."""

    def __init__(self, ways: Iterable[tuple[int, Way]]) -> None:
        """`ways`: (flow, way) of every direction of every flow."""
        rows = sorted({(attachment, way.destination, flow) for flow, way in ways for attachment in way.attachments})
        attachment, label, flow = np.array(rows, np.int64).reshape(-1, 3).T
        self._labels, rank = np.unique(label, return_inverse=True)
        self._width = len(self._labels) + 1
        self._keys = attachment * self._width + rank
        self._flows: list[int] = flow.tolist()

    def met(self, records: Any) -> set[int]:
        """Flows with a label inside one of the records (rows of attachment, low, high)."""
        base = records["attachment"].astype(np.int64) * self._width
        first = np.searchsorted(self._keys, base + np.searchsorted(self._labels, records["low"]))
        last = np.searchsorted(self._keys, base + np.searchsorted(self._labels, records["high"]))
        some = np.flatnonzero(first < last)
        found = set[int]()
        for begin, end in zip(first[some].tolist(), last[some].tolist(), strict=True):
            found.update(self._flows[begin:end])
        return found


class Meetings:
    """Which flows' headers, on their way or back, meet which filter; asked for those that an entry may match."""

    def __init__(self) -> None:
        self._met: dict[int, dict[int, set[tuple[int, int]]]] = {}  # filter -> flow -> labels of its headers
        self._sorted: dict[int, tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]] = {}

    def note(self, number: int, flow: int, ways: Iterable[Way]) -> None:
        """A flow meets filter `number`; `ways`: both its directions."""
        flows = self._met.setdefault(number, {})
        if flow not in flows:
            flows[flow] = {(way.source, way.destination) for way in ways}
            self._sorted.pop(number, None)

    def within(self, number: int, source: tuple[int, int], destination: tuple[int, int]) -> set[int]:
        """Flows that meet the filter with a header of these labels, [low, high) of each side."""
        if number not in self._met:
            return set()
        by_source, by_destination = self._sorted.get(number) or self._sort(number)
        from_, to = (bisect_left(by_source, (end,)) for end in source)
        start, stop = (bisect_left(by_destination, (end,)) for end in destination)
        if to - from_ < stop - start:
            (low, high), rows = destination, by_source[from_:to]
        else:
            (low, high), rows = source, by_destination[start:stop]
        return {flow for _label, other, flow in rows if low <= other < high}

    def _sort(self, number: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        rows = [(*labels, flow) for flow, headers in self._met[number].items() for labels in headers]
        found = self._sorted[number] = sorted(rows), sorted((there, here, flow) for here, there, flow in rows)
        return found


class Decisions:
    """What filters do with single packets. Forgets nothing by itself: filters whose entries change have to be told."""

    def __init__(self, table: FilterTable) -> None:
        self.table = table
        self._atoms: dict[tuple[int, int, int, bool, bool], int] = {}
        self._services = table.services

    def action(self, variant: int, way: Way) -> int:
        """The Action of the first entry that a way's packet matches, or of the filter's default."""
        table, columns = self.table, self.table.columns
        number = int(table.variant_filter[variant])
        rows = table.rows(number)
        hit = columns["source_low"][rows] <= way.source
        hit &= way.source < columns["source_high"][rows]
        hit &= columns["destination_low"][rows] <= way.destination
        hit &= way.destination < columns["destination_high"][rows]
        atom, port = self._atom(way.packet), int(table.variant_port[variant])
        for row in (np.flatnonzero(hit) + rows.start).tolist():
            if int(columns["in_port"][row]) in (NONE, port) and self._holds(int(columns["match"][row]), atom):
                return int(columns["action"][row])
        return int(table.otherwise[number])

    def _holds(self, match: int, atom: int) -> bool:
        """Whether a match's services hold an atom."""
        services = self.table.services
        if services.words is None:
            return bool(services.bits(match) >> atom & 1)
        return bool(int(services.words[match, atom >> 6]) >> (atom & 63) & 1)

    def _atom(self, packet: Packet) -> int:
        if self._services is not self.table.services:  # told apart further since
            self._services = self.table.services
            self._atoms.clear()
        key = packet.protocol, packet.source_port, packet.destination_port, packet.established, packet.fragment
        known = self._atoms.get(key)
        if known is None:
            known = self._atoms[key] = self._services.atom(packet)
        return known
