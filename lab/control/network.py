"""A control-plane design as running routers: wired, started, waited for, and their installed tables read."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from typing import Any, NamedTuple

from lab.control import frr
from lab.control.world import World
from orchestrator.forwarding.control.design import DEFAULT_VRF, Address, Design, Prefix, Router
from orchestrator.forwarding.control.tables import Place, Table

_SETTINGS = """
sysctl -qw net.ipv4.ip_forward={0} net.ipv6.conf.all.forwarding={0} net.ipv4.conf.all.rp_filter=0 \
 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0 \
 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.accept_redirects=0 \
 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.all.accept_ra=0
"""
# what FRR refuses must not pass for a difference in routing
_LOAD = """
said=$(vtysh -b 2>&1) || { echo "vtysh ended with $?: $said" >&2; exit 1; }
if grep -qE '^(%|line )|Unknown command' <<< "$said"; then echo "refused: $said" >&2; exit 1; fi
"""
_SILENT = """
table inet silent {
 chain input { type filter hook input priority filter; policy drop;
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
 }
}
"""


class Host(NamedTuple):
    """A node on a segment with some addresses, which sends everything to its router and answers nobody."""

    name: str
    segment: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[Address, ...]


class Installed(NamedTuple):
    """A route as a router has installed it: hops are (interface, gateway).

    IPv6 gateways are left out but for static routes: routers name each other by link-local addresses.
    """

    source: str
    distance: int
    metric: int
    hops: frozenset[tuple[str, Address | None]]


def start(world: World, design: Design, hosts: tuple[Host, ...] = (), filters: dict[str, str] | None = None) -> None:
    """Raise the routers (with nftables texts by router) and hosts; raise LabError when a part does not start."""
    for name in [*(router.name for router in design.routers), *(host.name for host in hosts)]:
        world.add(name)
    world.each([(router.name, _prepared(router)) for router in design.routers])
    world.each([(host.name, _SETTINGS.format(0)) for host in hosts])
    world.script(None, _cables(world, design, hosts), 60)
    world.each(
        [(router.name, _started(router, (filters or {}).get(router.name, ""))) for router in design.routers], 120
    )
    world.each([(host.name, _joined(host)) for host in hosts])


def _prepared(router: Router) -> str:
    spaces = [f"ip netns add {vrf.name}; ip -n {vrf.name} link set lo up; ip netns exec {vrf.name} bash -e <<'X'\n"
              f"{_SETTINGS.format(1)}\nX" for vrf in router.vrfs if vrf.name != DEFAULT_VRF]  # fmt: skip
    return "\n".join([_SETTINGS.format(1), *spaces])


def _cables(world: World, design: Design, hosts: tuple[Host, ...]) -> str:
    """Two members of a segment are joined directly, more of them by a bridge; one alone gets a carrier."""
    members: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for router in design.routers:
        for one in router.interfaces:
            if not one.loopback:
                members[one.segment or f"{router.name} {one.name}"].append((router.name, one.name))
    for host in hosts:
        members[host.segment].append((host.name, "eth0"))
    lines = []
    for number, ends in enumerate(members.values()):
        if len(ends) == 2:
            (node, port), (other, peer) = ends
            near, far = world.nodes[node], world.nodes[other]
            lines.append(f"ip link add name {port} netns {near} type veth peer name {peer} netns {far}")
            continue
        lines.append(f"ip link add bridge{number} type bridge; ip link set bridge{number} up")
        for index, (node, port) in enumerate(ends):
            end = f"v{number}-{index}"
            lines.append(f"ip link add {end} type veth peer name {port} netns {world.nodes[node]}")
            lines.append(f"ip link set {end} master bridge{number} up")
    return "\n".join(lines)


def _started(router: Router, filters: str) -> str:
    lines = []
    for one in router.interfaces:
        if one.loopback:
            continue
        inside = "" if one.vrf == DEFAULT_VRF else f"-n {one.vrf} "
        if inside:
            lines.append(f"ip link set dev {one.name} netns {one.vrf}")
        lines.append(f"ip {inside}link set dev {one.name} {'up' if one.up else 'down'}")
    if filters:
        lines.append(f"nft -f - <<'X'\n{filters}\nX")
    lines.append(f"cat > /etc/frr/frr.conf <<'X'\n{frr.render(router)}X")
    lines.append("echo service integrated-vtysh-config > /etc/frr/vtysh.conf; chown -R frr:frr /etc/frr")
    lines.extend(
        f"/usr/lib/frr/{name} -d -A 127.0.0.1 {'-n' if name == 'zebra' else ''} 2>&1" for name in frr.daemons(router)
    )
    lines.append(_LOAD)
    return "\n".join(lines)


def _joined(host: Host) -> str:
    """A host's kernel must not answer by itself: a refusal would end the connections that routers remember."""
    lines = ["ip link set eth0 up", f"nft -f - <<'X'\n{_SILENT}X"]
    lines += [f"ip addr add {address} dev eth0 nodad" for address in host.addresses if address.version == 6]
    lines += [f"ip addr add {address} dev eth0" for address in host.addresses if address.version == 4]
    lines += [f"ip {'' if one.version == 4 else '-6 '}route add default via {one} dev eth0" for one in host.gateways]
    return "\n".join(lines)


