"""What the engine is built from: tables, ports, routes, filters, translations and zones as plain arrays.

A *table* is one (device, VRF): the unit of longest-prefix match. A *port* belongs to one table; a packet that leaves by
port p arrives at port `peer[p]`. The direction counts: a one-way gate is a port whose peer has no peer. A port without
a peer that is a zone's attachment hands packets to that zone; without either it drops them ("no cable").

A packet that enters a table by a port passes the port's ingress operations in order, then the longest prefix match,
then (per next hop) the egress operations of the port it leaves by. Operations are filters, translations and (ingress
only) policies. Several next hops are equal-cost paths: isolation asks whether any of them may pass, continuity whether
all of them do.

Addresses are integers with their family beside them; arrays hold 128 bits as two unsigned halves (`high`, `low`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int32]
Half = NDArray[np.uint64]
NONE: Final = -1
ANY_FAMILY: Final = 0
EVERY_PROTOCOL: Final = (0, 255)
EVERY_PORT: Final = (0, 65535)
TCP: Final = 6
ECHO_REQUEST: Final = 8 << 8
"""The destination port of a ping of IPv4 (type 8, code 0)."""


class Prefixes(NamedTuple):
    """Columns of prefixes, one row each: family 4, 6, or 0 (any address of any family, length 0)."""

    family: NDArray[np.uint8]
    high: Half
    low: Half
    length: NDArray[np.uint8]


class HopKind(IntEnum):
    """What a next hop does with a packet."""

    PORT = 0  # leave by port `target`
    TABLE = 1  # look up again in table `target`: a route leaked between VRFs, or a VPN tunnel to a remote VRF
    DROP = 2  # null route
    UNKNOWN = 3  # the reader could not tell; `target` is a line of the sources


class Action(IntEnum):
    """What a filter entry does with a packet that matches."""

    DENY = 0
    PERMIT = 1
    UNKNOWN = 2  # the reader did not understand the entry: whoever may match it has an unknown answer


class OperationKind(IntEnum):
    """What a port does with a packet besides carrying it."""

    FILTER = 0
    TRANSLATE = 1
    POLICY = 2


class TranslationKind(IntEnum):
    """Which half of the header a translation rule rewrites."""

    SOURCE = 0
    DESTINATION = 1


class Routes(NamedTuple):
    """(table, prefix) -> group of next hops; a pair occurs once."""

    table: Int
    prefix: Prefixes
    group: Int


class Groups(NamedTuple):
    """Next hops of group g: rows first[g] .. first[g + 1] of kind and target."""

    first: Int
    kind: Int
    target: Int


class Ports(NamedTuple):
    """One row per port. `device` tells which connection table (state) the port shares.

    A port that is not `up` (None: all are) carries nothing: packets that should leave by it, or enter by it, are
    dropped. A zone behind it neither sends nor receives.
    """

    table: Int
    device: Int
    peer: Int
    ingress_first: Int  # operations of port p: rows first[p] .. first[p + 1] of the two columns below
    ingress_kind: Int
    ingress_index: Int
    egress_first: Int
    egress_kind: Int
    egress_index: Int
    up: NDArray[np.bool_] | None = None


class Matches(NamedTuple):
    """Header matches, one row each; ranges include both ends.

    `destination_port` holds type * 256 + code for ICMP, which has no source port (0). `established`: NONE any packet;
    1 only answers: where it has a connection table (stateful) those of its connections, elsewhere packets of TCP with
    the ACK or RST flag, and no other protocol has one. `fragment`: NONE any packet, 1 only later fragments. A later
    fragment carries no ports and no flags: an entry with such conditions does not match it when it denies, and matches
    it by the rest of them when it permits. `in_port`: only packets that entered the device by this port (NONE: any).
    """

    source: Prefixes
    destination: Prefixes
    protocol_low: Int
    protocol_high: Int
    source_port_low: Int
    source_port_high: Int
    destination_port_low: Int
    destination_port_high: Int
    established: Int
    fragment: Int
    in_port: Int


class Filters(NamedTuple):
    """Ordered entries of filter f: rows first[f] .. first[f + 1]; the first match decides, else `default[f]` (Action).

    A stateful filter passes answers of connections it (its device) has let through; a stateless one never does.
    """

    first: Int
    default: Int
    stateful: NDArray[np.bool_]
    match: Matches
    action: Int
    line: Int  # index into Network.lines, NONE when nothing is known of its origin


class Translations(NamedTuple):
    """Ordered rules of translation t: rows first[t] .. first[t + 1]; the first match rewrites, else nothing happens.

    The rewritten half's leading bits become those of `to` (family and length of `to`): a prefix of the same length as
    the matched one is 1:1, a host prefix is many to one. `to_port`: the new destination port, or NONE. A source
    translation to a single host leaves the source port open (any). Rules with ports leave later fragments
    alone. Answers are translated back by state.
    """

    first: Int
    kind: Int
    match: Matches
    to: Prefixes
    to_port: Int
    line: Int


class Policies(NamedTuple):
    """Policy routing: entries of policy p in order; packets that filter `match` permits take `group` (no lookup).

    Later fragments that an entry with ports permits (see Matches) take it, too: assumed, as their ports are unknown.
    """

    first: Int
    match: Int
    group: Int


class Zones(NamedTuple):
    """Where zones touch the network, and with which addresses they send: one row per (zone, port, source prefix)."""

    zone: Int
    port: Int
    source: Prefixes


@dataclass(frozen=True)
class Network:
    """A whole network as arrays; `check_network` says what is wrong with it."""

    tables: tuple[str, ...]
    zone_names: tuple[str, ...]
    lines: tuple[str, ...]  # "file:line" of routes and entries, for answers
    routes: Routes
    route_line: Int
    groups: Groups
    ports: Ports
    filters: Filters
    translations: Translations
    policies: Policies
    zones: Zones


class Packet(NamedTuple):
    """One concrete packet. Of ICMP `destination_port` is type * 256 + code and `source_port` unused, 0.

    `established`: an answer; of TCP it has the ACK or RST flag.
    """

    family: int
    source: int
    destination: int
    protocol: int
    source_port: int
    destination_port: int
    established: bool = False
    fragment: bool = False
