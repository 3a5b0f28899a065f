"""Which steps can touch the same packets: destinations that overlap, translations and flows that lead across."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from orchestrator.proof.reachable_base import Interval


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals have an address in common."""
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


class Spans:
    """Intervals of members, kept in disjoint stretches: who meets an interval is found without asking everybody."""

    def __init__(self, rows: Iterable[tuple[Interval, int]]) -> None:
        self.begins: list[tuple[int, int]] = []  # (family, first address) of each stretch, ascending
        self.ends: list[tuple[int, int]] = []  # (family, address after the last)
        self.rows: list[list[tuple[Interval, int]]] = []
        for interval, member in sorted(rows):
            family, low, high = interval
            if self.ends and self.ends[-1] > (family, low):
                self.ends[-1] = max(self.ends[-1], (family, high))
                self.rows[-1].append((interval, member))
            else:
                self.begins.append((family, low))
                self.ends.append((family, high))
                self.rows.append([(interval, member)])

    def stretches(self, interval: Interval) -> range:
        """Numbers of the stretches that an interval meets."""
        family, low, high = interval
        first = last = bisect_left(self.ends, (family, low + 1))
        while last < len(self.begins) and self.begins[last] < (family, high):
            last += 1
        return range(first, last)

    def members(self, interval: Interval) -> set[int]:
        """Members of which some interval meets this one."""
        rows = [row for number in self.stretches(interval) for row in self.rows[number]]
        return {member for other, member in rows if overlap(interval, other)}


class _Joined:
    """Union and find."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def top(self, member: int) -> int:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def join(self, one: int, other: int) -> None:
        one, other = self.top(one), self.top(other)
        self._parent[max(one, other)] = min(one, other)


def grouped(
    touched: Sequence[Sequence[Interval]],
    links: Sequence[Sequence[Interval]],
    flows: Iterable[Sequence[Interval]] = (),
) -> list[tuple[int, ...]]:
    """Groups of members (numbers of `touched`) that meet, directly or over others, ascending.

    `links`: each of these joins all that any of its intervals meets; `flows`: so does each of these, but what meets
    the same flow's address without being touched itself does not meet through it.
    """
    rows = [(interval, member) for member, found in enumerate(touched) for interval in found]
    rows += [(interval, len(touched) + number) for number, link in enumerate(links) for interval in link]
    joined = _Joined(len(touched) + len(links))
    spans = Spans(rows)
    owner = []
    for stretch in spans.rows:
        owner.append(stretch[0][1])
        for _interval, member in stretch[1:]:
            joined.join(stretch[0][1], member)
    for flow in flows:
        met = [owner[number] for interval in flow for number in spans.stretches(interval)]
        for other in met[1:]:
            joined.join(met[0], other)
    found: dict[int, list[int]] = {}
    for member in range(len(touched)):
        found.setdefault(joined.top(member), []).append(member)
    return [tuple(members) for members in found.values()]
