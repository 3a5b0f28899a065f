"""Addresses of both families as 64-bit labels whose order is the order of addresses.

An IPv4 address a has label a. IPv6 boundaries (first addresses of prefixes, and the addresses after their last ones)
get labels from 2**33 on with gaps between them; a boundary that comes later splits a gap. Labels of addresses between
two boundaries are never asked for: nothing in the network tells such addresses apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError
from orchestrator.forwarding.engine.network import Half, Prefixes
from orchestrator.forwarding.engine.updates import Prefix

Label = NDArray[np.int64]
V4_END: Final = 1 << 32
V6_FIRST: Final = 1 << 33
END: Final = 1 << 62
GAP: Final = 1 << 20
_ONE: Final = np.uint64(1)
_HALF: Final = (1 << 64) - 1


class LabelsError(OnefoldError):
    """No label is free between two boundaries, or a label is asked for that is none: build the engine anew."""


def _ends(prefixes: Prefixes) -> tuple[Half, Half]:
    """High and low half of the address after each IPv6 prefix's last; (0, 0) after the last address of all."""
    length = prefixes.length.astype(np.uint64)
    wide = length <= 64
    in_high = np.where(wide & (length > 0), _ONE << (np.uint64(64) - np.maximum(length, _ONE)), np.uint64(0))
    in_low = np.where(wide, np.uint64(0), _ONE << (np.uint64(128) - np.where(wide, np.uint64(128), length)))
    low = prefixes.low + in_low
    carry = ~wide & (low < in_low)
    high = np.where(length == 0, np.uint64(0), prefixes.high + in_high + carry)
    return high, np.where(wide, np.uint64(0), low)


class Labels:
    """The labels of one network's boundaries. `low` and `high` turn prefixes into intervals [low, high)."""

    def __init__(self, sources: Sequence[Prefixes], carried: Sequence[int] = ()) -> None:
        """Give every IPv6 boundary of the sources a label, and further IPv6 addresses (`carried`)."""
        highs: list[Half] = [np.zeros(1, np.uint64)]
        lows: list[Half] = [np.zeros(1, np.uint64)]
        for prefixes in sources:
            six = prefixes.family == 6
            if six.any():
                chosen = Prefixes(*(column[six] for column in prefixes))
                end_high, end_low = _ends(chosen)
                highs += [chosen.high, end_high]
                lows += [chosen.low, end_low]
        highs.append(np.array([address >> 64 for address in carried], np.uint64))
        lows.append(np.array([address & _HALF for address in carried], np.uint64))
        self._set(np.concatenate(highs), np.concatenate(lows))
        self._list: list[int] | None = None
        self._labels: list[int] = []

    def _set(self, high: Half, low: Half) -> None:
        self._highs = np.unique(high)
        self._lows = np.unique(low)
        keys = np.unique(self._key(high, low))
        self._keys = keys
        self._label_of_key = V6_FIRST + GAP * np.arange(len(keys), dtype=np.int64)
        if len(keys) * GAP > END - V6_FIRST:
            raise LabelsError(f"{len(keys)} IPv6 boundaries are more than labels exist: split the network")

    def _key(self, high: Half, low: Half) -> Label:
        """Ranks of both halves in one number: a dense key that sorts like the address."""
        ranks: Label = np.searchsorted(self._highs, high).astype(np.int64)
        keys: Label = ranks * len(self._lows) + np.searchsorted(self._lows, low)
        return keys

    def low(self, prefixes: Prefixes) -> Label:
        """The first label of each prefix; family 0 begins at 0."""
        return self._mixed(prefixes, prefixes.low.astype(np.int64), prefixes.high, prefixes.low, 0)

    def high(self, prefixes: Prefixes) -> Label:
        """The label after the last of each prefix; family 0 ends at END."""
        wide = prefixes.family == 4
        size = np.left_shift(np.int64(1), np.int64(32) - np.where(wide, prefixes.length, 32).astype(np.int64))
        four: Label = prefixes.low.astype(np.int64) + size
        if wide.all():
            return four
        return self._mixed(prefixes, four, *_ends(prefixes), END)

    def _mixed(self, prefixes: Prefixes, four: Label, high: Half, low: Half, otherwise: int) -> Label:
        six = prefixes.family == 6
        if not six.any():
            return np.where(prefixes.family == 0, otherwise, four) if (prefixes.family == 0).any() else four
        answer = np.where(prefixes.family == 0, np.int64(otherwise), four)
        place = np.searchsorted(self._keys, self._key(high[six], low[six]))
        found = self._label_of_key[place]
        if otherwise:  # ends: address 0 means the end of all
            found = np.where((high[six] == 0) & (low[six] == 0), END, found)
        answer[six] = found
        return answer

    def boundaries(self) -> tuple[list[int], list[int]]:
        """All IPv6 boundaries as addresses and their labels, ascending."""
        if self._list is None:
            width = len(self._lows)
            highs = self._highs[self._keys // width].tolist()
            lows = self._lows[self._keys % width].tolist()
            self._list = [(high << 64) | low for high, low in zip(highs, lows, strict=True)]
            self._labels = self._label_of_key.tolist()
        return self._list, self._labels

    def interval(self, prefix: Prefix) -> tuple[int, int]:
        """[low, high) of one prefix; boundaries that are new get labels. Raises LabelsError when a gap is full."""
        family, address, length = prefix
        if family == 4:
            return address, address + (1 << (32 - length))
        if family == 0:
            return 0, END
        return self.boundary(6, address), self.boundary(6, address + (1 << (128 - length)))

    def boundary(self, family: int, address: int) -> int:
        """The label of an address that begins something; a new IPv6 boundary splits a gap."""
        if family == 4:
            return address
        if address == 1 << 128:
            return END
        addresses, labels = self.boundaries()
        place = bisect_right(addresses, address)
        if addresses[place - 1] == address:
            return labels[place - 1]
        after = labels[place] if place < len(labels) else min(END, labels[-1] + 2 * GAP)
        label = (labels[place - 1] + after) // 2
        if label == labels[place - 1]:
            raise LabelsError(f"no label is left for {address:#x}: build the engine anew from the changed network")
        addresses.insert(place, address)
        labels.insert(place, label)
        return label

    def of(self, family: int, address: int) -> int:
        """The label that stands for an address: its own (IPv4), or that of the last boundary at or before it."""
        if family == 4:
            return address
        addresses, labels = self.boundaries()
        return labels[bisect_right(addresses, address) - 1]

    def address(self, label: int) -> tuple[int, int]:
        """(family, address) of a boundary's label; an end is the address after the last (2**32 or 2**128)."""
        if label <= V4_END:
            return 4, label
        if label == END:
            return 6, 1 << 128
        addresses, labels = self.boundaries()
        place = bisect_right(labels, label) - 1
        if labels[place] != label:
            raise LabelsError(f"{label} is no label of a boundary: ask for labels that this engine gave out")
        return 6, addresses[place]
