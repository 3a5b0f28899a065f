"""The interior protocols among the others: what they take from the tables, and what they give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orchestrator.forwarding.control import isis, ospf, ospf_external
from orchestrator.forwarding.control.design import Address, Family, Isis, Ospf, Prefix, Redistribution
from orchestrator.forwarding.control.filters import Announced
from orchestrator.forwarding.control.ospf_external import External
from orchestrator.forwarding.control.tables import Entry, Place, Table
from orchestrator.forwarding.control.view import View

FAMILIES: tuple[Family, ...] = (4, 6)
_REMEMBERED = 24


class Interior:
    """OSPF and IS-IS of a whole design. While not `redistributing`, they take no routes of other protocols."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.redistributing = True
        self.now: Mapping[Place, Table] = {}
        self._domains: dict[tuple[Family, frozenset[Place]], ospf.Domain] = {}
        self._interiors: dict[tuple[object, ...], dict[Place, list[Entry]]] = {}

    def tables(self, tables: Mapping[Place, Table]) -> list[dict[Place, list[Entry]]]:
        """Return what OSPF, OSPF for IPv6 and IS-IS offer each table, when the tables hold what is given.

        The same objects again where nothing changed for a protocol.
        """
        self.now = tables
        return [*(self._ospf(family) for family in FAMILIES), self._isis()]

    def _remembered(
        self, key: tuple[object, ...], compute_it: Callable[[], dict[Place, list[Entry]]]
    ) -> dict[Place, list[Entry]]:
        """Interior routes depend only on what comes from outside: the same again is not computed again."""
        if key not in self._interiors:
            self._interiors[key] = compute_it()
            while len(self._interiors) > _REMEMBERED:
                del self._interiors[next(iter(self._interiors))]
        return self._interiors[key]

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
        domain = self._domains[key]
        return self._remembered((family, externals), lambda: ospf_external.tables(self.view, family, domain, externals))

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
            forwarding = _forward(entry, own)
            best.setdefault(entry.prefix, External(place, entry.prefix, metric, kind, route.tag, forwarding))
        yield from best.values()
        yield from self._default(place, told, source)

    def _default(self, place: Place, told: Ospf, source: str) -> Iterator[External]:
        if told.default is None:
            return
        known = next((entry for prefix, entry in self.now[place].items()
                      if prefix.version == told.family and not prefix.prefixlen), None)  # fmt: skip
        if told.default.always or (known is not None and known.source != source):
            prefix = ospf.everything(told.family)
            yield External(place, prefix, told.default.metric, told.default.external_type)

    def _announced(
        self, place: Place, wanted: tuple[Redistribution, ...], family: Family | None
    ) -> Iterator[tuple[Entry, Redistribution, Announced]]:
        """Yield what one protocol takes of the others' routes; a default route never goes along by redistribution."""
        if not self.redistributing:
            return
        for one in wanted:
            for entry in self.now[place].values():
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
        return self._remembered(("isis", outside), lambda: isis.tables(self.view, outside))

    def _outside(self, place: Place, told: Isis) -> Iterator[isis.Outside]:
        for entry, one, route in self._announced(place, told.redistribute, None):
            if entry.source != "isis":
                metric = one.metric if route.metric is None else route.metric
                for level in told.redistribute_levels:
                    yield isis.Outside(place, level, entry.prefix, metric or 0)


def _forward(entry: Entry, own: set[Prefix]) -> Address | None:
    """The next hop itself, where OSPF runs on its network: others need not pass by this router (RFC 2328, 2.3)."""
    gateway = entry.next_hop
    return gateway if gateway is not None and any(gateway in network for network in own) else None
