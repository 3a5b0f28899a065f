"""What contradicts itself in a design is refused before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.errors import InputError
from orchestrator.forwarding.control.design import (
    DEFAULT_VRF,
    Address,
    Bgp,
    Design,
    Interface,
    Ospf,
    Prefix,
    Redistribution,
    Router,
)
from orchestrator.forwarding.control.identifiers import shared_identifiers


class DesignFaultError(InputError):
    """A description of routers contradicts itself; the message names the router and what to correct."""


def check_design(design: Design) -> None:
    """Return when the design can be computed; raise DesignFaultError naming its first fault."""
    for name in _twice(router.name for router in design.routers):
        raise DesignFaultError(f"router {name} is described twice: keep one")
    for router in design.routers:
        for fault in _faults(router):
            raise DesignFaultError(f"{router.name}: {fault}")
    for fault in (*_shared_addresses(design), *shared_identifiers(design)):
        raise DesignFaultError(fault)


def _shared_addresses(design: Design) -> Iterator[str]:
    """Nothing tells which of two interfaces on a segment a packet to the address of both would go to."""
    first: dict[tuple[str, Address], str] = {}
    for router in design.routers:
        for interface in (one for one in router.interfaces if one.up and one.segment is not None):
            for address in {own.ip: None for own in interface.addresses}:
                name = f"{router.name} {interface.name}"
                known = first.setdefault((interface.segment or "", address), name)
                if known != name:
                    yield f"{address} on segment {interface.segment} is that of {known} and {name}: give each its own"


def _faults(router: Router) -> Iterator[str]:
    vrfs = {DEFAULT_VRF, *(vrf.name for vrf in router.vrfs)}
    for what, names in (
        ("interface", [one.name for one in router.interfaces]),
        ("VRF", [one.name for one in router.vrfs]),
        ("prefix list", [one.name for one in router.prefix_lists]),
        ("route map", [one.name for one in router.route_maps]),
        ("BGP instance of VRF", [one.vrf for one in router.bgp]),
        ("IS-IS process of VRF", [one.vrf for one in router.isis]),
        ("OSPF process of VRF", [f"{one.vrf} (IPv{one.family})" for one in router.ospf]),
    ):
        for name in _twice(names):
            yield f"{what} {name} occurs twice: keep one"
    used = [*((f"interface {one.name}", one.vrf) for one in router.interfaces),
            *((f"static route {one.prefix}", one.vrf) for one in router.static),
            *((f"static route {one.prefix}", one.next_hop_vrf) for one in router.static),
            *(("an OSPF process", one.vrf) for one in router.ospf),
            *(("an IS-IS process", one.vrf) for one in router.isis),
            *(("a BGP instance", one.vrf) for one in router.bgp)]  # fmt: skip
    for what, vrf in used:
        if vrf is not None and vrf not in vrfs:
            yield f"{what} names VRF {vrf}, which the router does not have: add the VRF or correct the name"
    for interface in router.interfaces:
        yield from _interface(interface)
    yield from _vrfs(router)
    yield from _networks(router)
    yield from _static(router)
    yield from _references(router)
    for process in router.ospf:
        yield from _ospf(process)
    for told in router.bgp:
        yield from _bgp(told)


def _interface(interface: Interface) -> Iterator[str]:
    fours = [one for one in interface.addresses if one.version == 4]
    if interface.ospf is not None and len(fours) > 1:
        yield f"interface {interface.name} has OSPF and {len(fours)} IPv4 addresses, and only one is modelled: keep one"
    for told in (interface.ospf, interface.ospf6):
        if told is not None and not told.cost and not interface.loopback:
            yield f"interface {interface.name} has OSPF cost 0, which only a loopback may have: give 1 or more"
    if interface.loopback and interface.segment is not None:
        yield f"interface {interface.name} is a loopback on segment {interface.segment}: a loopback has none"


def _vrfs(router: Router) -> Iterator[str]:
    for name in (router.name, *(vrf.name for vrf in router.vrfs)):
        if "/" in name:
            yield f"name {name} holds a slash, and tables are named router/VRF: rename it"
    for name in _twice(vrf.route_distinguisher for vrf in router.vrfs if vrf.route_distinguisher):
        yield f"route distinguisher {name} is that of two VRFs, whose routes could not be told apart: give each its own"


def _networks(router: Router) -> Iterator[str]:
    """Packets to a network that two interfaces have would leave by either; link-local networks are each link's own."""
    first: dict[tuple[str, Prefix], str] = {}
    for interface in router.interfaces:
        for address in interface.addresses:
            network = address.network
            known = interface.name
            if not address.is_link_local:
                known = first.setdefault((interface.vrf, network), interface.name)
            if known != interface.name:
                yield f"interfaces {known} and {interface.name} both have {network} in VRF {interface.vrf}: keep one"


def _static(router: Router) -> Iterator[str]:
    names = {one.name for one in router.interfaces}
    for route in router.static:
        what = f"static route {route.prefix}"
        if not (route.discard or route.via or route.interface or route.next_hop_vrf):
            yield f"{what} leads nowhere: give a next hop, an interface, a VRF or discard"
        if route.discard and (route.via or route.interface or route.next_hop_vrf):
            yield f"{what} is discarded and has a next hop: keep one of both"
        if route.via is not None and route.via.version != route.prefix.version:
            yield f"{what} has next hop {route.via} of another family: correct it"
        if route.interface is not None and route.interface not in names:
            yield f"{what} leaves by interface {route.interface}, which the router does not have: correct the name"


def _references(router: Router) -> Iterator[str]:
    lists = {one.name for one in router.prefix_lists}
    maps = {one.name for one in router.route_maps}
    asked = [("prefix list", entry.match_prefixes, lists) for one in router.route_maps for entry in one.entries]
    asked += [("route map", one.route_map, maps) for one in _redistributions(router)]
    for told in router.bgp:
        for one in told.neighbours:
            asked += [("route map", one.import_map, maps), ("route map", one.export_map, maps)]
            asked += [("prefix list", one.import_prefixes, lists), ("prefix list", one.export_prefixes, lists)]
    for what, name, known in asked:
        if name is not None and name not in known:
            yield f"{what} {name} is used but not described: describe it"
    for one_list in router.prefix_lists:
        for rule in one_list.rules:
            bounds = [rule.prefix.prefixlen, rule.at_least, rule.at_most, rule.prefix.max_prefixlen]
            given = [bound for bound in bounds if bound is not None]
            if given != sorted(given):
                yield f"prefix list {one_list.name} {rule.prefix}: lengths must rise from the prefix's to {given[-1]}"


def _redistributions(router: Router) -> Iterator[Redistribution]:
    processes: tuple[Bgp | Ospf, ...] = (*router.ospf, *router.bgp)
    for told in processes:
        yield from told.redistribute
    for one in router.isis:
        yield from one.redistribute


def _ospf(told: Ospf) -> Iterator[str]:
    if 0 in (*told.stub_areas, *told.closed_areas):
        yield "OSPF area 0 is told to be a stub, which the backbone cannot be (RFC 2328, 3.6): correct the area"
    for name in _twice(f"{one.prefix} of area {one.area}" for one in told.ranges):
        yield f"OSPF range {name} occurs twice: keep one"
    for one in told.ranges:
        if one.prefix.version != told.family:
            yield f"OSPF range {one.prefix} stands in a process of IPv{told.family}: move it to the other"


def _bgp(told: Bgp) -> Iterator[str]:
    for address in _twice(str(one.address) for one in told.neighbours):
        yield f"BGP neighbour {address} occurs twice: keep one"


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
