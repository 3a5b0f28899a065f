"""The judges of forbidden pairs and of flows, broken on purpose: the law that compares with plain walks notices it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.forwarding.engine.plain import TooManyTrailsError
from tests.forwarding.engine.test_mutations import broken_library
from tests.proof.test_reachable_engine import hold

NETWORKS = 400
FEATURES = ("filters",)
"""Of the networks: filters decide, and plain walks through them end soon."""
BREAKS = {
    "every new way is taken for harmless": ("judge.c", "if (!node_leads(e, new, wanted)) return true;", "return true;"),
    "an entry that opens a way is overlooked": ("judge.c", "bool gains = change[i].gains &&", "bool gains = false &&"),
    "an entry that closes a way is overlooked": ("judge.c", "bool loses = change[i].loses &&", "bool loses = false &&"),
    "a changed answer is not taken for a flow's": ("flows.c", "rows->place_label[place] < record[i].high", "false"),
    "an entry is not taken for a flow's": (
        "flows.c",
        "(goes || comes)",
        "false",
    ),
    "every device remembers every connection": ("flows_way.c", "if (header->everywhere) return true;", "return true;"),
    "one way of several suffices": (
        "flows_way.c",
        "return one < other ? one : other;",
        "return one < other ? other : one;",
    ),
    "what an entry opens is forgotten when one closes it": (
        "judge_bad.c",
        "(Bad){bad->count + 1, more}",
        "(Bad){bad->count, more}",
    ),
    "a search overlooks a filter's first entry": (
        "search.c",
        "if (some) judge",
        "if (some && row > view->start[filter]) judge",
    ),
}


def noticed() -> int | None:
    """The first random network after whose changes pairs or flows are judged wrongly; None when none is."""
    for seed in range(NETWORKS):
        try:
            hold(seed, 4, FEATURES)
        except TooManyTrailsError:
            continue
        except AssertionError:
            return seed
    return None


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_judge_is_noticed(name: str, tmp_path: Path) -> None:
    with broken_library(tmp_path, (BREAKS[name],)):
        assert noticed() is not None
