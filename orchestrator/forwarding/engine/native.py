"""The native part of the engine: one shared library, loaded once; what is missing is said with the next move."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from orchestrator.errors import OnefoldError

LIBRARY: Final = Path(__file__).parent / "native" / "libforwarding.so"
OTHER_LIBRARY: Final = "ONEFOLD_ENGINE_LIBRARY"  # path of another build (tests load broken ones to see them noticed)
ABI: Final = 9


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


def pointer(array: NDArray[Any] | None) -> ctypes.c_void_p:
    """The address of a C-contiguous array (kept alive by the caller), or NULL."""
    if array is None:
        return ctypes.c_void_p(None)
    if not array.flags.c_contiguous:
        raise NativeError("an array for the native engine is not contiguous: use numpy.ascontiguousarray")
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(*names: str) -> list[tuple[str, type[ctypes.c_void_p]]]:
    return [(name, ctypes.c_void_p) for name in names]


class Input(ctypes.Structure):
    """`Input` of native/input.h: counts, then arrays that have to outlive the engine."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in (
                *("tables", "ports", "groups", "routes", "filters", "rules", "translations", "policies"),
                *("attachments", "zones", "hops"),
            )
        ),
        *_pointers("route_table", "route_group", "route_low", "route_high", "route_length"),
        *_pointers("group_first", "hop_kind", "hop_target"),
        *_pointers("port_table", "port_peer", "port_zone", "port_context", "port_up"),
        *_pointers("ingress_first", "ingress_kind", "ingress_index", "egress_first", "egress_kind", "egress_index"),
        *_pointers("variant_first", "named_first", "named", "variant_unread"),
        *_pointers("translation_first", "rule_kind", "rule_context", "rule_length", "rule_to_port"),
        *_pointers("rule_low", "rule_high", "map_first", "map_start", "map_target"),
        *_pointers("policy_first", "policy_filter", "policy_group"),
        *_pointers("attachment_port", "attachment_zone"),
    )
