"""What one update did to an engine: which answers it made others, and what takes it back."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.core import RECORD
from orchestrator.forwarding.engine.entries import Back
from orchestrator.forwarding.engine.filter_rows import ACTION, IN_PORT, Row
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.route_lines import RouteLines
from orchestrator.forwarding.engine.updates import EntryUpdate, Hop, RemoveEntry, Update

NO_RECORDS: Final = np.zeros(0, RECORD)


class Change(NamedTuple):
    """What one update did.

    `records`: rows of attachment, label interval [low, high), and the nodes of its outcome before and after; they are
    all the answers that changed by other ways. A filter entry changes none of them: `filter` says which filter did.
    """

    update: Update
    records: NDArray[Any]
    filter: int = NONE
    way_back: Back | None = None  # of a changed entry
    rows: tuple[Row | None, Row | None] | None = None  # numbers of the entry that came, and of the one that went
    native: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)  # kind that undoes, at, low, high, group
    hops: tuple[Hop, ...] = ()  # of the route that went or was replaced
    line: int | None = None  # of that route, when an update made it
    lines: RouteLines | None = None  # which say it else, as the engine was then
    generation: int = 0
    serial: int = 0  # of all changes of all engines; 0: no engine applied it
    earlier: int = 0  # the change that its route, port or filter had last before it

    @property
    def back(self) -> EntryUpdate | None:
        """The update that takes a changed entry back."""
        return None if self.way_back is None else self.way_back.update()


def readings(update: EntryUpdate, way_back: Back, rows: tuple[Row | None, Row | None] | None) -> list[tuple[int, int]]:
    """The actions of the entries that came and went, and the ports that they name."""
    if rows is not None:
        return [(row[ACTION], row[IN_PORT]) for row in rows if row is not None]
    both = (one for one in (update, way_back.update()) if not isinstance(one, RemoveEntry))
    return [(one.entry.action, one.entry.match.in_port) for one in both]
