"""One change of each kind of device: there, seen, refused when somebody else was faster, and back.

The whole district, with kills at many journal points, is in test_district.py.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab import network
from network_models.district import now
from orchestrator.apply.access import Access, load_access
from orchestrator.apply.device import read_all
from orchestrator.apply.network import push
from orchestrator.apply.playbook import play
from orchestrator.apply.remote import Remote
from orchestrator.apply.snapshot import Snapshot, unequal
from orchestrator.errors import DeviceError, SurpriseError, UnreachableError
from orchestrator.model.base import Row
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.network import FilterRule, Interface, Vlan, Vrf
from orchestrator.vendors.registry import render_device

pytestmark = pytest.mark.lab
NOW = now()
CLOUD, STACK, PROVIDER = "administrative-service-cloud", "tenant-cz", "provider-administrative-service-cloud"


def with_vrf() -> Estate:
    like = NOW.vrfs["pe1/adm"]
    assert like.overlay is not None
    overlay = like.overlay.model_copy(
        update={"vni": 10100, "address": IPv4Interface("169.254.64.9/30"), "peer": IPv4Address("169.254.64.10")}
    )
    target = ("65000:100",)
    vrf = Vrf(device="pe1", name="cz", zone="vpn-cz", route_distinguisher="65000:100", import_targets=target,
              export_targets=target, overlay=overlay)  # fmt: skip
    leg = Interface(device="pe1", name="fw-cz", vrf="cz", address=IPv4Interface("198.19.255.9/30"))
    return NOW.with_nouns(vrf, leg)


def with_rule() -> Estate:
    return NOW.with_nouns(
        FilterRule(
            device="fw1",
            sequence=150,
            action="accept",
            in_interfaces=("cz0",),
            out_interfaces=("adm0",),
            sources=(IPv4Network("198.18.32.100/32"),),
            destinations=(IPv4Network("198.18.0.10/32"),),
            protocol="tcp",
            ports=((443, 443),),
            flow="F-003",
        )
    )


def with_vlan() -> Estate:
    return NOW.with_nouns(Vlan(device="msw1", vlan=2010, description="PROV-CZ"))


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Remote, Access]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEFOLD_LAB", str(tmp_path_factory.mktemp("apply")))
        network.up(NOW)
        try:
            access = load_access(network.node.place().access)
            with Remote(access) as remote:
                yield remote, access
        finally:
            network.down()


CHANGES = {"pe1": with_vrf, "fw1": with_rule, "msw1": with_vlan}


@pytest.mark.parametrize("device", CHANGES)
def test_a_device_goes_there_and_back_and_is_what_it_was(devices: tuple[Remote, Access], device: str) -> None:
    remote, access = devices
    after = CHANGES[device]()
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    pushed = push(device, NOW, after, remote, access)
    assert (pushed.changed, pushed.lines > 0) == (True, True)
    assert not push(device, NOW, after, remote, access, resuming=True).changed
    with pytest.raises(SurpriseError, match=f"{device} has all of this change, and no run of ours made it"):
        push(device, NOW, after, remote, access)
    push(device, after, NOW, remote, access)
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()


REFUSED = {
    "fw1": ("nftables", "nftables.conf", "add rule inet nowhere forward accept\n",
            r"fw1 refused 'rules' of playbook nftables: check: exit code 1 \| .*No such file or directory"),
    "pe1": ("frr", "frr.conf", "frobnicate the district\n",
            r"pe1 refused 'ports and routing' of playbook frr: reload: exit code 1 \| .*frobnicate the district"),
}  # fmt: skip


@pytest.mark.parametrize("device", REFUSED)
def test_a_line_that_a_device_refuses_is_told_in_its_own_words(devices: tuple[Remote, Access], device: str) -> None:
    remote, access = devices
    name, file, line, words = REFUSED[device]
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    texts = render_device(NOW, device)
    with pytest.raises(DeviceError, match=words):
        play(name, NOW, access, (device,), files={device: {**texts, file: texts[file] + line}})
    play(name, NOW, access, (device,), files={device: texts})
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()


@pytest.mark.parametrize("device", CHANGES)
def test_a_dry_run_passes_and_changes_nothing(devices: tuple[Remote, Access], device: str) -> None:
    remote, access = devices
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    assert push(device, NOW, CHANGES[device](), remote, access, check=True).changed
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()


def test_a_hand_made_line_stops_a_push_and_stays(devices: tuple[Remote, Access]) -> None:
    remote, access = devices
    address = NOW.devices["cz1"].management
    assert address is not None
    try:
        remote.ask("cz1", address, "vtysh -c 'configure terminal' -c 'ip route 203.0.113.0/24 blackhole'")
        port = Interface(device="cz1", name="up0", address=IPv4Interface("198.18.240.2/30"))
        with pytest.raises(SurpriseError) as caught:
            push("cz1", NOW, NOW.with_nouns(port), remote, access)
        assert "routes[cz1/default/203.0.113.0/24/blackhole] is " in str(caught.value)
        assert "203.0.113.0/24" in remote.ask("cz1", address, "vtysh -c 'show running-config'")
        assert "198.18.240.2" not in remote.ask("cz1", address, "vtysh -c 'show running-config'")
    finally:
        remote.ask("cz1", address, "vtysh -c 'configure terminal' -c 'no ip route 203.0.113.0/24 blackhole'")


def test_a_device_of_another_host_key_is_not_spoken_to(devices: tuple[Remote, Access], tmp_path: Path) -> None:
    _, access = devices
    pe1, pe2 = (NOW.devices[name].management for name in ("pe1", "pe2"))
    assert pe1 is not None
    assert pe2 is not None
    lines = {line.split()[0]: line for line in access.known_hosts.read_text().splitlines()}
    swapped = tmp_path / "known_hosts"
    swapped.write_text(lines[f"pe2,{pe2}"].replace(str(pe2), str(pe1)) + "\n")
    wary = Remote(access.model_copy(update={"known_hosts": swapped}))
    with wary, pytest.raises(UnreachableError, match=r"pe1 \(172\.31\.0\.11\) cannot be reached by ssh: Host key"):
        wary.ask("pe1", pe1, "true")
    with Remote(access) as trusting:
        assert trusting.ask("pe1", pe1, "echo here") == "here\n"


OTHER_WAYS = {
    "cz2": ("default", "192.168.10.0/24", "10.8.2.77", ()),
    # the network of the new next hop comes with the same push
    "pe1": ("adm", "198.18.64.0/24", "198.19.255.10", (
        Interface(device="pe1", name="fw-adm", vrf="adm", address=IPv4Interface("198.19.255.9/30")),
    )),
}  # fmt: skip


def rerouted(device: str, hop: str) -> tuple[Estate, tuple[Edit, ...]]:
    """The estate with another next hop, and a plan's edits: the new one behind, the old one out, the new one up."""
    vrf, prefix, _, more = OTHER_WAYS[device]
    old = next(row for row in NOW.routes.values() if row.key.startswith(f"{device}/{vrf}/{prefix}/"))
    new = old.model_copy(update={"next_hop": IPv4Address(hop)})
    behind = new.model_copy(update={"distance": 250})
    ends: list[tuple[Row | None, Row | None]] = [(None, row) for row in more]
    ends += [(None, behind), (old, None), (behind, new)]
    edits = tuple(edit(was, becomes) for was, becomes in ends)
    return NOW.apply(edits), edits


