"""One sheet of a workbook as rows: finds the header wherever it stands, reads each cell by its column's reader."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from openpyxl import load_workbook
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula
from openpyxl.worksheet.worksheet import Worksheet

from orchestrator.intake.faults import FaultyInputError, fault
from orchestrator.intake.workbook.cells import CellError, clean, folded, is_blank
from orchestrator.intake.workbook.forms import Column, Form, heading
from orchestrator.model.finding import Finding, Where

_HEADER_SEARCH = 20
_MOST_ROWS, _MOST_COLUMNS = 200_000, 500
_MOST_BYTES = 1 << 30  # unpacked; a census of a province stays below a tenth of it
_DEPTH = 2  # a header is one row, or two where groups of columns have a title of their own

_ERRORS = frozenset((*ERROR_CODES, "#SPILL!", "#CALC!", "#GETTING_DATA"))
_NOTES = ("注", "说明", "填表", "备注", "合计")
_CLEAR_NOTE = re.compile(r"(注|说明|填表\S{0,2}|备注|合计)\s*\d*\s*([:：.、()（）].*)?")

Grid = list[list[Any]]


@dataclass(frozen=True)
class Row:
    """One row: the value of each filled field, and the cell of every column."""

    values: Mapping[str, Any]
    cells: Mapping[str, Where]

    def where(self, name: str = "") -> Where:
        """The cell of a field, or the row's first cell."""
        return self.cells.get(name) or next(iter(self.cells.values()))


@dataclass
class Table:
    """A sheet as read: rows in order, faults that forbid the import, findings that do not."""

    form: Form
    rows: list[Row] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_tables(path: Path, name: str, forms: tuple[Form, ...]) -> dict[str, Table]:
    """Form name -> its sheet as a Table. Raises FaultyInputError when the file is no workbook."""
    try:
        _refuse_bomb(path)
        # opened here, because openpyxl leaves a damaged file open; its warnings name lines of its own, and where a
        # cell is meant its reader says what is wrong
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(file, data_only=False, keep_links=False)
    except FileNotFoundError as error:
        raise FaultyInputError(
            [
                _fault(
                    Where(source=name),
                    "the workbook is missing",
                    f"put it there or correct census in onefold.yaml ({path})",
                )
            ]
        ) from error
    except Exception as error:  # openpyxl raises whatever it stumbles over in a damaged file
        raise FaultyInputError(
            [
                _fault(
                    Where(source=name),
                    f"not an Excel workbook ({clean(error)})",
                    "open it in Excel or WPS and save it as .xlsx",
                )
            ]
        ) from error
    try:
        tables = {form.name: _sheet_table(book.worksheets, form, name) for form in forms}
        tables[forms[0].name].findings += [_unread(sheet, name) for sheet in _strangers(book.worksheets, forms)]
        return tables
    finally:
        book.close()


def _refuse_bomb(path: Path) -> None:
    with ZipFile(path) as file:
        if sum(part.file_size for part in file.infolist()) > _MOST_BYTES:
            raise ValueError("it unpacks to more than 1 GiB")


def _sheet_table(sheets: Sequence[Worksheet], form: Form, source: str) -> Table:
    named = [sheet for sheet in sheets if form.sheet.match(folded(sheet.title))]
    if named:
        table = _read_sheet(named[0], form, source)
        table.faults += [_second(sheet, named[0], form, source) for sheet in named[1:]]
        return table
    where = Where(source=source)
    if not form.optional:
        return Table(
            form,
            faults=[
                _fault(
                    where, f"there is no sheet for form {form.name}", f"add it with a name that begins with {form.name}"
                )
            ],
        )
    absent = Finding(
        subject="census",
        result="unknown",
        where=where,
        what=f"there is no sheet for form {form.name}",
        fix=f"add it with a name that begins with {form.name}, empty if there is nothing to tell",
    )
    return Table(form, findings=[absent])


def _strangers(sheets: Sequence[Worksheet], forms: tuple[Form, ...]) -> Iterator[Worksheet]:
    """Sheets of no form that hold something and are no remarks by their name."""
    for sheet in sheets:
        title = folded(sheet.title)
        known = title.startswith(_NOTES) or any(form.sheet.match(title) for form in forms)
        if not known and (
            _endless(sheet) or not all(map(is_blank, chain.from_iterable(sheet.iter_rows(values_only=True))))
        ):
            yield sheet


