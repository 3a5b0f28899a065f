"""Workloads: first copy, cutover, stop, and all of it backwards. The old copy is kept until somebody else's step.

At every place `onefold-service` (docs/apply.md) defines, starts, freezes, dumps, loads and sums up a workload. A new
copy stays frozen (it answers, and writes nothing) until the switch is on the journal's disk; so a killed cutover can
be begun again from its freeze without losing a write.
"""

import json
import shlex
import time
from typing import Any, Literal

from orchestrator.apply.endpoints import BEGIN, END, names_seen
from orchestrator.apply.places import Places
from orchestrator.errors import SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.census import Workload
from orchestrator.model.estate import Estate

SERVICE = "onefold-service"


class Move(Noun):
    """What happens to one workload between two estates."""

    kind: Literal["copy", "cutover", "start", "stop"]
    workload: str  # "system/name"
    source: str = ""  # place that holds the data
    target: str  # place where it happens

    @property
    def name(self) -> str:
        """The part's name in the journal."""
        return f"{self.kind}:{self.workload}@{self.target}"


def service_name(system: str, name: str) -> str:
    """The name by which a place knows a workload; the same everywhere."""
    return f"{system}.{name}"


def moves(before: Estate, after: Estate) -> tuple[Move, ...]:
    """What must be done to the workloads to come from one estate to the other, databases first."""
    groups: dict[str, tuple[dict[str, Workload], dict[str, Workload]]] = {}
    for side, estate in enumerate((before, after)):
        for row in estate.workloads.values():
            groups.setdefault(f"{row.system}/{row.name}", ({}, {}))[side][row.place] = row
    found = [move for key, (old, new) in sorted(groups.items()) for move in _moves(key, old, new)]
    kinds = {f"{row.system}/{row.name}": row.kind for estate in (before, after) for row in estate.workloads.values()}
    return tuple(sorted(found, key=lambda move: kinds[move.workload] != "database"))


def _moves(key: str, old: dict[str, Workload], new: dict[str, Workload]) -> list[Move]:
    was, becomes = _serving(old), _serving(new)
    found = []
    for place in sorted(old.keys() | new.keys()):
        alive_before = place in old and old[place].state != "stopped"
        alive_after = place in new and new[place].state != "stopped"
        if alive_after and not alive_before:
            holder = was if was and was != place else ""
            found.append(Move(kind="copy" if holder else "start", workload=key, source=holder, target=place))
        if alive_before and not alive_after and place != was:
            found.append(Move(kind="stop", workload=key, target=place))
    if was and becomes and was != becomes:
        found = [move for move in found if move.target != was]
        found.append(Move(kind="cutover", workload=key, source=was, target=becomes))
    if was and was != becomes and (was not in new or new[was].state == "stopped"):
        found.append(Move(kind="stop", workload=key, target=was))
    return found


def _serving(rows: dict[str, Workload]) -> str:
    return next((place for place, row in sorted(rows.items()) if row.state == "running"), "")


