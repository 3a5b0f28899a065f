"""Service atoms against what each match says of single packets."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.service_cells import TooManyServicesError, extended, services
from orchestrator.forwarding.engine.service_keys import Keys, distinct_keys
from orchestrator.forwarding.engine.services import Services, samples
from tests.forwarding.engine.graphs import RANDOMS

EVERY = (0, 65535)
RANGES = [EVERY, EVERY, (80, 80), (443, 443), (1000, 2000), (1500, 3000), (0, 1499)]


def random_keys(random: Random, most: int = 10) -> Keys:
    """Some distinct rows of service_keys."""
    rows = []
    for _ in range(random.randrange(most + 1)):
        whole = random.random() < 0.85
        later = random.random() < 0.5 or not whole
        ports = (random.choice(RANGES), random.choice(RANGES)) if whole else (EVERY, EVERY)
        protocol = random.choice([(0, 255), (6, 6), (17, 17), (6, 17), (1, 1)])
        rows.append((*protocol, *ports[0], *ports[1], int(whole), int(later), random.choice((0, 0, 0, 1, 2))))
    return distinct_keys(np.array(rows, np.int32).reshape(-1, 9))[0]


def holds(key: list[int], packet: Packet) -> bool:
    """Whether a match holds a packet's service, read off its row."""
    if not key[0] <= packet.protocol <= key[1] or (key[8] == 1 and not packet.established):
        return False
    if packet.fragment:
        return bool(key[7])
    if key[8] and not packet.established:
        return False
    ports = key[2] <= packet.source_port <= key[3] and key[4] <= packet.destination_port <= key[5]
    return bool(key[6]) and ports


def random_service(random: Random) -> Packet:
    """A packet near the ends of the ranges."""
    near = [0, 79, 80, 81, 443, 999, 1000, 1499, 1500, 2000, 2001, 3000, 3001, 65535]
    ports = random.choice(near), random.choice(near)
    return Packet(4, 0, 0, random.choice([0, 1, 6, 7, 17, 255]), *ports, random.random() < 0.5, random.random() < 0.3)


def agrees(made: Services, random: Random) -> None:
    """Every match holds exactly the packets that its atoms hold."""
    for _ in range(40):
        packet = random_service(random)
        atom = made.atom(packet)
        for number, key in enumerate(made.keys.tolist()):
            assert bool(made.bits(number) >> atom & 1) == holds(key, packet), (key, packet)


@given(RANDOMS, st.booleans())
def test_atoms_hold_what_the_matches_hold(random: Random, merge: bool) -> None:
    agrees(services(random_keys(random), merge), random)


@given(RANDOMS, st.booleans())
def test_a_match_that_comes_later_splits_atoms_and_old_sets_stay_right(random: Random, merge: bool) -> None:
    old = services(random_keys(random), merge)
    new = extended(old, random_keys(random, 3))
    agrees(new, random)
    for _ in range(20):
        packet, bits = random_service(random), random.getrandbits(old.count)
        assert new.lift(bits, len(old.splits)) >> new.atom(packet) & 1 == bits >> old.atom(packet) & 1
    for number, key in enumerate(old.keys.tolist()):
        assert new.keys[number].tolist() == key
        assert new.lift(old.bits(number), len(old.splits)) == new.bits(number)


@given(RANDOMS, st.booleans())
def test_boxes_hold_exactly_the_services_of_a_set(random: Random, merge: bool) -> None:
    made = services(random_keys(random), merge)
    bits = random.getrandbits(made.count)
    boxes = made.boxes(bits)
    for _ in range(40):
        packet = random_service(random)
        found = [
            box
            for box in boxes
            if box.protocol[0] <= packet.protocol <= box.protocol[1]
            and box.fragment == packet.fragment
            and box.established in (None, packet.established)
            and (packet.fragment or box.source_port[0] <= packet.source_port <= box.source_port[1])
            and (packet.fragment or box.destination_port[0] <= packet.destination_port <= box.destination_port[1])
        ]
        assert len(found) == bits >> made.atom(packet) & 1


def test_every_atom_has_a_packet() -> None:
    made = services(random_keys(Random(1), 10))
    assert [made.atom(packet) for packet in samples(made)] == list(range(made.count))


def test_usual_services_make_few_atoms() -> None:
    ports = [22, 53, 80, 123, 443, 1521, 3306, 5236, 8080]
    keys = np.array([(6, 6, 0, 65535, port, port, 1, 1, 0) for port in ports] + [(0, 255, *EVERY, *EVERY, 1, 1, 0)])
    made = services(keys.astype(np.int32))
    # nine services; other packets that only the last match holds, whole or later; later fragments of TCP
    assert made.count == 9 + 1 + 1
    assert made.width == 1


def test_a_hundred_thousand_overlapping_ranges_stay_small() -> None:
    random = np.random.default_rng(1)
    ends = np.sort(random.integers(0, 65536, (100_000, 2)), axis=1)
    fixed = np.tile(np.array([6, 6, 0, 65535], np.int32), (len(ends), 1))
    flags = np.tile(np.array([1, 1, 0], np.int32), (len(ends), 1))
    keys, _ = distinct_keys(np.concatenate([fixed, ends, flags], axis=1).astype(np.int32))
    made = services(keys)
    assert made.count < 1 << 17
    assert made.runs.nbytes < 4 << 20
    for number in (0, 4711, len(keys) - 1):
        low, high = keys[number, 4:6].tolist()
        for port in (low, high, low - 1, high + 1):
            if 0 <= port < 65536:
                inside = made.bits(number) >> made.atom(Packet(4, 0, 0, 6, 5, port)) & 1
                assert inside == (low <= port <= high)


def test_more_cells_than_are_kept_is_said() -> None:
    grid = np.arange(3000, dtype=np.int32)
    keys = np.stack([grid * 0 + 6, grid * 0 + 6, grid, grid, grid, grid, grid * 0 + 1, grid * 0, grid * 0], axis=1)
    with pytest.raises(TooManyServicesError) as caught:
        services(keys.astype(np.int32))
    assert str(caught.value) == (
        "3000 service matches cut ports and protocols into 9006004 cells, more than 4194304: "
        "merge port ranges of the filters, or ask about fewer filters at once"
    )
