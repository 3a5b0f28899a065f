"""Random devices for the laws: every noun that a vendor's text can hold, with everything it can say."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from hypothesis import strategies as st

from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Device, Filter, FilterRule, Interface, Nat, Overlay, Route, Vlan, Vrf

NAME = "box1"
PORTS = ["lan0", "up0", "wan1", "fw-cz", "eth0.10", "to_dc"]
addresses = st.integers(0x01000000, 0xDFFFFFFF).map(IPv4Address)
networks = st.builds(
    lambda address, length: IPv4Network((int(address) >> (32 - length) << (32 - length) if length else 0, length)),
    addresses,
    st.integers(0, 32),
)
singles = addresses.map(lambda address: IPv4Network(f"{address}/32"))
interfaces_addresses = st.builds(
    lambda address, length: IPv4Interface((address, length)), addresses, st.integers(1, 32)
)
words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters='"\\'), min_size=1, max_size=8
)
texts = st.lists(words, max_size=3).map(" ".join)
vrf_names = st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True).filter(lambda name: name != GLOBAL)
distinguishers = st.builds(lambda high, low: f"{high}:{low}", st.integers(1, 65535), st.integers(0, 9999))
target_lists = st.sets(st.tuples(st.integers(1, 65535), st.integers(0, 9999)), max_size=3).map(
    lambda pairs: tuple(f"{high}:{low}" for high, low in sorted(pairs))
)
ports = st.integers(0, 65535)
port_ranges = st.tuples(ports, ports).map(lambda pair: (min(pair), max(pair)))


def few(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    """A tuple of different values."""
    return st.lists(strategy, max_size=most, unique=True).map(tuple)


@st.composite
def overlays(draw: st.DrawFn, vni: int) -> Overlay:
    fields = {name: draw(addresses) for name in ("local", "remote", "peer")}
    return Overlay(vni=vni, address=draw(interfaces_addresses), **fields)


@st.composite
def routing(draw: st.DrawFn, *, with_overlay: bool, port_names: list[str]) -> tuple[Noun, ...]:
    """VRFs, interfaces with one or two addresses, static routes."""
    names = draw(few(vrf_names))
    numbers = draw(st.lists(st.integers(1, 2**24 - 1), min_size=len(names), max_size=len(names), unique=True))
    vrfs = [
        Vrf(
            device=NAME,
            name=name,
            zone="",
            route_distinguisher=draw(st.none() | distinguishers),
            import_targets=draw(target_lists),
            export_targets=draw(target_lists),
            overlay=draw(st.none() | overlays(vni)) if with_overlay else None,
        )
        for name, vni in zip(names, numbers, strict=True)
    ]
    where = st.sampled_from([GLOBAL, *names])
    nouns: list[Noun] = [*vrfs]
    for port in draw(few(st.sampled_from(port_names), len(port_names))):
        vrf, description = draw(where), draw(texts)
        for address in draw(st.lists(interfaces_addresses, min_size=1, max_size=2, unique=True)):
            nouns.append(Interface(device=NAME, name=port, vrf=vrf, address=address, description=description))
    routes = draw(
        st.lists(
            st.builds(
                Route,
                device=st.just(NAME),
                vrf=where,
                prefix=networks,
                next_hop=st.none() | addresses,
                distance=st.integers(1, 255),
            ),
            max_size=5,
            unique_by=lambda row: row.key,
        ).filter(_takes)
    )
    return (*nouns, *routes)


def _takes(routes: list[Route]) -> bool:
    """FRR takes no null route beside a gateway for the same packets at the same distance."""
    ways = {(row.vrf, row.prefix, row.distance, row.next_hop is None) for row in routes}
    return len(ways) == len({way[:3] for way in ways})


@st.composite
def rules(draw: st.DrawFn) -> FilterRule:
    protocol = draw(st.sampled_from(["any", "tcp", "udp", "icmp"]))
    return FilterRule(
        device=NAME,
        sequence=draw(st.integers(1, 99999)),
        action=draw(st.sampled_from(["accept", "drop"])),
        in_interfaces=draw(few(st.sampled_from(PORTS))),
        out_interfaces=draw(few(st.sampled_from(PORTS))),
        sources=draw(few(networks)),
        destinations=draw(few(networks)),
        protocol=protocol,
        ports=draw(few(port_ranges)) if protocol in ("tcp", "udp") else (),
        flow=draw(texts),
    )


@st.composite
def translations(draw: st.DrawFn) -> Nat:
    kind = draw(st.sampled_from(["prefix", "source", "destination"]))
    fields: dict[str, Any] = {"inside": draw(networks), "outside": draw(singles)}
    if kind == "prefix":
        inside = fields["inside"]
        fields["outside"] = IPv4Network((int(draw(addresses)), inside.prefixlen), strict=False)
    else:
        fields["protocol"] = draw(st.sampled_from(["any", "tcp", "udp", "icmp"]))
    if kind == "destination":
        fields["inside"] = draw(singles)
        if fields["protocol"] in ("tcp", "udp"):
            fields |= {"port": draw(st.none() | ports), "inside_port": draw(st.none() | ports)}
    name = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True))
    return Nat(device=NAME, name=name, kind=kind, interface=draw(st.sampled_from(PORTS)), **fields)


@st.composite
def boundaries(draw: st.DrawFn) -> tuple[Noun, ...]:
    """A filter with rules, or none; and translations of all kinds."""
    found = draw(st.none() | st.builds(Filter, device=st.just(NAME)) | st.builds(
        Filter, device=st.just(NAME), default=st.just("accept"), stateful=st.booleans()))  # fmt: skip
    entries = draw(st.lists(rules(), max_size=3, unique_by=lambda row: row.sequence)) if found else []
    return (
        *([found] if found else []),
        *entries,
        *draw(st.lists(translations(), max_size=4, unique_by=lambda row: row.name)),
    )


@st.composite
def switches(draw: st.DrawFn) -> tuple[Noun, ...]:
    """What a VRP device holds."""
    vlans = draw(st.dictionaries(st.integers(1, 4094), texts, max_size=5))
    return (
        *(Vlan(device=NAME, vlan=vlan, description=description) for vlan, description in vlans.items()),
        *draw(routing(with_overlay=False, port_names=["Vlanif10", "Vlanif2010", "LoopBack0", "MEth0/0/1"])),
    )


def estate_of(platform: str, nouns: tuple[Noun, ...]) -> Estate:
    """The device with these rows."""
    box = Device(
        name=NAME, kind="router", platforms=(platform,), site="s", organisation="o",  # type: ignore[arg-type]  # a platform's name as text
        autonomous_system=65000, loopback=IPv4Address("198.19.253.1"),
    )  # fmt: skip
    return Estate.of(box, *nouns)
