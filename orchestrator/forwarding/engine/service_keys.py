"""Service matches as rows of numbers: what of an entry's or a rule's packets depends on anything but addresses."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.network import TCP, Action, Matches

PORTS: Final = 65536

Keys = NDArray[np.int32]
Bool = NDArray[np.bool_]


def service_keys(match: Matches, action: NDArray[np.int32] | None = None, stateful: Bool | None = None) -> Keys:
    """What of each match's packets depends on the service: rows of nine numbers.

    Columns: protocol, source port, destination port (low, high each), whole packets, later fragments, answers alone
    (0: no; 1: yes; 2: of whole packets, but any later fragment). `action` decides whether an entry with ports or for
    answers meets later fragments (network.Matches); without one (translations) it does not. An established match means
    a flag of TCP, so its protocol is TCP. In a stateful filter (`stateful` per row) it waits for a connection: no first
    packet meets it. What no packet meets has a row of zeros.
    """
    low, high = match.source_port_low, match.source_port_high
    first, last = match.destination_port_low, match.destination_port_high
    flag = match.established == 1
    bare = (low == 0) & (high == PORTS - 1) & (first == 0) & (last == PORTS - 1) & ~flag
    later = bare if action is None else bare | (action != Action.DENY)
    lowest, highest = match.protocol_low, match.protocol_high
    never = flag & ((lowest > TCP) | (highest < TCP) | (False if stateful is None else stateful))
    whole, later = (match.fragment != 1) & ~never, later & ~never
    lowest, highest = np.where(flag, TCP, lowest), np.where(flag, TCP, highest)
    columns = [lowest, highest, low, high, first, last, whole, later, flag * 2]
    keys = np.stack([np.asarray(column, dtype=np.int32) for column in columns], axis=1)
    keys[~whole, 2:6] = (0, PORTS - 1, 0, PORTS - 1)
    keys[~whole, 8] = 0
    keys[~whole & ~later] = 0
    return keys


def distinct_keys(keys: Keys) -> tuple[Keys, NDArray[np.int32]]:
    """The distinct rows of `keys`, and for each row of `keys` which of them it is."""
    wide = keys.astype(np.int64)
    left = wide[:, 0] << 40 | wide[:, 1] << 32 | wide[:, 2] << 16 | wide[:, 3]
    right = wide[:, 4] << 20 | wide[:, 5] << 4 | wide[:, 6] << 3 | wide[:, 7] << 2 | wide[:, 8]
    _, ranks = np.unique(left, return_inverse=True)
    _, first, inverse = np.unique(ranks << 36 | right, return_index=True, return_inverse=True)
    return keys[first], inverse.astype(np.int32)
