"""Checks of single columns of a network; one refuses with one line: the array, the row, and the next move."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.network import Prefixes

Column = NDArray[Any]


class NetworkError(InputError):
    """An array of the network is not what network.py says. Nothing was built."""


def check_names(where: str, names: tuple[str, ...]) -> None:
    """Every name stands once."""
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in seen:
            raise NetworkError(f"{where}[{row}] is {name!r} like {where}[{seen[name]}]: give every one its own name")
        seen[name] = row


def check_column(where: str, column: Column, kind: type[np.generic], size: int | None = None) -> None:
    """An array of one dimension, of this kind and, where told, of this size."""
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise NetworkError(f"{where} is no array of one dimension: give numpy.asarray(..., numpy.{kind.__name__})")
    if column.dtype != kind:
        raise NetworkError(f"{where} holds {column.dtype}, not {kind.__name__}: convert it with .astype")
    if size is not None and column.size != size:
        raise NetworkError(f"{where} has {column.size} rows where {size} are needed: give every row all its columns")


def _first_row(bad: Column) -> int | None:
    """The first row that is bad, None when all are well."""
    return int(bad.argmax()) if bad.size and bool(bad.any()) else None


def refuse(where: str, column: Column, bad: Column, why: str) -> None:
    """Raise NetworkError with the first row that is bad."""
    row = _first_row(bad)
    if row is not None:
        raise NetworkError(f"{where}[{row}] is {column[row]}: {why}")


def check_between(where: str, column: Column, low: int, high: int, of_what: str) -> None:
    """Every value from low to high, both included."""
    if column.size and (int(column.min()) < low or int(column.max()) > high):
        there_are = f"{of_what} are numbered from {low} to {high}" if high >= low else f"there are no {of_what}"
        refuse(where, column, (column < low) | (column > high), f"{there_are}; correct the number")


def check_one_of(where: str, column: Column, allowed: tuple[int, ...], of_what: str) -> None:
    """Every value is one of those allowed."""
    words = ", ".join(str(int(value)) for value in allowed)
    refuse(where, column, ~np.isin(column, allowed), f"{of_what} is one of {words}")


def check_slices(where: str, first: Column, count: int | None, rows: int) -> None:
    """`first` cuts `rows` rows into `count` slices (None: as many as it says)."""
    check_column(where, first, np.int32, None if count is None else count + 1)
    if not first.size or first[0] != 0:
        raise NetworkError(
            f"{where}[0] is not 0: it holds the first row of every slice, and the number of rows at last"
        )
    falls = np.append(False, first[1:] < first[:-1])
    refuse(where, first, falls, "a slice ends before it begins; the column never falls")
    if int(first[-1]) != rows:
        raise NetworkError(f"{where}[{first.size - 1}] is {first[-1]}, but there are {rows} rows: let it end there")


def _beyond(kept: Column) -> Column:
    """For halves of which the first `kept` bits (0 to 64) belong to the prefix: the mask of the others."""
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    return np.where(kept >= 64, np.uint64(0), every >> np.minimum(kept, 63).astype(np.uint64))


def check_prefixes(where: str, prefixes: Prefixes, size: int, families: tuple[int, ...]) -> None:
    """Prefixes of these families without bits beyond their length; family 0 is any, without bits."""
    family, high, low, length = prefixes
    check_column(f"{where}.family", family, np.uint8, size)
    check_column(f"{where}.high", high, np.uint64, size)
    check_column(f"{where}.low", low, np.uint64, size)
    check_column(f"{where}.length", length, np.uint8, size)
    check_one_of(f"{where}.family", family, families, "a family here")
    four, six = family == 4, family == 6
    widest = np.where(four, 32, np.where(six, 128, 0))
    refuse(f"{where}.length", length, length > widest, "an IPv4 prefix has 0 to 32 bits, IPv6 0 to 128, any family 0")
    wide = ~six & (high != 0) | four & (low > np.uint64(0xFFFFFFFF)) | (family == 0) & (low != 0)
    refuse(f"{where}.low", low, wide, "IPv4 addresses are below 2**32 with high 0, any family is all 0")
    bits = length.astype(np.int64)
    host_low = low & _beyond(np.where(four, bits + 32, np.maximum(bits - 64, 0)))
    host_high = high & _beyond(np.minimum(bits, 64))
    refuse(f"{where}.low", low, (four | six) & (host_low != 0), "bits beyond the prefix's length are set; clear them")
    refuse(f"{where}.high", high, six & (host_high != 0), "bits beyond the prefix's length are set; clear them")


def equal_rows(*columns: Column) -> tuple[int, int] | None:
    """Two equal rows. A 64-bit mix finds the few candidates, a comparison of all columns decides."""
    mixed = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    ordered = np.sort(mixed)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if not again.size:
        return None
    rows = np.flatnonzero(np.isin(mixed, again))
    rows = rows[np.lexsort([column[rows] for column in reversed(columns)])]
    same = np.ones(rows.size - 1, np.bool_)
    for column in columns:
        same &= column[rows[1:]] == column[rows[:-1]]
    place = _first_row(same)
    if place is None:
        return None
    one, two = sorted((int(rows[place]), int(rows[place + 1])))
    return one, two


def check_range(where: str, low: Column, high: Column, ends: tuple[int, int], size: int) -> None:
    """Ranges `low` to `high`, both included, within `ends`."""
    check_column(f"{where}_low", low, np.int32, size)
    check_column(f"{where}_high", high, np.int32, size)
    check_between(f"{where}_low", low, *ends, "values")
    check_between(f"{where}_high", high, *ends, "values")
    refuse(f"{where}_low", low, low > high, "it is above the range's upper end; exchange them")
