"""Runs inside a source's namespaces: real TCP connections to many targets at once, answers as JSON.

Reads {"targets": [[ip, port], ...], "timeout": seconds} from the standard input. It first opens a connection to itself:
a source in which not even that works cannot show that anything is blocked. Only the standard library is used, because
it is handed over as text to whatever Python the source has.
"""

import asyncio
import contextlib
import errno
import json
import sys
from typing import Any

UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)
QUIET = 0.3  # seconds to wait for a server that speaks first, before asking over HTTP
MOST = 400


async def attempt(address: str, port: int, timeout: float) -> dict[str, Any]:
    """Connect once and return {"connected", "reply", "error"}."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout)
    except TimeoutError:
        return {"connected": False, "reply": "", "error": "timeout"}
    except ConnectionError:
        return {"connected": False, "reply": "", "error": "refused"}
    except OSError as error:
        if error.errno not in UNREACHABLE:
            raise
        return {"connected": False, "reply": "", "error": "unreachable"}
    reply = await said(reader, writer, timeout)
    writer.close()
    return {"connected": True, "reply": reply, "error": ""}


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> str:
    """Return the server's first words; one that waits for the client is asked over HTTP who it is."""
    data = b""
    with contextlib.suppress(TimeoutError, OSError):
        try:
            data = await asyncio.wait_for(reader.read(MOST), QUIET)
        except TimeoutError:
            writer.write(b"GET /saw HTTP/1.0\r\n\r\n")
            data = await asyncio.wait_for(reader.read(), timeout)
    return data.decode("utf-8", "replace").strip().splitlines()[-1][:MOST] if data.strip() else ""


async def control(timeout: float) -> bool:
    """Return whether this process can open a connection to itself."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"control\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return bool((await attempt("127.0.0.1", port, timeout))["reply"] == "control")


async def main() -> None:
    """Probe all targets at the same time."""
    asked = json.load(sys.stdin)
    works = await control(asked["timeout"])
    results = await asyncio.gather(*(attempt(ip, port, asked["timeout"]) for ip, port in asked["targets"]))
    json.dump({"control": works, "results": results}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
