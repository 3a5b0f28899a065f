"""The two folders of the lab: what is downloaded or built once, and what a running lab changes."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.apply import engine


def cache() -> Path:
    """Return the folder of everything downloaded or built (``ONEFOLD_CACHE``, default ``~/.cache/onefold``)."""
    return engine.cache()


def state() -> Path:
    """Return the folder of the running lab's state (``ONEFOLD_LAB``, default ``~/.local/state/onefold/lab``)."""
    # absolute: databases refuse relative folders
    folder = Path(os.environ.get("ONEFOLD_LAB") or "~/.local/state/onefold/lab").expanduser().absolute()
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    return folder
