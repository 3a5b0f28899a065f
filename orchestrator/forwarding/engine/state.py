"""What an engine knows: a network's answers, kept up to date change by change; every change can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.change import NO_RECORDS, Change, readings
from orchestrator.forwarding.engine.changed import UpdateError, changed
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.core import AnswerError, Applied, Core, Counts, Kind
from orchestrator.forwarding.engine.cuts import Cuts
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.entries import Entries
from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.hop_groups import HopGroups
from orchestrator.forwarding.engine.inverse import INVERSE, KINDS, PORTS, ROUTES, inverse
from orchestrator.forwarding.engine.labels import Labels, LabelsError
from orchestrator.forwarding.engine.native import NativeError
from orchestrator.forwarding.engine.network import NONE, Network
from orchestrator.forwarding.engine.outcomes import Attachments, Classes, Outcomes, Variants
from orchestrator.forwarding.engine.route_lines import RouteLines
from orchestrator.forwarding.engine.sound import Sound, check_prefix
from orchestrator.forwarding.engine.standing import Standing
from orchestrator.forwarding.engine.tables import compile_network
from orchestrator.forwarding.engine.updates import (
    EntryUpdate,
    Hop,
    InsertEntry,
    PortDown,
    PortUp,
    Prefix,
    RemoveEntry,
    RemoveRoute,
    ReplaceEntry,
    RouteUpdate,
    Update,
)
from orchestrator.forwarding.engine.variant_needs import suffices


class EngineState:
    """The answers of one network as it changes. Not for two threads at a time."""

    def __init__(self, network: Network, *, checked: bool = False) -> None:
        """Build and answer everything; `checked`: `check_network` has seen the network already."""
        if not checked:
            check_network(network)
        self.generation = 0
        self.version = 0
        self._standing = Standing()
        self._build(network)

    def _build(self, network: Network) -> None:
        self._base = network
        self._updates: list[Update] = []
        self._compiled = compile_network(network)
        self._core = Core(self._compiled)
        self._lines = RouteLines(network, self._compiled)
        self._cuts = Cuts(network, self._compiled, self._core)
        self.entries = Entries(network)
        self._sound = Sound(network)
        self._groups = HopGroups(network.groups, self._core, self._sound)
        self.__dict__.pop("_decider", None)
        self.generation += 1

    # ---- what there is ----

    @property
    def base(self) -> Network:
        """The network as it was built: everything in it but routes, entries and port states is as it is now."""
        return self._base

    @property
    def network(self) -> Network:
        """The network as it is after all updates."""
        return changed(self._base, self._updates) if self._updates else self._base

    @property
    def labels(self) -> Labels:
        """Addresses as labels."""
        return self._compiled.labels

    @property
    def variants(self) -> Variants:
        """Filters as packets meet them by named ports."""
        return self._compiled.variants

    @property
    def attachments(self) -> Attachments:
        """Columns of `Classes.node`."""
        return self._compiled.attachments

    @property
    def core(self) -> Core:
        """The native part, for questions in its own numbers."""
        return self._core

    def counts(self) -> Counts:
        """How much of everything there is."""
        return self._core.counts()

    def outcomes(self) -> Outcomes:
        """The decision graph, with every node made so far."""
        return self._core.outcomes()

    def classes(self) -> Classes:
        """Destinations by what becomes of them at every attachment."""
        return self._core.classes()

    def segments(self, attachment: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """One attachment's answers: labels where stretches begin, and their nodes."""
        return self._core.segments(attachment)

    @cached_property
    def _decider(self) -> Decider:
        decider = Decider(self._base, self.labels, self.outcomes(), self.variants)
        for update in self._updates:
            if isinstance(update, InsertEntry | RemoveEntry | ReplaceEntry):
                decider.table.apply(update)
        return decider

    @property
    def decider(self) -> Decider:
        """Which packets pass the filters and translations of a node; knows all nodes and entries there are now."""
        decider = self._decider
        if len(decider.slicer.outcomes.kind) != self._core.counts().nodes:
            decider.slicer.set_outcomes(self.outcomes())
        return decider

    @property
    def table(self) -> FilterTable:
        """Filters and translation rules as the native part reads them, as they are now."""
        return self._decider.table

    @property
    def reads_unknown(self) -> bool:
        """Whether some filter has an entry, or a default, that nobody could read."""
        return bool(self._compiled.arrays["variant_unread"].any())

    # ---- changes ----

    def apply(self, update: Update) -> Change:
        """Change the network and every answer. Raises UpdateError when the update does not fit; nothing is changed."""
        self.version += 1
        if isinstance(update, ROUTES):
            return self._route(update)
        return self._port(update) if isinstance(update, PORTS) else self._entry(update)

    def undo(self, change: Change) -> None:
        """Take a change back: exactly and at once the last one that stands, else by its inverse.

        Raises UpdateError when it does not stand, or a later one of the same route, port or filter does.
        """
        self._standing.check(change)
        self.version += 1
        last = bool(self._updates) and self._updates[-1] is change.update and change.generation == self.generation
        if last and change.filter == NONE:
            self._core.restore(*change.native, change.records)
            if isinstance(change.update, ROUTES):
                self._lines.put(change.update.table, change.update.prefix, change.line)
            self._updates.pop()
        else:
            back = self.apply(self.inverse(change))
            self._standing.taken_back(back)
            if last and change.generation == self.generation:
                del self._updates[-2:]
        self._standing.taken_back(change)

    @contextmanager
    def without(self, change: Change) -> Iterator[None]:
        """The network before the last change that stands; the change stands again afterwards, whatever happens.

        Raises UpdateError when it is not the last one.
        """
        self._standing.check_last(change)
        self.undo(change)
        try:
            yield
        finally:
            self.apply(change.update)
            self._standing.again(change)

    def inverse(self, change: Change) -> Update:
        """The update that takes a change back."""
        return inverse(change)

    def _route(self, update: RouteUpdate) -> Change:
        if not 0 <= update.table < len(self._base.tables):
            raise UpdateError(f"table {update.table} is none of {len(self._base.tables)}: correct the update")
        check_prefix(update.prefix)
        if not isinstance(update, RemoveRoute):
            self._sound.line(update.line)
            self._groups.check(update.hops)
        try:
            low, high = self.labels.interval(update.prefix)
            self._cuts.at((low, high))
        except LabelsError:
            self._build(self.network)
            low, high = self.labels.interval(update.prefix)
            self._cuts.at((low, high))
        # of the engine as it is now
        group = NONE if isinstance(update, RemoveRoute) else self._groups.number(update.hops)
        kind = KINDS[type(update)]
        applied = self._native(kind, update.table, low, high, group)
        line = self._lines.brought(update)
        self._updates.append(update)
        old = () if applied.before < 0 else self._groups.hops(applied.before)
        native = (INVERSE[kind], update.table, low, high, applied.before)
        back = native, old, line, self._lines
        return Change(
            update, applied.records, NONE, None, None, *back, self.generation, *self._standing.applied(update)
        )

    def _port(self, update: PortDown | PortUp) -> Change:
        if not 0 <= update.port < len(self._base.ports.table):
            raise UpdateError(f"port {update.port} is none of {len(self._base.ports.table)}: correct the update")
        kind = Kind.PORT_UP if isinstance(update, PortUp) else Kind.PORT_DOWN
        applied = self._native(kind, update.port, 0, 1, NONE)
        was_up = bool(applied.before)
        self._updates.append(update)
        native = (int(Kind.PORT_UP if was_up else Kind.PORT_DOWN), update.port, 0, 1, NONE)
        stands = self._standing.applied(update)
        return Change(update, applied.records, NONE, None, None, native, (), None, None, self.generation, *stands)

    def _native(self, kind: Kind, at: int, low: int, high: int, group: int) -> Applied:
        """One change of the native part; it is of no use any more once it could not answer, and is made anew."""
        try:
            return self._core.apply(kind, at, low, high, group)
        except (AnswerError, NativeError):
            self._build(self.network)
            raise

    def _entry(self, update: EntryUpdate) -> Change:
        if not isinstance(update, RemoveEntry):
            self._sound.entry(update.entry)
        rows, current = None, True
        if "_decider" in self.__dict__:
            try:
                rows = self._decider.table.apply(update)
            except LabelsError:
                current = False
        way_back = self.entries.apply(update)
        self._updates.append(update)
        given = readings(update, way_back, rows)
        if not current or not suffices(self._compiled, self.entries, update.filter, given):
            self._anew()
        stands = self._standing.applied(update)
        return Change(
            update,
            NO_RECORDS,
            update.filter,
            way_back,
            rows,
            generation=self.generation,
            serial=stands[0],
            earlier=stands[1],
        )

    def _anew(self) -> None:
        """Everything anew after the last update; as it was before when that cannot be."""
        before = changed(self._base, self._updates[:-1])
        try:
            self._build(self.network)
        except OnefoldError:
            self._build(before)
            raise

    # ---- groups and lines ----

    def group(self, hops: tuple[Hop, ...]) -> int:
        """The number of a group of next hops, for batches of route updates. Raises UpdateError for bad ones."""
        return self._groups.number(hops)

    def hops(self, group: int) -> tuple[Hop, ...]:
        """The next hops of a group."""
        return self._groups.hops(group)

    def line(self, table: int, prefix: Prefix) -> int:
        """Where a route stands that is there now (index into Network.lines), or NONE."""
        return self._lines.now(table, prefix)
