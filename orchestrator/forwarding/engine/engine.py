"""The engine: a network's answers, kept up to date change by change, and every change can be taken back."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.change import NO_RECORDS, Change, readings
from orchestrator.forwarding.engine.changed import UpdateError, changed
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.core import Core, Counts, Kind
from orchestrator.forwarding.engine.cuts import Cuts
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.difference import Difference, difference
from orchestrator.forwarding.engine.digest import digest_of
from orchestrator.forwarding.engine.entries import Entries
from orchestrator.forwarding.engine.filter_table import FilterTable
from orchestrator.forwarding.engine.findings import Findings, holes, loops
from orchestrator.forwarding.engine.hop_groups import HopGroups
from orchestrator.forwarding.engine.hygiene import Idle, asked_filters, idle_of
from orchestrator.forwarding.engine.inverse import INVERSE, KINDS, PORTS, ROUTES, inverse
from orchestrator.forwarding.engine.labels import Labels, LabelsError
from orchestrator.forwarding.engine.losses import delivering, meeting
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.network import NONE, Network, Packet
from orchestrator.forwarding.engine.outcomes import Attachments, Classes, Outcomes, Variants
from orchestrator.forwarding.engine.packets import Interval
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.route_lines import RouteLines
from orchestrator.forwarding.engine.slices import sent_by
from orchestrator.forwarding.engine.sound import Sound, check_packet, check_prefix
from orchestrator.forwarding.engine.tables import compile_network
from orchestrator.forwarding.engine.trail import Trail
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
from orchestrator.forwarding.engine.ways import CurrentRows, Reason, Walker, reasons


class Engine:
    """Answers about one network. Not for two threads at a time.

    Raises NetworkError for a network that is not sound, AnswerError and CompileError beyond the engine's bounds.
    """

    def __init__(self, network: Network, *, checked: bool = False) -> None:
        """Build and answer everything; `checked`: `check_network` has seen the network already."""
        if not checked:
            check_network(network)
        self.generation = 0
        self.version = 0
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
        self._walker: tuple[int, Walker] | None = None
        self.__dict__.pop("_decider", None)
        self.generation += 1

    def _rebuild(self) -> None:
        """Everything anew from the network as it is: labels or variants do not suffice any more."""
        self._build(self.network)

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

    # ---- questions ----

    def reach(self, *, unknown_reaches: bool = False) -> Matrix:
        """Which packets get from each zone to each, with every filter and translation, as the network is now."""
        return Matrix(self.decider, self.classes(), self.attachments, upper=unknown_reaches)

    def path(self, zone: int, packet: Packet) -> list[Trail]:
        """Every branch of a packet's way from a zone, hop by hop.

        Raises TooManyTrailsError beyond 20,000, QuestionError for a zone or a packet that cannot be.
        """
        self._sound.zone(zone)
        check_packet(packet)
        return self.walker.trails(zone, packet)

    def why(self, zone: int, packet: Packet) -> list[Reason]:
        """Per branch what decides about a packet: entry, route or port, with its line."""
        return reasons(self, self.walker, self.path(zone, packet))

    def flow(self, zone: int, packet: Packet) -> bool | None:
        """Whether a packet gets to one zone and its answer comes back, always; None: something unread decides.

        Raises QuestionError for a zone or a packet that cannot be.
        """
        self._sound.zone(zone)
        check_packet(packet)
        return works(self.walker, zone, packet)

    def difference(self, change: Change) -> Difference:
        """Which packets get from zone to zone since the last change and did not before, and which no longer do."""
        return difference(self, change)

    def findings(self, pairs: NDArray[np.bool_] | None = None) -> Findings:
        """Packets that go round, and zones' addresses that others' packets do not get to by routes (findings.py).

        `pairs` [source, owner]: zones whose packets and addresses are looked at for the latter, None: all.
        """
        self._sound.pairs(pairs)
        asked = np.ones(len(self._base.zone_names), np.bool_) if pairs is None else np.array(pairs.any(axis=0))
        losses = delivering(self.network, asked)
        return Findings(loops(self), holes(Engine(losses.network), losses, pairs))

    def idle_entries(self, number: int | None = None) -> tuple[Idle, ...]:
        """Filter entries that are shadowed, redundant or unused: of one filter, or (None) of all; see hygiene.py.

        Raises QuestionError for a filter that the network does not have.
        """
        asked = asked_filters(len(self._base.filters.default), number)
        return idle_of(Engine(meeting(self.network)), asked)

    def sources(self, attachment: int) -> list[Interval]:
        """What a zone sends with at an attachment, as positions (packets.py)."""
        return sent_by(self._base, self.labels, self.attachments, attachment)

    @property
    def walker(self) -> Walker:
        """A walker of single packets through the network as it is now."""
        if self._walker is None or self._walker[0] != self.version:
            still = self._walker[1].rows if self._walker is not None else None
            self._walker = self.version, Walker(CurrentRows(self, still))
        return self._walker[1]

    # ---- changes ----

    def apply(self, update: Update) -> Change:
        """Change the network and every answer. Raises UpdateError when the update does not fit; nothing is changed."""
        self.version += 1
        if isinstance(update, ROUTES):
            return self._route(update)
        return self._port(update) if isinstance(update, PORTS) else self._entry(update)

    def undo(self, change: Change) -> None:
        """Take a change back: exactly and at once the last one that is not taken back, else by its inverse."""
        self.version += 1
        last = bool(self._updates) and self._updates[-1] is change.update and change.generation == self.generation
        if last and change.filter == NONE:
            self._core.restore(*change.native, change.records)
            if isinstance(change.update, ROUTES):
                self._lines.put(change.update.table, change.update.prefix, change.line)
            self._updates.pop()
            return
        self.apply(self.inverse(change))
        if last and change.generation == self.generation:
            del self._updates[-2:]

    def inverse(self, change: Change) -> Update:
        """The update that takes a change back."""
        return inverse(change, self._lines)

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
            self._rebuild()
            low, high = self.labels.interval(update.prefix)
            self._cuts.at((low, high))
        # of the engine as it is now
        group = NONE if isinstance(update, RemoveRoute) else self._groups.number(update.hops)
        kind = KINDS[type(update)]
        applied = self._core.apply(kind, update.table, low, high, group)
        line = self._lines.brought(update)
        self._updates.append(update)
        old = () if applied.before < 0 else self._groups.hops(applied.before)
        native = (INVERSE[kind], update.table, low, high, applied.before)
        return Change(update, applied.records, native=native, hops=old, line=line, generation=self.generation)

    def _port(self, update: PortDown | PortUp) -> Change:
        if not 0 <= update.port < len(self._base.ports.table):
            raise UpdateError(f"port {update.port} is none of {len(self._base.ports.table)}: correct the update")
        kind = Kind.PORT_UP if isinstance(update, PortUp) else Kind.PORT_DOWN
        applied = self._core.apply(kind, update.port, 0, 1, NONE)
        was_up = bool(applied.before)
        self._updates.append(update)
        native = (int(Kind.PORT_UP if was_up else Kind.PORT_DOWN), update.port, 0, 1, NONE)
        return Change(update, applied.records, native=native, generation=self.generation)

    def _entry(self, update: EntryUpdate) -> Change:
        if not isinstance(update, RemoveEntry):
            self._sound.entry(update.entry)
        way_back, rows = self.entries.apply(update), None
        self._updates.append(update)
        try:
            if "_decider" in self.__dict__:
                rows = self._decider.table.apply(update)
            current = suffices(self._compiled, self.entries, update.filter, readings(update, way_back, rows))
        except LabelsError:
            current = False
        if not current:
            self._rebuild()
        return Change(update, NO_RECORDS, update.filter, way_back, rows, generation=self.generation)

    def digest(self) -> str:
        """SHA-256 of every answer, route, entry and port state; independent of the way that led here."""
        return digest_of(self)

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
