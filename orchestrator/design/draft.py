"""The target while it is being made: tables that can be written, decisions and findings that pile up.

Only `design()` makes a Draft; what leaves the room is the frozen Design.
"""

from orchestrator.design.allocation import Allocator
from orchestrator.model.base import Noun, Row
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.finding import Finding, Result, Where
from orchestrator.model.lock import Lock
from orchestrator.model.policy import Policy


class Decision(Noun):
    """One choice of the design: about what, which, why, and the rows it makes, changes or removes."""

    subject: str
    choice: str
    reason: str
    rows: tuple[str, ...] = ()  # "table[key]"


class Design(Noun):
    """What the estate should become, with the reason of every decision and the lock to save."""

    target: Estate
    lock: Lock
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]


def row(noun: Row) -> str:
    """How a row is called in findings and decisions: "table[key]"."""
    return f"{TABLE_OF[type(noun)]}[{key_of(noun)}]"


def key_of(noun: Row) -> str:
    """The key under which a noun stands in its table."""
    return noun.key


class Draft:
    """A target in the making. `now` stays what it is; `estate` is the target so far."""

    def __init__(self, now: Estate, policy: Policy, lock: Lock) -> None:
        self.now = now
        self.policy = policy
        self.allocator = Allocator(lock, now)
        self.estate = now
        self._decisions: list[Decision] = []
        self._findings: list[Finding] = []

    def put(self, *nouns: Row) -> tuple[str, ...]:
        """Write rows, in place of rows of the same key; their names for a decision."""
        for noun in nouns:
            self._write(TABLE_OF[type(noun)], key_of(noun), noun)
        return tuple(row(noun) for noun in nouns)

    def drop(self, *nouns: Row) -> tuple[str, ...]:
        """Remove rows; their names for a decision."""
        for noun in nouns:
            self._write(TABLE_OF[type(noun)], key_of(noun), None)
        return tuple(row(noun) for noun in nouns)

    def decide(self, subject: str, choice: str, reason: str, rows: tuple[str, ...] = ()) -> None:
        """Record a choice and the rows it made."""
        self._decisions.append(Decision(subject=subject, choice=choice, reason=reason, rows=rows))

    def find(self, item: str, result: Result, what: str, fix: str) -> None:
        """Record something that somebody must know or decide; the rows it is about stay untouched."""
        finding = Finding(subject="design", result=result, what=what, where=Where(source="estate", item=item), fix=fix)
        if finding not in self._findings:
            self._findings.append(finding)

    def finished(self) -> Design:
        """The frozen outcome."""
        return Design(
            target=self.estate,
            lock=self.allocator.lock(),
            decisions=tuple(self._decisions),
            findings=tuple(self._findings),
        )

    def _write(self, table: str, key: str, noun: Row | None) -> None:
        found = getattr(self.estate, table).get(key)
        before, after = found and found.plain(), noun and noun.plain()
        self.estate = self.estate.apply((Edit(table=table, key=key, before=before, after=after),))
