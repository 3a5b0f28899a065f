"""Up, down, status and reset of the network lab."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lab import folders, ovn, packages
from lab.network import convergence, management, node, record, routers, switches, vendor, wiring
from lab.network.layout import HUB, MACHINE_PORT, Layout, NodePlan, layout
from lab.network.record import Texts
from lab.progress import Progress, silent
from orchestrator.errors import LabError
from orchestrator.model.estate import Estate

Item = TypeVar("Item")
_WORKERS = 6


def up(estate: Estate, texts: Texts | None = None, cloud: bool = False, progress: Progress = silent) -> None:
    """Raise the estate as running nodes and wait until its routes stand.

    `texts` are the devices' configuration files (device -> file -> text), by default rendered from the estate. With
    `cloud` the cloud node is joined to the lab's OpenStack, which must be up. Raises LabError when a lab is up already
    or a part does not start; then nothing of this lab is left running.
    """
    _root()
    with _working():
        require_down()
        rendered = _rendered(estate) if texts is None else {device: dict(files) for device, files in texts.items()}
        record.save(estate, rendered, cloud)
        _raise(estate, rendered, cloud, progress)


def require_down() -> None:
    """Raise LabError when this lab is up, wholly or in part."""
    if running := node.running():
        remedy = "run 'onefold lab down' first, or 'onefold lab reset'"
        raise LabError(f"a lab is up already ({len(running)} nodes): {remedy}")


def down() -> int:
    """End the lab, whatever state it is in, and return how many nodes were ended. Keys are kept, nothing else."""
    _root()
    with _working():
        return _end()


def reset(progress: Progress = silent, between: Callable[[], None] | None = None) -> None:
    """Bring devices and hosts back to the texts, addresses and data of the last `up`. Raises LabError without one.

    `between` is called while the network is down: the moment at which the cloud can be reset too.
    """
    _root()
    with _working():
        estate, texts, cloud = record.saved()
        _end()
        if between is not None:
            between()
        _raise(estate, texts, cloud, progress)


def status() -> dict[str, object]:
    """Return what runs: `up` (all that should run does), nodes with their missing parts, where access lies."""
    running = node.running()
    wanted = record.running()
    nodes = {name: _condition(running.get(name), parts) for name, parts in sorted(wanted.items())}
    nodes |= {
        name: {"pid": number, "missing": [], "unknown": True} for name, number in running.items() if name not in wanted
    }
    healthy = bool(wanted) and all(entry["pid"] and not entry["missing"] for entry in nodes.values())
    return {"up": healthy, "nodes": nodes, "access": str(node.place().access) if healthy else None}


def _raise(estate: Estate, texts: Texts, cloud: bool, progress: Progress) -> None:
    begun = time.monotonic()

    def told(what: str) -> None:
        progress(f"network: {what} ({time.monotonic() - begun:.1f} s)")

    _forget()  # a machine that was switched off under a running lab has its folders still
    try:
        _build(estate, texts, cloud, told)
    except BaseException:
        _end()
        raise
    told("ready")


def _build(estate: Estate, texts: Texts, cloud: bool, told: Progress) -> None:
    from lab import services  # it stands above this module: it starts what runs on the hosts

    packages.ensure(told)
    switching = ovn.ensure(told)
    plan = layout(estate)
    _programs()
    services.prepare(estate)
    _nodes(plan)
    told(f"{len(plan.nodes)} nodes")
    wiring.connect(list(plan.cables.values()), set(plan.provider_ports))
    wiring.management(plan)
    _each(plan.switch_ports.items(), lambda entry: switches.start(*entry, switching))
    told(f"{len(plan.cables)} cables, {len(plan.switch_ports)} switches")
    _each(texts.items(), lambda entry: routers.start(*entry))
    _each(estate.hosts, lambda name: services.address(estate, name))
    told(f"{sum(routers.FRR in files for files in texts.values())} routers and {len(estate.hosts)} hosts started")
    _manage(plan, texts)
    services.start(estate, told)
    told("management and services")
    if cloud:
        _attach(plan, told)
    told(f"routes stand after {convergence.wait(estate):.1f} s of waiting")


def _nodes(plan: Layout) -> None:
    with _machine_lock().open("a+") as lock:
        _take(lock.fileno())
        if _has_port():
            raise LabError(f"an interface {MACHINE_PORT} is there already: end the lab it belongs to, or delete it")
        lock.truncate(0)
        lock.write(str(folders.state()))
        lock.flush()
        os.set_inheritable(lock.fileno(), True)
        node.start(HUB, forwarding=False, lock=lock.fileno())
    _each(plan.nodes.values(), _node)


def _node(entry: NodePlan) -> None:
    files = node.place().hosts / entry.name / "srv" if entry.kind == "host" else None
    node.start(entry.name, forwarding=entry.kind == "router", files=files)
    management.account(entry.name)


def _manage(plan: Layout, texts: Texts) -> None:
    managed = {entry.name: entry.management for entry in plan.nodes.values() if entry.management}
    more: dict[str, str] = {}
    for name, address in managed.items():
        management.host_key(name)
        if plan.nodes[name].kind == "vendor":
            more |= vendor.start(name, address, texts.get(name, {}))
    _each(
        [name for name in managed if plan.nodes[name].kind != "vendor"],
        lambda name: management.start(name, managed[name]),
    )
    clouds = folders.state() / "cloud" / "clouds.yaml"
    management.write_access(management.known_hosts(managed), clouds if clouds.exists() else None, more)
    record.write_running(plan, texts)


def _attach(plan: Layout, told: Progress) -> None:
    from lab import services
    from lab.openstack.node import attach_node

    for name, ports in plan.provider_ports.items():
        attach_node(node.node_pid(name), ports, told, services.PROBE_PORTS)


def _programs() -> None:
    """Copy the programs that nodes see as /usr/local/sbin; they must not change under a running lab."""
    from lab import services

    folder = node.place().programs
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).parent.parent / "programs", folder)
    for name, source in services.PROGRAMS.items():
        (folder / name).write_text("#!/usr/bin/python3 -I\n" + (Path(__file__).parent.parent / source).read_text())
        (folder / name).chmod(0o755)


def _rendered(estate: Estate) -> dict[str, dict[str, str]]:
    from orchestrator.vendors.registry import render_device

    managed = [name for name, device in estate.devices.items() if set(device.platforms) - {"unmanaged"}]
    return {name: dict(render_device(estate, name)) for name in sorted(managed)}


def _end() -> int:
    running = node.running()
    node.kill(list(running.values()))
    if HUB in running and _has_port():
        # its other end went with the management node; the kernel would take it away only a moment later
        subprocess.run(["ip", "link", "del", MACHINE_PORT], capture_output=True, check=False)
    _forget()
    return len(running)


def _forget() -> None:
    """Take away what a lab without running nodes has left in its folder."""
    where = node.place()
    for folder in (where.nodes, where.hosts):
        if folder.exists():
            shutil.rmtree(folder)
    for file in (where.access, where.folder / "record.json"):
        file.unlink(missing_ok=True)


def _has_port() -> bool:
    return any(name == MACHINE_PORT for _, name in socket.if_nameindex())


def _condition(number: int | None, wanted: list[str]) -> dict[str, object]:
    if number is None:
        return {"pid": None, "missing": ["node", *wanted]}
    lines = list(node.members(number).values())
    return {"pid": number, "missing": [name for name in wanted if not any(name in line for line in lines)]}


def _each(items: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Do the work for every item, a few at a time; the first failure is raised."""
    with ThreadPoolExecutor(_WORKERS) as workers:
        list(workers.map(work, items))


def _root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes namespaces and interfaces: run as root, or with sudo")


@contextmanager
def _working() -> Iterator[None]:
    """Hold the lab's lock file, so that two commands never change one lab at the same time."""
    with (folders.state() / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"another command is changing the lab in {folders.state()}: wait until it has ended"
            ) from error
        yield


def _machine_lock() -> Path:
    """Return the lock of the one network lab that a machine can hold; `unshare --net` makes room for another."""
    return Path(f"/run/lock/onefold-lab-network-{Path('/proc/self/ns/net').stat().st_ino}.lock")


def _take(descriptor: int) -> None:
    """Take the machine's one place for a network lab; the management node then holds it as long as it lives."""
    for _ in range(20):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
    holder = _machine_lock().read_text().strip() or "another folder"
    raise LabError(f"the network lab in {holder} is up: run 'onefold lab down' with ONEFOLD_LAB={holder}")
