"""The audit trail: a chain whose every change is named by line."""

import subprocess
import sys
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


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\x0cb", "a\nb", "a\rb", "\u6f8c"])
def test_no_name_breaks_the_trail(name: str, tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    audit.append(name, "approve", "refused", subject="plan 1")
    audit.append("li", "apply", "done", subject="plan 1")
    assert audit.verify()[0] == 5
    assert audit.entries()[3].who == name


def test_a_trail_that_is_no_text_is_named(tmp_path: Path) -> None:
    audit = trail(tmp_path / "audit.jsonl")
    audit.path.write_bytes(audit.path.read_bytes() + b"\xff\n")
    for ask in (audit.verify, lambda: audit.append("li", "apply", "done")):
        with pytest.raises(AuditError, match=r"no audit entry|is no entry"):
            ask()
    assert Audit(tmp_path / "none.jsonl").entries() == ()


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


FULL = """
import resource, sys
from pathlib import Path
from orchestrator.records.audit import Audit
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, resource.RLIM_INFINITY))
Audit(path).append("wu", "apply", "begun")
"""


def test_a_line_that_does_not_fit_on_the_disk_leaves_the_trail_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).append("li", "approve", "done")
    before = path.read_bytes()
    full = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert full.returncode == 1
    assert f"AuditError: cannot write the audit trail {path}: File too large; make room or give access: " in full.stderr
    assert path.read_bytes() == before
    assert Audit(path).append("wu", "apply", "begun").number == 2
    assert Audit(path).verify()[0] == 2


def test_words_in_another_encoding_are_in_the_trail_and_do_not_end_it(tmp_path: Path) -> None:
    """A name typed on a GBK terminal comes as bytes that are no UTF-8; who was refused must be in the trail."""
    trail = Audit(tmp_path / "audit.jsonl")
    typed = b"\xd5\xc5".decode(errors="surrogateescape")
    detail = {"error": f"{typed} is not among the people", "asked": [typed, 1]}
    entry = trail.append(typed, "approve", "refused", detail=detail)
    assert (entry.who, entry.detail["asked"]) == (r"\udcd5\udcc5", [r"\udcd5\udcc5", 1])
    assert trail.append("张", "approve", "done").who == "张"
    assert trail.entries()[0] == entry
    assert trail.verify()[0] == 2
