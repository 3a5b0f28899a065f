"""FRR text to nouns: take out what is known, write it again, and report every line that does not come back."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import ParamSpec, TypeVar

from orchestrator.model.network import GLOBAL, Interface, Overlay, Route, Vrf
from orchestrator.vendors.frr import links, running
from orchestrator.vendors.frr.configuration import Configuration, checked, overlay_port
from orchestrator.vendors.parsed import Attribute, Line, Parsed, ParsedRow, RenderError, unexplained

_T = TypeVar("_T")
_P = ParamSpec("_P")
_VRF = re.compile(r"vrf (\S+)")
_INTERFACE = re.compile(r"interface (\S+)(?: vrf (\S+))?")
_BGP = re.compile(r"router bgp (\d+) vrf (\S+)")
_TARGET = r"[0-9.]{1,15}:[0-9]{1,10}"
_TARGETS = re.compile(f"{_TARGET}(?: {_TARGET})*")
_ROUTER_ID = re.compile(r"bgp router-id (\S+)")
_ROUTE = re.compile(r"ip route (\S+) (\S+)(?: (\d+))?")
_VXLAN = re.compile(rf"link add vx-(\S+) mtu {links.MTU} type vxlan id (\d+) local (\S+) remote (\S+) dstport \d+")


def parse(device: str, texts: Mapping[str, str]) -> Parsed:
    """See the package's `parse`."""
    conf = tuple(running.lines_of(texts.get(running.FILE, "")))
    batch = tuple(links.lines_of(texts.get(links.FILE, "")))
    rows = tuple(_rows(device, conf, batch))
    attributes = tuple(_attributes(conf))
    rows, again = _written(device, rows, attributes)
    unparsed = [
        one
        for file, found, inert in ((running.FILE, conf, running.inert), (links.FILE, batch, links.INERT))
        if file in texts
        for one in unexplained(device, file, found, again[file], inert)
    ]
    return Parsed(rows=rows, unparsed=tuple(unparsed), attributes=attributes)


def _written(
    device: str, rows: tuple[ParsedRow, ...], attributes: tuple[Attribute, ...]
) -> tuple[tuple[ParsedRow, ...], dict[str, tuple[Line, ...]]]:
    """The rows and the lines they would be written as; no rows when no router could be configured so."""
    about = {attribute.name: attribute.value for attribute in attributes}
    try:
        configuration = checked(
            Configuration(
                device=device,
                autonomous_system=int(about["autonomous_system"]) if "autonomous_system" in about else None,
                router_id=IPv4Address(about["loopback"]) if "loopback" in about else None,
                vrfs=tuple(row.noun for row in rows if isinstance(row.noun, Vrf)),
                interfaces=tuple(row.noun for row in rows if isinstance(row.noun, Interface)),
                routes=tuple(row.noun for row in rows if isinstance(row.noun, Route)),
            )
        )
        text, batch = running.write(configuration), links.write(configuration)
    except RenderError:
        return (), {running.FILE: (), links.FILE: ()}
    return rows, {running.FILE: tuple(running.lines_of(text)), links.FILE: tuple(links.lines_of(batch))}


def _attributes(conf: Sequence[Line]) -> Iterator[Attribute]:
    """The AS number and router id, from the first BGP instance; another value in a later one stays unexplained."""
    for name, pattern, kind in (("autonomous_system", _BGP, int), ("loopback", _ROUTER_ID, IPv4Address)):
        for line in conf:
            found = pattern.fullmatch(line.text)
            if found and _good(kind, found[1]) is not None:
                yield Attribute(name=name, value=found[1], file=running.FILE, line=line.number)
                break


