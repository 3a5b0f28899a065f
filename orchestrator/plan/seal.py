"""The plan file: canonical JSON with its SHA-256. A changed byte is refused."""

import contextlib
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import SealError
from orchestrator.model.base import digest, parsed
from orchestrator.model.plan import PLAN_FORMAT, Plan

AGAIN = "run 'onefold plan' again, or fetch the file that was approved"


def save(plan: Plan, path: Path) -> None:
    """Write the plan file, whole or not at all; others may read it, who have to sign it.

    Raises SealError when the folder cannot be written, or `path` is something else than a file: what is put in the
    place of /dev/null or of a pipe would be missed by everybody.
    """
    if path.exists() and not path.is_file():
        raise SealError(f"{path}: there is something that is no file: choose another place with --out")
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(plan.text())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise SealError(
            f"{path}: the plan cannot be written ({error.strerror}): choose another place with --out"
        ) from error


def load(path: Path) -> Plan:
    """The plan of a file whose seal fits. Raises SealError, naming the file and the next move."""
    try:
        text = path.read_bytes().decode("utf-8")  # as text, other ends of lines would pass for those written
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"{path}: not readable as a plan file ({error}): {AGAIN}") from error
    content = _content(path, text)
    if content["plan"].get("format") != PLAN_FORMAT:
        raise SealError(
            f"{path}: plan format {content['plan'].get('format')!r}, this version reads {PLAN_FORMAT}: "
            "use the version that wrote it, or run 'onefold plan' again"
        )
    if digest(content["plan"]) != content["seal"]:
        raise SealError(f"{path}: the seal does not fit, the file was changed after it was written: {AGAIN}")
    plan = _plan(path, content["plan"])
    if plan.text() != text:
        raise SealError(f"{path}: not in the form in which plans are written, the file was changed: {AGAIN}")
    return plan


def _content(path: Path, text: str) -> dict[str, Any]:
    try:
        content = parsed(text)
    except ValueError as error:
        raise SealError(f"{path}: not a plan file, {error}: {AGAIN}") from error
    whole = isinstance(content, dict) and content.keys() == {"plan", "seal"} and isinstance(content["plan"], dict)
    if not whole:
        raise SealError(f"{path}: not a plan file, it does not hold a plan and its seal: {AGAIN}")
    return dict(content)


def _plan(path: Path, value: dict[str, Any]) -> Plan:
    try:
        return Plan.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SealError(f"{path}: sealed, but not a plan of this version ({where}: {first['msg']}): {AGAIN}") from error
