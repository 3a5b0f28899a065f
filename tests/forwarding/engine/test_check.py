"""Bad arrays are refused with one line that says what, where and the next move; good ones are not."""

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.check_columns import NetworkError
from orchestrator.forwarding.engine.network import (
    Action,
    HopKind,
    Network,
    OperationKind,
    Prefixes,
    Routes,
    TranslationKind,
)
from tests.forwarding.engine.networks import networks, random_network


def sound() -> Network:
    """Two tables, four ports, two zones, a filter of two entries, a translation, a policy."""
    build = NetworkBuilder()
    left, right = build.port("a/x"), build.port("b/x")
    there, _back = build.link("a/x", "b/x")
    build.attach("left", left, "198.18.0.0/16")
    build.attach("right", right, "2001:db8::/32")
    build.route("a/x", "198.18.0.0/16", (HopKind.PORT, left), line="a:1")
    build.route("a/x", "2001:db8::/32", (HopKind.PORT, there), (HopKind.TABLE, 1), line="a:2")
    build.route("b/x", "2001:db8::/32", (HopKind.UNKNOWN, 0))
    entries = [Entry(Match("198.18.0.0/16"), Action.DENY), Entry(Match(protocol=(6, 6)), Action.PERMIT, "f:2")]
    wall = build.filter(entries, stateful=False)
    rule = Translation(Match("198.18.0.0/16"), TranslationKind.SOURCE, "203.0.113.0/32")
    build.ingress(left, OperationKind.FILTER, wall)
    build.ingress(left, OperationKind.POLICY, build.policy([(wall, 0)]))
    build.egress(right, OperationKind.TRANSLATE, build.translation([rule]))
    return build.build()


def changed(path: str, row: int | None, value: Any) -> Network:
    """The sound network with one value of one array changed; row None: the whole array."""
    network: Network = _with(sound(), path.split("."), row, value)
    return network


def _with(part: Any, names: list[str], row: int | None, value: Any) -> Any:
    old = getattr(part, names[0])
    if names[1:]:
        new = _with(old, names[1:], row, value)
    elif row is None:
        new = value
    else:
        new = old.copy()
        new[row] = value
    return replace(part, **{names[0]: new}) if isinstance(part, Network) else part._replace(**{names[0]: new})


