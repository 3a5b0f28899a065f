"""How a VRP line is matched to the commands of its view, and what is wrong with one that is not."""

import itertools
import re
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from orchestrator.vendors.huawei_vrp.views import VIEWS, Command
from orchestrator.vendors.huawei_vrp.words import PARAMETERS, vlan_numbers

Reason = Literal["Unrecognized command", "Wrong parameter", "Incomplete command", "Too many parameters"]


class Match(NamedTuple):
    """A line understood: canonical words, of which the first `key` name the setting."""

    command: Command
    words: tuple[str, ...]
    key: int

    @property
    def line(self) -> str:
        """The canonical line."""
        return " ".join(self.words)

    @property
    def undo(self) -> str:
        """The words that remove this setting, without ``undo``."""
        count = self.command.removal or self.key
        return " ".join(self.words[:count] if count > 0 else self.words)


class Mismatch(NamedTuple):
    """A line not understood: why, and the index of the first word at fault (the word count when words lack)."""

    reason: Reason
    position: int


_OPTIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "source": (("any",), ("<ipv4>", "<wildcard>")),
    "destination": (("any",), ("<ipv4>", "<wildcard>")),
    "source-port": (("{eq|gt|lt|neq}", "<word>"), ("range", "<number>", "<number>")),
    "destination-port": (("{eq|gt|lt|neq}", "<word>"), ("range", "<number>", "<number>")),
    "vpn-instance": (("<word>",),),
    "time-range": (("<word>",),),
    "icmp-type": (("<word>", "<number>"), ("<word>",)),
    "tcp-flag": (("<word>",),),
    "dscp": (("<word>",),),
    "logging": ((),),
    "fragment": ((),),
}


def _single(part: str, word: str) -> str | None:
    """The canonical spelling of one word under one template part, or None."""
    if part.startswith("{"):
        return next(filter(None, (_single(choice, word) for choice in part[1:-1].split("|"))), None)
    if part.startswith("<"):
        return PARAMETERS[part[1:-1]](word)
    return word if word == part else None


def _options(words: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Read ACL conditions: their canonical words and how many words were understood."""
    taken: list[str] = []
    while len(taken) < len(words) and words[len(taken)] in _OPTIONS:
        name = words[len(taken)]
        values = words[len(taken) + 1 :]
        for form in _OPTIONS[name]:
            read = [_single(part, word) for part, word in zip(form, values, strict=False)]
            if len(read) == len(form) and None not in read:
                taken += [name, *(word for word in read if word is not None)]
                break
        else:
            return tuple(taken), len(taken) + 1
    return tuple(taken), len(taken)


def _many(part: str, words: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Words taken by a list part, canonical, and how many words were understood."""
    if part == "<options>":
        return _options(words)
    if part == "<vlans>":
        numbers = vlan_numbers(words)
        return (tuple(map(str, numbers)), len(words)) if numbers else ((), 0)
    if part == "<rds>":
        targets = tuple(itertools.takewhile(lambda word: PARAMETERS["rd"](word) is not None, words))
        return targets, len(targets)
    return words, len(words)


class _Form(NamedTuple):
    """A template with its optional parts chosen."""

    parts: tuple[str, ...]
    key: int


_LISTS = ("<options>", "<vlans>", "<rds>", "...")


@cache
def _forms(template: str) -> tuple[_Form, ...]:
    optional = re.findall(r"\[[^]]*\]|\S+", template)
    choices = [(part[1:-1], "") if part.startswith("[") else (part,) for part in optional]
    forms = []
    for chosen in itertools.product(*choices):
        parts = " ".join(chosen).split()
        key = parts.index("|") if "|" in parts else len(parts)
        forms.append(_Form(tuple(part for part in parts if part != "|"), key))
    return tuple(forms)


def _fit(form: _Form, words: tuple[str, ...]) -> tuple[tuple[str, ...], Mismatch | None]:
    """Lay words on a form: the canonical words understood so far, and what is wrong with the next one."""
    read: list[str] = []
    position = 0
    for part in form.parts:
        if position >= len(words):
            return tuple(read), Mismatch("Incomplete command", position)
        if part in _LISTS:
            taken, count = _many(part, words[position:])
            if not taken or (part == "<options>" and count > len(taken)):
                return tuple(read), Mismatch("Wrong parameter", min(position + count, len(words)))
            read += taken
            position += count
            continue
        word = _single(part, words[position])
        if word is None:
            return tuple(read), Mismatch("Wrong parameter" if "<" in part else "Unrecognized command", position)
        read.append(word)
        position += 1
    if position < len(words):
        return tuple(read), Mismatch("Too many parameters" if position > 1 else "Unrecognized command", position)
    return tuple(read), None


_SPELLINGS = (
    (re.compile(r"^interface (\S+) ([\d/.]+)$"), r"interface \1\2"),
    (re.compile(r"^acl (\d+)$"), r"acl number \1"),
    (re.compile(r"^ospf$"), "ospf 1"),
    (re.compile(r"^ospf (router-id|vpn-instance) "), r"ospf 1 \1 "),
)


def _spelled(view: str, line: str) -> str:
    """Write out what VRP lets the operator leave out."""
    if view == "system":
        for pattern, spelling in _SPELLINGS:
            line = pattern.sub(spelling, line)
    elif view == "bgp" and line in ("ipv4-family", "ipv4-family vpnv4 unicast"):
        return "ipv4-family vpnv4" if "vpnv4" in line else "ipv4-family unicast"
    return line


def _worse(one: Mismatch, other: Mismatch) -> Mismatch:
    """The mismatch to report: the one furthest into the line; a bad value explains more than a missing keyword."""
    explains = other.reason != "Unrecognized command"
    return other if (other.position, explains) > (one.position, one.reason != "Unrecognized command") else one


@lru_cache(maxsize=65536)
def match(view: str, line: str) -> Match | Mismatch:
    """Understand one configuration line in one view of VIEWS, or say what is wrong and where."""
    words = tuple(_spelled(view, " ".join(line.split())).split())
    furthest = Mismatch("Unrecognized command", 0)
    for command in VIEWS[view]:
        for form in _forms(command.template):
            read, wrong = _fit(form, words)
            if wrong is None:
                return Match(command, read, min(form.key, len(read)) if form.key < len(form.parts) else len(read))
            furthest = _worse(furthest, wrong)
    return furthest


@lru_cache(maxsize=65536)
def match_undo(view: str, line: str) -> tuple[tuple[str, ...], Command] | Mismatch:
    """Understand the words after ``undo``: their canonical form and the command they belong to."""
    words = tuple(_spelled(view, " ".join(line.split())).split())
    furthest = Mismatch("Unrecognized command", 0)
    for command in VIEWS[view]:
        for form in _forms(command.template):
            read, wrong = _fit(form, words)
            fewest = command.shortest or (command.removal if command.removal > 0 else form.key)
            enough = wrong is None or wrong.reason == "Incomplete command"
            if enough and len(read) >= min(fewest, len(form.parts)) and command.shortest < 99:
                return read, command
            if wrong is not None:
                furthest = _worse(furthest, wrong)
    return furthest
