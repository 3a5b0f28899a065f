"""One packet's way, hop by hop, by asking the world one question after the other.

Order in a device, as in the Linux kernel: destination translation, routing, forward filter (it sees the translated
destination and the untranslated source), source translation. Return packets of a connection that a device remembers
are translated back there and pass its stateful filter.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from orchestrator.forwarding.boxes import Judgement, Translated
from orchestrator.forwarding.segments import Doubt, Neighbour
from orchestrator.forwarding.tables import Entry, Exit
from orchestrator.forwarding.world import Endpoint, text_of

MOST_HOPS = 64
LOOP = "loop:"
"""How the reason begins when a packet comes back to where it was."""
EQUAL_ROUTES = "equally good routes"
"""How the reason begins when several next hops do not lead to the same end."""

Ask = Callable[..., Any]
"""`ask(question, *arguments)`: the answer of World's method of that name (remembered, recorded)."""


class Header(NamedTuple):
    """The fields of a packet that anything looks at; addresses as integers."""

    source: int
    destination: int
    protocol: str
    source_port: int
    port: int

    def reversed(self) -> "Header":
        """The answer to this packet."""
        return Header(self.destination, self.source, self.protocol, self.port, self.source_port)


class Mark(NamedTuple):
    """One decision on the way, and the packet as it was then."""

    node: str
    vrf: str
    port: str
    decision: str
    row: str
    source: int
    destination: int


class Memory(NamedTuple):
    """What a device remembers of a connection: the packet as it came and as it left."""

    node: str
    came: Header
    left: Header


class Way(NamedTuple):
    """What became of a packet; `header` as it arrived. `others`: equally good ways, which lead to the same."""

    outcome: Literal["delivered", "dropped", "unknown"]
    end: str
    reason: str
    marks: tuple[Mark, ...]
    header: Header
    memories: tuple[Memory, ...]
    sensitive: bool  # somebody on the way looked at the protocol or a port
    others: tuple["Way", ...] = ()

    @property
    def every(self) -> tuple["Way", ...]:
        """This way and those that are as good."""
        return (self, *self.others)


