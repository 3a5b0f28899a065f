"""Small workbooks and projects for the tests of intake: written by openpyxl, as an office would."""

import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from network_models import district
from network_models.write_district import FOLDER
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.project import Project
from orchestrator.intake.read import Reading, read
from orchestrator.intake.workbook.census import Census, read_census

OFFICE = "望潮区财政局"
F1 = ("系统编码", "系统名称", "主管部门", "是否涉密")
F3 = ("专网编码", "专网名称", "主管部门", "是否涉密", "节点数", "网段")
SITES = ("专网编码", "节点", "接入设备", "网段")
F4 = ("出口编码", "单位", "层级", "公网地址", "出口设备", "出口接口", "线路编码", "日志留存")

Sheet = tuple[Sequence[str], Iterable[Sequence[Any]]]


def write_book(path: Path, **sheets: Sheet) -> Path:
    """A workbook with one sheet a form: `F1=(titles, rows)`; `SITES` is the sheet of sites."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, (titles, rows) in sheets.items():
        sheet = book.create_sheet({"SITES": "F3 节点"}.get(name, name))
        sheet.append(list(titles))
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def district_copy(folder: Path) -> Path:
    """A copy of the district's project folder."""
    return Path(shutil.copytree(FOLDER, folder / "wangchao"))


def reading_of(folder: Path) -> Reading:
    """The folder as read."""
    return read(Project.open(folder))


def set_cells(path: Path, sheet: str, **cells: Any) -> None:
    """Change single cells of a workbook: `set_cells(path, "F1 系统普查表", J4="明年")`."""
    book = load_workbook(path)
    for cell, value in cells.items():
        book[sheet][cell] = value
    book.save(path)


def census_of(path: Path, **sheets: Sheet) -> Census:
    """The workbook of these sheets as read (without any: the one that is there), against the district's departments."""
    written = write_book(path / "census.xlsx", **sheets) if sheets else path / "census.xlsx"
    organisations = district.now().organisations
    return read_census(written, "census.xlsx", organisations, IPv4Network("198.18.0.0/15"), date(2018, 1, 8))


def faults_of(path: Path, **sheets: Sheet) -> list[str]:
    """The lines of all faults."""
    with pytest.raises(FaultyInputError) as caught:
        census_of(path, **sheets)
    return str(caught.value).splitlines()


def findings_of(path: Path, **sheets: Sheet) -> list[str]:
    """The findings as lines, those about forms that are not there left out."""
    missing = "there is no sheet for form"
    return [str(one) for one in census_of(path, **sheets).findings if missing not in one.what]
