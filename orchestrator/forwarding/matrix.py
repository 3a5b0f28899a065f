"""Who reaches whom with which packets, for one estate, and for the next one by reusing every walk still valid.

A walk is a pure function of the answers to the questions it asked (world.py). Between two estates only questions
whose part of the world changed are asked again; only walks that got another answer are walked again, and a walk done
before in any state whose answers are all the same is taken from the store. Nothing is estimated.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from ipaddress import IPv4Network
from typing import Any, ClassVar, NamedTuple, Self

from orchestrator.forwarding.boxes import span, within
from orchestrator.forwarding.changes import stale_lookups, stale_questions
from orchestrator.forwarding.points import Classes, destinations, guests, zone_of
from orchestrator.forwarding.simulator import ENGINE, worst_talk
from orchestrator.forwarding.tables import Tables
from orchestrator.forwarding.walk import Header, Mark, Walk, Way
from orchestrator.forwarding.world import ALL_TABLES, UnparsedLine, World
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL

Question = tuple[Any, ...]
CellKey = tuple[str, int]
"""(source node, destination address)."""


class Kept(NamedTuple):
    """A result and the answers on which it rests."""

    value: Any
    answers: dict[Question, Any]


class Reach(NamedTuple):
    """One source, one end, the packets (indexes into the port classes) that share this way, or may: of equally good
    ways each is a reach.
    """

    source: str
    destination: int
    end: str
    ports: tuple[int, ...]
    way: Way
    inside: tuple[Mark, ...]  # decisions made inside a VRF while the packet had a private address


class Crossing(NamedTuple):
    """A reach between two zones, as a rule judges it."""

    reach: Reach
    source_zone: str
    end_zone: str


class Talk(NamedTuple):
    """A packet's way and its answer's way (None when the packet was not delivered)."""

    forward: Way
    back: Way | None


@dataclass
class Store:
    """What all matrices of one run share: results by key, and which keys ever asked a question."""

    results: dict[Any, list[Kept]] = field(default_factory=dict)
    askers: dict[Question, set[Any]] = field(default_factory=dict)
    questions: dict[str, dict[str, set[Question]]] = field(default_factory=dict)  # kind -> node -> questions
    crossings: tuple[tuple[Any, ...], tuple[Crossing, ...]] | None = None  # the last ones, and what they were made of
    walked: int = 0
    reused: int = 0


class Matrix:
    """All ways between all points of one estate. Make one with `Matrix.of`, the next with `advance`."""

    judge: ClassVar[str] = ENGINE
    """Name and version of what decides, as written into proofs."""

    def __init__(self, estate: Estate, classes: Classes, world: World, unparsed: tuple[UnparsedLine, ...]) -> None:
        self.estate = estate
        self.classes = classes
        self.world = world
        self.unparsed = unparsed
        self.store = Store()
        self.answers: dict[Question, Any] = {}
        self.results: dict[Any, Kept] = {}
        self.alive: dict[CellKey, tuple[Reach, ...]] = {}
        self.keys: tuple[CellKey, ...] = ()
        self._recording: dict[Question, Any] = {}

    @classmethod
    def of(cls, estate: Estate, classes: Classes, unparsed: Iterable[UnparsedLine] = ()) -> "Matrix":
        """The matrix of an estate, walked from nothing."""
        lines = tuple(unparsed)
        return cls.walked(World.of(estate, guests(estate, classes), lines), classes, lines)

    @classmethod
    def walked(cls, world: World, classes: Classes, unparsed: tuple[UnparsedLine, ...] = ()) -> "Matrix":
        """The matrix of a world, walked from nothing."""
        matrix = cls(world.estate, classes, world, unparsed)
        matrix.keys = matrix._cell_keys()
        matrix._fill((), matrix.keys)
        return matrix

    def advance(self, estate: Estate) -> Self:
        """The matrix of another estate; equal to `Matrix.of(estate, ...)`, for less work."""
        changed = {name for name in ALL_TABLES if getattr(estate, name) is not getattr(self.estate, name)}
        if not changed:
            return self._same_network(estate)
        stale, world = stale_questions(self.world, estate, guests(estate, self.classes), changed, self.store.questions)
        return self._moved(world, stale, points=bool(changed & POINT_TABLES))

    def settling(self, tables: Tables) -> Self:
        """The matrix of this estate with other routing tables: some are not yet, or still, what it makes of them."""
        stale = set(stale_lookups(self.store.questions, self.world.tables, tables))
        return self._moved(replace(self.world, tables=tables), stale, points=False)

    def _moved(self, world: World, stale: Iterable[Question], *, points: bool) -> Self:
        """The matrix of another world. Only stale questions may have other answers; `points`: there may be others."""
        child = self._child(world.estate, world)
        child.answers = dict(self.answers)
        hit: set[Any] = set()
        for question in stale:
            if question in child.answers:
                answer = getattr(world, question[0])(*question[1:])
                if answer != child.answers[question]:
                    child.answers[question] = answer
                    hit |= self.store.askers.get(question, set())
        child.results = dict(self.results)
        for key in hit:
            child.results.pop(key, None)
        keys = child._cell_keys() if points else self.keys
        child.keys = self.keys if keys == self.keys else keys
        child._follow(self, hit)
        return child

    def _child(self, estate: Estate, world: World) -> Self:
        """A matrix of another estate that shares the store with this one."""
        child = type(self)(estate, self.classes, world, self.unparsed)
        child.store = self.store
        return child

    def _same_network(self, estate: Estate) -> Self:
        child = self._child(estate, self.world)
        child.answers, child.results = self.answers, self.results
        child.alive, child.keys = self.alive, self.keys
        return child

    def _follow(self, before: Self, hit: set[Any]) -> None:
        """Fill in what is alive, of which only cells in `hit` and new ones may differ from the matrix before."""
        same = self.keys is before.keys
        gone = () if same else set(before.keys) - set(self.keys)
        open_ones = [key for key in self.keys if key in hit] if same else self.keys
        self.alive = dict(before.alive) if open_ones or gone else before.alive
        self._fill(gone, open_ones)

    def _cell_keys(self) -> tuple[CellKey, ...]:
        points = self.points()
        addresses = [address for _node, address in points]
        asked = destinations(self.estate, addresses)
        return tuple((node, address) for node, _own in points for address in asked)

    def points(self) -> list[tuple[str, int]]:
        """(node, address) of every host, server and guest."""
        found = [(name, int(host.address)) for name, host in sorted(self.estate.hosts.items())]
        found += [(key, int(server.address)) for key, server in sorted(self.estate.servers.items())]
        return found + [(guest.node, guest.address) for guest in self.world.guests.values()]

    def _fill(self, gone: Iterable[CellKey], open_ones: Iterable[CellKey]) -> None:
        """Forget the cells that are gone, work out those of the open ones that have no result."""
        added = False
        for key in gone:
            self.alive.pop(key, None)
            self.results.pop(key, None)
        for key in open_ones:
            if key not in self.results:
                reaches = self.remembered(key, partial(self._walk_cell, *key))
                self.alive.pop(key, None)
                if reaches:
                    self.alive[key] = reaches
                    added = True
        if added:
            self.alive = self._in_order(self.alive)

    def _in_order(self, alive: dict[CellKey, tuple[Reach, ...]]) -> dict[CellKey, tuple[Reach, ...]]:
        """The same in the order of the keys: what is found first must not hang on the state one comes from."""
        rank = {node: number for number, (node, _address) in enumerate(self.points())}
        return {key: alive[key] for key in sorted(alive, key=lambda key: (rank[key[0]], key[1]))}

    def remembered(self, key: Any, work: Callable[[], Any]) -> Any:
        """The result of `work` in this estate, from the store when all its answers are the same here."""
        kept = self.results.get(key)
        if kept is None:
            kept = self._stored(key) or self._worked(key, work)
            self.results[key] = kept
        return kept.value

    def _stored(self, key: Any) -> Kept | None:
        for kept in self.store.results.get(key, ()):
            if all(self._answer(question) == answer for question, answer in kept.answers.items()):
                self.store.reused += 1
                return kept
        return None

    def _worked(self, key: Any, work: Callable[[], Any]) -> Kept:
        self.store.walked += 1
        self._recording = {}
        kept = Kept(work(), self._recording)
        self.store.results.setdefault(key, []).append(kept)
        for question in kept.answers:
            self.store.askers.setdefault(question, set()).add(key)
        return kept

    def ask(self, question: str, *arguments: Any) -> Any:
        """The world's answer, remembered and recorded for the walk in progress."""
        key = (question, *arguments)
        answer = self._answer(key)
        self._recording[key] = answer
        return answer

    def _answer(self, question: Question) -> Any:
        if question not in self.answers:
            self.answers[question] = getattr(self.world, question[0])(*question[1:])
            self.store.questions.setdefault(question[0], {}).setdefault(question[1], set()).add(question)
        return self.answers[question]

    def _walk_cell(self, node: str, destination: int) -> tuple[Reach, ...]:
        """All packets from a node to an address; one walk when nobody on the way looks at protocol or port."""
        endpoint = self.ask("endpoint", node)
        if endpoint is None or endpoint.address == destination:
            return ()
        ways: dict[Way, list[int]] = {}
        every = list(range(len(self.classes.ports)))
        for index in every:
            protocol, port = self.classes.ports[index]
            way = Walk(self.ask, Header(endpoint.address, destination, protocol, 40000, port)).start(node)
            if not way.sensitive:
                ways = {way: every}
                break
            ways.setdefault(_shape(way), []).append(index)
        return tuple(
            Reach(node, destination, one.end, tuple(indexes), one, _inside(one))
            for way, indexes in ways.items()
            for one in way.every
            if one.outcome != "dropped" or _inside(one)
        )

    def way(self, node: str, header: Header) -> Way:
        """The simulator's way of one packet."""
        return self.remembered(("way", node, header), lambda: Walk(self.ask, header).start(node))  # type: ignore[no-any-return]

    def talk(self, node: str, header: Header) -> Talk:
        """One packet and its answer."""
        return self.remembered(("talk", node, header), lambda: self._talk(node, header))  # type: ignore[no-any-return]

    def _talk(self, node: str, header: Header) -> Talk:
        forward = Walk(self.ask, header).start(node)
        if forward.outcome != "delivered":
            return Talk(forward, None)
        return Talk(*worst_talk(node, header, [(way, self._answer_to(way)) for way in forward.every]))

    def _answer_to(self, way: Way) -> Way:
        return Walk(self.ask, way.header.reversed(), memories=way.memories).start(way.end)

    def reaches(self) -> Iterator[Reach]:
        """Every reach: delivered, unknown, and dropped ones that carried a private address inside a VRF."""
        for reaches in self.alive.values():
            yield from reaches

    def reaches_from(self, nodes: Container[str]) -> Iterator[Reach]:
        """The reaches that start at one of these nodes."""
        for (source, _destination), reaches in self.alive.items():
            if source in nodes:
                yield from reaches

    @cached_property
    def crossings(self) -> tuple[Crossing, ...]:
        """Every reach (delivered or unknown) whose two ends are in different zones."""
        made_of = (self.alive, self.estate.hosts, self.estate.servers, self.estate.tenants, self.world.guests)
        known = self.store.crossings
        if known is None or any(a is not b for a, b in zip(known[0], made_of, strict=True)):
            known = self.store.crossings = made_of, self._crossings()
        return known[1]

    def _crossings(self) -> tuple[Crossing, ...]:
        zones = self.zones()
        found = []
        for reach in self.reaches():
            here, there = zones.get(reach.source, ""), zones.get(reach.end, "")
            if here != there and reach.way.outcome != "dropped":
                found.append(Crossing(reach, here, there))
        return tuple(found)

    def zones(self) -> dict[str, str]:
        """Zone by point."""
        nodes = [*self.estate.hosts, *self.estate.servers, *self.world.guests]
        return {node: zone_of(self.estate, node, self.world.guests) for node in nodes}


POINT_TABLES = frozenset({"hosts", "servers", "interfaces", "nats", "cloud_networks"})


PRIVATE_SPANS = tuple(span(IPv4Network(prefix)) for prefix in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918."""


def is_private(address: int) -> bool:
    """True for an address of RFC 1918."""
    return within(address, PRIVATE_SPANS)


def _inside(way: Way) -> tuple[Mark, ...]:
    """The decisions inside a VRF on a packet with a private address: a leak, if the VRF is a common zone's."""
    return tuple(
        mark
        for mark in way.marks
        if mark.vrf not in ("", GLOBAL) and (is_private(mark.source) or is_private(mark.destination))
    )


def _shape(way: Way) -> Way:
    """The way with the port it was walked with left out, so that ports treated alike are told together."""
    header = way.header._replace(port=0, protocol="")
    return way._replace(header=header, memories=(), others=tuple(map(_shape, way.others)))
