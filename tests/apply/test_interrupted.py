"""A push that was cut off leaves lines of both states and no others: told apart from somebody else's change."""

from ipaddress import IPv4Address, IPv4Interface
from typing import Any, cast

import pytest

from network_models.district import now
from orchestrator.apply import network
from orchestrator.apply.network import interrupted, push, standing
from orchestrator.errors import SurpriseError
from orchestrator.model.estate import Edit
from orchestrator.model.network import Interface, Vrf
from orchestrator.vendors.frr.ordered import ordered
from orchestrator.vendors.registry import render_device

NOW = now()
LIKE = NOW.vrfs["pe1/adm"]
assert LIKE.overlay is not None
OVERLAY = LIKE.overlay.model_copy(
    update={"vni": 10100, "address": IPv4Interface("169.254.64.9/30"), "peer": IPv4Address("169.254.64.10")}
)
TARGET = ("65000:100",)
AFTER = NOW.with_nouns(
    Vrf(
        device="pe1",
        name="cz",
        zone="vpn-cz",
        route_distinguisher="65000:100",
        import_targets=TARGET,
        export_targets=TARGET,
        overlay=OVERLAY,
    ),
    Interface(device="pe1", name="fw-cz", vrf="cz", address=IPv4Interface("198.19.255.9/30")),
)
BEFORE_TEXTS, AFTER_TEXTS = render_device(NOW, "pe1"), render_device(AFTER, "pe1")


def test_links_made_and_routing_not_yet_is_a_push_cut_off() -> None:
    half = {**BEFORE_TEXTS, "links.batch": AFTER_TEXTS["links.batch"]}
    assert standing("pe1", NOW, AFTER, half)[0] == "unclear"
    assert interrupted("pe1", NOW, AFTER, half)
    assert interrupted("pe1", NOW, AFTER, {**AFTER_TEXTS, "links.batch": BEFORE_TEXTS["links.batch"]})


def test_a_line_of_somebody_else_is_no_cut_off_push() -> None:
    half = {**BEFORE_TEXTS, "links.batch": AFTER_TEXTS["links.batch"]}
    route = half["frr.conf"].replace("vrf adm\n", "vrf adm\n ip route 203.0.113.0/24 blackhole\n", 1)
    assert route != half["frr.conf"]
    assert not interrupted("pe1", NOW, AFTER, {**half, "frr.conf": route})
    gone = half["frr.conf"].replace(" ip route 198.18.64.0/24 198.19.255.2\n", "", 1)
    assert gone != half["frr.conf"]
    assert not interrupted("pe1", NOW, AFTER, {**half, "frr.conf": gone})
    strange = half["frr.conf"].replace("!\n", "!\nbanner motd line hello\nfrobnicate 7\n!\n", 1)
    assert not interrupted("pe1", NOW, AFTER, {**half, "frr.conf": strange})


def test_a_route_between_its_two_places_is_a_push_cut_off() -> None:
    """In neither end, and yet nobody else's: a plan puts the new route behind the old one before that one goes."""
    old = NOW.routes["pe1/adm/198.18.64.0/24/198.19.255.2"]
    new = old.model_copy(update={"next_hop": IPv4Address("198.18.0.9")})
    ends = (
        (None, new.model_copy(update={"distance": 250})),
        (old, None),
        (new.model_copy(update={"distance": 250}), new),
    )
    edits = tuple(
        Edit(
            table="routes",
            key=(was or becomes or old).key,
            before=was.plain() if was else None,
            after=becomes.plain() if becomes else None,
        )
        for was, becomes in ends
    )
    after = NOW.apply(edits)
    lines = ordered(NOW, after, "pe1", edits)
    for half in (NOW.apply(edits[:1]), NOW.apply(edits[:2])):
        texts = render_device(half, "pe1")
        assert standing("pe1", NOW, after, texts)[0] == "unclear"
        assert not interrupted("pe1", NOW, after, texts)
        assert interrupted("pe1", NOW, after, texts, lines)
    hand = texts["frr.conf"].replace("198.18.0.9 250", "198.18.0.9 249", 1)
    assert not interrupted("pe1", NOW, after, {**texts, "frr.conf": hand}, lines)


def test_what_runs_already_is_kept_for_the_next_start_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between the reload and the file that a restart reads, or before VRP's "save", cannot be seen from outside.

    The negative twin: where nothing was cut off, the same finding is somebody else's work, and is left alone.
    """
    played: list[str] = []
    monkeypatch.setattr(network, "play", lambda name, *_more, **_rest: played.append(name))
    monkeypatch.setattr(network, "read_texts", lambda *_: dict(AFTER_TEXTS))
    remote, access = cast(Any, None), cast(Any, None)
    with pytest.raises(SurpriseError, match="pe1 has all of this change, and no run of ours made it"):
        push("pe1", NOW, AFTER, remote, access)
    assert played == []
    pushed = push("pe1", NOW, AFTER, remote, access, resuming=True)
    assert (pushed.changed, pushed.lines, played) == (False, 0, ["frr"])
