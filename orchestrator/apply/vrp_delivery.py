"""One delivery to one VRP device from login to saved configuration: what the Ansible module `vrp_config` does."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from orchestrator.apply.vrp import Kind, PushResult, Session, lines_towards, rehearse
from orchestrator.apply.vrp_connection import Target
from orchestrator.errors import DeviceError, InputError
from orchestrator.model.base import Noun
from orchestrator.vendors.huawei_vrp.settings import LineRefusedError
from orchestrator.vendors.huawei_vrp.tree import redact


class DryRunError(DeviceError):
    """A dry run that cannot be honoured: what the lines do is known to the device alone."""


class Order(Noun):
    """What a device shall get: a whole configuration text, or lines typed at the system view."""

    want: str | None = None
    lines: tuple[str, ...] = ()
    kind: Kind
    whole: bool = False
    """Whether `want` is all of the configuration; else the box's own management stays as it is."""
    save: bool = True
    trial_seconds: int | None = None
    """VRP8 only: commit on trial, log in anew to see that the device still answers, then confirm."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.want is None) == (not self.lines):
            raise ValueError("give either want or lines")
        return self


class Delivery(Noun):
    """What was delivered, or in a dry run what would be."""

    result: PushResult
    saved: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything on the device is, or in a dry run would be, another than before."""
        return self.result.changed or self.saved


def read_password(file: Path) -> str:
    """Read a password from a file. Raises InputError when it is absent, empty, or others may read it.

    A file and not a variable of the environment: ansible-runner writes the whole environment to its artifacts.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file: write the password there, with mode 0600")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise InputError(f"{file}: others may read the password: chmod 600 {file}")
    password = file.read_text().rstrip("\r\n")
    if not password:
        raise InputError(f"{file}: empty: write the password there")
    return password


def deliver(target: Target, order: Order) -> Delivery:
    """Push, confirm a trial only after a second login has succeeded, save. Raises what Session raises."""
    with Session(target, order.kind) as session:
        if order.want is not None:
            result = session.push_text(order.want, whole=order.whole, trial_seconds=order.trial_seconds)
        else:
            result = session.push(order.lines, trial_seconds=order.trial_seconds)
        if result.trial_seconds is not None:
            with Session(target, order.kind) as second:
                second.read_configuration()
            session.confirm(result)
        return Delivery(result=result, saved=order.save and session.save())


def preview(target: Target, order: Order) -> Delivery:
    """Say what `deliver` would do; the device is only read. Raises DryRunError when that cannot be known."""
    with Session(target, order.kind) as session:
        before = session.read_configuration()
        unsaved = order.save and not session.is_saved()
    try:
        lines: Sequence[str] = order.lines
        if order.want is not None:
            lines = lines_towards(before, order.want, whole=order.whole)
        after = rehearse(before, lines)
    except LineRefusedError as refused:
        raise DryRunError(
            f"{target.host}: {redact(str(refused))} A dry run cannot tell what the device would do: "
            "correct the line, or push it without check mode"
        ) from refused
    return Delivery(result=PushResult(lines=tuple(lines), before=before, after=after), saved=unsaved)
