"""Which changes stand: those that were applied and are not taken back, in order, and the last of every row.

A row is what one change is about: the route of a table and prefix, a port, or all entries of a filter, whose positions
mean what they meant when it was applied only while no later change of that filter stands.
"""

from __future__ import annotations

from itertools import count
from typing import Final

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.inverse import PORTS, ROUTES
from orchestrator.forwarding.engine.updates import Prefix, Update

Row = tuple[int, Prefix] | tuple[str, int]

_SERIAL: Final = count(1)
"""One for all engines: a change of another one stands in none but its own."""


class Standing:
    """The changes of one engine."""

    def __init__(self) -> None:
        self._order: list[int] = []
        self._last: dict[Row, int] = {}

    def applied(self, update: Update) -> tuple[int, int]:
        """A new change stands: its number, and that of the one before it in its row (0: none)."""
        row, serial = _row(update), next(_SERIAL)
        earlier = self._last.get(row, 0)
        self._last[row] = serial
        self._order.append(serial)
        return serial, earlier

    def again(self, change: Change) -> None:
        """The last change is one that stood before, applied again."""
        self._order[-1] = self._last[_row(change.update)] = change.serial

    def check(self, change: Change) -> None:
        """Raise UpdateError when a change does not stand here, or another one of its row stands after it."""
        if self._last.get(_row(change.update)) == change.serial and change.serial:
            return
        if change.serial not in self._order:
            raise UpdateError("the change does not stand: it is taken back already, or another engine's")
        kinds = (("route", ROUTES), ("port", PORTS), ("filter", object))
        what = next(name for name, kind in kinds if isinstance(change.update, kind))
        raise UpdateError(f"a later change of the same {what} stands: take that one back first")

    def check_last(self, change: Change) -> None:
        """Raise UpdateError when a change is not the last one that stands."""
        self.check(change)
        if self._order[-1] != change.serial:
            raise UpdateError("later changes stand: ask about the last one, or about two engines (difference_to)")

    def taken_back(self, change: Change) -> None:
        """A change that was checked does not stand any more."""
        if self._order[-1] == change.serial:
            self._order.pop()
        else:
            self._order.remove(change.serial)
        if change.earlier:
            self._last[_row(change.update)] = change.earlier
        else:
            del self._last[_row(change.update)]


def _row(update: Update) -> Row:
    if isinstance(update, ROUTES):
        return update.table, update.prefix
    return ("port", update.port) if isinstance(update, PORTS) else ("filter", update.filter)
