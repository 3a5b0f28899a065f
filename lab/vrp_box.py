"""The emulated VRP box: running and saved configuration, their files, and the trial of a two-stage commit."""

import asyncio
import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from orchestrator.vendors.huawei_vrp.display import show
from orchestrator.vendors.huawei_vrp.settings import Path as ViewPath
from orchestrator.vendors.huawei_vrp.settings import Settings, execute, load

Kind = Literal["vrp5", "vrp8"]


class Trial(NamedTuple):
    """A committed configuration that returns to the one before unless it is confirmed in time."""

    before: Settings
    owner: object
    persistent: bool
    timer: asyncio.TimerHandle


class Box:
    """One device. `running` is in force and mirrored to a file on every change; `saved` survives a loss of power."""

    def __init__(self, kind: Kind, state: Path, first: str, *, cold_boot: bool = False, pace: float = 1.0) -> None:
        """Start from the files in `state`, or from the text `first` when there are none.

        `cold_boot` starts from the saved configuration as after a loss of power. `pace` is the length of a second of
        the trial timer in real seconds. Raises ConfigurationTextError for a text that is no configuration.
        """
        self.kind, self.pace = kind, pace
        self._running_file, self._saved_file = state / "running.cfg", state / "saved.cfg"
        if not self._saved_file.exists():
            _write(self._saved_file, show(load(first)))
        self.saved = self._saved_file.read_text()
        warm = self._running_file.exists() and not cold_boot
        self.running = load(self._running_file.read_text() if warm else self.saved)
        self.trial: Trial | None = None
        self.hang_up: set[Callable[[], None]] = set()
        self.mirror()

    @property
    def name(self) -> str:
        """The system name that the prompt shows."""
        return next((line.split()[1] for line in self.running if line.startswith("sysname ")), "HUAWEI")

    def mirror(self) -> None:
        """Write what a restarted box would run: during a trial that is the configuration before it."""
        _write(self._running_file, show(self.trial.before if self.trial else self.running))

    def change(self, path: ViewPath, line: str) -> ViewPath:
        """Carry out one line at once (VRP5). Raises LineRefusedError as the box would."""
        after = execute(self.running, path, line)
        self.mirror()
        return after

    def commit(self, lines: list[tuple[ViewPath, str]]) -> None:
        """Carry out the lines of a candidate together or not at all. Raises LineRefusedError."""
        running = copy.deepcopy(self.running)
        for path, line in lines:
            execute(running, path, line)
        self.running = running
        self.mirror()

    def begin_trial(self, lines: list[tuple[ViewPath, str]], seconds: int, owner: object, *, persistent: bool) -> None:
        """Commit lines on trial; without `confirm` the box returns to the configuration before."""
        before = copy.deepcopy(self.running)
        self.commit(lines)
        timer = asyncio.get_running_loop().call_later(seconds * self.pace, self.end_trial)
        self.trial = Trial(before, owner, persistent, timer)
        self.mirror()

    def confirm(self) -> None:
        """Keep the configuration on trial."""
        if self.trial:
            self.trial.timer.cancel()
            self.trial = None
            self.mirror()

    def end_trial(self) -> None:
        """Return to the configuration before the trial."""
        if self.trial:
            self.trial.timer.cancel()
            self.running, self.trial = self.trial.before, None
            self.mirror()

    def save(self) -> None:
        """Make the running configuration the one that a loss of power leaves."""
        self.saved = show(self.running)
        _write(self._saved_file, self.saved, durable=True)

    def lose_power(self) -> None:
        """End every session and start from the saved configuration."""
        self.confirm()
        for hang_up in list(self.hang_up):
            hang_up()
        self.running = load(self.saved)
        self.mirror()


def _write(file: Path, text: str, *, durable: bool = False) -> None:
    """Write a file so that a reader, or a restart after a kill, sees the old or the new text and nothing between."""
    draft = file.with_suffix(".new")
    with draft.open("w") as stream:
        stream.write(text)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    draft.replace(file)
