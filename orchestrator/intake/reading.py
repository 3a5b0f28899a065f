"""What intake hands on: the estate with how each row is known, and everything that somebody must know about it."""

from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding
from orchestrator.model.policy import Policy
from orchestrator.vendors.parsed import Unparsed


class Completeness(Noun):
    """How many rows of a form have a column filled in. Classified rows count only where the column is kept for them."""

    form: str
    column: str
    filled: int
    total: int


class Reading(Noun):
    """A project as read. `findings` are contradictions and gaps; faults never get here, they raise FaultyInputError."""

    estate: Estate
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    unparsed: tuple[Unparsed, ...]
    policy: Policy
    completeness: tuple[Completeness, ...] = ()
