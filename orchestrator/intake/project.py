"""The project folder: `onefold.yaml` says where census, topology, configurations, policy and lock lie."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from orchestrator.errors import ProjectError
from orchestrator.intake.documents import Document, read_document
from orchestrator.intake.faults import FaultyInputError, raise_all
from orchestrator.model.base import Noun, parsed
from orchestrator.model.lock import Lock

PROJECT_FILE = "onefold.yaml"


class Report(Noun):
    """How reports are written. `language`: zh, en, or both side by side."""

    language: Literal["zh", "en", "both"] = "both"


class Project(Noun):
    """A project folder as described by its onefold.yaml; paths are relative to the folder."""

    folder: Path = Field(exclude=True)
    name: str = Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")
    title: str = ""
    census: str = "census.xlsx"
    topology: str = "topology.yaml"
    configurations: str = "configs"
    policy: str = "policy.yaml"
    lock: str = "onefold.lock"
    report: Report = Report()
    world: Literal["lab", "real", "none"] = "none"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The project in `folder`. Raises ProjectError when there is none, FaultyInputError for a bad onefold.yaml."""
        if not (folder / PROJECT_FILE).is_file():
            raise ProjectError(
                f"{folder}: no {PROJECT_FILE} here: use -C DIR, or make a project with 'onefold init {folder}'"
            )
        document = read_document(folder / PROJECT_FILE, PROJECT_FILE, "project")
        if not isinstance(document.data, dict):
            raise FaultyInputError([document.fault((), "no settings in the file", "add at least a name")])
        raise_all(
            document.fault((key,), f"{key!r} leads out of the project folder", "use a path below the folder")
            for key in ("census", "topology", "configurations", "policy", "lock")
            if not _stays_inside(folder, str(document.data.get(key, "")))
        )
        return cls._validated(document, folder)

    @classmethod
    def _validated(cls, document: Document, folder: Path) -> Self:
        try:
            return cls.model_validate({**document.data, "folder": folder})
        except ValidationError as error:
            raise FaultyInputError(document.explain(error)) from error

    def path(self, name: str) -> Path:
        """The full path of a file of the project."""
        return self.folder / name

    def read_lock(self) -> Lock:
        """The allocations lock; empty when there is no lock file yet. Raises ProjectError for a file that is none."""
        path = self.path(self.lock)
        if not path.exists():
            return Lock()
        try:
            return Lock(allocations=parsed(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"][1:]) or "the file"
            raise ProjectError(_no_lock(self.lock, f"{place}: {first['msg']}")) from error
        except (OSError, ValueError) as error:  # ValueError: not JSON or not UTF-8
            raise ProjectError(_no_lock(self.lock, " ".join(str(error).split()))) from error

    def write_lock(self, lock: Lock) -> None:
        """Write the lock file, whole or not at all. Raises ProjectError when the folder cannot be written."""
        path = self.path(self.lock)
        fresh = path.with_name(path.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(lock.text())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            raise ProjectError(
                f"{self.lock}: cannot be written ({error.strerror}): make room or give access"
            ) from error


def _no_lock(name: str, reason: str) -> str:
    return f"{name}: not a lock file ({reason}): restore it from version control, it holds what is in use"


def _stays_inside(folder: Path, name: str) -> bool:
    # no path holds a zero byte: the system could not be asked for it
    return "\0" not in name and (folder / name).resolve().is_relative_to(folder.resolve())
