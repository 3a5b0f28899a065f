"""BGP sessions: which neighbours really talk to each other, and what one tells the other (RFC 4271, 5 and 9.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.forwarding.control.bgp_paths import Path
from orchestrator.forwarding.control.check import DesignFaultError
from orchestrator.forwarding.control.design import Address, Bgp, Neighbour
from orchestrator.forwarding.control.filters import Announced
from orchestrator.forwarding.control.tables import Place, Table
from orchestrator.forwarding.control.view import Port, View


class End(NamedTuple):
    """One end of a session."""

    place: Place
    told: Bgp
    neighbour: Neighbour
    address: Address


@dataclass(frozen=True)
class Session:
    """An established session, seen in the direction in which it tells."""

    sender: End
    receiver: End

    @property
    def external(self) -> bool:
        """Whether it leaves the autonomous system."""
        return self.sender.told.autonomous_system != self.receiver.told.autonomous_system

    def carries(self, path: Path) -> bool:
        """Return whether both ends speak the path's address family here."""
        if path.distinguisher:
            return self.sender.neighbour.vpn and self.receiver.neighbour.vpn
        both = self.sender.neighbour.unicast and self.receiver.neighbour.unicast
        return both and path.prefix.version == self.sender.address.version


class Sessions:
    """Every pair of neighbours of a design that name each other; which of them are up depends on the tables.

    Raises DesignFaultError where a neighbour may be either of two routers.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.instances: dict[Place, Bgp] = {
            (router.name, told.vrf): told for router in view.design.routers for told in router.bgp
        }
        self._owners: dict[Address, list[Port]] = {}
        for place in view.places:
            for port in view.ports(place):
                for address in port.interface.addresses:
                    self._owners.setdefault(address.ip, []).append(port)
        self._pairs = [pair for place in self.instances for pair in self._named(place)]

    def up(self, tables: Mapping[Place, Table]) -> list[Session]:
        """Return the sessions whose ends reach each other's address by the given tables.

        Both need any route to the other; one of them must begin, and for that a default route does not count unless
        the router resolves next hops by it.
        """
        return [
            pair for pair in self._pairs
            if self._reaches(tables, pair.sender, pair.receiver, begins=False)
            and self._reaches(tables, pair.receiver, pair.sender, begins=False)
            and (self._reaches(tables, pair.sender, pair.receiver, begins=True)
                 or self._reaches(tables, pair.receiver, pair.sender, begins=True))
        ]  # fmt: skip

    def _named(self, place: Place) -> Iterator[Session]:
        for neighbour in self.instances[place].neighbours:
            pairs = (self._pair(place, neighbour, port) for port in self._candidates(place, neighbour))
            found = [pair for pair in pairs if pair is not None]
            if len(found) > 1:
                others = " and ".join(sorted({pair.receiver.place[0] for pair in found}))
                raise DesignFaultError(
                    f"{place[0]}: BGP neighbour {neighbour.address} may be any of {others}: give each its own address"
                )
            yield from found

    def _pair(self, place: Place, neighbour: Neighbour, port: Port) -> Session | None:
        """Return the session with whoever has the port, if both ends name each other; its own address must be up."""
        told, theirs = self.instances[place], self.instances.get(port.place)
        source = self._source(place, neighbour, port)
        if source not in self.view.own(place) or theirs is None or theirs.autonomous_system != neighbour.remote_as:
            return None
        back = next((one for one in theirs.neighbours if one.address == source), None)
        if back is None or back.remote_as != told.autonomous_system or not self._same(back, neighbour, port):
            return None
        return Session(End(place, told, neighbour, source), End(port.place, theirs, back, neighbour.address))

    def _same(self, back: Neighbour, neighbour: Neighbour, port: Port) -> bool:
        """Return whether the other end uses the address that this end expects."""
        return back.source in {None, neighbour.address} and any(
            neighbour.address == own.ip for own in port.interface.addresses
        )

    def _candidates(self, place: Place, neighbour: Neighbour) -> list[Port]:
        """Return who may be meant by an address: a port on an own segment, else every port that has it."""
        for port in self.view.ports(place):
            other = self.view.gateway(port, neighbour.address)
            if other is not None:
                return [other]
        return [port for port in self._owners.get(neighbour.address, ()) if port.router != place[0]]

    def _source(self, place: Place, neighbour: Neighbour, other: Port) -> Address | None:
        if neighbour.source is not None:
            return neighbour.source
        for port in self.view.ports(place):
            if other.name in {one.name for one in self.view.others(port)}:
                return next((own.ip for own in port.interface.addresses if neighbour.address in own.network), None)
        return None

    def _reaches(self, tables: Mapping[Place, Table], end: End, other: End, begins: bool) -> bool:
        by_default = not begins or self.view.routers[end.place[0]].resolve_by_default
        entry = tables[end.place].longest(other.address, default=by_default)
        if entry is None or all(hop.discard for hop in entry.hops):
            return False
        near = end.told.autonomous_system != other.told.autonomous_system and not end.neighbour.multihop
        return entry.source == "connected" or not near


def tell(view: View, session: Session, path: Path) -> Path | None:
    """Return what the receiver has of a best path of the sender, or None: not told, filtered, or refused as a loop."""
    if not session.carries(path) or _withheld(session, path):
        return None
    sent = _sent(view, session, path)
    return None if sent is None else _received(view, session, sent)


def _withheld(session: Session, path: Path) -> bool:
    """Back to where it came from, marked to stay, or from one internal neighbour to another without a reflector."""
    if path.peer is not None and path.peer == session.receiver.address:
        return True
    if "no-advertise" in path.communities or (session.external and "no-export" in path.communities):
        return True
    internal = path.learned == "internal" and not session.external
    return internal and not (path.from_client or session.sender.neighbour.reflector_client)


def _sent(view: View, session: Session, path: Path) -> Path | None:
    sender = session.sender
    filters = view.filters[sender.place[0]]
    metric = path.med if path.learned == "local" or not session.external else None
    seen = Announced(path.prefix, path.tag, path.communities, metric, None, path.local_preference)
    route = filters.apply(sender.neighbour.export_map, seen)
    if route is None or not filters.passes(sender.neighbour.export_prefixes, path.prefix):
        return None
    reflected = path.learned == "internal" and not session.external
    own = (sender.told.autonomous_system,) if session.external else ()
    return path._replace(
        next_hop=_next_hop(view, session, path, reflected),
        as_path=(*own, *route.prepend, *path.as_path),
        med=route.metric or 0,
        communities=route.communities,
        local_preference=path.local_preference if route.local_preference is None else route.local_preference,
        originator=(path.originator or path.peer_identifier) if reflected else None,
        clusters=(int(sender.told.router_id), *path.clusters) if reflected else (),
    )


def _next_hop(view: View, session: Session, path: Path, reflected: bool) -> Address:
    """Keep the next hop inside the AS (unless told otherwise) and on a subnet shared with the neighbour (RFC 5.1.3)."""
    own = session.sender.address
    if path.next_hop is None or (session.sender.neighbour.next_hop_self and not reflected):
        return own
    if not session.external:
        return path.next_hop
    for port in view.ports(session.sender.place):
        for address in port.interface.addresses:
            if path.next_hop in address.network and session.receiver.address in address.network:
                return path.next_hop
    return own


def _received(view: View, session: Session, path: Path) -> Path | None:
    end = session.receiver
    identifier = int(end.told.router_id)
    if end.told.autonomous_system in path.as_path or identifier == path.originator or identifier in path.clusters:
        return None
    if path.exporter is None and path.next_hop in view.own(end.place):  # RFC 4271, 6.3
        return None
    filters = view.filters[end.place[0]]
    preference = end.told.local_preference if session.external else path.local_preference
    seen = Announced(path.prefix, 0, path.communities, path.med, None, preference)
    route = filters.apply(end.neighbour.import_map, seen)
    if route is None or not filters.passes(end.neighbour.import_prefixes, path.prefix):
        return None
    return path._replace(
        learned="external" if session.external else "internal",
        as_path=(*route.prepend, *path.as_path),
        local_preference=preference if route.local_preference is None else route.local_preference,
        med=route.metric or 0,
        communities=route.communities,
        peer=session.sender.address,
        peer_identifier=int(session.sender.told.router_id),
        from_client=end.neighbour.reflector_client,
        tag=route.tag,
        line=end.told.line,
    )
