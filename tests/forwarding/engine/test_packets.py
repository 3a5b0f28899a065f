"""Laws of packet sets, against sets of single packets."""

from random import Random

import numpy as np
import pytest
from hypothesis import given

from orchestrator.forwarding.engine.network import Packet
from orchestrator.forwarding.engine.packets import SIX, PacketsError, PacketSet, position
from orchestrator.forwarding.engine.service_cells import extended, services
from orchestrator.forwarding.engine.services import Services
from tests.forwarding.engine.graphs import RANDOMS

KEYS = np.array([(6, 6, 0, 65535, 80, 443, 1, 1, 0), (6, 17, 0, 65535, 443, 500, 1, 0, 1)], np.int32)
SERVICES = services(KEYS)
LATER = extended(SERVICES, np.array([(0, 255, 0, 1023, 100, 450, 1, 1, 0)], np.int32))


def random_set(random: Random, of: Services = SERVICES) -> PacketSet:
    """A union of some boxes near one another, of both families."""
    result = PacketSet(of)
    for _ in range(random.randrange(4)):
        spans = [(base + low, base + low + random.randrange(1, 5)) for low in range(4) for base in (0, SIX)]
        ends = random.sample(spans, 2), random.sample(spans, 2)
        result |= PacketSet.product(of, *ends, random.getrandbits(of.count))
    return result


def random_packet(random: Random) -> Packet:
    family = random.choice((4, 6))
    ports = random.choice((5, 2000)), random.choice((79, 80, 100, 443, 450, 500))
    addresses = random.randrange(9), random.randrange(9)
    return Packet(family, *addresses, random.choice((1, 6, 17)), *ports, random.random() < 0.5, random.random() < 0.3)


@given(RANDOMS)
def test_sets_of_packets_are_sets(random: Random) -> None:
    left, right = random_set(random), random_set(random)
    for _ in range(30):
        packet = random_packet(random)
        mine, yours = left.holds(packet), right.holds(packet)
        assert (left | right).holds(packet) == (mine or yours)
        assert (left & right).holds(packet) == (mine and yours)
        assert (left - right).holds(packet) == (mine and not yours)


@given(RANDOMS)
def test_equal_sets_have_one_form_however_they_came_about(random: Random) -> None:
    left, right = random_set(random), random_set(random)
    assert (left - right) | (left & right) == left
    assert ((left | right) - right).pieces == (left - right).pieces
    assert (left == right) == (not (left - right) and not (right - left))
    assert (left <= right) == (left | right == right)
    assert hash(left | right) == hash(right | left)


@given(RANDOMS)
def test_an_example_is_a_packet_of_the_set_and_boxes_hold_it(random: Random) -> None:
    found = random_set(random)
    packet = found.example()
    assert (packet is None) == found.is_empty
    if packet is not None:
        assert found.holds(packet)
        assert any(
            box.source[0].version == packet.family
            and int(box.source[0]) <= packet.source <= int(box.source[1])
            and int(box.destination[0]) <= packet.destination <= int(box.destination[1])
            for box in found.boxes()
        )


@given(RANDOMS)
def test_a_set_keeps_its_packets_when_services_are_told_apart_further(random: Random) -> None:
    old, new = random_set(random), random_set(random, LATER)
    for _ in range(20):
        packet = random_packet(random)
        assert old.lifted(LATER).holds(packet) == old.holds(packet)
        assert (old | new).holds(packet) == (old.holds(packet) or new.holds(packet))
    assert old.lifted(LATER) == old
    assert hash(old.lifted(LATER)) == hash(old)


def test_families_never_mix() -> None:
    every = [(0, 1 << 32), (SIX, SIX + (1 << 128))]
    found = PacketSet.product(SERVICES, every, every, SERVICES.everything)
    assert [(low < SIX, {source < SIX for source, _, _ in row}) for low, _, row in found.pieces] == [
        (True, {True}),
        (False, {False}),
    ]


def test_a_box_reads_as_a_sentence() -> None:
    source, destination = position(4, 10 << 24), position(4, (10 << 24) + 256)
    web = PacketSet.product(SERVICES, [(source, source + 256)], [(destination, destination + 1)], SERVICES.bits(0))
    assert [str(box) for box in web.boxes()] == [
        "protocol 6 10.0.0.0-10.0.0.255 -> 10.0.1.0:80-443",
        "protocol 6 10.0.0.0-10.0.0.255 -> 10.0.1.0 later fragments",
    ]


def test_sets_of_different_networks_do_not_mix() -> None:
    other = PacketSet(services(KEYS))
    with pytest.raises(PacketsError) as caught:
        PacketSet(SERVICES) | other
    assert str(caught.value) == "the sets speak of different services: make both with one engine's services"
