"""How long work tells what it does: one line at a time, to whoever listens."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = Callable[[str], None]


def silent(line: str) -> None:
    """Drop the line."""


def printed(line: str) -> None:
    """Print the line to standard error, at once, so that standard output stays for results."""
    print(line, file=sys.stderr, flush=True)
