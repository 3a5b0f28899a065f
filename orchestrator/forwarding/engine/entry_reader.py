"""Filter entries of a network's arrays as values."""

from __future__ import annotations

from typing import Final

from orchestrator.forwarding.engine.network import Action, Filters
from orchestrator.forwarding.engine.updates import Entry, Match, Prefix

_ACTIONS: Final = tuple(Action(number) for number in range(len(Action)))


class EntryReader:
    """Entries of the arrays one by one: plain numbers are read through memory views, which is quicker than numpy's."""

    def __init__(self, filters: Filters) -> None:
        match = filters.match
        self._source = [column.data for column in match.source]
        self._destination = [column.data for column in match.destination]
        self._rest = [column.data for column in (*match[2:], filters.action, filters.line)]

    def entry(self, row: int) -> Entry:
        """One filter entry of the arrays."""
        family, high, low, length = [column[row] for column in self._source]
        source = Prefix(family, high << 64 | low, length)
        family, high, low, length = [column[row] for column in self._destination]
        destination = Prefix(family, high << 64 | low, length)
        protocol, to_protocol, first, last, to_first, to_last, established, fragment, port, action, line = [
            column[row] for column in self._rest
        ]
        ranges = (protocol, to_protocol), (first, last), (to_first, to_last)
        return Entry(Match(source, destination, *ranges, established, fragment, port), _ACTIONS[action], line)
