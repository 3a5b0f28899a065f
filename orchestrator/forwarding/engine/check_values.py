"""Checks of single values that a network is put together from; one refuses with one line: the value, and the next move.

What concerns several parts (whether a filter or a table of that number is there) is `check_network`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import index
from typing import TYPE_CHECKING, Any, Final, TypeVar

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import EVERY_PORT, EVERY_PROTOCOL, NONE, Action, HopKind, TranslationKind

if TYPE_CHECKING:
    from orchestrator.forwarding.engine.builder import AnyPrefix, Entry, Hop, Match, Range, Translation

Kind = TypeVar("Kind", bound=IntEnum)
Some = TypeVar("Some")
MOST: Final = (1 << 31) - 1  # that an array's column holds


class BuildError(InputError):
    """A value that no network can have. Nothing was added."""


def whole(what: str, value: Any, low: int, high: int = MOST) -> int:
    """A whole number from low to high, both included."""
    try:
        number = index(value)
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise BuildError(f"{what} {value!r} is no number from {low} to {high}: correct it")
    return number


def span(what: str, value: Any, ends: Range) -> Range:
    """A range, both ends included, within `ends`."""
    try:
        low, high = map(index, value)
    except (TypeError, ValueError):
        low, high = 1, 0
    if not ends[0] <= low <= high <= ends[1]:
        raise BuildError(f"{what} {value!r} is no range from {ends[0]} to {ends[1]}: give (low, high), both included")
    return low, high


def one_of(what: str, value: Any, kinds: type[Kind]) -> Kind:
    """A member of `kinds`, or its number."""
    try:
        return kinds(value)
    except ValueError:
        words = ", ".join(f"{kind.name} ({kind.value})" for kind in kinds)
        raise BuildError(f"{what} {value!r} is none of {words}: give one of them") from None


def pairs(what: str, values: Iterable[Any], form: str) -> tuple[tuple[Any, Any], ...]:
    """Tuples of two; `form` says of what."""
    found = tuple(values)
    for value in found:
        if not isinstance(value, tuple) or len(value) != 2:
            raise BuildError(f"{what} {value!r} is no pair: give ({form})")
    return found


def instance(what: str, value: Any, kind: type[Some]) -> Some:
    """An object of a class."""
    if not isinstance(value, kind):
        raise BuildError(f"{what} {value!r} is none: give {kind.__name__}(...)")
    return value


def text(what: str, value: Any) -> str:
    """A name or a line."""
    if not isinstance(value, str):
        raise BuildError(f"{what} {value!r} is no text: give it in quotes")
    return value


def prefix(what: str, value: AnyPrefix) -> IPv4Network | IPv6Network:
    """A prefix of either family, without bits beyond its length."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    written = value if isinstance(value, str) else ""
    try:
        return ip_network(written)
    except ValueError:
        pass
    try:
        wide = ip_network(written, strict=False)
    except ValueError:
        raise BuildError(f"{what} {value!r} is no prefix: give one like '198.18.0.0/16'") from None
    raise BuildError(f"{what} {value!r} has bits beyond its length: write '{wide}'")


def prefix_or_any(what: str, value: AnyPrefix) -> IPv4Network | IPv6Network | None:
    """The same; None is any address of any family."""
    return None if value is None else prefix(what, value)


def next_hops(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Next hops of a route or a policy."""
    checked = pairs("next hop", hops, "kind, target")
    return tuple((one_of("kind of next hop", kind, HopKind), whole("target", target, NONE)) for kind, target in checked)


def entry_of(what: str, entry: Entry) -> Entry:
    """A filter entry; `what` names it."""
    action = one_of(f"{what}: action", entry.action, Action)
    return entry._replace(match=match_of(what, entry.match), action=action, line=text(f"{what}: line", entry.line))


def rule_of(what: str, rule: Translation) -> Translation:
    """A translation rule; `what` names it."""
    return rule._replace(
        match=match_of(what, rule.match),
        kind=one_of(f"{what}: kind", rule.kind, TranslationKind),
        to=prefix(f"{what}: to", rule.to),
        to_port=whole(f"{what}: to_port", rule.to_port, NONE, EVERY_PORT[1]),
        line=text(f"{what}: line", rule.line),
    )


def match_of(what: str, match: Match) -> Match:
    """A header match of an entry or a rule; `what` names that."""
    source, destination = (prefix_or_any(f"{what}: {side}", getattr(match, side)) for side in ("source", "destination"))
    if source and destination and source.version != destination.version:
        raise BuildError(f"{what}: {source} and {destination} are of two families, and no packet is: correct one")
    return match._replace(
        source=source,
        destination=destination,
        protocol=span(f"{what}: protocol", match.protocol, EVERY_PROTOCOL),
        source_port=span(f"{what}: source_port", match.source_port, EVERY_PORT),
        destination_port=span(f"{what}: destination_port", match.destination_port, EVERY_PORT),
        established=_flag(f"{what}: established", match.established),
        fragment=_flag(f"{what}: fragment", match.fragment),
        in_port=whole(f"{what}: in_port", match.in_port, NONE),
    )


def _flag(what: str, value: Any) -> int:
    if value not in (NONE, 1):
        raise BuildError(f"{what} {value!r} is neither {NONE} (any packet) nor 1 (only such): give one of them")
    return int(value)
