"""The engine's decision graph as lists that grow with it: nodes keep their numbers, only new ones are read."""

from __future__ import annotations

from orchestrator.forwarding.engine.engine import Engine


class Graph:
    """Columns of nodes; children of node n: children[first[n] : first[n + 1]], all with smaller numbers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.kind: list[int] = []
        self.a: list[int] = []
        self.first: list[int] = [0]
        self.children: list[int] = []

    def know(self, node: int) -> None:
        """Read on until this node is there."""
        count = len(self.kind)
        if node < count:
            return
        found = self._engine.outcomes()
        self.kind += found.kind[count:].tolist()
        self.a += found.a[count:].tolist()
        self.first += found.first[count + 1 :].tolist()
        self.children += found.children[len(self.children) :].tolist()

    def below(self, node: int) -> list[int]:
        """A node's children."""
        return self.children[self.first[node] : self.first[node + 1]]
