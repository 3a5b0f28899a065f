"""The lab's real parts, each said to be present or what to do: for `onefold doctor`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab import packages
from orchestrator.model.finding import Finding

PROGRAMS = ("unshare", "nsenter", "ip", "nft", "ping", "ssh", "sshd", "ssh-keygen", "rsync", "mariadbd", "rabbitmqctl")


def examine() -> Iterator[Finding]:
    """One finding a part: pass, or fail with the next move. A part that cannot be asked is unknown."""
    root = os.geteuid() == 0
    yield Finding(
        subject="lab: root",
        result="pass" if root else "fail",
        what="this process is root" if root else "the lab makes network namespaces and needs root",
        fix="" if root else "run it with sudo",
    )
    missing = packages.missing()
    yield Finding(
        subject="lab: Debian packages",
        result="fail" if missing else "pass",
        what=f"missing: {' '.join(missing)}" if missing else "all present",
        fix="run 'onefold lab prepare'" if missing else "",
    )
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/frr"
    for program in (*PROGRAMS, "zebra", "bgpd", "staticd"):
        path = shutil.which(program, path=places)
        yield Finding(
            subject=f"lab: {program}",
            result="pass" if path else "fail",
            what=path or "not found: what it would have measured is an error, never 'blocked'",
            fix="" if path else "run 'onefold lab prepare'",
        )
    yield _switching()
    yield _cloud()


def _switching() -> Finding:
    from lab import ovn

    found = ovn.find()
    return Finding(
        subject="lab: Open vSwitch and OVN",
        result="pass" if found else "fail",
        what=str(found.folder if found else "not in the cache yet"),
        fix="" if found else "run 'onefold lab prepare'",
    )


def _cloud() -> Finding:
    from lab import folders

    ready = any(Path(folders.cache()).glob("openstack-*/**/bin/nova-compute"))
    return Finding(
        subject="lab: OpenStack services",
        result="pass" if ready else "fail",
        what="installed in the cache" if ready else "not in the cache yet",
        fix="" if ready else "run 'onefold lab prepare'",
    )
