"""Runs: one plan on its way into the world. What a resume or a rollback needs is written before the first action."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError, OnefoldError, RefusedError, StaleError
from orchestrator.model.base import Noun, canonical, digest, parsed
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan
from orchestrator.records.approvals import Approval
from orchestrator.records.disk import write_whole
from orchestrator.records.journal import Event, EventState, Journal, JournalError

SNAPSHOT = "snapshot.json"
"""The file of a run's folder that holds the world as it was before."""


class BusyError(OnefoldError):
    """Another process works on this project's runs right now."""

    exit_code = 3


class Run(Noun):
    """One run: its plan, the estate it began with, who began it, in which world and with whose signatures."""

    name: str
    plan: Plan
    start: Estate
    who: str
    begun: datetime
    rehearsal: bool = False
    world: str = ""  # Project.world: what was done on a lab was not done in life
    signed: tuple[Approval, ...] = ()


class Status(Noun):
    """Where a run stands."""

    run: str
    plan: str
    state: str  # "under way", "applied", "rolled back", "partly applied"
    done: tuple[str, ...]
    open: tuple[str, ...]
    left: tuple[str, ...]
    failed: tuple[str, ...]


class Records:
    """The project's state folder (`.onefold/`): the journal, the audit trail, one folder per run."""

    def __init__(self, folder: Path, world: str = "") -> None:
        """Open or make the folder (0700). `world` is the project's: only runs in it count. Raises JournalError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.world = world
        self.journal = Journal(folder / "journal.db")

    def begin(
        self,
        plan: Plan,
        start: Estate,
        who: str,
        rehearsal: bool = False,
        *,
        signed: tuple[Approval, ...] = (),
        snapshot: Any = None,
    ) -> Run:
        """Write down a new run and return it. Its name is the plan's hash with a number.

        The world as it was (`snapshot`) is on disk before the run is: without it no way back could be judged.
        """
        taken = self.journal.firsts()
        name = f"{plan.hash[:12]}-{len([run for run in taken if run.startswith(plan.hash[:12])]) + 1}"
        run = Run(
            name=name, plan=plan, start=start, who=who, begun=datetime.now(UTC), rehearsal=rehearsal,
            world=self.world, signed=signed,
        )  # fmt: skip
        self.write(name, "run.json", run.plain())
        if snapshot is not None:
            self.write(name, SNAPSHOT, snapshot)
        detail = {
            "plan": plan.hash, "who": who, "world": self.world, "order": len(taken) + 1,
            "run": digest(run.plain()), SNAPSHOT: "" if snapshot is None else digest(snapshot),
        }  # fmt: skip
        self.journal.record(name, "intent", detail=detail)
        return run

    def runs(self) -> tuple[str, ...]:
        """Names of the runs of this world, in the order in which they were begun. Raises JournalError."""
        firsts = self.journal.firsts().values()
        # not by the time: a clock that was set back must not make an older run the newest
        ordered = sorted(firsts, key=lambda event: (int(event.detail.get("order", 0)), event.at))
        return tuple(event.run for event in ordered if event.detail.get("world", "") == self.world)

    def of_plan(self, plan: Plan) -> tuple[str, ...]:
        """Names of the runs of this plan in this world, oldest first. Raises JournalError."""
        firsts = self.journal.firsts()
        return tuple(name for name in self.runs() if firsts[name].detail.get("plan") == plan.hash)

    def load(self, name: str) -> Run:
        """The run of this name. Raises InputError when there is none, StaleError when it was changed on disk,
        RefusedError when it belongs to another world.
        """
        path = self.folder_of(name) / "run.json"
        try:
            run = Run.model_validate(parsed(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            if self._first(name):
                raise StaleError(
                    f"{path} cannot be read, and the run was begun: put back the file from a copy"
                ) from error
            raise InputError(f"there is no readable run {name} in {self.folder}: {self._known()}") from error
        if self._first(name).get("run") != digest(run.plain()):
            raise StaleError(f"{path} is not what the journal says was begun: put back the file from a copy")
        if run.world != self.world:
            raise RefusedError(
                f"run {name} is of the world {run.world or 'none'!r}, this project's is {self.world or 'none'!r}: "
                f"what was done there was not done here; {self._known()}"
            )
        return run

    def _first(self, name: str) -> dict[str, Any]:
        """What the journal noted when the run was begun; nothing when it knows no such run."""
        first = self.journal.firsts().get(name)
        return first.detail if first else {}

    def snapshot(self, name: str) -> Any:
        """The world as it was before the run. Raises StaleError when it is not there, or not as it was written."""
        value = self.read(name, SNAPSHOT)
        if value is None or self._first(name).get(SNAPSHOT) != digest(value):
            path = self.folder_of(name) / SNAPSHOT
            raise StaleError(f"{path} is not what the journal says was read: put back the file from a copy")
        return value

    def hold_newest(self, name: str) -> None:
        """Raises RefusedError when a later run has begun steps: this one's states are no longer the world's."""
        names = self.runs()
        for later in names[names.index(name) + 1 :]:
            if any(state != "undone" for state in self.journal.steps(later).values()):
                raise RefusedError(f"run {later} stands on top of {name}: take that one back first")

    def _known(self) -> str:
        names = self.runs()
        return f"there are {', '.join(names[-5:])}" if names else "run 'onefold apply PLAN' first"

    def latest(self) -> str:
        """The name of the newest run. Raises InputError when nothing was ever applied."""
        names = self.runs()
        if not names:
            self._hold_journal()
            raise InputError("nothing was applied in this project yet: run 'onefold apply PLAN' first")
        return names[-1]

    def _hold_journal(self) -> None:
        """Raises StaleError for files of runs of which the journal knows nothing, where it knows none at all."""
        known = self.journal.firsts()
        lost = sorted(path.parent.name for path in self.folder.glob("runs/*/run.json") if path.parent.name not in known)
        if lost:
            raise StaleError(
                f"{self.folder / 'journal.db'} knows nothing of run {lost[0]}, whose files are there: it was killed "
                "before it began ('onefold drift' finds nothing), or the journal was taken away: put back a copy"
            )

    def write(self, run: str, file: str, value: Any) -> Path:
        """A value as canonical JSON in the run's folder, on disk when this returns. Raises JournalError (disk full)."""
        path = self.folder_of(run) / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, canonical(value) + "\n", 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot write {path}: {error.strerror}; nothing further was begun: free space"
            ) from error
        return path

    def read(self, run: str, file: str) -> Any:
        """A value written by `write`; None when it was never written. Raises StaleError when it was damaged since."""
        path = self.folder_of(run) / file
        try:
            return parsed(path.read_text(encoding="utf-8")) if path.exists() else None
        except (OSError, ValueError) as error:
            raise StaleError(f"{path} is not what was written ({error}): put back the file from a copy") from error

    def folder_of(self, run: str) -> Path:
        """The run's own folder."""
        return self.folder / "runs" / run

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Work on the project alone; the claim dies with the process. Raises BusyError."""
        with (self.folder / "claim").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise BusyError(
                    f"another onefold ({file.read().strip()}) works on this project: wait for it to end"
                ) from error
            file.truncate(0)
            file.write(f"process {os.getpid()}")
            file.flush()
            yield

    def status(self, name: str) -> Status:
        """Where a run stands, from its journal alone."""
        run = self.load(name)
        steps = self.journal.steps(name)
        ordered = [step for batch in run.plan.batches() for step in batch]

        def having(*states: EventState | None) -> tuple[str, ...]:
            return tuple(step for step in ordered if steps.get(step) in states)

        done = having("done", "adopted")
        failed, begun = having("failed"), having("intent", "started")
        left = having(None, "undone")
        state = "under way" if failed or begun else _state(self.journal.events(name))
        return Status(run=name, plan=run.plan.hash, state=state, done=done, open=begun, left=left, failed=failed)


def _state(events: Sequence[Event]) -> str:
    """Where a run stands of which no step is open.

    Its last word counts, not the number of steps: after the last one real packets are still to be sent, and on the
    way back the world still to be compared with the snapshot.
    """
    course = [event.state for event in events if not event.step and not event.part]
    return {"done": "applied", "undone": "rolled back"}.get(course[-1], "partly applied")
