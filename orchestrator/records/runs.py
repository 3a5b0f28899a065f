"""Runs: one plan on its way into the world. What a resume or a rollback needs is written before the first action."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError, OnefoldError, StaleError
from orchestrator.model.base import Noun, canonical, parsed
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Plan
from orchestrator.records.journal import EventState, Journal, JournalError


class BusyError(OnefoldError):
    """Another process works on this project's runs right now."""

    exit_code = 3


class Run(Noun):
    """One run: its plan, the estate it began with and who began it."""

    name: str
    plan: Plan
    start: Estate
    who: str
    begun: datetime
    rehearsal: bool = False


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

    def __init__(self, folder: Path) -> None:
        """Open or make the folder (0700). Raises JournalError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.journal = Journal(folder / "journal.db")

    def begin(self, plan: Plan, start: Estate, who: str, rehearsal: bool = False) -> Run:
        """Write down a new run and return it. Its name is the plan's hash with a number."""
        taken = len([name for name in self.journal.runs() if name.startswith(plan.hash[:12])])
        name = f"{plan.hash[:12]}-{taken + 1}"
        run = Run(name=name, plan=plan, start=start, who=who, begun=datetime.now(UTC), rehearsal=rehearsal)
        self.write(name, "run.json", run.plain())
        self.journal.record(name, "intent", detail={"plan": plan.hash, "estate": start.digest, "who": who})
        return run

    def load(self, name: str) -> Run:
        """The run of this name. Raises InputError when there is none, StaleError when it was changed on disk."""
        path = self.folder_of(name) / "run.json"
        try:
            run = Run.model_validate(parsed(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"there is no readable run {name} in {self.folder}: {self._known()}") from error
        first = self.journal.events(name)[:1]
        if (
            not first
            or first[0].detail.get("plan") != run.plan.hash
            or first[0].detail.get("estate") != run.start.digest
        ):
            raise StaleError(f"{path} is not what the journal says was begun: put back the file from a copy")
        return run

    def _known(self) -> str:
        names = self.journal.runs()
        return f"there are {', '.join(names[-5:])}" if names else "run 'onefold apply PLAN' first"

    def latest(self) -> str:
        """The name of the newest run. Raises InputError when nothing was ever applied."""
        names = self.journal.runs()
        if not names:
            raise InputError("nothing was applied in this project yet: run 'onefold apply PLAN' first")
        return names[-1]

    def write(self, run: str, file: str, value: Any) -> Path:
        """A value as canonical JSON in the run's folder, on disk when this returns. Raises JournalError (disk full)."""
        path = self.folder_of(run) / file
        fresh = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with fresh.open("w", encoding="utf-8") as stream:
                stream.write(canonical(value) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise JournalError(
                f"cannot write {path}: {error.strerror}; nothing further was begun: free space"
            ) from error
        fresh.replace(path)
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
        backwards = any(not event.step for event in self.journal.events(name, "back"))
        state = _state(len(done), len(ordered), bool(failed or begun), backwards)
        return Status(run=name, plan=run.plan.hash, state=state, done=done, open=begun, left=left, failed=failed)


def _state(done: int, steps: int, unsettled: bool, backwards: bool) -> str:
    if unsettled:
        return "under way"
    if done == steps and not backwards:
        return "applied"
    if done == 0 and backwards:
        return "rolled back"
    return "partly applied"
