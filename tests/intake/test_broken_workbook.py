from datetime import date
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from openpyxl.worksheet.formula import ArrayFormula

from network_models import district
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.workbook.census import read_census
from orchestrator.model.census import Organisation
from tests.intake.books import (
    F1,
    F4,
    OFFICE,
    census_of,
    district_copy,
    faults_of,
    findings_of,
    reading_of,
    set_cells,
    write_book,
)


def test_a_bad_workbook_gives_one_line_per_fault_and_nothing_is_imported(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    set_cells(
        folder / "census.xlsx",
        "F1 系统普查表",
        D4="财政部门",
        E4="也许",
        J4="明年",
        O5="=4*2",
        Q8="10.8.1.999",
        B6=None,
    )
    set_cells(folder / "census.xlsx", "F4 互联网出口", F5="198.18.1.0/24", C4="省")
    with pytest.raises(FaultyInputError) as caught:
        reading_of(folder)
    assert str(caught.value).splitlines() == [
        (
            "census.xlsx, sheet F1 系统普查表, cell D4: the organisation '财政部门' is not registered; "
            "write its full registered name, or add it to organisations in the topology file"
        ),
        "census.xlsx, sheet F1 系统普查表, cell E4: 是否涉密 '也许' is neither yes nor no; write 是 or 否",
        (
            "census.xlsx, sheet F1 系统普查表, cell J4: 审批时间 '明年' is not a date; "
            "write it as 2017-12-01 or 2017年12月"
        ),
        (
            "census.xlsx, sheet F1 系统普查表, cell O5: 内存GB '=4*2' is a formula; "
            "type the value instead: formulas are never evaluated"
        ),
        "census.xlsx, sheet F1 系统普查表, cell B6: 系统编码 is empty; fill it in",
        (
            "census.xlsx, sheet F1 系统普查表, cell Q8: IP网段 '10.8.1.999' is not an IPv4 address, prefix or range; "
            "write it as 10.8.1.0/24, 10.8.1.1-20 or 10.8.1.1"
        ),
        (
            "census.xlsx, sheet F4 互联网出口, cell C4: 层级 '省' is not one of the form's words; "
            "choose from 市/县/区县/县区/镇街/乡镇"
        ),
        (
            "census.xlsx, sheet F4 互联网出口, cell F5: 198.18.1.0/24 is not a public address; "
            "write the addresses the carrier assigned"
        ),
    ]


def test_a_department_name_that_is_several_is_refused_whatever_their_order(tmp_path: Path) -> None:
    city = Organisation(code="cz0", name="澜海市财政局", short_name="财政")
    ours = district.now().organisations["cz"]
    for organisations in ({"cz0": city, "cz": ours}, {"cz": ours, "cz0": city}):
        path = write_book(tmp_path / "census.xlsx", F1=(F1, [["C-1", "甲系统", "财政", "否"]]))
        with pytest.raises(FaultyInputError) as caught:
            read_census(path, "census.xlsx", organisations, IPv4Network("198.18.0.0/15"), date(2018, 1, 8))
        assert str(caught.value) == (
            "census.xlsx, sheet F1, cell C2: the organisation '财政' is several (cz, cz0); "
            "write the code of the one that is meant"
        )
        path = write_book(
            tmp_path / "census.xlsx", F1=(F1, [["C-1", "甲", "澜海市财政局", "否"], ["C-2", "乙", "cz", "否"]])
        )
        read = read_census(path, "census.xlsx", organisations, IPv4Network("198.18.0.0/15"), date(2018, 1, 8))
        assert [system.organisation for system, _ in read.systems.values()] == ["cz0", "cz"]


def test_details_of_a_classified_system_are_refused(tmp_path: Path) -> None:
    titles = (*F1, "IP网段", "功能")
    rows = [["990102-BM-0001", "某某指挥系统", "望潮区国家保密局", "是", "10.9.9.0/24", "机要"]]
    assert faults_of(tmp_path, F1=(titles, rows)) == [
        (
            "census.xlsx, sheet F1, cell B2: the name of a classified system is recorded; "
            "remove the details: leave it empty or write 涉密系统"
        ),
        "census.xlsx, sheet F1, cell E2: IP网段 of a classified system is recorded; remove the details",
    ]


@pytest.mark.parametrize("name", ["涉密系统", None])
def test_a_classified_system_without_details_is_a_stub_nobody_touches(tmp_path: Path, name: str | None) -> None:
    census = census_of(tmp_path, F1=(F1, [["990102-BM-0001", name, "望潮区国家保密局", "是"]]))
    system, _ = census.systems["990102-BM-0001"]
    assert system.classified
    assert (system.name, system.disposition) == ("涉密系统", "untouchable")


def test_one_code_for_two_systems_is_a_fault(tmp_path: Path) -> None:
    rows = [["990102-CZ-0001", "甲系统", OFFICE, "否"], ["990102-CZ-0001", "乙系统", OFFICE, "否"]]
    assert faults_of(tmp_path, F1=(F1, rows)) == [
        (
            "census.xlsx, sheet F1, cell A3: the code '990102-CZ-0001' is given to two systems (also cell A2); "
            "give one of them its own code"
        )
    ]


def test_one_name_for_two_systems_of_a_department_is_found_with_both_cells(tmp_path: Path) -> None:
    rows = [
        ["990102-CZ-0001", "甲系统", OFFICE, "否"],
        ["990102-CZ-0002", " 甲系统", OFFICE, "否"],
        ["990102-MZ-0001", "甲系统", "望潮区民政局", "否"],
    ]
    assert findings_of(tmp_path, F1=(F1, rows)) == [
        (
            "census fail: census.xlsx, sheet F1, cell B3: the name '甲系统' is used twice in one department "
            "(also cell B2); rename one, or remove it if it is the same system"
        )
    ]


def test_a_second_entry_that_says_something_else_is_found_cell_by_cell(tmp_path: Path) -> None:
    titles = (*F1, "vCPU")
    rows = [["C-1", "甲系统", OFFICE, "否", 4], ["C-1", "甲系统", OFFICE, "否", 8]]
    assert findings_of(tmp_path, F1=(titles, rows)) == [
        (
            "census fail: census.xlsx, sheet F1, cell B3: the system '甲系统' is entered twice (also cell B2); "
            "the first was read; remove one of the two rows"
        ),
        (
            "census fail: census.xlsx, sheet F1, cell E3: the second entry of '甲系统' says something else here; "
            "settle which is right, keep one row"
        ),
    ]
    assert census_of(tmp_path).systems["C-1"][0].cores == 4


def test_a_system_entered_once_as_classified_and_once_not_is_a_fault_in_either_order(tmp_path: Path) -> None:
    titles = (*F1, "IP网段")
    rows = [["C-1", "甲系统", OFFICE, "否", "10.8.1.10"], ["C-1", "甲系统", OFFICE, "是", None]]
    said = (
        "census.xlsx, sheet F1, cell D3: 'C-1' is classified in one of two rows (also cell D2); "
        "settle which is right, keep that row"
    )
    assert said in faults_of(tmp_path, F1=(titles, rows))
    assert said in faults_of(tmp_path, F1=(titles, rows[::-1]))


def test_a_system_that_depends_on_itself_is_a_fault(tmp_path: Path) -> None:
    rows = [["C-1", "甲系统", OFFICE, "否", "甲系统"]]
    assert faults_of(tmp_path, F1=((*F1, "依赖系统"), rows)) == [
        "census.xlsx, sheet F1, cell E2: the system is its own dependency; remove it from the cell"
    ]


def test_an_unknown_dependency_stays_unknown_and_a_known_one_is_resolved(tmp_path: Path) -> None:
    rows = [["C-1", "甲系统", OFFICE, "否", "乙系统、丙系统"], ["C-2", "乙系统", OFFICE, "否", None]]
    sheets: dict[str, Any] = {"F1": ((*F1, "依赖系统"), rows)}
    assert findings_of(tmp_path, **sheets) == [
        (
            "census unknown: census.xlsx, sheet F1, cell E2: the dependency '丙系统' is not in form F1: "
            "it stays unknown; add that system to F1 or write its code"
        )
    ]
    assert census_of(tmp_path).systems["C-1"][0].dependencies == ("C-2",)


def test_none_is_an_answer_and_no_name_of_a_group_a_domain_or_a_system(tmp_path: Path) -> None:
    titles = (*F1, "影子组", "域名", "承接系统")
    rows = [
        ["C-1", "甲系统", OFFICE, "否", "无", "无", "无"],
        ["C-2", "乙系统", OFFICE, "否", " 无 ", "没有", "否"],
        ["C-3", "丙系统", OFFICE, "否", "G-1", "c.cz.wangchao.example", "甲系统"],
    ]
    census = census_of(tmp_path, F1=(titles, rows))
    read = {code: (one.shadow_group, one.fqdn, one.successor) for code, (one, _) in census.systems.items()}
    assert read == {
        "C-1": (None, None, None),
        "C-2": (None, None, None),
        "C-3": ("G-1", "c.cz.wangchao.example", "C-1"),
    }
    assert [one for one in census.findings if "there is no sheet" not in one.what] == []
    assert {one.filled for one in census.completeness if one.column in titles[4:]} == {3}


def test_a_workbook_without_the_form_or_without_titles_is_a_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path, F4=(F4, [])) == [
        "census.xlsx: there is no sheet for form F1; add it with a name that begins with F1"
    ]
    assert faults_of(tmp_path, F1=(("甲", "乙"), [["1", "2"]])) == [
        (
            "census.xlsx, sheet F1: no header row of form F1 found; "
            "give the columns the titles 系统编码、主管部门、是否涉密"
        )
    ]
    assert faults_of(tmp_path, F1=(F1[:3], [])) == [
        "census.xlsx, sheet F1, cell A1: the column 是否涉密 is missing; add it"
    ]
    assert faults_of(tmp_path, F1=((*F1, "编码"), [])) == [
        "census.xlsx, sheet F1, cell E1: the column '编码' is there twice (also A1); remove one of them"
    ]


