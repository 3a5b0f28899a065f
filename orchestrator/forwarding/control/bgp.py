"""BGP instances: own routes, those of neighbours, those imported from and exported to the VPN, and the best of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.forwarding.control.bgp_paths import IGP, INCOMPLETE, Key, Path, as_good, choose
from orchestrator.forwarding.control.bgp_sessions import Session, Sessions, tell
from orchestrator.forwarding.control.design import DEFAULT_VRF, Address, Bgp, Prefix, Redistribution, Vrf
from orchestrator.forwarding.control.filters import Announced
from orchestrator.forwarding.control.tables import Entry, Hop, Place, Table
from orchestrator.forwarding.control.view import View

Chosen = Mapping[Key, tuple[Path, ...]]
"""What an instance uses: per key the best path first, then those that share the load with it."""


class Speakers:
    """All BGP instances of a design. `step` lets one of them decide anew from what the others use."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.sessions = Sessions(view)
        self.instances = self.sessions.instances
        self.vrfs: dict[Place, Vrf] = {
            (router.name, vrf.name): vrf for router in view.design.routers for vrf in router.vrfs
        }

    def step(
        self, place: Place, chosen: Mapping[Place, Chosen], tables: Mapping[Place, Table], up: list[Session]
    ) -> dict[Key, tuple[Path, ...]]:
        """Return what the instance uses, given the tables and what the others use now."""
        offered: dict[Key, list[Path]] = defaultdict(list)
        for path in self._offered(place, chosen, tables, up):
            offered[path.key].append(path)
        told = self.instances[place]
        return {
            key: best for key, paths in offered.items()
            if (best := choose(paths, told, lambda path: self._cost(place, path, tables)))
        }  # fmt: skip

    def entries(self, place: Place, chosen: Chosen, tables: Mapping[Place, Table]) -> Iterator[Entry]:
        """Yield the routes that an instance hands to its table."""
        told = self.instances[place]
        for (distinguisher, prefix), paths in chosen.items():
            best = paths[0]
            if distinguisher or best.learned == "local":
                continue
            hops = frozenset(hop for path in paths for hop in self._hops(place, path, tables))
            if hops:
                # what another VRF of the same router exports counts as from outside (as FRR has it)
                external = best.learned == "external" or (best.learned == "vpn" and best.next_hop is None)
                distance = told.external_distance if external else told.internal_distance
                detail = {"external": "ebgp", "vpn": "vpn"}.get(best.learned, "ibgp")
                yield Entry(prefix, "bgp", distance, best.med, hops, best.tag, detail, best.line, best.next_hop)

    def ties(self, chosen: Mapping[Place, Chosen], tables: Mapping[Place, Table]) -> Iterator[str]:
        """Say where a VRF hears of a prefix from several others and nothing tells which of them is better."""
        for place in chosen:
            yield from self._ties(place, chosen, tables)

    def _ties(self, place: Place, chosen: Mapping[Place, Chosen], tables: Mapping[Place, Table]) -> Iterator[str]:
        heard: dict[Key, list[Path]] = defaultdict(list)
        for path in self._imported(place, chosen):
            heard[path.key].append(path)
        for key, paths in heard.items():
            taken = chosen[place].get(key, ())
            if taken and taken[0] in paths:
                told = self.instances[place]
                others = as_good(taken[0], paths, told, lambda path: self._cost(place, path, tables))
                left = [path for path in others if path not in taken]
                if left:
                    yield _tie(place, key, [taken[0], *left])

    def _offered(
        self, place: Place, chosen: Mapping[Place, Chosen], tables: Mapping[Place, Table], up: list[Session]
    ) -> Iterator[Path]:
        yield from self._local(place, tables[place])
        yield from self._exported(place, chosen)
        yield from self._imported(place, chosen)
        for session in up:
            if session.receiver.place == place:
                for best in chosen[session.sender.place].values():
                    path = tell(self.view, session, best[0])
                    if path is not None:
                        yield path

    def _local(self, place: Place, table: Table) -> Iterator[Path]:
        told = self.instances[place]
        for prefix in told.networks:
            entry = table.get(prefix)
            if entry is not None and entry.source != "bgp":
                yield Path(prefix, "local", None, med=entry.metric, local_preference=told.local_preference, origin=IGP,
                           line=told.line)  # fmt: skip
        for one in told.redistribute:
            for entry in table.values():
                path = self._redistributed(place, told, one, entry)
                if path is not None:
                    yield path

    def _redistributed(self, place: Place, told: Bgp, one: Redistribution, entry: Entry) -> Path | None:
        if entry.source.removesuffix("6") != one.source or entry.source == "bgp":
            return None
        metric = entry.metric if one.metric is None else one.metric
        seen = Announced(entry.prefix, entry.tag, metric=metric, local_preference=told.local_preference)
        route = self.view.filters[place[0]].apply(one.route_map, seen)
        if route is None:
            return None
        return Path(
            entry.prefix,
            "local",
            entry.next_hop,
            route.prepend,
            route.local_preference or 0,
            route.metric or 0,
            INCOMPLETE,
            route.communities,
            tag=route.tag,
            line=told.line,
        )

    def _exported(self, place: Place, chosen: Mapping[Place, Chosen]) -> Iterator[Path]:
        """Yield the VPN paths of the router's own VRFs (RFC 4364, 4.3.1); what was imported is not exported again."""
        if place[1] != DEFAULT_VRF:
            return
        for (router, name), vrf in self.vrfs.items():
            if router != place[0] or not vrf.route_distinguisher:
                continue
            for paths in chosen.get((router, name), {}).values():
                if paths[0].learned != "vpn":
                    yield paths[0]._replace(
                        learned="local", next_hop=None, distinguisher=vrf.route_distinguisher, peer=None,
                        targets=frozenset(vrf.export_targets), exporter=(router, name), from_client=False,
                    )  # fmt: skip

    def _imported(self, place: Place, chosen: Mapping[Place, Chosen]) -> Iterator[Path]:
        """Yield what route targets let into a VRF: from other routers and from other VRFs of the same one."""
        vrf = self.vrfs.get(place)
        if vrf is None or not vrf.import_targets:
            return
        wanted = frozenset(vrf.import_targets)
        for (distinguisher, _), paths in chosen.get((place[0], DEFAULT_VRF), {}).items():
            if distinguisher and paths[0].exporter != place and paths[0].targets & wanted:
                yield paths[0]._replace(learned="vpn", distinguisher="")

    def _entry(self, place: Place, path: Path, tables: Mapping[Place, Table]) -> Entry | None:
        """Return the route to a path's next hop; a VPN path's stands in the router's default table.

        BGP's own route to the same prefix does not count; what another protocol knows of it does.
        """
        where = (place[0], DEFAULT_VRF) if path.exporter is not None else place
        if path.next_hop is None:
            return None
        by_default = self.view.routers[place[0]].resolve_by_default
        own = None if path.exporter else tables[where].get(path.prefix)
        other_than = own if own is not None and own.source == "bgp" else None
        return tables[where].longest(path.next_hop, by_default, other_than)

    def _cost(self, place: Place, path: Path, tables: Mapping[Place, Table]) -> int | None:
        if path.learned == "local" or path.next_hop is None:
            return 0
        entry = self._entry(place, path, tables)
        return None if entry is None else entry.metric

    def _hops(self, place: Place, path: Path, tables: Mapping[Place, Table]) -> frozenset[Hop]:
        if path.exporter is not None:
            return frozenset((Hop(table=path.exporter),))
        entry = self._entry(place, path, tables)
        if entry is None or path.next_hop is None or by_itself(path.prefix, path.next_hop, entry):
            return frozenset()
        return toward(entry, path.next_hop)


def _tie(place: Place, key: Key, paths: list[Path]) -> str:
    exporters = " and ".join(sorted({" VRF ".join(path.exporter) for path in paths if path.exporter}))
    return (
        f"{' VRF '.join(place)} {key[1]}: {exporters} announce it alike: "
        "import one of them, prefer one or share the load"
    )


def by_itself(prefix: Prefix, gateway: Address, entry: Entry) -> bool:
    """Return whether a route, once it stands in the table, would itself be what its next hop is looked up by."""
    return gateway in prefix and entry.prefix.prefixlen <= prefix.prefixlen


def toward(entry: Entry, gateway: Address) -> frozenset[Hop]:
    """Return the hops of a recursive next hop: those of the route to it, or itself where that delivers on a segment."""
    return frozenset(hop._replace(gateway=gateway) if hop.delivers else hop for hop in entry.hops)
