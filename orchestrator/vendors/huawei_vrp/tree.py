"""Huawei VRP configuration text as nested sections.

VRP shows a configuration as sections parted by ``#``; a line belongs to the nearest line above it that is
indented less (one space per view), and ``return`` ends the text. Line numbers are kept, so that every later
message can say file:line.
"""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from orchestrator.errors import InputError
from orchestrator.model.base import Noun
from orchestrator.vendors.parsed import text_lines

_SECRET = re.compile(
    r"(?i)\b((?:irreversible-cipher|cipher|simple|plain|community (?:read|write)|password|pass-phrase|psk|key|"
    r"key-string|secret|md5|sha\d*(?:-\d+)?|hmac-[\w-]+|3?des\d*(?:-cbc)?|aes\d*) +"
    r"(?:(?:irreversible-cipher|cipher|simple|plain|usual|nonstandard|pass-phrase|\d{1,3}) +)*)(\S+)"
)


class ConfigurationTextError(InputError):
    """A configuration text cannot be read as nested VRP sections."""


class Section(Noun):
    """One configuration line with the lines below it."""

    line: Annotated[str, Field(min_length=1)]
    number: Annotated[int, Field(ge=1)]
    sections: tuple["Section", ...] = ()

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Section"]]:
        """Yield this section and everything below it, each with the lines of the views it stands in."""
        yield path, self
        for section in self.sections:
            yield from section.walk((*path, self.line))


class _Draft:
    """A section while its lines are still being read."""

    def __init__(self, line: str, number: int, depth: int) -> None:
        self.line, self.number, self.depth = line, number, depth
        self.drafts: list[_Draft] = []

    def section(self) -> Section:
        return Section(line=self.line, number=self.number, sections=tuple(draft.section() for draft in self.drafts))


def parse(text: str) -> tuple[Section, ...]:
    """Read a configuration as `display current-configuration` prints it into its top-level sections.

    Blank lines, ``!`` comment lines (``!Software Version ...``) and the closing ``return`` carry no configuration; a
    ``#`` ends the sections that are indented as far as itself. Raises ConfigurationTextError for a line in the middle
    of a section whose opening is missing: it would be taken for a part of another one.
    """
    top = _Draft("", 0, -1)
    stack = [top]
    for number, raw in enumerate(text_lines(text), start=1):
        line = raw.strip()
        if not line or line.startswith("!") or raw.rstrip() == "return":
            continue
        depth = len(raw) - len(raw.lstrip())
        while stack[-1].depth >= depth:
            stack.pop()
        if line.startswith("#"):
            continue
        if stack[-1] is top and depth > 0:
            raise ConfigurationTextError(
                f"line {number}: {redact(line)!r} is indented but stands in no view: "
                "export the whole configuration again"
            )
        draft = _Draft(" ".join(line.split()), number, depth)
        stack[-1].drafts.append(draft)
        stack.append(draft)
    return tuple(draft.section() for draft in top.drafts)


def redact(text: str) -> str:
    """Return the text with every password, key and community replaced, for messages and reports."""
    return _SECRET.sub(r"\1******", text)
