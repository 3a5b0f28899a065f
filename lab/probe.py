"""Real packets: who answers whom, asked out of the source. A probe that could not run is an error, never "blocked"."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lab.network import node
from orchestrator.errors import LabError

TIMEOUT = 1.5
"""Seconds that one connection may take: a first SYN and its repetition after one second."""
_AGENT = Path(__file__).with_name("probe_agent.py")


class Request(NamedTuple):
    """A TCP connection to try. `source` is a host, a device or `tenant/server`."""

    source: str
    destination: IPv4Address
    port: int


class Result(NamedTuple):
    """What came of it. `reply` is what the server said first (`NAME ip:port saw PEER` from the lab's own)."""

    request: Request
    connected: bool
    reply: str
    error: Literal["", "timeout", "refused", "unreachable"]

    @property
    def answered_by(self) -> str:
        """The name of the host or server that answered, where its words tell it."""
        words = self.reply.removeprefix("220 ").split()
        return words[0] if len(words) == 4 and words[2] == "saw" else ""


def observe(requests: Iterable[Request], timeout: float = TIMEOUT) -> list[Result]:
    """Try all connections at the same time and return the results in the order of the requests.

    Raises LabError when a source is not up, the probe cannot run, or a source cannot even reach itself.
    """
    wanted = list(dict.fromkeys(requests))
    sources = {source: _namespace(source) for source in dict.fromkeys(request.source for request in wanted)}
    targets = [[request.source, str(request.destination), request.port] for request in wanted]
    answer = _run({"sources": sources, "targets": targets, "timeout": timeout}, 60 + timeout * 10)
    if deaf := sorted(source for source, works in answer["controls"].items() if not works):
        raise LabError(
            f"{', '.join(deaf[:5])} cannot even reach itself: its probes say nothing; run 'onefold lab reset'"
        )
    return [Result(request, **entry) for request, entry in zip(wanted, answer["results"], strict=True)]


def _namespace(source: str) -> str:
    """Return the file of a source's network namespace as this machine sees it."""
    tenant, slash, server = source.partition("/")
    if not slash:
        return f"/proc/{node.node_pid(source)}/ns/net"
    from lab.openstack.node import server_namespace

    _ = tenant  # the cloud finds a server by its name
    return server_namespace(server)


def _run(asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_AGENT)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"the probe did not end in {seconds:.0f} s: look at the lab's processes with 'onefold lab status'"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or "nothing said").splitlines()[-1]
        raise LabError(f"the probe could not run: {said[:200]}: this says nothing about the network")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """``python -m lab.probe SOURCE ADDRESS PORT``: one probe by hand; 0 connected, 1 not, 5 it could not run."""
    try:
        result = observe([Request(sys.argv[1], IPv4Address(sys.argv[2]), int(sys.argv[3]))])[0]
    except LabError as error:
        print(error, file=sys.stderr)
        return 5
    print(result.reply or result.error)
    return 0 if result.connected else 1


if __name__ == "__main__":
    sys.exit(main())
