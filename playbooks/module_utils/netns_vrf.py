"""The VRF namespaces, overlays and ports of an FRR router whose kernel has no VRF devices.

What is wanted is what a `links.batch` file says (see docs/vendors.md). `additions` are the commands that make what is
missing, `removals` those that take away what is not wanted (its ports go back to the router's own namespace).
Standard library only: the module frr_router runs it on the router.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

HEADER = "# VRF namespaces, overlays and ports; run by: ip -batch links.batch"
NOTICE = 15.0  # seconds in which zebra must have noticed a new namespace

Links = dict[str, dict[str, Any]]
"""VRF -> {"overlay": the line that makes its VXLAN or "", "ports": names of the ports in it}."""


def structure(text: str) -> Links:
    """What a links.batch text wants. Raises ValueError at a line that is none of its forms."""
    found: Links = {}
    overlays: dict[str, str] = {}
    # `str.splitlines` also ends lines at form feeds, U+0085 and U+2028: `ip -batch` does not
    for number, raw in enumerate(text.split("\n"), start=1):
        words = raw.split()
        if not words or words[0].startswith("#") or words[:2] == ["netns", "exec"]:
            continue  # what is run inside a namespace (up, forwarding) belongs to every namespace alike
        if words[:2] == ["netns", "add"] and len(words) == 3:
            found[words[2]] = {"overlay": "", "ports": []}
        elif words[:2] == ["link", "add"]:
            overlays[words[2]] = " ".join(words)
        elif words[:2] == ["link", "set"] and words[3:4] == ["netns"] and words[4] in found:
            if words[2] in overlays:
                found[words[4]]["overlay"] = overlays[words[2]]
            else:
                found[words[4]]["ports"].append(words[2])
        else:
            raise ValueError(f"line {number} of links.batch is not understood: {raw.strip()}")
    return found


def write(links: Links) -> str:
    """The state as links.batch text, in the form that the renderer gives it."""
    lines = [HEADER]
    for vrf, content in sorted(links.items()):
        inside = f"netns exec {vrf}"
        lines += [f"netns add {vrf}", f"{inside} ip link set lo up", f"{inside} sysctl -qw net.ipv4.ip_forward=1"]
        if content["overlay"]:
            port = content["overlay"].split()[2]
            lines += [content["overlay"], f"link set {port} netns {vrf}", f"{inside} ip link set {port} up"]
        for port in content["ports"]:
            lines += [f"link set {port} netns {vrf}", f"{inside} ip link set {port} up"]
    return "\n".join(lines) + "\n"


def of_world(namespaces: dict[str, list[dict[str, Any]]]) -> Links:
    """What `ip -details -json link` says in each namespace. Ports that are down are left out: they carry nothing."""
    return {vrf: _of_namespace(entries) for vrf, entries in namespaces.items()}


def _of_namespace(entries: list[dict[str, Any]]) -> dict[str, Any]:
    overlay, ports = "", []
    for entry in entries:
        if entry["ifname"] == "lo" or "UP" not in entry["flags"]:
            continue
        info = entry.get("linkinfo", {})
        if info.get("info_kind") == "vxlan":
            ends = {"local": "any", "remote": "any", **info["info_data"]}  # others' may have none: never what we want
            overlay = (
                f"link add {entry['ifname']} mtu {entry['mtu']} type vxlan id {ends['id']} "
                f"local {ends['local']} remote {ends['remote']} dstport {ends['port']}"
            )
        else:
            ports.append(entry["ifname"])
    return {"overlay": overlay, "ports": sorted(ports)}


def additions(have: Links, want: Links) -> list[str]:
    """The commands that make what is wanted and not there. A VXLAN of other values is made anew."""
    commands = []
    for vrf, content in sorted(want.items()):
        there = have.get(vrf, {"overlay": "", "ports": []})
        if vrf not in have:
            commands.append(f"ip netns add {vrf}")
        empty = not (there["overlay"] or there["ports"])
        if vrf not in have or (empty and content != there):  # empty: perhaps cut off while it was made
            commands.append(f"ip -n {vrf} link set lo up")
            commands.append(f"ip netns exec {vrf} sysctl -qw net.ipv4.ip_forward=1")
        if content["overlay"] and content["overlay"] != there["overlay"]:
            port = content["overlay"].split()[2]
            if there["overlay"]:
                commands.append(f"ip -n {vrf} link del {there['overlay'].split()[2]}")
            # made outside, then moved: the tunnel's own packets stay in the global table
            commands += [
                f"ip {content['overlay']}",
                f"ip link set {port} netns {vrf}",
                f"ip -n {vrf} link set {port} up",
            ]
        for port in sorted(set(content["ports"]) - set(there["ports"])):
            commands += [f"ip link set {port} netns {vrf}", f"ip -n {vrf} link set {port} up"]
    return commands


def removals(have: Links, want: Links) -> list[str]:
    """The commands that take away what is there and not wanted."""
    commands = []
    for vrf, there in sorted(have.items()):
        content = want.get(vrf, {"overlay": "", "ports": []})
        if there["overlay"] and not content["overlay"]:
            commands.append(f"ip -n {vrf} link del {there['overlay'].split()[2]}")
        for port in sorted(set(there["ports"]) - set(content["ports"])):
            commands += [f"ip -n {vrf} addr flush dev {port}", f"ip -n {vrf} link set {port} netns 1"]
            commands.append(f"ip link set {port} up")
        if vrf not in want:
            commands.append(f"ip netns del {vrf}")
    return commands


def look() -> Links:
    """The state of this router."""
    names = sorted(path.name for path in Path("/run/netns").glob("*"))
    shown = {name: output(["ip", "-n", name, "-details", "-json", "link"]) for name in names}
    return of_world({name: json.loads(text or "[]") for name, text in shown.items()})


def await_zebra(names: set[str]) -> None:
    """Wait until zebra has taken note of new namespaces: configured earlier, it refuses them for good.

    Raises OSError after NOTICE seconds.
    """
    end = time.monotonic() + NOTICE
    while True:
        shown = output(["vtysh", "-c", "show vrf"]).split("\n")
        known = {words[1] for line in shown if "id" in (words := line.split())}
        if names <= known:
            return
        if time.monotonic() > end:
            raise OSError(
                f"zebra does not take note of namespace {', '.join(sorted(names - known))}: does it run with -n?"
            )
        time.sleep(0.1)


def output(command: list[str]) -> str:
    """What a command printed. Raises CalledProcessError when it failed, with its errors."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
