"""Cables: one veth pair per link, made straight inside its two nodes, never seen in the machine's own namespace."""

from __future__ import annotations

import subprocess
from collections import defaultdict

from lab.network.layout import HUB, MACHINE_ADDRESS, MACHINE_PORT, MANAGEMENT, Cable, End, Layout, NodePlan
from lab.network.node import node_pid, script
from orchestrator.errors import LabError

_EVERYWHERE = "for vrf in '' $(ls /run/netns); do "


def connect(cables: list[Cable], cloud_nodes: set[str]) -> None:
    """Make the cables and set both ends up. Raises LabError with what iproute2 said; a half-made cable is not left."""
    _batch([f"{_end('link add', cable.a, cable)} type veth peer {_end('', cable.b, cable)}" for cable in cables])
    ports: dict[str, list[str]] = defaultdict(list)
    for cable in cables:
        for here, there in ((cable.a, cable.b), (cable.b, cable.a)):
            # OVN compares whole unsegmented packets with the MTU and drops them: none may be sent towards it
            ports[here.node].append(here.port + (" gso_max_segs 1" if there.node in cloud_nodes else ""))
    for node, named in ports.items():
        script(node, "\n".join(f"ip link set {port} up" for port in named))


def disconnect(cable: Cable) -> None:
    """Pull a cable out: both ports are gone, as when a carrier has taken its circuit back."""
    script(
        cable.a.node, f"{_EVERYWHERE}ip ${{vrf:+-n $vrf}} link del {cable.a.port} 2>/dev/null && exit 0; done; exit 0"
    )


def connected(cable: Cable) -> bool:
    """Whether the cable's first port is there, in whichever VRF."""
    found = f"{_EVERYWHERE}ip ${{vrf:+-n $vrf}} link show {cable.a.port} >/dev/null 2>&1 && echo yes; done; exit 0"
    return "yes" in script(cable.a.node, found)


def management(plan: Layout) -> None:
    """Join the management namespaces of all managed nodes, and the machine itself, by one bridge."""
    managed = [node for node in plan.nodes.values() if node.management]
    hub = node_pid(HUB)
    script(HUB, "ip link add bridge type bridge; ip link set bridge up")
    made = [_management_cable(index, node, hub) for index, node in enumerate(managed)]
    made.append(f"link add {MACHINE_PORT} type veth peer name machine netns /proc/{hub}/ns/net")
    _batch(made)
    ports = [f"m{index}" for index in range(len(managed))] + ["machine"]
    script(HUB, "\n".join(f"ip link set {port} master bridge up" for port in ports))
    for node in managed:
        _address(node)
    _batch([f"addr add {MACHINE_ADDRESS}/{MANAGEMENT.prefixlen} dev {MACHINE_PORT}", f"link set {MACHINE_PORT} up"])


def management_namespace(node: NodePlan) -> str:
    """Return the file of a node's management namespace."""
    return f"/proc/{node_pid(node.name)}/root/run/management"


def _management_cable(index: int, node: NodePlan, hub: int) -> str:
    mac = End(node.name, "mgmt0").mac
    there = f"name mgmt0 address {mac} netns {management_namespace(node)}"
    return f"link add m{index} netns /proc/{hub}/ns/net type veth peer {there}"


def _address(node: NodePlan) -> None:
    address = f"{node.management}/{MANAGEMENT.prefixlen}"
    script(
        node.name, f"exec nsenter --net=/run/management sh -ec 'ip addr add {address} dev mgmt0; ip link set mgmt0 up'"
    )


def _end(verb: str, end: End, cable: Cable) -> str:
    return f"{verb} name {end.port} mtu {cable.mtu} address {end.mac} netns /proc/{node_pid(end.node)}/ns/net".strip()


def _batch(lines: list[str]) -> None:
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise LabError(
            f"cables cannot be laid: {' '.join(done.stderr.split())[:300]}: run 'onefold lab down' and try again"
        )
