"""Each real part that applying stands on: present, version, reachable, or what to do (for `onefold doctor`)."""

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from orchestrator.apply import cloud_world, engine
from orchestrator.apply.access import Access
from orchestrator.apply.device import managed
from orchestrator.apply.remote import Remote
from orchestrator.apply.vrp_device import log_in
from orchestrator.errors import OnefoldError
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding
from orchestrator.model.network import Device, Host

PACKAGES = ("pulumi", "pulumi-openstack", "openstacksdk", "ansible-core", "ansible-runner", "netmiko", "paramiko")
PROGRAMS = {"ssh": "install openssh-client", "ansible-playbook": "run 'make setup'", "ping": "install iputils-ping"}


def parts() -> Iterator[Finding]:
    """Libraries, programs and the Pulumi engine of this machine."""
    for name in PACKAGES:
        yield _found(f"python: {name}", importlib.metadata.version(name))
    for name, fix in PROGRAMS.items():
        path = shutil.which(name) or shutil.which(name, path=_beside_python())
        yield _found(f"program: {name}", path) if path else _missing(f"program: {name}", "not found", fix)
    found = engine.find()
    if found:
        yield _found("engine: pulumi", f"{found.version} at {found.pulumi}")
        yield _found("engine: OpenStack provider", found.provider_version)
    else:
        wanted = (
            f"no pulumi {engine.VERSION} with provider {engine.PROVIDER_VERSION} on PATH, in PULUMI_HOME or the cache"
        )
        yield _missing("engine: pulumi", wanted, "run 'onefold doctor --get' to download or build it")


def world(estate: Estate, access: Access) -> Iterator[Finding]:
    """Every managed device and host over SSH with its host key checked, and every API of the cloud."""
    targets: list[Device | Host] = [row for name, row in estate.devices.items() if managed(estate, name)]
    targets += [host for host in estate.hosts.values() if host.management]
    with Remote(access) as remote, ThreadPoolExecutor(8) as pool:
        yield from pool.map(lambda target: _login(target, remote, access), targets)
    yield from _cloud(access)


def _login(target: Device | Host, remote: Remote, access: Access) -> Finding:
    if target.management is None:
        return Finding(
            subject=f"ssh: {target.name}", result="unknown", what="no management address", fix="add one to topology"
        )
    try:
        if isinstance(target, Device) and "huawei_vrp" in target.platforms:
            log_in(str(target.management), access)
            return _found(f"ssh: {target.name}", f"{target.management} {access.vrp_kind}")
        version = remote.ask(target.name, target.management, "uname -sr", seconds=10).strip()
    except OnefoldError as error:
        return _missing(f"ssh: {target.name}", str(error), "")
    return _found(f"ssh: {target.name}", f"{target.management} {version}")


def _cloud(access: Access) -> Iterator[Finding]:
    if access.clouds_file is None or not access.clouds_file.exists():
        yield Finding(subject="cloud", result="unknown", what="no clouds.yaml named in the access file", fix="name one")
        return
    try:
        connection = cloud_world.connect(access)
    except OnefoldError as error:
        yield _missing("cloud: login", str(error), "is the cloud up, is the password current?")
        return
    asked: dict[str, Callable[[], object]] = {
        "identity": lambda: next(connection.identity.projects(), None),
        "network": lambda: next(connection.network.networks(), None),
        "compute": lambda: next(connection.compute.flavors(), None),
        "image": lambda: next(connection.image.images(), None),
    }
    for name, question in asked.items():
        try:
            question()
            yield _found(f"cloud: {name}", "answers")
        except Exception as error:  # noqa: BLE001  # as above
            yield _missing(f"cloud: {name}", " ".join(str(error).split())[:200], "look at the service's log")


def _beside_python() -> str:
    import sys
    from pathlib import Path

    return str(Path(sys.executable).parent)


def _found(subject: str, what: str) -> Finding:
    return Finding(subject=subject, result="pass", what=what)


def _missing(subject: str, what: str, fix: str) -> Finding:
    return Finding(subject=subject, result="fail", what=what, fix=fix)


__all__ = ["parts", "world"]
