"""Drift: what in the world is no longer as it should be, where, and which rule or registered flow that endangers.

What changed is treated as a plan of one step from the estate that should be to the one that is: the same proof that
judges our own changes judges those of others. A failure it adds is a danger; one that was there before is not news.
"""

from collections.abc import Iterator
from datetime import date

from orchestrator.apply.cloud_world import expected_rows
from orchestrator.apply.device import parsed, rows_of_estate, rows_of_texts
from orchestrator.apply.endpoints import names_block
from orchestrator.apply.hands import Hands
from orchestrator.apply.snapshot import Difference, Snapshot, differences, services_of, state_of, take
from orchestrator.forwarding.segments import is_table_device
from orchestrator.model.base import Noun
from orchestrator.model.estate import NOUN_OF, Edit, Estate
from orchestrator.model.finding import Finding, Where
from orchestrator.model.plan import Plan, Step, Wave
from orchestrator.model.policy import Policy
from orchestrator.proof import verify
from orchestrator.vendors.parsed import Unparsed
from orchestrator.vendors.registry import render_device


class Drift(Noun):
    """What differs, and what that endangers (rules and flows that hold as planned and do not hold as it is)."""

    differences: tuple[Difference, ...]
    endangered: tuple[Finding, ...]


def drift(estate: Estate, policy: Policy, hands: Hands, on: date) -> Drift:
    """Read the world and hold it to the estate in which it should be. Raises UnreachableError, DeviceError."""
    return judge(estate, policy, take(estate, hands), on)


def judge(estate: Estate, policy: Policy, snapshot: Snapshot, on: date) -> Drift:
    """The drift that a snapshot of the world shows."""
    found = differences(estate, snapshot)
    unread = tuple(_unread(estate))
    if not found:
        return Drift(differences=(), endangered=unread)
    edits = _edits(estate, snapshot)
    strange = _strange(estate, snapshot)
    usual = {_name(one) for one in _failures(estate, policy, (), (), on)}
    failing = [one for one in _failures(estate, policy, edits, strange, on) if _name(one) not in usual]
    return Drift(differences=found, endangered=(*failing, *_untold(estate, snapshot), *unread))


def _failures(
    estate: Estate, policy: Policy, edits: tuple[Edit, ...], strange: tuple[Unparsed, ...], on: date
) -> tuple[Finding, ...]:
    step = Step(name="drift", title="drift", why="somebody else", kind="network", edits=edits)
    wave = Wave(number=1, title="drift", night=on, window="", batches=(("drift",),))
    plan = Plan(
        project="drift",
        author="",
        built_from=estate.digest,
        leads_to=estate.apply(edits).digest,
        policy_version=policy.version,
        policy_digest=policy.digest,
        steps=(step,),
        waves=(wave,),
    )
    verdict = verify(estate, plan, policy, unparsed=strange)
    return tuple(one for one in verdict.findings if one.result != "pass" and not one.existing)


def _edits(estate: Estate, snapshot: Snapshot) -> tuple[Edit, ...]:
    """The rows that differ, as edits from the estate to the world."""
    edits = []
    for device, texts in sorted(snapshot.texts.items()):
        have, want = rows_of_texts(estate, device, texts), rows_of_estate(estate, device)
        edits += [_edit(estate, *place, have.get(place)) for place in sorted(have.keys() | want.keys())
                  if have.get(place) != want.get(place)]  # fmt: skip
    shown = expected_rows(estate)
    world = {_place(name): NOUN_OF[_place(name)[0]].model_validate(row) for name, row in snapshot.cloud.items()}
    edits += [_edit(estate, *place, world.get(place)) for place in sorted(shown.keys() | world.keys())
              if shown.get(place) != world.get(place) and place[0] != "tenants"]  # fmt: skip
    for name, (address, gateway, _) in sorted(snapshot.hosts.items()):
        row = estate.hosts[name].plain()
        changed = {**row, "address": address, "gateway": gateway}
        if changed != row and _can_be_a_row(address, gateway):
            edits.append(Edit(table="hosts", key=name, before=row, after=changed))
    for workload, word in services_of(estate, snapshot):
        if workload.state != state_of(word):
            row = workload.plain()
            edits.append(Edit(table="workloads", key=workload.key, before=row, after={**row, "state": state_of(word)}))
    return tuple(edits)


def _unread(estate: Estate) -> Iterator[Finding]:
    """What nobody here has a way to: that nothing was found there says nothing."""
    devices = [name for name, row in estate.devices.items() if is_table_device(row) and row.management is None]
    hosts = [name for name, row in estate.hosts.items() if row.management is None]
    for kind, names in (("devices", sorted(devices)), ("hosts", sorted(hosts))):
        if not names:
            continue
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")  # of a province it may be thousands
        many = f"{len(names)} {kind} ({shown}) have no management address and were not read"
        what = many if len(names) > 1 else f"{names[0]} has no management address and was not read"
        yield Finding(
            subject="drift", result="unknown", what=what, fix="name one in topology.yaml, or look there by hand"
        )


def _can_be_a_row(address: str, gateway: str) -> bool:
    return bool(address and gateway) and " " not in address


def _untold(estate: Estate, snapshot: Snapshot) -> Iterator[Finding]:
    """What differs and is in no row: the proof was not asked about it, so nobody here knows what it endangers."""
    for place, what in sorted(snapshot.strange.items()):
        yield _unknown(Where(source="cloud", item=place), what)
    for name, (address, gateway, names) in sorted(snapshot.hosts.items()):
        if not _can_be_a_row(address, gateway):
            what = f"address {address or 'none'}, gateway {gateway or 'none'}"
            yield _unknown(Where(source=name, item="address"), what)
        if names != names_block(estate, estate.hosts[name]):
            yield _unknown(Where(source=name, item="names"), "it is told other service names")


def _unknown(where: Where, what: str) -> Finding:
    fix = "put it back, or look at what depends on it"
    return Finding(
        subject="drift", result="unknown", where=where, what=f"{what}: what that endangers is not known", fix=fix
    )


def _edit(estate: Estate, table: str, key: str, found: Noun | None) -> Edit:
    """One row's edit; what configuration does not show (zones) stays as the register has it."""
    row = getattr(estate, table).get(key)
    after = found.plain() if found else None
    if after is not None and row is not None and "zone" in after:
        after["zone"] = row.zone
    return Edit(table=table, key=key, before=row.plain() if row else None, after=after)


def _place(name: str) -> tuple[str, str]:
    table, _, key = name.partition("[")
    return table, key.removesuffix("]")


def _strange(estate: Estate, snapshot: Snapshot) -> tuple[Unparsed, ...]:
    """Lines that no row explains and that were not there before: every answer they could change is unknown."""
    found = []
    for device, texts in sorted(snapshot.texts.items()):
        usual = {line.text for line in parsed(estate, device, render_device(estate, device)).unparsed}
        found += [line for line in parsed(estate, device, texts).unparsed if line.text not in usual]
    return tuple(found)


def _name(finding: Finding) -> tuple[str, str, str]:
    return finding.subject, finding.result, finding.what
