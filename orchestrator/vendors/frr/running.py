"""`frr.conf`: the text that FRR 8.4 shows as its running configuration, and its lines as a tree of contexts.

Route distinguisher and targets stand in the VRF's BGP instance (`rd vpn export`, `rt vpn import|export`): FRR keeps
and shows them without MPLS too. What carries the routes is the iBGP session over the VRF's own VXLAN.
"""

import re
from collections.abc import Iterator

from orchestrator.model.network import GLOBAL, Overlay, Route, Vrf
from orchestrator.vendors.frr.configuration import Configuration, has_bgp, overlay_port, targets
from orchestrator.vendors.parsed import Line, matches, one_line, text_lines

FILE = "frr.conf"

_OWN = (
    r"service password-encryption",
    r"log (file|syslog|stdout|facility|timestamp|commands|record-priority)\b.*",
    r"banner motd .*",
)
OWN = matches(*_OWN)
"""Lines that belong to whoever runs the box."""
_SAYS_NOTHING = matches(
    r"Building configuration\.\.\.",
    r"Current configuration:",
    r"frr version .*",
    r"frr defaults traditional",
    r"(no )?ipv6 forwarding",
    r"service integrated-vtysh-config",
    r"line vty",
    *_OWN,
)
_OF_LINE_VTY = re.compile(r"(no )?(access-class|ipv6 access-class|exec-timeout|login)\b.*")

_OPENS = re.compile(r"(vrf|interface|router|route-map|line|address-family) ")
_CLOSES = ("exit", "exit-vrf", "exit-address-family")


def inert(line: Line) -> bool:
    """Whether a line means nothing to the model. `line vty` has no end of its own: FRR takes a line below it that is
    no setting of terminals, such as a route, for one of the whole configuration.
    """
    return _SAYS_NOTHING(line) and (not line.path or _OF_LINE_VTY.fullmatch(line.text) is not None)


def lines_of(text: str) -> Iterator[Line]:
    """The lines that mean something, each with its contexts; comments and the ends of contexts are left out."""
    path: tuple[str, ...] = ()
    for number, raw in enumerate(text_lines(text), start=1):
        words = " ".join(raw.split())
        if not words or words[0] in "!#":
            continue
        if words in _CLOSES or words == "end":
            path = () if words == "end" else path[:-1]
            continue
        opens = _OPENS.match(words)
        if opens and opens[1] != "address-family":
            path = ()
        yield Line(number, path, words)
        if opens:
            path = (*path, words)


def write(configuration: Configuration) -> str:
    """The text of a router. Raises RenderError for a description that is no single line."""
    blocks = [
        [
            "frr version 8.4.4",
            "frr defaults traditional",
            f"hostname {configuration.device}",
            "no ipv6 forwarding",
            "service integrated-vtysh-config",
        ],
        [route_line(row) for row in _routes(configuration, GLOBAL)],
        *_vrfs(configuration),
        *_interfaces(configuration),
        *_bgp(configuration),
        *_overlay_filter(configuration),
        ["end"],
    ]
    return "\n!\n".join("\n".join(block) for block in blocks if block) + "\n"


def _vrfs(configuration: Configuration) -> Iterator[list[str]]:
    for vrf in sorted(configuration.vrfs, key=lambda vrf: vrf.name):
        routes = [f" {route_line(row)}" for row in _routes(configuration, vrf.name)]
        yield [f"vrf {vrf.name}", f" netns /run/netns/{vrf.name}", *routes, "exit-vrf"]


def _routes(configuration: Configuration, vrf: str) -> list[Route]:
    here = [row for row in configuration.routes if row.vrf == vrf]
    return sorted(here, key=lambda row: (row.prefix, row.next_hop is not None, row.next_hop or row.prefix[0]))


def route_line(row: Route) -> str:
    """A static route as it is typed and shown."""
    distance = f" {row.distance}" if row.distance != 1 else ""
    return f"ip route {row.prefix} {row.next_hop or 'blackhole'}{distance}"


def _interfaces(configuration: Configuration) -> Iterator[list[str]]:
    overlays = {vrf.name: vrf.overlay for vrf in configuration.vrfs if vrf.overlay}
    for vrf in sorted({GLOBAL, *(one.name for one in configuration.vrfs)}):
        where = "" if vrf == GLOBAL else f" vrf {vrf}"
        ports = configuration.ports(vrf)
        blocks = {
            name: [*_description(rows[0].description, rows[0].key), *(f" ip address {row.address}" for row in rows)]
            for name, rows in ports.items()
        }
        if vrf in overlays:
            blocks[overlay_port(vrf)] = [f" ip address {overlays[vrf].address}"]
        for name in sorted(blocks):
            yield [f"interface {name}{where}", *blocks[name], "exit"]


def _description(text: str, key: str) -> list[str]:
    return [f" description {one_line(text, f'interfaces[{key}].description')}"] if text else []


def _bgp(configuration: Configuration) -> Iterator[list[str]]:
    for vrf in sorted(configuration.vrfs, key=lambda vrf: vrf.name):
        if has_bgp(vrf):
            yield [
                f"router bgp {configuration.autonomous_system} vrf {vrf.name}",
                *([f" bgp router-id {configuration.router_id}"] if configuration.router_id else []),
                " no bgp ebgp-requires-policy",
                " timers bgp 3 9",
                *_neighbour(configuration, vrf.overlay),
                " !",
                " address-family ipv4 unicast",
                *_family(vrf),
                " exit-address-family",
                "exit",
            ]


def _neighbour(configuration: Configuration, overlay: Overlay | None) -> list[str]:
    if overlay is None:
        return []
    return [
        f" neighbor {overlay.peer} remote-as {configuration.autonomous_system}",
        f" neighbor {overlay.peer} timers connect 1",
    ]


def _family(vrf: Vrf) -> list[str]:
    connected = "  redistribute connected route-map CONNECTED" if vrf.overlay else "  redistribute connected"
    return [
        connected,
        "  redistribute static",
        *([f"  neighbor {vrf.overlay.peer} next-hop-self"] if vrf.overlay else []),
        *([f"  rd vpn export {vrf.route_distinguisher}"] if vrf.route_distinguisher else []),
        *_targets(targets(vrf.import_targets), targets(vrf.export_targets)),
    ]


def _targets(imported: tuple[str, ...], exported: tuple[str, ...]) -> Iterator[str]:
    """FRR shows equal lists as one."""
    ways = {"both": imported} if imported == exported else {"import": imported, "export": exported}
    return (f"  rt vpn {way} {' '.join(values)}" for way, values in ways.items() if values)


def _overlay_filter(configuration: Configuration) -> Iterator[list[str]]:
    """Overlay networks are transport: they are not told to the other PE. The entry's number is the VNI, so that a
    new VRF moves no other entry."""
    overlays = sorted((vrf.overlay for vrf in configuration.vrfs if vrf.overlay), key=lambda overlay: overlay.vni)
    if overlays:
        yield [f"ip prefix-list OVERLAY seq {one.vni} permit {one.address.network}" for one in overlays]
        yield ["route-map CONNECTED deny 5", " match ip address prefix-list OVERLAY", "exit"]
        yield ["route-map CONNECTED permit 10", "exit"]


def carry(present: str, wanted: str) -> str:
    """The wanted text with the present one's own lines after its header, those it has already left out."""
    there = {line.place for line in lines_of(wanted)}
    own = [line.text for line in lines_of(present) if not line.path and OWN(line) and line.place not in there]
    head = "service integrated-vtysh-config\n"
    return wanted.replace(head, head + "".join(f"{line}\n" for line in own), 1)
