"""The audit trail: a chain whose every change is named by line."""

from pathlib import Path

import pytest

from orchestrator.records.audit import Audit, AuditError


def trail(path: Path) -> Audit:
    audit = Audit(path)
    audit.append("li", "approve", "done", subject="plan 1")
    audit.append("wang", "approve", "refused", subject="plan 1", detail={"reason": "author"})
    audit.append("li", "apply", "begun", subject="plan 1")
    return audit


def test_an_untouched_trail_verifies(tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    assert audit.verify() == (3, audit.entries()[-1].hash)


def test_a_changed_line_is_named(tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    audit.path.write_text(audit.path.read_text().replace("refused", "done"))
    with pytest.raises(AuditError) as caught:
        audit.verify()
    assert str(caught.value) == (
        f"{audit.path}:3 does not follow the line before it: the trail was changed, keep it as evidence"
    )


def test_a_removed_line_is_named(tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    lines = audit.path.read_text().splitlines(keepends=True)
    audit.path.write_text(lines[0] + lines[2])
    with pytest.raises(AuditError, match=":2 does not follow"):
        audit.verify()


def test_a_torn_last_line_is_kept_as_evidence(tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    audit.path.write_text(audit.path.read_text()[:-5])
    with pytest.raises(AuditError, match="cut off"):
        audit.append("li", "apply", "done")
