"""Filter entries as they are now: rows of the arrays until an update touches them."""

from __future__ import annotations

from orchestrator.forwarding.engine.changed import UpdateError, check_position
from orchestrator.forwarding.engine.entry_reader import EntryReader
from orchestrator.forwarding.engine.network import NONE, Action, Network
from orchestrator.forwarding.engine.updates import Entry, EntryUpdate, InsertEntry, RemoveEntry, ReplaceEntry


class Entries:
    """The entries of every filter, in order."""

    def __init__(self, network: Network) -> None:
        self._filters = network.filters
        self._reader = EntryReader(network.filters)
        self._changed: dict[int, list[int | Entry]] = {}

    def apply(self, update: EntryUpdate) -> EntryUpdate:
        """Change one entry; the update that takes it back. Raises UpdateError when there is no such entry."""
        entries, at = self._list(update.filter), update.position
        check_position(update, len(entries))
        if isinstance(update, InsertEntry):
            entries.insert(at, update.entry)
            return RemoveEntry(update.filter, at)
        old = self._entry(entries[at])
        if isinstance(update, ReplaceEntry):
            entries[at] = update.entry
            return ReplaceEntry(update.filter, at, old)
        del entries[at]
        return InsertEntry(update.filter, at, old)

    def of(self, number: int) -> list[Entry]:
        """All entries of a filter."""
        return [self._entry(entry) for entry in self._list(number)]

    def unread(self, number: int) -> bool:
        """Whether something in a filter is not understood."""
        if self._filters.default[number] == Action.UNKNOWN:
            return True
        actions = self._filters.action
        return any(
            (entry.action if isinstance(entry, Entry) else actions[entry]) == Action.UNKNOWN
            for entry in self._list(number)
        )

    def named(self, number: int) -> set[int]:
        """Ports that entries of a filter name."""
        ports = self._filters.match.in_port
        entries = self._list(number)
        found = {entry.match.in_port if isinstance(entry, Entry) else int(ports[entry]) for entry in entries}
        return found - {NONE}

    def touched(self) -> set[int]:
        """Filters that may differ from the arrays."""
        return set(self._changed)

    def _entry(self, entry: int | Entry) -> Entry:
        return entry if isinstance(entry, Entry) else self._reader.entry(entry)

    def _list(self, number: int) -> list[int | Entry]:
        if number not in self._changed:
            first = self._filters.first
            if not 0 <= number < len(first) - 1:
                raise UpdateError(f"filter {number} is none of {len(first) - 1}: correct the update")
            self._changed[number] = list(range(int(first[number]), int(first[number + 1])))
        return self._changed[number]
