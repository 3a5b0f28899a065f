"""Shadowed, redundant and unused entries against every kind of packet there is."""

from collections.abc import Iterator
from functools import partial
from random import Random

import pytest
from hypothesis import given

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder
from orchestrator.forwarding.engine.core import AnswerError
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.hygiene import Fault, arrivals, idle_entries, inspected
from orchestrator.forwarding.engine.losses import meeting
from orchestrator.forwarding.engine.matrix import source_units
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, Network, OperationKind, Packet
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.services import samples
from orchestrator.forwarding.engine.sound import QuestionError
from orchestrator.forwarding.engine.updates import PortDown
from tests.forwarding.engine.graphs import RANDOMS, Graph, labels_of, random_network
from tests.forwarding.engine.networks import random_network as random_estate
from tests.forwarding.engine.points import some_packets
from tests.laws import FIRST, examples, told

FOUR, SIX = 10 << 24, 0x20010DB8 << 96


def decider_of(made: NetworkBuilder | None = None, random: Random | None = None) -> Decider:
    """A decider over filters alone."""
    network = made.build() if made else random_network(random or Random(1), rules=False)
    graph = Graph(Random(1), network, size=0)
    return Decider(network, labels_of(network), graph.outcomes(), graph.variants)


def corners(decider: Decider, side: str, rows: slice, family: int) -> list[int]:
    """Addresses of a family at which something begins for these entries."""
    base, end = (FOUR, 1 << 32) if family == 4 else (SIX, 1 << 128)
    labels = [decider.table.columns[f"{side}_{bound}"][rows].tolist() for bound in ("low", "high")]
    found = [decider.table.labels.address(label) for label in labels[0] + labels[1]]
    return sorted({base, *(address for version, address in found if version == family and address < end)})


def every_kind(decider: Decider, number: int) -> list[tuple[Packet, int]]:
    """A packet (and a port it came by) of every kind that the entries of a filter tell apart."""
    rows = decider.table.rows(number)
    return [
        (sample._replace(family=family, source=source, destination=to), port)
        for sample in samples(decider.table.services)
        for family in (4, 6)
        for source in corners(decider, "source", rows, family)
        for to in corners(decider, "destination", rows, family)
        for port in (NONE, 7, 8)
    ]


@given(RANDOMS)
def test_what_is_said_of_entries_is_true_of_every_packet(random: Random) -> None:
    decider = decider_of(random=random)
    plain = Plain(decider.network)
    number = random.randrange(3)
    first = int(decider.network.filters.first[number])
    met: set[int] = set()
    spared: dict[int, bool] = {}
    entries = plain.rows.filters[number].entries
    for packet, port in every_kind(decider, number):
        action, row, _ = plain.decide(number, packet, port)
        if row == NONE:
            continue
        met.add(row - first)
        shorter = plain.rows.filters[number]._replace(entries=tuple(each for each in entries if each.row != row))
        plain.rows.filters[number], kept = shorter, plain.rows.filters[number]
        same = plain.decide(number, packet, port)[0] == action
        plain.rows.filters[number] = kept
        spared[row - first] = spared.get(row - first, True) and same
    found = inspected(decider, number)
    for position in met:
        assert found.met[position]
        assert spared[position] or not found.spare[position]
    for position in range(len(entries)):
        services = decider.table.services.bits(int(decider.table.columns["match"][first + position]))
        for idle in [each for each in idle_entries(decider, number) if each.position == position]:
            assert services
            assert (idle.fault == Fault.SHADOWED) == (position not in met)
            assert idle.fault == Fault.SHADOWED or spared[position]


def test_a_shadowed_entry_names_who_takes_its_packets() -> None:
    made = NetworkBuilder()
    web = Match(None, "10.0.0.0/24", (6, 6), destination_port=(80, 80))
    wide = Match(None, "10.0.0.0/16", (6, 6))
    entries = [
        Entry(wide._replace(destination_port=(0, 100)), Action.PERMIT, "a:1"),
        Entry(wide._replace(destination_port=(101, 65535)), Action.DENY, "a:2"),
        Entry(web, Action.PERMIT, "a:3"),
        Entry(web._replace(destination_port=(80, 443)), Action.PERMIT, "a:4"),
        Entry(Match("10.1.0.0/16"), Action.DENY, "a:5"),
        Entry(Match("10.2.0.0/16"), Action.PERMIT, "a:6"),
    ]
    made.filter(entries, Action.DENY)
    decider = decider_of(made)
    assert [(row.fault, row.position, row.covering, row.other_action) for row in idle_entries(decider, 0)] == [
        (Fault.SHADOWED, 2, (0,), False),
        (Fault.SHADOWED, 3, (0, 1), True),
        (Fault.REDUNDANT, 4, (), False),
    ]
    shadowed = idle_entries(decider, 0)[1]
    assert (shadowed.line, shadowed.covering_lines) == ("a:4", ("a:1", "a:2"))


