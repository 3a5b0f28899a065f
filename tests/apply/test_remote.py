"""A device that falls silent in the middle of an answer: one line, and nothing else on the screen."""

import threading
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.apply.access import Access
from orchestrator.apply.remote import Remote
from orchestrator.errors import UnreachableError

ADDRESS = IPv4Address("198.18.0.9")


class Channel:
    """What paramiko opens: first these answers, then, if it falls `silent`, a timeout at each end."""

    def __init__(self, *, silent: bool) -> None:
        self._left = {"out": [b"half"], "err": [b"warning"]}
        self._silent = silent

    def _next(self, end: str) -> bytes:
        if self._left[end]:
            return self._left[end].pop()
        if self._silent:
            raise TimeoutError
        return b""

    def recv(self, _size: int) -> bytes:
        return self._next("out")

    def recv_stderr(self, _size: int) -> bytes:
        return self._next("err")

    def recv_exit_status(self) -> int:
        return 0

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


@pytest.mark.parametrize("silent", [False, True])
def test_a_device_that_falls_silent_is_unreachable_and_no_traceback(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    thrown: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda error: thrown.append(str(error.exc_type)))
    remote = Remote(Access(ssh_key=Path("/none"), known_hosts=Path("/none")))
    transport = SimpleNamespace(open_session=lambda **_: Channel(silent=silent))
    monkeypatch.setattr(remote, "_client", lambda *_: SimpleNamespace(get_transport=lambda: transport))
    if silent:
        with pytest.raises(UnreachableError) as caught:
            remote.run("pe1", ADDRESS, "show")
        assert str(caught.value) == (
            "pe1 (198.18.0.9) cannot be reached by ssh: TimeoutError; check the path to it and its host key"
        )
    else:
        answer = remote.run("pe1", ADDRESS, "show")
        assert (answer.output, answer.errors) == ("half", "warning")
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(0.5)
    assert thrown == []
