"""Putting a text on a device whole or not at all, and the lock under which its configuration is changed and read.

Standard library only: it runs on the device.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK = "/run/onefold-push.lock"


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """Hold the device's lock; gives its file descriptor, for commands that must keep it should we be killed."""
    with Path(LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


@contextlib.contextmanager
def draft(path: Path, text: str, mode: int = 0o600, owner: str | None = None) -> Iterator[Path]:
    """A text beside the file it is to become; taken away again unless it was moved there."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if owner:
            shutil.chown(new, owner, owner)
        new.chmod(mode)
        yield new
    finally:
        new.unlink(missing_ok=True)


def place(path: Path, text: str, mode: int = 0o600, owner: str | None = None) -> None:
    """Write a file whole or not at all."""
    with draft(path, text, mode, owner) as new:
        new.replace(path)


def present(path: Path) -> str:
    """What a file says now, nothing when it is not there."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
