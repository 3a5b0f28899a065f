"""Steps and plans: values that know their origin and their way back."""

from datetime import date
from functools import cached_property
from typing import Literal

from orchestrator.model.base import Noun, canonical, digest
from orchestrator.model.estate import Edit, Estate

PLAN_FORMAT = 1

StepKind = Literal[
    "network",  # edits to devices: pushed as configuration
    "cloud",  # edits to one tenant (or to the provider networks): one Pulumi stack
    "readdress",  # hosts of a site get new addresses (and gateway)
    "copy",  # first copy of a workload's data to its new place; the old one keeps serving
    "cutover",  # freeze, final sync, checksums, switch the name, verify; the old one becomes standby
    "retire",  # a workload is stopped (zombie, merged shadow, replaced mail, accepted old copy)
    "record",  # a circuit released, an egress consolidated, a system's disposition fulfilled: registers only
]


class Step(Noun):
    """One change, small enough to be done, judged and undone by itself."""

    name: str
    title: str  # what, for people
    why: str  # the decision or finding behind it
    kind: StepKind
    edits: tuple[Edit, ...]
    after: tuple[str, ...] = ()  # names of steps that must be done before
    devices: tuple[str, ...] = ()  # footprint on the network
    tenants: tuple[str, ...] = ()  # footprint on the cloud
    hosts: tuple[str, ...] = ()  # footprint on end points
    mode: Literal["automatic", "manual"] = "automatic"
    checklist: tuple[str, ...] = ()  # for manual steps
    evidence: str = ""  # how to tell from the world whether it is done
    outage: tuple[str, ...] = ()  # registered flows that may fail while this step is under way
    outage_minutes: int = 0
    system: str = ""  # the system a workload step serves

    @property
    def states(self) -> int:
        """In how many states it can be: not begun, stopped after any edit but the last, done."""
        return max(len(self.edits), 1) + 1

    def undo(self) -> tuple[Edit, ...]:
        """The edits that take this step back, in reverse order."""
        return tuple(edit.undo() for edit in reversed(self.edits))


class Wave(Noun):
    """Batches done in one maintenance window. Batches are in order; steps of one batch may run side by side."""

    number: int
    title: str
    night: date  # the day on which the window opens
    window: str  # name of the policy's window
    batches: tuple[tuple[str, ...], ...]


class Plan(Noun):
    """Everything that will be done, sealed. `built_from` and `leads_to` are estate digests."""

    format: int = PLAN_FORMAT
    project: str
    author: str
    built_from: str
    leads_to: str
    policy_version: str
    policy_digest: str
    steps: tuple[Step, ...]
    waves: tuple[Wave, ...]

    @cached_property
    def hash(self) -> str:
        """The seal: SHA-256 over the canonical JSON of the whole plan."""
        return digest(self.plain())

    def text(self) -> str:
        """The plan file's content: canonical JSON holding the plan and its seal."""
        return canonical({"plan": self.plain(), "seal": self.hash}) + "\n"

    @cached_property
    def step_of(self) -> dict[str, Step]:
        """Step by name."""
        return {step.name: step for step in self.steps}

    def batches(self) -> tuple[tuple[str, ...], ...]:
        """All batches of all waves, in order."""
        return tuple(batch for wave in self.waves for batch in wave.batches)

    def target(self, now: Estate) -> Estate:
        """The estate when all is done. Raises EditError when `now` is not the estate the plan was built from."""
        for batch in self.batches():
            for name in batch:
                now = now.apply(self.step_of[name].edits)
        return now
