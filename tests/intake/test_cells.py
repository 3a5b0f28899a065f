from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.intake.workbook import cells
from orchestrator.intake.workbook.cells import CellError, neutralise
from orchestrator.intake.workbook.forms import EGRESSES

count = cells.quantity({"": 1, "核": 1, "万": 10_000})
gigabytes = cells.quantity({"": 1, "G": 1, "GB": 1, "T": 1024, "TB": 1024})
megabits = next(column.read for column in EGRESSES.columns if column.field == "megabits")
months = next(column.read for column in EGRESSES.columns if column.field == "log_months")


@pytest.mark.parametrize(
    ("reader", "typed", "title", "meant"),
    [
        (count, 8, "", 8),
        (count, 8.0, "", 8),
        (count, "１８，２５０", "", 18250),
        (count, " 18,250 ", "", 18250),
        (count, "1,8250", "", 18250),
        (cells.day, "2017-12-09 08:30:00", "", date(2017, 12, 9)),
        (cells.day, "2017.10", "", date(2017, 10, 1)),
        (cells.day, 2017.3, "", date(2017, 3, 1)),
        (count, "4 核", "", 4),
        (count, "1.5万", "", 15000),
        (gigabytes, "８Ｇ", "", 8),
        (gigabytes, "2 t", "", 2048),
        (gigabytes, 2, "存储(TB)", 2048),
        (gigabytes, "2", "存储（TB）", 2048),
        (gigabytes, 8, "内存GB", 8),
        (gigabytes, 8, "内存(必填)", 8),
        (gigabytes, "500G", "存储(TB)", 500),
        (megabits, 10, "带宽(Gbps)", 10_000),
        (megabits, "4000K", "带宽(Mbps)", 4),
        (months, 1, "日志留存(年)", 12),
        (cells.yuan, 96, "年租费(千元)", 96_000),
        (cells.yuan, 0.2, "投资(亿元)", 20_000_000),
        (cells.yuan, 96, "年租费(百元)", 9_600),
        (cells.yuan, 9.6, "年租费(万元)", 96000),
        (cells.yuan, "9.6万元", "年租费(元)", 96000),
        (cells.yuan, "72,000元/年", "年租费", 72000),
        (cells.yuan, "60000", "年租费(元)", 60000),
        (cells.day, "2017年12月", "", date(2017, 12, 1)),
        (cells.day, "２０１７年１２月５日", "", date(2017, 12, 5)),
        (cells.day, "2017.3", "", date(2017, 3, 1)),
        (cells.day, "2017/3/9", "", date(2017, 3, 9)),
        (cells.day, "201712", "", date(2017, 12, 1)),
        (cells.day, "20171209", "", date(2017, 12, 9)),
        (cells.day, datetime(2017, 12, 9, 8, 30), "", date(2017, 12, 9)),
        (cells.day, 43070, "", date(2017, 12, 1)),
        (cells.boolean, "√", "", True),
        (cells.boolean, " 是 ", "", True),
        (cells.boolean, "無".replace("無", "无"), "", False),
        (cells.boolean, 0, "", False),
        (cells.boolean, True, "", True),
        (cells.listing, "甲系统、乙系统;丙系统\n丁", "", ("甲系统", "乙系统", "丙系统", "丁")),
        (cells.listing, "无", "", ()),
        (cells.code, "９９０１０２－ＣＺ－０００２ ", "", "990102-CZ-0002"),
        (cells.code, 990102.0, "", "990102"),
        (cells.code, 370700201712010, "", "370700201712010"),
        (cells.code, "370700201712010001", "", "370700201712010001"),
        (cells.text, "  预算\u200b执行  系统 ", "", "预算执行 系统"),
        (cells.choice({"县": "county", "市": "city"}), " 县", "", "county"),
    ],
)
def test_what_people_type_is_read_as_they_mean_it(reader: cells.Reader, typed: Any, title: str, meant: Any) -> None:
    assert reader(typed, title) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("10.8.1.0/24", ["10.8.1.0/24"]),
        ("10.8.1.1/24", ["10.8.1.0/24"]),
        ("10.8.1.0/255.255.255.0", ["10.8.1.0/24"]),
        ("10.8.1.10", ["10.8.1.10/32"]),
        ("１０．８．１．１０", ["10.8.1.10/32"]),
        ("10.8.1.*", ["10.8.1.0/24"]),
        ("10.8.*.*", ["10.8.0.0/16"]),
        ("10.8.1.0-255", ["10.8.1.0/24"]),
        ("10.8.1.0 — 10.8.2.255", ["10.8.1.0/24", "10.8.2.0/24"]),
        ("10.8.1.1-20", ["10.8.1.1/32", "10.8.1.2/31", "10.8.1.4/30", "10.8.1.8/29", "10.8.1.16/30", "10.8.1.20/32"]),
        ("10.8.1.0/24、10.8.2.0/24,10.8.3.1\n10.8.4.1", ["10.8.1.0/24", "10.8.2.0/24", "10.8.3.1/32", "10.8.4.1/32"]),
    ],
)
def test_address_lists_become_prefixes(typed: str, meant: list[str]) -> None:
    assert cells.prefixes(typed) == tuple(map(IPv4Network, meant))


