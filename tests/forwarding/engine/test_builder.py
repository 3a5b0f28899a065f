"""What the builder is given and no network can have: one line each, and nothing is added."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest

from orchestrator.errors import InputError
from orchestrator.forwarding.engine.builder import Entry, Match, NetworkBuilder, Translation
from orchestrator.forwarding.engine.engine import Engine
from orchestrator.forwarding.engine.network import NONE, Action, HopKind, OperationKind, TranslationKind

Ask = Callable[[NetworkBuilder], Any]


def some() -> NetworkBuilder:
    """Four ports, two of them with a cable, and one of everything else."""
    made = NetworkBuilder()
    here, _there = made.link("a/x", "b/x")
    made.port("a/x")
    made.attach("zone", made.port("a/x"), "198.18.0.0/16")
    made.route("a/x", "198.19.0.0/16", (HopKind.PORT, here), line="a:1")
    made.filter([Entry(Match("198.18.0.0/16"), Action.PERMIT, "f:1")])
    made.policy([(made.filter([], stateful=False), 0)])
    made.translation([Translation(Match(), TranslationKind.SOURCE, "203.0.113.1/32")])
    return made


def entry(**fields: Any) -> Ask:
    """A filter whose second entry has these fields in its match."""
    return lambda made: made.filter([Entry(Match(), Action.DENY), Entry(Match(**fields), Action.DENY)])


def rule(**fields: Any) -> Ask:
    """A translation with these fields."""
    whole = Translation(Match(), TranslationKind.DESTINATION, "203.0.113.1/32")._replace(**fields)
    return lambda made: made.translation([whole])


FILTER: Any = OperationKind.FILTER
ANY: Any = None
BAD: list[tuple[Ask, str]] = [
    (lambda made: made.connect(2, -1), "port -1 is no number from 0 to 3: correct it"),
    (lambda made: made.connect(2, 99), "port 99 is no number from 0 to 3: correct it"),
    (lambda made: made.connect(2, 2), "port 2 is not its own peer: take two ports"),
    (lambda made: made.connect(0, 2), "port 0 has a cable to port 1: take another port"),
    (lambda made: made.connect(2, 1), "port 1 has a cable to port 0: take another port"),
    (lambda made: made.connect(0, 2, one_way=True), "port 0 has a cable to port 1: take another port"),
    (lambda made: made.link("c/x", ANY), "table None is no text: give it in quotes"),
    (lambda made: made.port(7), "table 7 is no text: give it in quotes"),
    (lambda made: made.ingress(-1, FILTER, 0), "port -1 is no number from 0 to 3: correct it"),
    (lambda made: made.ingress(99, FILTER, 0), "port 99 is no number from 0 to 3: correct it"),
    (lambda made: made.egress("0", FILTER, 0), "port '0' is no number from 0 to 3: correct it"),
    (lambda made: made.egress(0, FILTER, -1), "index -1 is no number from 0 to 2147483647: correct it"),
    (
        lambda made: made.egress(0, ANY, 0),
        "operation None is none of FILTER (0), TRANSLATE (1), POLICY (2): give one of them",
    ),
    (lambda made: made.attach("new", 9, "198.18.0.0/24"), "port 9 is no number from 0 to 3: correct it"),
    (
        lambda made: made.attach("new", 2, "198.18.0.0/24", "198.18.1.9/24"),
        "source '198.18.1.9/24' has bits beyond its length: write '198.18.1.0/24'",
    ),
    (
        lambda made: made.attach("new", 2),
        "zone new is attached without a source prefix: name what it sends with",
    ),
    (lambda made: made.route("new", ANY), "destination None is no prefix: give one like '198.18.0.0/16'"),
    (
        lambda made: made.route("new", "198.18.0.0/33", line="new:1"),
        "destination '198.18.0.0/33' is no prefix: give one like '198.18.0.0/16'",
    ),
    (
        lambda made: made.route("new", "2001:db8::1/32", line="new:1"),
        "destination '2001:db8::1/32' has bits beyond its length: write '2001:db8::/32'",
    ),
    (
        lambda made: made.route("new", "198.18.0.0/24", (HopKind.PORT, 1 << 40), line="new:1"),
        "target 1099511627776 is no number from -1 to 2147483647: correct it",
    ),
    (lambda made: made.group(HopKind.DROP), f"next hop {HopKind.DROP!r} is no pair: give (kind, target)"),
    (
        lambda made: made.group((9, 0)),
        "kind of next hop 9 is none of PORT (0), TABLE (1), DROP (2), UNKNOWN (3): give one of them",
    ),
    (lambda made: made.policy([0]), "entry 0 is no pair: give (filter, group)"),
    (lambda made: made.policy([(0, -1)]), "group -1 is no number from 0 to 2147483647: correct it"),
    (
        lambda made: made.filter([Entry(Match(), ANY, "new:1")]),
        "entry 0: action None is none of DENY (0), PERMIT (1), UNKNOWN (2): give one of them",
    ),
    (
        lambda made: made.filter([], "permit"),
        "default 'permit' is none of DENY (0), PERMIT (1), UNKNOWN (2): give one of them",
    ),
    (lambda made: made.filter([FILTER]), f"entry 0 {FILTER!r} is none: give Entry(...)"),
    (lambda made: made.translation([FILTER]), f"rule 0 {FILTER!r} is none: give Translation(...)"),
    (
        entry(source="198.18.0.1/24"),
        "entry 1: source '198.18.0.1/24' has bits beyond its length: write '198.18.0.0/24'",
    ),
    (entry(destination=7), "entry 1: destination 7 is no prefix: give one like '198.18.0.0/16'"),
    (
        entry(source="198.18.0.0/24", destination="2001:db8::/32"),
        "entry 1: 198.18.0.0/24 and 2001:db8::/32 are of two families, and no packet is: correct one",
    ),
    (entry(protocol=6), "entry 1: protocol 6 is no range from 0 to 255: give (low, high), both included"),
    (
        entry(destination_port=(80, 1 << 40)),
        "entry 1: destination_port (80, 1099511627776) is no range from 0 to 65535: give (low, high), both included",
    ),
    (
        entry(source_port=(9, 3)),
        "entry 1: source_port (9, 3) is no range from 0 to 65535: give (low, high), both included",
    ),
    (
        entry(source_port=(9, 3, 5)),
        "entry 1: source_port (9, 3, 5) is no range from 0 to 65535: give (low, high), both included",
    ),
    (
        entry(established=0),
        "entry 1: established 0 is neither -1 (any packet) nor 1 (only such): give one of them",
    ),
    (entry(in_port=-2), "entry 1: in_port -2 is no number from -1 to 2147483647: correct it"),
    (rule(to=None), "rule 0: to None is no prefix: give one like '198.18.0.0/16'"),
    (rule(to_port=1 << 40), "rule 0: to_port 1099511627776 is no number from -1 to 65535: correct it"),
    (rule(kind="nat"), "rule 0: kind 'nat' is none of SOURCE (0), DESTINATION (1): give one of them"),
    (rule(line=8), "rule 0: line 8 is no text: give it in quotes"),
]


@pytest.mark.parametrize(("ask", "message"), BAD)
def test_what_no_network_can_have_is_refused_in_one_line(ask: Ask, message: str) -> None:
    made = some()
    with pytest.raises(InputError) as refused:
        ask(made)
    assert str(refused.value) == message
    assert repr(vars(made)) == repr(vars(some()))


def test_what_a_network_can_have_is_taken() -> None:
    made = some()
    made.connect(0, 1)  # once more
    made.connect(2, 0, one_way=True)
    whole = Match(IPv4Network("198.18.0.0/16"), None, (6, 6), (0, 65535), (80, 80), 1, NONE, 3)
    made.ingress(2, OperationKind.FILTER, made.filter([Entry(whole, Action.UNKNOWN)], Action.PERMIT))
    made.route("c/x", "::/0")
    assert Engine(made.build()).network.ports.peer.tolist() == [1, 0, 0, NONE]


def test_a_port_of_no_ports_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        NetworkBuilder().ingress(0, OperationKind.FILTER, 0)
    assert str(refused.value) == "port 0 is not made yet: call port() first"
