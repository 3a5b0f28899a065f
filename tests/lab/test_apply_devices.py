"""One change of each kind of device: there, seen, refused when somebody else was faster, and back.

The whole district, with kills at many journal points, is in test_district.py.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from orchestrator.model.estate import Estate
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
