"""Design -> tables: every protocol fed with what the others found, until nothing changes any more.

Routers decide at their own pace, so a result counts only when it does not depend on the order: the computation is run
from two beginnings and in two orders of BGP speakers. Where they differ, or where no end is found within the bound, the
result is not certain and says so; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from orchestrator.forwarding.control import isis, ospf, ospf_external
from orchestrator.forwarding.control.bgp import Chosen, Speakers, toward
from orchestrator.forwarding.control.bgp_sessions import Session
from orchestrator.forwarding.control.check import check_design
from orchestrator.forwarding.control.design import (
    Address,
    Design,
    Family,
    Isis,
    Ospf,
    Prefix,
    Redistribution,
    StaticRoute,
)
from orchestrator.forwarding.control.filters import Announced
from orchestrator.forwarding.control.ospf_external import External
from orchestrator.forwarding.control.tables import DISCARD, Entry, Hop, Place, Table
from orchestrator.forwarding.control.view import View

_DISORDERLY = 8
"""How many disorderly beginnings are tried, and how many rounds each lasts."""
FAMILIES: tuple[Family, ...] = (4, 6)


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

    `bound` is the most rounds that are tried (by default 16 and 4 more per table). `shakes` is how many BGP routers are
    restarted, one after the other, to see whether the same tables come back. Raises DesignFaultError when the design
    contradicts itself.
    """
    check_design(design)
    view = View(design)
    most = 16 + 4 * len(view.places) if bound is None else bound
    run = _Run(view, most)
    first = run.settle()
    if not first.certain or not run.order:
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
    late = _Run(view, most, forward=False)
    cold = late.tables, late.chosen
    late.without_redistribution()
    begun = late.tables, late.chosen
    yield late.settle()
    for number in range(min(shakes, _DISORDERLY)):
        late.tables, late.chosen = cold if number % 2 else begun
        late.disorderly(Random(number))  # noqa: S311  # repeatable, nothing secret
        yield late.settle()
    tables, chosen = run.tables, run.chosen
    for router in sorted({place[0] for place in run.order})[:shakes]:
        run.tables, run.chosen = tables, chosen
        run.restart(router)
        yield run.settle()


