"""What can change in a network between two questions. Frozen; `Engine.apply` takes one, `Engine.undo` takes it back.

`changed.py` says the meaning of each by making a new `Network`; the engine's answer after `apply` equals the answer of
an engine built from that network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.forwarding.engine.network import ANY_FAMILY, EVERY_PORT, EVERY_PROTOCOL, NONE, Action, HopKind


class Prefix(NamedTuple):
    """One prefix; family 0 with length 0 is every address of every family (in matches only)."""

    family: int = ANY_FAMILY
    address: int = 0
    length: int = 0


EVERYWHERE = Prefix()


class Hop(NamedTuple):
    """One next hop, as in `network.Groups`."""

    kind: HopKind
    target: int = NONE


class Match(NamedTuple):
    """One row of `network.Matches`; ranges include both ends."""

    source: Prefix = EVERYWHERE
    destination: Prefix = EVERYWHERE
    protocol: tuple[int, int] = EVERY_PROTOCOL
    source_port: tuple[int, int] = EVERY_PORT
    destination_port: tuple[int, int] = EVERY_PORT
    established: int = NONE
    fragment: int = NONE
    in_port: int = NONE


class Entry(NamedTuple):
    """One filter entry: what it matches, what it does, and where it is written (index into Network.lines)."""

    match: Match
    action: Action
    line: int = NONE


@dataclass(frozen=True, slots=True)
class AddRoute:
    """A route that the table does not have yet (InputError when it has)."""

    table: int
    prefix: Prefix
    hops: tuple[Hop, ...]
    line: int = NONE


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """A route that the table has."""

    table: int
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class ReplaceRoute:
    """Other next hops for a route that the table has."""

    table: int
    prefix: Prefix
    hops: tuple[Hop, ...]
    line: int = NONE


@dataclass(frozen=True, slots=True)
class InsertEntry:
    """A new entry before the one that is now at `position` (0 is the first; the count of entries appends)."""

    filter: int
    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class RemoveEntry:
    """The entry at `position` goes."""

    filter: int
    position: int


@dataclass(frozen=True, slots=True)
class ReplaceEntry:
    """Another entry at `position`."""

    filter: int
    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class PortDown:
    """The port carries nothing any more, in neither direction: what should leave or enter by it is dropped."""

    port: int


@dataclass(frozen=True, slots=True)
class PortUp:
    """The port carries again."""

    port: int


RouteUpdate = AddRoute | RemoveRoute | ReplaceRoute
EntryUpdate = InsertEntry | RemoveEntry | ReplaceEntry
PortUpdate = PortDown | PortUp
Update = RouteUpdate | EntryUpdate | PortUpdate
