"""Rows of filters that come, go and are replaced: against lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.forwarding.engine.filter_rows import ADDRESSES, NAMES, Column, FilterRows, RowChange

SIZES = (3, 0, 2)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 50)), max_size=60))
def test_columns_hold_what_lists_hold(steps: list[tuple[int, int, int]]) -> None:
    total = sum(SIZES)
    columns: dict[str, Column] = {
        name: np.arange(total, dtype=np.int64 if name in ADDRESSES else np.int32) for name in NAMES
    }
    start = np.array([0, 3, 3], np.int64)
    rows, lists = FilterRows(columns, start, np.array(SIZES, np.int64)), [[0, 1, 2], list[int](), [3, 4]]
    for value, (number, how, place) in enumerate(steps, 100):
        mine, kind = lists[number], RowChange(how)
        at = place % (len(mine) + (kind == RowChange.COMES) or 1)
        if kind != RowChange.COMES and not mine:
            continue
        _moved, went = rows.change(number, at, kind, None if kind == RowChange.GOES else (value,) * len(NAMES))
        assert went == (None if kind == RowChange.COMES else (mine[at],) * len(NAMES))
        mine[at : at + (kind != RowChange.COMES)] = [] if kind == RowChange.GOES else [value]
    for number, mine in enumerate(lists):
        begin = int(rows.start[number])
        assert rows.count[number] == len(mine)
        for name in NAMES:
            assert rows.columns[name][begin : begin + len(mine)].tolist() == mine


def test_columns_grow_and_say_so() -> None:
    columns: dict[str, Column] = {name: np.zeros(1, np.int64 if name in ADDRESSES else np.int32) for name in NAMES}
    rows = FilterRows(columns, np.zeros(1, np.int64), np.ones(1, np.int64))
    said = [rows.change(0, 0, RowChange.COMES, (number,) * len(NAMES))[0] for number in range(5_000)]
    assert 0 < sum(said) < 20
    assert rows.columns["line"][rows.start[0] : rows.start[0] + 5_001].tolist() == [*reversed(range(5_000)), 0]
