"""Which cells have packets that could carry a private address into a VPN: their way counts even when it ends nowhere.

The engine says where packets end, not where they have been. So these few are walked: those from points whose tables
lead to a VPN's table at all, with an address at either end that is private or that a translation can make private.
"""

from collections.abc import Iterator, Mapping

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
        self._back: dict[int, dict[int, None]] = {}  # the same the other way round
        self._near: tuple[object, set[int]] = (None, set())
        self._rows: tuple[tuple[Span, Span], ...] = ()
        self._known: dict[int, bool] = {}
        self._last: tuple[object, ...] = ()
        self._cells: frozenset[Cell] = frozenset()

    def cells(self, sources: Mapping[str, int], destinations: tuple[int, ...]) -> frozenset[Cell]:
        """The cells to watch in the present state, of those from these sources to these destinations."""
        translators = self.live.lowering.world.translators
        if not self._last or self._last[0] is not translators:
            rows = tuple((inside, outside) for one in translators.values() for _row, inside, outside in one.rows)
            if rows != self._rows:
                self._rows, self._known = rows, {}
        near, tables = self._now_near(), self.live.lowering.shape.tables
        entering = {node: own for node, own in sources.items() if tables.get(f"{node}/sends") in near}
        last = (translators, destinations, entering, self._known)
        if len(self._last) != len(last) or not all(a is b or a == b for a, b in zip(self._last, last, strict=True)):
            private = tuple(filter(self._may_be, destinations))
            asked = ((node, destinations if self._may_be(own) else private) for node, own in entering.items())
            self._last = last
            self._cells = frozenset((node, destination) for node, those in asked for destination in those)
        return self._cells

    def _now_near(self) -> set[int]:
        """Tables from which packets can get into a VPN's table, whatever their destination."""
        shape, tables = self.live.lowering.shape, self.live.lowering.world.tables
        goals = frozenset(shape.tables["/".join(instance)] for instance in tables if instance[1] not in ("", GLOBAL))
        if self._follow() or self._near[0] != goals:
            found = set(goals)
            todo = list(goals)
            while todo:
                for table in self._back.get(todo.pop(), ()):
                    if table not in found:
                        found.add(table)
                        todo.append(table)
            self._near = goals, found
        return self._near[1]

    def _follow(self) -> bool:
        """Take over which table leads to which; True when that has changed."""
        routes = self.live.state.routes
        changed = False
        for table in self._leads.keys() - routes.keys():
            changed = self._lead(table, {}) or changed
            del self._leads[table]
        for table, made in routes.items():
            known = self._leads.get(table)
            if known is None or known[0] is not made:
                changed = self._lead(table, made) or changed
        return changed

    def _lead(self, table: int, routes: Routes) -> bool:
        before = self._leads[table][1] if table in self._leads else frozenset()
        now = leads(routes.values(), self.live.lowering.shape)
        self._leads[table] = routes, now
        for gone in before - now:
            del self._back[gone][table]
        for new in now - before:
            self._back.setdefault(new, {})[table] = None
        return before != now

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
