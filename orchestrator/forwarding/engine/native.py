"""The native part of the engine: one shared library, loaded once; what is missing is said with the next move."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OnefoldError

LIBRARY: Final = Path(__file__).parent / "native" / "libforwarding.so"
OTHER_LIBRARY: Final = "ONEFOLD_ENGINE_LIBRARY"  # path of another build (tests load broken ones to see them noticed)
ABI: Final = 1


class NativeError(OnefoldError):
    """The engine's native part lacks, does not fit this version, or ran out of memory."""


@cache
def library() -> ctypes.CDLL:
    """The loaded library. Raises NativeError when it lacks or belongs to another version of the sources."""
    path = Path(os.environ.get(OTHER_LIBRARY) or LIBRARY)
    if not path.exists():
        raise NativeError(f"{path} is missing: run 'make setup' (in a source tree: 'python hatch_build.py')")
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as fault:
        raise NativeError(f"{path} cannot be loaded ({fault}): run 'python hatch_build.py' on this machine") from fault
    found = loaded.engine_abi()
    if found != ABI:
        raise NativeError(f"{path} has interface {found}, the sources need {ABI}: run 'python hatch_build.py'")
    return loaded


def pointer(array: NDArray[np.generic] | None) -> ctypes.c_void_p:
    """The address of a C-contiguous array (kept alive by the caller), or NULL."""
    if array is None:
        return ctypes.c_void_p(None)
    if not array.flags.c_contiguous:
        raise NativeError("an array for the native engine is not contiguous: use numpy.ascontiguousarray")
    return ctypes.c_void_p(array.ctypes.data)
