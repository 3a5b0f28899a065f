"""The lab's cloud from outside: install, bring up, put back to the first state, take down, ask how it is."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from lab.openstack import processes
from lab.openstack.configuration import render
from lab.openstack.installation import install as _install
from lab.openstack.settings import RELEASE, Bed, bed, lock_digest, port_base, url, write_private
from lab.progress import Progress, silent
from orchestrator.errors import LabError


def install(progress: Progress = silent) -> None:
    """Bring packages and programs onto the machine; returns at once when all is there."""
    _install(bed(), progress)


def up(progress: Progress = silent) -> None:
    """Bring the cloud up: from its last state, or from nothing (then its first state is saved for :func:`reset`)."""
    cloud = bed()
    with processes.alone(cloud):
        _up(cloud, progress)


def _up(cloud: Bed, progress: Progress) -> None:
    if processes.keeper(cloud) is not None and (cloud.run / ".ready").exists():
        progress("openstack: already up")
        return
    processes.stop(cloud, gently=False)  # a start that was cut short
    install(progress)
    if _filled(cloud.run):
        _start(cloud, progress)
        return
    # the engine's states tell of objects of the cloud that was; in a cloud at its first state there are none
    shutil.rmtree(cloud.folder.parent / "pulumi", ignore_errors=True)
    if _filled(cloud.first):
        _restore(cloud)
        _start(cloud, progress)
    else:
        _first(cloud, progress)


def reset(progress: Progress = silent) -> None:
    """Throw the present state away and bring the cloud up in its first state, made now if there is none."""
    cloud = bed()
    with processes.alone(cloud):
        processes.stop(cloud, gently=False)
        shutil.rmtree(cloud.run, ignore_errors=True)
        progress("openstack: back to the first state")
        _up(cloud, progress)


def down() -> None:
    """End every process of the cloud, those in its node too; its state stays for the next :func:`up`."""
    from lab.openstack.node import detach_node

    cloud = bed()
    detach_node()
    (cloud.run / ".ready").unlink(missing_ok=True)
    processes.stop(cloud)


def status() -> dict[str, object]:
    """Return what runs: ``state`` (absent, down, starting, up), version, interfaces, processes, memory in MB."""
    cloud = bed()
    running = processes.members(cloud)
    if not running:
        return {"state": "down" if cloud.run.exists() or cloud.first.exists() else "absent", "release": RELEASE}
    ready = (cloud.run / ".ready").exists()
    return {
        "state": "up" if ready else "starting",
        "release": RELEASE,
        "identity": f"{url('keystone')}/v3",
        "clouds_file": str(cloud.clouds),
        "services": sorted(set(running.values())),
        "processes": len(running),
        "memory_mb": sum(_memory(pid) for pid in running) // 1024,
    }


def clouds_file() -> Path:
    """Return the clouds.yaml with the entries onefold-admin, public-service-cloud and administrative-service-cloud."""
    file = bed().clouds
    if not file.exists():
        raise LabError("the lab's cloud was never started: run 'python -m lab.openstack up'")
    return file


def _memory(pid: int) -> int:
    """Return the proportional share of memory of one process, in KB (shared pages are counted once over all)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _made_by() -> str:
    """Return what a state depends on: the versions that made its schemas, and the ports in its tables of addresses."""
    return f"{lock_digest()} {port_base()}"


def _filled(state: Path) -> bool:
    """Return whether a state is whole and can be used by these versions on these ports; another one is made anew."""
    mark = state / ".filled"
    return mark.exists() and mark.read_text() == _made_by()


def _restore(cloud: Bed) -> None:
    shutil.rmtree(cloud.run, ignore_errors=True)
    shutil.copytree(cloud.first, cloud.run, symlinks=True)


def _start(cloud: Bed, progress: Progress) -> None:
    """Start everything on databases that are filled already."""
    from lab.openstack import node, ready, services  # late: openstacksdk takes a second to import

    begun = time.monotonic()
    render(cloud)
    processes.start_keeper(cloud)
    progress("openstack: databases and broker")
    services.start_foundations(cloud)
    progress("openstack: identity")
    services.start_identity(cloud)
    progress("openstack: services")
    services.start_services(cloud)
    ready.wait_ready(cloud)
    if node.node() is not None:  # a reset keeps the node: its controller reports to the new databases
        node.wait_chassis(cloud)
    write_private(cloud.run / ".ready", "")
    progress(f"openstack: ready after {time.monotonic() - begun:.0f} s")


def _first(cloud: Bed, progress: Progress) -> None:
    """Make the first state from empty databases, save it, and start again from it."""
    from lab.openstack import catalogue, ready, services

    begun = time.monotonic()
    shutil.rmtree(cloud.run, ignore_errors=True)
    shutil.rmtree(cloud.first, ignore_errors=True)
    cloud.run.mkdir(mode=0o700, parents=True)
    render(cloud)
    processes.start_keeper(cloud)
    progress("openstack: first start: databases and broker")
    services.start_foundations(cloud)
    progress("openstack: first start: schemas, keys, cells")
    services.create_databases(cloud)
    services.start_identity(cloud)
    progress("openstack: first start: users, domains, endpoints")
    catalogue.fill_identity(cloud)
    services.start_services(cloud)
    ready.wait_ready(cloud)
    services.map_hosts(cloud)
    catalogue.fill_compute(cloud)
    processes.stop(cloud)
    _save(cloud)
    progress(f"openstack: first state made and saved after {time.monotonic() - begun:.0f} s")
    _start(cloud, progress)


def _save(cloud: Bed) -> None:
    """Keep a copy of the stopped cloud; the mark comes last, and the rename is whole or not at all."""
    new = cloud.folder / ".first.new"
    shutil.rmtree(new, ignore_errors=True)
    for log in cloud.logs.iterdir():
        log.unlink()
    write_private(cloud.run / ".filled", _made_by())
    shutil.copytree(cloud.run, new, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "*.ctl", "*.pid"))
    new.rename(cloud.first)
