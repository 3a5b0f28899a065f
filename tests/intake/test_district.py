import tracemalloc
from pathlib import Path

import pytest

from network_models import district
from network_models.write_district import FOLDER, main
from orchestrator.intake.project import Project
from orchestrator.intake.read import Reading, read
from orchestrator.intake.workbook.cells import is_blank
from orchestrator.model.cloud import Tenant
from orchestrator.model.estate import Estate, difference
from tests.intake.books import district_copy, reading_of, set_cells


def test_the_folder_reads_as_exactly_the_district() -> None:
    reading = reading_of(FOLDER)
    assert difference(district.now(), reading.estate) == ()
    assert reading.estate.digest == district.now().digest
    assert reading.unparsed == ()


def test_every_row_says_how_it_is_known() -> None:
    reading = reading_of(FOLDER)
    rows = {f"{table}[{key}]" for table, rows in reading.estate.tables().items() for key in rows}
    assert {fact.row for fact in reading.facts} == rows
    standing = {fact.row: (fact.standing, str(fact.where)) for fact in reading.facts}
    assert standing["systems[990102-CZ-0001]"] == ("claimed", "census.xlsx, sheet F1 系统普查表, cell B4")
    assert standing["interfaces[cz3/lan0/192.168.10.1/24]"] == ("configured", "configs/cz3/frr.conf:15")
    assert standing["links[cz-line]"][0] == "claimed"


def test_the_slips_in_the_census_are_found_with_both_places() -> None:
    assert [str(finding) for finding in reading_of(FOLDER).findings] == [
        (
            "census unknown: census.xlsx, sheet F1 系统普查表, cell S4: the dependency '国库集中支付系统' is not "
            "in form F1: it stays unknown; add that system to F1 or write its code"
        ),
        (
            "census fail: census.xlsx, sheet F1 系统普查表, cell C14: the system '救灾物资旧台账' is entered twice "
            "(also cell C9); the first was read; remove one of the two rows"
        ),
        (
            "census fail: census.xlsx, sheet F3 专网节点, cell D5: site cz-3 claims "
            "192.168.100.0/24, cz3 has 192.168.10.0/24 configured (configs/cz3/frr.conf:15); the configuration was "
            "taken; correct the cell"
        ),
        (
            "census fail: census.xlsx, sheet F3 专网清单, cell H4: 50 Mbit/s claimed, 20 Mbit/s by cz-line at "
            "topology.yaml:63; ask the carrier"
        ),
        *(
            f"cloud unknown: cloud:{cloud}: the cloud was not read: tenants already in it are unknown; "
            "read it with an account of clouds.yaml before the first step is applied"
            for cloud in ("public-service-cloud", "administrative-service-cloud")
        ),
    ]


