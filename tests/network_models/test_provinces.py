"""Made-up networks are what they say: the same bytes every time, sound arrays, no loops, and just the known faults."""

import numpy as np
import pytest

from network_models.backbone import backbone
from network_models.province import INTERNET, Province, Shape, province
from network_models.rule_sets import Guarded, guarded
from network_models.rule_shapes import FORBIDDEN, SERVICES
from network_models.tree import tree
from orchestrator.errors import InputError
from orchestrator.forwarding.engine.check import check_network
from orchestrator.forwarding.engine.network import Network, Packet, Prefixes
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.plain_flow import works
from orchestrator.forwarding.engine.trail import Ending

SMALL = Shape(routers=300, cities=4, zones=30, vrfs=0.1)
SERVED = (6, 443, 443)


@pytest.fixture(scope="module")
def small() -> Province:
    return province(SMALL)


@pytest.fixture(scope="module")
def filtered(small: Province) -> Guarded:
    return guarded(small, entries=2_500, flows=100, faults=6)


def content(network: Network) -> list[bytes]:
    columns: list[bytes] = [repr((network.tables, network.zone_names, network.lines)).encode()]

    def gather(part: object) -> None:
        if isinstance(part, np.ndarray):
            columns.append(part.dtype.str.encode() + part.tobytes())
        elif isinstance(part, tuple) and not isinstance(part[:1], str):
            for column in part:
                gather(column)

    gather(tuple(part for name, part in vars(network).items() if name not in ("tables", "zone_names", "lines")))
    return columns


def address(many: Prefixes, row: int, offset: int = 7) -> int:
    return (int(many.high[row]) << 64 | int(many.low[row])) + offset


def packet(network: Network, source: int, destination: int, service: tuple[int, int, int]) -> Packet:
    """From row `source` of the zones' addresses to row `destination`."""
    many = network.zones.source
    family = int(many.family[source])
    return Packet(family, address(many, source), address(many, destination), service[0], 50_000, service[1])


def test_the_same_shape_gives_the_same_bytes_and_another_seed_others(small: Province, filtered: Guarded) -> None:
    again = province(SMALL)
    assert content(again.network) == content(small.network)
    assert content(guarded(again, entries=2_500, flows=100, faults=6).network) == content(filtered.network)
    assert content(province(Shape(routers=300, cities=4, zones=30, vrfs=0.1, seed=2)).network) != content(small.network)
    assert content(tree(40).network) == content(tree(40).network) != content(tree(40, seed=9).network)
    assert content(backbone(5, 400)) == content(backbone(5, 400)) != content(backbone(5, 400, seed=9))


def test_their_arrays_are_sound(small: Province, filtered: Guarded) -> None:
    for network in (small.network, filtered.network, tree(40).network, backbone(5, 400)):
        check_network(network)
    filtered.policy.check(filtered.network)


def test_sizes_are_as_asked(filtered: Guarded) -> None:
    assert len(filtered.network.filters.action) == 2_500
    assert len(filtered.network.zone_names) == 30
    assert len(province(Shape(routers=3_000)).network.routes.table) == pytest.approx(100_000, rel=0.05)


def test_a_shape_that_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(
        InputError,
        match=r"^province of 100 routers, 200 zones, 20 cities: take 1 to 20 cities and at least 484 routers$",
    ):
        province(Shape(routers=100))
    with pytest.raises(InputError, match=r"^10 entries do not hold what is meant: ask for at least \d+$"):
        guarded(province(SMALL), entries=10)


def test_every_zone_is_delivered_what_its_neighbours_in_the_common_table_send(small: Province) -> None:
    network, plain = small.network, Plain(small.network)
    zones = network.zones
    pairs = 0
    for source in range(0, len(zones.zone), 3):
        for destination in range(0, len(zones.zone), 5):
            sender, receiver = int(zones.zone[source]), int(zones.zone[destination])
            same = zones.source.family[source] == zones.source.family[destination]
            if not same or small.scope[sender] != -1 or small.scope[receiver] != -1:
                continue
            ends = plain.ends(sender, packet(network, source, destination, SERVED))
            assert {(end.ending, end.zone) for end in ends} == {(Ending.DELIVERED, receiver)}
            pairs += 1
    assert pairs > 500


