"""Design -> tables: every protocol fed with what the others found, until nothing changes any more.

Routers decide at their own pace, so a result counts only when it does not depend on the order: the computation is run
from two beginnings and in two orders of BGP speakers. Where they differ, or where no end is found within the bound, the
result is not certain and says so; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from orchestrator.forwarding.control.bgp import Chosen, Speakers, by_itself, toward
from orchestrator.forwarding.control.bgp_sessions import Session
from orchestrator.forwarding.control.check import check_design
from orchestrator.forwarding.control.design import (
    Address,
    Design,
    Router,
    StaticRoute,
)
from orchestrator.forwarding.control.interior import Interior
from orchestrator.forwarding.control.tables import DISCARD, Entry, Hop, Place, Table
from orchestrator.forwarding.control.view import View

_DISORDERLY = 8
"""How many disorderly beginnings are tried, and how many rounds each lasts."""


@dataclass(frozen=True)
class Result:
    """The tables of a design. When not `certain`, `doubts` say why, and no learned route may be relied on."""

    tables: Mapping[Place, Table]
    bgp: Mapping[Place, Chosen]
    doubts: tuple[str, ...]
    rounds: int

    @property
    def certain(self) -> bool:
        """Whether the tables are the only ones that these routers can settle on, as far as was looked."""
        return not self.doubts


def compute(design: Design, bound: int | None = None, shakes: int = 32) -> Result:
    """Return the tables that the routers of a design settle on.

    `bound` is the most rounds that are tried (by default 16 and 4 more per table). `shakes` is how many routers that
    speak BGP or redistribute are restarted, one after the other, to see whether the same tables come back. Raises
    DesignFaultError when the design contradicts itself.
    """
    check_design(design)
    view = View(design)
    most = 16 + 4 * len(view.places) if bound is None else bound
    run = _Run(view, most)
    first = run.settle()
    for tie in run.ties():
        return replace(first, doubts=(*first.doubts, tie))
    if not first.certain or not run.deciding:
        return first
    for other in _again(view, most, run, shakes):
        if not other.certain:
            return other
        if other.tables != first.tables:
            place, prefix = next(_differences(first.tables, other.tables))
            where = f"{place[0]} VRF {place[1]} {prefix}"
            said = f"{where}: the route depends on the order of events: prefer one source, or stop it going in a circle"
            return Result(first.tables, first.bgp, (said,), first.rounds)
    return first


def _again(view: View, most: int, run: _Run, shakes: int) -> Iterator[Result]:
    """Yield the results of other beginnings and of restarts; each must be the first one again."""
    late = _Run(view, most, forward=False, interior=run.interior)
    cold = late.tables, late.chosen
    late.without_redistribution()
    begun = late.tables, late.chosen
    yield late.settle()
    for number in range(min(shakes, _DISORDERLY)):
        late.begin(*(cold if number % 2 else begun))
        late.disorderly(Random(number))  # noqa: S311  # repeatable, nothing secret
        yield late.settle()
    tables, chosen = run.tables, run.chosen
    for router in run.deciding[:shakes]:
        run.begin(tables, chosen)
        run.restart(router)
        yield run.settle()


class _Run:
    """One way to the fixpoint; state is what every table and every BGP instance holds."""

    def __init__(self, view: View, most: int, forward: bool = True, interior: Interior | None = None) -> None:
        self.view, self.most = view, most
        self.speakers = Speakers(view)
        self.order = sorted(self.speakers.instances, reverse=not forward)
        taking = {one.name for one in view.routers.values() if _takes(one)}
        self.deciding = sorted({place[0] for place in self.order} | taking)
        self.interior = interior or Interior(view)
        self.tables: dict[Place, Table] = {place: Table(self._connected(place)) for place in view.places}
        self.chosen: dict[Place, Chosen] = {place: {} for place in self.order}
        self.statics = {place: sorted(_static_routes(view, place), key=_told) for place in view.places}
        self._parts: dict[Place, tuple[object, ...]] = {}

    def begin(self, tables: dict[Place, Table], chosen: dict[Place, Chosen]) -> None:
        """Go back to a state that was reached before."""
        self.tables, self.chosen = tables, chosen
        self._parts = {}

    def settle(self) -> Result:
        """Go round until nothing changes, or until a state comes back: from there the same follows for ever.

        Rounds 1, 2, 4, 8 … are kept to compare with (Brent 1980), so that a circle ends soon however large the bound.
        """
        changed: tuple[Place, object] | None = None
        kept: tuple[object, object] | None = None
        count = 0
        for count in range(1, self.most + 1):
            before, before_chosen = self.tables, self.chosen
            self._round()
            if before == self.tables and before_chosen == self.chosen:
                return Result(self.tables, self.chosen, (), count)
            changed = next(_differences(before, self.tables), changed)
            if kept == (self.tables, self.chosen):
                break
            if not count & (count - 1):
                kept = self.tables, self.chosen
        where = f"{changed[0][0]} VRF {changed[0][1]} {changed[1]}" if changed else "BGP"
        said = f"{where}: does not converge within {count} rounds: look for redistribution or preferences in a circle"
        return Result(self.tables, self.chosen, (said,), count)

    def ties(self) -> Iterator[str]:
        """Say where several routes are equally good and only one is used."""
        return self.speakers.ties(self.chosen, self.tables)

    def without_redistribution(self) -> None:
        """Settle as far as it goes while no protocol takes another's routes: the other beginning."""
        self.interior.redistributing = False
        self.settle()
        self.interior.redistributing = True

    def disorderly(self, random: Random) -> None:
        """Go some rounds in which only some routers come to do anything."""
        for _ in range(_DISORDERLY):
            self._round(asleep=frozenset(name for name in self.view.routers if random.random() < 0.6))

    def restart(self, router: str) -> None:
        """Let one router forget all it has learnt, and the others all they have from it, before it comes back."""
        gone = {place for place in self.view.places if place[0] == router}
        self._parts = {place: parts for place, parts in self._parts.items() if place not in gone}
        self.tables = self.tables | {place: Table(self._connected(place)) for place in gone}
        self.chosen = self.chosen | {place: {} for place in gone & self.chosen.keys()}
        self._round(asleep=frozenset((router,)), cut=True)
        self._round(asleep=frozenset((router,)), cut=True)

    def _round(self, asleep: frozenset[str] = frozenset(), cut: bool = False) -> None:
        """Let every router that is not asleep decide once; `cut`: those asleep are also not heard by BGP."""
        up = [one for one in self.speakers.sessions.up(self.tables) if not (cut and asleep & _routers(one))]
        for place in self.order:
            if place[0] not in asleep:
                self.chosen = {**self.chosen, place: self.speakers.step(place, self.chosen, self.tables, up)}
        learned = self.interior.tables(self.tables)
        self.tables = {
            place: self.tables[place] if place[0] in asleep else self._table(place, learned)
            for place in self.view.places
        }  # fmt: skip

    def _table(self, place: Place, learned: Sequence[Mapping[Place, list[Entry]]]) -> Table:
        """The table of what all protocols offer now; the one before where that is the same."""
        interior = [one[place] for one in learned if place in one]
        parts = ([*self._static(place), *self._bgp(place)], *interior)
        before = self._parts.get(place, ())
        same = len(before) == len(parts) and before[0] == parts[0]
        if same and all(one is other for one, other in zip(before[1:], interior, strict=True)) and self.tables[place]:
            return self.tables[place]
        self._parts[place] = parts
        return Table((*self._connected(place), *parts[0], *(entry for one in interior for entry in one)))

    def _bgp(self, place: Place) -> Iterable[Entry]:
        return self.speakers.entries(place, self.chosen[place], self.tables) if place in self.chosen else ()

    def _connected(self, place: Place) -> Iterator[Entry]:
        for port in self.view.ports(place):
            for address in port.interface.addresses:
                yield Entry(address.network, "connected", 0, 0, frozenset((Hop(port.interface.name),)))

    def _static(self, place: Place) -> Iterator[Entry]:
        same: dict[tuple[object, int], Entry] = {}
        for route in self.statics[place]:
            hops = self._static_hops(place, route)
            if hops:
                entry = Entry(route.prefix, "static", route.distance, 0, hops, route.tag, "", route.line, route.via)
                known = same.get((route.prefix, route.distance))
                same[route.prefix, route.distance] = (
                    entry if known is None else known._replace(hops=known.hops | entry.hops)
                )
        yield from same.values()

    def _static_hops(self, place: Place, route: StaticRoute) -> frozenset[Hop]:
        if route.discard:
            return frozenset((DISCARD,))
        if route.next_hop_vrf is not None and route.via is None:
            return frozenset((Hop(table=(place[0], route.next_hop_vrf)),))
        where = place if route.next_hop_vrf is None else (place[0], route.next_hop_vrf)
        if route.interface is not None:
            up = any(port.interface.name == route.interface for port in self.view.ports(where))
            return frozenset((Hop(route.interface, route.via),)) if up else frozenset()
        return self._resolve(where, route.via, route) if route.via is not None else frozenset()

    def _resolve(self, place: Place, gateway: Address, route: StaticRoute) -> frozenset[Hop]:
        by_default = self.view.routers[place[0]].resolve_by_default
        entry = self.tables[place].longest(gateway, by_default)
        if entry is None or by_itself(route.prefix, gateway, entry) or gateway in self.view.own(place):
            return frozenset()
        return toward(entry, gateway)


def _static_routes(view: View, place: Place) -> Iterator[StaticRoute]:
    return (route for route in view.routers[place[0]].static if route.vrf == place[1])


def _told(route: StaticRoute) -> tuple[int, int, str, int, str]:
    """The lowest next hop first: of equal routes it is the one that others are told."""
    return route.distance, -1 if route.via is None else int(route.via), route.interface or "", route.tag, route.line


def _takes(router: Router) -> bool:
    """Return whether an interior protocol of a router takes routes of others; without that no order matters to it."""
    return any(one.redistribute or one.default for one in router.ospf) or any(one.redistribute for one in router.isis)


def _routers(session: Session) -> set[str]:
    return {session.sender.place[0], session.receiver.place[0]}


def _differences(one: Mapping[Place, Table], other: Mapping[Place, Table]) -> Iterator[tuple[Place, object]]:
    for place, table in one.items():
        if table == other[place]:
            continue
        for prefix in sorted({*table, *other[place]}, key=str):
            if table.get(prefix) != other[place].get(prefix):
                yield place, prefix