def _good(make: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What `make` gives, or None when a value in it is bad; its line then stays unexplained."""
    try:
        return make(*args, **kwargs)
    except ValueError:
        return None


def _rows(device: str, conf: Sequence[Line], batch: Sequence[Line]) -> Iterator[ParsedRow]:
    vrfs = tuple(_vrfs(device, conf, batch))
    overlays = {overlay_port(row.noun.name) for row in vrfs if isinstance(row.noun, Vrf) and row.noun.overlay}
    yield from vrfs
    names = {GLOBAL, *(row.noun.name for row in vrfs if isinstance(row.noun, Vrf))}
    seen = set()
    for row in (*_interfaces(device, conf, overlays), *_routes(device, conf)):
        noun = row.noun
        if isinstance(noun, Interface | Route) and noun.vrf in names and noun.key not in seen:
            seen.add(noun.key)
            yield row


def _vrfs(device: str, conf: Sequence[Line], batch: Sequence[Line]) -> Iterator[ParsedRow]:
    seen = set()
    for line in conf:
        found = _VRF.fullmatch(line.text) if not line.path else None
        if found and found[1] not in seen:
            seen.add(found[1])
            vrf = _good(_vrf, device, found[1], conf, batch)
            if vrf is not None:
                yield ParsedRow(vrf, running.FILE, line.number)


def _vrf(device: str, name: str, conf: Sequence[Line], batch: Sequence[Line]) -> Vrf:
    inside = [line.text for line in conf if line.path and _bgp_of(line.path[0]) == name]

    def words(head: str) -> tuple[str, ...]:
        found = next((text.removeprefix(head) for text in inside if text.startswith(head)), "")
        return tuple(found.split()) if _TARGETS.fullmatch(found) else ()

    return Vrf(
        device=device,
        name=name,
        zone="",
        route_distinguisher=next(iter(words("rd vpn export ")), None),
        import_targets=words("rt vpn import ") or words("rt vpn both "),
        export_targets=words("rt vpn export ") or words("rt vpn both "),
        overlay=_good(_overlay, name, conf, inside, batch),
    )


def _bgp_of(line: str) -> str | None:
    found = _BGP.fullmatch(line)
    return found[2] if found else None


def _overlay(name: str, conf: Sequence[Line], inside: Sequence[str], batch: Sequence[Line]) -> Overlay | None:
    """The overlay of a VRF, from three places: the VXLAN, its address, the neighbour behind it."""
    tunnel = next((found for line in batch if (found := _VXLAN.fullmatch(line.text)) and found[1] == name), None)
    port = (f"interface {overlay_port(name)} vrf {name}",)
    address = next((line.text for line in conf if line.path == port and line.text.startswith("ip address ")), None)
    peer = next((text.split()[1] for text in inside if re.fullmatch(r"neighbor \S+ remote-as \d+", text)), None)
    if tunnel is None or address is None or peer is None:
        return None
    return Overlay(
        vni=int(tunnel[2]),
        local=IPv4Address(tunnel[3]),
        remote=IPv4Address(tunnel[4]),
        address=IPv4Interface(address.split()[2]),
        peer=IPv4Address(peer),
    )


def _interfaces(device: str, conf: Sequence[Line], overlays: set[str]) -> Iterator[ParsedRow]:
    descriptions = {
        line.path: line.text.removeprefix("description ") for line in conf if line.text.startswith("description ")
    }
    for line in conf:
        port = _INTERFACE.fullmatch(line.path[0]) if len(line.path) == 1 else None
        address = re.fullmatch(r"ip address (\S+)", line.text)
        if port is None or address is None or port[1] in overlays:
            continue
        description = descriptions.get(line.path, "")
        noun = _good(_interface, device, port[1], port[2] or GLOBAL, address[1], description)
        if noun is not None:
            yield ParsedRow(noun, running.FILE, line.number)


def _interface(device: str, name: str, vrf: str, address: str, description: str) -> Interface:
    return Interface(device=device, name=name, vrf=vrf, address=IPv4Interface(address), description=description)


def _routes(device: str, conf: Sequence[Line]) -> Iterator[ParsedRow]:
    for line in conf:
        found = _ROUTE.fullmatch(line.text)
        vrf = GLOBAL if not line.path else line.path[0].removeprefix("vrf ")
        if found is None or (line.path and not _VRF.fullmatch(line.path[0])):
            continue
        noun = _good(_route, device, vrf, found[1], found[2], found[3] or "1")
        if noun is not None:
            yield ParsedRow(noun, running.FILE, line.number)


def _route(device: str, vrf: str, prefix: str, next_hop: str, distance: str) -> Route:
    hop = None if next_hop == "blackhole" else IPv4Address(next_hop)
    return Route(device=device, vrf=vrf, prefix=IPv4Network(prefix), next_hop=hop, distance=int(distance))