def test_departments_reach_their_own_sites_and_the_platform_and_nobody_else(small: Province) -> None:
    network, plain = small.network, Plain(small.network)
    zones, reached = network.zones, 0
    private = np.where(~small.published)[0].tolist()
    for source in private:
        sender = int(zones.zone[source])
        for destination in private:
            receiver = int(zones.zone[destination])
            ends = plain.ends(sender, packet(network, source, destination, SERVED))
            found = {end.zone for end in ends if end.ending == Ending.DELIVERED}
            if small.scope[sender] == small.scope[receiver]:
                assert found == {receiver}
                reached += sender != receiver
            else:
                assert receiver not in found
    assert reached >= 10
    platform = int(np.where(zones.zone == 1)[0][0])
    own = int(np.where(small.published & (small.scope[zones.zone] >= 0))[0][0])
    assert works(plain, int(zones.zone[own]), packet(network, own, platform, SERVED))


def test_no_packet_of_any_zone_runs_in_circles(small: Province) -> None:
    random, plain, zones = np.random.default_rng(5), Plain(small.network), small.network.zones
    routes, endings = small.network.routes.prefix, set()
    for _ in range(1_500):
        row, aim = int(random.integers(0, len(zones.zone))), int(random.integers(0, len(routes.family)))
        family = int(routes.family[aim])
        if zones.source.family[row] == family:
            one = Packet(family, address(zones.source, row), address(routes, aim, 1), 6, 50_000, 443)
            endings |= {end.ending for end in plain.ends(int(zones.zone[row]), one)}
    assert endings == {Ending.DELIVERED, Ending.DROPPED}


def test_some_ways_divide_into_equal_paths(small: Province) -> None:
    plain, zones = Plain(small.network), small.network.zones
    rows = np.where((zones.source.family == 4) & (small.scope[zones.zone] == -1))[0]
    trails = plain.trails(int(zones.zone[rows[-1]]), packet(small.network, int(rows[-1]), int(rows[9]), SERVED))
    assert len(trails) > 1


def test_filters_hold_what_is_meant_but_for_the_openings(small: Province, filtered: Guarded) -> None:
    network, plain = filtered.network, Plain(filtered.network)
    zones, found, tried = network.zones, set(), 0
    rows = np.where((small.scope[zones.zone] == -1) & (zones.source.family == 4))[0]
    common = rows[np.unique(zones.zone[rows], return_index=True)[1]].tolist()  # openings are for a zone's first prefix
    for source in common:
        for destination in common:
            pair = int(zones.zone[source]), int(zones.zone[destination])
            if pair[0] == pair[1] or filtered.policy.allowed[pair]:
                continue
            for service in (FORBIDDEN, SERVICES[tried % len(SERVICES)]):
                tried += 1
                ends = plain.ends(pair[0], packet(network, source, destination, service))
                found |= {pair for end in ends if end.ending == Ending.DELIVERED and end.zone == pair[1]}
    assert tried > 300
    assert found == filtered.opened
    assert len(found) == 6


def test_registered_flows_work_but_for_those_cut(filtered: Guarded) -> None:
    plain, flows = Plain(filtered.network), filtered.policy.flows
    broken = {index for index, flow in enumerate(flows) if works(plain, flow.zone, flow.packet) is not True}
    assert len(flows) == 100
    assert broken == filtered.cut
    assert len(broken) == 6


def test_meant_are_ways_in_the_common_table_in_departments_and_to_the_platform(
    small: Province, filtered: Guarded
) -> None:
    allowed = guarded(small, entries=20_000).policy.allowed
    meant = {(int(small.scope[a]), int(small.scope[b])) for a, b in np.argwhere(allowed)}
    assert {(-1, -1), (0, 0), (0, -1), (-1, 0)} <= meant
    assert not {(0, 1), (1, 0)} & meant
    assert INTERNET not in {flow.zone for flow in filtered.policy.flows}
    assert {flow.packet.family for flow in filtered.policy.flows} == {4, 6}


def test_a_tree_delivers_what_its_filters_let_through() -> None:
    made = tree(30, lines=6)
    plain, zones, endings = Plain(made.network), made.network.zones, []
    for source in range(0, 90, 7):
        for destination in range(0, 90, 4):
            for end in plain.ends(source, packet(made.network, source, destination, SERVED)):
                endings.append(end.ending)
                assert end.ending != Ending.DELIVERED or end.zone == int(zones.zone[destination])
    assert endings.count(Ending.DELIVERED) > len(endings) / 10
    assert endings.count(Ending.DROPPED) > len(endings) / 10


def test_a_backbone_delivers_every_prefix_to_one_zone_from_everywhere() -> None:
    network = backbone(6, 500)
    plain, prefix = Plain(network), network.routes.prefix
    for row in range(0, 500, 5):
        aim = int(prefix.low[row]) + 3
        sent = [
            plain.ends(zone, Packet(4, address(network.zones.source, zone, 1), aim, 6, 50_000, 443))
            for zone in range(6)
        ]
        assert all(end.ending == Ending.DELIVERED for ends in sent for end in ends)
        assert len({end.zone for ends in sent for end in ends}) == 1
