"""What an estate looks like as namespaces, cables and ports: a pure function, tested without a lab."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from orchestrator.errors import LabError
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Link

#: where every device and host of the lab is managed, and the machine's own address in it
MANAGEMENT = IPv4Network("172.31.0.0/24")
MACHINE_ADDRESS = IPv4Address("172.31.0.254")
MACHINE_PORT = "of-mgmt0"
#: the node that holds the management bridge and nothing else
HUB = "of-management"
_PLAIN, _UNDERLAY = 1500, 9000
_MOST_NAME = 15  # a Linux interface name


@dataclass(frozen=True)
class End:
    """One end of a cable: a port of a node, with a hardware address that is the same in every run."""

    node: str
    port: str

    @property
    def mac(self) -> str:
        """A locally administered address made of the names: who has learnt it keeps a true entry over a restart."""
        text = f"{zlib.crc32(f'{self.node}:{self.port}'.encode()):08x}"
        return "02:0f:" + ":".join(text[at : at + 2] for at in (0, 2, 4, 6))


@dataclass(frozen=True)
class Cable:
    """One veth pair; `mtu` in bytes."""

    name: str
    a: End
    b: End
    mtu: int = _PLAIN


@dataclass(frozen=True)
class NodePlan:
    """One node: what runs in it. `kind` is router, switch, host, vendor (a box that is emulated) or cloud."""

    name: str
    kind: str
    management: IPv4Address | None = None


@dataclass(frozen=True)
class Layout:
    """Everything that has to be made, by name."""

    nodes: dict[str, NodePlan]
    cables: dict[str, Cable]
    switch_ports: dict[str, dict[str, int | None]]  # switch -> port -> VLAN tag, None for untagged
    provider_ports: dict[str, dict[str, int]]  # cloud node -> port -> VLAN tag of the provider network


def layout(estate: Estate) -> Layout:
    """Return the layout of an estate.

    Raises LabError when a cable ends at a node that is not there, a port is used twice, or a name does not fit.
    """
    nodes = {device.name: NodePlan(device.name, _kind(device.kind, device.platforms), device.management)
             for device in estate.devices.values()}  # fmt: skip
    nodes |= {host.name: NodePlan(host.name, "host", host.management) for host in estate.hosts.values()}
    laid = [link for link in estate.links.values() if link.state != "released"]
    _check(nodes, laid)
    underlay = _underlay(estate)
    cables = {link.name: _cable(link, underlay) for link in laid}
    return Layout(nodes, cables, _tags(nodes, laid, "switch", untagged=True), _provider(nodes, laid))


def link_ends(link: Link) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return both ends of a link as (node, port)."""
    return (link.a_node, link.a_port), (link.b_node, link.b_port)


def _kind(kind: str, platforms: tuple[str, ...]) -> str:
    if kind == "cloud_node":
        return "cloud"
    if "frr" in platforms:
        return "router"
    if "huawei_vrp" in platforms:
        return "vendor"
    if kind == "switch":
        return "switch"
    raise LabError(
        f"the lab has nothing for a {kind} of platforms {', '.join(platforms) or 'none'}: use frr or huawei_vrp"
    )


def _check(nodes: dict[str, NodePlan], links: list[Link]) -> None:
    used: dict[tuple[str, str], str] = {}
    for link in links:
        for node, port in link_ends(link):
            if node not in nodes:
                raise LabError(
                    f"link {link.name} ends at {node}, which is no device or host: correct the cabling table"
                )
            if len(port) > _MOST_NAME:
                raise LabError(
                    f"port {node}:{port} has more than {_MOST_NAME} characters: shorten it in the cabling table"
                )
            if (node, port) in used:
                raise LabError(
                    f"port {node}:{port} is used by {used[node, port]} and {link.name}: correct the cabling table"
                )
            used[node, port] = link.name
    for plan in nodes.values():
        if plan.management and plan.management not in MANAGEMENT:
            raise LabError(f"{plan.name} is managed at {plan.management}: the lab's management network is {MANAGEMENT}")


def _underlay(estate: Estate) -> set[tuple[str, str]]:
    """Ports that carry the overlay between PEs: they need room for its headers."""
    ends = {(vrf.device, vrf.overlay.local) for vrf in estate.vrfs.values() if vrf.overlay}
    return {(row.device, row.name) for row in estate.interfaces.values()
            if row.vrf == GLOBAL and (row.device, row.address.ip) in ends}  # fmt: skip


def _cable(link: Link, underlay: set[tuple[str, str]]) -> Cable:
    a, b = End(link.a_node, link.a_port), End(link.b_node, link.b_port)
    wide = {(a.node, a.port), (b.node, b.port)} & underlay
    return Cable(link.name, a, b, _UNDERLAY if wide else _PLAIN)


def _tags(nodes: dict[str, NodePlan], links: list[Link], kind: str, untagged: bool) -> dict[str, dict[str, int | None]]:
    found: dict[str, dict[str, int | None]] = {name: {} for name, node in nodes.items() if node.kind == kind}
    for link in links:
        for node, port in link_ends(link):
            if node in found and (untagged or link.vlan is not None):
                found[node][port] = link.vlan
    return found


def _provider(nodes: dict[str, NodePlan], links: list[Link]) -> dict[str, dict[str, int]]:
    tagged = _tags(nodes, links, "cloud", untagged=False)
    return {node: {port: tag for port, tag in ports.items() if tag is not None} for node, ports in tagged.items()}
