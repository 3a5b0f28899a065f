"""What is computed before anything is touched: standing of a device, moves of workloads, previews against the plan."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stacks.tenant
from network_models.district import now
from orchestrator.apply import endpoints, network
from orchestrator.apply.access import Access, load_access
from orchestrator.apply.cloud import stacks_changed, stacks_of
from orchestrator.apply.cloud_stack import compare
from orchestrator.apply.device import rows_of_estate, rows_of_texts
from orchestrator.apply.endpoints import hosts_changed, names_seen
from orchestrator.apply.inventory import inventory
from orchestrator.apply.network import classify, devices_changed
from orchestrator.apply.workload import Move, moves
from orchestrator.errors import InputError, SurpriseError
from orchestrator.model.cloud import CloudNetwork, ProviderNetwork, SecurityGroup, SecurityRule, Server, Tenant
from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import FilterRule, Interface, Vlan
from orchestrator.model.plan import Plan
from orchestrator.vendors.registry import render_device
from playbooks.module_utils import netns_vrf
from stacks.resource import changes
from tests.whole import planned

NOW = now()
PORT = Interface(device="cz1", name="up0", address=IPv4Interface("198.18.240.1/30"))
AFTER = NOW.with_nouns(PORT)


def test_a_device_stands_before_after_between_or_elsewhere() -> None:
    before, after = rows_of_estate(NOW, "cz1"), rows_of_estate(AFTER, "cz1")
    second = rows_of_estate(
        AFTER.with_nouns(PORT.model_copy(update={"address": IPv4Interface("198.18.240.5/30")})), "cz1"
    )
    assert classify(before, after, before) == ("not_done", "")
    assert classify(before, after, after) == ("done", "")
    assert classify(before, second, after) == ("partly", "")
    assert classify(before, before, after)[0] == "unclear"
    lost = {place: row for place, row in before.items() if place[1] != "cz1/lan0/10.8.1.1/24"}
    assert classify(before, after, lost)[1].startswith("interfaces[cz1/lan0/10.8.1.1/24] is absent, the plan knows")


def test_only_devices_whose_text_changes_are_touched() -> None:
    assert devices_changed(NOW, AFTER) == ("cz1",)
    assert devices_changed(NOW, NOW) == ()
    assert devices_changed(NOW, NOW.with_nouns(Vlan(device="msw1", vlan=2010))) == ("msw1",)


def test_texts_are_written_only_of_devices_that_a_step_can_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A province has thousands of steps and tens of thousands of devices: not all of them are written for each step."""
    written: list[str] = []

    def counting(estate: Estate, device: str) -> dict[str, str]:
        written.append(device)
        return render_device(estate, device)

    monkeypatch.setattr(network, "render_device", counting)
    assert devices_changed(NOW, AFTER) == ("cz1",)
    assert written == ["cz1", "cz1"]
    gone = NOW.apply((Edit(table="devices", key="cz1", before=NOW.devices["cz1"].plain(), after=None),))
    assert devices_changed(NOW, gone) == ("cz1",)
    same = PORT.model_copy(update={"zone": "common-adm"})
    assert devices_changed(AFTER, NOW.with_nouns(same)) == ()


def test_a_device_comes_back_over_what_it_went_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters before ports on the way there, ports before filters on the way back."""
    rule = FilterRule(device="mz1", sequence=1200, action="drop", protocol="tcp")
    after = NOW.with_nouns(PORT.model_copy(update={"device": "mz1"}), rule)
    texts = render_device(NOW, "mz1")
    played: list[tuple[str, bool, bool]] = []

    def play(playbook: str, *_more: object, files: dict[str, dict[str, str]], **_rest: object) -> None:
        mine = {"nftables": ("nftables.conf",), "frr": ("links.batch", "frr.conf")}[playbook]
        texts.update({name: text for name, text in files["mz1"].items() if name in mine})
        rows = rows_of_texts(NOW, "mz1", texts)
        port = ("interfaces", "mz1/up0/198.18.240.1/30") in rows
        played.append((playbook, ("filter_rules", "mz1/01200") in rows, port))

    monkeypatch.setattr(network, "play", play)
    monkeypatch.setattr(network, "read_texts", lambda *_: dict(texts))
    remote, access = cast(Any, None), cast(Any, None)
    network.push("mz1", NOW, after, remote, access)
    assert played == [("nftables", True, False), ("frr", True, True)]
    played.clear()
    network.push("mz1", after, NOW, remote, access, back=True)
    assert played == [("frr", True, False), ("nftables", False, False)]


def test_hosts_move_one_after_the_other_as_the_step_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody proved a state in which the second one has moved and the first has not; names are told to all at once."""
    step = next(one for one in planned().steps if one.name == "readdress.mz-1")
    before = next(states_before(planned(), step.name))
    after = before.apply(step.edits)
    told = next(row for row in after.service_names.values() if row.key.endswith("/any"))
    other = told.model_copy(update={"address": IPv4Address("198.18.64.99")})
    after = after.apply((Edit(table="service_names", key=told.key, before=told.plain(), after=other.plain()),))
    names = hosts_changed(before, after)
    moved = ["mz-mail", "mz-user1", "mz-web"]
    played: list[tuple[str, ...]] = []
    monkeypatch.setattr(endpoints, "play", lambda _name, _estate, _access, limit, **_rest: played.append(limit))
    remote, access = cast(Any, None), cast(Any, None)
    monkeypatch.setattr(endpoints, "read_host", lambda estate, name, _remote: endpoints._wanted(estate, name))
    others = tuple(name for name in names if name not in moved)
    assert len(others) > 1
    assert endpoints.push_hosts(step, names, before, after, remote, access) == len(names)
    assert played == [("mz-mail",), ("mz-user1",), ("mz-web",), others]
    played.clear()
    endpoints.push_hosts(step, names, after, before, remote, access, back=True)
    assert played == [others, ("mz-web",), ("mz-user1",), ("mz-mail",)]