def test_a_column_nobody_knows_is_told_and_not_read(tmp_path: Path) -> None:
    assert findings_of(tmp_path, F1=((*F1, "吉祥物"), [["C-1", "甲系统", OFFICE, "否", "猫"]])) == [
        (
            "census unknown: census.xlsx, sheet F1, cell E1: the column '吉祥物' is not of this form and was not read; "
            "give it a title of the form, or ignore this"
        )
    ]


def test_a_file_that_is_no_workbook_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "census.xlsx").write_text("not a workbook", encoding="utf-8")
    assert faults_of(tmp_path) == [
        "census.xlsx: not an Excel workbook (File is not a zip file); open it in Excel or WPS and save it as .xlsx"
    ]
    (tmp_path / "census.xlsx").unlink()
    assert faults_of(tmp_path) == [
        f"census.xlsx: the workbook is missing; put it there or correct census in onefold.yaml ({tmp_path}/census.xlsx)"
    ]


def test_a_stray_cell_at_the_end_of_the_sheet_is_told_not_walked_to(tmp_path: Path) -> None:
    write_book(tmp_path / "census.xlsx", F1=(F1, []))
    set_cells(tmp_path / "census.xlsx", "F1", XFD1048576="x")
    assert faults_of(tmp_path) == [
        (
            "census.xlsx, sheet F1, cell XFD1048576: the sheet reaches as far as here; "
            "delete the stray cells beyond the table"
        )
    ]


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_book(tmp_path / "census.xlsx", F1=(F1, []))
    assert census_of(tmp_path).systems == {}
    monkeypatch.setattr("orchestrator.intake.workbook.tables._MOST_BYTES", 1000)  # a real gigabyte takes too long
    assert faults_of(tmp_path) == [
        (
            "census.xlsx: not an Excel workbook (it unpacks to more than 1 GiB); "
            "open it in Excel or WPS and save it as .xlsx"
        )
    ]


