"""Open vSwitch 3.5 and OVN 25.03 from Debian 13, kept in the cache and run beside Debian 12.

Debian 12's Open vSwitch 3.1 dies in userspace connection tracking within minutes (mended in 3.3). The newer packages
are fetched from the machine's own Debian mirror with package lists of their own, unpacked (nothing is installed), and
started through their own loader and C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import folders
from lab.progress import Progress, silent
from orchestrator.errors import LabError

RELEASE = "trixie"
PACKAGES = (
    "openvswitch-switch", "openvswitch-common", "ovn-common", "ovn-host", "ovn-central", "libc6", "libssl3t64",
    "libunbound8", "libcap-ng0", "libnuma1", "libbpf1", "libxdp1", "libnl-3-200", "libnl-route-3-200", "libelf1t64",
    "zlib1g", "libevent-2.1-7t64", "libnghttp2-14", "libprotobuf-c1", "libnettle8t64", "libhogweed6t64", "libgmp10",
    "libzstd1", "libudev1", "libgcc-s1", "libcap2", "libbz2-1.0",
)  # fmt: skip
_PROGRAMS = (
    "usr/lib/openvswitch-switch/ovs-vswitchd",
    "usr/sbin/ovsdb-server",
    "usr/bin/ovs-*",
    "usr/bin/ovsdb-*",
    "usr/bin/ovn-*",
)
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SECONDS = 300


@dataclass(frozen=True)
class Switching:
    """Where the programs of Open vSwitch and OVN lie, and their database schemas."""

    folder: Path

    @property
    def programs(self) -> Path:
        """Folder of started-through-their-own-loader programs, for the front of PATH."""
        return self.folder / "bin"

    def schema(self, name: str) -> Path:
        """Return the file of one schema: ``vswitch``, ``ovn-nb`` or ``ovn-sb``."""
        part = "openvswitch" if name == "vswitch" else "ovn"
        return self.folder / "root/usr/share" / part / f"{name}.ovsschema"

    def path(self) -> str:
        """Return a PATH on which these programs come first."""
        return f"{self.programs}:{os.environ.get('PATH', os.defpath)}"

    def version(self) -> str:
        """Return ``Open vSwitch X, OVN Y``; raise :class:`LabError` when a program does not run."""
        lines = []
        for program in ("ovs-vswitchd", "ovn-controller"):
            done = subprocess.run([self.programs / program, "--version"], capture_output=True, text=True, timeout=30)
            if done.returncode:
                raise LabError(f"{self.programs / program} does not run: {done.stderr.strip()}: remove {self.folder}")
            lines.append(done.stdout.splitlines()[0].rpartition(" ")[2])
        return f"Open vSwitch {lines[0]}, OVN {lines[1]}"


def find() -> Switching | None:
    """Return what the cache holds, or None."""
    folder = folders.cache() / f"switching-{RELEASE}"
    return Switching(folder) if folder.is_dir() else None


def ensure(progress: Progress = silent) -> Switching:
    """Return the programs, fetched into the cache when they are not there (7 s, 17 MB)."""
    found = find()
    if found:
        return found
    progress("switching: fetching Open vSwitch and OVN of Debian 13 from this machine's Debian mirror")
    target = Switching(folders.cache() / f"switching-{RELEASE}")
    with tempfile.TemporaryDirectory(dir=folders.cache(), prefix=".switching-") as name:
        work = Path(name)
        _unpack(_fetch(work), work / "new/root")
        _wrap(work / "new", target.folder)
        (work / "new").rename(target.folder)
    try:
        progress(f"switching: {target.version()}")
    except LabError:
        shutil.rmtree(target.folder)
        raise
    return target


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine uses for its own packages."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    for _ in range(2):
        sites = [site for site in _run(command).splitlines() if "security" not in site]
        if sites:
            return sites[0]
        _run(["apt-get", "-qq", "update"])
    raise LabError("apt knows no Debian mirror: check /etc/apt/sources.list and run 'apt-get update'")


def _fetch(work: Path) -> Path:
    """Download the packages, checked against Debian's own keys, and return their folder."""
    for folder in ("lists/partial", "cache/archives/partial", "parts", "packages"):
        (work / folder).mkdir(parents=True)
    (work / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {RELEASE} main\n")
    settings = {
        "Dir::Etc::sourcelist": work / "sources.list", "Dir::Etc::sourceparts": work / "parts",
        "Dir::State::lists": work / "lists", "Dir::Cache": work / "cache", "APT::Sandbox::User": "root",
    }  # fmt: skip
    (work / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    own = {**os.environ, "APT_CONFIG": str(work / "apt.conf")}
    _run(["apt-get", "-qq", "update"], own)
    _run(["apt-get", "-qq", "download", *PACKAGES], own, work / "packages")
    return work / "packages"


def _unpack(packages: Path, root: Path) -> None:
    root.mkdir(parents=True)
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)])


def _wrap(new: Path, final: Path) -> None:
    """Write one starter per program; the starters name the final folder, into which ``new`` is then renamed."""
    loader = next((new / "root/usr/lib").glob("*/ld-linux*.so.*"), None)
    if loader is None:
        raise LabError("Debian 13's C library brought no program loader: is this processor supported?")
    libraries = final / loader.parent.relative_to(new)
    (new / "bin").mkdir()
    for program in (found for pattern in _PROGRAMS for found in (new / "root").glob(pattern)):
        if program.read_bytes()[:4] != b"\x7fELF":
            continue  # scripts: the lab needs none of them
        starter = new / "bin" / program.name
        starter.write_text(
            f"#!/bin/sh\nexec {libraries}/{loader.name} --library-path {libraries} --argv0 {program.name} "
            f'{final / program.relative_to(new)} "$@"\n'
        )
        starter.chmod(0o755)


def _run(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise LabError(f"'{' '.join(command[:3])} …' ended with {done.returncode}: {last[0]}: is a mirror set up?")
    return done.stdout
