"""The command line of the emulated VRP box: modes, prompts, questions and answers, without any transport.

The texts follow the vendor's where they are known; the emulator is a test aid and says so in `display version`.
"""

import copy
import re
from collections.abc import Callable
from typing import NamedTuple

from lab.vrp_box import Box
from lab.vrp_prompts import view_name
from orchestrator.vendors.huawei_vrp.diff import difference
from orchestrator.vendors.huawei_vrp.display import show
from orchestrator.vendors.huawei_vrp.settings import LineRefusedError, Path, Settings, execute

_UNRECOGNIZED = "Error: Unrecognized command found at '^' position."
_UNCOMMITTED = (
    "Warning: Uncommitted configurations found. Are you sure to commit them before exiting? [Y(yes)/N(no)/C(cancel)]:"
)
_RELEASES = {"vrp5": "5.170 (AR2200 V300R019C10)", "vrp8": "8.180 (CE6850 V200R005C10)"}


class Answer(NamedTuple):
    """What the box writes after a line; a question takes the next line instead of a prompt."""

    text: str = ""
    question: str = ""
    close: bool = False


class Terminal:
    """One operator's session."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.configuring = False
        self.path: Path = ()
        self.candidate: Settings | None = None
        self.lines: list[tuple[Path, str]] = []
        self.screen_length = 24
        self._reply: Callable[[str], Answer] | None = None

    @property
    def prompt(self) -> str:
        """``<SW>``, ``[SW-Vlanif10]``, and for two-stage commit ``[~SW]`` or, with changes pending, ``[*SW]``."""
        if not self.configuring:
            return f"<{self.box.name}>"
        mark = "" if self.box.kind == "vrp5" else "*" if self.lines else "~"
        return f"[{mark}{self.box.name}{view_name(self.path)}]"

    def close(self) -> None:
        """The session ended, in whatever way: its candidate is gone and its trial, unless persistent, ends."""
        if self.box.trial and self.box.trial.owner is self and not self.box.trial.persistent:
            self.box.end_trial()

    def handle(self, typed: str) -> Answer:
        """Carry out one line."""
        if self._reply is not None:
            reply, self._reply = self._reply, None
            return reply(typed.strip().lower())
        line = " ".join(typed.split())
        for pattern, action in _ACTIONS:
            found = pattern.fullmatch(line)
            if found is not None:
                answer = action(self, found)
                if answer is not None:
                    return answer
        return self._configure(typed, line) if self.configuring else self._wrong(typed, _UNRECOGNIZED, 0)

    # Configuring -------------------------------------------------------------------------------------------

    def _settings(self) -> Settings:
        return self.box.running if self.candidate is None else self.candidate

    def _configure(self, typed: str, line: str) -> Answer:
        if self.box.trial and self.box.trial.owner is not self:
            return Answer("Error: The system is in the trial running state. The configuration is locked.")
        try:
            if self.box.kind == "vrp5":
                self.path = self.box.change(self.path, line)
            else:
                self._draft(line)
        except LineRefusedError as refused:
            return self._wrong(typed, refused.message, refused.position)
        return Answer()

    def _draft(self, line: str) -> None:
        candidate = copy.deepcopy(self._settings())
        path = execute(candidate, self.path, line)
        if candidate != self._settings():
            self.lines.append((self.path, line))
            self.candidate = candidate
        self.path = path

    def _wrong(self, typed: str, message: str, position: int | None) -> Answer:
        """An error with the caret below the word at fault."""
        if position is None:
            return Answer(message)
        starts = [found.start() for found in re.finditer(r"\S+", typed)]
        column = starts[position] if position < len(starts) else len(typed.rstrip()) + 1
        return Answer(f"{' ' * (len(self.prompt) + column)}^\n{message}")

    def _leave(self, *, to_top: bool) -> Answer:
        if self.path and not to_top:
            self.path = self.path[:-1]
            return Answer()
        if self.lines:
            return self._ask(_UNCOMMITTED, self._leave_uncommitted)
        self.configuring, self.path = False, ()
        return Answer()

    def _leave_uncommitted(self, reply: str) -> Answer:
        if reply in ("c", "cancel"):
            return Answer()
        answer = self._commit() if reply in ("y", "yes") else Answer()
        if answer.text.startswith("Error"):
            return answer
        self._forget()
        self.configuring, self.path = False, ()
        return answer

    def _forget(self) -> None:
        self.candidate, self.lines = None, []

    def _ask(self, question: str, reply: Callable[[str], Answer]) -> Answer:
        self._reply = reply
        return Answer(question=question)

    # Two-stage commit --------------------------------------------------------------------------------------

    def _commit(self, trial: int | None = None, *, persistent: bool = False) -> Answer:
        if self.box.trial:
            return self._confirm(trial)
        try:
            if trial is None:
                self.box.commit(self.lines)
            else:
                self.box.begin_trial(self.lines, trial, self, persistent=persistent)
        except LineRefusedError as refused:
            return Answer(f"Error: Failed to commit {refused.line!r}. {refused.message.removeprefix('Error: ')}")
        self._forget()
        if trial is None:
            return Answer()
        return Answer(f"Info: The trial configuration returns to the one before in {trial} seconds unless committed.")

    def _confirm(self, trial: int | None) -> Answer:
        if trial is not None or self.lines:
            return Answer("Error: The system is in the trial running state.")
        self.box.confirm()
        return Answer()

    def _abort_trial(self, reply: str) -> Answer:
        if reply in ("y", "yes"):
            self.box.end_trial()
        return Answer()

    def _save(self, reply: str) -> Answer:
        if reply not in ("y", "yes"):
            return Answer()
        self.box.save()
        return Answer("Now saving the current configuration to the slot 0.\nSave the configuration successfully.")

    # Displaying --------------------------------------------------------------------------------------------

    def _display(self, what: str) -> Answer | None:
        texts: dict[str, Callable[[], str]] = {
            "current-configuration": lambda: show(self.box.running),
            "saved-configuration": lambda: self.box.saved,
            "version": self._version,
            "this": lambda: show(_view(self._settings(), self.path)),
            "configuration candidate": lambda: "\n".join(difference(show(self.box.running), show(self._settings()))),
            "configuration candidate merge": lambda: show(self._settings()),
            "configuration trial status": lambda: f"Trial status: {'active' if self.box.trial else 'inactive'}",
        }
        if what not in texts or (self.box.kind == "vrp5" and what.startswith("configuration ")):
            return None
        return Answer(texts[what]().rstrip("\n"))

    def _version(self) -> str:
        return (
            "Huawei Versatile Routing Platform Software\n"
            f"VRP (R) software, Version {_RELEASES[self.box.kind]}\n"
            "This command line is emulated for tests. It is not a Huawei device and forwards no packet."
        )


def _view(settings: Settings, path: Path) -> Settings:
    """The part of a configuration that `display this` shows."""
    return {path[0]: _view(settings[path[0]], path[1:])} if path else settings


def _system_view(terminal: Terminal, _: re.Match[str]) -> Answer | None:
    if terminal.configuring:
        return None
    terminal.configuring = True
    return Answer("Enter system view, return user view with Ctrl+Z.")


def _quit(terminal: Terminal, _: re.Match[str]) -> Answer:
    return terminal._leave(to_top=False) if terminal.configuring else Answer(close=True)


def _return(terminal: Terminal, _: re.Match[str]) -> Answer | None:
    return terminal._leave(to_top=True) if terminal.configuring else None


def _screen(terminal: Terminal, found: re.Match[str]) -> Answer:
    terminal.screen_length = int(found[1])
    return Answer("Info: The configuration takes effect on the current user terminal interface only.")


def _save(terminal: Terminal, found: re.Match[str]) -> Answer | None:
    if terminal.configuring:
        return None
    if found[1]:
        return terminal._save("y")
    return terminal._ask(
        "The current configuration will be written to the device.\nAre you sure to continue? [Y/N]:", terminal._save
    )


def _commit(terminal: Terminal, found: re.Match[str]) -> Answer | None:
    if terminal.box.kind == "vrp5" or not terminal.configuring:
        return None
    if not found["trial"]:
        return terminal._commit()
    seconds = int(found["seconds"] or 600)
    if not 60 <= seconds <= 65535:
        return terminal._wrong(found[0], "Error: Wrong parameter found at '^' position.", 2)
    return terminal._commit(seconds, persistent=bool(found["persist"]))


def _abort(terminal: Terminal, _: re.Match[str]) -> Answer | None:
    if terminal.box.kind == "vrp5" or not terminal.configuring:
        return None
    if not terminal.box.trial:
        return Answer("Error: The system is not in the trial running state.")
    return terminal._ask("Warning: The trial configuration will be cancelled. Continue? [Y/N]:", terminal._abort_trial)


def _clear(terminal: Terminal, _: re.Match[str]) -> Answer | None:
    if terminal.box.kind == "vrp5" or not terminal.configuring:
        return None
    terminal._forget()
    terminal.path = ()
    return Answer()


_ACTIONS: tuple[tuple[re.Pattern[str], Callable[[Terminal, re.Match[str]], Answer | None]], ...] = (
    (re.compile(r"|#"), lambda _terminal, _found: Answer()),
    (re.compile(r"screen-length (\d+) temporary"), _screen),
    (re.compile(r"display (.+)"), lambda terminal, found: terminal._display(found[1])),
    (re.compile(r"system-view"), _system_view),
    (re.compile(r"quit"), _quit),
    (re.compile(r"return|\x1a"), _return),
    (re.compile(r"save( force)?"), _save),
    (re.compile(r"commit(?P<trial> trial(?: (?P<seconds>\d+))?(?P<persist> persist \S+)?)?"), _commit),
    (re.compile(r"abort trial"), _abort),
    (re.compile(r"clear configuration candidate"), _clear),
)