BAD: list[tuple[str, int | None, Any, str]] = [
    ("tables", None, ("a/x", "a/x"), "tables[1] is 'a/x' like tables[0]: give every one its own name"),
    ("zone_names", None, ("z", "z"), "zone_names[1] is 'z' like zone_names[0]: give every one its own name"),
    ("routes.table", 1, 2, "routes.table[1] is 2: tables are numbered from 0 to 1; correct the number"),
    ("routes.group", 2, -1, "routes.group[2] is -1: groups are numbered from 0 to 2; correct the number"),
    ("routes.table", None, [0], "routes.table is no array of one dimension: give numpy.asarray(..., numpy.int32)"),
    ("routes.table", None, np.zeros(3), "routes.table holds float64, not int32: convert it with .astype"),
    (
        "routes.group",
        None,
        np.zeros(2, np.int32),
        "routes.group has 2 rows where 3 are needed: give every row all its columns",
    ),
    ("route_line", 0, 9, "route_line[0] is 9: lines are numbered from -1 to 2; correct the number"),
    ("routes.prefix.family", 0, 0, "routes.prefix.family[0] is 0: a family here is one of 4, 6"),
    (
        "routes.prefix.length",
        0,
        33,
        "routes.prefix.length[0] is 33: an IPv4 prefix has 0 to 32 bits, IPv6 0 to 128, any family 0",
    ),
    (
        "routes.prefix.low",
        0,
        0xC6120001,
        "routes.prefix.low[0] is 3323068417: bits beyond the prefix's length are set; clear them",
    ),
    ("routes.prefix.low", 1, 1, "routes.prefix.low[1] is 1: bits beyond the prefix's length are set; clear them"),
    (
        "routes.prefix.high",
        1,
        1,
        "routes.prefix.high[1] is 1: bits beyond the prefix's length are set; clear them",
    ),
    (
        "routes.prefix.low",
        0,
        1 << 40,
        "routes.prefix.low[0] is 1099511627776: IPv4 addresses are below 2**32 with high 0, any family is all 0",
    ),
    ("groups.first", 1, 0, "groups.first[0] is 0: the group has no next hop; give it one of kind DROP"),
    ("groups.first", 3, 9, "groups.first[3] is 9, but there are 4 rows: let it end there"),
    (
        "groups.first",
        0,
        1,
        "groups.first[0] is not 0: it holds the first row of every slice, and the number of rows at last",
    ),
    ("groups.first", 1, 4, "groups.first[2] is 3: a slice ends before it begins; the column never falls"),
    ("groups.kind", 0, 7, "groups.kind[0] is 7: a kind of next hop is one of 0, 1, 2, 3"),
    ("groups.target", 0, 4, "groups.target[0] is 4: there are 4 ports; correct the number"),
    ("groups.target", 2, 2, "groups.target[2] is 2: there are 2 tables; correct the number"),
    ("groups.target", 3, 5, "groups.target[3] is 5: there are 3 lines; name one, or -1"),
    ("ports.table", 0, 2, "ports.table[0] is 2: tables are numbered from 0 to 1; correct the number"),
    ("ports.device", 0, -1, "ports.device[0] is -1: devices are numbered from 0; correct the number"),
    ("ports.peer", 0, 4, "ports.peer[0] is 4: ports are numbered from -1 to 3; correct the number"),
    ("ports.peer", 2, 2, "ports.peer[2] is 2: a port is not its own peer; give -1 for none"),
    ("ports.up", None, np.ones(3, np.bool_), "ports.up has 3 rows where 4 are needed: give every row all its columns"),
    ("ports.ingress_kind", 0, 3, "ports.ingress_kind[0] is 3: a kind of operation is one of 0, 1, 2"),
    ("ports.ingress_index", 0, 1, "ports.ingress_index[0] is 1: there are 1 filters; correct the number"),
    (
        "ports.ingress_kind",
        0,
        2,
        "ports.ingress_kind[0] is 2: a policy is a port's last ingress operation; move it there",
    ),
    ("ports.egress_kind", 0, 2, "ports.egress_kind[0] is 2: a policy stands before the lookup; make it an ingress one"),
    ("filters.default", 0, 3, "filters.default[0] is 3: an action is one of 0, 1, 2"),
    ("filters.action", 1, -1, "filters.action[1] is -1: an action is one of 0, 1, 2"),
    (
        "filters.stateful",
        0,
        True,
        "policies.match[0] is 0: a stateful filter has no place in a policy; use a stateless one",
    ),
    ("filters.line", 0, 3, "filters.line[0] is 3: lines are numbered from -1 to 2; correct the number"),
    (
        "filters.match.protocol_low",
        1,
        7,
        "filters.match.protocol_low[1] is 7: it is above the range's upper end; exchange them",
    ),
    (
        "filters.match.protocol_high",
        1,
        256,
        "filters.match.protocol_high[1] is 256: values are numbered from 0 to 255; correct the number",
    ),
    (
        "filters.match.destination_port_high",
        0,
        65536,
        "filters.match.destination_port_high[0] is 65536: values are numbered from 0 to 65535; correct the number",
    ),
    ("filters.match.established", 0, 0, "filters.match.established[0] is 0: the condition is one of -1, 1"),
    ("filters.match.fragment", 0, 2, "filters.match.fragment[0] is 2: the condition is one of -1, 1"),
    (
        "filters.match.in_port",
        0,
        4,
        "filters.match.in_port[0] is 4: ports are numbered from -1 to 3; correct the number",
    ),
    (
        "filters.match.destination.family",
        0,
        6,
        "filters.match.source.family[0] is 4: the destination is of the other family; no packet is",
    ),
    ("translations.kind", 0, 2, "translations.kind[0] is 2: a kind of translation is one of 0, 1"),
    ("translations.to_port", 0, 80, "translations.to_port[0] is 80: only a destination rule sets a port; give -1"),
    (
        "translations.to.length",
        0,
        30,
        "translations.to.length[0] is 30: give the length of the matched prefix (1:1) or one host",
    ),
    ("translations.to.family", 0, 0, "translations.to.family[0] is 0: a family here is one of 4, 6"),
    (
        "translations.match.destination.family",
        0,
        6,
        "translations.match.source.family[0] is 4: the destination is of the other family; no packet is",
    ),
    ("policies.match", 0, 1, "policies.match[0] is 1: filters are numbered from 0 to 0; correct the number"),
    ("policies.group", 0, 3, "policies.group[0] is 3: groups are numbered from 0 to 2; correct the number"),
    ("zones.zone", 0, 2, "zones.zone[0] is 2: zones are numbered from 0 to 1; correct the number"),
    ("zones.port", 1, 0, "zones.port[1] is 0: another zone is attached there too; give each zone its own port"),
    ("zones.source.family", 0, 0, "zones.source.family[0] is 0: a family here is one of 4, 6"),
]


