"""What a run is told, what it says of itself, and how it asks for real packets."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from pydantic import Field

from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Finding

Progress = Callable[[str], None]


class Options(Noun):
    """How a run is carried out."""

    who: str
    rehearsal: bool = False  # on a lab: windows do not count, and nobody is asked for a checklist
    wave: int | None = None  # only up to this wave
    limit: tuple[str, ...] = ()  # only these steps (and all before them must be done)
    confirmed: tuple[str, ...] = ()  # manual steps whose checklist somebody has worked through
    workers: int = 3
    undo_failed_batch: bool = True


class Outcome(Noun):
    """What a run did."""

    run: str
    done: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float
    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)  # step -> part -> what it reported
    outages: dict[str, float] = Field(default_factory=dict)  # workload -> seconds without writes at its last cutover
    checks: int = 0  # live probes that were compared with the prediction
    findings: tuple[Finding, ...] = ()

    def total(self, what: Literal["lines", "resources"]) -> int:
        """Configuration lines changed, or cloud resources made, changed and removed."""
        parts = [part for step in self.steps.values() for part in step.values()]
        if what == "lines":
            return sum(int(part.get("lines", 0)) for part in parts)
        return sum(len(part["changed"]) for part in parts if isinstance(part.get("changed"), dict))


class Checked(Noun):
    """What a live check found: how many probes were sent, and the failing ones as findings."""

    probes: int
    findings: tuple[Finding, ...] = ()


class Prober(Protocol):
    """Sends real packets and compares them with what the estate predicts, positive and negative."""

    def check(self, estate: Estate, /) -> Checked:
        """Hold the world to this estate. Raises LabError when a probe could not be sent."""


class NoProber:
    """For networks in which nothing can send probes: says so by a count of 0."""

    def check(self, _: Estate) -> Checked:
        """No probe was sent."""
        return Checked(probes=0)
