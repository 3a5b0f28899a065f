"""What runs on the lab's hosts: an answerer on the probe ports, and the estate's workloads as small real services.

A host's files lie in `$ONEFOLD_LAB/hosts/NAME/srv`, which it sees as /srv. Data are made from the names alone, so that
every run starts with the same bytes and checksums can be compared.
"""

from __future__ import annotations

import hashlib
import json
import random
import shlex
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

from lab import seeds
from lab.network.layout import link_ends
from lab.network.node import place, script, write
from lab.progress import Progress, silent
from orchestrator.model.census import Workload
from orchestrator.model.estate import Estate
from orchestrator.model.network import Host

#: TCP ports on which every host and server of the lab answers
PROBE_PORTS = (25, 443, 3306, 5432, 8080, 9000)
#: program in the nodes -> its source here
PROGRAMS = {
    "onefold-answer": "node_answer.py",
    "onefold-service": "node_service.py",
    "onefold-workload": "workload_app.py",
}
_BEGIN, _END = "# onefold: names of the estate", "# onefold: end"


def service_name(workload: Workload) -> str:
    """Return the name by which `onefold-service` knows a workload; the same wherever it runs."""
    return f"{workload.system}.{workload.name}"


def names_seen(estate: Estate, host: Host) -> dict[str, IPv4Address]:
    """Return the service names as this host's resolver answers them: the view of its zone or organisation first."""
    found: dict[str, IPv4Address] = {}
    for view in ("", host.zone, host.organisation):
        found |= {row.fqdn: row.address for row in estate.service_names.values() if row.view == view}
    return dict(sorted(found.items()))


def hosts_text(estate: Estate, host: Host) -> str:
    """Return the /etc/hosts of a host: itself, and between two marks the estate's names."""
    lines = [f"{address} {fqdn}" for fqdn, address in names_seen(estate, host).items()]
    return "\n".join(["127.0.0.1 localhost", f"127.0.1.1 {host.name}", _BEGIN, *lines, _END]) + "\n"


def prepare(estate: Estate) -> None:
    """Write the files of every host's workloads: data, descriptions, generated passwords (0600)."""
    for workload in _of_hosts(estate):
        home = place().hosts / workload.place / "srv"
        (home / "services").mkdir(parents=True, exist_ok=True)
        name = service_name(workload)
        value = {
            "name": name,
            "title": workload.place,
            "kind": workload.kind,
            "port": workload.port,
            "folder": folder(workload),
        }
        if database := _database(estate, workload):
            value["database"] = database
            _credentials(home, workload, database)
        (home / "services" / f"{name}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        if workload.kind != "database":
            seeds.fill(home / folder(workload).removeprefix("/srv/"), name, mail=workload.kind == "mail")


def folder(workload: Workload) -> str:
    """Return the folder of a workload's data as its host sees it."""
    if workload.kind == "database":
        return f"/srv/databases/{workload.data[0] if workload.data else workload.name}"
    return next(iter(workload.data), f"/srv/{workload.name}")


def address(estate: Estate, name: str) -> None:
    """Give a host its address, its gateway and the names it resolves."""
    host = estate.hosts[name]
    port = _port(estate, name)
    script(name, f"ip addr add {host.address} dev {port}; ip route add default via {host.gateway}")
    write(name, "/etc/hosts", hosts_text(estate, host))


def start(estate: Estate, progress: Progress = silent) -> None:
    """Start the answerer of every host, then the workloads. Raises LabError with what a service said."""
    running = sorted(
        (row for row in _of_hosts(estate) if row.state != "stopped"), key=lambda row: row.kind != "database"
    )
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(_answer, estate.hosts))
        list(workers.map(_start, running))
    progress(f"{len(running)} workloads on {len({row.place for row in running})} hosts")


def _answer(host: str) -> None:
    ports = " ".join(map(str, PROBE_PORTS))
    script(
        host,
        f"setsid onefold-answer {shlex.quote(host)} {ports} </dev/null >/var/log/answer.log 2>&1 &\n"
        "for try in $(seq 500); do [ -s /run/onefold/answer.pid ] && exit 0; sleep 0.02; done\n"
        "cat /var/log/answer.log; exit 1",
    )


def _start(workload: Workload) -> None:
    name = shlex.quote(service_name(workload))
    if workload.kind != "database":
        script(workload.place, f"onefold-service start {name}")
        return
    home = place().hosts / workload.place / "srv"
    seed = seeds.Database(place().folder / "seeds", service_name(workload))
    data = home / folder(workload).removeprefix("/srv/")
    if not seed.copy_to(data):
        # the seed lies where the host sees it; it goes in over the database's own socket
        (home / "seed.sql").write_text(seed.sql)
        script(workload.place, f"onefold-service start {name}; onefold-service load {name} < /srv/seed.sql")
        script(workload.place, f"rm /srv/seed.sql; onefold-service stop {name}")
        seed.keep(data)
    script(workload.place, f"onefold-service start {name}")


def _of_hosts(estate: Estate) -> list[Workload]:
    return [row for row in estate.workloads.values() if row.place in estate.hosts]


def _database(estate: Estate, workload: Workload) -> dict[str, object] | None:
    """Return what a database, or a web workload of the same system, must know of the database."""
    same = [row for row in _of_hosts(estate) if row.kind == "database" and row.system == workload.system]
    if not same or workload.kind not in ("web", "database"):
        return None
    base = same[0]
    name = base.data[0] if base.data else base.name
    if workload.kind == "database":
        return {"name": name, "user": name, "password_file": f"/srv/services/{service_name(base)}.password"}
    here, there = estate.hosts[workload.place], estate.hosts[base.place].address.ip
    called = next((fqdn for fqdn, found in names_seen(estate, here).items() if found == there), str(there))
    return {
        "name": name,
        "host": called,
        "port": base.port,
        "client_file": f"/srv/services/{service_name(workload)}.client",
    }


def _credentials(home: Path, workload: Workload, database: dict[str, object]) -> None:
    password = _password(workload.system)
    if workload.kind == "database":
        _private(home / str(database["password_file"]).removeprefix("/srv/"), password + "\n")
    else:
        text = f"[client]\nuser={database['name']}\npassword={password}\n"
        _private(home / str(database["client_file"]).removeprefix("/srv/"), text)


def _password(system: str) -> str:
    """Return a system's database password: made from this lab's own secret, so that a reset does not change it."""
    secret = place().keys / "secret"
    if not secret.exists():
        secret.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        _private(secret, random.SystemRandom().randbytes(32).hex())
    return hashlib.sha256(f"{secret.read_text()}/{system}".encode()).hexdigest()[:32]


def _private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def _port(estate: Estate, host: str) -> str:
    ends = (end for link in estate.links.values() if link.state != "released" for end in link_ends(link))
    return next((port for node, port in ends if node == host), "lo")