@pytest.mark.parametrize(("path", "row", "value", "message"), BAD, ids=[f"{bad[0]}[{bad[1]}]" for bad in BAD])
def test_a_bad_array_is_refused_by_name_and_row(path: str, row: int | None, value: Any, message: str) -> None:
    check_network(sound())
    with pytest.raises(NetworkError) as fault:
        check_network(changed(path, row, value))
    assert str(fault.value) == message


def test_a_route_that_occurs_twice_is_refused_with_both_rows() -> None:
    network = sound()
    routes, line = network.routes, network.route_line
    columns = [np.append(column, column[1]) for column in routes.prefix]
    twice = Routes(
        np.append(routes.table, routes.table[1]), Prefixes(*columns), np.append(routes.group, routes.group[1])
    )
    with pytest.raises(NetworkError) as fault:
        check_network(replace(network, routes=twice, route_line=np.append(line, line[1])))
    assert str(fault.value) == (
        "routes[3] has the table and prefix of routes[1]: put equal-cost next hops into one group"
    )
    elsewhere = twice._replace(table=np.append(routes.table, routes.table[1] + 1).astype(np.int32))
    elsewhere.prefix.length[3] = 33
    check_network(replace(network, routes=elsewhere, route_line=np.append(line, line[1])))


@given(networks())
def test_random_networks_are_sound(network: Network) -> None:
    check_network(network)


def test_a_million_routes_are_checked() -> None:
    count, random = 1_000_000, np.random.default_rng(7)
    address = np.arange(count, dtype=np.uint64)
    six = random.random(count) < 0.3
    prefix = Prefixes(
        np.where(six, 6, 4).astype(np.uint8),
        np.where(six, address, 0).astype(np.uint64),
        np.where(six, 0, address << np.uint64(8)).astype(np.uint64),
        np.where(six, 64, 24).astype(np.uint8),
    )
    routes = Routes(random.integers(0, 2, count).astype(np.int32), prefix, np.zeros(count, np.int32))
    wide = replace(sound(), routes=routes, route_line=np.full(count, -1, np.int32))
    check_network(wide)
    prefix.low[count - 1] |= np.uint64(1)
    with pytest.raises(NetworkError, match="bits beyond the prefix's length"):
        check_network(wide)


def test_the_seeded_generator_gives_the_same_network_again() -> None:
    assert [str(random_network(Random(seed))) for seed in range(5)] == [
        str(random_network(Random(seed))) for seed in range(5)
    ]