def edit(was: Row | None, becomes: Row | None) -> Edit:
    row = was or becomes
    assert row is not None
    before, after = (one.plain() if one else None for one in (was, becomes))
    return Edit(table=TABLE_OF[type(row)], key=row.key, before=before, after=after)


@contextmanager
def monitored(device: str) -> Iterator[list[str]]:
    """What a router's kernel says of the prefix while the block runs; filled at its end."""
    vrf, prefix, _, _ = OTHER_WAYS[device]
    inside = network.node.entering(network.node_pid(device), None if vrf == "default" else vrf)
    inside.remove("--pid")  # nsenter would stand between the command and its end
    seen: list[str] = []
    watch = subprocess.Popen([*inside, "ip", "monitor", "route"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        yield seen
        time.sleep(0.5)
    finally:
        watch.terminate()
        seen += [line.strip() for line in watch.communicate()[0].split("\n") if prefix in line]


@pytest.mark.parametrize("device", OTHER_WAYS)
def test_a_route_that_is_replaced_is_never_away(devices: tuple[Remote, Access], device: str) -> None:
    remote, access = devices
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    after, edits = rerouted(device, OTHER_WAYS[device][2])
    with monitored(device) as there:
        push(device, NOW, after, remote, access, edits)
    with monitored(device) as back:
        push(device, after, NOW, remote, access, tuple(edit.undo() for edit in reversed(edits)), back=True)
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()
    for seen, hop in ((there, OTHER_WAYS[device][2]), (back, edits[-2].before["next_hop"])):  # type: ignore[index]
        assert [line for line in seen if line.startswith("Deleted")] == []
        assert any(f"via {hop}" in line for line in seen)
    gone = edits[-2]
    with monitored(device) as seen:  # it would have been seen
        push(device, NOW, NOW.apply((gone,)), remote, access, (gone,))
    assert any(line.startswith("Deleted") for line in seen)
    push(device, NOW.apply((gone,)), NOW, remote, access, (gone.undo(),), back=True)


def test_a_route_of_the_same_way_back_runs_and_is_not_only_configured(devices: tuple[Remote, Access]) -> None:
    """Two routes change over to one next hop: the second one's is known by then, and FRR takes it another way."""
    remote, access = devices
    old = [row for row in NOW.routes.values() if row.device == "cz2"]
    assert len(old) == 2
    edits: tuple[Edit, ...] = ()
    for row in old:
        new = row.model_copy(update={"next_hop": IPv4Address("10.8.2.77")})
        behind = new.model_copy(update={"distance": 250})
        edits += (edit(None, behind), edit(row, None), edit(behind, new))
    after = NOW.apply(edits)
    for before, becomes, way, hop in (
        (NOW, after, edits, "10.8.2.77"),
        (after, NOW, tuple(one.undo() for one in reversed(edits)), "10.8.254.1"),
    ):
        push("cz2", before, becomes, remote, access, way, back=becomes is NOW)
        shown = network.execute("cz2", ["ip", "route"]).stdout
        assert [f"{row.prefix} via {hop} " in shown for row in old] == [True, True], shown


def test_a_route_stays_while_the_one_in_its_place_is_of_no_use(devices: tuple[Remote, Access]) -> None:
    remote, access = devices
    before = Snapshot(texts=read_all(NOW, remote, access), hosts={})
    after, edits = rerouted("cz2", "203.0.113.9")
    with (
        monitored("cz2") as seen,
        pytest.raises(DeviceError, match=r"192\.168\.10\.0/24 by 203\.0\.113\.9 is not usable"),
    ):
        push("cz2", NOW, after, remote, access, edits)
    assert seen == []
    back = tuple(edit.undo() for edit in reversed(edits))
    push("cz2", after, NOW, remote, access, back, resuming=True, back=True)
    assert unequal(before, Snapshot(texts=read_all(NOW, remote, access), hosts={})) == ()
