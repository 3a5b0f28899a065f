"""Is an update, or a question, sound? One clear line, before anything is changed or walked; arrays have check.py."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.changed import UpdateError
from orchestrator.forwarding.engine.network import EVERY_PORT, EVERY_PROTOCOL, NONE, Action, HopKind, Network, Packet
from orchestrator.forwarding.engine.updates import EVERYWHERE, Entry, Hop, Match, Prefix

_WIDTH: Final = {4: 32, 6: 128}
_FLAGS: Final = (NONE, 1)
_ACTIONS: Final = frozenset(int(action) for action in Action)
_KINDS: Final = ", ".join(f"{kind.name} ({kind.value})" for kind in HopKind)


class QuestionError(InputError):
    """A question names a zone that the network does not have, or a packet that cannot be."""


class Sound:
    """What updates and questions of one network are held against."""

    def __init__(self, network: Network) -> None:
        self._ports, self._zones = len(network.ports.table), len(network.zone_names)
        self._lines = len(network.lines)
        self._known: set[tuple[object, ...]] = set()  # what entries ask of packets but for their addresses
        self._targets = {
            HopKind.PORT: (0, self._ports),
            HopKind.TABLE: (0, len(network.tables)),
            HopKind.UNKNOWN: (NONE, self._lines),
            HopKind.DROP: (-(1 << 31), 1 << 31),  # of no account
        }

    def hops(self, hops: tuple[Hop, ...]) -> None:
        """Raise UpdateError for next hops that lead nowhere."""
        if not hops:
            raise UpdateError("the route has no next hop: give it one of kind DROP")
        for hop in hops:
            low, count = self._targets.get(hop.kind, (0, 0))
            if not low <= hop.target < count:
                raise UpdateError(f"{tuple(hop)} is no next hop: a kind of {_KINDS}, and a target that exists")

    def line(self, line: int) -> None:
        """Raise UpdateError for a line that the network does not have."""
        if not NONE <= line < self._lines:
            raise UpdateError(f"line {line} is none of the network's {self._lines}: give its number, or {NONE}")

    def entry(self, entry: Entry) -> None:
        """Raise UpdateError for an entry that arrays could not hold."""
        match = entry.match
        _addresses(match)
        rest = match[2:], entry.action, entry.line
        if rest in self._known:
            return
        _ranges(match)
        if match.established not in _FLAGS or match.fragment not in _FLAGS:
            raise UpdateError(f"established and fragment are {NONE} (any packet) or 1 (only such): correct them")
        if not NONE <= match.in_port < self._ports:
            raise UpdateError(f"in_port {match.in_port} is none of {self._ports} ports: correct it, or give {NONE}")
        if entry.action not in _ACTIONS:
            raise UpdateError(f"{entry.action} is no action: give DENY (0), PERMIT (1) or UNKNOWN (2)")
        self.line(entry.line)
        self._known.add(rest)

    def pairs(self, pairs: NDArray[np.bool_] | None) -> None:
        """Raise QuestionError when there is not one truth value for each pair of zones."""
        if pairs is not None and (pairs.shape != (self._zones, self._zones) or pairs.dtype != np.bool_):
            raise QuestionError(f"pairs is {pairs.dtype} {pairs.shape}: give bool, {self._zones} by {self._zones}")

    def zone(self, zone: int) -> None:
        """Raise QuestionError for a zone that the network does not have."""
        if not 0 <= zone < self._zones:
            raise QuestionError(f"zone {zone} is none of the network's {self._zones}: give its number, from 0")


def _addresses(match: Match) -> None:
    for prefix in (match.source, match.destination):
        if prefix != EVERYWHERE:
            check_prefix(prefix)
    if match.source.family * match.destination.family == 24:
        raise UpdateError("the entry's source and destination are of two families, and no packet is: correct one")


def _ranges(match: Match) -> None:
    for name, (low, high), (least, most) in (
        ("protocol", match.protocol, EVERY_PROTOCOL),
        ("source_port", match.source_port, EVERY_PORT),
        ("destination_port", match.destination_port, EVERY_PORT),
    ):
        if not least <= low <= high <= most:
            raise UpdateError(f"{name} {(low, high)} is no range from {least} to {most}: correct its ends")


def check_packet(packet: Packet) -> None:
    """Raise QuestionError for a packet that cannot be."""
    width = _WIDTH.get(packet.family)
    if width is None or packet.source >> width or packet.destination >> width:
        raise QuestionError(f"{packet} has no addresses of family 4 or 6: correct the family or the addresses")
    ports = packet.source_port, packet.destination_port
    if packet.protocol >> 8 or any(port >> 16 for port in ports):
        raise QuestionError(f"{packet}: protocols are 0 to 255, ports 0 to 65535: correct the packet")


def check_prefix(prefix: Prefix) -> None:
    """Raise UpdateError when a route's prefix is none."""
    width = _WIDTH.get(prefix.family)
    if width is None or not 0 <= prefix.length <= width:
        raise UpdateError(f"{tuple(prefix)} is no prefix: family 4 or 6, length up to 32 or 128")
    if not 0 <= prefix.address < 1 << width or prefix.address & ((1 << (width - prefix.length)) - 1):
        raise UpdateError(f"{tuple(prefix)} has bits beyond its length: clear them")
