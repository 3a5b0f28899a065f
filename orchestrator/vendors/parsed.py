"""What a vendor makes of configuration text: nouns with the line they stand on, and every line it cannot explain.

A parser here explains a text by writing it again: it takes the nouns out, writes them as configuration, and compares
the two line by line. A line that does not come back, and an expected line that is not there, becomes Unparsed. So no
line can be dropped silently, whatever the reader overlooks.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import SerializeAsAny

from orchestrator.errors import InputError
from orchestrator.model.base import Noun, Row

_SECRET = re.compile(
    r"(?i)\b((?:password|passwd|passphrase|secret|psk|preshared|key|key-string|authentication-key|community|securityname|"
    r"cipher|irreversible-cipher|simple|plain|clear|md5|sha\d*|hmac-\w+)(?: [05678])?)[ =:]+\S.*"
)

Inert = Callable[["Line"], bool]
"""Says whether a line carries nothing the model knows (clock, logging, remote access): the documented short list."""


class RenderError(InputError):
    """Rows of the estate cannot be written as this vendor's configuration."""


class Unparsed(Noun):
    """A line of a device's configuration that no noun explains, or (`text` begins with "absent:") one that lacks."""

    device: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.device}/{self.file}:{self.line}: {self.text}"


class ParsedRow(NamedTuple):
    """A noun and where it stands."""

    noun: SerializeAsAny[Row]
    file: str
    line: int


class Attribute(Noun):
    """What a configuration says about its device itself, e.g. autonomous_system 65000; the topology is the source."""

    name: str
    value: str
    file: str
    line: int


def text_lines(text: str) -> list[str]:
    """The lines of a text as devices see them: a line feed ends one, and nothing else does.

    `str.splitlines` also ends lines at form feeds, U+0085 and U+2028, so that half a comment could look like a rule.
    """
    return text.split("\n")


def redact(text: str) -> str:
    """A line as it may be shown: what follows a word like password or key is hidden."""
    return _SECRET.sub(r"\1 ******", text)


class Parsed(Noun):
    """Everything read from the texts of one device."""

    rows: tuple[ParsedRow, ...] = ()
    unparsed: tuple[Unparsed, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def nouns(self) -> tuple[Row, ...]:
        """The nouns only."""
        return tuple(row.noun for row in self.rows)

    def __add__(self, other: "Parsed") -> "Parsed":
        """Both together."""
        return Parsed(
            rows=self.rows + other.rows,
            unparsed=self.unparsed + other.unparsed,
            attributes=self.attributes + other.attributes,
        )


class Line(NamedTuple):
    """One meaningful line: its number, the lines of the sections it stands in, its normal form."""

    number: int
    path: tuple[str, ...]
    text: str

    @property
    def place(self) -> tuple[tuple[str, ...], str]:
        """What makes two lines the same."""
        return self.path, self.text


def unexplained(
    device: str, file: str, found: Sequence[Line], written: Sequence[Line], inert: Inert, *, ordered: bool = False
) -> tuple[Unparsed, ...]:
    """The lines of a text (`found`) that the nouns taken from it do not explain (`written`), and those it lacks.

    With `ordered`, lines of one section must also stand in the written order: where the first match decides, the
    same lines in another order are another configuration.
    """
    expected = {line.place for line in written}
    there = {line.place for line in found}
    strange = [line for line in found if line.place not in expected and not inert(line)]
    lacking = [line for line in written if line.place not in there and not inert(line)]
    result = [Unparsed(device=device, file=file, line=line.number, text=redact(line.text)) for line in strange]
    for line in lacking:
        text = "absent: " + " / ".join((*line.path, line.text))
        result.append(Unparsed(device=device, file=file, line=_section_number(found, line.path), text=text))
    if ordered:
        moved = _out_of_order([line for line in found if line.place in expected and not inert(line)], written)
        result += [Unparsed(device=device, file=file, line=line.number, text=redact(line.text)) for line in moved]
    return tuple(sorted(result, key=lambda one: one.line))


def _section_number(found: Sequence[Line], path: tuple[str, ...]) -> int:
    """The number of the line that opens a section, or the nearest one around it that the text has; else 1."""
    opening = {(*line.path, line.text): line.number for line in reversed(found)}
    around = (path[:depth] for depth in range(len(path), 0, -1))
    return next((opening[one] for one in around if one in opening), 1)


def _out_of_order(found: Iterable[Line], written: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a section that stand before a line they should follow, and every repetition."""
    rank = {line.place: number for number, line in enumerate(written)}
    reached: dict[tuple[str, ...], int] = {}
    for line in found:
        if rank[line.place] <= reached.get(line.path, -1):
            yield line
        reached[line.path] = max(reached.get(line.path, -1), rank[line.place])


def matches(*patterns: str) -> Inert:
    """Inert lines told by full-match patterns on the line, or on the outermost section it stands in."""
    compiled = tuple(re.compile(pattern) for pattern in patterns)

    def inert(line: Line) -> bool:
        head = line.path[0] if line.path else line.text
        return any(pattern.fullmatch(head) for pattern in compiled)

    return inert


def one_line(text: str, where: str, limit: int = 200) -> str:
    """A free text as it may stand in a configuration line. Raises RenderError when it cannot."""
    if text != " ".join(text.split()) or not text.isprintable() or len(text.encode()) > limit:
        raise RenderError(
            f"{where}: {text!r} cannot be written: use one line of single-spaced printable text, at most {limit} bytes"
        )
    return text