class Watched(Plain):
    """A plain walker that keeps what packets it has shown to which filter, and the rows of entries that decided."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.shown: set[tuple[int, Packet]] = set()
        self.met: set[int] = set()

    def decide(self, index: int, packet: Packet, in_port: int) -> tuple[Action, int, int]:
        """As every plain walker."""
        found = super().decide(index, packet, in_port)
        self.shown.add((index, packet))
        self.met.add(found[1])
        return found


def deviations(seed: int, packets: int) -> Iterator[str]:
    """Packets that walk to a filter and are not told to get there, or the other way; idle entries that are met."""
    random = Random(seed)
    network = random_estate(random)
    engine = Engine(meeting(network))
    numbers = range(len(network.filters.default))
    sources = source_units(engine.base, engine.decider, engine.attachments)
    arriving = arrivals(engine.decider, engine.classes(), sources, numbers)
    walks, translated = Watched(network), len(network.translations.kind) > 0
    for zone, packet in some_packets(network, random, packets):
        alone = Watched(network)
        for sender in range(len(network.zone_names)):
            alone.ends(sender, packet)
        for number, shown in alone.shown:
            if not arriving[number].holds(shown):
                yield f"network {seed}: {shown} from {zone} gets to filter {number}, which is not told"
        told = {number for number in numbers if arriving[number].holds(packet)}
        if not translated and told != {number for number, _packet in alone.shown}:
            yield f"network {seed}: {packet} gets to {told}, and walks to {alone.shown}"
        walks.met |= alone.met
    first = network.filters.first
    for idle in Engine(network).idle_entries():
        if idle.fault != Fault.REDUNDANT and int(first[idle.filter]) + idle.position in walks.met:
            yield f"network {seed}: {idle} is met"


def test_packets_that_get_to_a_filter_are_those_that_walk_there() -> None:
    refused, seeds = 0, range(FIRST, FIRST + examples(200, 6_000))
    for seed in told("arrivals", seeds):
        try:
            assert not list(deviations(seed, 20))
        except AnswerError:
            refused += 1
    assert refused <= 5 + len(seeds) // 100


def test_an_entry_met_on_the_way_to_a_loss_is_not_unused() -> None:
    made = NetworkBuilder()
    here, there = made.port("a/x"), made.port("a/x")
    made.attach("here", here, "198.18.1.0/24")
    made.attach("there", there, "198.18.2.0/24")
    made.route("a/x", "198.18.2.0/24", (HopKind.PORT, there))
    made.route("a/x", "198.18.2.10/32", line="a:9")
    to = [Match("198.18.1.0/24", f"198.18.2.{last}/32") for last in (10, 11)]
    met = made.filter([Entry(match, Action.PERMIT, f"f:{number}") for number, match in enumerate(to)])
    made.ingress(here, OperationKind.FILTER, met)
    others = made.filter([Entry(Match("198.18.3.0/24"), Action.PERMIT, "g:0")])
    made.ingress(there, OperationKind.FILTER, others)
    engine = Engine(made.build())
    assert [(idle.filter, idle.line, idle.fault) for idle in engine.idle_entries()] == [(others, "g:0", Fault.UNUSED)]
    assert engine.idle_entries(met) == ()
    engine.apply(PortDown(here))
    assert [idle.line for idle in engine.idle_entries(met)] == ["f:0", "f:1"]  # nobody sends any more


def test_a_filter_whose_policy_changes_nothing_is_met_all_the_same() -> None:
    made = NetworkBuilder()
    here, there = made.port("a/x"), made.port("a/x")
    made.attach("here", here, "198.18.1.0/24")
    made.attach("there", there, "198.18.2.0/24")
    made.route("a/x", "198.18.2.0/24", (HopKind.PORT, there))
    entries = [Entry(Match(f"198.18.{net}.0/24", "198.18.2.0/24"), Action.PERMIT, f"f:{net}") for net in (1, 2)]
    web = made.filter(entries, stateful=False)
    made.ingress(here, OperationKind.POLICY, made.policy([(web, made.group((HopKind.PORT, there)))]))
    assert [(idle.line, idle.fault) for idle in Engine(made.build()).idle_entries()] == [("f:2", Fault.UNUSED)]


def test_a_filter_that_is_not_there_is_refused() -> None:
    made = NetworkBuilder()
    made.filter([Entry(Match(), Action.DENY)])
    engine = Engine(made.build())
    for ask in (engine.idle_entries, partial(idle_entries, engine.decider)):
        for number in (-1, 1):
            with pytest.raises(QuestionError) as told_so:
                ask(number)
            assert str(told_so.value) == f"filter {number} is none of the network's 1: give its number, from 0"


def test_an_entry_for_nobody_is_unused_and_one_for_somebody_is_not() -> None:
    made = NetworkBuilder()
    entries = [
        Entry(Match("10.0.0.0/30"), Action.PERMIT, "a:1"),
        Entry(Match("10.0.0.8/30"), Action.PERMIT, "a:2"),
    ]
    made.filter(entries, Action.DENY)
    decider = decider_of(made)
    arriving = PacketSet.product(
        decider.table.services, [(FOUR, FOUR + 4)], [(0, 1 << 32)], decider.table.services.everything
    )
    assert [(row.fault, row.position) for row in idle_entries(decider, 0, arriving)] == [(Fault.UNUSED, 1)]
