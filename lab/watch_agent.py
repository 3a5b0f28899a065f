"""Runs inside a host: asks services again and again, as their users do, until told to stop; the gaps as JSON.

The first line of the standard input is {"asks": [[flow, name or address, port], ...], "every": seconds, "timeout":
seconds}; when the input ends, it prints {flow: {"asked", "answered", "longest_gap", "unanswered_since"}}. A gap is the
time between two answers that follow one another, less the time between two askings: 0 when nothing was missed. Names
are looked up anew each time. Standard library only: it is handed over as text to whatever Python the host has.
"""

import asyncio
import json
import sys
import time
from typing import Any


async def healthy(name: str, port: int, timeout: float) -> bool:
    """Return whether the service says that it works (HTTP 200 on /health)."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(name, port)
            try:
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except OSError:  # TimeoutError is one
        return False


class Asking:
    """One service asked regularly."""

    def __init__(self) -> None:
        self.asked = self.answered = 0
        self.longest = 0.0
        self.last = 0.0  # when it last answered

    async def go_on(self, name: str, port: int, every: float, timeout: float) -> None:
        """Ask until cancelled."""
        while True:
            begun = time.monotonic()
            works = await healthy(name, port, timeout)
            now = time.monotonic()
            self.asked += 1
            if works:
                self.answered += 1
                if self.last:
                    self.longest = max(self.longest, begun - self.last - every)
                self.last = now
            await asyncio.sleep(max(0.0, every - (now - begun)))

    def told(self) -> dict[str, Any]:
        """Return what was seen."""
        silent = time.monotonic() - self.last if self.last else None
        return {
            "asked": self.asked,
            "answered": self.answered,
            "longest_gap": round(max(0.0, self.longest), 2),
            "unanswered_since": None if silent is None else round(silent, 2),
        }


async def main() -> None:
    """Ask for everything until the standard input ends."""
    loop = asyncio.get_running_loop()
    given = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    found: dict[str, Asking] = {flow: Asking() for flow, _, _ in given["asks"]}
    tasks = [
        asyncio.create_task(found[flow].go_on(name, port, given["every"], given["timeout"]))
        for flow, name, port in given["asks"]
    ]
    await loop.run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    print(json.dumps({flow: asking.told() for flow, asking in found.items()}))


if __name__ == "__main__":
    asyncio.run(main())
