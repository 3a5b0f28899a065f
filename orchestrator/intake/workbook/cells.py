"""Tolerant readers of single cells: what people really type, to one value; or CellError with the next move.

A reader takes the cell's value and the column's title (which may name the unit) and never evaluates anything: a
formula is text. Blank cells never reach a reader: they are unknown.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from math import prod
from typing import Any

from orchestrator.errors import InputError

Reader = Callable[[Any, str], Any]

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\u2060"))
_UNKNOWN = {"", "-", "--", "—", "/", "\\", "n/a", "na", "不详", "未知", "待定", "待填", "?"}
_SEPARATORS = re.compile(r"[、,;|\s]+")
_RANGE_SIGN = re.compile(r"\s*(?:-|~|—|–|−|至|到)+\s*")
_NUMBER = re.compile(
    r"([-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,4}(?:,[0-9]{4})+|[0-9]+)(?![0-9,])(?:\.[0-9]+)?)\s*(.*)"
)
_TRUE = {"是", "有", "√", "✓", "✔", "☑", "y", "yes", "true", "1", "需", "需要"}
_FALSE = {"否", "无", "没有", "×", "✗", "✘", "☐", "n", "no", "false", "0", "x", "不需", "不需要"}
_NONE = {"无", "没有", "否"}
_BRACKETS = re.compile(r"[(\[]\s*(.*?)\s*[)\]]")
_UNIT = re.compile(r"[kmgtp]i?b?(?:ps|/s|it/s)?|兆|[百千万亿]*[个台核次]?|[天日周月年]|个月|小时")
_TIMES = {"百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_MONEY = re.compile(r"[百千万亿]*元")
_MOST_DIGITS = 10**15  # of longer numbers Excel makes the last digits zero
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_EXCEL_EPOCH = date(1899, 12, 30)
_DATE_FORMS = (
    re.compile(r"(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?(?:[ T]\d{1,2}(?::\d\d){1,2}\S*)?"),
    re.compile(r"(\d{4})[-./年](\d{1,2})月?(?:份)?"),
    re.compile(r"(\d{4})(\d{2})(\d{2})"),
    re.compile(r"(\d{4})(\d{2})"),
)


class CellError(InputError):
    """A cell cannot be understood. `what` is wrong with it, `fix` the next move; the caller knows the place."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}; {fix}")


def shown(value: Any) -> str:
    """The cell's value for a message: quoted, one line, at most 60 characters."""
    text = " ".join(str(value).split())
    return repr(text if len(text) <= 60 else text[:57] + "...")


def clean(value: Any) -> str:
    """Text without invisible characters and with single inner spaces; letters and punctuation stay as typed."""
    return " ".join(str(value).translate(_INVISIBLE).split())


def folded(value: Any) -> str:
    """Text for comparison: full-width letters, digits and punctuation become half-width (Unicode NFKC)."""
    return clean(unicodedata.normalize("NFKC", str(value)))


def is_blank(value: Any) -> bool:
    """True where nothing is known: an empty cell or one of the signs people put for that."""
    return value is None or (isinstance(value, str) and folded(value).lower() in _UNKNOWN)


def neutralise(value: Any) -> Any:
    """A value safe to write into a cell: text that a spreadsheet would run gets a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_DANGEROUS) else value


def text(value: Any, _title: str = "") -> str:
    """Text as typed, tidied; the apostrophe of `neutralise` is taken off again."""
    typed = clean(value)
    return typed[1:] if typed.startswith("'") and typed[1:].startswith(_DANGEROUS) else typed


def code(value: Any, _title: str = "") -> str:
    """An identifier: half-width, without spaces; a whole number typed into a text cell is fine."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, int) and abs(whole) >= _MOST_DIGITS:
        raise CellError(f"{shown(value)} has more digits than Excel keeps", "format the cell as text, type it again")
    if isinstance(whole, bool | float | date | time | timedelta):  # 1-2 has become a day, 1.10 is 1.1
        raise CellError(f"{shown(value)} was made of something else by Excel", "format the cell as text, type it again")
    word = folded(whole).replace(" ", "")
    if word.startswith("="):
        raise CellError(f"{shown(value)} is a formula", "type the value instead: formulas are never evaluated")
    return word


def or_none(read: Reader) -> Reader:
    """A reader for what a row may not have: `无` is None, and not what it is called."""

    def answer(value: Any, title: str = "") -> Any:
        return None if folded(value) in _NONE else read(value, title)

    return answer


def listing(value: Any, _title: str = "") -> tuple[str, ...]:
    """A list separated by 、 ， ； or line ends; `无` is the empty list."""
    if folded(value) == "无":
        return ()
    parts = re.split(r"[、,;\n]+", unicodedata.normalize("NFKC", str(value)))
    return tuple(tidy for tidy in map(clean, parts) if tidy)