class _Run:
    """One way to the fixpoint; state is what every table and every BGP instance holds."""

    def __init__(self, view: View, most: int, forward: bool = True) -> None:
        self.view, self.most = view, most
        self.speakers = Speakers(view)
        self.order = sorted(self.speakers.instances, reverse=not forward)
        self.redistributing = True
        self.tables: dict[Place, Table] = {place: Table(self._connected(place)) for place in view.places}
        self.chosen: dict[Place, Chosen] = {place: {} for place in self.order}
        self._domains: dict[tuple[Family, frozenset[Place]], ospf.Domain] = {}
        self._offered: dict[str, tuple[object, dict[Place, list[Entry]]]] = {}

    def settle(self) -> Result:
        """Go round until nothing changes."""
        changed: tuple[Place, object] | None = None
        for count in range(1, self.most + 1):
            before, before_chosen = self.tables, self.chosen
            self._round()
            if before == self.tables and before_chosen == self.chosen:
                return Result(self.tables, self.chosen, (), count)
            changed = next(_differences(before, self.tables), changed)
        where = f"{changed[0][0]} VRF {changed[0][1]} {changed[1]}" if changed else "BGP"
        said = (
            f"{where}: does not converge within {self.most} rounds: look for redistribution or preferences in a circle"
        )
        return Result(self.tables, self.chosen, (said,), self.most)

    def without_redistribution(self) -> None:
        """Settle as far as it goes while no protocol takes another's routes: the other beginning."""
        self.redistributing = False
        self.settle()
        self.redistributing = True

    def disorderly(self, random: Random) -> None:
        """Go some rounds in which only some routers come to do anything."""
        for _ in range(_DISORDERLY):
            self._round(asleep=frozenset(name for name in self.view.routers if random.random() < 0.6))

    def restart(self, router: str) -> None:
        """Let one router forget all it has learnt, and the others all they have from it, before it comes back."""
        gone = {place for place in self.view.places if place[0] == router}
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
        learned = self._interior()
        self.tables = {
            place: self.tables[place] if place[0] in asleep else
            Table((*self._connected(place), *self._static(place), *learned.get(place, ()), *self._bgp(place)))
            for place in self.view.places
        }  # fmt: skip

    def _bgp(self, place: Place) -> Iterable[Entry]:
        return self.speakers.entries(place, self.chosen[place], self.tables) if place in self.chosen else ()

    def _connected(self, place: Place) -> Iterator[Entry]:
        for port in self.view.ports(place):
            for address in port.interface.addresses:
                yield Entry(address.network, "connected", 0, 0, frozenset((Hop(port.interface.name),)))

    def _static(self, place: Place) -> Iterator[Entry]:
        same: dict[tuple[object, int], Entry] = {}
        for route in self.view.routers[place[0]].static:
            if route.vrf != place[1]:
                continue
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
        entry = self.tables[place].longest(gateway, route.prefix, by_default)
        if entry is None or all(hop.discard for hop in entry.hops):
            return frozenset()
        return toward(entry, gateway)

    def _interior(self) -> dict[Place, list[Entry]]:
        found: dict[Place, list[Entry]] = {}
        for entries in (*(self._ospf(family) for family in FAMILIES), self._isis()):
            for place, rows in entries.items():
                found.setdefault(place, []).extend(rows)
        return found

    def _ospf(self, family: Family) -> dict[Place, list[Entry]]:
        processes = [
            ((router.name, told.vrf), told)
            for router in self.view.design.routers for told in router.ospf if told.family == family
        ]  # fmt: skip
        if not processes:
            return {}
        boundary = frozenset(place for place, told in processes if told.redistribute or told.default)
        externals = tuple(one for place, told in processes for one in self._externals(place, told))
        key = (family, boundary)
        if key not in self._domains:
            self._domains[key] = ospf.domain(self.view, family, boundary)
        known = self._offered.get(f"ospf{family}")
        if known is None or known[0] != externals:
            known = externals, ospf_external.tables(self.view, family, self._domains[key], externals)
            self._offered[f"ospf{family}"] = known
        return known[1]

    def _externals(self, place: Place, told: Ospf) -> Iterator[External]:
        own = {
            address.network for port in self.view.ports(place) for address in port.interface.addresses
            if ospf.settings(port.interface, told.family) is not None
        }  # fmt: skip
        source = "ospf" if told.family == 4 else "ospf6"
        best: dict[object, External] = {}
        for entry, one, route in self._announced(place, told.redistribute, told.family):
            if entry.source == source or (entry.source == "connected" and entry.prefix in own):
                continue
            said = one.metric if route.metric is None else route.metric
            metric = told.external_metric if said is None else said
            kind = route.external_type or one.external_type
            best.setdefault(
                entry.prefix, External(place, entry.prefix, metric, kind, route.tag, self._forward(entry, own))
            )
        yield from best.values()
        yield from self._default(place, told, source)

    def _default(self, place: Place, told: Ospf, source: str) -> Iterator[External]:
        if told.default is None:
            return
        known = next((entry for prefix, entry in self.tables[place].items()
                      if prefix.version == told.family and not prefix.prefixlen), None)  # fmt: skip
        if told.default.always or (known is not None and known.source != source):
            prefix = ospf.everything(told.family)
            yield External(place, prefix, told.default.metric, told.default.external_type)

    def _forward(self, entry: Entry, own: set[Prefix]) -> Address | None:
        """The next hop itself, where OSPF runs on its network: others need not pass by this router (RFC 2328, 2.3)."""
        gateway = entry.next_hop
        return gateway if gateway is not None and any(gateway in network for network in own) else None

    def _announced(
        self, place: Place, wanted: tuple[Redistribution, ...], family: Family | None
    ) -> Iterator[tuple[Entry, Redistribution, Announced]]:
        """Yield what one protocol takes of the others' routes; a default route never goes along by redistribution."""
        if not self.redistributing:
            return
        for one in wanted:
            for entry in self.tables[place].values():
                fits = entry.source.removesuffix("6") == one.source and family in {None, entry.prefix.version}
                if not fits or not entry.prefix.prefixlen:
                    continue
                seen = Announced(entry.prefix, entry.tag, metric=one.metric)
                route = self.view.filters[place[0]].apply(one.route_map, seen)
                if route is not None:
                    yield entry, one, route

    def _isis(self) -> dict[Place, list[Entry]]:
        processes = [((router.name, told.vrf), told) for router in self.view.design.routers for told in router.isis]
        outside = tuple(one for place, told in processes for one in self._outside(place, told))
        known = self._offered.get("isis")
        if known is None or known[0] != outside:
            known = outside, isis.tables(self.view, outside)
            self._offered["isis"] = known
        return known[1]

    def _outside(self, place: Place, told: Isis) -> Iterator[isis.Outside]:
        for entry, one, route in self._announced(place, told.redistribute, None):
            if entry.source != "isis":
                metric = one.metric if route.metric is None else route.metric
                for level in told.redistribute_levels:
                    yield isis.Outside(place, level, entry.prefix, metric or 0)


def _routers(session: Session) -> set[str]:
    return {session.sender.place[0], session.receiver.place[0]}


def _differences(one: Mapping[Place, Table], other: Mapping[Place, Table]) -> Iterator[tuple[Place, object]]:
    for place, table in one.items():
        for prefix in sorted({*table, *other[place]}, key=str):
            if table.get(prefix) != other[place].get(prefix):
                yield place, prefix
