"""The simulator: one estate, one packet at a time, every decision with its row.

Plain on purpose. It is the oracle: a faster engine is held against it, and its counterexamples are replayed here.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any

from orchestrator.forwarding.segments import Guest
from orchestrator.forwarding.walk import Header, Mark, Walk, Way
from orchestrator.forwarding.world import UnparsedLine, World
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Hop, Packet, Trace

ENGINE = "plain-1"
"""Name and version of this engine, as written into proofs."""


class Exchange(Noun):
    """A packet and its answer. `works` is None when either way met something that cannot be judged."""

    forward: Trace
    reply: Trace | None
    works: bool | None


class Simulator:
    """Walks packets through an estate. `guests` are stand-ins for unused addresses; `facts` give file and line."""

    def __init__(
        self,
        estate: Estate,
        unparsed: Iterable[UnparsedLine] = (),
        guests: Iterable[Guest] = (),
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        self.estate = estate
        self.world = World.of(estate, guests, unparsed)
        self.facts = facts or {}
        self._answers: dict[tuple[Any, ...], Any] = {}

    def trace(self, start_node: str, packet: Packet) -> Trace:
        """The way of one packet that opens a connection."""
        return self._told(start_node, packet, self.way(start_node, header_of(packet)))

    def exchange(self, start_node: str, packet: Packet) -> Exchange:
        """The packet and, when it is delivered, the answer back; it works when the answer fits the question."""
        way = self.way(start_node, header_of(packet))
        forward = self._told(start_node, packet, way)
        if way.outcome != "delivered":
            return Exchange(forward=forward, reply=None, works=None if way.outcome == "unknown" else False)
        way, back = worst_talk(start_node, header_of(packet), [(one, self.answer(one)) for one in way.every])
        forward = self._told(start_node, packet, way)
        reply = self._told(way.end, packet_of(way.header.reversed()), back)
        return Exchange(forward=forward, reply=reply, works=fits(start_node, header_of(packet), back))

    def way(self, start_node: str, header: Header) -> Way:
        """The bare way of a packet, without texts."""
        return Walk(self.ask, header).start(start_node)

    def answer(self, way: Way) -> Way:
        """The bare way of the answer to a delivered packet."""
        return Walk(self.ask, way.header.reversed(), memories=way.memories).start(way.end)

    def ask(self, question: str, *arguments: Any) -> Any:
        """The world's answer, remembered."""
        key = (question, *arguments)
        if key not in self._answers:
            self._answers[key] = getattr(self.world, question)(*arguments)
        return self._answers[key]

    def _told(self, start_node: str, packet: Packet, way: Way) -> Trace:
        return trace_of(start_node, packet, way, self.facts)


def fits(start_node: str, asked: Header, back: Way) -> bool | None:
    """True when the answer reaches the asker and comes from where it asked; None when its way is unknown."""
    if back.outcome == "unknown":
        return None
    return back.outcome == "delivered" and back.end == start_node and back.header == asked.reversed()


def worst_talk(start_node: str, asked: Header, talks: Iterable[tuple[Way, Way]]) -> tuple[Way, Way]:
    """Of equally good ways with their answers the one that fails, or else is unknown: each may be taken."""
    rank = {False: 0, None: 1, True: 2}
    return min(talks, key=lambda talk: rank[fits(start_node, asked, talk[1])])


def header_of(packet: Packet) -> Header:
    """The packet's fields with addresses as integers."""
    source, destination = int(IPv4Address(packet.source)), int(IPv4Address(packet.destination))
    return Header(source, destination, packet.protocol, packet.source_port, packet.destination_port)


def packet_of(header: Header) -> Packet:
    """The packet with these fields."""
    return Packet.model_validate(
        {
            "source": str(IPv4Address(header.source)),
            "destination": str(IPv4Address(header.destination)),
            "protocol": header.protocol,
            "source_port": header.source_port,
            "destination_port": header.port,
        }
    )


def trace_of(start: str, packet: Packet, way: Way, facts: Mapping[str, Fact]) -> Trace:
    """A way as a value for people."""
    hops = tuple(_hop(mark, facts) for mark in way.marks)
    return Trace(packet=packet, start=start, outcome=way.outcome, end=way.end, reason=way.reason, hops=hops)


def _hop(mark: Mark, facts: Mapping[str, Fact]) -> Hop:
    fact = facts.get(mark.row)
    where = fact.where if fact else None
    return Hop(node=mark.node, vrf=mark.vrf, interface=mark.port, decision=mark.decision, row=mark.row, where=where)


def explain(trace: Trace) -> str:
    """The trace for people: one line a decision, with file and line where they are known."""
    lines = [f"{trace.packet} from {trace.start}: {trace.outcome}" + (f" at {trace.end}" if trace.end else "")]
    for number, hop in enumerate(trace.hops, start=1):
        place = ":".join(part for part in (hop.node, hop.vrf, hop.interface) if part)
        proof = f"  [{hop.where}]" if hop.where else (f"  [{hop.row}]" if hop.row else "")
        lines.append(f"{number:>3} {place}: {hop.decision}{proof}")
    if trace.reason:
        lines.append(f"    {trace.reason}")
    return "\n".join(lines)


__all__ = ["ENGINE", "Exchange", "Header", "Simulator", "explain", "fits", "header_of", "packet_of"]
