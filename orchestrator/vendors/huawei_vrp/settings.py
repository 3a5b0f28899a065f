"""A VRP configuration as a box holds it: nested settings, changed line by line as the command line changes them.

`Settings` maps each canonical line to the settings below it. List commands are held one member per line
(``vlan batch 10 20`` is ``vlan 10`` and ``vlan 20``), and are joined again when shown.
"""

import copy
from collections.abc import Iterable

from orchestrator.errors import DeviceError
from orchestrator.vendors.huawei_vrp import effects
from orchestrator.vendors.huawei_vrp.display import show
from orchestrator.vendors.huawei_vrp.grammar import Match, Mismatch, match, match_undo
from orchestrator.vendors.huawei_vrp.tree import Section, parse, redact
from orchestrator.vendors.huawei_vrp.views import Command
from orchestrator.vendors.huawei_vrp.words import PARAMETERS, is_physical

Settings = effects.Settings
Path = tuple[str, ...]


class LineRefusedError(DeviceError):
    """The command line refuses a line, with the message the box prints and the first word at fault (or None)."""

    def __init__(self, line: str, message: str, position: int | None = None) -> None:
        super().__init__(f"{redact(line)!r}: {message}")
        self.line, self.message, self.position = line, message, position


def view_of(path: Path) -> str:
    """The grammar view of the settings below a path of canonical opening lines."""
    view = "system"
    for line in path:
        found = match(view, line)
        view = found.command.opens or "opaque" if isinstance(found, Match) else "opaque"
    return view


def load(text: str) -> Settings:
    """Read a configuration text into settings; lines outside the grammar are kept word for word.

    Raises ConfigurationTextError for a text that is no configuration.
    """
    settings: Settings = {}
    for section in parse(text):
        _load(settings, "system", section)
    return settings


def _load(settings: Settings, view: str, section: Section) -> None:
    inside, line = "opaque", section.line
    # An interface is up unless it says `shutdown`; some releases print the default.
    for single in _expand(view, line, settings) if line != "undo shutdown" else ():
        found = match(view, single)
        lines = (single,) if isinstance(found, Mismatch) else members(found)
        inside = found.command.opens or "opaque" if isinstance(found, Match) else "opaque"
        for line in lines:
            settings.setdefault(line, {})
    for child in section.sections:
        _load(settings[line], inside, child)


def members(found: Match) -> tuple[str, ...]:
    """The settings that one understood line stands for."""
    words, template = found.words, found.command.template
    if template == "vlan batch <vlans>":
        return tuple(f"vlan {word}" for word in words[2:])
    if "<vlans>" in template or "<rds>" in template:
        head = next(index for index, token in enumerate(template.split()) if token in ("<vlans>", "<rds>"))
        tail = len(words) - (len(template.split()) - head - 1)
        return tuple(" ".join((*words[:head], word, *words[tail:])) for word in words[head:tail])
    return (found.line,)