def test_a_formula_in_a_text_cell_is_its_text(tmp_path: Path) -> None:
    census = census_of(tmp_path, F1=(F1, [["C-1", "=HYPERLINK(1)", OFFICE, "否"]]))
    assert census.systems["C-1"][0].name == "=HYPERLINK(1)"


def test_a_formula_over_several_cells_is_its_text_too(tmp_path: Path) -> None:
    formula = ArrayFormula("A2:A2", "=B9:B9")
    assert faults_of(tmp_path, F1=(F1, [[formula, "甲系统", OFFICE, "否"]])) == [
        (
            "census.xlsx, sheet F1, cell A2: 系统编码 '=B9:B9' is a formula; "
            "type the value instead: formulas are never evaluated"
        )
    ]
    formula = ArrayFormula("B2:B2", "=B9:B9")
    census = census_of(tmp_path, F1=(F1, [["C-1", formula, OFFICE, "否"]]))
    assert census.systems["C-1"][0].name == "=B9:B9"


def test_what_a_lookup_left_where_it_found_nothing_is_no_value(tmp_path: Path) -> None:
    titles = (*F1, "依赖系统")
    assert faults_of(tmp_path, F1=(titles, [["#N/A", "#REF!", OFFICE, "否", "#NAME?"]])) == [
        "census.xlsx, sheet F1, cell A2: 系统编码 '#N/A' is an error of Excel; type the value, or empty the cell",
        "census.xlsx, sheet F1, cell B2: 系统名称 '#REF!' is an error of Excel; type the value, or empty the cell",
        "census.xlsx, sheet F1, cell E2: 依赖系统 '#NAME?' is an error of Excel; type the value, or empty the cell",
    ]
    census = census_of(tmp_path, F1=(titles, [["C#1", "#1系统", OFFICE, "否", None]]))
    assert census.systems["C#1"][0].name == "#1系统"


