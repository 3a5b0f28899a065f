"""YAML files with the line of every value, so that a fault in them has a place.

Plain values follow the YAML 1.2 core schema where 1.1 surprises people: `22:00` and `2017-12-01` stay text, `no` and
`on` stay text, only `true` and `false` are booleans. A key given twice is a fault, not a silent overwrite.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.intake.faults import FaultyInputError, fault, raise_all
from orchestrator.model.finding import Finding, Where

Position = tuple[str | int, ...]
Shape = TypeVar("Shape", bound=BaseModel)

_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_WORDS: Mapping[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_DEEPEST = 100
"""Levels of values in a file. What people write has ten; the C parser would end the process at some ten thousand."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser where the wheel has it: ten times as fast


class Document:
    """A YAML file: `data` as plain values, and the line of each of them."""

    def __init__(self, name: str, subject: str, data: Any, lines: Mapping[Position, int]) -> None:
        self.name = name
        self.subject = subject
        self.data = data
        self._lines = lines

    def where(self, position: Iterable[str | int] = ()) -> Where:
        """The place of the value at `position`, or of the nearest value around it."""
        at = tuple(position)
        while at and at not in self._lines:
            at = at[:-1]
        return Where(source=self.name, line=self._lines.get(at, 1))

    def fault(self, position: Iterable[str | int], what: str, fix: str) -> Finding:
        """A fault of the value at `position`."""
        return fault(self.subject, self.where(position), what, fix)

    def validate(self, shape: type[Shape], data: Any = None, position: Position = ()) -> Shape:
        """The data (the whole document when None) as `shape`. Raises FaultyInputError: one Finding per bad value."""
        try:
            return shape.model_validate(self.data if data is None else data)
        except ValidationError as error:
            raise FaultyInputError(self.explain(error, position)) from error

    def explain(self, error: ValidationError, position: Position = ()) -> Iterator[Finding]:
        """The bad values of a pydantic error as Findings, placed below `position`."""
        for detail in error.errors():
            what, fix = _explanation(detail)
            yield self.fault((*position, *detail["loc"]), what, fix)


def read_document(path: Path, name: str, subject: str) -> Document:
    """Read one YAML file. `name` is how messages call it, `subject` the reader it belongs to.

    Raises FaultyInputError when the file is missing, is not UTF-8 or YAML, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise FaultyInputError(
            [
                fault(
                    subject,
                    Where(source=name),
                    "the file is missing",
                    f"create it or correct its name in onefold.yaml ({path})",
                )
            ]
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise FaultyInputError(
            [
                fault(
                    subject,
                    Where(source=name),
                    f"the file cannot be read ({error})",
                    "make it a readable file in UTF-8",
                )
            ]
        ) from error
    return parse_document(text, name, subject)


def parse_document(text: str, name: str, subject: str) -> Document:
    """The text of a YAML file as a Document. Raises FaultyInputError."""
    composed = _Composed(name, subject)
    try:
        deep = _too_deep(text)
        if deep:
            where = Where(source=name, line=deep)
            raise FaultyInputError([fault(subject, where, "values are nested too deeply", "write it flatter")])
        root = yaml.compose(text, Loader=_LOADER)
        data = composed.plain(root, ()) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join((getattr(error, "problem", None) or str(error)).split())
        line = mark.line + 1 if mark else None
        raise FaultyInputError(
            [
                fault(
                    subject,
                    Where(source=name, line=line),
                    f"not YAML: {problem}",
                    "correct the indentation or quoting there",
                )
            ]
        ) from error
    raise_all(composed.faults)
    return Document(name, subject, data, composed.lines)


def _too_deep(text: str) -> int:
    """The line where values are nested deeper than anybody writes; 0: nowhere. Raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            return event.start_mark.line + 1 if event.start_mark else 1
    return 0


class _Composed:
    """YAML nodes becoming plain values, their lines and faults noted on the way."""

    def __init__(self, name: str, subject: str) -> None:
        self.name, self.subject = name, subject
        self.lines: dict[Position, int] = {}
        self.faults: list[Finding] = []
        self._seen: set[int] = set()

    def plain(self, node: yaml.Node, at: Position) -> Any:
        self.lines[at] = node.start_mark.line + 1
        if id(node) in self._seen:  # the same node again: an alias, which could also blow up to any size
            self._fault(node, "an alias (*) repeats a value", "write the value itself")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*at, index)) for index, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return _scalar(node)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, "a name is a list or a group of settings", "write one word before the colon")
                continue
            key = str(key_node.value)
            if key in values:
                self._fault(key_node, f"the key {key!r} is given twice", "remove one of the two")
            values[key] = self.plain(value_node, (*at, key))
        return values

    def _fault(self, node: yaml.Node, what: str, fix: str) -> None:
        where = Where(source=self.name, line=node.start_mark.line + 1)
        self.faults.append(fault(self.subject, where, what, fix))


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return text  # quoted and block text is always text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # thousands of digits: Python refuses them, and whoever expects a number refuses the text
        return text


def _explanation(detail: ErrorDetails) -> tuple[str, str]:
    field = str(detail["loc"][-1]) if detail["loc"] else "the file"
    if detail["type"] == "missing":
        return f"{field!r} is missing", "add it"
    if detail["type"] == "extra_forbidden":
        return f"{field!r} is not known here", "remove it or correct its spelling"
    if detail["type"] in ("model_type", "dict_type"):
        return f"{field!r} is no group of settings", "write each as 'name: value'"
    message = detail["msg"].removeprefix("Value error, ")
    typed = repr(detail["input"])
    typed = typed if len(typed) <= 60 else typed[:57] + "..."
    return f"{field!r} is {typed}: {message[:1].lower()}{message[1:]}", "correct the value"
