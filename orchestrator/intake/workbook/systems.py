"""Form F1: rows to information systems; who is there twice, what depends on something nobody knows."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from orchestrator.intake.workbook.cells import folded
from orchestrator.intake.workbook.forms import SYSTEMS, ZOMBIE_MARKS
from orchestrator.intake.workbook.notes import Notes, Register, build
from orchestrator.intake.workbook.tables import Row
from orchestrator.model.census import InformationSystem

CLASSIFIED_NAME = "涉密系统"
"""What a classified system is called: its own name is not recorded (R2)."""

_PLAIN = (
    "code", "category", "use_scope", "use_frequency", "logins_12m", "approved_on", "mlps_level", "cores",
    "memory_gigabytes", "disk_gigabytes", "addresses", "fqdn", "shadow_group", "disposition", "service_domain",
)  # fmt: skip


def read_systems(
    rows: list[Row], register: Register, networks: set[str], on: date, notes: Notes
) -> dict[str, tuple[InformationSystem, Row]]:
    """Code -> the system and its row. `networks` are the codes of form F3, `on` the day that counts as today."""
    owned = [(row, register.code(row, notes)) for row in rows]
    first: dict[str, tuple[Row, str]] = {}
    for row, owner in owned:
        code = row.values.get("code")
        if code is None or owner is None:
            continue
        if code in first:
            _again(row, owner, *first[code], notes)
        else:
            first[code] = (row, owner)
    _same_names(first, notes)
    names = _names(first)
    systems: dict[str, tuple[InformationSystem, Row]] = {}
    for code, (row, owner) in first.items():
        values = _stub(row, notes) if row.values.get("classified") else _open(row, names, networks, notes)
        system = build(InformationSystem, {**values, "organisation": owner}, row, notes)
        if system:
            systems[code] = (system, row)
            _judge(system, row, on, notes)
    _shadow_groups(systems, notes)
    return systems


def _stub(row: Row, notes: Notes) -> dict[str, Any]:
    kept = {column.field for column in SYSTEMS.columns if column.kept}
    for column in SYSTEMS.columns:
        if column.field in row.values and column.field not in kept:
            notes.fault(
                row.where(column.field), f"{column.titles[0]} of a classified system is recorded", "remove the details"
            )
    if row.values.get("name", CLASSIFIED_NAME) != CLASSIFIED_NAME:
        notes.fault(
            row.where("name"),
            "the name of a classified system is recorded",
            f"remove the details: leave it empty or write {CLASSIFIED_NAME}",
        )
    return {"code": row.values["code"], "name": CLASSIFIED_NAME, "classified": True, "disposition": "untouchable"}


def _open(row: Row, names: Mapping[str, set[str]], networks: set[str], notes: Notes) -> dict[str, Any]:
    values = {name: row.values.get(name) for name in _PLAIN}
    values["name"] = row.values.get("name")
    if values["name"] is None:
        notes.fault(row.where("name"), "系统名称 is empty", "fill it in")
        values["name"] = ""
    values["zombie_marks"] = tuple(mark for mark in row.cells if mark in ZOMBIE_MARKS and row.values.get(mark))
    values["bearer_networks"] = _bearers(row, networks, notes)
    values["dependencies"] = tuple(_known(row, "dependencies", row.values.get("dependencies", ()), names, notes))
    successor = row.values.get("successor")
    values["successor"] = next(_known(row, "successor", (successor,) if successor else (), names, notes), None)
    return values


def _bearers(row: Row, networks: set[str], notes: Notes) -> tuple[str, ...]:
    private = row.values.get("private_networks", ())
    for code in private:
        if code not in networks:
            notes.finding(
                row.where("private_networks"),
                f"the private network {code!r} is not in form F3",
                "add it to F3 or correct the code",
                "unknown",
            )
    bearers = tuple(bearer for bearer in row.values.get("bearer", ()) if bearer != "业务专网")
    if len(bearers) != len(row.values.get("bearer", ())) and not private:
        notes.finding(
            row.where("private_networks"),
            "the system is on a private network, which one is unknown",
            "write its code from form F3",
            "unknown",
        )
    return (*private, *bearers)


def _names(rows: Mapping[str, tuple[Row, str]]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for code, (row, _) in rows.items():
        names.setdefault(code, set()).add(code)
        if not row.values.get("classified"):  # nobody may depend on a classified system by name
            names.setdefault(folded(row.values.get("name", "")), set()).add(code)
    return names


def _known(
    row: Row, column: str, wanted: tuple[str, ...], names: Mapping[str, set[str]], notes: Notes
) -> Iterator[str]:
    what = "dependency" if column == "dependencies" else "successor"
    for name in wanted:
        codes = names.get(folded(name), set())
        if len(codes) != 1:
            problem = "is several systems" if codes else "is not in form F1"
            notes.finding(
                row.where(column),
                f"the {what} {name!r} {problem}: it stays unknown",
                "add that system to F1 or write its code",
                "unknown",
            )
        elif row.values["code"] in codes:
            notes.fault(row.where(column), f"the system is its own {what}", "remove it from the cell")
        else:
            yield next(iter(codes))


def _again(row: Row, owner: str, first: Row, first_owner: str, notes: Notes) -> None:
    code, name = row.values["code"], row.values.get("name", "")
    if owner != first_owner or folded(name) != folded(first.values.get("name", "")):
        notes.fault(
            row.where("code"),
            f"the code {code!r} is given to two systems (also cell {first.where('code').cell})",
            "give one of them its own code",
        )
        return
    if row.values.get("classified") != first.values.get("classified"):
        notes.fault(
            row.where("classified"),
            f"{code!r} is classified in one of two rows (also cell {first.where('classified').cell})",
            "settle which is right, keep that row",
        )
    differing = [row.cells[key] for key in row.values if key in first.values and row.values[key] != first.values[key]]
    notes.finding(
        row.where("name"),
        f"the system {name!r} is entered twice (also cell {first.where('name').cell}); the first was read",
        "remove one of the two rows",
    )
    for where in differing:
        notes.finding(
            where, f"the second entry of {name!r} says something else here", "settle which is right, keep one row"
        )


def _same_names(rows: Mapping[str, tuple[Row, str]], notes: Notes) -> None:
    seen: dict[tuple[str, str], Row] = {}
    for row, owner in rows.values():
        if row.values.get("classified") or "name" not in row.values:
            continue
        key = (owner, folded(row.values["name"]))
        if key in seen:
            notes.finding(
                row.where("name"),
                f"the name {row.values['name']!r} is used twice in one department "
                f"(also cell {seen[key].where('name').cell})",
                "rename one, or remove it if it is the same system",
            )
        seen.setdefault(key, row)


def _judge(system: InformationSystem, row: Row, on: date, notes: Notes) -> None:
    if system.approved_on and system.approved_on > on:
        notes.finding(row.where("approved_on"), f"approved on {system.approved_on}, after {on}", "correct the date")
    if system.use_frequency == "停用" and system.logins_12m:
        notes.finding(
            row.where("logins_12m"),
            f"out of use (停用) with {system.logins_12m} logins",
            "correct the frequency or the logins",
        )
    if system.disposition in ("merge", "replace") and system.successor is None:
        notes.finding(
            row.where("successor"),
            f"to be given up ({system.disposition}) without a known successor",
            "write the system that takes over",
            "unknown",
        )


def _shadow_groups(systems: Mapping[str, tuple[InformationSystem, Row]], notes: Notes) -> None:
    groups: dict[str, list[str]] = {}
    for code, (system, _) in systems.items():
        if system.shadow_group:
            groups.setdefault(system.shadow_group, []).append(code)
    for group, members in groups.items():
        system, row = systems[members[0]]
        if len(members) == 1 and system.successor is None:
            notes.finding(
                row.where("shadow_group"),
                f"the shadow group {group!r} has one system only",
                "mark the systems it doubles with the same group",
                "unknown",
            )
