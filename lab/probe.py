"""Real packets: who answers whom, asked inside the source. A probe that could not run is an error, never "blocked"."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, NamedTuple

from lab.network import node
from orchestrator.errors import LabError

TIMEOUT = 1.5
"""Seconds that one connection may take: a first SYN and its repetition after one second."""
_WORKERS = 16
_MOST_AT_ONCE = 400
_AGENT = (Path(__file__).parent / "probe_agent.py").read_text()


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
    """Try all connections, all of one source at the same time, and return the results in the order of the requests.

    Raises LabError when a source is not up, its probe cannot run, or it cannot even reach itself.
    """
    wanted = list(dict.fromkeys(requests))
    by_source: dict[str, list[Request]] = defaultdict(list)
    for request in wanted:
        by_source[request.source].append(request)
    parts = [
        asked[at : at + _MOST_AT_ONCE] for asked in by_source.values() for at in range(0, len(asked), _MOST_AT_ONCE)
    ]
    with ThreadPoolExecutor(_WORKERS) as workers:
        found = {
            result.request: result for part in workers.map(lambda part: _ask(part, timeout), parts) for result in part
        }
    return [found[request] for request in wanted]


def _ask(requests: list[Request], timeout: float) -> list[Result]:
    source = requests[0].source
    text = json.dumps({"targets": [[str(one.destination), one.port] for one in requests], "timeout": timeout})
    try:
        done = _run(source, ["/usr/bin/python3", "-I", "-c", _AGENT], text, 60 + timeout * 10)
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"the probe from {source} did not end: look at its processes with 'onefold lab status'"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or "nothing said").splitlines()[-1]
        raise LabError(f"the probe from {source} could not run: {said[:200]}: this says nothing about the network")
    answer = json.loads(done.stdout)
    if not answer["control"]:
        raise LabError(f"{source} does not even reach itself: its probes say nothing; run 'onefold lab reset'")
    return [Result(request, **entry) for request, entry in zip(requests, answer["results"], strict=True)]


def _run(source: str, argv: list[str], text: str, seconds: float) -> subprocess.CompletedProcess[str]:
    tenant, slash, server = source.partition("/")
    if not slash:
        return node.execute(source, argv, input=text, timeout=seconds)
    from lab.openstack.node import server_exec

    _ = tenant  # the cloud finds a server by its name
    return server_exec(server, argv, seconds, text)


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
