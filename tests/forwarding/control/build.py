"""Short words for designs in tests, and tables as short lines."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from orchestrator.forwarding.control.compute import Result, compute
from orchestrator.forwarding.control.design import Design, Interface, Router
from orchestrator.forwarding.control.tables import Entry


def port(name: str, *addresses: str, segment: str | None = None, **told: Any) -> Interface:
    """An interface; names beginning with "lo" are loopbacks."""
    values = {"name": name, "addresses": addresses, "segment": segment, "loopback": name.startswith("lo"), **told}
    return Interface.model_validate(values)


def router(name: str, *interfaces: Interface, **told: Any) -> Router:
    """A router with its interfaces and whatever else it is told."""
    return Router.model_validate({"name": name, "interfaces": interfaces, **told})


def computed(*routers: Router, **options: Any) -> Result:
    """The tables of the routers."""
    return compute(Design(routers=routers), **options)


def lines(result: Result, name: str, vrf: str = "default", without: Sequence[str] = ("connected",)) -> list[str]:
    """A table as "prefix source/detail [distance/metric] hops", sorted; connected routes are left out."""
    table = result.tables[name, vrf]
    return sorted(line(entry) for entry in table.values() if entry.source not in without)


def one(result: Result, name: str, prefix: str, vrf: str = "default") -> str:
    """One route as a line, "nothing" without it."""
    entry = result.tables[name, vrf].get(ip_network(prefix))
    return "nothing" if entry is None else line(entry)


def line(entry: Entry) -> str:
    """One route in short."""
    hops = []
    for hop in entry.hops:
        if hop.discard:
            hops.append("discard")
        elif hop.table is not None:
            hops.append(f"table {'/'.join(hop.table)}")
        else:
            hops.append(" ".join(str(part) for part in (hop.interface, hop.gateway or hop.neighbour) if part))
    name = f"{entry.source}/{entry.detail}".rstrip("/")
    return f"{entry.prefix} {name} [{entry.distance}/{entry.metric}] {', '.join(sorted(hops))}"
