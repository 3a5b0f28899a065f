"""Packets that go round: told as what they are, not as packets that are merely dropped.

A loop breaks no promise by itself: unused outside addresses often have one. A registered flow that meets one fails, and
its finding says so. This finding names all destinations whose packets go round in some state.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.forwarding.ends import LOOPS
from orchestrator.forwarding.engine_matrix import EngineMatrix
from orchestrator.forwarding.flows import gone_round
from orchestrator.forwarding.matrix import Matrix
from orchestrator.forwarding.walk import Header
from orchestrator.forwarding.world import text_of
from orchestrator.model.finding import Finding

MOST_NAMED = 5


@dataclass
class Loops:
    """What has been seen of loops so far: destination -> in words; states are counted when any packet went round."""

    over: dict[int, str] = field(default_factory=dict)
    sources: dict[int, set[str]] = field(default_factory=dict)
    states: int = 0
    _looked: object = None
    _any: bool = False

    def see(self, matrix: Matrix) -> None:
        """Take notice of one state. Only the engine tells loops from other drops in every cell."""
        if not isinstance(matrix, EngineMatrix):
            return
        if matrix.decided is not self._looked:
            self._looked, self._any = matrix.decided, False
            for source, destination in matrix.loops():
                self._any = True
                self.sources.setdefault(destination, set()).add(source)
                if destination not in self.over:
                    self.over[destination] = _round(matrix, source, destination)
        self.states += self._any

    def absorb(self, later: "Loops") -> None:
        """Take over what was seen of later states."""
        self.over = later.over | self.over
        for destination, sources in later.sources.items():
            self.sources.setdefault(destination, set()).update(sources)
        self.states += later.states

    def forget(self) -> None:
        """Let go of the state looked at last."""
        self._looked = None

    def findings(self, states: int) -> Iterator[Finding]:
        """One finding that says which packets go round, when there are any."""
        if not self.over:
            return
        told = [
            f"loop: packets to {text_of(destination)} go round over {over} (from {len(sources)} points)"
            for (destination, over), sources in ((item, self.sources[item[0]]) for item in sorted(self.over.items()))
        ]
        more = f" and to {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
        what = f"{'; '.join(told[:MOST_NAMED])}{more}, in {self.states} of {states} states"
        yield Finding(subject="loops", result="pass", what=what, fix="give the unused addresses a null route")


def _round(matrix: EngineMatrix, source: str, destination: int) -> str:
    """The devices between which one of the packets goes round."""
    endpoint = matrix.world.endpoint(source)
    index = matrix.decided[(source, destination)].index(LOOPS)
    protocol, port = matrix.classes.ports[index]
    header = Header(endpoint.address if endpoint else 0, destination, protocol, 40000, port)
    return gone_round(matrix.talk(source, header).forward) or "nobody the simulator knows"
