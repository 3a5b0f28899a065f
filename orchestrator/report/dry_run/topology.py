"""The district as a drawing: an SVG of devices, hosts, servers and cables in layers, before or after."""

from dataclasses import dataclass
from html import escape

from orchestrator.model.estate import Estate
from orchestrator.model.network import Device, Link

WIDTH, ROW, TOP, MARGIN = 1180, 112, 46, 20
LAYERS = ("outside", "boundary", "core", "edge", "switch", "host")
LABELS = {
    "outside": "互联网 Internet",
    "boundary": "边界 boundary",
    "core": "骨干与云 core and clouds",
    "edge": "接入 edge",
    "switch": "交换 switches",
    "host": "主机 hosts",
}
COLOURS = {
    "internet": "#b45309",
    "common-adm": "#1d4ed8",
    "common-pub": "#0f766e",
    "vpn": "#6d28d9",
    "private": "#be123c",
    "management": "#475569",
}
STROKES = {
    "leased_line": ("#be123c", "7 4", 2.2),
    "internet_circuit": ("#b45309", "", 1.8),
    "access_circuit": ("#6d28d9", "", 1.6),
    "fibre": ("#334155", "", 2.2),
    "patch": ("#94a3b8", "", 1.1),
}
LEGEND = {
    "leased_line": "租用专线 leased line",
    "internet_circuit": "互联网电路 Internet circuit",
    "access_circuit": "政务外网接入 extranet circuit",
    "fibre": "光纤 fibre",
    "patch": "跳线 patch",
    "spare": "备用 spare",
}


@dataclass(frozen=True)
class Place:
    """Where a node stands and how it looks."""

    name: str
    label: str
    layer: str
    zone: str


def _layer_of(device: Device) -> str:
    if device.role == "outside":
        return "outside"
    if device.kind == "firewall":
        return "boundary"
    if device.kind == "cloud_node" or device.role == "provider_edge":
        return "core"
    return "switch" if device.kind == "switch" else "edge"


def _places(estate: Estate) -> list[Place]:
    places = [Place(d.name, d.name, _layer_of(d), "") for d in estate.devices.values()]
    for host in estate.hosts.values():
        layer = "outside" if host.role == "outside" else "host"
        places.append(Place(host.name, f"{host.name}\n{host.address.ip}", layer, host.zone))
    for server in estate.servers.values():
        zone = estate.tenants[server.tenant].zone if server.tenant in estate.tenants else ""
        places.append(Place(f"{server.tenant}/{server.name}", f"{server.name}\n{server.address}", "host", zone))
    return places


def _cables(estate: Estate) -> list[tuple[str, str, str, bool]]:
    """(node, node, kind, spare) of every cable in place, and a server's line to the cloud node."""
    drawn: list[tuple[str, str, str, bool]] = [
        (link.a_node, link.b_node, link.kind, link.state == "spare")
        for link in estate.links.values()
        if link.state != "released" and _used(estate, link)
    ]
    nodes = [device.name for device in estate.devices.values() if device.kind == "cloud_node"]
    drawn += [(nodes[0], key, "patch", False) for key in estate.servers] if nodes else []
    return drawn


def _used(estate: Estate, link: Link) -> bool:
    """A leased line whose ports hold no address is drawn no more, whatever the register says."""
    if link.kind != "leased_line":
        return True
    ports = {(i.device, i.name) for i in estate.interfaces.values()}
    return (link.a_node, link.a_port) in ports or (link.b_node, link.b_port) in ports