def read(world: World, router: Router) -> dict[Place, dict[Prefix, Installed]]:
    """Return what a router has installed, per VRF; routes that are offered but not used are left out."""
    found = {}
    for vrf in [DEFAULT_VRF, *(one.name for one in router.vrfs if one.name != DEFAULT_VRF)]:
        rows: dict[Prefix, Installed] = {}
        for word in ("ip", "ipv6"):
            said = json.loads(world.run(router.name, ["vtysh", "-c", f"show {word} route vrf {vrf} json"]) or "{}")
            for text, entries in said.items():
                for entry in entries:
                    if entry.get("selected") and entry.get("installed") and not text.startswith("fe80:"):
                        rows[ip_network(text)] = _installed(entry)
        found[router.name, vrf] = rows
    return found


def _installed(entry: dict[str, Any]) -> Installed:
    hops = set()
    for hop in entry.get("nexthops", ()):
        if hop.get("fib"):
            gateway = ip_address(hop["ip"]) if "ip" in hop else None
            hops.add(_said_hop(str(entry["protocol"]), hop.get("interfaceName", ""), gateway))
    return Installed(str(entry["protocol"]), int(entry["distance"]), int(entry["metric"]), frozenset(hops))


def _said_hop(source: str, interface: str, gateway: Address | None) -> tuple[str, Address | None]:
    hidden = gateway is not None and gateway.version == 6 and source != "static"
    return interface, None if hidden else gateway


def predicted(table: Table) -> dict[Prefix, Installed]:
    """Return a computed table in the form in which an installed one is read.

    Routes into another table are left out: this kernel has neither MPLS nor VRF devices, see `imported`.
    """
    return {
        prefix: Installed(
            entry.source,
            entry.distance,
            entry.metric,
            frozenset(_said_hop(entry.source, hop.interface, hop.gateway) for hop in entry.hops),
        )
        for prefix, entry in table.items()
        if not any(hop.table for hop in entry.hops)
    }


def imported(world: World, router: Router) -> dict[tuple[str, Prefix], str]:
    """Return what BGP has let into each VRF from the VPN: (VRF, prefix) -> the other router, or the exporting VRF.

    Compared in BGP itself: without MPLS in the kernel FRR keeps these paths and installs none of them.
    """
    found: dict[tuple[str, Prefix], str] = {}
    for vrf in router.vrfs:
        said = json.loads(world.run(router.name, ["vtysh", "-c", f"show bgp vrf {vrf.name} ipv4 unicast json"]))
        for text, paths in said.get("routes", {}).items():
            for path in paths:
                if "nhVrfName" in path:
                    other = path["nexthops"][0]["ip"] if path["nhVrfName"] == DEFAULT_VRF else path["nhVrfName"]
                    found[vrf.name, ip_network(text)] = other
    return found


def settle(world: World, design: Design, wanted: dict[Place, dict[Prefix, Installed]], seconds: float) -> list[str]:
    """Wait until every table is as wanted, at most `seconds`; return the differences that are left, empty when none.

    A table that never becomes what was computed is the finding: waiting cannot make a wrong one right, because the
    routers do not know what was computed.
    """
    end = time.monotonic() + seconds
    open_routers = list(design.routers)
    while True:
        left = {router.name: differences(read(world, router), wanted) for router in open_routers}
        open_routers = [router for router in design.routers if left.get(router.name)]
        if not open_routers:
            # routers that agreed first may have moved since: all must agree in one round
            left = {router.name: differences(read(world, router), wanted) for router in design.routers}
            open_routers = [router for router in design.routers if left[router.name]]
            if not open_routers:
                return []
        if time.monotonic() > end:
            return [line for lines in left.values() for line in lines]
        time.sleep(0.5)


def differences(found: dict[Place, dict[Prefix, Installed]], wanted: dict[Place, dict[Prefix, Installed]]) -> list[str]:
    """Return a line for each route that is not as computed."""
    lines = []
    for place, rows in found.items():
        for prefix in sorted({*rows, *wanted[place]}, key=str):
            real, computed = rows.get(prefix), wanted[place].get(prefix)
            if real != computed:
                lines.append(f"{place[0]} VRF {place[1]} {prefix}: installed {_said(real)}, computed {_said(computed)}")
    return lines


def _said(row: Installed | None) -> str:
    if row is None:
        return "nothing"
    hops = ", ".join(sorted(f"{interface} {gateway or ''}".strip() or "discard" for interface, gateway in row.hops))
    return f"{row.source} [{row.distance}/{row.metric}] {hops or 'no next hop'}"