def states_before(plan: Plan, step: str) -> Iterator[Estate]:
    """The estate when every batch before the step's is done."""
    estate = NOW
    for batch in plan.batches():
        if step in batch:
            yield estate
        for name in batch:
            estate = estate.apply(plan.step_of[name].edits)


@pytest.mark.parametrize("device", sorted(name for name, row in NOW.devices.items() if row.management))
def test_rendered_texts_mean_the_rows_of_the_estate(device: str) -> None:
    assert rows_of_texts(NOW, device, render_device(NOW, device)) == rows_of_estate(NOW, device)


def moved(**states: str) -> Estate:
    """The district with the budget database at these places in these states."""
    row = NOW.workloads["990102-CZ-0001/db@cz-db"]
    others = {key: other for key, other in NOW.workloads.items() if key != row.key}
    places = {"old": "cz-db", "new": "cz/budget-db"}
    rows = [row.model_copy(update={"place": places[at], "state": state}) for at, state in states.items()]
    return NOW.model_copy(update={"workloads": others | {one.key: one for one in rows}})


DB, OLD, NEW = "990102-CZ-0001/db", "cz-db", "cz/budget-db"


def test_moves_of_a_workload_on_the_way_there_and_back() -> None:
    start, copied = moved(old="running"), moved(old="running", new="standby")
    cut, retired = moved(old="standby", new="running"), moved(old="stopped", new="running")
    assert moves(start, copied) == (Move(kind="copy", workload=DB, source=OLD, target=NEW),)
    assert moves(copied, cut) == (Move(kind="cutover", workload=DB, source=OLD, target=NEW),)
    assert moves(cut, retired) == (Move(kind="stop", workload=DB, target=OLD),)
    assert moves(cut, copied) == (Move(kind="cutover", workload=DB, source=NEW, target=OLD),)
    assert moves(copied, start) == (Move(kind="stop", workload=DB, target=NEW),)
    assert moves(start, moved(old="stopped")) == (Move(kind="stop", workload=DB, target=OLD),)
    assert moves(moved(old="stopped"), start) == (Move(kind="start", workload=DB, target=OLD),)
    assert moves(start, start) == ()


def with_tenant(estate: Estate = NOW) -> Estate:
    return estate.with_nouns(
        ProviderNetwork(
            name="prov-cz",
            cloud="administrative-service-cloud",
            vlan=2010,
            prefix=IPv4Network("198.18.130.0/24"),
            gateway=IPv4Address("198.18.130.1"),
        ),
        Tenant(name="cz", cloud="administrative-service-cloud", organisation="cz", zone="vpn-cz"),
        CloudNetwork(tenant="cz", name="net", prefix=IPv4Network("198.18.136.0/24")),
        SecurityGroup(tenant="cz", name="web"),
        SecurityRule(tenant="cz", group="web", direction="ingress", protocol="tcp", ports=(443, 443), flow="F-001"),
        Server(
            tenant="cz",
            name="budget-web",
            network="net",
            address=IPv4Address("198.18.136.10"),
            flavor="small",
            image="onefold-host",
            groups=("web",),
        ),
    )


def test_provider_networks_are_made_before_tenants_and_every_resource_names_its_row() -> None:
    estate = with_tenant()
    assert stacks_changed(NOW, estate) == ("provider-administrative-service-cloud", "tenant-cz")
    tables = {place.partition("[")[0] for table in stacks_of(estate).values() for r in table for place in [r.row]}
    assert tables == {"provider_networks", "tenants", "cloud_networks", "security_groups", "security_rules", "servers"}


def test_resources_are_made_up_only_of_tenants_that_a_step_can_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    made = stacks.tenant.resources

    def counting(estate: Estate, name: str) -> Any:
        seen.append(name)
        return made(estate, name)

    monkeypatch.setattr(stacks.tenant, "resources", counting)
    two = with_tenant().with_nouns(Tenant(name="mz", cloud="administrative-service-cloud", organisation="mz", zone="z"))
    assert stacks_changed(two, two.with_nouns(SecurityGroup(tenant="mz", name="web"))) == ("tenant-mz",)
    assert seen == ["mz", "mz"]
    cloud = two.clouds["administrative-service-cloud"]
    renamed = cloud.model_copy(update={"keystone_domain": "another"})
    assert stacks_changed(two, two.model_copy(update={"clouds": two.clouds | {cloud.name: renamed}})) == (
        "tenant-cz",
        "tenant-mz",
    )
    assert stacks_changed(two, two) == ()