class Walk:
    """A walk in progress. `memories` are those of the forward packet when this is its answer."""

    def __init__(self, ask: Ask, header: Header, memories: tuple[Memory, ...] | None = None) -> None:
        self.ask = ask
        self.header = header
        self.memories = memories
        self.marks: list[Mark] = []
        self.made: list[Memory] = []
        self.seen: set[tuple[str, str, str, Header]] = set()
        self.sensitive = False

    def start(self, node: str) -> Way:
        """Send the packet from a host, a server, a guest or a device's own address."""
        endpoint: Endpoint | None = self.ask("endpoint", node)
        if endpoint is None:
            return self._start_device(node)
        if not endpoint.port:
            return self._drop(node, "not cabled", "")
        peer = self.header.destination
        if endpoint.guarded and self.memories is None and not self._guarded(node, "egress", peer):
            return self._drop(node, self.marks[-1].decision, self.marks[-1].row)
        on_link = peer & endpoint.mask == endpoint.network
        hop = peer if on_link else endpoint.gateway
        if hop is None:
            return self._drop(node, "no gateway", "")
        self._mark(node, "", endpoint.port, "on the same segment" if on_link else f"gateway {text_of(hop)}", "")
        return self._send(node, endpoint.port, hop)

    def _start_device(self, node: str) -> Way:
        vrf = self.ask("home", node, self.header.source)
        if vrf is None:
            return self._drop(node, f"{node} does not have the address {text_of(self.header.source)}", "")
        return self._route(node, vrf, "", self.header, None)

    def _send(self, node: str, port: str, hop: int) -> Way:
        """Put the packet on the segment behind a port, towards the neighbour with this address."""
        answer: Neighbour | Doubt | None = self.ask("neighbour", node, port, hop)
        if answer is None:
            return self._drop(node, f"nobody answers for {text_of(hop)} behind {port}", "")
        if isinstance(answer, Doubt):
            return self._unknown(node, answer)
        return self._hear(answer.node, answer.port)

    def _hear(self, node: str, port: str) -> Way:
        endpoint: Endpoint | None = self.ask("endpoint", node)
        if endpoint is not None:
            return self._arrive(node, endpoint)
        doubt: Doubt | None = self.ask("doubt", node)
        if doubt is not None:
            return self._unknown(node, doubt)
        vrf: str | None = self.ask("instance", node, port)
        if vrf is None:
            return self._drop(node, f"port {port} is not addressed", "")
        came = self.header
        memory = self._remembered(node)
        if memory is not None:
            # the kernel restores the destination before routing, the source after the filter
            self.header = came._replace(destination=memory.came.source, port=memory.came.source_port)
        elif self.memories is None:
            self._translate_in(node, vrf, port)
        return self._route(node, vrf, port, came, memory)

    def _remembered(self, node: str) -> Memory | None:
        for memory in self.memories or ():
            if memory.node == node and memory.left.reversed() == self.header:
                return memory
        return None

    def _translate_in(self, node: str, vrf: str, port: str) -> None:
        header = self.header
        answer: Translated = self.ask("inbound", node, port, header.destination, header.protocol, header.port)
        self.sensitive = self.sensitive or answer.sensitive
        if answer.change:
            new_port = answer.change.port if answer.change.port is not None else header.port
            self.header = header._replace(destination=answer.change.address, port=new_port)
            self._mark(node, vrf, port, f"destination becomes {text_of(answer.change.address)}", answer.change.row)

    def _route(self, node: str, vrf: str, port: str, came: Header, memory: Memory | None) -> Way:
        place = (node, vrf, port, self.header)
        if place in self.seen or len(self.seen) >= MOST_HOPS:
            return self._drop(node, f"{LOOP} the packet is back on {node}", self.marks[-1].row)
        self.seen.add(place)
        entry: Entry | Doubt | None = self.ask("lookup", node, vrf, self.header.destination)
        if isinstance(entry, Doubt):
            return self._unknown(node, entry)
        if entry is None:
            self._mark(node, vrf, port, "no route", "")
            return self._drop(node, f"no route to {text_of(self.header.destination)} in {vrf}", "")
        self._mark(node, vrf, port, _route_text(entry), entry.row)
        if entry.kind == "local":
            return self._end("delivered", node, "")
        if not entry.exits:
            return self._drop(node, f"null route {entry.prefix}", entry.row)
        return self._fork(node, vrf, port, came, memory, entry)

    def _fork(self, node: str, vrf: str, port: str, came: Header, memory: Memory | None, entry: Entry) -> Way:
        """Take every equally good exit; what they agree on is the answer, else nobody knows."""
        if len(entry.exits) == 1:
            return self._leave(node, vrf, port, came, memory, entry.exits[0])
        state = (self.header, list(self.marks), list(self.made), set(self.seen))
        ways = []
        for way_on in entry.exits:
            self.header, self.marks, self.made, self.seen = state[0], list(state[1]), list(state[2]), set(state[3])
            ways.append(self._leave(node, vrf, port, came, memory, way_on))
        first = ways[0]
        if all(way.outcome == "dropped" for way in ways):  # nobody gets it, whichever is taken: the worst is told
            return self._one_of(ways, next((way for way in ways if way.reason.startswith(LOOP)), first))
        if any((way.outcome, way.end, way.header) != (first.outcome, first.end, first.header) for way in ways):
            return self._unknown(node, Doubt(f"{EQUAL_ROUTES} to {entry.prefix} disagree", entry.row))
        return self._one_of(ways, first)

    def _one_of(self, ways: list[Way], told: Way) -> Way:
        """The way that is told, with the others beside it: what one of them looks at, all hang on."""
        found = dict.fromkeys(
            one._replace(others=(), sensitive=self.sensitive) for way in (told, *ways) for one in way.every
        )
        first, *others = found
        return first._replace(others=tuple(others))

    def _leave(self, node: str, vrf: str, port: str, came: Header, memory: Memory | None, way_on: Exit) -> Way:
        out = f"vx-{way_on.instance[1]}" if way_on.instance else way_on.port
        if port and not self._filtered(node, vrf, port, out, memory):
            return self._drop(node, self.marks[-1].decision, self.marks[-1].row)
        if memory is not None:
            self.header = self.header._replace(source=memory.came.destination, source_port=memory.came.port)
        elif self.memories is None:
            self._translate_out(node, vrf, out)
        if self.memories is None and self.ask("tracks", node):
            self.made.append(Memory(node, came, self.header))
        if way_on.instance:
            return self._tunnel(way_on.instance)
        hop = way_on.next_hop if way_on.next_hop is not None else self.header.destination
        return self._send(node, way_on.port, hop)

    def _tunnel(self, instance: tuple[str, str]) -> Way:
        node, vrf = instance
        doubt: Doubt | None = self.ask("doubt", node)
        if doubt is not None:
            return self._unknown(node, doubt)
        return self._route(node, vrf, f"vx-{vrf}", self.header, None)

    def _filtered(self, node: str, vrf: str, port: str, out: str, memory: Memory | None) -> bool:
        if memory is not None and self.ask("stateful", node):
            self._mark(node, vrf, port, "filter accepts return traffic", f"filters[{node}]")
            return True
        header = self.header
        ends = (header.source, header.destination)
        answer: Judgement | None = self.ask("judge", node, (port, out), ends, header.protocol, header.port)
        if answer is None:
            return True
        self.sensitive = self.sensitive or answer.sensitive
        self._mark(node, vrf, port, f"{answer.decision} ({port} > {out})", answer.row)
        return answer.accept

    def _translate_out(self, node: str, vrf: str, out: str) -> None:
        header = self.header
        answer: Translated = self.ask("outbound", node, out, header.source, header.protocol, header.port)
        self.sensitive = self.sensitive or answer.sensitive
        if answer.change:
            self.header = header._replace(source=answer.change.address)
            self._mark(node, vrf, out, f"source becomes {text_of(answer.change.address)}", answer.change.row)

    def _arrive(self, node: str, endpoint: Endpoint) -> Way:
        if self.header.destination != endpoint.address:
            return self._drop(node, f"{node} does not forward", "")
        if endpoint.guarded and self.memories is None and not self._guarded(node, "ingress", self.header.source):
            return self._drop(node, self.marks[-1].decision, self.marks[-1].row)
        return self._end("delivered", node, "")

    def _guarded(self, node: str, direction: str, peer: int) -> bool:
        answer: Judgement = self.ask("guard", node, direction, peer, self.header.protocol, self.header.port)
        self.sensitive = self.sensitive or answer.sensitive
        self._mark(node, "", "eth0", answer.decision, answer.row)
        return answer.accept

    def _mark(self, node: str, vrf: str, port: str, decision: str, row: str) -> None:
        self.marks.append(Mark(node, vrf, port, decision, row, self.header.source, self.header.destination))

    def _drop(self, node: str, reason: str, row: str) -> Way:
        if not self.marks or self.marks[-1].row != row:
            self._mark(node, "", "", reason, row)
        return self._end("dropped", node, reason)

    def _unknown(self, node: str, doubt: Doubt) -> Way:
        self._mark(node, "", "", doubt.reason, doubt.row)
        return self._end("unknown", node, doubt.reason)

    def _end(self, outcome: Literal["delivered", "dropped", "unknown"], node: str, reason: str) -> Way:
        made = tuple(self.made)
        return Way(outcome, node, reason, tuple(self.marks), self.header, made, self.sensitive)


def _route_text(entry: Entry) -> str:
    if entry.kind == "local":
        return "own address"
    ways = []
    for way_on in entry.exits:
        if way_on.instance:
            ways.append(f"via {way_on.instance[0]} vrf {way_on.instance[1]}")
        else:
            hop = f" via {text_of(way_on.next_hop)}" if way_on.next_hop is not None else ""
            ways.append(f"{way_on.port}{hop}")
    return f"route {entry.prefix} {entry.kind} {' or '.join(ways)}".strip()


__all__ = ["Header", "Mark", "Memory", "Walk", "Way"]
