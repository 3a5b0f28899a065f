"""Registered flows as concrete ends in one estate: who asks, who answers, from which zone, under which address."""

from datetime import date
from ipaddress import IPv4Address

from orchestrator.model.base import Noun
from orchestrator.model.census import ServiceName, Workload
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Flow


class Endpoint(Noun):
    """One end of a flow. `address` None is any address of the zone; `tenant` is set for a server."""

    name: str
    zone: str
    address: IPv4Address | None
    site: str = ""
    tenant: str = ""


def in_force(flow: Flow, day: date) -> bool:
    """Whether a target must serve this flow: registered for good and not expired on `day`."""
    return flow.validity != "now_only" and (flow.expires is None or flow.expires >= day)


def place(estate: Estate, name: str) -> Endpoint | None:
    """A workload's place, a host's name or `tenant/server`, as an endpoint; None when there is no such thing."""
    if host := estate.hosts.get(name):
        return Endpoint(name=name, zone=host.zone, address=host.address.ip, site=host.site)
    if server := estate.servers.get(name):
        return Endpoint(
            name=name, zone=estate.tenants[server.tenant].zone, address=server.address, tenant=server.tenant
        )
    return None


def sources(estate: Estate, flow: Flow) -> tuple[Endpoint, ...]:
    """Who may ask, by name. Empty when the flow names nobody of this estate."""
    kind, _, name = flow.source.partition(":")
    if kind == "organisation":
        names = [h.name for _, h in sorted(estate.hosts.items()) if h.organisation == name and h.role == "terminal"]
        return tuple(end for each in names if (end := place(estate, each)))
    if kind == "zone":
        return (Endpoint(name=flow.source, zone=name, address=None),)
    return _ends(estate, kind, name)


def destinations(estate: Estate, flow: Flow) -> tuple[Endpoint, ...]:
    """Who answers, by name; a published service by the server behind its address."""
    kind, _, name = flow.destination.partition(":")
    return _ends(estate, kind, name)


def _ends(estate: Estate, kind: str, name: str) -> tuple[Endpoint, ...]:
    if kind == "service":
        return tuple(end for workload in serving(estate, name) if (end := place(estate, workload.place)))
    if kind in ("workload", "system"):
        code, _, component = name.partition("/")
        found = running(estate, code, component if kind == "workload" else "")
        return tuple(end for workload in found if (end := place(estate, workload.place)))
    return tuple(end for end in (place(estate, name),) if end)


def running(estate: Estate, system: str, component: str = "") -> tuple[Workload, ...]:
    """The running workloads of a system, or the one component of it that is asked for."""
    return tuple(
        workload
        for _, workload in sorted(estate.workloads.items())
        if workload.system == system and workload.state == "running" and component in ("", workload.name)
    )


def serving(estate: Estate, fqdn: str) -> tuple[Workload, ...]:
    """The running workloads behind the addresses of a name."""
    names = [name for name in estate.service_names.values() if name.fqdn == fqdn]
    found = {
        w.key: w for w in estate.workloads.values() if w.state == "running" for n in names if leads_to(estate, n, w)
    }
    return tuple(found[key] for key in sorted(found))


def leads_to(estate: Estate, name: ServiceName, workload: Workload) -> bool:
    """Whether a name's address is the workload's own, or published for it by a destination translation.

    Where several systems answer there, a name that the census gives to one of them leads to that one alone, or to the
    system that took its place.
    """
    if not _answers(estate, name, workload):
        return False
    own = owners(estate, name.fqdn)
    if workload.system in own:
        return True
    others = (w for w in estate.workloads.values() if w.system in own and w.state != "stopped")
    return not any(_answers(estate, name, other) for other in others)


def _answers(estate: Estate, name: ServiceName, workload: Workload) -> bool:
    end = place(estate, workload.place)
    return bool(end and end.address in (name.address, published(estate, name.address, workload.port)))


def owners(estate: Estate, fqdn: str) -> set[str]:
    """The systems whose name the census says it is, and those that follow them."""
    todo = [system.code for system in estate.systems.values() if system.fqdn == fqdn]
    found: set[str] = set()
    while todo:
        code = todo.pop()
        system = estate.systems.get(code)
        if code not in found and system and system.successor:
            todo.append(system.successor)
        found.add(code)
    return found


def published(estate: Estate, address: IPv4Address, port: int) -> IPv4Address | None:
    """The inside address behind a published one and the service's own port, or None."""
    for nat in estate.nats.values():
        outside = nat.kind == "destination" and nat.outside.network_address == address
        if outside and nat.inside_port in (None, port):
            return nat.inside.network_address
    return None
