"""`vrp.cfg`: the part of a VRP device's current configuration that the model knows, and what in it is inert.

VRP prefers a static route with 60 unless told otherwise, so distance 60 is the one that is not written
(Huawei command reference, `ip route-static`).
"""

from collections.abc import Iterator, Sequence

from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Interface, Route, Vlan, Vrf
from orchestrator.vendors.huawei_vrp.tree import Section, parse
from orchestrator.vendors.huawei_vrp.words import PARAMETERS, vlan_numbers, vlan_ranges
from orchestrator.vendors.parsed import Line, RenderError, matches, one_line

FILE = "vrp.cfg"
STATIC_PREFERENCE = 60
_WAYS = ("export-extcommunity", "import-extcommunity")

INERT = matches(
    r"user-interface .*",
    r"(undo )?(stelnet|telnet|ssh|http|ftp) .*",
    r"aaa",
    r"ntp-service .*",
    r"snmp-agent.*",
    r"(undo )?info-center .*",
    r"clock timezone .*",
    r"(undo )?lldp enable",
    r"header (login|shell) .*",
)
"""Sections that say how the box itself is managed, not what it forwards; with everything below them."""


class Configuration(Noun):
    """One device."""

    device: str
    vlans: tuple[Vlan, ...] = ()
    vrfs: tuple[Vrf, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()


def configuration_of(estate: Estate, device: str) -> Configuration:
    """A device's rows."""
    return Configuration(
        device=device,
        vlans=tuple(row for row in estate.vlans.values() if row.device == device),
        vrfs=tuple(row for row in estate.vrfs.values() if row.device == device),
        interfaces=tuple(row for row in estate.interfaces.values() if row.device == device),
        routes=tuple(row for row in estate.routes.values() if row.device == device),
    )


def write(configuration: Configuration) -> str:
    """The text of a device. Raises RenderError for rows that contradict each other or that VRP cannot hold."""
    _check(configuration)
    blocks = [
        [f"sysname {configuration.device}"],
        *_vlans(configuration.vlans),
        *(_vrf(row) for row in sorted(configuration.vrfs, key=lambda row: row.name)),
        *_interfaces(configuration),
        [_route(row) for row in _sorted(configuration.routes)],
    ]
    return "\n".join(["#", *(line for block in blocks if block for line in (*block, "#")), "return"]) + "\n"


def _check(configuration: Configuration) -> None:
    names = {GLOBAL, *(row.name for row in configuration.vrfs)}
    rows: tuple[Interface | Route, ...] = (*configuration.interfaces, *configuration.routes)
    for row in rows:
        if row.vrf not in names:
            raise RenderError(f"{row.key}: {configuration.device} has no VPN instance {row.vrf!r}: add it first")
    for vrf in configuration.vrfs:
        if vrf.overlay:
            raise RenderError(f"vrfs[{vrf.key}]: a VRP device has no VXLAN overlay here: take the overlay away")
    seen: dict[str, Interface] = {}
    for port in configuration.interfaces:
        first = seen.setdefault(port.name, port)
        if (first.vrf, first.description) != (port.vrf, port.description):
            raise RenderError(
                f"interfaces[{port.key}]: the port has another VRF or description in interfaces[{first.key}]: "
                "a port has one of each; make them equal"
            )


def _vlans(vlans: Sequence[Vlan]) -> Iterator[list[str]]:
    if vlans:
        yield [f"vlan batch {vlan_ranges([row.vlan for row in vlans])}"]
    for row in sorted(vlans, key=lambda row: row.vlan):
        if row.description:
            yield [f"vlan {row.vlan}", f" description {one_line(row.description, f'vlans[{row.key}].description', 80)}"]


def _vrf(row: Vrf) -> list[str]:
    family = [
        *([f"  route-distinguisher {row.route_distinguisher}"] if row.route_distinguisher else []),
        *([f"  vpn-target {' '.join(row.export_targets)} export-extcommunity"] if row.export_targets else []),
        *([f"  vpn-target {' '.join(row.import_targets)} import-extcommunity"] if row.import_targets else []),
    ]
    return [f"ip vpn-instance {row.name}", *([" ipv4-family", *family] if family else [])]


def _interfaces(configuration: Configuration) -> Iterator[list[str]]:
    ports: dict[str, list[Interface]] = {}
    for row in sorted(configuration.interfaces, key=lambda row: (row.name, row.address.ip, row.address)):
        ports.setdefault(row.name, []).append(row)
    for name, rows in ports.items():
        first = rows[0]
        what = one_line(first.description, f"interfaces[{first.key}].description")
        yield [
            f"interface {name}",
            *([f" description {what}"] if what else []),
            *([f" ip binding vpn-instance {first.vrf}"] if first.vrf != GLOBAL else []),
            *(f" ip address {row.address.ip} {row.address.netmask}{' sub' if row != first else ''}" for row in rows),
        ]


def _sorted(routes: Sequence[Route]) -> list[Route]:
    return sorted(routes, key=lambda row: (row.vrf != GLOBAL, row.vrf, row.prefix, str(row.next_hop or "")))


def _route(row: Route) -> str:
    instance = "" if row.vrf == GLOBAL else f"vpn-instance {row.vrf} "
    preference = f" preference {row.distance}" if row.distance != STATIC_PREFERENCE else ""
    hop = row.next_hop or "NULL0"
    return f"ip route-static {instance}{row.prefix.network_address} {row.prefix.netmask} {hop}{preference}"


def lines_of(sections: Sequence[Section], path: tuple[str, ...] = ()) -> Iterator[Line]:
    """The lines of a text with the views they stand in, short forms written out."""
    for section in sections:
        forms = tuple(_forms(section.line))
        for form in forms:
            yield Line(section.number, path, form)
        yield from lines_of(section.sections, (*path, forms[-1]))


def _forms(line: str) -> Iterator[str]:
    """The lines one line stands for: each VLAN of a batch, each route target in each direction."""
    words = line.split()
    numbers = vlan_numbers(tuple(words[2:])) if words[:2] == ["vlan", "batch"] else None
    if numbers:
        yield from (f"vlan {number}" for number in numbers)
    elif words[0] == "vpn-target" and (values := _targets(words)):
        ways = (words[-1],) if words[-1].endswith("-extcommunity") else _WAYS
        yield from (f"vpn-target {value} {way}" for value in values for way in ways)
    else:
        yield line


def _targets(words: Sequence[str]) -> list[str]:
    """The route targets of a line; none where it says anything else, such as `evpn` after the direction."""
    values = list(words[1:-1] if words[-1] in ("both", *_WAYS) else words[1:])
    return values if all(PARAMETERS["rd"](value) for value in values) else []


def carry(present: str, wanted: str) -> str:
    """The wanted text with the present one's inert sections at its end.

    Raises ConfigurationTextError when the present text is no configuration.
    """
    there = {line.place for line in lines_of(parse(wanted))}
    kept: list[str] = []
    for section in parse(present):
        if INERT(Line(section.number, (), section.line)) and ((), section.line) not in there:
            kept += [*(" " * len(path) + one.line for path, one in section.walk()), "#"]
    return wanted.removesuffix("return\n") + "".join(f"{line}\n" for line in kept) + "return\n"
