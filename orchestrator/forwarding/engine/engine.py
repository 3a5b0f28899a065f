"""The engine: a network's answers, kept up to date change by change, and every change can be taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.change import Change
from orchestrator.forwarding.engine.difference import Difference, between, difference
from orchestrator.forwarding.engine.digest import digest_of
from orchestrator.forwarding.engine.findings import Findings, holes, loops
from orchestrator.forwarding.engine.hygiene import Idle, asked_filters, idle_of
from orchestrator.forwarding.engine.losses import delivering, meeting
from orchestrator.forwarding.engine.matrix import Matrix
from orchestrator.forwarding.engine.network import Network, Packet
from orchestrator.forwarding.engine.packets import Interval
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.slices import sent_by
from orchestrator.forwarding.engine.sound import QuestionError, check_packet
from orchestrator.forwarding.engine.state import EngineState
from orchestrator.forwarding.engine.trail import Trail
from orchestrator.forwarding.engine.ways import CurrentRows, Reason, Walker, reasons


class Engine(EngineState):
    """Answers about one network. Not for two threads at a time.

    Raises NetworkError for a network that is not sound, AnswerError and CompileError beyond the engine's bounds.
    """

    def __init__(self, network: Network, *, checked: bool = False) -> None:
        """Build and answer everything; `checked`: `check_network` has seen the network already."""
        super().__init__(network, checked=checked)
        self._walker: tuple[int, int, Walker] | None = None

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
        """Which packets get from zone to zone since the last change and did not before, and which no longer do.

        Raises UpdateError when later changes stand, or this one does not.
        """
        self._standing.check_last(change)  # also where nothing has to be asked
        return difference(self, change)

    def difference_to(self, other: Engine) -> Difference:
        """The same from this network to another one, however different; both have the same zones in the same order.

        Every answer of both is read: seconds on a district, minutes on a province. Raises QuestionError.
        """
        if self.base.zone_names != other.base.zone_names:
            raise QuestionError("the two networks have other zones: compare networks with the same ones, in one order")
        return between(self, other)

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
        known = self._walker
        if known is None or known[:2] != (self.generation, self.version):
            still = known[2].rows if known is not None and known[0] == self.generation else None
            self._walker = known = self.generation, self.version, Walker(CurrentRows(self, still))
        return known[2]

    def digest(self) -> str:
        """SHA-256 of every answer, route, entry and port state; independent of the way that led here."""
        return digest_of(self)
