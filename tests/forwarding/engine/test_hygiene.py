"""Shadowed, redundant and unused entries against every kind of packet there is."""

from random import Random

from hypothesis import given

from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder
from orchestrator.forwarding.engine.decide import Decider
from orchestrator.forwarding.engine.hygiene import Fault, arrivals, idle_entries, inspected
from orchestrator.forwarding.engine.matrix import source_units
from orchestrator.forwarding.engine.network import NONE, Action, Packet
from orchestrator.forwarding.engine.packets import PacketSet
from orchestrator.forwarding.engine.plain import Plain
from orchestrator.forwarding.engine.services import samples
from tests.forwarding.engine.graphs import RANDOMS, Graph, labels_of, random_network
from tests.forwarding.engine.zone_graphs import ZoneGraph

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
    lines = decider.network.lines
    shadowed = list(idle_entries(decider, 0))[1]
    assert lines[shadowed.line] == "a:4"
    assert [lines[line] for line in shadowed.covering_lines] == ["a:1", "a:2"]


@given(RANDOMS)
def test_packets_that_get_to_a_filter_are_those_that_meet_it(random: Random) -> None:
    of = ZoneGraph(random)
    decider = of.decider()
    number = random.randrange(3)
    sources = source_units(of.network, decider, of.attachments)
    arriving = arrivals(decider, of.classes, of.attachments, sources, number)
    if arriving:
        # asked before any translation: what arrives changes nothing when it is taken away from the filter
        assert arriving.example() is not None
    nothing = PacketSet(decider.table.services)
    unused = {row.position for row in idle_entries(decider, number, nothing) if row.fault == Fault.UNUSED}
    used = {row.position for row in idle_entries(decider, number, arriving) if row.fault == Fault.UNUSED}
    assert used <= unused
    first = int(decider.network.filters.first[number])
    for position in unused - used:
        assert arriving & decider.match(first + position)


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
