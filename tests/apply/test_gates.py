"""What must be true before a batch begins in life."""

import pytest

from orchestrator.apply.gates import confirmed
from orchestrator.errors import RefusedError
from orchestrator.model.plan import Step

STEP = Step(
    name="release.line", title="release", why="w", kind="record", edits=(), mode="manual", checklist=("write", "wait")
)
OTHER = STEP.model_copy(update={"name": "other", "mode": "automatic"})


def test_a_manual_step_waits_for_whoever_works_through_its_checklist() -> None:
    with pytest.raises(RefusedError) as caught:
        confirmed([OTHER, STEP], ())
    assert str(caught.value) == (
        "release.line is done by hand (write; wait): do that, then run again with '--confirm release.line'"
    )
    confirmed([OTHER, STEP], ("release.line",))
    confirmed([OTHER], ())
