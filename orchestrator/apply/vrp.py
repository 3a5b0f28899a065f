"""Configuration onto Huawei VRP devices: difference before, stop at the first refused line, read back after.

VRP5 carries out each line at once, so a refused line is followed by the way back to the configuration before.
VRP8 collects a candidate and commits it whole, on trial if asked: unless confirmed in time, or when the session
ends, the device itself returns to the configuration before.
"""

import difflib
import re
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, Self

from orchestrator.apply.vrp_connection import Connection, Reply, SessionLostError, Target, connect
from orchestrator.errors import DeviceError, InputError, PartlyAppliedError, SurpriseError
from orchestrator.model.base import Noun
from orchestrator.vendors.huawei_vrp.current import carry
from orchestrator.vendors.huawei_vrp.diff import DifferenceError, difference
from orchestrator.vendors.huawei_vrp.display import show
from orchestrator.vendors.huawei_vrp.settings import LineRefusedError, Settings, apply_lines, comparable, load, same
from orchestrator.vendors.huawei_vrp.tree import redact

Kind = Literal["vrp5", "vrp8"]

_ERROR = re.compile(r"(?m)^\s*(Error:.*|Error\b.*)$")
_SAVE_SECONDS = 120.0  # flash memory of access routers is slow


class RejectedLineError(DeviceError):
    """The device refused a line. Its configuration is the one before the push."""


class PushResult(Noun):
    """What a push did. Texts are configurations as the device shows them."""

    lines: tuple[str, ...]
    before: str
    after: str
    surplus: tuple[str, ...] = ()
    """Settings that the device added by itself, each as ``view / line``."""
    verified: bool = True
    """Whether every wanted change was found in the configuration read back; False for lines outside the grammar."""
    trial_seconds: int | None = None

    @property
    def changed(self) -> bool:
        """Whether the configuration is another one now."""
        return not same(self.before, self.after)

    @property
    def difference(self) -> str:
        """Unified difference of before and after, order aside, secrets replaced; empty without a change."""
        return unified(self.before, self.after)


def unified(before: str, after: str) -> str:
    """The unified difference of two configurations, order aside, secrets replaced."""
    old, new = (redact(show(_ordered(load(text)))).splitlines() for text in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))


def _ordered(settings: Settings) -> Settings:
    return {line: _ordered(settings[line]) for line in sorted(settings)}


def rehearse(before: str, lines: Iterable[str]) -> str:
    """The configuration that lines lead to, without a device.

    Raises LineRefusedError for a line that the device would refuse or that the grammar does not know: a rehearsal
    that cannot be honoured fails.
    """
    return apply_lines(before, lines)


def lines_towards(before: str, want: str, *, whole: bool = False) -> tuple[str, ...]:
    """The lines that lead from a configuration to a wanted one.

    Unless `want` is the `whole` configuration, what it does not say of the box's own management (users, SSH, virtual
    terminals, time, SNMP, log) stays: without it a push would lock everybody out. Raises LineRefusedError,
    DifferenceError, ConfigurationTextError.
    """
    ended = want.rstrip() + "\n"
    return difference(before, ended if whole else carry(before, ended))


