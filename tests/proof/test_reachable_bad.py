"""Bookkeeping of bad stretches: against the same said plainly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.proof.reachable_bad import Bad, BadRows, Reached

ZONES = [0, 0, 1]  # of three attachments
LABELS = 12
Asked = tuple[int, int, int, int]

looks = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, LABELS - 1), st.integers(1, 4), st.integers(0, 7)), max_size=12
)


@given(looks)
def test_rows_and_pairs_are_those_of_single_labels(asked: list[Asked]) -> None:
    rows, plain = BadRows(ZONES), dict[tuple[int, int], Reached]()
    for attachment, low, size, kind in asked:
        reached = Reached(frozenset(zone for zone in (5, 6) if kind >> (zone - 5) & 1), kind == 7)
        mine = [(low, min(low + size, LABELS))]
        rest = rows.take(attachment, mine)
        for begin, end in rest[1:]:  # what lay outside stays what it was
            rows.put(attachment, [Bad(at, at + 1, 1, plain[attachment, at]) for at in range(begin, end)])
        if reached != Reached():
            rows.put(attachment, [Bad(*mine[0], 1, reached)])
        for at in range(*mine[0]):
            plain.pop((attachment, at), None)
            if reached != Reached():
                plain[attachment, at] = reached
    assert {(attachment, at): row.reached for attachment, row in rows for at in range(row.low, row.high)} == plain
    assert rows.pairs() == {(ZONES[at], zone) for (at, _label), one in plain.items() for zone in one.zones}
    assert rows.unread() == {ZONES[at] for (at, _label), one in plain.items() if one.unread}


def test_version_moves_with_the_pairs_only() -> None:
    rows, crossed = BadRows(ZONES), Reached(frozenset({5}))
    rows.put(0, [Bad(0, 2, 1, crossed)])
    assert rows.pairs() == {(0, 5)}
    version = rows.version
    rows.put(1, [Bad(0, 2, 1, crossed)])
    assert rows.take(0, [(1, 2)]) == [(1, 2), (0, 1)]
    assert rows.version == version
    assert rows.pairs() == {(0, 5)}
    rows.take(1, [(0, 2)])
    assert rows.version > version
    assert not rows.pairs()
