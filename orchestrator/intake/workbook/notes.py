"""What a reader notes on its way: faults forbid the import, findings do not. And nouns built, their faults noted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from orchestrator.intake.faults import fault
from orchestrator.intake.workbook.cells import folded
from orchestrator.intake.workbook.tables import Row
from orchestrator.model.base import Noun
from orchestrator.model.census import Organisation
from orchestrator.model.finding import Finding, Result, Where

Made = TypeVar("Made", bound=Noun)


@dataclass
class Notes:
    """Faults and findings in reading order."""

    faults: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def fault(self, where: Where, what: str, fix: str) -> None:
        """Note a fault: nothing will be imported."""
        self.faults.append(fault("census", where, what, fix))

    def finding(self, where: Where, what: str, fix: str, result: Result = "fail") -> None:
        """Note something that somebody must know; the import goes on."""
        self.findings.append(Finding(subject="census", result=result, where=where, what=what, fix=fix))


def build(shape: type[Made], values: Mapping[str, Any], row: Row, notes: Notes) -> Made | None:
    """The noun of these values (None is absent), or None with one fault noted per bad value at its cell."""
    try:
        return shape.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        for detail in error.errors():
            name = str(detail["loc"][0]) if detail["loc"] else ""
            notes.fault(row.where(name), f"{detail['input']!r} does not fit: {detail['msg']}", "correct the cell")
        return None


class Register:
    """The organisations by what people write for them: full name, else code, else short name."""

    def __init__(self, organisations: Iterable[Organisation]) -> None:
        self._codes: tuple[dict[str, set[str]], ...] = ({}, {}, {})
        for one in organisations:
            for codes, name in zip(self._codes, (one.name, one.code, one.short_name), strict=True):
                codes.setdefault(folded(name), set()).add(one.code)

    def code(self, row: Row, notes: Notes) -> str | None:
        """The code of the organisation named in the row; None with a fault noted where it is none, or several."""
        named = row.values.get("organisation")
        if named is None:  # already a fault of the required column
            return None
        found = next((codes[folded(named)] for codes in self._codes if folded(named) in codes), set())
        if len(found) == 1:
            return next(iter(found))
        what = f"is several ({', '.join(sorted(found))})" if found else "is not registered"
        more = "write the code of the one that is meant"
        if not found:
            more = "write its full registered name, or add it to organisations in the topology file"
        notes.fault(row.where("organisation"), f"the organisation {named!r} {what}", more)
        return None
