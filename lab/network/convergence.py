"""When the network is ready: every route that the estate promises stands in the kernel's own tables."""

from __future__ import annotations

import json
import time
from ipaddress import IPv4Network

from lab.network.layout import link_ends
from lab.network.node import execute
from orchestrator.errors import LabError
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Vrf

_SECONDS = 60.0
_PAUSE = 0.2

Table = tuple[str, str]  # device, VRF


def expected(estate: Estate) -> dict[Table, set[IPv4Network]]:
    """Return the prefixes that each routing table must hold: connected, usable static, and the other PEs' by BGP."""
    ports = {end for link in estate.links.values() if link.state != "released" for end in link_ends(link)}
    own: dict[Table, set[IPv4Network]] = {(vrf.device, vrf.name): set() for vrf in estate.vrfs.values()}
    for row in estate.interfaces.values():
        if (row.device, row.name) in ports and "frr" in estate.devices[row.device].platforms:
            own.setdefault((row.device, row.vrf), set()).add(row.address.network)
    connected = {table: frozenset(prefixes) for table, prefixes in own.items()}
    for route in estate.routes.values():
        table = (route.device, route.vrf)
        if route.next_hop is None or any(route.next_hop in prefix for prefix in connected.get(table, ())):
            own.setdefault(table, set()).add(route.prefix)
    return {table: prefixes | _learnt(estate, own, table) for table, prefixes in own.items()}


def missing(estate: Estate) -> dict[Table, set[IPv4Network]]:
    """Return the promised prefixes that do not stand in the running kernel tables."""
    lacking = {table: prefixes - installed(*table) for table, prefixes in expected(estate).items()}
    return {table: prefixes for table, prefixes in lacking.items() if prefixes}


def installed(device: str, vrf: str) -> set[IPv4Network]:
    """Return the prefixes of one running routing table."""
    done = execute(device, ["ip", "-j", "-4", "route", "show"], None if vrf == GLOBAL else vrf)
    if done.returncode:
        return set()
    rows = json.loads(done.stdout or "[]")
    return {IPv4Network("0.0.0.0/0" if row["dst"] == "default" else row["dst"]) for row in rows}


def wait(estate: Estate, seconds: float = _SECONDS) -> float:
    """Wait until nothing is missing and return the seconds it took; raise LabError naming what did not come."""
    begun = time.monotonic()
    lacking = missing(estate)
    while lacking:
        if time.monotonic() - begun > seconds:
            (device, vrf), prefixes = next(iter(lacking.items()))
            named = ", ".join(sorted(map(str, prefixes))[:3])
            raise LabError(
                f"{device}, table {vrf}: no route to {named} after {seconds:.0f} s ({len(lacking) - 1} other tables "
                f"lack some too): look at 'show ip route vrf {vrf}' in vtysh on {device}"
            )
        time.sleep(_PAUSE)
        # only what was missing is asked again: a route that came stays
        lacking = {table: left for table, want in lacking.items() if (left := want - installed(*table))}
    return time.monotonic() - begun


def _learnt(estate: Estate, own: dict[Table, set[IPv4Network]], table: Table) -> set[IPv4Network]:
    here = estate.vrfs.get("/".join(table))
    found: set[IPv4Network] = set()
    for there in estate.vrfs.values():
        if here and there.device != here.device and _neighbours(here, there):
            found |= own[there.device, there.name]
    return found


def _neighbours(here: Vrf, there: Vrf) -> bool:
    if not here.overlay or not there.overlay or not set(here.import_targets) & set(there.export_targets):
        return False
    return here.overlay.peer == there.overlay.address.ip and here.overlay.vni == there.overlay.vni
