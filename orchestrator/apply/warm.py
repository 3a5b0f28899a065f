"""A warm `ansible-playbook`: one process of this run has Ansible imported and forks for every playbook.

Importing Ansible costs more than what a playbook then does on one device. What ansible-runner finds as
`ansible-playbook` is therefore a small program that hands its arguments, environment and streams to that process and
ends as the playbook ends. Whenever that cannot be, it becomes the real ansible-playbook.

The process lives as long as this one: it reads from a pipe whose other end is ours alone, and when that end is closed,
by whatever death, it ends its playbooks (a task that is under way on a device ends as it would have), takes its folder
away and is gone. Only a kill of both leaves the folder: the next one takes it away.
"""

import atexit
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_HERE = Path(__file__).parent
_SECONDS = 10
_PREFIX = "onefold-warm-"
_YOUNG = 60.0  # seconds in which a folder may still be without a process


class Warm:
    """The one process of this run that has Ansible imported; begun when first needed. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()

    def folder(self) -> Path:
        """A folder (0700) that lives as long as the process: `bin/ansible-playbook` in it is the way to it."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._begin()
            return self._folder

    def end(self) -> None:
        """End the process and its playbooks. A later `folder` begins another one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._process = None

    def _begin(self) -> None:
        if self._process is None:
            atexit.register(self.end)
        self._end()
        _sweep(Path(tempfile.gettempdir()))
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        door = self._folder / "door"
        real = Path(sys.executable).parent / "ansible-playbook"
        words = [sys.executable, "-I", "-S", str(_HERE / "warm_client.py"), str(door), str(real)]
        program = self._folder / "bin" / "ansible-playbook"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            # bound here: whoever knocks before the process is ready waits, and nobody waits once it is dead
            listening.bind(str(door))
            listening.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_HERE / "warm_server.py"), str(listening.fileno()), str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(listening.fileno(),),
            )


def _sweep(place: Path) -> None:
    """Take away what dead ones left: folders of ours behind whose door nobody is."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            status = folder.stat()
            ours = status.st_uid == os.getuid() and time.time() - status.st_ctime > _YOUNG
            if ours and asking.connect_ex(str(folder / "door")) != 0:
                shutil.rmtree(folder, ignore_errors=True)
