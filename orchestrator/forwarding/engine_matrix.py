"""The matrix of points with the engine as judge: it decides which packets reach whom, the simulator says on which way.

The plain walk is made where the engine says that packets arrive or that it cannot tell, and for packets that could
carry a private address into a VPN, whose way counts even when they are dropped. Where both have an answer they must
agree, in every state: a difference is a defect of one of them and stops the proof.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.changes import next_world
from orchestrator.forwarding.decisions import Answer, Asked, Decisions
from orchestrator.forwarding.ends import DROPPED, LOOPS, UNKNOWN
from orchestrator.forwarding.exchanges import Exchanges
from orchestrator.forwarding.live import Live, Moved
from orchestrator.forwarding.lowering import DEVICE
from orchestrator.forwarding.matrix import CellKey, Matrix, Reach, Talk
from orchestrator.forwarding.points import Classes, guests
from orchestrator.forwarding.private import Private
from orchestrator.forwarding.simulator import ENGINE, fits
from orchestrator.forwarding.walk import EQUAL_ROUTES, Header, Way
from orchestrator.forwarding.world import UnparsedLine, World, text_of
from orchestrator.model.estate import Estate


class DisagreementError(OnefoldError):
    """The engine and the simulator say different things about one packet: one of them has a defect."""


@dataclass
class Judges:
    """What all matrices of one run share besides the store. The engine holds one state at a time."""

    live: Live
    decisions: Decisions
    exchanges: Exchanges
    private: Private
    asked: tuple[tuple[CellKey, ...] | None, tuple[int, ...]] = (None, ())  # last keys, and the destinations in them


class EngineMatrix(Matrix):
    """All ways between all points of one estate, decided by the engine. Face and answers are those of `Matrix`."""

    judge = f"forwarding-1, explained by {ENGINE}"

    judges: Judges
    decided: dict[CellKey, Answer]
    """Cells not all of whose packets are dropped."""

    watched: frozenset[CellKey]
    """Cells that are walked whatever the engine says."""

    @classmethod
    def of(
        cls, estate: Estate, classes: Classes, unparsed: Iterable[UnparsedLine] = (), ahead: Iterable[Estate] = ()
    ) -> "EngineMatrix":
        """The matrix of an estate. `ahead`: estates that will be asked for; the engine makes room for what they have.

        Raises DisagreementError.
        """
        lines = tuple(unparsed)
        world = World.of(estate, guests(estate, classes), lines)
        matrix = cls(estate, classes, world, lines)
        live = Live(world, _worlds(world, classes, ahead))
        matrix.judges = Judges(live, Decisions(live, classes.ports), Exchanges(live), Private(live))
        matrix.keys = matrix._cell_keys()
        matrix.judges.decisions.move(matrix._asked(), Moved(None, frozenset()))
        matrix._take()
        matrix._judge({}, matrix.keys)
        return matrix

    def _child(self, estate: Estate, world: World) -> "EngineMatrix":
        child = super()._child(estate, world)
        child.judges, child.decided, child.watched = self.judges, self.decided, self.watched
        return child

    def _follow(self, before: Matrix, hit: set[Any]) -> None:
        if not isinstance(before, EngineMatrix):
            raise TypeError("an engine's matrix follows another one: make the first one with EngineMatrix.of")
        self.bring()
        self._take()
        changed = {
            key
            for key in self.decided.keys() | before.decided.keys()
            if self.decided.get(key) != before.decided.get(key)
        }
        changed |= self.watched ^ before.watched
        if self.keys is not before.keys:
            changed |= set(before.keys) ^ set(self.keys)
        self._judge(before.alive, changed | hit)

    def bring(self) -> None:
        """Take the engine to this state."""
        live, decisions = self.judges.live, self.judges.decisions
        if live.lowering.world is not self.world:
            moved = live.move(self.world)
            decisions.move(self._asked(), moved)

    def _asked(self) -> Asked:
        sources = dict(self.points())
        keys, destinations = self.judges.asked
        if keys is not self.keys:
            count = len(self.keys) // len(sources) if sources else 0
            found = tuple(destination for _node, destination in self.keys[:count])
            destinations = destinations if found == destinations else found
            self.judges.asked = self.keys, destinations
        return Asked(sources, destinations)

    def _take(self) -> None:
        """What the engine says of the state that it holds."""
        self.decided = dict(self.judges.decisions.cells)
        self.watched = self.judges.private.cells(*self._asked())

    def _judge(self, before: dict[CellKey, tuple[Reach, ...]], changed: Iterable[Any]) -> None:
        """Walk what is alive or watched, and hold both answers against each other."""
        alive = dict(before)
        for key in changed:
            if key in self.decided or key in self.watched:
                reaches = self.remembered(key, lambda key=key: self._walk_cell(*key))  # type: ignore[misc] # bound now
                self._agree(key, reaches)
                alive.pop(key, None)
                if reaches:
                    alive[key] = reaches
            else:
                alive.pop(key, None)
        same = alive.keys() == before.keys() and all(alive[key] is before[key] for key in alive)
        self.alive = before if same and before else self._in_order(alive)

    def _agree(self, key: CellKey, reaches: tuple[Reach, ...]) -> None:
        """Raises DisagreementError where engine and simulator do not say the same."""
        answer = self.decided.get(key)
        walked = {index: reach.way for reach in reaches for index in reach.ports}
        for index, (protocol, port) in enumerate(self.classes.ports):
            said = answer[index] if answer else DROPPED
            way = walked.get(index)
            if not self._same(said, way):
                packet = f"{protocol} from {key[0]} to {text_of(key[1])} port {port}"
                found = f"{way.outcome} at {way.end}: {way.reason}" if way else "dropped"
                raise DisagreementError(
                    f"{packet}: the engine says {_said(said)}, the simulator {found}: "
                    "do not apply this plan, report both"
                )

    def _same(self, said: str, way: Way | None) -> bool:
        if way is None or way.outcome == "dropped":
            return said in (DROPPED, LOOPS)
        if way.outcome == "unknown":  # equal ways to one place count as one for the engine, whatever they translate
            return said == UNKNOWN or (way.reason.startswith(EQUAL_ROUTES) and said not in (DROPPED, LOOPS))
        return said == self._zone(way.end)

    def _zone(self, node: str) -> str:
        return self.judges.live.lowering.zone(node) or DEVICE + node

    def talk(self, node: str, header: Header) -> Talk:
        """One packet and its answer, held against what the engine says of both directions.

        Raises DisagreementError.
        """
        talk = super().talk(node, header)
        self.bring()
        works = self.judges.exchanges.works(node, header)
        walked = None if talk.forward.outcome == "unknown" else False
        if talk.back is not None:
            walked = fits(node, header, talk.back)
        if works is not walked and not _doubtful(talk):
            raise DisagreementError(
                f"{header} from {node} and its answer: the engine says {_TOLD[works]}, the simulator {_TOLD[walked]}: "
                "do not apply this plan, report both"
            )
        return talk

    def loops(self) -> Iterable[CellKey]:
        """Cells some of whose packets go round, as the engine says."""
        return (key for key, answer in self.decided.items() if LOOPS in answer)


def _worlds(world: World, classes: Classes, estates: Iterable[Estate]) -> Iterator[World]:
    """The worlds of estates, each made from the one before."""
    for estate in estates:
        world = next_world(world, estate, guests(estate, classes))
        yield world


_TOLD = {True: "it works", False: "it fails", None: "it cannot tell"}


def _doubtful(talk: Talk) -> bool:
    """Equally good routes that disagree: the simulator does not follow them further, the engine follows each."""
    return any(way is not None and way.reason.startswith(EQUAL_ROUTES) for way in talk)


def _said(end: str) -> str:
    named = {DROPPED: "dropped", LOOPS: "it goes round", UNKNOWN: "it cannot tell"}
    return named.get(end, f"delivered to {end}")
