"""Calling the command inside the test's process."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.cli import main


@dataclass(frozen=True)
class Said:
    """What a call printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as exactly one JSON object."""
        answer = json.loads(self.out)
        assert isinstance(answer, dict)
        return answer

    @property
    def error(self) -> str:
        """What stopped the call, without progress lines."""
        return "\n".join(line for line in self.err.splitlines() if not line.startswith("["))


class Onefold:
    """`onefold(...)` with what it said; each word may be a path."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *words: object) -> Said:
        self._capture.readouterr()
        code = main([str(word) for word in words])
        out, err = self._capture.readouterr()
        return Said(code, out, err)