def _expand(view: str, line: str, settings: Settings) -> tuple[str, ...]:
    """Write out the short forms that depend on the settings: unnumbered rules, targets for both directions."""
    words = line.split()
    if view.startswith("acl") and words[:1] == ["rule"] and len(words) > 1 and not words[1].isdigit():
        numbers = [int(rule.split()[1]) for rule in settings if rule.startswith("rule ")]
        return (" ".join(("rule", str((max(numbers, default=0) // 5 + 1) * 5), *words[1:])),)
    if view == "vpn-family" and words[:1] == ["vpn-target"] and (words[-1] == "both" or PARAMETERS["rd"](words[-1])):
        targets = " ".join(word for word in words[1:] if word != "both")
        return tuple(f"vpn-target {targets} {way}-extcommunity" for way in ("export", "import"))
    return (line,)


def below(settings: Settings, path: Path) -> Settings:
    """The settings under a path. Raises KeyError when a view on the path does not exist."""
    for line in path:
        settings = settings[line]
    return settings


def execute(settings: Settings, path: Path, line: str) -> Path:
    """Type one configuration line in a view: change the settings, return the path of the view that follows.

    Raises LineRefusedError as the box would refuse the line; the settings are then untouched.
    """
    line = " ".join(line.split())
    if line in ("", "#"):
        return path
    if line in ("quit", "return"):
        return () if line == "return" else path[:-1]
    try:
        here = below(settings, path)
    except KeyError as gone:
        raise LineRefusedError(line, f"Error: The view {gone} does not exist any more.") from gone
    try:
        if line.startswith("undo ") and isinstance(match(view_of(path), line), Mismatch):
            _remove(settings, path, line.removeprefix("undo "))
            return path
        for single in _expand(view_of(path), line, here):
            path = _set(settings, path, single)
    except effects.DemandError as demand:
        raise LineRefusedError(line, str(demand)) from demand
    return path


def _understand(path: Path, line: str) -> tuple[Path, Match]:
    """Match a line in its view, or, for a command that opens a view, in the system view as VRP does."""
    found = match(view_of(path), line)
    if isinstance(found, Mismatch) and path:
        outer = match("system", line)
        if isinstance(outer, Match) and outer.command.opens:
            return (), outer
    if isinstance(found, Mismatch):
        separator = "" if found.reason == "Incomplete command" else " "
        raise LineRefusedError(line, f"Error:{separator}{found.reason} found at '^' position.", found.position)
    return path, found


def _set(settings: Settings, path: Path, line: str) -> Path:
    path, found = _understand(path, line)
    here = below(settings, path)
    effects.before_set(settings, path, found)
    if _toggled(here, found.line):
        return path
    placed = found.line
    for member in members(found):
        placed = _place(here, view_of(path), member, found)
    effects.after_set(settings, path, found)
    return (*path, placed) if found.command.opens else path


def _toggled(here: Settings, line: str) -> bool:
    """Let a line and its own negative cancel out: what then holds is the default, and nothing is shown."""
    opposite = line.removeprefix("undo ") if line.startswith("undo ") else f"undo {line}"
    return here.pop(opposite, None) is not None


def _place(here: Settings, view: str, line: str, found: Match) -> str:
    """Put a setting in its place, over the one with the same key or at the end; return the line that now holds it."""
    old = holder(here, view, found) if "|" in found.command.template.split() else None
    if old is None or old == line:
        here.setdefault(line, {})
        return line
    if not found.command.overwrites:
        raise LineRefusedError(line, f"Error: The configuration already exists ({redact(old)}). Delete it first.")
    if found.command.opens and found.key == len(found.words):
        return old
    kept = [(line if key == old else key, value) for key, value in here.items() if key != line]
    here.clear()
    here.update(kept)
    return line


def holder(here: Settings, view: str, found: Match) -> str | None:
    """The line that holds the same setting (same command and key) in these settings, if any."""
    head = " ".join(found.words[: found.key])
    for line in here:
        if not line.startswith(head):
            continue
        other = match(view, line)
        if (
            isinstance(other, Match)
            and other.command == found.command
            and other.words[: other.key] == found.words[: found.key]
        ):
            return line
    return None


def _remove(settings: Settings, path: Path, line: str) -> None:
    here, view = below(settings, path), view_of(path)
    targets: set[str] = set()
    for single in _expand_undo(view, line):
        understood = match_undo(view, single)
        if isinstance(understood, Mismatch):
            raise LineRefusedError(
                f"undo {line}", f"Error: {understood.reason} found at '^' position.", understood.position + 1
            )
        words, command = understood
        targets |= _targets(here, words, command)
    if not targets and line != "shutdown":
        raise LineRefusedError(f"undo {line}", "Error: The specified configuration does not exist.")
    for target in targets:
        effects.before_remove(settings, path, target, frozenset(targets), standing=_standing(view, target))
    for target in targets:
        here.pop(target, None)
    effects.after_remove(settings, path, frozenset(targets))


def _expand_undo(view: str, line: str) -> tuple[str, ...]:
    words = line.split()
    if view == "vpn-family" and words[0] == "vpn-target":
        return _expand(view, line, {})
    return (line,)


def _targets(here: Settings, words: tuple[str, ...], command: Command) -> set[str]:
    """The lines that an understood ``undo`` names: list members, or all that begin with its words."""
    if "<vlans>" in command.template or "<rds>" in command.template:
        named = members(Match(command, words, len(words)))
        return {line for line in named if line in here}
    return {line for line in here if tuple(line.split()[: len(words)]) == words}


def _standing(view: str, line: str) -> bool:
    found = match(view, line)
    return isinstance(found, Match) and standing(found)


def standing(found: Match) -> bool:
    """Whether a line opens a view that the box always has."""
    return found.command.standing or (
        found.words[0] == "interface" and len(found.words) == 2 and is_physical(found.words[1])
    )


def comparable(settings: Settings, view: str = "system") -> Settings:
    """The settings without what means nothing: empty views that the box always has, the default VLAN."""
    shown: Settings = {}
    for line, children in settings.items():
        found = match(view, line)
        opens = found.command.opens or "opaque" if isinstance(found, Match) else "opaque"
        inner = comparable(children, opens)
        empty = line == "vlan 1" or (isinstance(found, Match) and standing(found))
        if inner or not empty:
            shown[line] = inner
    return shown


def same(one: str, other: str) -> bool:
    """Whether two configuration texts say the same, order aside."""
    return comparable(load(one)) == comparable(load(other))


def apply_lines(text: str, lines: Iterable[str]) -> str:
    """Type lines at the system view of a box that holds a configuration; return the configuration it then shows.

    Raises LineRefusedError at the first line the box would refuse.
    """
    settings = copy.deepcopy(load(text))
    path: Path = ()
    for line in lines:
        path = execute(settings, path, line)
    return show(settings)
