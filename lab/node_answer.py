"""onefold-answer NAME PORT...: TCP listeners that reply ``NAME ip:port saw PEER``: a probe shows whom it reached.

Runs on every host of the lab with the machine's own Python. A port that a workload takes (a file of its number in
/run/onefold/taken) is given up on SIGHUP and taken back when the file is gone.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

RUN = Path("/run/onefold")
TAKEN = RUN / "taken"
PID_FILE = RUN / "answer.pid"


def listener(port: int) -> socket.socket | None:
    """Return a listening socket, or None while somebody else holds the port."""
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", port))  # noqa: S104  # inside the host's own namespace
        made.listen(256)
        made.setblocking(False)
    except OSError:
        made.close()
        return None
    return made


def answer(name: str, listening: socket.socket) -> None:
    """Accept one connection, say who was reached and from where, and close."""
    try:
        connection, peer = listening.accept()
    except OSError:
        return  # the peer went away between its knock and our opening
    with connection, contextlib.suppress(OSError):
        here = connection.getsockname()
        connection.sendall(f"{name} {here[0]}:{here[1]} saw {peer[0]}\n".encode())
        connection.shutdown(socket.SHUT_WR)


def settle(selector: selectors.BaseSelector, held: dict[int, socket.socket], ports: list[int]) -> None:
    """Listen on exactly the ports that no workload has taken."""
    for port in ports:
        taken = (TAKEN / str(port)).exists()
        if taken and port in held:
            listening = held.pop(port)
            selector.unregister(listening)
            listening.close()
        elif not taken and port not in held and (made := listener(port)):
            held[port] = made
            selector.register(made, selectors.EVENT_READ)


def main(name: str, ports: list[int]) -> None:
    """Answer until killed."""
    selector = selectors.DefaultSelector()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGHUP, lambda *_: None)
    selector.register(reading, selectors.EVENT_READ)
    held: dict[int, socket.socket] = {}
    settle(selector, held, ports)
    PID_FILE.write_text(str(os.getpid()))
    while True:
        for key, _ in selector.select():
            if key.fd == reading:
                os.read(reading, 64)
                settle(selector, held, ports)
            elif isinstance(key.fileobj, socket.socket):
                answer(name, key.fileobj)


if __name__ == "__main__":
    main(sys.argv[1], [int(word) for word in sys.argv[2:]])
