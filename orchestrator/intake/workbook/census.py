"""census.xlsx -> the census nouns, each with the cells it stands in; all faults at once, or everything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path

from orchestrator.intake.faults import raise_all
from orchestrator.intake.workbook.forms import EGRESSES, FORMS, NETWORKS, SITES, SYSTEMS
from orchestrator.intake.workbook.networks import read_egresses, read_networks, read_sites
from orchestrator.intake.workbook.notes import Notes, Register
from orchestrator.intake.workbook.systems import read_systems
from orchestrator.intake.workbook.tables import Row, Table, read_tables
from orchestrator.model import base
from orchestrator.model.census import InformationSystem, InternetEgress, Organisation, PrivateNetwork, PrivateSite
from orchestrator.model.finding import Finding


class Completeness(base.Noun):
    """How many rows of a form have a column filled in. Classified rows count only where the column is kept for them."""

    form: str
    column: str
    filled: int
    total: int


@dataclass(frozen=True)
class Census:
    """The workbook as read: code -> noun and row. The row has the cell of every field, those of no noun included."""

    systems: Mapping[str, tuple[InformationSystem, Row]]
    networks: Mapping[str, tuple[PrivateNetwork, Row]]
    sites: Mapping[str, tuple[PrivateSite, Row]]
    egresses: Mapping[str, tuple[InternetEgress, Row]]
    findings: tuple[Finding, ...]
    completeness: tuple[Completeness, ...]

    def claims(self) -> Iterator[tuple[base.Row, Row]]:
        """Every noun with its row."""
        for rows in (self.systems, self.networks, self.sites, self.egresses):
            yield from rows.values()


def read_census(
    path: Path, name: str, organisations: Mapping[str, Organisation], pool: IPv4Network, on: date
) -> Census:
    """Read the workbook; `name` is how messages call it, `pool` the extranet's, `on` the day that counts as today.

    Raises FaultyInputError with one Finding per fault, in the order of the forms; then nothing is imported.
    """
    tables = read_tables(path, name, FORMS)
    notes = Notes([f for t in tables.values() for f in t.faults], [f for t in tables.values() for f in t.findings])
    register = Register(organisations.values())
    networks = read_networks(tables[NETWORKS.name].rows, register, notes)
    systems = read_systems(tables[SYSTEMS.name].rows, register, set(networks), on, notes)
    sites = read_sites(tables[SITES.name].rows, networks, notes)
    egresses = read_egresses(tables[EGRESSES.name].rows, register, pool, notes)
    raise_all(sorted(notes.faults, key=_reading_order))
    findings = tuple(sorted(notes.findings, key=_reading_order))
    return Census(systems, networks, sites, egresses, findings, tuple(_completeness(tables)))


def _reading_order(finding: Finding) -> tuple[str, int, int, str]:
    where = finding.where
    cell = where.cell if where and where.cell else ""
    letters = cell.rstrip("0123456789")
    row = int(cell[len(letters) :] or 0)
    return (where.sheet or "" if where else "", row, len(letters), letters)


def _completeness(tables: Mapping[str, Table]) -> Iterator[Completeness]:
    for form in FORMS:
        rows = tables[form.name].rows
        for column in form.columns:
            counted = [row for row in rows if column.kept or not row.values.get("classified")]
            filled = sum(column.field in row.values for row in counted)
            yield Completeness(form=form.name, column=column.titles[0], filled=filled, total=len(counted))
