"""The way while it is being made: each step is written against the estate as the steps before it leave it.

So the steps compose by construction; a row that a step writes ties it after the step that wrote the row before.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple, TypeVar

from orchestrator.design.departments import Department, departments
from orchestrator.design.draft import key_of
from orchestrator.model.base import Row
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.plan import Step, StepKind
from orchestrator.model.policy import Policy


class Gone(NamedTuple):
    """A row that a step removes."""

    noun: Row


Kind = TypeVar("Kind", bound=Row)

Change = Row | Gone
"""What a step does to one row: a noun is written in its place, Gone removes it."""

_BY_DEVICE = ("interfaces", "routes", "filters", "filter_rules", "nats", "vlans", "vrfs")
_BOXES = ("filters", "filter_rules", "nats")
_BY_TENANT = ("cloud_networks", "cloud_routers", "security_groups", "security_rules", "servers")


class Way:
    """Steps in a safe order, each in a phase (a phase becomes a wave)."""

    def __init__(self, now: Estate, target: Estate, policy: Policy) -> None:
        self.now, self.target, self.policy = now, target, policy
        self.estate = now
        self.departments: tuple[Department, ...] = departments(now, policy)
        self.steps: list[Step] = []
        self.phase_of: dict[str, int] = {}
        self._writers: dict[tuple[str, str], str] = {}

    def step(
        self,
        name: str,
        phase: int,
        kind: StepKind,
        title: str,
        why: str,
        changes: Iterable[Change],
        after: Iterable[str] = (),
        **more: object,
    ) -> None:
        """Add a step with these changes, in this order as far as a push keeps it (`in_order_of_push`).

        What changes nothing is left out, so is an empty step.
        """
        edits: list[Edit] = []
        writers = []
        for change in changes:
            edit = self._edit(change)
            if edit is None:
                continue
            if writer := self._writers.get((edit.table, edit.key)):
                writers.append(writer)
            edits.append(edit)
            self.estate = self.estate.apply((edit,))
        if not edits:
            return
        edits = in_order_of_push(edits)
        known = [each for each in after if each in self.phase_of]
        before = tuple(sorted({*known, *(each for each in writers if each != name)}))
        fields = {
            "name": name,
            "kind": kind,
            "title": title,
            "why": why,
            "edits": tuple(edits),
            "after": before,
            "devices": _devices(edits),
            "tenants": _tenants(edits),
            "hosts": _hosts(edits),
            "evidence": _evidence(edits),
        }
        self.steps.append(Step.model_validate({**fields, **more}))
        self.phase_of[name] = phase
        self._writers.update({(edit.table, edit.key): name for edit in edits})

    def _edit(self, change: Change) -> Edit | None:
        noun = change.noun if isinstance(change, Gone) else change
        table, key = TABLE_OF[type(noun)], key_of(noun)
        found = getattr(self.estate, table).get(key)
        wanted = None if isinstance(change, Gone) else noun
        if found == wanted:
            return None
        return Edit(
            table=table, key=key, before=found.plain() if found else None, after=wanted.plain() if wanted else None
        )

    def names(self, *prefixes: str) -> list[str]:
        """Names of the steps so far that begin with one of these."""
        return [step.name for step in self.steps if step.name.startswith(prefixes)]

    def added(self, kind: type[Kind]) -> list[Kind]:
        """Rows of a kind that the target has and the estate so far has not, by key."""
        return _only(kind, self.target, self.estate)

    def removed(self, kind: type[Kind]) -> list[Kind]:
        """Rows of a kind that the estate so far has and the target has not, by key."""
        return _only(kind, self.estate, self.target)


def _only(kind: type[Kind], here: Estate, there: Estate) -> list[Kind]:
    rows, others = getattr(here, TABLE_OF[kind]), getattr(there, TABLE_OF[kind])
    return [row for key, row in sorted(rows.items()) if key not in others]


def in_order_of_push(edits: Iterable[Edit]) -> list[Edit]:
    """Edits in the order in which they are pushed: device by device, its filters and translations at first.

    What is in no device's text stays behind what it followed.
    """
    rank: dict[str, int] = {}
    place, placed = (0, 0), []
    for edit in edits:
        if edit.table in _BY_DEVICE:
            device = rank.setdefault(edit.key.split("/")[0], len(rank))
            place = (device, 0 if edit.table in _BOXES else 1)
            placed.append((place, edit))
        else:
            placed.append(((place[0], 1), edit))
    return [edit for _place, edit in sorted(placed, key=itemgetter(0))]


def _devices(edits: list[Edit]) -> tuple[str, ...]:
    """Devices with edits, in their order: that of the push."""
    return tuple(dict.fromkeys(edit.key.split("/")[0] for edit in edits if edit.table in _BY_DEVICE))


def _tenants(edits: list[Edit]) -> tuple[str, ...]:
    own = {edit.key for edit in edits if edit.table == "tenants"}
    inside = {edit.key.split("/")[0] for edit in edits if edit.table in _BY_TENANT}
    return tuple(sorted(own | inside | {place.split("/")[0] for place in _places(edits) if "/" in place}))


def _hosts(edits: list[Edit]) -> tuple[str, ...]:
    own = {edit.key for edit in edits if edit.table == "hosts"}
    return tuple(sorted(own | {place for place in _places(edits) if "/" not in place}))


def _places(edits: list[Edit]) -> set[str]:
    return {edit.key.split("@", 1)[1] for edit in edits if edit.table == "workloads"}


_EVIDENCE = {
    "network": "running configuration read back parses to exactly the rows of this step",
    "cloud": "the API shows exactly the objects of this step, the engine's preview shows no change",
    "readdress": "every host answers under its new address and no longer under the old one",
    "copy": "SHA-256 manifests of source and copy are equal",
    "cutover": "checksums are equal, the name answers with the new address, every flow of the system works",
    "retire": "the old place no longer answers on the workload's port",
    "record": "the register shows the new state",
}


def _evidence(edits: list[Edit]) -> str:
    return f"{len(edits)} rows: " + ", ".join(sorted({edit.table for edit in edits}))


def with_evidence(step: Step) -> Step:
    """The step with words on how to tell from the world whether it is done."""
    return step.model_copy(update={"evidence": f"{_EVIDENCE[step.kind]} ({step.evidence})"})