def test_what_nobody_filled_in_stays_unknown_and_is_counted(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    set_cells(folder / "census.xlsx", "F1 系统普查表", M4="不详", N4=None, Q4="—")
    reading = reading_of(folder)
    system = reading.estate.systems["990102-CZ-0001"]
    assert (system.mlps_level, system.cores, system.addresses) == (None, None, ())
    known = {(one.form, one.column): one for one in reading.completeness}
    whole = {(one.form, one.column): one for one in reading_of(FOLDER).completeness}
    assert known["F1", "等保级别"].filled == whole["F1", "等保级别"].filled - 1
    assert known["F1", "等保级别"].total == 9  # nine open systems' rows, the classified one is not asked


def test_a_system_that_claims_a_whole_class_a_network_is_held_against_it(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    before = len(reading_of(folder).findings)
    set_cells(folder / "census.xlsx", "F1 系统普查表", Q4="10.*")  # 16.8 million addresses: none is to be listed
    tracemalloc.start()
    claimed = reading_of(folder)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(claimed.findings) == before
    assert most < 64_000_000
    set_cells(folder / "census.xlsx", "F1 系统普查表", Q4="10.9.*")
    told = [finding.what for finding in reading_of(folder).findings if "not claimed" in finding.what]
    assert told == [f"990102-CZ-0001 runs on 10.8.1.{last}, which is not claimed" for last in (10, 20)]


def test_a_line_nobody_understands_is_listed_with_its_place(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "configs" / "cz1" / "frr.conf"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("interface lan0\n", "interface lan0\n ip policy route-map SECRET\n"), encoding="utf-8")
    line = path.read_text(encoding="utf-8").splitlines().index(" ip policy route-map SECRET") + 1
    reading = reading_of(folder)
    assert [(one.device, one.file, one.line) for one in reading.unparsed] == [("cz1", "frr.conf", line)]
    assert (
        f"configurations unknown: configs/cz1/frr.conf:{line}: not understood: 'ip policy route-map SECRET'; "
        "every answer it could change is unknown: remove the line, or extend the vendor's reader"
    ) in [str(finding) for finding in reading.findings]


def test_a_configuration_that_was_not_exported_is_unknown_not_empty(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    (folder / "configs" / "fw1" / "nftables.conf").unlink()
    reading = reading_of(folder)
    assert [str(one) for one in reading.unparsed] == ["fw1/nftables.conf:1: absent: the whole file was not exported"]
    assert "fw1" not in reading.estate.filters


def test_a_device_configured_otherwise_than_the_topology_claims_is_found(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    path.write_text(
        path.read_text("utf-8").replace(
            "role: provider_edge, loopback: 198.19.253.1, autonomous_system: 65000",
            "role: provider_edge, loopback: 198.19.253.1, autonomous_system: 65001",
        ),
        "utf-8",
    )
    found = [str(one) for one in reading_of(folder).findings if "autonomous_system" in one.what]
    assert len(found) == 1
    assert found[0].startswith("configurations fail: configs/pe1/frr.conf:")
    assert found[0].endswith(
        ": pe1 has autonomous_system 65000 configured, 65001 claimed (topology.yaml:21); correct the topology file"
    )


def test_a_spare_cable_under_an_addressed_port_is_found(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace('{name: cz-fibre, a: "cz1:wan3"', '{name: cz-fibre, state: spare, a: "cz1:wan3"'), "utf-8"
    )
    found = [one.what for one in reading_of(folder).findings if "cz-fibre" in one.what]
    assert found == [
        "cz1:wan3 is addressed, its cable cz-fibre is spare (topology.yaml:64)",
        "cz3:wan1 is addressed, its cable cz-fibre is spare (topology.yaml:64)",
    ]


@pytest.mark.parametrize("at", ["  - {name: cz-line,", "  - {name: cz-fibre,"], ids=["before", "after"])
def test_a_released_cable_gives_way_to_the_one_that_took_its_port(tmp_path: Path, at: str) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    text = path.read_text("utf-8")
    assert text.count(at) == 1
    old = '  - {name: cz-old, a: "cz1:wan2", b: "cz2:wan1", kind: fibre, state: released}\n'
    path.write_text(text.replace(at, old + at), "utf-8")
    assert [one.what for one in reading_of(folder).findings if "cz-old" in one.what] == []


def test_a_flow_that_names_nobody_is_found(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "policy.yaml"
    path.write_text(path.read_text("utf-8").replace('source: "host:cz-user2"', 'source: "host:cz-user9"', 1), "utf-8")
    found = [str(one) for one in reading_of(folder).findings if one.subject == "policy"]
    assert found == ["policy unknown: policy.yaml flow F-003: the host 'cz-user9' is not known; add or correct it"]


@pytest.mark.parametrize("left_out", ["carrier: 澜海联通, ", "megabits: 20, ", "yearly_rent: 96000, "])
def test_what_the_topology_does_not_say_of_a_line_contradicts_no_claim(tmp_path: Path, left_out: str) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    text = path.read_text("utf-8")
    assert text.count(left_out) == 1
    said = [one.what for one in reading_of(folder).findings if " claimed, " in one.what and "cz-line" in one.what]
    assert said == ["50 Mbit/s claimed, 20 Mbit/s by cz-line at topology.yaml:63"]
    path.write_text(text.replace(left_out, ""), "utf-8")
    found = [one.what for one in reading_of(folder).findings if "cz-line" in one.what]
    assert found == ([] if "megabits" in left_out else said)


def test_a_zone_that_reaches_no_port_and_a_vrf_without_zone_are_found(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    text = path.read_text("utf-8")
    for old, new in (
        ('ports: ["pe1:lan-adm", "ce1:lan0"]', 'ports: ["pe1:lan-admin", "ce1:lan0"]'),
        ("    adm: common-adm\n", "    admin: common-adm\n"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    line = text[: text.index("pe1:lan-admin")].count("\n") + 1
    reading = reading_of(folder)
    assert {reading.estate.vrfs[f"{pe}/adm"].zone for pe in ("pe1", "pe2")} == {""}
    assert [str(one) for one in reading.findings if one.subject == "topology"] == [
        (
            f"topology unknown: topology.yaml:{line}: no configuration has the port pe1:lan-admin: what lies in zone "
            "common-adm is not whole; correct it, or export the device"
        ),
        *(
            f"topology unknown: {reading_place(reading, f'vrfs[{pe}/adm]')}: the zone of VRF adm of {pe} is not told; "
            "name it in topology.yaml under zones, vrfs"
            for pe in ("pe1", "pe2")
        ),
    ]


def reading_place(reading: Reading, row: str) -> str:
    return next(str(fact.where) for fact in reading.facts if fact.row == row)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "address: 198.18.0.10/24",
            "address: 198.18.0.10",
            "exchange's gateway 198.18.0.1 is not in its network 198.18.0.10/32; correct one of the two",
        ),
        (
            "address: 198.18.0.10/24, gateway: 198.18.0.1",
            "address: 198.18.0.10/24, gateway: 198.18.16.1",
            "exchange's gateway 198.18.16.1 is not in its network 198.18.0.0/24; correct one of the two",
        ),
        (
            "zone: common-adm, address: 198.18.0.10/24",
            "zone: common-pub, address: 198.18.0.10/24",
            "exchange is in zone common-pub, its gateway's port pe1:lan-adm in zone common-adm; correct one of them",
        ),
    ],
)
def test_a_host_that_is_not_where_its_gateway_is_is_found(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = district_copy(tmp_path)
    path = folder / "topology.yaml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")
    line = text[: text.index(old)].count("\n") + 1
    found = [str(one) for one in reading_of(folder).findings if one.subject == "topology"]
    assert found == [f"topology fail: topology.yaml:{line}: {told}"]


def test_a_freeze_or_a_zone_of_nobody_is_found(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = folder / "policy.yaml"
    text = path.read_text("utf-8")
    for name in ("{name: 财政月结, organisation: cz", "kind: private, organisation: cz"):
        assert name in text
        text = text.replace(name, name.replace("cz", "cx"))
    path.write_text(text, "utf-8")
    assert [str(one) for one in reading_of(folder).findings if one.subject == "policy"] == [
        "policy unknown: policy.yaml zone private-cz: the organisation 'cx' is not known; add or correct it",
        (
            "policy unknown: policy.yaml freeze 财政月结: the organisation 'cx' is not known, whose changes it "
            "forbids; add or correct it"
        ),
    ]


def test_what_write_district_writes_is_what_the_repository_holds(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    for part in ("census.xlsx", "topology.yaml"):
        (folder / part).unlink()
    main(["workbook", "topology", "--folder", str(folder)])
    assert (folder / "topology.yaml").read_text("utf-8") == (FOLDER / "topology.yaml").read_text("utf-8")
    assert reading_of(folder).plain() == reading_of(FOLDER).plain()


def test_keys_are_made_for_a_copy_and_never_for_the_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = district_copy(tmp_path)
    before = reading_of(folder).policy.approvals.people
    main(["keys", "--folder", str(folder)])
    after = reading_of(folder).policy.approvals.people
    assert [person.name for person in before] == [person.name for person in after]
    assert not {person.public_key for person in before} & {person.public_key for person in after}
    assert {path.stat().st_mode & 0o777 for path in (folder / "keys").iterdir()} == {0o600}
    with pytest.raises(SystemExit):
        main(["keys"])
    assert "no keys are made in the repository's folder" in capsys.readouterr().err
    assert not is_blank(after[0].public_key)


def test_what_the_cloud_shows_is_observed_and_joins_the_estate() -> None:
    tenant = Tenant(name="cz", cloud="administrative-service-cloud", organisation="cz", zone="vpn-cz")
    reading = read(Project.open(FOLDER), Estate.of(tenant))
    assert reading.estate.tenants == {"cz": tenant}
    assert [(fact.standing, str(fact.where)) for fact in reading.facts if fact.row == "tenants[cz]"] == [
        ("observed", "cloud tenants[cz]")
    ]
    assert not [finding for finding in reading.findings if finding.subject == "cloud"]


def test_a_cloud_that_shows_another_value_than_claimed_is_found_with_both_places() -> None:
    claimed = district.now().clouds["public-service-cloud"]
    reading = read(Project.open(FOLDER), Estate.of(claimed.model_copy(update={"mlps_level": 2})))
    assert reading.estate.clouds["public-service-cloud"].mlps_level == 2
    found = [str(finding) for finding in reading.findings if finding.subject == "join"]
    assert len(found) == 1
    assert found[0].startswith("join fail: topology.yaml:")
    assert found[0].endswith(
        "clouds[public-service-cloud]: mlps_level is 3 as claimed here, 2 as observed "
        "(cloud clouds[public-service-cloud]); the observed value was taken; correct the other"
    )