def _positions(places: list[Place], cables: list[tuple[str, str, str, bool]]) -> dict[str, tuple[float, float]]:
    """x by the average of the neighbours above (barycentre, four sweeps), y by layer."""
    rows = {layer: sorted(p.name for p in places if p.layer == layer) for layer in LAYERS}
    neighbours: dict[str, list[str]] = {p.name: [] for p in places}
    for a, b, _, _ in cables:
        if a in neighbours and b in neighbours:
            neighbours[a].append(b)
            neighbours[b].append(a)
    x: dict[str, float] = {}
    for row in rows.values():
        x |= {name: (i + 1) / (len(row) + 1) for i, name in enumerate(row)}
    for _ in range(4):
        for row in rows.values():
            wish = {n: sum(x[m] for m in neighbours[n]) / len(neighbours[n]) if neighbours[n] else x[n] for n in row}
            row.sort(key=lambda n: (wish[n], n))
            x |= {name: (i + 1) / (len(row) + 1) for i, name in enumerate(row)}
    layer_of = {p.name: p.layer for p in places}
    at = {n: (MARGIN + x[n] * (WIDTH - 2 * MARGIN), float(TOP + LAYERS.index(layer_of[n]) * ROW)) for n in x}
    for number, name in enumerate(rows["host"]):  # too many for one line: every second one stands lower
        at[name] = (at[name][0], at[name][1] + (number % 2) * 44)
    return at


def _colour(zone: str) -> str:
    return COLOURS.get(zone) or COLOURS.get(zone.split("-", 1)[0], "#334155")


def _node(place: Place, x: float, y: float) -> str:
    lines = place.label.split("\n")
    width, colour = (92 if place.layer == "host" else 70), _colour(place.zone)
    text = "".join(
        f'<tspan x="{x:.0f}" dy="{0 if not i else 12}" font-size="{11 if not i else 9}">{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    height = 18 + 12 * (len(lines) - 1)
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 13:.0f}" width="{width}" height="{height + 6}" rx="5" fill="#fff" '
        f'stroke="{colour}" stroke-width="1.6"/>'
        f'<text x="{x:.0f}" y="{y + 2:.0f}" text-anchor="middle" fill="{colour}">{text}</text>'
    )


def _cable(one: tuple[float, float], other: tuple[float, float], look: str) -> str:
    """A straight line between layers, an arc between two nodes of one layer (else it would run through others)."""
    (x1, y1), (x2, y2) = one, other
    if y1 != y2:
        return f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" {look}/>'
    lift = y1 - 14 - abs(x2 - x1) / 7
    middle = (x1 + x2) / 2
    return f'<path d="M{x1:.0f} {y1:.0f} Q{middle:.0f} {lift:.0f} {x2:.0f} {y2:.0f}" fill="none" {look}/>'


def _legend(height: int) -> str:
    """What the lines mean, below the drawing."""
    parts, x = [], 12
    for kind, label in LEGEND.items():
        colour, dash, thick = STROKES.get(kind, ("#cbd5e1", "2 4", 1.2))
        look = f'stroke="{colour}" stroke-width="{thick}" stroke-dasharray="{dash}"'
        parts.append(f'<line x1="{x}" x2="{x + 26}" y1="{height - 8}" y2="{height - 8}" {look}/>')
        parts.append(f'<text x="{x + 31}" y="{height - 4}" font-size="10" fill="#475569">{label}</text>')
        x += 185
    return "".join(parts)


def drawing(estate: Estate, title: str) -> str:
    """An SVG element, about 1180 x 700 units, that needs nothing from outside."""
    places, cables = _places(estate), _cables(estate)
    at = _positions(places, cables)
    height = TOP + len(LAYERS) * ROW - 14
    view = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="system-ui, sans-serif">']
    for number, layer in enumerate(LAYERS):
        y = TOP + number * ROW
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y + 52}" y2="{y + 52}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="4" y="{y - 24}" font-size="10" fill="#64748b">{LABELS[layer]}</text>')
    for a, b, kind, spare in cables:
        if a in at and b in at:
            colour, dash, thick = STROKES[kind]
            colour, dash = ("#cbd5e1", "2 4") if spare else (colour, dash)
            parts.append(_cable(at[a], at[b], f'stroke="{colour}" stroke-width="{thick}" stroke-dasharray="{dash}"'))
    parts.append(_legend(height))
    parts += [_node(place, *at[place.name]) for place in places]
    return "".join(parts) + "</svg>"