@pytest.mark.parametrize(
    ("reader", "typed", "message"),
    [
        (count, "许多", "'许多' is not a number; write the number"),
        (count, True, "'True' is not a number; write the number"),
        (count, "3匹", "'3匹' has an unknown unit; write a number or use 核, 万"),
        (count, "-3", "'-3' is negative; write a number of 0 or more"),
        (count, "1,5", "'1,5' is not a number; write the number"),
        (count, "18,25,0", "'18,25,0' is not a number; write the number"),
        (cells.day, 2017.1, "'2017.1' is January or October; write it as 2017-01 or 2017-10, in a cell of text"),
        (cells.day, "2017-12-01 至 2019", "'2017-12-01 至 2019' is not a date; write it as 2017-12-01 or 2017年12月"),
        (
            cells.code,
            datetime(2017, 1, 2),
            "'2017-01-02 00:00:00' was made of something else by Excel; format the cell as text, type it again",
        ),
        (
            cells.code,
            time(1, 20),
            "'01:20:00' was made of something else by Excel; format the cell as text, type it again",
        ),
        (
            cells.code,
            370700201712010000,
            "'370700201712010000' has more digits than Excel keeps; format the cell as text, type it again",
        ),
        (
            cells.code,
            3.7070020171201e17,
            "'3.7070020171201e+17' has more digits than Excel keeps; format the cell as text, type it again",
        ),
        (cells.code, 1.1, "'1.1' was made of something else by Excel; format the cell as text, type it again"),
        (cells.code, "=A9", "'=A9' is a formula; type the value instead: formulas are never evaluated"),
        (count, 1.5, "'1.5' is not a whole number; round it"),
        (count, "=1+1", "'=1+1' is a formula; type the value instead: formulas are never evaluated"),
        (cells.yuan, "96", "'96' does not say 元 or 万元; write the unit into the cell or the column's title"),
        (cells.day, "去年", "'去年' is not a date; write it as 2017-12-01 or 2017年12月"),
        (cells.day, "2017年13月", "'2017年13月' is a day that does not exist; correct the month or the day"),
        (cells.boolean, "也许", "'也许' is neither yes nor no; write 是 or 否"),
        (cells.choice({"县": 1, "市": 2}), "省", "'省' is not one of the form's words; choose from 县/市"),
        (
            cells.prefixes,
            "10.8.1.20-1",
            "'10.8.1.20-1' is not an IPv4 address, prefix or range; write it as 10.8.1.0/24, 10.8.1.1-20 or 10.8.1.1",
        ),
        (
            cells.prefixes,
            "10.8.1.256",
            "'10.8.1.256' is not an IPv4 address, prefix or range; write it as 10.8.1.0/24, 10.8.1.1-20 or 10.8.1.1",
        ),
        (
            cells.prefix,
            "10.8.1.1-2",
            "'10.8.1.1-2' is 2 prefixes where one belongs; give one prefix such as 10.8.1.0/24",
        ),
    ],
)
def test_what_cannot_be_understood_says_why_and_what_to_do(reader: cells.Reader, typed: Any, message: str) -> None:
    with pytest.raises(CellError) as caught:
        reader(typed, "")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("reader", "title", "message"),
    [
        (gigabytes, "内存(MB)", "'8192' is in MB by the title; write the unit into the cell: one of G, GB, T, TB"),
        (months, "日志留存(天)", "'8192' is in 天 by the title; write the unit into the cell: one of 月, 个月, 年"),
    ],
)
def test_a_unit_in_the_title_that_the_column_has_not_is_refused(reader: cells.Reader, title: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        reader(8192, title)
    assert str(caught.value) == message


@pytest.mark.parametrize("typed", [None, "", "  ", "—", "/", "不详", "待定", "\u3000", "\u200b"])
def test_signs_for_nothing_known_are_blank(typed: Any) -> None:
    assert cells.is_blank(typed)


@pytest.mark.parametrize("typed", [0, "0", "无", "否", False])
def test_answers_are_not_blank(typed: Any) -> None:
    assert not cells.is_blank(typed)


@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_a_range_covers_exactly_its_addresses(first: int, more: int) -> None:
    start, end = IPv4Address(first), IPv4Address(min(first + more, 2**32 - 1))
    read = cells.prefixes(f"{start}-{end}")
    assert read == tuple(summarize_address_range(start, end))
    assert sum(prefix.num_addresses for prefix in read) == int(end) - int(start) + 1


@given(st.dates(date(1954, 10, 4), date(2064, 4, 8)))
def test_every_way_to_write_a_day_gives_that_day(day: date) -> None:
    serial = (day - date(1899, 12, 30)) // timedelta(days=1)
    written = [
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y-%m-%d}",
        f"{day:%Y%m%d}",
        f"{day.year}.{day.month}.{day.day}",
    ]
    assert {cells.day(form) for form in [*written, serial, day]} == {day}


@given(st.integers(0, 10**12))
def test_a_count_reads_the_same_in_full_width_and_with_separators(number: int) -> None:
    full_width = str(number).translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert count(f"{number:,}") == count(full_width) == count(number) == number


@given(st.text())
def test_no_text_breaks_a_reader_other_than_by_its_message(typed: str) -> None:
    for reader in (
        count,
        cells.yuan,
        cells.day,
        cells.boolean,
        cells.prefixes,
        cells.prefix,
        cells.listing,
        cells.code,
    ):
        assert "\n" not in message_of(reader, typed)


def message_of(reader: cells.Reader, typed: str) -> str:
    try:
        reader(typed, "")
    except CellError as error:
        return str(error)
    return ""


@given(st.text(alphabet="=+-@abc甲 1'\t", min_size=1))
def test_no_written_cell_begins_as_a_formula(typed: str) -> None:
    assert not str(neutralise(typed)).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("typed", ["=1+1", "+86", "-详见附件", "@all"])
def test_a_neutralised_text_reads_as_it_was(typed: str) -> None:
    assert cells.text(neutralise(typed)) == typed
