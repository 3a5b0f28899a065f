"""Listeners on chosen TCP ports of every server: ``NAME ip:port saw PEER``, so that a probe shows whom it reached."""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import threading

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Answerer(threading.Thread):
    """All listeners in one loop. A socket stays in the network namespace in which it was made."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="answerer")
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], socket.socket] = {}

    def set(self, namespace: str, handle: str, name: str, ports: frozenset[int]) -> tuple[int, ...]:
        """Answer on exactly these ports of a namespace (``handle``: its file); return those that others hold."""
        with self._lock:
            have = {port for space, port in self._open if space == namespace}
            for port in have - ports:
                listener = self._open.pop((namespace, port))
                self._selector.unregister(listener)
                listener.close()
        made, busy = _listeners(handle, ports - have) if ports - have else ([], ())
        with self._lock:
            for port, listener in made:
                self._open[namespace, port] = listener
                self._selector.register(listener, selectors.EVENT_READ, name)
        return busy

    def run(self) -> None:
        """Answer until the process ends."""
        while True:
            for key, _ in self._selector.select(0.2):
                if isinstance(key.fileobj, socket.socket):
                    _answer(key.fileobj, key.data)


def _answer(listener: socket.socket, name: str) -> None:
    try:
        connection, peer = listener.accept()
        with connection:
            here = connection.getsockname()
            connection.sendall(f"{name} {here[0]}:{here[1]} saw {peer[0]}\n".encode())
    except OSError:
        return  # the peer went away, or the listener was just closed


def _listeners(handle: str, ports: frozenset[int]) -> tuple[list[tuple[int, socket.socket]], tuple[int, ...]]:
    """Make listeners in the namespace, by a thread that enters it and ends; others' ports are returned, not taken."""
    made: list[tuple[int, socket.socket]] = []
    busy: list[int] = []
    failure: list[OSError] = []

    def work() -> None:
        try:
            descriptor = os.open(handle, os.O_RDONLY)
            try:
                if _LIBC.setns(descriptor, _CLONE_NEWNET):  # this thread only
                    raise OSError(ctypes.get_errno(), f"setns {handle}")
            finally:
                os.close(descriptor)
        except OSError as error:
            failure.append(error)
            return
        for port in sorted(ports):
            listener = _listener(port)
            if listener is None:
                busy.append(port)
            else:
                made.append((port, listener))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return made, tuple(busy)


def _listener(port: int) -> socket.socket | None:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))  # noqa: S104  # inside the server's own namespace
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        return None
    return listener
