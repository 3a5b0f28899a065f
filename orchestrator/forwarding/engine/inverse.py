"""Kinds of updates as the native part knows them, and what takes a change back, as an update of its own."""

from __future__ import annotations

from typing import Final

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.core import Kind
from orchestrator.forwarding.engine.network import NONE
from orchestrator.forwarding.engine.updates import AddRoute, PortDown, PortUp, RemoveRoute, ReplaceRoute, Update

ROUTES: Final = (AddRoute, RemoveRoute, ReplaceRoute)
PORTS: Final = (PortDown, PortUp)
KINDS: Final = {AddRoute: Kind.ADD_ROUTE, RemoveRoute: Kind.REMOVE_ROUTE, ReplaceRoute: Kind.REPLACE_ROUTE}
INVERSE: Final = {
    Kind.ADD_ROUTE: Kind.REMOVE_ROUTE,
    Kind.REMOVE_ROUTE: Kind.ADD_ROUTE,
    Kind.REPLACE_ROUTE: Kind.REPLACE_ROUTE,
    Kind.PORT_DOWN: Kind.PORT_UP,
    Kind.PORT_UP: Kind.PORT_DOWN,
}


def inverse(change: Change) -> Update:
    """The update that takes a change back."""
    update = change.update
    if change.way_back is not None:
        return change.way_back.update()
    if isinstance(update, PortDown | PortUp):
        return PortUp(update.port) if change.native[0] == Kind.PORT_UP else PortDown(update.port)
    if not isinstance(update, RemoveRoute | ReplaceRoute):
        return RemoveRoute(update.table, update.prefix) if isinstance(update, AddRoute) else update
    line = change.line
    if line is None:
        line = NONE if change.lines is None else change.lines.first(update.table, update.prefix)
    made = AddRoute if isinstance(update, RemoveRoute) else ReplaceRoute
    return made(update.table, update.prefix, change.hops, line)
