"""Whatever is in a file, intake reads it or says what is wrong with it: no other error, nothing half read."""

import tempfile
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from io import BytesIO
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from network_models import district
from network_models.write_district import FOLDER
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.policy import read_policy
from orchestrator.intake.topology import read_topology
from orchestrator.intake.workbook.census import read_census
from orchestrator.intake.workbook.forms import EGRESSES, NETWORKS, SITES, SYSTEMS
from orchestrator.intake.workbook.tables import read_tables
from tests.intake.books import write_book
from tests.laws import examples

words = st.sampled_from(
    [
        "是",
        "否",
        "望潮区财政局",
        "990102-CZ-0001",
        "CZ-NET",
        "10.8.1.0/24",
        "10.8.1.1-20",
        "县",
        "√",
        "-",
        "=1+1",
        "cz1",
    ]
)
texts = st.text(max_size=12).map(lambda text: ILLEGAL_CHARACTERS_RE.sub("", text))
values = st.one_of(
    words,
    texts,
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.dates(date(1950, 1, 1), date(2050, 1, 1)),
    st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),
    st.none(),
)


def rows_of(form: Any) -> st.SearchStrategy[list[list[Any]]]:
    return st.lists(st.lists(values, min_size=len(form.columns), max_size=len(form.columns)), max_size=3)


def titles_of(form: Any) -> list[str]:
    return [column.titles[0] for column in form.columns]


@settings(max_examples=examples(40))
@given(rows_of(SYSTEMS), rows_of(NETWORKS), rows_of(SITES), rows_of(EGRESSES))
def test_any_cells_are_read_or_refused_with_their_places(
    systems: list[list[Any]], networks: list[list[Any]], sites: list[list[Any]], egresses: list[list[Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_book(
            Path(folder) / "census.xlsx",
            F1=(titles_of(SYSTEMS), systems),
            F3=(titles_of(NETWORKS), networks),
            SITES=(titles_of(SITES), sites),
            F4=(titles_of(EGRESSES), egresses),
        )
        organisations = district.now().organisations
        try:
            census = read_census(path, "census.xlsx", organisations, IPv4Network("198.18.0.0/15"), date(2018, 1, 8))
        except FaultyInputError as error:
            refused = error.findings
        else:
            refused = ()
            assert len(census.systems) <= len(systems)
        assert all(one.where and one.where.cell and "\n" not in str(one) for one in refused)


@settings(max_examples=examples(40))
@given(st.data())
def test_any_damage_to_the_workbook_is_read_or_refused(data: st.DataObject) -> None:
    parts = district_parts()
    name = data.draw(st.sampled_from(sorted(parts)))
    content = parts[name]
    at = data.draw(st.integers(0, len(content) - 1))
    end = at + data.draw(st.integers(0, 60))
    packed = BytesIO()
    hurt = content[:at] + data.draw(st.binary(max_size=6)) + content[end:]
    with ZipFile(packed, "w", ZIP_DEFLATED) as book:
        for part, whole in parts.items():
            book.writestr(part, hurt if part == name else whole)
    damaged = bytearray(packed.getvalue())
    if data.draw(st.booleans()):  # the packed bytes are hurt too, as on a bad disk
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 0xFF
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "census.xlsx"
        path.write_bytes(damaged)
        try:
            read_tables(path, path.name, (SYSTEMS, NETWORKS, SITES, EGRESSES))
        except FaultyInputError as error:
            assert all(one.where and one.where.source == path.name for one in error.findings)  # noqa: PT017  # raising is allowed, saying nothing is not


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("xl/worksheets/sheet1.xml", lambda content: content[:200]),
        ("xl/styles.xml", lambda _content: b""),
        ("xl/styles.xml", lambda content: content.replace(b'numFmtId="', b'numFmtId="99999999999')),
    ],
    ids=["cut", "no_styles", "huge_number"],
)
def test_a_damaged_part_of_the_workbook_is_told_in_one_line(
    part: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "census.xlsx", "w") as book:
        for name, content in district_parts().items():
            book.writestr(name, change(content) if name == part else content)
    with pytest.raises(FaultyInputError) as caught:
        read_tables(tmp_path / "census.xlsx", "census.xlsx", (SYSTEMS,))
    assert str(caught.value).startswith("census.xlsx: not an Excel workbook (")
    assert "\n" not in str(caught.value)


@cache
def district_parts() -> dict[str, bytes]:
    """What the district's workbook is made of."""
    with ZipFile(FOLDER / "census.xlsx") as book:
        return {name: book.read(name) for name in book.namelist()}


@settings(max_examples=examples(40))
@given(st.data())
def test_any_edit_of_a_yaml_file_is_read_or_refused_with_its_line(data: st.DataObject) -> None:
    name, reader = data.draw(
        st.sampled_from([("policy.yaml", read_policy), ("topology.yaml", lambda path: read_topology(path, path.name))])
    )
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(0, len(lines[at])))
    lines[at] = lines[at][:cut] + data.draw(st.text(max_size=6)) + lines[at][cut + data.draw(st.integers(0, 8)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text("\n".join(lines), "utf-8", errors="replace")
        try:
            reader(path)
        except FaultyInputError as error:
            assert all(one.where and one.where.source == name for one in error.findings)  # noqa: PT017  # raising is allowed, saying nothing is not
