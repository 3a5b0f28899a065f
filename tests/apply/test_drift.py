"""Drift: what differs is named with its place, and what it endangers is found by the proof."""

from datetime import date
from functools import cache
from pathlib import Path

import pytest

import network_models
from network_models.district import now
from orchestrator.apply.cloud_world import expected_rows
from orchestrator.apply.device import managed
from orchestrator.apply.drift import Drift, judge
from orchestrator.apply.endpoints import names_block
from orchestrator.apply.snapshot import Snapshot, differences, unequal
from orchestrator.intake.policy import read_policy
from orchestrator.model.estate import Estate
from orchestrator.model.policy import Policy
from orchestrator.vendors.registry import render_device
from tests.whole import planned

NOW = now()
NAMES = names_block(NOW, NOW.hosts["cz-web"])
NIGHT = date(2018, 1, 9)


@cache
def policy() -> Policy:
    return read_policy(Path(network_models.__file__ or "").parent / "wangchao" / "policy.yaml")


def world(device: str = "", file: str = "", old: str = "", new: str = "") -> Snapshot:
    """The world as the estate says, with one replacement in one text."""
    texts = {name: render_device(NOW, name) for name in NOW.devices if managed(NOW, name)}
    if device:
        assert old in texts[device][file], f"{old!r} is not in {device}/{file}"
        texts[device][file] = texts[device][file].replace(old, new)
    hosts = {h.name: (str(h.address), str(h.gateway), names_block(NOW, h)) for h in NOW.hosts.values()}
    return Snapshot(texts=texts, hosts=hosts)


def judged(snapshot: Snapshot) -> Drift:
    return judge(NOW, policy(), snapshot, NIGHT)


def test_a_world_as_it_should_be_has_no_drift() -> None:
    assert judged(world()) == Drift(differences=(), endangered=())


def unmanaged(table: str, *names: str) -> Estate:
    rows = {name: row.model_copy(update={"management": None}) for name, row in getattr(NOW, table).items()}
    return NOW.model_copy(update={table: getattr(NOW, table) | {name: rows[name] for name in names}})


@pytest.mark.parametrize(
    ("table", "names", "told"),
    [
        ("devices", ("pe1",), "pe1 has no management address and was not read"),
        (
            "devices",
            ("fw1", "mz1", "pe1", "pe2"),
            "4 devices (fw1, mz1, pe1 …) have no management address and were not",
        ),
        ("hosts", ("cz-web", "cz-db"), "2 hosts (cz-db, cz-web) have no management address and were not read"),
    ],
)
def test_what_nobody_could_read_is_not_told_as_unchanged(table: str, names: tuple[str, ...], told: str) -> None:
    """Switches and others without tables of their own are no part of what is read."""
    estate, snapshot = unmanaged(table, *names), world()
    seen = snapshot.model_copy(
        update={"texts": {name: snapshot.texts[name] for name in snapshot.texts if name not in names}}
    )
    drift = judge(estate, policy(), seen, NIGHT)
    assert drift.differences == ()
    (finding,) = drift.endangered
    assert (finding.subject, finding.result) == ("drift", "unknown")
    assert finding.what.startswith(told)
    assert finding.fix == "name one in topology.yaml, or look there by hand"


def test_what_no_row_can_express_is_drift_all_the_same() -> None:
    what = "a rule for IPv6 tcp in group 'web' is not known here"
    snapshot = world().model_copy(update={"strange": {"cloud:service security group rule 5": what}})
    found = judged(snapshot)
    assert [(d.where.item, d.row, d.found) for d in found.differences] == [
        ("cloud:service security group rule 5", "unread object", what)
    ]
    (finding,) = found.endangered
    assert str(finding) == (
        f"drift unknown: cloud cloud:service security group rule 5: {what}: what that endangers is not known; "
        "put it back, or look at what depends on it"
    )
    assert unequal(world(), snapshot) == (f"strange cloud:service security group rule 5: None -> {what}",)
    assert unequal(snapshot, snapshot) == ()


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_remark_does_not_stand_for_the_line_after_it(end: str) -> None:
    """What a device takes for a comment cannot hide that a rule is gone."""
    text = render_device(NOW, "fw1")["nftables.conf"]
    line = next(line for line in text.split("\n") if "F-011" in line and "accept" in line)
    apart = unequal(world(), world("fw1", "nftables.conf", line, f"# remark{end}{line}"))
    assert [one.partition(":")[0] for one in apart] == ["fw1/nftables.conf"]
    assert unequal(world(), world("fw1", "nftables.conf", line, f"# remark\n{line}")) == ()


def test_a_removed_filter_entry_is_named_with_the_flow_it_endangers() -> None:
    text = render_device(NOW, "fw1")["nftables.conf"]
    line = next(line for line in text.splitlines() if "F-011" in line and "accept" in line)
    found = judged(world("fw1", "nftables.conf", line + "\n", ""))
    assert [(str(d.where.source), d.row, d.found) for d in found.differences] == [
        ("fw1/nftables.conf", "filter_rules[fw1/00200]", "absent")
    ]
    assert {finding.subject for finding in found.endangered} >= {"F-011"}
    assert "F-010" not in {finding.subject for finding in found.endangered}


def test_a_hand_made_leak_endangers_a_boundary_rule() -> None:
    route = " ip route 198.18.64.0/24 198.19.255.2\n"
    found = judged(world("pe1", "frr.conf", route, route + " ip route 203.0.113.0/24 198.19.255.2\n"))
    assert [difference.row for difference in found.differences] == ["routes[pe1/adm/203.0.113.0/24/198.19.255.2]"]
    assert found.differences[0].where.line is not None


