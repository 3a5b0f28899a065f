"""Faults of the input: found all at once, told one line each with their place and the next move."""

from collections.abc import Iterable

from orchestrator.errors import InputError
from orchestrator.model.finding import Finding, Where


class FaultyInputError(InputError):
    """The input has faults and nothing was imported. `findings` holds one Finding per fault, in reading order."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(fault_line(finding) for finding in self.findings))


def fault(subject: str, where: Where, what: str, fix: str) -> Finding:
    """A fault of the input: `subject` is the reader ("census", "topology", "policy", "project")."""
    return Finding(subject=subject, result="fail", where=where, what=what, fix=fix)


def fault_line(finding: Finding) -> str:
    """One line: where, what is wrong, the next move."""
    return f"{finding.where}: {finding.what}; {finding.fix}"


def raise_all(faults: Iterable[Finding]) -> None:
    """Raise FaultyInputError when there is any fault."""
    found = tuple(faults)
    if found:
        raise FaultyInputError(found)