class Mover:
    """Carries out moves."""

    def __init__(self, places: Places, known: Estate) -> None:
        """`known` is an estate that knows every host from which a server can be entered."""
        self._places = places
        self._known = known

    def copy(self, move: Move, estate: Estate) -> dict[str, Any]:
        """Bring the data to the new place and start it there, frozen. Returns checksums and seconds."""
        begun = time.monotonic()
        self._sync(move, estate, first=True)
        sums = self._same(move, estate)
        return {"items": len(sums.splitlines()), "seconds": round(time.monotonic() - begun, 2)}

    def freeze_and_sync(self, move: Move, estate: Estate) -> dict[str, Any]:
        """Stop writes at the old place and make both equal; on any trouble the old place writes again."""
        service = shlex.quote(self._service(move))
        begun = time.time()
        self._do(estate, move.source, f"{SERVICE} freeze {service}", self._via(move))
        try:
            self._sync(move, estate, first=not self._alive(move, estate))
            sums = self._same(move, estate)
        except Exception:
            self._do(estate, move.source, f"{SERVICE} start {service}", self._via(move))
            raise
        return {"items": len(sums.splitlines()), "frozen_at": begun}

    def open(self, move: Move, estate: Estate) -> dict[str, Any]:
        """Let the new place write (it was frozen until now), with the names as they will be."""
        if move.target in estate.servers:
            self._name(move, estate)
        self._do(estate, move.target, f"{SERVICE} start {shlex.quote(self._service(move))}", self._via(move))
        return {"open_at": time.time()}

    def verify(self, move: Move, estate: Estate) -> dict[str, Any]:
        """The new place runs and the old one no longer writes. Raises SurpriseError."""
        state = self.state(estate, move.target, self._service(move), self._via(move))
        if state != "running":
            raise SurpriseError(
                f"{move.workload} is {state} at {move.target} after its cutover: look there, then resume"
            )
        return {"state": state}

    def start(self, move: Move, estate: Estate) -> dict[str, Any]:
        """Start (or thaw) a workload whose data is there already."""
        self._do(estate, move.target, f"{SERVICE} start {shlex.quote(self._service(move))}", self._via(move))
        return {}

    def stop(self, move: Move, estate: Estate) -> dict[str, Any]:
        """Stop a workload; its data stays where it is."""
        if self.state(estate, move.target, self._service(move), self._via(move)) not in ("absent", "stopped"):
            self._do(estate, move.target, f"{SERVICE} stop {shlex.quote(self._service(move))}", self._via(move))
        return {}

    def state(self, estate: Estate, place: str, service: str, via: str = "") -> str:
        """ "running", "frozen", "stopped" or "absent"."""
        listed = self._do(estate, place, f"{SERVICE} list", via).split()
        if service not in listed:
            return "absent"
        answer = self._do(estate, place, f"{SERVICE} status {shlex.quote(service)} || [ $? = 3 ]", via)
        return str(json.loads(answer)["state"])

    def checksum(self, estate: Estate, place: str, service: str, via: str = "") -> str:
        """One line a file or table."""
        return self._do(estate, place, f"{SERVICE} checksum {shlex.quote(service)}", via, limited=False)

    def _alive(self, move: Move, estate: Estate) -> bool:
        return self.state(estate, move.target, self._service(move), self._via(move)) in ("running", "frozen")

    def _sync(self, move: Move, estate: Estate, *, first: bool) -> None:
        """Make the target's data equal to the source's; `first`: also make the workload known there, and frozen."""
        service = shlex.quote(self._service(move))
        described = json.loads(self._do(estate, move.source, f"{SERVICE} describe {service}", self._via(move)))
        if first:
            self._prepare(move, estate, described)
        host, other = self._ends(move)
        if described["kind"] == "database" and move.source == host:
            self._places.pipe(estate, host, other, f"{SERVICE} dump {service}", f"{SERVICE} load {service}")
        elif described["kind"] == "database":
            text = self._do(estate, other, f"{SERVICE} dump {service}", host, limited=False)
            self._do(estate, host, f"{SERVICE} load {service}", given=text, limited=False)
        elif move.source == host:
            self._places.copy(estate, host, other, (described["folder"],))
        else:
            self._places.fetch(estate, host, other, described["folder"])
        if first:
            self._do(estate, move.target, f"{SERVICE} start {service} && {SERVICE} freeze {service}", self._via(move))

    def _prepare(self, move: Move, estate: Estate, described: dict[str, Any]) -> None:
        """Describe the workload at its new place, with its passwords (0600); a database must run to be filled."""
        service, via = self._service(move), self._via(move)
        if move.target in estate.servers:
            self._name(move, estate)
            secret = [f"/srv/services/{service}.{end}" for end in ("password", "client")]
            there = self._do(estate, move.source, f"ls {shlex.join(secret)} 2>/dev/null || true").split()
            if there:
                self._places.copy(estate, move.source, move.target, tuple(there))
            described["title"] = move.target.rpartition("/")[2]
            self._do(estate, move.target, f"{SERVICE} define", via, given=json.dumps(described, ensure_ascii=False))
        if described["kind"] == "database":
            self._do(estate, move.target, f"{SERVICE} start {shlex.quote(service)}", via)

    def _name(self, move: Move, estate: Estate) -> None:
        """Tell the server which address answers for which name, as its tenant is answered."""
        tenant = estate.tenants[estate.servers[move.target].tenant]
        seen = names_seen(estate.service_names, tenant.zone, tenant.organisation)
        lines = [BEGIN, *(f"{address} {fqdn}" for fqdn, address in seen.items()), END]
        # in place, not by renaming: /etc/hosts may be a mount of its own
        command = f"kept=$(sed '/^{BEGIN}$/,/^{END}$/d' /etc/hosts); {{ echo \"$kept\"; cat; }} > /etc/hosts"
        self._do(estate, move.target, command, self._via(move), given="\n".join(lines) + "\n")

    def _same(self, move: Move, estate: Estate) -> str:
        """Both places hold the same: SHA-256 of every file, CHECKSUM TABLE of every table. Raises SurpriseError."""
        service, via = self._service(move), self._via(move)
        old, new = (self.checksum(estate, place, service, via) for place in (move.source, move.target))
        if old != new or not old.strip():
            apart = sorted(set(old.splitlines()) ^ set(new.splitlines()))
            first = apart[0].split()[-1] if apart else "nothing there at all"
            raise SurpriseError(
                f"{move.workload} differs between {move.source} and {move.target} at {len(apart)} items, "
                f"first {first}: nothing was switched; look at both, then resume"
            )
        return new

    def _service(self, move: Move) -> str:
        return service_name(*move.workload.split("/", 1))

    def _ends(self, move: Move) -> tuple[str, str]:
        """(host, other end) of a move: at least one end is a host."""
        if move.source in self._known.hosts:
            return move.source, move.target
        return move.target, move.source

    def _via(self, move: Move) -> str:
        """The host from which the move's server is entered: the workload's own host."""
        for place in (move.source, move.target):
            if place in self._known.hosts:
                return place
        rows = self._known.workloads.values()
        return next(
            (
                row.place
                for row in rows
                if f"{row.system}/{row.name}" == move.workload and row.place in self._known.hosts
            ),
            "",
        )

    def _do(
        self, estate: Estate, place: str, command: str, via: str = "", given: str = "", *, limited: bool = True
    ) -> str:
        return self._places.run(estate, place, command, via=via, given=given, limited=limited)