class Session:
    """A persistent session on one device; use it as a context manager."""

    def __init__(self, target: Target, kind: Kind) -> None:
        """Log in. Raises InputError, HostKeyError, UnreachableError, DeviceError."""
        self._target, self._kind = target, kind
        self._connection: Connection = connect(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; a trial that was not confirmed ends with it."""
        self._connection.disconnect()

    def read_configuration(self) -> str:
        """The running configuration as the device shows it."""
        return self._send("display current-configuration").text

    def push_text(self, want: str, *, whole: bool = False, trial_seconds: int | None = None) -> PushResult:
        """Make the running configuration say what `want` says (see `push` and `lines_towards`)."""
        before = self.read_configuration()
        return self._push(before, lines_towards(before, want, whole=whole), trial_seconds)

    def push(self, lines: Iterable[str], *, trial_seconds: int | None = None) -> PushResult:
        """Carry lines out, typed at the system view; nothing is sent when they change nothing.

        With `trial_seconds` (60 to 65535, VRP8 only) the change ends by itself unless `confirm` is called in time.
        Raises RejectedLineError (nothing remains of the push), PartlyAppliedError (something does),
        SurpriseError (the device took the lines and shows something else), SessionLostError.
        """
        cleaned = tuple(" ".join(line.split()) for line in lines)
        return self._push(self.read_configuration(), tuple(filter(_sent, cleaned)), trial_seconds)

    def confirm(self, result: PushResult) -> None:
        """Keep a configuration on trial. Raises SurpriseError when the trial had already ended, or goes on."""
        try:
            for line in ("system-view", "commit", "return"):
                self._accepted(line)
        except RejectedLineError as refused:
            # until its end it shows what is wanted: reading alone would take it for kept
            raise SurpriseError(
                f"{self._target.host}: the trial was not confirmed and ends by itself: {refused}: push again"
            ) from refused
        if not same(self.read_configuration(), result.after):
            raise SurpriseError(f"{self._target.host}: the trial ended before it was confirmed: push again")

    def abort_trial(self) -> None:
        """Return to the configuration before the trial at once. Raises RejectedLineError."""
        for line in ("system-view", "abort trial", "return"):
            self._accepted(line)

    def save(self) -> bool:
        """Make the running configuration the one after a restart, and read it back; False when it already was.

        Raises DeviceError when the device refuses, SurpriseError when the saved configuration differs.
        """
        if self.is_saved():
            return False
        reply = self._send("save", _SAVE_SECONDS)
        for _ in range(3):
            if reply.question:
                reply = self._send("y", _SAVE_SECONDS)
        if _ERROR.search(reply.text) or reply.question:
            raise DeviceError(f"{self._target.host}: the configuration was not saved: {reply.text.strip()!r}")
        if not self.is_saved():
            raise SurpriseError(f"{self._target.host}: the saved configuration is not the running one: save again")
        return True

    def is_saved(self) -> bool:
        """Whether a restart would bring the running configuration back."""
        return same(self._send("display saved-configuration").text, self.read_configuration())

    # The push ----------------------------------------------------------------------------------------------

    def _push(self, before: str, lines: tuple[str, ...], trial_seconds: int | None) -> PushResult:
        if trial_seconds is not None and self._kind == "vrp5":
            raise InputError(f"{self._target.host}: VRP5 has no trial commit: push without trial_seconds")
        expected = _foreseen(before, lines)
        if not lines or (expected is not None and same(before, expected)):
            return PushResult(lines=(), before=before, after=before)
        try:
            self._type(lines)
            self._commit(trial_seconds)
        except RejectedLineError as rejected:
            self._back_out(before)
            raise RejectedLineError(
                f"{self._target.host}: {rejected}; nothing of this push remains: correct the line and push again"
            ) from rejected
        after = self.read_configuration()
        return PushResult(
            lines=lines,
            before=before,
            after=after,
            surplus=self._compare(before, expected, after),
            verified=expected is not None,
            trial_seconds=trial_seconds,
        )

    def _type(self, lines: tuple[str, ...]) -> None:
        self._send("system-view")
        for number, line in enumerate(lines, start=1):
            try:
                self._accepted(line)
            except SessionLostError as lost:
                raise SessionLostError(
                    f"{lost} (line {number} of {len(lines)}): read the configuration before you push again"
                ) from lost

    def _commit(self, trial_seconds: int | None) -> None:
        if self._kind == "vrp8":
            self._accepted("commit" if trial_seconds is None else f"commit trial {trial_seconds}")
        self._send("return")

    def _accepted(self, line: str) -> None:
        """Send a line of a push; raise RejectedLineError when the answer is an error."""
        reply = self._send(line)
        if reply.question:
            # `undo bgp` and the like ask whether one is sure; the plan was proved and approved before.
            reply = self._send("y")
        error = _ERROR.search(reply.text)
        if error:
            raise RejectedLineError(f"{redact(line)!r} refused: {error[1].strip()}")

    def _back_out(self, before: str) -> None:
        """Leave the views, drop the candidate or undo what was carried out, and see that nothing remains."""
        if self._kind == "vrp8":
            self._send("clear configuration candidate")
        if self._send("return").question:
            self._send("n")
        now = self.read_configuration()
        if same(now, before):
            return
        try:
            self._type(difference(now, before))
            self._send("return")
        except (RejectedLineError, LineRefusedError, DifferenceError) as error:
            raise self._partly(before, error) from error
        if not same(self.read_configuration(), before):
            raise self._partly(before, None)

    def _partly(self, before: str, error: DeviceError | None) -> PartlyAppliedError:
        was, now = (_flat(comparable(load(text))) for text in (before, self.read_configuration()))
        return PartlyAppliedError(
            f"{self._target.host}: a refused line could not be undone ({error or 'the read-back differs'}); "
            f"{len(was ^ now)} settings differ: compare the configuration with the snapshot and restore it"
        )

    def _compare(self, before: str, expected: str | None, after: str) -> tuple[str, ...]:
        """What the device added by itself. Raises SurpriseError when a wanted change is not there."""
        if expected is None:
            return ()
        was, want, now = (_flat(comparable(load(text))) for text in (before, expected, after))
        amiss = sorted((want - was - now) | ((was - want) & now))
        if amiss:
            raise SurpriseError(
                f"{self._target.host}: the device took the lines, and {redact(amiss[0])!r} is not as wanted "
                f"({len(amiss)} settings): look at the device before you go on"
            )
        return tuple(sorted(redact(setting) for setting in now - want))

    def _send(self, line: str, seconds: float | None = None) -> Reply:
        try:
            return self._connection.exchange(line, seconds or self._target.answer_seconds)
        except SessionLostError as lost:
            raise SessionLostError(f"{self._target.host}: {lost}") from lost
        except DeviceError as error:
            raise DeviceError(f"{self._target.host}: {error}: look at the device") from error


def _sent(line: str) -> bool:
    return line not in ("", "#")


def _foreseen(before: str, lines: tuple[str, ...]) -> str | None:
    """The configuration that lines should lead to, or None when only the device can say."""
    try:
        return rehearse(before, lines)
    except LineRefusedError:
        return None


def _flat(settings: Settings, path: str = "") -> set[str]:
    """Every setting with the views it stands in, as ``view / line``."""
    found: set[str] = set()
    for line, children in settings.items():
        found |= {path + line} | _flat(children, f"{path}{line} / ")
    return found
