"""What the design of the district must be, and what it must never touch."""

from ipaddress import IPv4Network

import pytest

from orchestrator.design import design
from orchestrator.errors import DesignError
from orchestrator.model.estate import difference
from orchestrator.model.lock import Lock
from tests.design.estates import changed, district, policy


def test_one_site_is_kept_one_renumbered_one_translated() -> None:
    sites = design(district(), policy()).target.private_sites
    assert {key: site.treatment for key, site in sites.items()} == {
        "CZ-NET/cz-1": "keep",
        "CZ-NET/cz-2": "renumber",
        "CZ-NET/cz-3": "keep",
        "MZ-NET/mz-1": "translate",
        "MZ-NET/mz-2": "renumber",
    }
    assert sites["CZ-NET/cz-1"].prefix == IPv4Network("10.8.1.0/24")
    moved = [site.prefix for key, site in sorted(sites.items()) if site.treatment != "keep"]
    assert moved == [IPv4Network(f"198.18.{number}.0/24") for number in (32, 33, 34)]


def test_lines_and_exit_are_released_and_fibre_stays() -> None:
    target = design(district(), policy()).target
    assert sorted(n for n, link in target.links.items() if link.state == "released") == [
        "cz-line",
        "mz-inet",
        "mz-line",
    ]
    assert target.links["cz-fibre"].state == "in_service"
    assert target.egresses["E-MZ-01"].state == "consolidated"
    assert target.egresses["E-PLATFORM"].state == "in_service"
    assert not [link.name for link in target.links.values() if link.state == "spare"]


def test_each_department_has_its_own_route_target_on_both_edges() -> None:
    vrfs = design(district(), policy()).target.vrfs
    targets = {(vrf.name, *vrf.import_targets, *vrf.export_targets) for vrf in vrfs.values()}
    numbers = {"adm": "65000:1", "pub": "65000:2", "cz": "65000:100", "mz": "65000:101"}
    assert targets == {(name, target, target) for name, target in numbers.items()}
    one, two = (vrfs[f"{pe}/cz"].overlay for pe in ("pe1", "pe2"))
    assert one is not None
    assert two is not None
    assert (one.local, one.peer) == (two.remote, two.address.ip)


def test_only_the_public_service_department_gets_an_internet_route() -> None:
    routes = design(district(), policy()).target.routes.values()
    everywhere = IPv4Network("0.0.0.0/0")
    assert {(r.device, r.vrf) for r in routes if r.prefix == everywhere and r.vrf == "mz"} == {("pe1", "mz")}
    free = [r for r in routes if r.vrf in ("cz", "adm") or r.device.startswith("cz")]
    assert free
    assert everywhere not in {r.prefix for r in free}


def test_every_new_boundary_entry_is_an_explicit_registered_flow() -> None:
    target = design(district(), policy()).target
    new = {r.flow: r for k, r in target.filter_rules.items() if r.device == "fw1" and k not in district().filter_rules}
    assert sorted(new) == ["F-003", "F-004", "F-005", "F-007", "F-008"]
    assert list(map(str, new["F-003"].sources)) == ["198.18.32.100/32"]
    assert list(map(str, new["F-003"].destinations)) == ["198.18.0.10/32"]
    assert new["F-004"].in_interfaces == ("inet0",)
    assert new["F-004"].sources == ()
    assert all(rule.destinations and rule.ports and (rule.sources or rule.flow == "F-004") for rule in new.values())
    assert str(target.nats["fw1/mz-web"].outside) == "203.0.113.20/32"


def test_servers_and_tenants_are_named_by_department_and_system() -> None:
    target = design(district(), policy()).target
    assert sorted(target.servers) == ["cz/budget-db", "cz/budget-web", "mz/service-web"]
    assert {t.name: t.cloud for t in target.tenants.values()} == {
        "cz": "administrative-service-cloud",
        "mz": "public-service-cloud",
    }
    names = {key: str(name.address) for key, name in target.service_names.items()}
    assert names["budget.cz.wangchao.example/any"] == str(target.servers["cz/budget-web"].address)
    assert names["mail.mz.wangchao.example/any"] == "198.18.0.25"
    assert target.tenants["cz"].quota.instances == 3  # two servers and 20 %
    assert target.tenants["cz"].quota.cores == 5  # the census asks for four


def test_managed_switches_know_the_handover_vlans() -> None:
    vlans = design(district(), policy()).target.vlans
    handovers = {vlan.vlan: vlan.description for vlan in vlans.values() if vlan.vlan > 2000}
    assert handovers == {2010: "CZ-CLOUD-HANDOVER", 2020: "MZ-CLOUD-HANDOVER"}


def test_carrier_equipment_and_classified_systems_are_untouched() -> None:
    result = design(district(), policy())
    touched = {(e.table, e.key) for e in difference(district(), result.target)}
    assert not [key for table, key in touched if table in ("interfaces", "routes") and key.startswith("isp/")]
    assert ("systems", "990102-BM-0001") not in touched
    assert ("systems", "990102-CZ-0001") in touched


def test_a_classified_system_marked_for_migration_is_a_finding_and_stays() -> None:
    stub = district().systems["990102-BM-0001"]
    result = design(changed(district(), stub.model_copy(update={"disposition": "migrate"})), policy())
    found = [str(f) for f in result.findings if "BM-0001" in str(f)]
    expected = (
        "design fail: estate systems[990102-BM-0001]: a classified system is marked migrate: it is never touched (R2); "
        "set its disposition to untouchable in the census"
    )
    assert found == [expected]
    assert result.target.tenants.keys() == {"cz", "mz"}