def boolean(value: Any, _title: str = "") -> bool:
    """是/否, 有/无, √/×, Y/N, 1/0."""
    word = folded(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise CellError(f"{shown(value)} is neither yes nor no", "write 是 or 否")


def choice(meanings: Mapping[str, Any]) -> Reader:
    """A reader for one of the form's words; `meanings` gives the model's value for each."""
    by_word = {folded(word).lower(): meaning for word, meaning in meanings.items()}

    def read(value: Any, _title: str = "") -> Any:
        word = code(value).lower()
        if word not in by_word:
            raise CellError(f"{shown(value)} is not one of the form's words", f"choose from {'/'.join(meanings)}")
        return by_word[word]

    return read


def quantity(units: Mapping[str, int | Decimal]) -> Reader:
    """A reader for a whole number with an optional unit; `units` gives each unit's size, "" the bare number's.

    A bare number is in the unit that stands in brackets in the title, where one stands there.
    """
    sizes = {unit.lower(): Decimal(size) for unit, size in units.items()}
    known = ", ".join(name for name in units if name)

    def read(value: Any, title: str = "") -> int:
        amount, unit = _amount(value)
        titled = [] if unit else [found for found in _BRACKETS.findall(folded(title)) if _UNIT.fullmatch(found.lower())]
        if titled and titled[0].lower() not in sizes:
            raise CellError(
                f"{shown(value)} is in {titled[0]} by the title", f"write the unit into the cell: one of {known}"
            )
        unit = titled[0].lower() if titled else unit
        if unit not in sizes:
            raise CellError(
                f"{shown(value)} has an unknown unit", f"write a number{f' or use {known}' if known else ''}"
            )
        return _whole(amount * sizes[unit], value)

    return read


def yuan(value: Any, title: str = "") -> int:
    """Money in whole yuan. The unit stands in the cell or in the column's title; without either it is unknowable."""
    amount, unit = _amount(value)
    titled = _MONEY.search(folded(title))
    unit = unit.removesuffix("/年").removesuffix("每年") or (titled[0] if titled else "")
    if not _MONEY.fullmatch(unit) and unit != "万":
        raise CellError(f"{shown(value)} does not say 元 or 万元", "write the unit into the cell or the column's title")
    return _whole(amount * prod(_TIMES[sign] for sign in unit.removesuffix("元")), value)


def day(value: Any, _title: str = "") -> date:
    """A date; `2017年12月` is its first day. A bare number is an Excel serial day when it can be one."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 20_000 <= value <= 60_000:
        return _EXCEL_EPOCH + timedelta(days=int(value))
    if isinstance(value, float) and round(value % 1, 4) == 0.1:
        raise CellError(f"{shown(value)} is January or October", "write it as 2017-01 or 2017-10, in a cell of text")
    word = folded(value).replace(" 年 ", "年").replace(" 月 ", "月")
    for form in _DATE_FORMS:
        found = form.fullmatch(word.strip())
        if found:
            return _date(found, value)
    raise CellError(f"{shown(value)} is not a date", "write it as 2017-12-01 or 2017年12月")


def prefixes(value: Any, _title: str = "") -> tuple[IPv4Network, ...]:
    """A list of addresses, prefixes and ranges (`10.8.1.1-20`, `10.8.1.0-10.8.2.255`, `10.8.1.*`) as prefixes."""
    parts = _RANGE_SIGN.sub("-", unicodedata.normalize("NFKC", str(value)).translate(_INVISIBLE)).strip()
    if parts == "无":
        return ()
    return tuple(prefix for part in _SEPARATORS.split(parts) if part for prefix in _prefixes_of(part))


def prefix(value: Any, title: str = "") -> IPv4Network:
    """Exactly one prefix."""
    found = prefixes(value, title)
    if len(found) != 1:
        raise CellError(
            f"{shown(value)} is {len(found)} prefixes where one belongs", "give one prefix such as 10.8.1.0/24"
        )
    return found[0]


def _prefixes_of(part: str) -> tuple[IPv4Network, ...]:
    try:
        if "-" in part:
            return _range(*part.split("-", 1))
        starred = re.fullmatch(r"((?:\d+\.){1,3})\*(?:\.\*)*", part)
        if starred:
            octets = starred[1].strip(".").split(".")
            return (IPv4Network((".".join([*octets, *["0"] * (4 - len(octets))]), 8 * len(octets))),)
        return (IPv4Network(part, strict=False),)  # 10.8.1.1/24 is typed for its network
    except ValueError as error:
        raise CellError(
            f"{shown(part)} is not an IPv4 address, prefix or range", "write it as 10.8.1.0/24, 10.8.1.1-20 or 10.8.1.1"
        ) from error


def _range(first: str, last: str) -> tuple[IPv4Network, ...]:
    start = IPv4Address(first)
    end = IPv4Address(last if "." in last else f"{first.rsplit('.', 1)[0]}.{last}")
    return tuple(summarize_address_range(start, end))


def _amount(value: Any) -> tuple[Decimal, str]:
    if isinstance(value, bool):
        raise CellError(f"{shown(value)} is not a number", "write the number")
    word = folded(value)
    if word.startswith("="):
        raise CellError(f"{shown(value)} is a formula", "type the value instead: formulas are never evaluated")
    found = _NUMBER.fullmatch(word)
    if not found:
        raise CellError(f"{shown(value)} is not a number", "write the number")
    try:
        return Decimal(found[1].replace(",", "")), found[2].replace(" ", "").lower()
    except InvalidOperation as error:
        raise CellError(f"{shown(value)} is not a number", "write the number") from error


def _whole(amount: Decimal, value: Any) -> int:
    if amount != amount.to_integral_value():
        raise CellError(f"{shown(value)} is not a whole number", "round it")
    if amount < 0:
        raise CellError(f"{shown(value)} is negative", "write a number of 0 or more")
    return int(amount)


def _date(found: re.Match[str], value: Any) -> date:
    numbers = [int(number) for number in found.groups()]
    try:
        return date(numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 1)
    except ValueError as error:
        raise CellError(f"{shown(value)} is a day that does not exist", "correct the month or the day") from error
