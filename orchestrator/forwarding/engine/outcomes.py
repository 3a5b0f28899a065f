"""What becomes of packets: one hash-consed graph of decisions, and which packets go to which of its nodes.

An *attachment* is one port by which zones touch the network; a *class* is a set of destinations (label intervals, see
labels.py) that share their outcome at every attachment: a row of `Outcomes` each. Rows are ordered:
children stand before their parents; equal rows do not occur twice; row numbers stay valid over updates.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.forwarding.engine.network import Int

Labels64 = NDArray[np.int64]


class Outcome(IntEnum):
    """Kinds of nodes. Children are listed in `Outcomes.children`; `a` is the index that the kind needs."""

    DROP = 0  # nobody gets it: no route, null route, no cable. No child.
    LOOP = 1  # comes back to where it was with the same header. No child.
    UNKNOWN = 2  # a next hop nobody could read; a: line (index into Network.lines, or NONE)
    DELIVER = 3  # a: zone
    FILTER = 4  # a: variant; child 0: what becomes of what the filter permits. Anything else is dropped.
    EITHER = 5  # two or more children, ascending: equal-cost paths, any of which a packet may take
    BRANCH_FILTER = 6  # policy routing; a: variant; child 0: packets that the filter permits, child 1: the others
    BRANCH_RULE = 7  # a: translation rule; child 0: packets that its match meets, child 1: the others
    REWRITE = 8  # a: translation rule; child 0: what becomes of the rewritten packet


class Outcomes(NamedTuple):
    """Columns of nodes; children of node n: children[first[n] : first[n + 1]]."""

    kind: Int
    a: Int
    first: Int
    children: Int


class Variants(NamedTuple):
    """Filter variants: filter `filter[v]` as packets meet it that entered the device by port `in_port[v]`.

    in_port NONE: by a port that no entry names. Entries with another in_port than the variant's do not match; the
    filter of a variant is the only index, when no entry of it names a port.
    """

    filter: Int
    in_port: Int


class Attachments(NamedTuple):
    """Row i: port `port[i]` of zone `zone[i]`. Source prefixes are Network.zones' rows of that zone and port."""

    port: Int
    zone: Int


class Classes(NamedTuple):
    """Destinations of class c: label intervals [low, high) in rows first[c] : first[c + 1]; ascending in each class.

    Together the intervals are all addresses of both families, each exactly once. node[c, column]: row of Outcomes;
    column[attachment]: attachments that share their answers share a column.
    """

    first: Labels64
    low: Labels64
    high: Labels64
    node: Int
    column: Int

    def nodes(self, attachment: int) -> Int:
        """Per class the node of one attachment."""
        return self.node[:, self.column[attachment]]
