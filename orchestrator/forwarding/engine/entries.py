"""Filter entries as they are now: rows of the arrays until an update touches them."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from orchestrator.forwarding.engine.changed import UpdateError, check_position
from orchestrator.forwarding.engine.entry_reader import EntryReader
from orchestrator.forwarding.engine.network import NONE, Action, Network
from orchestrator.forwarding.engine.updates import Entry, EntryUpdate, InsertEntry, RemoveEntry, ReplaceEntry


class Back(NamedTuple):
    """The way back of an entry's update. It is mostly not asked for, so the entry that went is read then."""

    entries: Entries
    done: EntryUpdate
    row: int = 0  # of the entry that went

    def update(self) -> EntryUpdate:
        """The update that takes it back."""
        number, at = self.done.filter, self.done.position
        if isinstance(self.done, InsertEntry):
            return RemoveEntry(number, at)
        made = ReplaceEntry if isinstance(self.done, ReplaceEntry) else InsertEntry
        return made(number, at, self.entries.entry(self.row))


class Entries:
    """The entries of every filter, in order."""

    def __init__(self, network: Network) -> None:
        self._filters = network.filters
        self._reader = EntryReader(network.filters)
        self._changed: dict[int, array[int]] = {}  # rows of the arrays; below zero: -1 - place in `_made`
        self._made: list[Entry] = []
        self._rows = array("q", np.arange(len(network.filters.action), dtype=np.int64).tobytes())  # to copy parts of

    def apply(self, update: EntryUpdate) -> Back:
        """Change one entry; the way back. Raises UpdateError when there is no such entry."""
        entries, at = self._list(update.filter), update.position
        check_position(update, len(entries))
        if isinstance(update, InsertEntry):
            entries.insert(at, self._make(update.entry))
            return Back(self, update)
        if isinstance(update, RemoveEntry):
            return Back(self, update, entries.pop(at))
        old, entries[at] = entries[at], self._make(update.entry)
        return Back(self, update, old)

    def entry(self, row: int) -> Entry:
        """An entry by its row in the arrays; below zero: one that an update brought."""
        return self._made[-1 - row] if row < 0 else self._reader.entry(row)

    def _make(self, entry: Entry) -> int:
        self._made.append(entry)
        return -len(self._made)

    def of(self, number: int) -> list[Entry]:
        """All entries of a filter."""
        return [self.entry(row) for row in self._list(number)]

    def unread(self, number: int) -> bool:
        """Whether something in a filter is not understood."""
        if self._filters.default[number] == Action.UNKNOWN:
            return True
        actions, made = self._filters.action, self._made
        return any((made[-1 - row].action if row < 0 else actions[row]) == Action.UNKNOWN for row in self._list(number))

    def named(self, number: int) -> set[int]:
        """Ports that entries of a filter name."""
        ports, made = self._filters.match.in_port, self._made
        found = {made[-1 - row].match.in_port if row < 0 else int(ports[row]) for row in self._list(number)}
        return found - {NONE}

    def touched(self) -> set[int]:
        """Filters that may differ from the arrays."""
        return set(self._changed)

    def _list(self, number: int) -> array[int]:
        known = self._changed.get(number)
        if known is None:
            first = self._filters.first
            if not 0 <= number < len(first) - 1:
                raise UpdateError(f"filter {number} is none of {len(first) - 1}: correct the update")
            known = self._changed[number] = self._rows[first[number] : first[number + 1]]
        return known
