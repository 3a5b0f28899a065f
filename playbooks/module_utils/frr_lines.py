"""Addresses and static routes of an FRR router, line by line in the order in which a plan has proved them.

A route that takes another one's place must be usable before that one is taken out: FRR looks its next hop up by itself,
a moment after the line was typed. Standard library only: the module frr_router runs it on the router.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.placing import draft

USABLE = 15.0  # seconds in which a route that takes another one's place must be usable
GONE = "Refusing to remove a non-existent route"  # an earlier try has taken it out

Line = dict[str, Any]
"""{"adds", "vrf", "port", "line", "prefix", "hop"}, as the vendor's `Ordered` has them."""


def carry_out(lines: list[Line], folder: Path, insist: bool) -> list[str]:
    """Type these lines in their order; returns what was typed. What stands already stays.

    Raises ValueError for a line that FRR refuses, and, where `insist`, for a route that does not become usable: what it
    should take the place of is still there then.
    """
    for one in lines:
        _type(one, folder)
        if one["prefix"] and not _becomes_usable(one) and insist:
            raise ValueError(
                f"route {one['prefix']} by {one['hop'] or 'blackhole'} is not usable after {USABLE:.0f} s, "
                "so the one whose place it takes was left in: is its next hop connected?"
            )
    return [one["line"] for one in lines]


def _type(one: Line, folder: Path) -> None:
    """One line by itself: FRR 8.4 takes several as one, and of two that are about one prefix it may lose a route."""
    with draft(folder / "lines.conf", "".join(_in_context(one))) as file:
        done = subprocess.run(["vtysh", "-f", str(file)], capture_output=True, text=True, timeout=120, check=False)
    refused = [line for line in (done.stdout + done.stderr).split("\n") if _complains(line) and GONE not in line]
    if refused or (done.returncode and GONE not in done.stdout + done.stderr):
        raise ValueError(f"FRR refused a line: {(refused or [f'exit code {done.returncode}'])[0].strip()}")


def _complains(line: str) -> bool:
    return line.startswith(("%", "line ")) or "Unknown command" in line


def _in_context(one: Line) -> list[str]:
    vrf = f" vrf {one['vrf']}" if one["vrf"] else ""
    if one["port"]:
        return [f"interface {one['port']}{vrf}\n", f" {one['line']}\n", "exit\n"]
    return [f"{vrf.strip()}\n", f" {one['line']}\n", "exit-vrf\n"] if vrf else [f"{one['line']}\n"]


def _becomes_usable(one: Line) -> bool:
    end = time.monotonic() + USABLE
    while not _usable(one):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _usable(one: Line) -> bool:
    vrf = f"vrf {one['vrf']} " if one["vrf"] else ""
    shown = subprocess.run(
        ["vtysh", "-c", f"show ip route {vrf}{one['prefix']} json"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout  # fmt: skip
    entries = json.loads(shown or "{}").get(one["prefix"], [])
    return any(
        step.get("active") and (step.get("ip") == one["hop"] if one["hop"] else step.get("blackhole"))
        for entry in entries
        if entry.get("protocol") == "static"
        for step in entry.get("nexthops", [])
    )
