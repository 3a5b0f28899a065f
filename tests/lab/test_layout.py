"""What an estate becomes in the lab, as values: no namespace is made here."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from lab.network.convergence import expected
from lab.network.layout import End, layout
from lab.network.node import node_pid
from lab.probe import Request, Result, observe
from lab.services import folder, hosts_text, names_seen, service_name
from network_models import district
from orchestrator.errors import LabError
from orchestrator.model.estate import Estate
from orchestrator.model.network import Device, Link

NOW = district.now()


def test_every_device_and_host_is_a_node_and_every_laid_link_a_cable() -> None:
    plan = layout(NOW)
    assert set(plan.nodes) == set(NOW.devices) | set(NOW.hosts)
    assert set(plan.cables) == set(NOW.links)
    kinds = {"pe1": "router", "fw1": "router", "msw1": "vendor", "sw-dc": "switch", "dc1": "cloud", "staff": "host"}
    assert {name: plan.nodes[name].kind for name in kinds} == kinds


def test_a_released_link_has_no_cable() -> None:
    line = NOW.links["cz-line"]
    without = {**NOW.links, line.key: line.model_copy(update={"state": "released"})}
    assert "cz-line" not in layout(NOW.model_copy(update={"links": without})).cables


def test_only_the_cable_under_the_overlay_is_wider() -> None:
    wide = {name for name, cable in layout(NOW).cables.items() if cable.mtu > 1500}
    assert wide == {"core"}


def test_switch_ports_are_untagged_and_provider_ports_carry_their_vlan() -> None:
    plan = layout(NOW)
    assert plan.switch_ports["sw-dc"] == {"p1": None, "p2": None, "p3": None}
    assert plan.provider_ports == {"dc1": {"cz": 2010, "mz": 2020}}


def test_hardware_addresses_are_fixed_local_and_distinct() -> None:
    plan = layout(NOW)
    ends = [end for cable in plan.cables.values() for end in (cable.a, cable.b)]
    assert len({end.mac for end in ends}) == len(ends)
    assert End("pe1", "core0").mac == End("pe1", "core0").mac
    assert all(end.mac.startswith("02:0f:") for end in ends)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (
            Link(name="x", a_node="pe1", a_port="new0", b_node="nobody", b_port="eth0"),
            "link x ends at nobody, which is no device or host: correct the cabling table",
        ),
        (
            Link(name="x", a_node="pe1", a_port="core0", b_node="pe2", b_port="new0"),
            "port pe1:core0 is used by core and x: correct the cabling table",
        ),
        (
            Link(name="x", a_node="pe1", a_port="a-very-long-port", b_node="pe2", b_port="new0"),
            "port pe1:a-very-long-port has more than 15 characters: shorten it in the cabling table",
        ),
    ],
)
def test_bad_cabling_is_refused_with_its_place(link: Link, message: str) -> None:
    with pytest.raises(LabError) as caught:
        layout(NOW.with_nouns(link))
    assert str(caught.value) == message


def test_a_device_that_the_lab_has_nothing_for_is_refused() -> None:
    strange = Device(name="x1", kind="router", platforms=(), site="s", organisation="city")
    with pytest.raises(LabError) as caught:
        layout(Estate.of(strange))
    assert str(caught.value) == "the lab has nothing for a router of platforms none: use frr or huawei_vrp"


def test_promised_routes_are_connected_static_and_those_of_the_other_pe() -> None:
    tables = expected(NOW)
    assert IPv4Network("198.18.16.0/24") in tables["pe1", "adm"]  # static on pe2, learnt over the overlay
    assert IPv4Network("198.18.0.0/24") in tables["pe2", "adm"]
    assert IPv4Network("0.0.0.0/0") not in tables["pe2", "adm"]  # another VRF's
    assert IPv4Network("0.0.0.0/0") in tables["pe2", "pub"]
    assert ("msw1", "default") not in tables


def test_a_host_sees_the_view_of_its_zone_or_organisation() -> None:
    service = "service.mz.wangchao.example"
    assert names_seen(NOW, NOW.hosts["citizen"])[service] == IPv4Address("203.0.113.66")
    assert names_seen(NOW, NOW.hosts["mz-user1"])[service] == IPv4Address("192.168.10.10")
    assert service not in names_seen(NOW, NOW.hosts["staff"])
    assert "\n203.0.113.10 portal.lanhai.example\n" in hosts_text(NOW, NOW.hosts["citizen"])
    assert "\n198.18.64.10 portal.lanhai.example\n" in hosts_text(NOW, NOW.hosts["staff"])


def test_a_workload_keeps_its_name_and_folder_wherever_it_runs() -> None:
    web = NOW.workloads["990102-CZ-0001/web@cz-web"]
    moved = web.model_copy(update={"place": "cz/budget-web"})
    assert service_name(web) == service_name(moved) == "990102-CZ-0001.web"
    assert folder(web) == folder(moved) == "/srv/budget"


def test_a_reply_names_who_answered() -> None:
    asked = Request("staff", IPv4Address("198.18.0.10"), 443)
    assert Result(asked, True, "exchange 198.18.0.10:443 saw 198.18.16.100", "").answered_by == "exchange"
    assert Result(asked, True, "220 citymail 198.18.0.25:25 saw 198.18.16.100", "").answered_by == "citymail"
    assert Result(asked, True, "5.5.5-10.11-MariaDB something", "").answered_by == ""
    assert Result(asked, False, "", "timeout").answered_by == ""


def test_a_probe_from_a_node_that_is_not_up_is_an_error_and_not_a_blocked_packet(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEFOLD_LAB", str(tmp_path_factory.mktemp("lab")))
    with pytest.raises(LabError) as caught:
        observe([Request("staff", IPv4Address("198.18.0.10"), 443)])
    assert str(caught.value) == "node staff is not up: run 'onefold lab up', or look at 'onefold lab status'"
    with pytest.raises(LabError):
        node_pid("pe1")
