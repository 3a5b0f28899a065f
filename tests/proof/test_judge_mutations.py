"""The judge of forbidden pairs, broken on purpose: the law that compares with worlds built anew notices it."""

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
    "every new way is taken for harmless": ("if (!node_leads(e, new, wanted)) return true;", "return true;"),
    "an entry that opens a way is overlooked": ("bool gains = change[i].gains &&", "bool gains = false &&"),
    "an entry that closes a way is overlooked": ("bool loses = change[i].loses &&", "bool loses = false &&"),
}


def noticed() -> int | None:
    """The first random network after whose changes pairs are judged wrongly; None when none is."""
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
    text, other = BREAKS[name]
    with broken_library(tmp_path, (("judge.c", text, other),)):
        assert noticed() is not None
