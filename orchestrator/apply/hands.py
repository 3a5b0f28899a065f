"""One step into the world: its parts in order, each journalled before and after.

What a step does is computed from the estate before and after it, never read from its name: devices whose text
changes, stacks whose resources change, hosts whose address changes, workloads that move, names that lead elsewhere.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, Protocol

from orchestrator.apply.access import Access
from orchestrator.apply.cloud import Cloud, stacks_changed
from orchestrator.apply.endpoints import hosts_changed, push_hosts
from orchestrator.apply.network import devices_changed, push
from orchestrator.apply.places import Places, ServerKey
from orchestrator.apply.remote import Remote
from orchestrator.apply.workload import Move, Mover, moves
from orchestrator.errors import SurpriseError
from orchestrator.model.estate import Estate
from orchestrator.model.plan import Step

Action = Callable[[], dict[str, Any]]


class Part(NamedTuple):
    """One thing to do: its name in the journal, and how. `once`: not begun again when its event says it began."""

    name: str
    act: Action


class Carrier(Protocol):
    """Who takes circuits out of service. In life a carrier by letter; in the lab, the lab."""

    def release(self, link: str) -> None:
        """The circuit ends."""

    def restore(self, link: str) -> None:
        """The circuit is back."""


class Notes(Protocol):
    """The journal of one step."""

    def begun_last(self, part: str) -> str:
        """The direction in which this part was begun last, by whichever try of the step; "" when it never was."""

    def write(self, part: str, state: str, detail: dict[str, Any]) -> None:
        """Put an event on disk."""


class Hands:
    """Everything that can be touched, by one access file."""

    def __init__(
        self,
        access: Access,
        known: Estate,
        *,
        server_key: ServerKey | None = None,
        carrier: Carrier | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`known` knows every host of the run, also those that a later step retires."""
        self.access = access
        self.known = known
        self.remote = Remote(access)
        self.places = Places(access, server_key)
        self.cloud = Cloud(access, progress)
        self.mover = Mover(self.places, known)
        self.carrier = carrier

    def close(self) -> None:
        """End connections and the agent."""
        self.remote.close()
        self.places.close()

    def perform(
        self, step: Step, before: Estate, after: Estate, notes: Notes, *, resuming: bool, back: bool = False
    ) -> dict[str, Any]:
        """Bring the world from `before` to `after`; returns what each part reported. `back`: the step is taken back.

        Raises what the parts raise, after writing it to the journal.
        """
        told: dict[str, Any] = {}
        for part in self._parts(step, before, after, notes, resuming, back):
            notes.write(part.name, "started", {})
            try:
                told[part.name] = part.act()
            except Exception as error:
                notes.write(part.name, "failed", {"error": str(error)[:500]})
                raise
            notes.write(part.name, "done", told[part.name])
        return told

    def _parts(
        self, step: Step, before: Estate, after: Estate, notes: Notes, resuming: bool, back: bool
    ) -> Iterator[Part]:
        work = moves(before, after)
        cutovers = [move for move in work if move.kind == "cutover"]
        yield from (self._simple(move, before, after) for move in work if move.kind in ("copy", "start"))
        for move in cutovers:
            if not _holds(move, notes, back):
                yield Part(f"freeze:{move.workload}", partial(self.mover.freeze_and_sync, move, before))
        devices = self._devices(step, before, after)
        for name in devices[::-1] if back else devices:
            yield self._device(step, name, before, after, resuming, back)
        for name in stacks_changed(before, after):
            yield Part(f"stack:{name}", partial(self._stack, name, before, after, resuming, notes))
        for move in cutovers:
            yield Part(f"open:{move.workload}", partial(self.mover.open, move, after))
        if names := hosts_changed(before, after):
            yield Part("hosts", partial(self._hosts, step, names, before, after, back=back))
        for move in cutovers:
            yield Part(f"verify:{move.workload}", partial(self.mover.verify, move, after))
        yield from (self._simple(move, before, after) for move in work if move.kind == "stop")
        yield from self._circuits(before, after)

    def _simple(self, move: Move, before: Estate, after: Estate) -> Part:
        act = {"copy": self.mover.copy, "start": self.mover.start, "stop": self.mover.stop}[move.kind]
        # a stopped workload's place is described by the estate that still has it running
        return Part(move.name, lambda: act(move, before if move.kind == "stop" else after))

    def _device(self, step: Step, name: str, before: Estate, after: Estate, resuming: bool, back: bool) -> Part:
        edits = step.undo() if back else step.edits

        def act() -> dict[str, Any]:
            pushed = push(name, before, after, self.remote, self.access, edits, resuming=resuming, back=back)
            return {"changed": pushed.changed, "lines": pushed.lines}

        return Part(f"device:{name}", act)

    def _devices(self, step: Step, before: Estate, after: Estate) -> tuple[str, ...]:
        """The devices whose text changes, in the order in which the step names them."""
        changed = devices_changed(before, after)
        foreign = sorted(set(changed) - set(step.devices))
        if foreign:
            raise SurpriseError(
                f"step {step.name} changes {', '.join(foreign)}, which is not in its footprint: report this plan"
            )
        return tuple(name for name in step.devices if name in changed)

    def _hosts(
        self, step: Step, names: tuple[str, ...], before: Estate, after: Estate, *, back: bool
    ) -> dict[str, Any]:
        return {"hosts": push_hosts(step, names, before, after, self.remote, self.access, back=back)}

    def _stack(self, name: str, before: Estate, after: Estate, resuming: bool, notes: Notes) -> dict[str, Any]:
        raised = self.cloud.push(
            name,
            before,
            after,
            resuming=resuming,
            note=lambda resource, state: notes.write(f"stack:{name}/{resource}", state, {}),
        )
        return {"changed": raised.changed, "adopted": list(raised.adopted)}

    def _circuits(self, before: Estate, after: Estate) -> Iterator[Part]:
        for name, link in sorted(after.links.items()):
            was = before.links[name].state if name in before.links else link.state
            if self.carrier is None or was == link.state:
                continue
            if link.state == "released":
                yield Part(f"circuit:{name}", partial(self._told, self.carrier, "release", name))
            elif was == "released":
                yield Part(f"circuit:{name}", partial(self._told, self.carrier, "restore", name))

    def _told(self, carrier: Carrier | None, verb: str, link: str) -> dict[str, Any]:
        getattr(carrier, verb)(link)
        return {verb: link}


def _holds(move: Move, notes: Notes, back: bool) -> bool:
    """Whether the place to which a cutover goes has every write already, so that nothing may be copied over it.

    It has when it was the last to be opened. So has the old place on the way back when the new one never was: the step
    stopped before its switch, and what the new place holds is an older copy, or half a one.
    """
    last = notes.begun_last(f"open:{move.workload}")
    return back if not last else last == ("back" if back else "forward")