def _endless(sheet: Worksheet) -> bool:
    return sheet.max_row > _MOST_ROWS or sheet.max_column > _MOST_COLUMNS


def _unread(sheet: Worksheet, source: str) -> Finding:
    where = Where(source=source, sheet=sheet.title)
    what, fix = "the sheet is of no form and was not read", "begin its name with the form's, or ignore this"
    return Finding(subject="census", result="unknown", where=where, what=what, fix=fix)


def _second(sheet: Worksheet, first: Worksheet, form: Form, source: str) -> Finding:
    """A sheet that would go unread, hidden or not."""
    where = Where(source=source, sheet=sheet.title)
    what = f"a second sheet for form {form.name}, beside {first.title!r}"
    return _fault(where, what, "put the rows into one sheet, or begin the name of what shall not be read otherwise")


def _read_sheet(sheet: Worksheet, form: Form, source: str) -> Table:
    table = Table(form)
    if _endless(sheet):
        stray = f"{get_column_letter(sheet.max_column)}{sheet.max_row}"
        where = Where(source=source, sheet=sheet.title, cell=stray)
        table.faults.append(
            _fault(where, "the sheet reaches as far as here", "delete the stray cells beyond the table")
        )
        return table
    grid = _grid(sheet)
    header, depth = _find_header(grid, form)
    if header < 0:
        where = Where(source=source, sheet=sheet.title)
        titles = "、".join(column.titles[0] for column in form.columns if column.required)
        table.faults.append(
            _fault(where, f"no header row of form {form.name} found", f"give the columns the titles {titles}")
        )
        return table
    place = _Place(source, sheet.title)
    columns = _columns(grid, header, depth, form, table, place)
    for index in range(header + depth, len(grid)):
        if _is_note(grid[index]):
            table.findings += _taken_for_note(grid[index], index, place)
        else:
            table.rows.append(_read_row(grid[index], index, columns, table, place))
    return table


def _taken_for_note(values: Sequence[Any], index: int, place: "_Place") -> Iterator[Finding]:
    """A system may be called 注册登记: a row of one text that is no clear remark is told."""
    filled = [(number, clean(value)) for number, value in enumerate(values) if not is_blank(value)]
    if filled and not _CLEAR_NOTE.fullmatch(filled[0][1]):
        number, text = filled[0]
        what = f"the row holds {text[:30]!r} and nothing else: it was taken for a remark and not read"
        fix = "fill in the row, or begin the remark with 注:"
        yield Finding(subject="census", result="unknown", where=place.at(index, number), what=what, fix=fix)


@dataclass(frozen=True)
class _Place:
    source: str
    sheet: str

    def at(self, row: int, column: int) -> Where:
        return Where(source=self.source, sheet=self.sheet, cell=f"{get_column_letter(column + 1)}{row + 1}")


def _is_note(values: Sequence[Any]) -> bool:
    """An empty row, or a remark below the table: one text and nothing else."""
    filled = {clean(value) for value in values if not is_blank(value)}
    return not filled or (len(filled) == 1 and next(iter(filled)).startswith(_NOTES))


def _grid(sheet: Worksheet) -> Grid:
    grid = [list(map(_typed, row)) for row in sheet.iter_rows(values_only=True)]
    for merged in sheet.merged_cells.ranges:  # a merged title belongs to every column and row it covers
        value = grid[merged.min_row - 1][merged.min_col - 1]
        if isinstance(value, str):
            for row in range(merged.min_row - 1, min(merged.max_row, len(grid))):
                grid[row][merged.min_col - 1 : merged.max_col] = [value] * (merged.max_col - merged.min_col + 1)
    return grid


def _typed(value: Any) -> Any:
    """A formula of a whole range (an array, a table of variants) as its text, like any other."""
    if isinstance(value, ArrayFormula | DataTableFormula):
        return str(getattr(value, "text", None) or "=TABLE()")
    return value


