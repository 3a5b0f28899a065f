"""The world as it is, in the form in which an estate predicts it; and what differs between the two."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import Field

from orchestrator.apply import cloud_world
from orchestrator.apply.device import Rows, parsed, read_all, rows_of_estate, rows_of_texts
from orchestrator.apply.endpoints import names_block, read_host
from orchestrator.apply.hands import Hands
from orchestrator.apply.workload import service_name
from orchestrator.intake.openstack import read_cloud
from orchestrator.model.base import Noun, Row
from orchestrator.model.census import Workload
from orchestrator.model.estate import NOUN_OF, Estate
from orchestrator.model.finding import Where
from orchestrator.vendors.parsed import redact, text_lines
from orchestrator.vendors.registry import render_device


class Snapshot(Noun):
    """Configuration texts, end points, cloud rows and services at one moment."""

    texts: dict[str, dict[str, str]]  # device -> file -> running text
    hosts: dict[str, tuple[str, str, str]]  # host -> address, gateway, names
    cloud: dict[str, dict[str, Any]] = Field(default_factory=dict)  # "table[key]" -> row
    strange: dict[str, str] = Field(default_factory=dict)  # object of the cloud that no row can express -> what it is
    services: dict[str, str] = Field(default_factory=dict)  # "system.name@place" -> running, frozen, stopped


class Difference(Noun):
    """One thing that is not as the estate says."""

    where: Where
    row: str  # "table[key]"
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.row} is {self.found}, expected {self.expected}"


def take(estate: Estate, hands: Hands) -> Snapshot:
    """Read the world. Raises UnreachableError, DeviceError: a world that cannot be read is no snapshot."""
    with ThreadPoolExecutor(6) as pool:
        hosts = dict(pool.map(lambda name: (name, read_host(estate, name, hands.remote)), sorted(estate.hosts)))
    rows, strange = _cloud(estate, hands)
    return Snapshot(
        texts=read_all(estate, hands.remote, hands.access),
        hosts=hosts,
        cloud=rows,
        strange=strange,
        services=_services(estate, hands),
    )


def _cloud(estate: Estate, hands: Hands) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The clouds' rows, and the objects that no row can express. Raises InputError, UnreachableError."""
    # unread is not empty: without a file only a cloud in which we have nothing is left alone
    if not estate.clouds or (hands.access.clouds_file is None and not cloud_world.expected_rows(estate)):
        return {}, {}
    reading = read_cloud(hands.cloud.connection, estate)
    rows = {f"{table}[{key}]": row.plain() for (table, key), row in sorted(cloud_world.rows_of(reading).items())}
    return rows, {str(finding.where): finding.what for finding in reading.findings}


