"""Columns of a made-up network: prefixes, groups of next hops, ports and matches, put together by numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.forwarding.engine.network import (
    EVERY_PORT,
    EVERY_PROTOCOL,
    NONE,
    Filters,
    Groups,
    HopKind,
    Int,
    Matches,
    Policies,
    Ports,
    Prefixes,
    Routes,
    Translations,
)

Long = NDArray[np.int64]
Flags = NDArray[np.bool_]
DOCUMENTATION_HIGH: Final = 0x2001_0DB8 << 32  # upper half of 2001:db8::/32


def whole(values: ArrayLike) -> Int:
    """As the engine's 32-bit column."""
    return np.asarray(values, np.int32)


def starts(counts: ArrayLike) -> Int:
    """First rows of groups with these sizes, and the end: 0, c0, c0 + c1, …"""
    return whole(np.concatenate(([0], np.cumsum(np.asarray(counts, np.int64)))))


def prefixes(family: ArrayLike, high: ArrayLike, low: ArrayLike, length: ArrayLike) -> Prefixes:
    """Prefixes from columns; a single value stands for the whole column."""
    shape = np.broadcast_shapes(*(np.shape(column) for column in (family, high, low, length))) or (1,)
    return Prefixes(
        np.broadcast_to(np.asarray(family, np.uint8), shape).copy(),
        np.broadcast_to(np.asarray(high, np.uint64), shape).copy(),
        np.broadcast_to(np.asarray(low, np.uint64), shape).copy(),
        np.broadcast_to(np.asarray(length, np.uint8), shape).copy(),
    )


def version4(address: ArrayLike, length: ArrayLike) -> Prefixes:
    """IPv4 prefixes from addresses (integers)."""
    return prefixes(4, 0, address, length)


def version6(high: ArrayLike, length: ArrayLike) -> Prefixes:
    """IPv6 prefixes of at most 64 bits from the upper halves of their addresses."""
    return prefixes(6, high, 0, length)


def anywhere(count: int = 1) -> Prefixes:
    """Any address of any family."""
    zeros = np.zeros(count, np.uint8)
    return prefixes(zeros, 0, 0, 0)


def joined(parts: Sequence[Prefixes]) -> Prefixes:
    """One after the other."""
    return Prefixes(
        np.concatenate([part.family for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.length for part in parts]),
    )


def taken(source: Prefixes, rows: NDArray[np.integer] | Flags) -> Prefixes:
    """These rows of the columns."""
    return Prefixes(source.family[rows], source.high[rows], source.low[rows], source.length[rows])


class Block(NamedTuple):
    """Routes that were made together: table, prefix (row of a shared list), kind and up to two next hops."""

    table: NDArray[np.integer]
    prefix: NDArray[np.integer]
    kind: HopKind
    first: NDArray[np.integer]
    second: NDArray[np.integer]


def block(table: ArrayLike, prefix: ArrayLike, kind: HopKind, first: ArrayLike, second: ArrayLike = NONE) -> Block:
    """A block of routes; a single value stands for the whole column. `second` is NONE where there is one way only."""
    columns = np.broadcast_arrays(
        np.asarray(table, np.int32), np.asarray(prefix, np.int32), np.asarray(first, np.int32),
        np.asarray(second, np.int32),
    )  # fmt: skip
    table, prefix, first, second = (np.atleast_1d(column) for column in columns)
    return Block(table, prefix, kind, first, second)


def assembled(blocks: Sequence[Block], plan: Prefixes) -> tuple[Routes, Groups]:
    """Blocks as routes ordered by table, as tables read from devices are; equal sets of next hops share a group."""
    table = np.concatenate([part.table for part in blocks])
    prefix = np.concatenate([part.prefix for part in blocks])
    kind = np.repeat(whole([part.kind for part in blocks]), [len(part.table) for part in blocks]).astype(np.int64)
    first = np.concatenate([part.first for part in blocks]).astype(np.int64)
    second = np.concatenate([part.second for part in blocks]).astype(np.int64)
    second = np.where(second == first, NONE, second)
    low, high = np.where(second == NONE, first, np.minimum(first, second)), np.maximum(first, second)
    second = np.where(second == NONE, NONE, high)
    span = int(max(high.max(), 0)) + 2
    keys, group = np.unique((kind * span + low + 1) * span + second + 1, return_inverse=True)
    two = keys % span != 0
    counts = 1 + two
    targets = np.stack([keys // span % span - 1, keys % span - 1], axis=1)
    chosen = np.stack([np.ones(len(keys), bool), two], axis=1)
    groups = Groups(starts(counts), whole(np.repeat(keys // span // span, counts)), whole(targets[chosen]))
    order = np.argsort(table, kind="stable")
    return Routes(table[order], taken(plan, prefix[order]), whole(group.ravel()[order])), groups


def bare_ports(table: NDArray[np.integer], device: NDArray[np.integer], peer: NDArray[np.integer]) -> Ports:
    """Ports without any operation."""
    none, empty = np.zeros(len(table) + 1, np.int32), np.zeros(0, np.int32)
    return Ports(whole(table), whole(device), whole(peer), none, empty, empty, none.copy(), empty.copy(), empty.copy())


def with_filters(ports: Ports, ingress: tuple[Int, Int], egress: tuple[Int, Int]) -> Ports:
    """Bare ports with filters on them: each pair is (ports, filters), a port at most once."""
    columns = []
    for port, index in (ingress, egress):
        order = np.argsort(port, kind="stable")
        counts = np.bincount(port, minlength=len(ports.table))
        columns.append((starts(counts), np.zeros(len(port), np.int32), whole(index[order])))
    (in_first, in_kind, in_index), (out_first, out_kind, out_index) = columns
    return ports._replace(
        ingress_first=in_first, ingress_kind=in_kind, ingress_index=in_index,
        egress_first=out_first, egress_kind=out_kind, egress_index=out_index,
    )  # fmt: skip


def matches(
    source: Prefixes,
    destination: Prefixes,
    protocol: tuple[ArrayLike, ArrayLike] = EVERY_PROTOCOL,
    source_port: tuple[ArrayLike, ArrayLike] = EVERY_PORT,
    destination_port: tuple[ArrayLike, ArrayLike] = EVERY_PORT,
    established: ArrayLike = NONE,
) -> Matches:
    """Header matches from columns; a single value stands for the whole column."""

    def column(values: ArrayLike) -> Int:
        return np.ascontiguousarray(np.broadcast_to(whole(values), (len(source.family),)))

    return Matches(
        source, destination, column(protocol[0]), column(protocol[1]), column(source_port[0]), column(source_port[1]),
        column(destination_port[0]), column(destination_port[1]), column(established), column(NONE), column(NONE),
    )  # fmt: skip


def taken_matches(source: Matches, rows: NDArray[np.integer] | Flags) -> Matches:
    """These rows of the columns."""
    return Matches(taken(source.source, rows), taken(source.destination, rows), *(part[rows] for part in source[2:]))


def no_filters() -> Filters:
    """No filter at all."""
    return Filters(
        whole([0]), whole([]), np.zeros(0, np.bool_), matches(anywhere(0), anywhere(0)), whole([]), whole([])
    )


def no_translations() -> Translations:
    """No translation at all."""
    empty = anywhere(0)
    return Translations(whole([0]), whole([]), matches(empty, empty), empty, whole([]), whole([]))


def no_policies() -> Policies:
    """No policy routing at all."""
    return Policies(whole([0]), whole([]), whole([]))
