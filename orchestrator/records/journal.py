"""The journal of runs: append-only events, on disk before the action they announce is begun.

SQLite by SQLAlchemy (PostgreSQL by another URL). `synchronous=FULL` and one transaction per event: when `record`
returns, the event survives a kill and a power cut. A full disk therefore stops a run *before* its next action.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import Field

from orchestrator.errors import OnefoldError
from orchestrator.model.base import Noun, canonical

EventState = Literal["intent", "started", "done", "undone", "failed", "adopted", "note"]
Direction = Literal["forward", "back"]

STOP_AT = "ONEFOLD_STOP_AT"
"""Test hook: `n` kills the process group right after event n is on disk, `n+0.4` 0.4 s later (inside the action); a
step's name in place of the number, when the step's intent is."""


class JournalError(OnefoldError):
    """The journal cannot be written or read; nothing further was begun."""

    exit_code = 4


class Event(Noun):
    """One line of a run's journal. `step` empty means the run itself, `part` empty the whole step."""

    number: int  # 1, 2, 3 ... within the run
    run: str
    direction: Direction = "forward"
    step: str = ""
    part: str = ""
    state: EventState
    detail: dict[str, Any] = Field(default_factory=dict)
    at: datetime


_metadata = sa.MetaData()
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("direction", sa.String, nullable=False),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("part", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("at", sa.String, nullable=False),
)


class Journal:
    """All runs' events in one database. Safe for threads; one process writes a run at a time (see `runs.claim`)."""

    def __init__(self, database: Path | str) -> None:
        """Open or make the journal. `database` is a file, or an SQLAlchemy URL. Raises JournalError."""
        if isinstance(database, Path):
            with self._making(database):
                database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not database.exists():  # it may be looked at where nothing can be written
                    database.touch(mode=0o600)  # what is in it is for nobody else; SQLite's own files follow its mode
        # a path is no URL: what stands behind a question mark in it would not be part of the file's name
        file = isinstance(database, Path)
        self._engine = sa.create_engine(sa.URL.create("sqlite", database=str(database)) if file else str(database))
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _durable)
        self._lock = threading.Lock()
        with self._reporting("open"):
            _metadata.create_all(self._engine)

    def record(
        self,
        run: str,
        state: EventState,
        *,
        step: str = "",
        part: str = "",
        direction: Direction = "forward",
        detail: dict[str, Any] | None = None,
    ) -> Event:
        """Write one event and return it when it is safely on disk. Raises JournalError (disk full, file gone)."""
        with self._lock, self._reporting("write"), self._engine.begin() as connection:
            highest = sa.select(sa.func.coalesce(sa.func.max(_events.c.number), 0)).where(_events.c.run == run)
            event = Event(
                number=connection.execute(highest).scalar_one() + 1,
                run=run,
                direction=direction,
                step=step,
                part=part,
                state=state,
                detail=detail or {},
                at=datetime.now(UTC),
            )
            connection.execute(_events.insert().values(**event.plain()))
        _stop_here(event)
        return event

    def events(self, run: str, direction: Direction | None = None, *, step: str | None = None) -> tuple[Event, ...]:
        """All events of a run (in a direction, of a step), in order. Raises JournalError."""
        query = sa.select(_events).where(_events.c.run == run).order_by(_events.c.number)
        if direction:
            query = query.where(_events.c.direction == direction)
        if step is not None:
            query = query.where(_events.c.step == step)
        with self._reporting("read"), self._engine.connect() as connection:
            return tuple(Event.model_validate(dict(row._mapping)) for row in connection.execute(query))

    def runs(self) -> tuple[str, ...]:
        """Names of all runs, in the order of their clocks. Raises JournalError."""
        query = sa.select(_events.c.run).group_by(_events.c.run).order_by(sa.func.min(_events.c.at))
        with self._reporting("read"), self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def firsts(self) -> dict[str, Event]:
        """Run -> the event with which it was begun. Raises JournalError."""
        query = sa.select(_events).where(_events.c.number == 1)
        with self._reporting("read"), self._engine.connect() as connection:
            rows = [Event.model_validate(dict(row._mapping)) for row in connection.execute(query)]
        return {event.run: event for event in rows}

    def steps(self, run: str) -> dict[str, EventState]:
        """Step name -> the last thing the journal knows of it, both directions taken together."""
        return {event.step: event.state for event in self.events(run) if event.step and not event.part}

    def text(self, run: str) -> str:
        """The run's journal as canonical JSON lines, for archives and for people."""
        return "".join(canonical(event.plain()) + "\n" for event in self.events(run))

    def close(self) -> None:
        """Give the database's file back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _making(self, database: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"cannot open the journal {database}: {error.strerror}; nothing was begun: make room or give access"
            ) from error

    @contextlib.contextmanager
    def _reporting(self, action: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            place = self._engine.url.database or str(self._engine.url)
            reason = str(getattr(error, "orig", error) or error).splitlines()[0]
            raise JournalError(
                f"cannot {action} the journal {place}: {reason}; nothing further was begun: "
                "free space or mend the file, then run 'onefold resume'"
            ) from error


def _durable(connection: Any, _record: Any) -> None:
    """Every commit reaches the disk before it returns (SQLite: rollback journal, synchronous FULL)."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")


def _stop_here(event: Event) -> None:
    """Kill the whole process group at the journal point named by ONEFOLD_STOP_AT (crash tests only)."""
    place, _, delay = os.environ.get(STOP_AT, "").partition("+")
    if not place or place not in (str(event.number), "" if event.part else event.step):
        return
    if delay:
        threading.Timer(float(delay), os.killpg, (os.getpgrp(), signal.SIGKILL)).start()
    else:
        os.killpg(os.getpgrp(), signal.SIGKILL)
