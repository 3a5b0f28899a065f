"""The audit trail: append-only JSON lines, each carrying the hash of the line before it.

Taking a line out, changing one or reordering them breaks the chain at that place; `verify` names it. Cutting the end
off is visible only to someone who kept the last hash: print it, or send it to the security staff's log server.
"""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from orchestrator.errors import OnefoldError
from orchestrator.model.base import Noun, canonical, digest, parsed

FIRST = "0" * 64


class AuditError(OnefoldError):
    """The audit trail cannot be written, or is not the one that was written."""

    exit_code = 3


class Entry(Noun):
    """Who did what, when, with what result; `previous` is the hash of the entry before."""

    number: int
    at: datetime
    who: str
    what: str
    result: Literal["done", "refused", "failed", "begun"]
    subject: str = ""  # plan hash, run, project ...
    detail: dict[str, Any] = Field(default_factory=dict)
    previous: str

    @property
    def hash(self) -> str:
        """SHA-256 of the entry's canonical JSON, the chain's next link."""
        return digest(self.plain())


class Audit:
    """One audit file. Several processes may append: each append holds the file's lock."""

    def __init__(self, path: Path) -> None:
        """Use (or begin) this file."""
        self.path = path

    def append(
        self,
        who: str,
        what: str,
        result: Literal["done", "refused", "failed", "begun"],
        *,
        subject: str = "",
        detail: dict[str, Any] | None = None,
    ) -> Entry:
        """Add an entry, on disk when this returns. Raises AuditError when the file cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                last = _last(file.fileno())
                entry = Entry(
                    number=last.number + 1 if last else 1,
                    at=datetime.now(UTC),
                    who=_writable(who),
                    what=what,
                    result=result,
                    subject=_writable(subject),
                    detail=_writable(detail or {}),
                    previous=last.hash if last else FIRST,
                )
                _write(file.fileno(), (canonical(entry.plain()) + "\n").encode())
        except OSError as error:
            raise AuditError(
                f"cannot write the audit trail {self.path}: {error.strerror}; make room or give access: "
                "'onefold status' tells what was done"
            ) from error
        return entry

    def entries(self) -> tuple[Entry, ...]:
        """All entries. Raises AuditError when a line is no entry."""
        content = self.path.read_bytes().removesuffix(b"\n") if self.path.exists() else b""
        found = []
        # only a line feed ends an entry: names may hold what Unicode also calls the end of a line
        for line, text in enumerate(content.split(b"\n") if content else (), start=1):
            try:
                found.append(Entry.model_validate(parsed(text.decode())))
            except ValueError as error:
                raise AuditError(
                    f"{self.path}:{line} is no audit entry: the trail was changed, keep it as evidence"
                ) from error
        return tuple(found)

    def verify(self) -> tuple[int, str]:
        """Check the chain; returns (number of entries, last hash). Raises AuditError at the first broken link."""
        previous = FIRST
        entries = self.entries()
        for line, entry in enumerate(entries, start=1):
            if entry.previous != previous or entry.number != line:
                raise AuditError(
                    f"{self.path}:{line} does not follow the line before it: the trail was changed, keep it as evidence"
                )
            previous = entry.hash
        return len(entries), previous


def _writable(value: Any) -> Any:
    """The value with `\\udcff` for what cannot be written: bytes of another encoding, as a terminal may give."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_writable(key): _writable(each) for key, each in value.items()}
    return [_writable(each) for each in value] if isinstance(value, list | tuple) else value


def _write(descriptor: int, line: bytes) -> None:
    """The whole line or nothing of it: half a line on a full disk would end the trail for good. Raises OSError."""
    size = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _last(descriptor: int) -> Entry | None:
    """The last entry of an open file; a torn last line (power cut) is an AuditError, never overwritten."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return None
    tail = os.pread(descriptor, min(size, 1 << 20), max(0, size - (1 << 20)))
    if not tail.endswith(b"\n"):
        raise AuditError("the last line of the audit trail is cut off: keep the file as evidence and begin a new one")
    try:
        return Entry.model_validate(parsed(tail.removesuffix(b"\n").split(b"\n")[-1].decode()))
    except ValueError as error:
        raise AuditError(
            "the last line of the audit trail is no entry: keep the file as evidence and begin a new one"
        ) from error
