"""Which cells have packets that could carry a private address into a VPN: their way counts even when it ends nowhere.

The engine says where packets end, not where they have been. So these few are walked: those from points whose tables
lead to a VPN's table at all, with an address at either end that is private or that a translation can make private.
"""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.forwarding.boxes import Span, within
from orchestrator.forwarding.live import Live
from orchestrator.forwarding.matrix import is_private
from orchestrator.forwarding.shape import Routes, leads
from orchestrator.model.network import GLOBAL

Cell = tuple[str, int]


class Private:
    """The cells to watch in each state that a `Live` is taken to."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._leads: dict[int, tuple[Routes, frozenset[int]]] = {}
        self._rows: tuple[tuple[Span, Span], ...] = ()
        self._known: dict[int, bool] = {}

    def cells(self, keys: Iterable[Cell], sources: Mapping[str, int]) -> frozenset[Cell]:
        """The cells to watch in the present state."""
        translators = self.live.lowering.world.translators.values()
        rows = tuple((inside, outside) for one in translators for _row, inside, outside in one.rows)
        if rows != self._rows:
            self._rows, self._known = rows, {}
        near, tables = self._near(), self.live.lowering.shape.tables
        entering = {node: self._may_be(own) for node, own in sources.items() if tables.get(f"{node}/sends") in near}
        return frozenset(key for key in keys if key[0] in entering and (entering[key[0]] or self._may_be(key[1])))

    def _near(self) -> set[int]:
        """Tables from which packets can get into a VPN's table, whatever their destination."""
        shape, tables = self.live.lowering.shape, self.live.lowering.world.tables
        found = {shape.tables["/".join(instance)] for instance in tables if instance[1] not in ("", GLOBAL)}
        back: dict[int, list[int]] = {}
        for table, routes in self.live.state.routes.items():
            known = self._leads.get(table)
            if known is None or known[0] is not routes:
                known = self._leads[table] = routes, leads(routes.values(), shape)
            for other in known[1]:
                back.setdefault(other, []).append(table)
        todo = list(found)
        while todo:
            for table in back.get(todo.pop(), ()):
                if table not in found:
                    found.add(table)
                    todo.append(table)
        return found

    def _may_be(self, address: int) -> bool:
        """Whether an address is private, or translations can make it so."""
        if address not in self._known:
            met, todo = {address}, [address]
            while todo:
                for moved in self._moved(todo.pop()):
                    if moved not in met:
                        met.add(moved)
                        todo.append(moved)
            self._known[address] = any(map(is_private, met))
        return self._known[address]

    def _moved(self, address: int) -> Iterator[int]:
        for inside, outside in self._rows:
            for here, there in ((inside, outside), (outside, inside)):
                if within(address, (here,)):
                    yield there[0] | (address & ~there[1] & 0xFFFFFFFF)
                    yield there[0]
