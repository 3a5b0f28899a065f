"""Packets that go round: told as what they are, not as packets that are merely dropped.

A loop that was not there in `now` breaks the plan, whoever meets it: it eats the lines it goes over. One that was there
is told apart, as long as the same packets go round over no other devices: unused outside addresses often have one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from orchestrator.forwarding.ends import LOOPS
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.flows import gone_round
from orchestrator.forwarding.matrix import CellKey, Matrix
from orchestrator.forwarding.points import Classes
from orchestrator.forwarding.simulator import Simulator, packet_of, trace_of
from orchestrator.forwarding.walk import Header, Way
from orchestrator.forwarding.world import text_of
from orchestrator.model.finding import Finding

MOST_NAMED = 5
NAME = "loops"
NOBODY = "nobody the simulator knows"
Walker = Callable[[str, Header], Way]


@dataclass
class Round:
    """Packets of one cell that go round: `ports` are indexes into the classes of ports, `way` that of one of them."""

    cell: CellKey
    ports: frozenset[int]
    way: Way
    header: Header

    @property
    def devices(self) -> str:
        """The devices of the circle."""
        return gone_round(self.way) or NOBODY

    def text(self) -> str:
        """In words; the same in every state."""
        return f"loop: packets to {text_of(self.cell[1])} go round over {self.devices}"

    def is_within(self, other: "Round") -> bool:
        """Whether no packet goes round that the other one does not have, and over no other device."""
        return self.ports <= other.ports and set(self.devices.split(", ")) <= set(other.devices.split(", "))


@dataclass
class Loops:
    """What goes round in `now`, and in how many states anything of it still does. Make one with `Loops.since`."""

    old: dict[CellKey, list[Round]] = field(default_factory=dict)
    states: int = 0
    _now: Matrix | None = None
    _asked: frozenset[CellKey] = frozenset()
    _looked: object = None
    _any_old: bool = False
    _new: tuple[Finding, ...] = ()

    @classmethod
    def since(cls, now: Matrix) -> "Loops":
        """Nothing seen yet; `now` is the state before any step."""
        loops = cls(_now=now)
        if isinstance(now, EngineMatrix):
            loops._asked = frozenset(now.keys)
            for cell in now.loops():
                loops.old[cell] = _rounds(now, cell)
        return loops

    def see(self, matrix: Matrix) -> tuple[Finding, ...]:
        """The loops of one state that `now` does not have. Only the engine tells loops from other drops."""
        if not isinstance(matrix, EngineMatrix):
            return ()
        if matrix.decided is not self._looked:
            self._looked = matrix.decided
            self._any_old, self._new = self._compared(matrix)
        self.states += self._any_old
        return self._new

    def absorb(self, later: "Loops") -> None:
        """Take over what was seen of later states."""
        self.old = later.old | self.old
        self.states += later.states

    def forget(self) -> None:
        """Let go of the states looked at."""
        self._now, self._looked = None, None

    def _compared(self, matrix: EngineMatrix) -> tuple[bool, tuple[Finding, ...]]:
        """Whether a loop of `now` is still there, and one finding for each circle that is new."""
        found = [one for cell in matrix.loops() for one in _rounds(matrix, cell)]
        new = [one for one in found if not self._is_old(one)]
        new.sort(key=lambda one: one.cell, reverse=True)
        told = {one.text(): _finding(one) for one in new}  # of equal texts the first cell by name is kept
        return len(new) < len(found), tuple(told[text] for text in sorted(told))

    def _is_old(self, one: Round) -> bool:
        """Whether these packets went round over these devices in `now`."""
        if any(one.is_within(known) for known in self.old.get(one.cell, ())):
            return True
        now = self._now
        if now is None or one.cell in self._asked or one.cell in self.old:
            return False
        source, destination = one.cell
        endpoint = now.world.endpoint(source)
        if endpoint is None:  # a new point: what others' packets did counts
            return any(one.is_within(known) for known in self._towards(destination))
        walk = Simulator(now.estate, now.unparsed, now.world.guests.values()).way
        before = _walked(walk, one.cell, endpoint.address, now.classes, one.ports)  # nobody had the address
        self.old[one.cell] = [known for known in before if gone_round(known.way)]
        return any(one.is_within(known) for known in self.old[one.cell])

    def _towards(self, destination: int) -> Iterator[Round]:
        for (_source, towards), rounds in self.old.items():
            if towards == destination:
                yield from rounds

    def findings(self, states: int) -> Iterator[Finding]:
        """One finding that says which packets went round before any step, when there are any."""
        circles: dict[str, set[str]] = {}
        for (source, _destination), rounds in self.old.items():
            for one in rounds:
                circles.setdefault(one.text(), set()).add(source)
        if not circles:
            return
        told = [f"{text} (from {len(sources)} points)" for text, sources in sorted(circles.items())]
        more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
        what = f"{'; '.join(told[:MOST_NAMED])}{more}, before any step, in {self.states} of {states} states"
        fix = "give the unused addresses a null route"
        yield Finding(subject=NAME, result="fail", what=what, fix=fix, existing=True)


def _rounds(matrix: EngineMatrix, cell: CellKey) -> list[Round]:
    """What goes round of a cell."""
    endpoint = matrix.world.endpoint(cell[0])
    ports = (index for index, end in enumerate(matrix.decided[cell]) if end == LOOPS)
    return _walked(matrix.way, cell, endpoint.address if endpoint else 0, matrix.classes, ports)


def _walked(walk: Walker, cell: CellKey, address: int, classes: Classes, ports: Iterable[int]) -> list[Round]:
    """The simulator's ways of a cell's packets, those over one circle together."""
    left = sorted(ports)
    circles: dict[str, Round] = {}
    while left:
        protocol, port = classes.ports[left[0]]
        header = Header(address, cell[1], protocol, 40000, port)
        way = walk(cell[0], header)
        alike = frozenset(left[:1] if way.sensitive else left)
        left = left[len(alike) :]
        circles.setdefault(gone_round(way), Round(cell, alike, way, header)).ports |= alike
    return list(circles.values())


def _finding(one: Round) -> Finding:
    trace = trace_of(one.cell[0], packet_of(one.header), one.way, {})
    fix = "change the order of the steps, or give the addresses a null route before"
    return Finding(subject=NAME, result="fail", what=one.text(), fix=fix, trace=trace)
