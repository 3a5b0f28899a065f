"""A design by the places where decisions are made: who stands on which segment, what is up, what is own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_network
from typing import NamedTuple

from orchestrator.forwarding.control.design import Address, Design, Family, Interface, Prefix, Router
from orchestrator.forwarding.control.filters import Filters
from orchestrator.forwarding.control.tables import Place


class Port(NamedTuple):
    """An interface of a router."""

    router: str
    interface: Interface

    @property
    def place(self) -> Place:
        """The table the port belongs to."""
        return self.router, self.interface.vrf

    @property
    def name(self) -> tuple[str, str]:
        """(router, interface)."""
        return self.router, self.interface.name


class View:
    """Indexes over a design that has been checked."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.routers: dict[str, Router] = {router.name: router for router in design.routers}
        self.filters = {router.name: Filters(router) for router in design.routers}
        self.members: dict[str, list[Port]] = defaultdict(list)
        self._ports: dict[Place, list[Port]] = {place: [] for place in self.places}
        everything = [Port(router.name, one) for router in design.routers for one in router.interfaces]
        for port in everything:
            if port.interface.segment is not None:
                self.members[port.interface.segment].append(port)
        self.up = {port.name for port in everything if self._carries(port)}
        self.down = [port for port in everything if port.name not in self.up]
        for port in everything:
            if port.name in self.up:
                self._ports[port.place].append(port)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every table of the design, in its order: the default VRF of each router first."""
        return tuple(
            (router.name, vrf) for router in self.design.routers
            for vrf in ("default", *(one.name for one in router.vrfs if one.name != "default"))
        )  # fmt: skip

    @cached_property
    def _own(self) -> dict[Place, frozenset[Address]]:
        return {
            place: frozenset(address.ip for port in ports for address in port.interface.addresses)
            for place, ports in self._ports.items()
        }

    @cached_property
    def owners(self) -> dict[tuple[str, Address], Port]:
        """Which port that is up has an address, by (router, address): VRFs of one router may not share addresses."""
        return {
            (port.router, address.ip): port
            for ports in self._ports.values() for port in ports for address in port.interface.addresses
        }  # fmt: skip

    def ports(self, place: Place) -> list[Port]:
        """Return the ports of a table that are up."""
        return self._ports[place]

    def own(self, place: Place) -> frozenset[Address]:
        """Return the addresses of a table's ports that are up."""
        return self._own[place]

    def others(self, port: Port) -> Iterator[Port]:
        """Yield the ports that are up on the same segment."""
        for other in self.members[port.interface.segment] if port.interface.segment is not None else ():
            if other.name != port.name and other.name in self.up:
                yield other

    def gateway(self, port: Port, address: Address) -> Port | None:
        """Return the port on the same segment that has the address, if any."""
        return next((one for one in self.others(port) if address in (own.ip for own in one.interface.addresses)), None)

    def _carries(self, port: Port) -> bool:
        members = self.members[port.interface.segment] if port.interface.segment is not None else []
        cable = len(members) == 2  # a cable ends two interfaces: without carrier both are down
        return port.interface.up and not (cable and not all(one.interface.up for one in members))


def networks(interface: Interface, family: Family) -> list[Prefix]:
    """Return the prefixes of an interface's addresses of one family."""
    return [one.network for one in interface.addresses if one.version == family]


def address_of(interface: Interface, family: Family) -> Address | None:
    """Return the interface's first address of one family."""
    return next((one.ip for one in interface.addresses if one.version == family), None)


def share_network(one: Interface, other: Interface, family: Family) -> bool:
    """Return whether two interfaces have a prefix of the family in common."""
    return bool({*networks(one, family)} & {*networks(other, family)})


def host_prefix(address: Address) -> Prefix:
    """Return the prefix of exactly one address."""
    return ip_network((int(address), address.max_prefixlen)) if address.version == 4 else ip_network(f"{address}/128")