def test_notes_below_the_table_and_merged_department_cells_are_understood(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    rows = [["C-1", "甲系统", OFFICE, "否"], ["C-2", "乙系统", None, "否"], ["注:以上由各单位填报"]]
    path = write_book(tmp_path / "census.xlsx", F1=(F1, rows))
    book = load_workbook(path)
    book["F1"].merge_cells("C2:C3")
    book.save(path)
    assert {code: system.organisation for code, (system, _) in census_of(tmp_path).systems.items()} == {
        "C-1": "cz",
        "C-2": "cz",
    }


def test_no_sheet_column_or_row_with_values_goes_unread_without_a_word(tmp_path: Path) -> None:
    row = ["C-1", "甲系统", OFFICE, "否"]
    assert faults_of(tmp_path, F1=(F1, [row]), **{"F1 二科": (F1, [["C-2", "乙系统", OFFICE, "否"]])}) == [
        (
            "census.xlsx, sheet F1 二科: a second sheet for form F1, beside 'F1'; "
            "put the rows into one sheet, or begin the name of what shall not be read otherwise"
        )
    ]
    assert findings_of(tmp_path, F1=(F1, [row]), F10=(F1, [row]), 填表说明=(F1, []), 空=((), [])) == [
        (
            "census unknown: census.xlsx, sheet F10: the sheet is of no form and was not read; "
            "begin its name with the form's, or ignore this"
        )
    ]
    assert census_of(tmp_path).systems.keys() == {"C-1"}
    set_cells(tmp_path / "census.xlsx", "空", XFD1048576="x")
    assert [one.where.sheet for one in census_of(tmp_path).findings if one.where] == [None] * 3 + ["F10", "空"]
    for rows, said in (
        (
            [[*row, "C-9"]],
            "cell E2: 'C-9' stands in a column without a title and was not read; give the column a title",
        ),
        (
            [row, [None, "注册登记系统"]],
            "cell B3: the row holds '注册登记系统' and nothing else: it was taken for a remark",
        ),
    ):
        found = findings_of(tmp_path, F1=((*F1, None), rows))
        assert len(found) == 1
        assert said in found[0]
    for remark in ("注:以上由各单位填报", "合计", "填表人:李", "说明1、另附"):
        assert findings_of(tmp_path, F1=(F1, [row, [remark]])) == []
