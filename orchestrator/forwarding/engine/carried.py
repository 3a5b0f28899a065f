"""IPv6 boundaries that 1:1 translations carry back: where parts begin that become the addresses of one route.

They get their labels together with all others. Given one after the other, each would halve what is left between two
neighbours, and some twenty ascending ones use up any gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orchestrator.forwarding.engine.network import Network, Prefixes, TranslationKind


class _Shift(NamedTuple):
    """Addresses from `low` on become those from `to` on, up to `end`."""

    low: int
    to: int
    end: int


def carried_back(network: Network) -> list[int]:
    """Addresses that rules rewrite to a boundary, of a route or of a rule, or to another of these addresses."""
    shifts = _shifts(network)
    if not shifts:
        return []
    rules = network.translations
    new = {shift.low for shift in shifts} | {shift.low + shift.end - shift.to for shift in shifts}
    for prefixes in (network.routes.prefix, rules.match.destination):
        new |= _ends(prefixes)
    known = set(new)
    while new:
        new = {one.low + at - one.to for one in shifts for at in new if one.to < at < one.end} - known
        known |= new
    return sorted(address for address in known if address < 1 << 128)


def _shifts(network: Network) -> list[_Shift]:
    rules = network.translations
    one_to_one = (rules.kind == TranslationKind.DESTINATION) & (rules.to.family == 6) & (rules.to.length < 128)
    found = []
    for row in np.flatnonzero(one_to_one).tolist():
        low, to = _address(rules.match.destination, row), _address(rules.to, row)
        found.append(_Shift(low, to, to + (1 << (128 - int(rules.to.length[row])))))
    return found


def _address(prefixes: Prefixes, row: int) -> int:
    return int(prefixes.high[row]) << 64 | int(prefixes.low[row])


def _ends(prefixes: Prefixes) -> set[int]:
    six = np.flatnonzero(prefixes.family == 6).tolist()
    first = [(_address(prefixes, row), 1 << (128 - int(prefixes.length[row]))) for row in six]
    return {address for begin, size in first for address in (begin, begin + size)}