def test_a_preview_that_is_the_plan_passes_and_any_other_does_not() -> None:
    planned = changes((), stacks_of(with_tenant())["tenant-cz"])
    assert set(planned.values()) == {"create"}
    compare("tenant-cz", planned, planned, set(), resuming=False)
    compare("tenant-cz", planned, {"project": "create"}, set(), resuming=True)
    with pytest.raises(SurpriseError, match="the engine would delete network-net, the plan says create"):
        compare("tenant-cz", planned, {**planned, "network-net": "delete"}, set(), resuming=True)
    with pytest.raises(SurpriseError, match="the engine would update other, the plan says leave it alone"):
        compare("tenant-cz", planned, {**planned, "other": "update"}, set(), resuming=True)
    with pytest.raises(SurpriseError, match="the engine sees nothing to create at"):
        compare("tenant-cz", planned, {"project": "create"}, set(), resuming=False)


def test_the_inventory_holds_every_managed_node_and_no_secret() -> None:
    access = Access(ssh_key=Path("/k"), known_hosts=Path("/h"))
    made = inventory(NOW, access)["all"]["children"]
    assert sorted(made) == ["frr", "hosts", "huawei_vrp", "nftables"]
    assert sorted(made["nftables"]["hosts"]) == ["fw1", "mz1"]
    assert len(made["hosts"]["hosts"]) == len(NOW.hosts)
    assert made["frr"]["hosts"]["pe1"]["ansible_host"] == "172.31.0.11"
    assert "password" not in json.dumps(made)


def test_an_access_file_open_to_others_is_refused_and_a_private_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    file.write_text(json.dumps({"ssh_key": "/k", "known_hosts": "/h", "anything": "else"}))
    file.chmod(0o644)
    with pytest.raises(InputError) as caught:
        load_access(file)
    assert str(caught.value) == f"{file} can be read by others: run 'chmod 600 {file}'"
    file.chmod(0o600)
    assert load_access(file).user == "onefold"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"ssh_key": "/k"}', "known_hosts: Field required"),
        ('{"ssh_key": "/k", "known_hosts": 7}', "known_hosts: Input is not a valid path"),
        ('{"ssh_key": "/k", "known_hosts": "/h", "vrp_kind": "vrp9"}', "vrp_kind: Input should be 'vrp5' or 'vrp8'"),
        ("[1]", "Input should be a valid dictionary"),
        ("{", "Expecting property name"),
    ],
)
def test_an_access_file_that_cannot_be_used_names_the_field(content: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        load_access(file)
    assert str(caught.value).startswith(f"{file} is not a usable access file ({reason}")
    assert str(caught.value).endswith("): compare it with docs/apply.md")


def test_a_name_is_answered_by_the_askers_own_view_first() -> None:
    names = NOW.service_names
    assert names_seen(names, "internet", "carrier")["service.mz.wangchao.example"] == "203.0.113.66"
    assert names_seen(names, "private-mz", "mz")["service.mz.wangchao.example"] == "192.168.10.10"
    assert "service.mz.wangchao.example" not in names_seen(names, "common-adm", "city")


VRF = st.sampled_from(["adm", "pub", "cz", "mz"])


@st.composite
def links(draw: st.DrawFn) -> netns_vrf.Links:
    free, found = [f"p{n}" for n in range(6)], {}
    for vrf in sorted(draw(st.sets(VRF))):
        ports = sorted(draw(st.sets(st.sampled_from(free)))) if free else []
        free = [port for port in free if port not in ports]
        overlay = draw(
            st.sampled_from(["", f"link add vx-{vrf} mtu 1500 type vxlan id {len(vrf)}{ord(vrf[0])} dstport 4789"])
        )
        found[vrf] = {"overlay": overlay, "ports": ports}
    return found


@given(links())
def test_links_text_is_read_as_it_was_written(state: netns_vrf.Links) -> None:
    assert netns_vrf.structure(netns_vrf.write(state)) == state


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_comment_of_links_text_ends_at_its_line_feed_alone(end: str) -> None:
    """The positive twin is the line feed, after which the line counts."""
    assert netns_vrf.structure(f"# remark{end}netns add ghost\nnetns add cz\n").keys() == {"cz"}
    assert netns_vrf.structure("# remark\nnetns add ghost\nnetns add cz\n").keys() == {"ghost", "cz"}


@given(links(), links())
def test_additions_and_removals_are_needed_exactly_where_two_states_differ(
    have: netns_vrf.Links, want: netns_vrf.Links
) -> None:
    assert netns_vrf.additions(want, want) == []
    assert netns_vrf.removals(want, want) == []
    commands = netns_vrf.additions(have, want) + netns_vrf.removals(have, want)
    assert bool(commands) == (have != want)
    gone = [command.split()[-1] for command in commands if command.startswith("ip netns del")]
    assert gone == sorted(have.keys() - want.keys())
