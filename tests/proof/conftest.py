"""Laws of proofs walk every branch of every way: in a few networks a packet has 20,000, which take half a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.forwarding.engine import plain

MOST = 1_000


@pytest.fixture(autouse=True, scope="module")
def _few_branches() -> Iterator[None]:
    """Networks with more are left out, as those beyond the walker's own bound are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "MOST_TRAILS", MOST)
        yield
