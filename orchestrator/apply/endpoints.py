"""End points: the address, gateway and service names of hosts, by the playbook `hosts`, and reading them back."""

import re
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.apply.playbook import play
from orchestrator.apply.remote import Remote
from orchestrator.errors import SurpriseError
from orchestrator.model.census import ServiceName
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host
from orchestrator.model.plan import Step

BEGIN, END = "# onefold: names of the estate", "# onefold: end"
_READ = "ip -4 -o address show scope global; echo ==; ip -4 route show default; echo ==; cat /etc/hosts"


def names_seen(names: dict[str, ServiceName], zone: str, organisation: str) -> dict[str, str]:
    """Name -> address as somebody in this zone and organisation is answered: their own view before everybody's."""
    found: dict[str, str] = {}
    for view in ("", zone, organisation):
        found |= {row.fqdn: str(row.address) for row in names.values() if row.view == view}
    return dict(sorted(found.items()))


def names_block(estate: Estate, host: Host) -> str:
    """The lines of a host's /etc/hosts between the two marks."""
    seen = names_seen(estate.service_names, host.zone, host.organisation)
    return "\n".join(f"{address} {fqdn}" for fqdn, address in seen.items())


def hosts_changed(before: Estate, after: Estate) -> tuple[str, ...]:
    """Hosts whose address, gateway or names differ between two estates."""
    both = sorted(before.hosts.keys() & after.hosts.keys())
    return tuple(name for name in both if _wanted(before, name) != _wanted(after, name))


def _wanted(estate: Estate, name: str) -> tuple[str, str, str]:
    host = estate.hosts[name]
    return str(host.address), str(host.gateway), names_block(estate, host)


def port_of(estate: Estate, host: str) -> str:
    """The port by which a host hangs on its segment. Raises SurpriseError when it has no cable."""
    for link in estate.links.values():
        for node, port in ((link.a_node, link.a_port), (link.b_node, link.b_port)):
            if node == host:
                return port
    raise SurpriseError(f"{host} has no link: correct the cabling table")


def push_hosts(
    step: Step,
    names: tuple[str, ...],
    before: Estate,
    after: Estate,
    remote: Remote,
    access: Access,
    *,
    back: bool = False,
) -> int:
    """Give these hosts what the estate after says; returns how many. Raises SurpriseError, UnreachableError.

    Addresses change one host after the other as the step lists them, which is what was proved; those who learn names
    only do so side by side, behind them. `back`: all of it in reverse.
    """
    reachable = tuple(name for name in names if after.hosts[name].management)
    values = {name: _values(before, after, name) for name in reachable}
    listed = [edit.key for edit in step.edits if edit.table == "hosts"]
    moved = sorted((name for name in reachable if "address" in values[name]), key=listed.index)
    groups = [*((name,) for name in moved), tuple(name for name in reachable if name not in moved)]
    for group in reversed(groups) if back else groups:
        if group:
            play("hosts", after, access, group, values={"wanted": {name: values[name] for name in group}})
    for name in reachable:
        found, wanted = read_host(after, name, remote), _wanted(after, name)
        if found != wanted:
            raise SurpriseError(f"{name} has {found}, wanted was {wanted}: look at it, then 'onefold resume'")
    return len(reachable)


def _values(before: Estate, after: Estate, name: str) -> dict[str, Any]:
    address, gateway, names = _wanted(after, name)
    values: dict[str, Any] = {"names": names}
    if _wanted(before, name)[:2] != (address, gateway):
        values |= {"address": address, "gateway": gateway, "port": port_of(after, name)}
    return values


def read_host(estate: Estate, name: str, remote: Remote) -> tuple[str, str, str]:
    """(address, gateway, names) as a host has them; several addresses are joined. Raises UnreachableError."""
    host = estate.hosts[name]
    if host.management is None:
        return _wanted(estate, name)
    addresses, routes, text = remote.ask(name, host.management, _READ).split("==\n", 2)
    found = [match[1] for match in re.finditer(r"inet (\S+)", addresses)]
    gateway = next(iter(re.findall(r"default via (\S+)", routes)), "")
    _, _, rest = text.partition(BEGIN + "\n")
    return " ".join(found), gateway, rest.partition(END)[0].strip("\n")
