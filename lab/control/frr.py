"""A control-plane design as FRR 8.4 is told it: one frr.conf per router, with timers for tests."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from orchestrator.forwarding.control.design import (
    DEFAULT_VRF,
    Bgp,
    Family,
    Interface,
    Isis,
    IsisPort,
    MapEntry,
    Neighbour,
    Ospf,
    OspfPort,
    PrefixRule,
    Redistribution,
    Router,
    StaticRoute,
    Vrf,
)  # fmt: skip

_LEVELS = {(1,): "level-1", (2,): "level-2-only", (1, 2): "level-1-2"}


def render(router: Router) -> str:
    """Return the router's frr.conf."""
    parts = [
        "frr defaults traditional", f"hostname {router.name}", "service integrated-vtysh-config",
        *(f"{_word(family)} nht resolve-via-default" for family in (4, 6) if router.resolve_by_default),
        *(f"no {_word(family)} nht resolve-via-default" for family in (4, 6) if not router.resolve_by_default),
        *_static(router), *(line for one in router.interfaces for line in _interface(one)),
        *_lists(router), *(line for one in router.ospf for line in _ospf(one)),
        *(line for one in router.isis for line in _isis(one)),
        *(line for one in router.bgp for line in _bgp(router, one)),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def daemons(router: Router) -> tuple[str, ...]:
    """Return the daemons that the router needs, zebra first."""
    versions = {one.family for one in router.ospf}
    wanted = {"ospfd": 4 in versions, "ospf6d": 6 in versions, "isisd": bool(router.isis), "bgpd": bool(router.bgp)}
    return "zebra", "staticd", *(name for name, needed in wanted.items() if needed)


def _word(family: int) -> str:
    return "ip" if family == 4 else "ipv6"


def _in(vrf: str) -> str:
    return "" if vrf == DEFAULT_VRF else f" vrf {vrf}"


def _static(router: Router) -> Iterator[str]:
    yield from (_static_line(route) for route in router.static if route.vrf == DEFAULT_VRF)
    for vrf in router.vrfs:
        if vrf.name != DEFAULT_VRF:
            yield f"vrf {vrf.name}"
            yield from (f" {_static_line(route)}" for route in router.static if route.vrf == vrf.name)
            yield "exit-vrf"


def _static_line(route: StaticRoute) -> str:
    words = [_word(route.prefix.version), "route", str(route.prefix)]
    words += ["blackhole"] if route.discard else [str(one) for one in (route.via, route.interface) if one is not None]
    if route.tag:
        words += ["tag", str(route.tag)]
    words.append(str(route.distance))
    return " ".join([*words, *(["nexthop-vrf", route.next_hop_vrf] if route.next_hop_vrf else [])])


def _interface(one: Interface) -> Iterator[str]:
    yield f"interface {one.name}{_in(one.vrf)}"
    if not one.up:
        yield " shutdown"  # else zebra raises it together with its first address
    yield from (f" {_word(address.version)} address {address}" for address in one.addresses)
    if one.ospf is not None:
        yield from _ospf_port("ip ospf", one.ospf, one.loopback)
    if one.ospf6 is not None:
        yield from _ospf_port("ipv6 ospf6", one.ospf6, one.loopback)
    if one.isis is not None:
        yield from _isis_port(one, one.isis)
    yield "exit"


def _ospf_port(words: str, told: OspfPort, loopback: bool) -> Iterator[str]:
    yield f" {words} area {told.area}"
    yield f" {words} cost {told.cost}"
    if loopback:
        return
    yield f" {words} network {'point-to-point' if told.point_to_point else 'broadcast'}"
    yield f" {words} hello-interval 1"
    yield f" {words} dead-interval 4"
    if told.passive:
        yield f" {words} passive"


def _isis_port(one: Interface, told: IsisPort) -> Iterator[str]:
    yield from (f" {_word(family)} router isis lab" for family in sorted({one.version for one in one.addresses}))
    yield f" isis metric {told.metric}"
    yield f" isis circuit-type {_LEVELS[told.levels]}"
    yield " isis hello-interval 1"
    yield " isis hello-multiplier 4"
    if not one.loopback:
        yield " isis network point-to-point"
    if told.passive:
        yield " isis passive"


def _lists(router: Router) -> Iterator[str]:
    for one in router.prefix_lists:
        for number, rule in enumerate(one.rules, 1):
            yield f"{_word(rule.prefix.version)} prefix-list {one.name} seq {number} {_rule(rule)}"
    communities = {entry.match_community for one in router.route_maps for entry in one.entries} - {None}
    yield from (
        f"bgp community-list standard {_community(name)} permit {name}" for name in sorted(map(str, communities))
    )
    for one_map in router.route_maps:
        for number, entry in enumerate(one_map.entries, 1):
            yield f"route-map {one_map.name} {'permit' if entry.permit else 'deny'} {number}"
            yield from _entry(router, entry)
            yield "exit"


def _rule(rule: PrefixRule) -> str:
    bounds = [("ge", rule.at_least), ("le", rule.at_most)]
    return " ".join(
        ["permit" if rule.permit else "deny", str(rule.prefix), *(f"{word} {value}" for word, value in bounds if value)]
    )


def _community(name: str) -> str:
    return f"c-{name.replace(':', '-')}"


def _entry(router: Router, entry: MapEntry) -> Iterator[str]:
    if entry.match_prefixes is not None:
        rules = next(one.rules for one in router.prefix_lists if one.name == entry.match_prefixes)
        yield f" match {_word(rules[0].prefix.version)} address prefix-list {entry.match_prefixes}"
    if entry.match_tag is not None:
        yield f" match tag {entry.match_tag}"
    if entry.match_community is not None:
        yield f" match community {_community(entry.match_community)}"
    sets = {"local-preference": entry.set_local_preference, "metric": entry.set_metric, "tag": entry.set_tag}
    yield from (f" set {word} {value}" for word, value in sets.items() if value is not None)
    if entry.set_external_type is not None:
        yield f" set metric-type type-{entry.set_external_type}"
    if entry.set_prepend:
        yield f" set as-path prepend {' '.join(map(str, entry.set_prepend))}"
    if entry.set_communities:
        yield f" set community {' '.join(entry.set_communities)} additive"


def _redistribute(one: Redistribution, words: str, typed: bool) -> str:
    said = f"redistribute {words}"
    if one.metric is not None:
        said += f" metric {one.metric}"
    if typed:
        said += f" metric-type {one.external_type}"
    return said + (f" route-map {one.route_map}" if one.route_map else "")


def _ospf(told: Ospf) -> Iterator[str]:
    yield f"router {'ospf' if told.family == 4 else 'ospf6'}{_in(told.vrf)}"
    yield f" ospf{'' if told.family == 4 else '6'} router-id {told.router_id}"
    yield from (f" area {IPv4Address(area)} stub" for area in told.stub_areas)
    yield from (f" area {IPv4Address(area)} stub no-summary" for area in told.closed_areas)
    if told.family == 4:
        areas = (*told.stub_areas, *told.closed_areas)
        yield from (f" area {IPv4Address(area)} default-cost {told.stub_cost}" for area in areas)
        yield " timers throttle lsa all 0"
    yield from (f" area {IPv4Address(one.area)} range {one.prefix}{' not-advertise' if one.hide else ''}"
                for one in told.ranges)  # fmt: skip
    yield from (f" {_redistribute(one, one.source, True)}" for one in told.redistribute)
    if told.default is not None:
        always = " always" if told.default.always else ""
        values = f"metric {told.default.metric} metric-type {told.default.external_type}"
        yield f" default-information originate{always} {values}"
    yield " timers throttle spf 0 50 500"
    yield " timers lsa min-arrival 0"
    yield f" distance {told.distance}"
    yield "exit"


def _isis(told: Isis) -> Iterator[str]:
    yield f"router isis lab{_in(told.vrf)}"
    yield f" net {told.area}.{told.system_id}.00"
    yield f" is-type {_LEVELS[told.levels]}"
    yield " metric-style wide"
    yield " lsp-gen-interval 1"
    yield " spf-interval 1"
    for one in told.redistribute:
        for level in told.redistribute_levels:
            for family in ("ipv4", "ipv6"):
                yield f" {_redistribute(one, f'{family} {one.source} level-{level}', False)}"
    yield "exit"


def _bgp(router: Router, told: Bgp) -> Iterator[str]:
    yield f"router bgp {told.autonomous_system}{_in(told.vrf)}"
    yield f" bgp router-id {told.router_id}"
    yield from (" no bgp default ipv4-unicast", " no bgp ebgp-requires-policy", " bgp bestpath compare-routerid",
                " bgp deterministic-med", f" bgp default local-preference {told.local_preference}",
                " timers bgp 1 4")  # fmt: skip
    if told.always_compare_med:
        yield " bgp always-compare-med"
    for one in told.neighbours:
        yield from _neighbour(told, one)
    for family in (4, 6):
        yield from _family(router, told, family)
    if any(one.vpn for one in told.neighbours):
        yield " address-family ipv4 vpn"
        yield from (line for one in told.neighbours if one.vpn for line in _activated(one))
        yield " exit-address-family"
    yield "exit"


def _neighbour(told: Bgp, one: Neighbour) -> Iterator[str]:
    yield f" neighbor {one.address} remote-as {one.remote_as}"
    yield f" neighbor {one.address} timers connect 1"
    yield f" neighbor {one.address} advertisement-interval 0"
    if one.source is not None:
        yield f" neighbor {one.address} update-source {one.source}"
    if one.multihop and one.remote_as != told.autonomous_system:
        yield f" neighbor {one.address} ebgp-multihop 16"


def _family(router: Router, told: Bgp, family: Family) -> Iterator[str]:
    yield f" address-family {'ipv4' if family == 4 else 'ipv6'} unicast"
    yield from (f"  network {prefix}" for prefix in told.networks if prefix.version == family)
    for one in told.redistribute:
        name = "ospf6" if (one.source, family) == ("ospf", 6) else one.source
        yield f"  {_redistribute(one, name, False)}"
    for neighbour in told.neighbours:
        if neighbour.unicast and neighbour.address.version == family:
            yield from _activated(neighbour)
    yield f"  maximum-paths {told.external_paths}"
    yield f"  maximum-paths ibgp {told.internal_paths}"
    yield f"  distance bgp {told.external_distance} {told.internal_distance} {told.internal_distance}"
    vrf = next((one for one in router.vrfs if one.name == told.vrf), None)
    if vrf is not None and vrf.route_distinguisher and family == 4:
        yield from _vpn(vrf)
    yield " exit-address-family"


def _vpn(vrf: Vrf) -> Iterator[str]:
    yield f"  rd vpn export {vrf.route_distinguisher}"
    yield "  label vpn export auto"
    for word, targets in (("import", vrf.import_targets), ("export", vrf.export_targets)):
        if targets:
            yield f"  rt vpn {word} {' '.join(targets)}"
            yield f"  {word} vpn"


def _activated(one: Neighbour) -> Iterator[str]:
    name = f"  neighbor {one.address}"
    yield f"{name} activate"
    if one.next_hop_self:
        yield f"{name} next-hop-self"
    if one.reflector_client:
        yield f"{name} route-reflector-client"
    for word, value in (("route-map", one.import_map), ("prefix-list", one.import_prefixes)):
        if value is not None:
            yield f"{name} {word} {value} in"
    for word, value in (("route-map", one.export_map), ("prefix-list", one.export_prefixes)):
        if value is not None:
            yield f"{name} {word} {value} out"
