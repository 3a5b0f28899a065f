"""A throw-away world of nodes, each with network, mount and host name of its own, all inside one process namespace."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from orchestrator.errors import LabError

_AGENT = Path(__file__).with_name("agent.py")
_SECONDS = 60


class World:
    """Nodes by name. Leaving the block, or the end of this process in whatever way, ends all of them."""

    def __init__(self) -> None:
        front = ["unshare", "--fork", "--kill-child=KILL", "--pid", "--net", "--mount", "--uts", "--mount-proc"]
        self._process = subprocess.Popen(
            [*front, "/usr/bin/python3", "-I", str(_AGENT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._requests, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        self._numbers = itertools.count()
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.nodes: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the world; return when they are gone."""
        with self._writing:
            self._requests.close()
        self._process.wait(_SECONDS)
        self._reader.join(_SECONDS)
        self._answers.close()

    @property
    def process(self) -> int:
        """The process id by which everything here can be ended."""
        return self._process.pid

    def add(self, name: str) -> None:
        """Start a node; raise LabError when it does not come up."""
        self.nodes[name] = int(self._ask({"make": name}, _SECONDS)["pid"])

    def script(self, node: str | None, text: str, seconds: float = _SECONDS) -> str:
        """Run a shell script in a node (None: beside the nodes) and return what it said.

        Raises LabError with its errors when it fails or takes longer than `seconds`.
        """
        return self.run(node, ["bash", "-es"], text, seconds)

    def run(self, node: str | None, argv: list[str], text: str = "", seconds: float = _SECONDS) -> str:
        """Run a command in a node and return its output; raise LabError when it fails or takes too long."""
        done = self._ask({"node": node, "argv": argv, "input": text, "seconds": seconds}, seconds + 30)
        if done["code"]:
            said = " ".join((done["err"].strip() or done["out"].strip()).split())[-400:]
            what = (text.strip().splitlines() or [" ".join(argv)])[0][:80]
            raise LabError(f"on {node or 'the world'} '{what} …' ended with {done['code']}: {said}")
        return str(done["out"])

    def each(self, work: list[tuple[str, str]], seconds: float = _SECONDS) -> list[str]:
        """Run (node, script) pairs side by side and return what each said, in order."""
        with ThreadPoolExecutor(8) as workers:
            return list(workers.map(lambda one: self.script(one[0], one[1], seconds), work))

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        future: Future[dict[str, Any]] = Future()
        with self._writing:
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                self._requests.write(json.dumps({"id": number, **request}) + "\n")
                self._requests.flush()
            except (OSError, ValueError) as error:
                raise LabError("the throw-away world has ended: start the run again") from error
        try:
            answer = future.result(seconds)
        except TimeoutError as error:
            raise LabError(f"a command in the throw-away world did not end within {seconds:.0f} s") from error
        if "failed" in answer:
            raise LabError(f"a command in the throw-away world failed: {answer['failed']}")
        return answer

    def _read(self) -> None:
        for line in self._answers:
            answer = json.loads(line)
            self._waiting.pop(answer["id"]).set_result(answer)
        for future in self._waiting.values():
            future.set_result({"failed": "the world has ended"})
