"""`links.batch`: the namespaces, VXLANs and ports of a router's VRFs, as text that `ip -batch` runs line by line.

On an empty router the text can be run as it is; on a running one a module compares it with what is there.
"""

from collections.abc import Iterator

from orchestrator.model.network import Vrf
from orchestrator.vendors.frr.configuration import Configuration, overlay_port
from orchestrator.vendors.parsed import Inert, Line, matches, text_lines

FILE = "links.batch"
HEADER = "# VRF namespaces, overlays and ports; run by: ip -batch links.batch"
INERT: Inert = matches()
MTU = 1500
DESTINATION_PORT = 4789  # RFC 7348, section 5


def write(configuration: Configuration) -> str:
    """The text of a router; only the header when it has no VRF."""
    vrfs = sorted(configuration.vrfs, key=lambda vrf: vrf.name)
    return "\n".join([HEADER, *(line for vrf in vrfs for line in _vrf(configuration, vrf))]) + "\n"


def _vrf(configuration: Configuration, vrf: Vrf) -> Iterator[str]:
    inside = f"netns exec {vrf.name}"
    yield f"netns add {vrf.name}"
    yield f"{inside} ip link set lo up"
    yield f"{inside} sysctl -qw net.ipv4.ip_forward=1"
    if vrf.overlay:
        # made outside, then moved: the tunnel's own packets stay in the global table
        yield vxlan(vrf)
        yield f"link set {overlay_port(vrf.name)} netns {vrf.name}"
        yield f"{inside} ip link set {overlay_port(vrf.name)} up"
    for port in configuration.ports(vrf.name):
        yield f"link set {port} netns {vrf.name}"
        yield f"{inside} ip link set {port} up"


def vxlan(vrf: Vrf) -> str:
    """The line that makes the VXLAN of a VRF with an overlay."""
    overlay = vrf.overlay
    if overlay is None:
        return ""
    return (
        f"link add {overlay_port(vrf.name)} mtu {MTU} type vxlan id {overlay.vni} "
        f"local {overlay.local} remote {overlay.remote} dstport {DESTINATION_PORT}"
    )


def lines_of(text: str) -> Iterator[Line]:
    """The lines that mean something; comments are left out."""
    for number, raw in enumerate(text_lines(text), start=1):
        words = " ".join(raw.split())
        if words and not words.startswith("#"):
            yield Line(number, (), words)