@pytest.mark.parametrize("key", ["990102-CZ-0002", "990102-MZ-0003"])
def test_an_undecided_system_is_a_finding_and_untouched(key: str) -> None:
    system = district().systems[key]
    undecided = changed(district(), system.model_copy(update={"disposition": "unknown"}))
    result = design(undecided, policy())
    assert [f.result for f in result.findings if f.where and f.where.item == f"systems[{key}]"] == ["unknown"]
    running = [w.state for w in result.target.workloads.values() if w.system == key]
    assert running == ["running"]
    assert [w.state for w in design(district(), policy()).target.workloads.values() if w.system == key] == ["stopped"]


def test_an_undecided_network_is_a_finding_and_its_sites_stay() -> None:
    network = district().private_networks["MZ-NET"].model_copy(update={"target": "unknown"})
    result = design(changed(district(), network), policy())
    assert [f.what for f in result.findings if f.where and f.where.item == "private_networks[MZ-NET]"] == [
        "nobody has decided what becomes of 民政业务专网"
    ]
    assert {vrf.name for vrf in result.target.vrfs.values()} == {"adm", "pub", "cz"}
    assert result.target.links["mz-line"].state == "in_service"
    assert result.target.hosts["mz-user1"] == district().hosts["mz-user1"]


def test_a_site_that_needs_translation_its_router_cannot_do_is_left_alone() -> None:
    router = district().devices["mz1"].model_copy(update={"platforms": ("frr",)})
    result = design(changed(district(), router), policy())
    assert sorted(f.what for f in result.findings if "mz-1" in f.what) == [
        "E-MZ-01 stays: MZ-NET/mz-1 would lose the Internet with it",
        "mz-1 needs 1:1 translation, which its router mz1 cannot do",
    ]
    assert result.target.private_sites["MZ-NET/mz-1"].treatment == "undecided"
    assert result.target.private_sites["MZ-NET/mz-2"].treatment == "renumber"
    assert result.target.private_networks["MZ-NET"].state == "separate"
    assert result.target.egresses["E-MZ-01"].state == "in_service"
    assert result.target.routes.keys() >= {"mz1/default/0.0.0.0/0/192.0.2.5", "mz2/default/0.0.0.0/0/172.16.254.1"}
    assert result.target.links["mz-line"].state == "in_service"


def test_a_system_above_its_clouds_level_does_not_move() -> None:
    system = district().systems["990102-CZ-0001"].model_copy(update={"mlps_level": 4})
    result = design(changed(district(), system), policy())
    assert "cz" not in result.target.tenants
    assert [f.result for f in result.findings if "only 3 (R10)" in f.what] == ["fail"]


def test_an_exhausted_pool_says_which_and_what_to_do() -> None:
    full = policy().numbering
    smaller = {"sites": IPv4Network("198.18.32.0/23")}
    pools = tuple(p.model_copy(update={"prefix": smaller.get(p.name, p.prefix)}) for p in full.pools)
    small = policy().model_copy(update={"numbering": full.model_copy(update={"pools": pools})})
    with pytest.raises(DesignError) as caught:
        design(district(), small)
    assert str(caught.value) == (
        "nothing is left of 198.18.32.0/23 for prefix/mz/mz-2: give numbering a larger pool in policy.yaml"
    )


@pytest.mark.parametrize(
    ("purpose", "value", "kind"),
    [
        ("number/cz", "x", "a number"),
        ("number/cz", "٣", "a number"),
        ("number/cz", "9" * 5000, "a number"),
        ("prefix/cz/cz-2", "198.18.32.1/24", "a prefix"),
        ("address/router/cz", "here", "an address"),
    ],
)
def test_a_damaged_lock_line_is_named(purpose: str, value: str, kind: str) -> None:
    with pytest.raises(DesignError) as caught:
        design(district(), policy(), Lock(allocations={purpose: value}))
    assert str(caught.value) == (
        f"onefold.lock: {purpose} holds {value!r}, which is not {kind}: restore the line from its history"
    )


@pytest.mark.parametrize(
    ("one", "two", "values", "value"),
    [
        ("number/cz", "number/mz", ("100", "100"), "100"),
        ("prefix/cz/cz-2", "tenant/mz", ("198.18.32.0/23", "198.18.33.0/24"), "198.18.33.0/24"),
    ],
)
def test_a_value_that_the_lock_gives_twice_is_refused(one: str, two: str, values: tuple[str, str], value: str) -> None:
    with pytest.raises(DesignError) as caught:
        design(district(), policy(), Lock(allocations=dict(zip((one, two), values, strict=True))))
    assert str(caught.value) == (
        f"onefold.lock: {one} and {two} both hold {value}: restore the newer of the two lines, "
        "or take it out so that it gets a value of its own"
    )
    design(district(), policy(), Lock(allocations={"number/cz": "100", "vni/mz": "100"}))


def test_a_locked_value_is_used_as_it_stands() -> None:
    target = design(district(), policy(), Lock(allocations={"prefix/cz/cz-2": "198.18.47.0/24"})).target
    assert str(target.private_sites["CZ-NET/cz-2"].prefix) == "198.18.47.0/24"


def test_every_changed_row_has_a_decision_that_made_it() -> None:
    result = design(district(), policy())
    explained = {row for decision in result.decisions for row in decision.rows}
    made = {f"{e.table}[{e.key}]" for e in difference(district(), result.target) if e.after is not None}
    assert made - explained == set()
    assert all(decision.reason for decision in result.decisions)
