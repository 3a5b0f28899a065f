"""What the engine says of a stack, in one line with the next move."""

import pytest
from pulumi.automation import errors
from pulumi.automation._cmd import CommandResult

from orchestrator.apply.cloud_stack import reporting
from orchestrator.errors import EngineError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "error: failed to load checkpoint: EOF",
            "stack cz is locked: another onefold works on it, or a killed one left",
        ),
        (
            "error: Quota exceeded for resources",
            "stack cz: up failed: stderr: error: Quota exceeded for resources; mend that,",
        ),
    ],
)
def test_a_failed_command_is_told_in_one_line(said: str, told: str) -> None:
    with pytest.raises(EngineError) as caught, reporting("cz", "up"):
        raise errors.CommandError(CommandResult(stdout="", stderr=said, code=255))
    assert str(caught.value).startswith(told)
    assert "onefold resume" in str(caught.value)
    assert "\n" not in str(caught.value)
