"""Distinct sets of services by number, kept natively: 0 is empty, 1 is everything."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.native import NativeError, library, pointer
from orchestrator.forwarding.engine.services import Services


class Sets:
    """Distinct sets of services by number (native): 0 is empty, 1 is everything."""

    def __init__(self, services: Services, everything: NDArray[np.uint64]) -> None:
        self.services = services
        native = library()
        native.bitsets_new.restype = ctypes.c_void_p
        native.bitsets_words.restype = ctypes.c_void_p
        native.bitsets_count.restype = ctypes.c_int64
        self.handle = ctypes.c_void_p(native.bitsets_new(ctypes.c_int64(services.width), pointer(everything)))
        if not self.handle:
            raise NativeError("no memory is left for sets of services: ask about a smaller network")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            library().bitsets_free(self.handle)

    def __len__(self) -> int:
        return int(library().bitsets_count(self.handle))

    def words(self) -> NDArray[np.uint64]:
        """All sets: [sets, words], a copy."""
        size = len(self) * self.services.width
        raw = ctypes.cast(library().bitsets_words(self.handle), ctypes.POINTER(ctypes.c_uint64))
        return np.ctypeslib.as_array(raw, (size,)).reshape(-1, self.services.width).copy()

    def bits(self, number: int) -> int:
        """The atoms of one set."""
        size = self.services.width * 8
        start = int(library().bitsets_words(self.handle)) + number * size
        return int.from_bytes(ctypes.string_at(start, size), "little")

    def intern(self, bits: int) -> int:
        """The number of a set."""
        words = np.frombuffer(bits.to_bytes(self.services.width * 8, "little"), "<u8").astype(np.uint64)
        number = int(library().bitsets_intern(self.handle, pointer(words)))
        if number < 0:
            raise NativeError("no memory is left for sets of services: ask about a smaller network")
        return number

    def masked(self, number: int, services: int) -> int:
        """The number of a set's part in `services`."""
        bits = self.bits(number)
        return number if bits & services == bits else self.intern(bits & services)

    def union(self, left: int, right: int) -> int:
        """The number of two sets' union."""
        return left if left == right else self.intern(self.bits(left) | self.bits(right))

    def intersection(self, left: int, right: int) -> int:
        """The number of what two sets share."""
        return left if left == right else self.intern(self.bits(left) & self.bits(right))
