"""The ways of registered flows in the engine's numbers: where they start, which answers of the engine they hang on."""

from __future__ import annotations

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
