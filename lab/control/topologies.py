"""Random designs, the same for the same seed: an interior of OSPF or IS-IS, neighbours outside by BGP, hosts, filters.

What is drawn stays inside what has one answer: where the computation itself says that the result depends on the order
of events, there is nothing to compare, and the next seed is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_interface, ip_network
from random import Random
from typing import NamedTuple

from lab.control.gate_drawing import draw_gates
from lab.control.gates import Gate
from lab.control.network import Host
from orchestrator.forwarding.control.arrays import ZoneAt
from orchestrator.forwarding.control.design import (
    Address,
    Bgp,
    Design,
    Interface,
    Isis,
    IsisPort,
    MapEntry,
    Neighbour,
    Ospf,
    OspfDefault,
    OspfPort,
    OspfRange,
    PrefixList,
    PrefixRule,
    Redistribution,
    RouteMap,
    Router,
    StaticRoute,
    Vrf,
)

INSIDE_AS = 65000


class Topology(NamedTuple):
    """A design with the hosts, zones and gates that stand around it."""

    seed: int
    design: Design
    hosts: tuple[Host, ...]
    zones: tuple[ZoneAt, ...]
    gates: tuple[Gate, ...]


@dataclass
class _Draft:
    """A router while it is drawn."""

    name: str
    number: int
    area: int = 0
    interfaces: list[Interface] = field(default_factory=list)
    static: list[StaticRoute] = field(default_factory=list)
    redistribute: list[Redistribution] = field(default_factory=list)
    neighbours: list[Neighbour] = field(default_factory=list)
    networks: list[IPv4Network] = field(default_factory=list)
    lists: list[PrefixList] = field(default_factory=list)
    maps: list[RouteMap] = field(default_factory=list)
    autonomous_system: int = INSIDE_AS
    bgp_redistribute: list[Redistribution] = field(default_factory=list)

    @property
    def loopback(self) -> IPv4Address:
        return IPv4Address(f"192.0.2.{self.number}")


def draw(seed: int) -> Topology:
    """Return the topology of a seed."""
    return _Drawing(seed).run()


class _Drawing:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, nothing secret
        self.seed = seed
        self.kind = self.random.choice(["ospf", "ospf", "isis"])
        self.core = [_Draft(f"r{number}", number) for number in range(1, self.random.randint(3, 6) + 1)]
        self.outside = [
            _Draft(f"x{number}", 100 + number, autonomous_system=65100 + number)
            for number in range(1, self.random.randint(1, 2) + 1)
        ]
        self.links = 0
        self.joined: list[set[str]] = []
        self.hosts: list[Host] = []
        self.zones: list[ZoneAt] = []
        self.gates: list[Gate] = []

    def run(self) -> Topology:
        self._areas()
        for one in (*self.core, *self.outside):
            self._loopback(one)
        self._interior()
        borders = self._exterior()
        for one in self.random.sample(self.core, min(3, len(self.core))):
            self._host(one)
        for one in self.outside:
            self._host(one)
        self._statics()
        self._bgp(borders)
        self._vrf()
        self.gates = draw_gates(self.random, self.zones, {one.name: _ports(one) for one in self.core})
        routers = tuple(self._finished(one) for one in (*self.core, *self.outside))
        return Topology(self.seed, Design(routers=routers), tuple(self.hosts), tuple(self.zones), tuple(self.gates))

    def _areas(self) -> None:
        """In some OSPF interiors the last routers stand in an area of their own behind the first ones."""
        self.areas = self.kind == "ospf" and len(self.core) >= 4 and self.random.random() < 0.6
        self.stub = self.areas and self.random.random() < 0.4
        self.closed = self.stub and self.random.random() < 0.5
        if self.areas:
            for one in self.core[-self.random.randint(1, 2) :]:
                one.area = 1

    def _loopback(self, one: _Draft) -> None:
        addresses = (f"{one.loopback}/32", *((f"2001:db8:ff::{one.number}/128",) if self._six(one) else ()))
        inside = one.autonomous_system == INSIDE_AS
        told = self._speaks(one.area, 10, passive=True) if inside else {}
        one.interfaces.append(
            Interface.model_validate({"name": "lo", "loopback": True, "addresses": addresses, **told})
        )

    def _six(self, one: _Draft) -> bool:
        return self.kind == "isis" and one.autonomous_system == INSIDE_AS

    def _speaks(self, area: int, cost: int, passive: bool = False) -> dict[str, object]:
        if self.kind == "ospf":
            return {"ospf": OspfPort(area=area, cost=cost, passive=passive)}
        return {"isis": IsisPort(metric=cost, passive=passive, levels=(2,))}

    def _interior(self) -> None:
        backbone = [one for one in self.core if one.area == 0]
        for at, one in enumerate(self.core):
            if at:
                self._link(one, self.random.choice(backbone[:at] if one.area else self.core[:at]))
        for _ in range(self.random.randint(1, len(self.core))):
            one, other = self.random.sample(self.core, 2)
            self._link(one, other)

    def _link(self, one: _Draft, other: _Draft) -> None:
        """Join two routers.

        Twice the same two only for OSPF: of two IS-IS neighbourships that come up one after the other, isisd 8.4
        sometimes installs the metric of the better with the next hop of the other (seen as [115/50] by a cable of 80).
        """
        if self.kind == "isis" and {one.name, other.name} in self.joined:
            return
        self.joined.append({one.name, other.name})
        area = max(one.area, other.area)
        costs = [self.random.choice([5, 10, 10, 10, 20, 40]) for _ in range(2)]
        self._cable(one, other, [self._speaks(area, cost) for cost in costs], self._six(one))

    def _cable(self, one: _Draft, other: _Draft, told: list[dict[str, object]], six: bool, vrf: str = "default") -> int:
        number = self.links
        self.links += 1
        for side, draft in enumerate((one, other)):
            addresses = (f"10.0.{number}.{side + 1}/30", *((f"2001:db8:0:{number:x}::{side + 1}/64",) if six else ()))
            draft.interfaces.append(
                Interface.model_validate(
                    {"name": f"e{number}", "addresses": addresses, "segment": f"s{number}", "vrf": vrf, **told[side]}
                )
            )
        return number

    def _exterior(self) -> list[_Draft]:
        """Each outside router has one or two cables to borders; sometimes the two outside know each other."""
        borders: list[_Draft] = []
        for one in self.outside:
            for border in self.random.sample(self.core, self.random.randint(1, 2)):
                number = self._cable(one, border, [{}, {}], six=False)
                self._session(one, border, number)
                if border not in borders:
                    borders.append(border)
        return borders

    def _session(self, one: _Draft, border: _Draft, number: int) -> None:
        near, far = ip_address(f"10.0.{number}.1"), ip_address(f"10.0.{number}.2")
        incoming, outgoing = self._policy(border, number), self._policy(one, number)
        border.neighbours.append(
            Neighbour(
                address=near,
                remote_as=one.autonomous_system,
                import_map=incoming,
                import_prefixes=self._list(border, number),
            )
        )
        one.neighbours.append(Neighbour(address=far, remote_as=INSIDE_AS, export_map=outgoing))

    def _policy(self, one: _Draft, number: int) -> str | None:
        """A route map that treats some of 203.0.113.0/24 in one way and everything else in another."""
        if self.random.random() < 0.4:
            return None
        pieces = f"pieces{number}"
        bound = self.random.choice([25, 26, 27])
        rule = PrefixRule(permit=True, prefix=ip_network("203.0.113.0/24"), at_least=bound, at_most=28)
        one.lists.append(PrefixList(name=pieces, rules=(rule,)))
        special = {
            "set_local_preference": self.random.choice([None, 90, 200]),
            "set_metric": self.random.choice([None, 5, 50]),
            "set_prepend": self.random.choice([(), (one.autonomous_system,) * 2]),
        }
        first = MapEntry.model_validate({"permit": self.random.random() < 0.8, "match_prefixes": pieces, **special})
        rest = MapEntry(permit=True, set_metric=self.random.choice([None, 20]))
        one.maps.append(RouteMap(name=f"policy{number}", entries=(first, rest)))
        return f"policy{number}"

    def _list(self, one: _Draft, number: int) -> str | None:
        if self.random.random() < 0.5:
            return None
        rules = (
            PrefixRule(permit=False, prefix=ip_network("203.0.113.128/25"), at_least=28, at_most=28),
            PrefixRule(permit=True, prefix=ip_network("0.0.0.0/0"), at_most=self.random.choice([27, 28, 32])),
        )
        one.lists.append(PrefixList(name=f"in{number}", rules=rules))
        return f"in{number}"

    def _host(self, one: _Draft, vrf: str = "default") -> None:
        number = one.number + (0 if vrf == "default" else 50)
        inside = one.autonomous_system == INSIDE_AS
        network = ip_network(f"10.{100 + one.area if inside else 110}.{number}.0/24")
        six = self._six(one) and vrf == "default"
        addresses = [f"{network[1]}/24", *([f"2001:db8:100:{number:x}::1/64"] if six else [])]
        name = f"h{number}"
        told = self._speaks(one.area, 10, passive=True) if inside and vrf == "default" else {}
        one.interfaces.append(
            Interface.model_validate(
                {"name": name, "addresses": addresses, "segment": f"lan{number}", "vrf": vrf, **told}
            )
        )
        if not inside:
            one.networks.append(IPv4Network(network))
        own = [f"{network[10]}/24", f"{network[11]}/24", *([f"2001:db8:100:{number:x}::10/64"] if six else [])]
        gateways: list[Address] = [network[1], *([ip_address(f"2001:db8:100:{number:x}::1")] if six else [])]
        self.hosts.append(Host(name, f"lan{number}", tuple(map(ip_interface, own)), tuple(gateways)))
        sources = tuple(ip_interface(text).network for text in addresses)
        self.zones.append(ZoneAt(name, (one.name, name), sources))

    def _may_announce(self, one: _Draft) -> bool:
        """Not inside a stub area, and no border of one.

        FRR 8.4 prefers the way through the stub area to such a border, finds there that it announces nothing from
        outside, and drops what it announces (ospf_find_asbr_route); RFC 2328, 16.4 would take the backbone's.
        """
        return not self.stub or all(port.ospf is None or port.ospf.area == 0 for port in one.interfaces)

    def _statics(self) -> None:
        """Null routes to announce, one with a next hop, one that waits behind a better one."""
        for at, one in enumerate(self.outside):
            pieces = list(ip_network("203.0.113.0/24").subnets(new_prefix=self.random.choice([26, 27, 28])))
            for prefix in self.random.sample(pieces, 3):
                if prefix not in [route.prefix for route in one.static]:
                    one.static.append(StaticRoute(prefix=prefix, discard=True))
            one.static.append(StaticRoute(prefix=ip_network(f"198.51.100.{at * 64}/26"), discard=True))
            one.bgp_redistribute.append(Redistribution(source="static"))
        able = [one for one in self.core if self._may_announce(one)]
        if not able:
            return
        one = self.random.choice(able)
        one.static.append(StaticRoute(prefix=ip_network("10.200.0.0/16"), discard=True, tag=7))
        neighbour = self.random.choice([other for other in self.core if other is not one])
        one.static.append(StaticRoute(prefix=ip_network("10.201.0.0/16"), via=neighbour.loopback))
        one.static.append(StaticRoute(prefix=ip_network(f"{neighbour.loopback}/32"), discard=True, distance=250))
        rules = (PrefixRule(permit=True, prefix=ip_network("10.200.0.0/15"), at_most=16),)
        one.lists.append(PrefixList(name="statics", rules=rules))
        entry = MapEntry(permit=True, match_prefixes="statics", set_metric=self.random.choice([None, 30]))
        one.maps.append(RouteMap(name="statics", entries=(entry,)))
        kind = self.random.choice([1, 2])
        one.redistribute.append(Redistribution.model_validate(
            {"source": "static", "metric": 15, "external_type": kind, "route_map": "statics"}))  # fmt: skip

    def _bgp(self, borders: list[_Draft]) -> None:
        """Either all of the interior speaks BGP (full mesh, or through a reflector), or its borders announce for it."""
        everyone = self.stub or self.random.random() < 0.6
        speakers = self.core if everyone else borders
        reflector = self.random.choice(speakers) if len(speakers) > 2 and self.random.random() < 0.5 else None
        for one in speakers:
            for other in speakers:
                if one is not other and (reflector is None or one is reflector or other is reflector):
                    one.neighbours.append(
                        Neighbour(
                            address=other.loopback,
                            remote_as=INSIDE_AS,
                            source=one.loopback,
                            next_hop_self=True,
                            reflector_client=one is reflector,
                        )
                    )
        for border in borders:
            self._announce_interior(border)
            if not everyone:
                self._announce_exterior(border)

    def _announce_interior(self, border: _Draft) -> None:
        rules = (PrefixRule(permit=True, prefix=ip_network("10.100.0.0/14"), at_least=16, at_most=24),)
        border.lists.append(PrefixList(name="interior", rules=rules))
        border.maps.append(RouteMap(name="interior", entries=(MapEntry(permit=True, match_prefixes="interior"),)))
        source = "ospf" if self.kind == "ospf" else "isis"
        for one in (source, "connected"):
            border.bgp_redistribute.append(Redistribution.model_validate({"source": one, "route_map": "interior"}))

    def _announce_exterior(self, border: _Draft) -> None:
        rules = (
            PrefixRule(permit=True, prefix=ip_network("203.0.113.0/24"), at_most=27),
            PrefixRule(permit=True, prefix=ip_network("198.51.100.0/24"), at_most=32),
            PrefixRule(permit=True, prefix=ip_network("10.110.0.0/16"), at_least=24, at_most=24),
        )
        border.lists.append(PrefixList(name="exterior", rules=rules))
        border.maps.append(RouteMap(name="exterior", entries=(MapEntry(permit=True, match_prefixes="exterior"),)))
        one = {"source": "bgp", "route_map": "exterior", "external_type": self.random.choice([1, 2])}
        border.redistribute.append(Redistribution.model_validate(one))

    def _vrf(self) -> None:
        """In some designs two routers share a VRF of their own, on a cable of its own, with static routes."""
        self.blue: list[_Draft] = []
        if self.random.random() < 0.5:
            return
        self.blue = self.random.sample(self.core, 2)
        number = self._cable(self.blue[0], self.blue[1], [{}, {}], six=False, vrf="blue")
        for side, one in enumerate(self.blue):
            self._host(one, "blue")
            other = self.blue[1 - side]
            prefix = ip_network(f"10.{100 + other.area}.{other.number + 50}.0/24")
            one.static.append(StaticRoute(prefix=prefix, vrf="blue", via=ip_address(f"10.0.{number}.{2 - side}")))

    def _finished(self, one: _Draft) -> Router:
        inside = one.autonomous_system == INSIDE_AS
        told: dict[str, object] = {"ospf": (), "isis": ()}
        if inside and self.kind == "ospf":
            told["ospf"] = (self._ospf(one),)
        elif inside:
            told["isis"] = (Isis(area="49.0001", system_id=f"0000.0000.{one.number:04d}", levels=(2,),
                                 redistribute=tuple(one.redistribute)),)  # fmt: skip
        bgp = Bgp(autonomous_system=one.autonomous_system, router_id=one.loopback, neighbours=tuple(one.neighbours),
                  networks=tuple(one.networks), redistribute=tuple(one.bgp_redistribute),
                  external_paths=self.random.choice([1, 4]), internal_paths=self.random.choice([1, 4]))  # fmt: skip
        return Router.model_validate(
            {
                "name": one.name,
                "interfaces": one.interfaces,
                "static": one.static,
                "prefix_lists": one.lists,
                "route_maps": one.maps,
                "bgp": (bgp,) if one.neighbours else (),
                "vrfs": (Vrf(name="blue"),) if one in self.blue else (),
                **told,
            }
        )

    def _ospf(self, one: _Draft) -> Ospf:
        border = self.areas and {port.ospf.area for port in one.interfaces if port.ospf} == {0, 1}
        ranges = (OspfRange(area=1, prefix=ip_network("10.101.0.0/16")),) if border and self.seed % 2 else ()
        announces = one is self.core[0] and self.seed % 3 == 0 and self._may_announce(one)
        default = OspfDefault(always=True) if announces else None
        return Ospf(router_id=one.loopback, redistribute=tuple(one.redistribute), ranges=ranges, default=default,
                    stub_areas=(1,) if self.stub and not self.closed else (),
                    closed_areas=(1,) if self.closed else ())  # fmt: skip


def _ports(one: _Draft) -> list[str]:
    return [port.name for port in one.interfaces if not port.loopback and port.vrf == "default"]
