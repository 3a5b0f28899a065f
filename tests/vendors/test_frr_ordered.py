"""The lines that FRR takes one after the other: what they are, their order, and what is left to the whole text."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from network_models import district
from orchestrator.model.base import Row
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.network import Interface, Route, Vrf
from orchestrator.vendors.frr.ordered import Ordered, ordered
from orchestrator.vendors.frr.running import route_line

NOW = district.now()
PREFIX = IPv4Network("192.168.10.0/24")
OLD = NOW.routes["cz2/default/192.168.10.0/24/10.8.254.1"]
NEW = Route(device="cz2", prefix=PREFIX, next_hop=IPv4Address("198.19.240.5"))
BEHIND = NEW.model_copy(update={"distance": 250})
PORT = Interface(device="cz2", name="up0", address=IPv4Interface("198.19.240.6/30"))


def edit(was: Row | None, becomes: Row | None) -> Edit:
    row = was or becomes
    assert row is not None
    before, after = (one.plain() if one else None for one in (was, becomes))
    return Edit(table=TABLE_OF[type(row)], key=row.key, before=before, after=after)


def lines(edits: tuple[Edit, ...], now: Estate = NOW, device: str = "cz2") -> list[Ordered]:
    return list(ordered(now, now.apply(edits), device, edits))


REROUTE = (edit(None, PORT), edit(None, BEHIND), edit(OLD, None), edit(BEHIND, NEW))


def test_a_route_is_there_before_the_one_whose_place_it_takes_goes() -> None:
    found = lines(REROUTE)
    assert [(one.adds, one.port, one.line) for one in found] == [
        (True, "up0", "ip address 198.19.240.6/30"),
        (True, "", "ip route 192.168.10.0/24 198.19.240.5 250"),
        (False, "", "no ip route 192.168.10.0/24 10.8.254.1"),
        (True, "", "ip route 192.168.10.0/24 198.19.240.5"),
    ]
    assert [(one.prefix, one.hop) for one in found if one.prefix] == [("192.168.10.0/24", "198.19.240.5")]


def test_the_way_back_is_the_same_in_reverse() -> None:
    back = tuple(one.undo() for one in reversed(REROUTE))
    found = lines(back, NOW.apply(REROUTE))
    assert [one.line for one in found] == [
        "ip route 192.168.10.0/24 198.19.240.5 250",
        "ip route 192.168.10.0/24 10.8.254.1",
        "no ip route 192.168.10.0/24 198.19.240.5 250",
        "no ip address 198.19.240.6/30",
    ]
    # the route at the back takes nobody's place: what it stands beside is itself
    assert [one.hop for one in found if one.prefix] == ["198.19.240.5", "10.8.254.1"]


def test_a_route_in_nobodys_place_is_not_waited_for() -> None:
    other = NEW.model_copy(update={"prefix": IPv4Network("203.0.113.0/24")})
    assert [one.prefix for one in lines((edit(None, other), edit(OLD, None)))] == ["", ""]
    assert [one.prefix for one in lines((edit(None, NEW), edit(OLD, None)))] == ["192.168.10.0/24", ""]


def test_only_rows_of_the_device_are_typed() -> None:
    assert lines(REROUTE, device="cz1") == []


def test_a_vrf_that_comes_or_goes_is_left_to_the_whole_text() -> None:
    vrf = Vrf(device="pe1", name="cz", zone="", route_distinguisher="65000:9")
    leg = Interface(device="pe1", name="fw-cz", vrf="cz", address=IPv4Interface("198.19.255.9/30"))
    inside = Route(device="pe1", vrf="cz", prefix=PREFIX, next_hop=IPv4Address("198.19.255.10"))
    beside = inside.model_copy(update={"vrf": "adm"})
    edits = tuple(edit(None, row) for row in (vrf, leg, inside, beside))
    assert [(one.vrf, one.line) for one in lines(edits, device="pe1")] == [
        ("adm", "ip route 192.168.10.0/24 198.19.255.10")
    ]
    back = tuple(one.undo() for one in reversed(edits))
    assert [one.line for one in lines(back, NOW.apply(edits), "pe1")] == ["no ip route 192.168.10.0/24 198.19.255.10"]


def test_an_address_that_changes_within_its_network_is_left_to_the_whole_text() -> None:
    held = NOW.interfaces["cz2/lan0/10.8.2.1/24"]
    moved = held.model_copy(update={"address": IPv4Interface("10.8.2.254/24")})
    beside = held.model_copy(update={"address": IPv4Interface("10.9.2.1/24")})
    assert lines((edit(None, moved), edit(held, None))) == []
    assert [one.line for one in lines((edit(None, beside), edit(held, None)))] == [
        "ip address 10.9.2.1/24",
        "no ip address 10.8.2.1/24",
    ]


def test_words_on_a_port_are_left_to_the_whole_text() -> None:
    held = NOW.interfaces["cz2/lan0/10.8.2.1/24"]
    assert lines((edit(held, held.model_copy(update={"description": "财政"})),)) == []


def standing(estate: Estate) -> set[tuple[str, str]]:
    """What cz2 is configured to, as (context, line)."""
    routes = {("", route_line(row)) for row in estate.routes.values() if row.device == "cz2"}
    ports = {(row.name, f"ip address {row.address}") for row in estate.interfaces.values() if row.device == "cz2"}
    return routes | ports


def typed(box: set[tuple[str, str]], one: Ordered) -> set[tuple[str, str]]:
    """A router after one line: a route typed again with another distance is moved, taken out with any it is gone."""
    words = one.line.removeprefix("no ").split()
    same = {(port, line) for port, line in box if port == one.port and line.split()[:4] == words[:4]}
    return box - same | ({(one.port, one.line)} if one.adds else set())


ROWS = st.one_of(
    st.builds(
        lambda prefix, hop, distance: Route(device="cz2", prefix=prefix, next_hop=hop, distance=distance),
        st.sampled_from([IPv4Network("203.0.113.0/25"), IPv4Network("203.0.113.128/25")]),
        st.sampled_from([IPv4Address("192.0.2.1"), IPv4Address("192.0.2.5"), None]),
        st.sampled_from([1, 250]),
    ),
    st.builds(
        lambda number: Interface(device="cz2", name="up0", address=IPv4Interface(f"198.19.240.{4 * number + 2}/30")),
        st.integers(0, 3),
    ),
)


@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=12))
def test_a_router_goes_over_the_states_of_the_plan(changes: list[tuple[Row, bool]]) -> None:
    """After each line it is configured to what the estate says after the edit that the line stands for."""
    states, edits = [NOW], []
    for row, comes in changes:
        held = getattr(states[-1], TABLE_OF[type(row)]).get(row.key)
        if held != (row if comes else None):
            edits.append(edit(held, row if comes else None))
            states.append(states[-1].apply(edits[-1:]))
    for way, over in ((tuple(edits), states), (tuple(one.undo() for one in reversed(edits)), states[::-1])):
        found = ordered(over[0], over[-1], "cz2", way)
        assert len(found) == len(way)
        box = standing(over[0])
        for one, state in zip(found, over[1:], strict=True):
            box = typed(box, one)
            assert box == standing(state)