def _titles(grid: Grid, row: int, column: int, depth: int) -> Iterator[str]:
    """What a column may be called, most particular first."""
    below = range(row, min(row + depth, len(grid)))
    stack = list(dict.fromkeys(clean(grid[at][column]) for at in below if grid[at][column] is not None))
    yield from reversed(stack)
    if len(stack) > 1:
        yield "".join(stack)


def _find_header(grid: Grid, form: Form) -> tuple[int, int]:
    """The header's first row and how many rows it has; (-1, 0) when there is none."""
    best, found = 1, (-1, 0)
    for depth in range(1, _DEPTH + 1):
        for row in range(min(_HEADER_SEARCH, len(grid))):
            score = len({c.field for c in _known(grid, row, depth, form).values()})
            below = score == best and found == (row - 1, depth)  # single titles merged down over both header rows
            if score > best or below:
                best, found = score, (row, depth)
    return found


def _known(grid: Grid, row: int, depth: int, form: Form) -> dict[int, Column]:
    known = {}
    for column in range(len(grid[row])):
        match = next((c for title in _titles(grid, row, column, depth) if (c := form.column(title))), None)
        if match:
            known[column] = match
    return known


def _columns(
    grid: Grid, header: int, depth: int, form: Form, table: Table, place: _Place
) -> dict[int, tuple[Column, str]]:
    known = _known(grid, header, depth, form)
    columns: dict[int, tuple[Column, str]] = {}
    taken: dict[str, int] = {}
    for index in range(len(grid[header])):
        title = next(_titles(grid, header, index, depth), "")
        column = known.get(index)
        if column is None:
            _unknown_title(title, place.at(header + depth - 1, index), table)
            _untitled(grid, header + depth, index, title, table, place)
        elif column.field in taken:
            table.faults.append(
                _fault(
                    place.at(header, index),
                    f"the column {title!r} is there twice (also {place.at(header, taken[column.field]).cell})",
                    "remove one of them",
                )
            )
        else:
            taken[column.field] = index
            columns[index] = (column, "".join(_titles(grid, header, index, depth)))
    for column in form.columns:
        if column.required and column.field not in taken:
            table.faults.append(_fault(place.at(header, 0), f"the column {column.titles[0]} is missing", "add it"))
    return columns


def _unknown_title(title: str, where: Where, table: Table) -> None:
    if heading(title) and heading(title) not in ("序号", "备注"):
        table.findings.append(
            Finding(
                subject="census",
                result="unknown",
                where=where,
                what=f"the column {title!r} is not of this form and was not read",
                fix="give it a title of the form, or ignore this",
            )
        )


def _untitled(grid: Grid, first: int, index: int, title: str, table: Table, place: _Place) -> None:
    """A column that lost its title is told where its first value stands."""
    if heading(title):
        return
    row = next(
        (row for row in range(first, len(grid)) if not is_blank(grid[row][index]) and not _is_note(grid[row])), -1
    )
    if row >= 0:
        what = f"{clean(grid[row][index])[:30]!r} stands in a column without a title and was not read"
        fix = "give the column a title of the form, or ignore this"
        table.findings.append(
            Finding(subject="census", result="unknown", where=place.at(row, index), what=what, fix=fix)
        )


def _read_row(
    values: list[Any], index: int, columns: Mapping[int, tuple[Column, str]], table: Table, place: _Place
) -> Row:
    read: dict[str, Any] = {}
    cells: dict[str, Where] = {}
    for number, (column, title) in columns.items():
        where = cells[column.field] = place.at(index, number)
        value = values[number]
        if is_blank(value):
            if column.required:
                table.faults.append(_fault(where, f"{column.titles[0]} is empty", "fill it in"))
            continue
        if value in _ERRORS:
            what = f"{column.titles[0]} {value!r} is an error of Excel"
            table.faults.append(_fault(where, what, "type the value, or empty the cell"))
            continue
        try:
            read[column.field] = column.read(value, title)
        except CellError as error:
            table.faults.append(_fault(where, f"{column.titles[0]} {error.what}", error.fix))
    return Row(read, cells)


def _fault(where: Where, what: str, fix: str) -> Finding:
    return fault("census", where, re.sub(r"\s+", " ", what), fix)
