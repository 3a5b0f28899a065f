"""Outages as users see them: registered flows to web services, asked for twice a second while a run goes on."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from lab.network import node
from orchestrator.errors import LabError
from orchestrator.forwarding.flows import askers_of, name_of, running
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Flow

EVERY = 0.5
TIMEOUT = 2.0
_AGENT = (Path(__file__).parent / "watch_agent.py").read_text()
_KINDS = ("web", "files")


class Ask(NamedTuple):
    """What one host asks for."""

    flow: str
    host: str
    name: str
    port: int


class Seen(NamedTuple):
    """One flow as its user saw it; seconds."""

    flow: str
    host: str
    asked: int
    answered: int
    longest_gap: float  # the longest time without an answer, less what lies between two askings
    unanswered_since: float | None  # at the end; None: never answered


def asks(estate: Estate, flows: Iterable[Flow]) -> tuple[Ask, ...]:
    """The flows that must always work and end at a web service of a workload: each asked for by its first asker."""
    found = []
    for flow in flows:
        name = _name(flow, estate)
        host = next((asker.node for asker in askers_of(flow.source, estate) if asker.node in estate.hosts), None)
        if flow.validity == "always" and name and host:
            found.append(Ask(flow.code, host, name, flow.port or 80))
    return tuple(found)


def _name(flow: Flow, estate: Estate) -> str | None:
    """The name under which users find the web service at the end of a flow, if that is what is there."""
    kind, _, name = flow.destination.partition(":")
    web = [row for row in estate.workloads.values() if row.kind in _KINDS and row.state == "running"]
    if kind == "service":
        return name if any(name_of(row, estate) == name for row in web) else None
    serving = [row for row in running(estate, name) if row in web] if kind == "workload" else []
    return name_of(serving[0], estate) if serving else None


class Watch:
    """Asks while its block runs; `seen` holds what came of it afterwards. One program a host."""

    def __init__(self, wanted: Iterable[Ask]) -> None:
        self._wanted: dict[str, list[Ask]] = defaultdict(list)
        for one in wanted:
            self._wanted[one.host].append(one)
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.seen: tuple[Seen, ...] = ()

    def __enter__(self) -> Self:
        """Begin asking. Raises LabError when a host is not up."""
        for host, wanted in self._wanted.items():
            command = [*node.entering(node.node_pid(host)), "/usr/bin/python3", "-I", "-c", _AGENT]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._running[host] = process
            given = {"asks": [[one.flow, one.name, one.port] for one in wanted], "every": EVERY, "timeout": TIMEOUT}
            assert process.stdin is not None  # noqa: S101  # asked for above
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End asking. Raises LabError when a watcher could not run: that says nothing about the service."""
        found = []
        for host, process in self._running.items():
            try:
                output, _ = process.communicate(timeout=TIMEOUT + 10)
            except subprocess.TimeoutExpired:
                process.kill()
                output = process.communicate()[0]
            if kind is None and (process.returncode or not output.strip()):
                raise LabError(f"the watcher on {host} ended with {process.returncode}: this says nothing of outages")
            found += [Seen(flow, host, **told) for flow, told in json.loads(output or "{}").items()]
        self.seen = tuple(sorted(found))