def _services(estate: Estate, hands: Hands) -> dict[str, str]:
    """Workloads on hosts; what is in the cloud is entered only by the moves themselves."""
    rows = [
        row for row in estate.workloads.values() if row.place in estate.hosts and estate.hosts[row.place].management
    ]
    names = [(service_name(row.system, row.name), row.place) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        states = pool.map(lambda pair: hands.mover.state(estate, pair[1], pair[0]), names)
        return {f"{service}@{place}": state for (service, place), state in zip(names, states, strict=True)}


def differences(estate: Estate, snapshot: Snapshot) -> tuple[Difference, ...]:
    """What in the world is not as the estate says, devices first. Empty: the world is this estate."""
    found = [d for device in sorted(snapshot.texts) for d in _of_device(estate, device, snapshot.texts[device])]
    found += _of_hosts(estate, snapshot)
    expected = {f"{t}[{k}]": row for (t, k), row in cloud_world.expected_rows(estate).items()}
    world = {place: NOUN_OF[place.partition("[")[0]].model_validate(row) for place, row in snapshot.cloud.items()}
    for place in sorted(expected.keys() | world.keys()):
        if expected.get(place) != world.get(place):
            where = Where(source="cloud", item=place)
            found.append(_difference(where, place, expected.get(place), world.get(place)))
    for row, state in services_of(estate, snapshot):
        if row.state != state_of(state):
            where, what = (
                Where(source=row.place, item=service_name(row.system, row.name)),
                f"workloads[{row.key}].state",
            )
            found.append(Difference(where=where, row=what, expected=row.state, found=state))
    for place, what in sorted(snapshot.strange.items()):
        where = Where(source="cloud", item=place)
        found.append(Difference(where=where, row="unread object", expected="absent", found=what))
    return tuple(found)


def services_of(estate: Estate, snapshot: Snapshot) -> Iterator[tuple[Workload, str]]:
    """The workloads that a snapshot was told of, each with the word of its place: running, frozen, stopped, absent."""
    for _, row in sorted(estate.workloads.items()):
        if state := snapshot.services.get(f"{service_name(row.system, row.name)}@{row.place}"):
            yield row, state


def state_of(word: str) -> str:
    """`Workload.state` of what a place says of a service."""
    return {"running": "running", "frozen": "standby"}.get(word, "stopped")


def _of_device(estate: Estate, device: str, texts: dict[str, str]) -> list[Difference]:
    have, want = rows_of_texts(estate, device, texts), rows_of_estate(estate, device)
    read = parsed(estate, device, texts)
    ought = parsed(estate, device, render_device(estate, device))
    places = {row.noun.key: Where(source=f"{device}/{row.file}", line=row.line) for row in read.rows}
    # what is gone stands nowhere any more: name the file in which it should stand
    lost = {row.noun.key: Where(source=f"{device}/{row.file}") for row in ought.rows}
    found = []
    for place in sorted(have.keys() | want.keys()):
        if have.get(place) != want.get(place):
            where = places.get(place[1]) or lost[place[1]]
            found.append(_difference(where, f"{place[0]}[{place[1]}]", want.get(place), have.get(place)))
    usual = {line.text for line in ought.unparsed}
    for strange in read.unparsed:
        if strange.text not in usual:
            where = Where(source=f"{device}/{strange.file}", line=strange.line)
            found.append(Difference(where=where, row="unread line", expected="absent", found=strange.text))
    return found


def _of_hosts(estate: Estate, snapshot: Snapshot) -> list[Difference]:
    found = []
    for name, (address, gateway, names) in sorted(snapshot.hosts.items()):
        host = estate.hosts[name]
        wanted = {"address": str(host.address), "gateway": str(host.gateway), "names": names_block(estate, host)}
        for what, have in (("address", address), ("gateway", gateway), ("names", names)):
            if wanted[what] != have:
                row = f"hosts[{name}].{what}"
                found.append(
                    Difference(where=Where(source=name, item=what), row=row, expected=wanted[what], found=have)
                )
    return found


def _difference(where: Where, row: str, expected: Row | None, found: Row | None) -> Difference:
    return Difference(where=where, row=row, expected=_short(expected), found=_short(found))


def _short(row: Row | None) -> str:
    if row is None:
        return "absent"
    return str({key: value for key, value in row.plain().items() if value not in ("", None, [], {})})


def unequal(first: Snapshot, second: Snapshot) -> tuple[str, ...]:
    """What differs between two snapshots, texts compared with the order of lines aside."""
    found = []
    for device in sorted(first.texts.keys() | second.texts.keys()):
        old, new = first.texts.get(device, {}), second.texts.get(device, {})
        for file in sorted(old.keys() | new.keys()):
            apart = _lines(old.get(file, "")) ^ _lines(new.get(file, ""))
            if apart:
                found.append(f"{device}/{file}: {redact(sorted(apart)[0])}")
    for what in ("hosts", "cloud", "strange", "services"):
        was, becomes = getattr(first, what), getattr(second, what)
        found += [f"{what} {key}: {was.get(key)} -> {becomes.get(key)}" for key in sorted(was.keys() | becomes.keys())
                  if was.get(key) != becomes.get(key)]  # fmt: skip
    return tuple(found)


def _lines(text: str) -> set[str]:
    """The lines that mean something: counters of a filter and comments come and go."""
    kept = set()
    for line in text_lines(text):
        words = line.split()
        if words and not words[0].startswith(("!", "#", "Building", "Current")):
            kept.add(" ".join(_without_counters(words)))
    return kept


def _without_counters(words: list[str]) -> list[str]:
    kept, skip = [], 0
    for word in words:
        if skip:
            skip -= 1
        elif word in ("packets", "bytes"):
            skip = 1
        else:
            kept.append(word)
    return kept


__all__ = ["Difference", "Rows", "Snapshot", "differences", "take", "unequal"]