def test_a_line_nobody_understands_makes_answers_unknown_and_is_shown() -> None:
    found = judged(world("pe1", "frr.conf", "interface core0\n", "interface core0\n ip pim\n"))
    assert ("unread line", "ip pim") in {(difference.row, difference.found) for difference in found.differences}
    assert {finding.result for finding in found.endangered} == {"unknown"}


def test_a_changed_gateway_of_a_host_is_found() -> None:
    snapshot = world()
    address, _, names = snapshot.hosts["cz-web"]
    moved = snapshot.model_copy(update={"hosts": {**snapshot.hosts, "cz-web": (address, "10.8.1.2", names)}})
    found = judged(moved)
    assert [str(difference) for difference in found.differences] == [
        "cz-web gateway: hosts[cz-web].gateway is 10.8.1.2, expected 10.8.1.1"
    ]
    assert "F-001" in {finding.subject for finding in found.endangered}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (("10.8.1.10/24", "", NAMES), ["address: address 10.8.1.10/24, gateway none"]),
        (("", "10.8.1.1", NAMES), ["address: address none, gateway 10.8.1.1"]),
        (("10.8.1.10/24 198.18.9.9/24", "10.8.1.1", NAMES), ["address: address 10.8.1.10/24 198.18.9.9/24, gateway"]),
        (("10.8.1.10/24", "10.8.1.1", "198.18.9.9 elsewhere.example"), ["names: it is told other service names"]),
        (("10.8.1.10/24", "10.8.1.1", NAMES), []),
    ],
)
def test_what_no_row_of_a_host_can_say_endangers_nobody_knows_what(
    found: tuple[str, str, str], told: list[str]
) -> None:
    snapshot = world()
    drift = judged(snapshot.model_copy(update={"hosts": {**snapshot.hosts, "cz-web": found}}))
    assert len(drift.differences) == len(told)
    assert [one.result for one in drift.endangered] == ["unknown"] * len(told)
    for finding, what in zip(drift.endangered, told, strict=True):
        assert str(finding).startswith(f"drift unknown: cz-web {what}")


@pytest.mark.parametrize(
    ("word", "differs"), [("running", False), ("frozen", True), ("stopped", True), ("absent", True)]
)
def test_a_service_that_does_not_run_as_the_estate_says_is_found(word: str, differs: bool) -> None:
    service = "990102-CZ-0001.db@cz-db"
    found = judged(world().model_copy(update={"services": {service: word}}))
    assert [str(one) for one in found.differences] == [
        f"cz-db 990102-CZ-0001.db: workloads[990102-CZ-0001/db@cz-db].state is {word}, expected running"
    ] * differs
    assert ("F-002" in {finding.subject for finding in found.endangered}) is differs


@pytest.mark.parametrize(("state", "word"), [("standby", "frozen"), ("stopped", "stopped"), ("stopped", "absent")])
def test_an_old_copy_that_is_kept_or_gone_is_as_it_should_be(state: str, word: str) -> None:
    row = NOW.workloads["990102-CZ-0001/db@cz-db"].model_copy(update={"state": state})
    estate = NOW.model_copy(update={"workloads": NOW.workloads | {row.key: row}})
    assert differences(estate, world().model_copy(update={"services": {"990102-CZ-0001.db@cz-db": word}})) == ()


def test_an_emptied_cloud_endangers_what_was_promised_of_it() -> None:
    """Also where provider networks are all there was: no tenant's row is needed to miss them."""
    target = planned().target(NOW)
    texts = {name: render_device(target, name) for name in target.devices if managed(target, name)}
    hosts = {h.name: (str(h.address), str(h.gateway), names_block(target, h)) for h in target.hosts.values()}
    rows = {f"{table}[{key}]": row.plain() for (table, key), row in expected_rows(target).items()}
    whole = Snapshot(texts=texts, hosts=hosts, cloud=rows)
    assert judge(target, policy(), whole, NIGHT) == Drift(differences=(), endangered=())
    emptied = judge(target, policy(), whole.model_copy(update={"cloud": {}}), NIGHT)
    assert len(emptied.differences) == len(rows)
    assert "F-001" in {finding.subject for finding in emptied.endangered}
    provided = NOW.with_nouns(*target.provider_networks.values())
    assert [one.row for one in differences(provided, world())] == [
        f"provider_networks[{name}]" for name in sorted(target.provider_networks)
    ]


def test_snapshots_compare_with_order_and_counters_aside() -> None:
    first = Snapshot(texts={"fw1": {"nftables.conf": "a\n counter packets 1 bytes 60 accept\n"}}, hosts={})
    second = Snapshot(texts={"fw1": {"nftables.conf": "counter packets 9 bytes 999 accept\na\n"}}, hosts={})
    third = Snapshot(texts={"fw1": {"nftables.conf": "counter packets 9 bytes 999 drop\na\n"}}, hosts={})
    assert unequal(first, second) == ()
    assert unequal(first, third) == ("fw1/nftables.conf: counter accept",)


def test_what_is_not_the_snapshot_again_is_named_without_its_secret() -> None:
    """It goes to the screen, into the journal and into the audit trail."""
    first = Snapshot(texts={"sw1": {"vrp.cfg": "snmp-agent community read cipher old-for-tests\n"}}, hosts={})
    second = Snapshot(texts={"sw1": {"vrp.cfg": "snmp-agent community read cipher new-for-tests\n"}}, hosts={})
    assert unequal(first, second) == ("sw1/vrp.cfg: snmp-agent community ******",)
    assert unequal(first, first) == ()
