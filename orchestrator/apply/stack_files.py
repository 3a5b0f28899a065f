"""What a stack kept in a folder says by its files: read here, where each question to the engine is a start of it.

The folder belongs to the engine. Whatever is not found there, or not in this form, is asked of the engine itself.
"""

import json
from pathlib import Path
from typing import Any

PROJECT = "onefold"
_SCHEME = "file://"


def state_file(stack: str, backend: str) -> Path | None:
    """Where the engine keeps the state of a stack; None when it is kept elsewhere than in a folder."""
    root = _root(backend)
    return root and root / "stacks" / PROJECT / f"{stack}.json"


def is_there(stack: str, backend: str) -> bool | None:
    """Whether a folder holds a state of the stack (False: none of this form); None where only the engine knows."""
    file = state_file(stack, backend)
    return None if file is None else file.is_file()


def may_be_locked(stack: str, backend: str) -> bool:
    """Whether somebody may hold the stack: False only where a folder shows that nobody does."""
    root = _root(backend)
    return root is None or any((root / "locks").glob(f"**/{stack}/*"))


def deployment(stack: str, backend: str) -> dict[str, Any] | None:
    """What the state holds ("resources", "pending_operations"); None when the engine has to be asked."""
    file = state_file(stack, backend)
    try:
        checkpoint = json.loads(file.read_text(encoding="utf-8"))["checkpoint"] if file else None
        found = checkpoint and (checkpoint.get("latest") or {})
        return found if isinstance(found, dict) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # the engine writes it in place: half a state is told by its own words


def _root(backend: str) -> Path | None:
    return Path(backend.removeprefix(_SCHEME)) / ".pulumi" if backend.startswith(_SCHEME) else None
