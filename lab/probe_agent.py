"""Real TCP connections from many sources at once, each out of its source's network namespace; answers as JSON.

Reads {"sources": {name: its network namespace}, "targets": [[name, ip, port], ...], "timeout": seconds} from the
standard input. A socket belongs to the namespace in which it was made, so one process enters each source in turn, makes
its sockets, and then serves them all. Every source first opens a connection to itself: one in which not even that works
cannot show that anything is blocked. Standard library only.
"""

import asyncio
import contextlib
import ctypes
import errno
import json
import os
import resource
import socket
import sys
from typing import Any

NEWNET = 0x40000000
UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)
QUIET = 0.3  # seconds to wait for a server that speaks first, before asking over HTTP
MOST = 400
PAUSE = 0.01  # seconds between two sources: a burst of all of them is more than a switch in user space takes


def enter(namespace: str) -> None:
    """Go into a network namespace; raise OSError when it is gone."""
    handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(handle)


def new() -> socket.socket:
    """Return a socket of the namespace we are in."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


async def attempt(made: socket.socket, address: str, port: int, timeout: float) -> dict[str, Any]:
    """Connect once and return {"connected", "reply", "error"}."""
    loop = asyncio.get_running_loop()
    try:
        await asyncio.wait_for(loop.sock_connect(made, (address, port)), timeout)
        reply = await said(made, timeout)
    except TimeoutError:
        return {"connected": False, "reply": "", "error": "timeout"}
    except ConnectionError:
        return {"connected": False, "reply": "", "error": "refused"}
    except OSError as error:
        if error.errno not in UNREACHABLE:
            raise
        return {"connected": False, "reply": "", "error": "unreachable"}
    finally:
        made.close()
    return {"connected": True, "reply": reply, "error": ""}


async def said(made: socket.socket, timeout: float) -> str:
    """Return the server's first words; one that waits for the client is asked over HTTP who it is."""
    loop = asyncio.get_running_loop()
    data = b""
    with contextlib.suppress(TimeoutError, OSError):
        try:
            data = await asyncio.wait_for(loop.sock_recv(made, MOST), QUIET)
        except TimeoutError:
            await loop.sock_sendall(made, b"GET /saw HTTP/1.0\r\n\r\n")
            data = await asyncio.wait_for(whole(made), timeout)
    return data.decode("utf-8", "replace").strip().splitlines()[-1][:MOST] if data.strip() else ""


async def whole(made: socket.socket) -> bytes:
    """Return all that is said until the other end closes."""
    loop = asyncio.get_running_loop()
    found = b""
    while piece := await loop.sock_recv(made, MOST):
        found += piece
    return found


def listening() -> socket.socket:
    """Return a listener of the namespace we are in, on its own loopback address."""
    made = new()
    made.bind(("127.0.0.1", 0))
    made.listen(1)
    return made


async def control(here: socket.socket, made: socket.socket, timeout: float) -> bool:
    """Return whether a source can open a connection to itself."""
    loop = asyncio.get_running_loop()

    async def greet() -> None:
        peer, _ = await loop.sock_accept(here)
        with peer:
            await loop.sock_sendall(peer, b"control\n")

    greeting = asyncio.create_task(greet())
    try:
        port = here.getsockname()[1]
        return bool((await attempt(made, "127.0.0.1", port, timeout))["reply"] == "control")
    finally:
        greeting.cancel()
        here.close()


async def main() -> None:
    """Probe all targets at the same time."""
    asked = json.load(sys.stdin)
    timeout, targets = asked["timeout"], asked["targets"]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    controls: dict[str, asyncio.Task[bool]] = {}
    attempts: dict[int, asyncio.Task[dict[str, Any]]] = {}
    for name, namespace in asked["sources"].items():
        enter(namespace)
        controls[name] = asyncio.create_task(control(listening(), new(), timeout))
        for number, (source, address, port) in enumerate(targets):
            if source == name:
                attempts[number] = asyncio.create_task(attempt(new(), address, port, timeout))
        await asyncio.sleep(PAUSE)  # the packets of one source leave before those of the next
    results = [await attempts[number] for number in range(len(targets))]
    json.dump({"controls": {name: await task for name, task in controls.items()}, "results": results}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
