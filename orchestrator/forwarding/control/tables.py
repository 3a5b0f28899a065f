"""Routing tables: what each protocol offers, and the one that wins by administrative distance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Literal, NamedTuple

from orchestrator.forwarding.control.design import Address, Prefix

Source = Literal["connected", "static", "ospf", "ospf6", "isis", "bgp"]
Place = tuple[str, str]
"""A table: (router, VRF)."""


class Hop(NamedTuple):
    """Where packets go: out of `interface` (of the same router) to `gateway`, into `table`, or nowhere (`discard`).

    A hop without gateway delivers on the interface's own segment. `neighbour` is the (router, interface) that an IGP
    has as its next hop; it may stand without a gateway (IPv6 link-local addresses are not part of a design).
    """

    interface: str = ""
    gateway: Address | None = None
    neighbour: tuple[str, str] | None = None
    table: Place | None = None
    discard: bool = False

    @property
    def delivers(self) -> bool:
        """Whether packets are delivered on the interface's own segment, to the address that they are sent to."""
        return bool(self.interface) and self.gateway is None and self.neighbour is None


DISCARD = Hop(discard=True)


class Entry(NamedTuple):
    """One route of a table. `detail` says which kind within its protocol (intra, inter, E1, E2, L1, L2, ebgp, ibgp).

    `via` is the next hop as it was said, where `hops` are what it was resolved to.
    """

    prefix: Prefix
    source: Source
    distance: int
    metric: int
    hops: frozenset[Hop]
    tag: int = 0
    detail: str = ""
    line: str = ""
    via: Address | None = None

    @property
    def next_hop(self) -> Address | None:
        """The next hop that the route would be announced with: what was said, else a gateway; of several the lowest."""
        gateways = [hop.gateway for hop in self.hops if hop.gateway is not None]
        return self.via if self.via is not None else min(gateways, key=int, default=None)


class Table(Mapping[Prefix, Entry]):
    """The routes that won, one per prefix."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[Prefix, Entry] = {}
        for entry in entries:
            known = self._entries.get(entry.prefix)
            if known is None or _rank(entry) < _rank(known):
                self._entries[entry.prefix] = entry

    @cached_property
    def _by_bits(self) -> dict[tuple[int, int, int], Entry]:
        return {_key(prefix): entry for prefix, entry in self._entries.items()}

    @cached_property
    def _lengths(self) -> list[tuple[int, int]]:
        return sorted({(prefix.version, prefix.prefixlen) for prefix in self._entries}, reverse=True)

    def __getitem__(self, prefix: Prefix) -> Entry:
        return self._entries[prefix]

    def __iter__(self) -> Iterator[Prefix]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Table) and self._entries == other._entries)

    __hash__ = None  # type: ignore[assignment]  # a mapping compares by content, as dict does

    def longest(self, address: Address, default: bool = True, other_than: Entry | None = None) -> Entry | None:
        """Return the longest prefix match, without `other_than`, and without the default route unless `default`."""
        for version, length in self._lengths:
            if version != address.version or not (length or default):
                continue
            found = self._by_bits.get((version, length, int(address) >> (address.max_prefixlen - length)))
            if found is not None and found is not other_than:
                return found
        return None


def _rank(entry: Entry) -> tuple[int, int, str, str]:
    """Connected first, then the administrative distance, then the metric; the rest only makes it repeatable."""
    distance = 0 if entry.source == "connected" else entry.distance
    return distance, entry.metric, entry.source, entry.detail


def _key(prefix: Prefix) -> tuple[int, int, int]:
    return prefix.version, prefix.prefixlen, int(prefix.network_address) >> (prefix.max_prefixlen - prefix.prefixlen)
