import re
from datetime import time
from pathlib import Path

import pytest

from orchestrator.intake.documents import parse_document
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.policy import read_policy
from orchestrator.rules.registry import rules_in_force
from tests.intake.books import district_copy, reading_of


def edited(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    path = folder / name
    text = path.read_text("utf-8")
    for old, new in changes:
        assert text.count(old) >= 1, f"{old!r} is not in {name}: the test would change nothing"
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")
    return path


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(FaultyInputError) as caught:
        reading_of(folder)
    return [re.sub(r"(\.yaml):\d+", r"\1:N", line) for line in str(caught.value).splitlines()]


def test_faults_of_a_policy_name_their_line(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = edited(
        folder,
        "policy.yaml",
        ("t_zero: 2017-12-01", "t_zero: 2017-13-01"),
        ("kind: common, service", "kind: shared, service"),
        ("observation_days: 7", "observation_day: 7"),
    )
    with pytest.raises(FaultyInputError) as caught:
        read_policy(path)
    assert str(caught.value).splitlines() == [
        (
            "policy.yaml:3: 't_zero' is '2017-13-01': input should be a valid date or datetime, month value is outside "
            "expected range of 1-12; correct the value"
        ),
        (
            "policy.yaml:11: 'kind' is 'shared': input should be 'common', 'vpn', 'private', 'internet', "
            "'internet_access', 'management' or 'interconnect'; correct the value"
        ),
        "policy.yaml:6: 'observation_day' is not known here; remove it or correct its spelling",
    ]


def test_a_policy_that_contradicts_itself_is_refused_whole(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(
        folder,
        "policy.yaml",
        ("code: F-002", "code: F-001"),
        ('"zone:internet"', '"zone:outernet"'),
        ('"host:cz-user2"', '"cz-user2"'),
        ("name: audit-admin-1, role: audit_admin", "name: system-admin-1, role: audit_admin"),
        ("weekdays: [5]", "weekdays: [7]"),
        (", last_day_of_month: 5", ""),
        ("prefix: 198.18.32.0/20", "prefix: 10.0.0.0/20"),
    )
    assert faults_of(folder) == [
        "policy.yaml:N: flows has 'F-001' twice; rename one",
        (
            "policy.yaml:N: F-003 has source 'cz-user2'; write it as KIND:NAME with KIND one of host, organisation, "
            "service, system, workload, zone"
        ),
        "policy.yaml:N: F-004 names the unknown zone 'outernet'; add it under zones or correct its name",
        "policy.yaml:N: 'system-admin-1' is both system_admin and audit_admin; give one of the roles to another person",
        "policy.yaml:N: window 'weekend' has weekday 7; use 0 (Monday) to 6 (Sunday)",
        (
            "policy.yaml:N: freeze '财政月结' has no clear beginning and end; give first and last, or "
            "first_day_of_month and last_day_of_month"
        ),
        "policy.yaml:N: pool 'sites' (10.0.0.0/20) is not in 198.18.0.0/15; choose a block inside the extranet pool",
    ]


def test_a_misspelt_rule_domain_or_calendar_is_a_fault_not_a_rule_out_of_force(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    path = edited(
        folder,
        "policy.yaml",
        ("observation_days: 7", "rules: [R3, r4]\nobservation_days: 7"),
        ("rule: R17", "rule: r17"),
        ("first: 2018-02-13, last: 2018-02-19", "first: 2018-02-19, last: 2018-02-13"),
    )
    shown = faults_of(folder)
    assert (
        shown[0]
        == "policy.yaml:N: freeze '春节' ends before it begins (2018-02-19 to 2018-02-13); exchange first and last"
    )
    assert shown[1].startswith("policy.yaml:N: there is no rule 'r4'; choose from R1, R2, R3, R4, ")
    assert shown[2:] == ["policy.yaml:N: X-2017-011 excuses from 'r17'; write the rule as R17"]
    edited(folder, "policy.yaml", ("[administrative_service_domain]", "[adminstrative_service_domain]"))
    edited(folder, "policy.yaml", ("observation_days: 7", "observation_days: -7"))
    edited(folder, "policy.yaml", ("first_day_of_month: 25", "first_day_of_month: 0"))
    assert [fault.partition(":N: ")[2][:40] for fault in faults_of(folder)] == [
        "'first_day_of_month' is 0: input should ",
        "'0' is 'adminstrative_service_domain': i",
        "'observation_days' is -7: input should b",
    ]
    assert path.exists()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('start: "22:00"', "start: 2200", "'start' is 2200: a time is written as 22:00"),
        ('start: "22:00"', "start: 22", "'start' is 22: a time is written as 22:00"),
        ('start: "22:00"', 'start: "79200"', "'start' is '79200': a time is written as 22:00"),
        ('start: "22:00"', 'start: "22:00Z"', "'start' is '22:00Z': windows are of local time, without a zone"),
        (
            'start: "22:00"',
            'start: "22:00+08:00"',
            "'start' is '22:00+08:00': windows are of local time, without a zone",
        ),
        ("t_zero: 2017-12-01", "t_zero: 0", "'t_zero' is 0: a day is written as 2017-12-01"),
        ("t_zero: 2017-12-01", "t_zero: 20171201", "'t_zero' is 20171201: a day is written as 2017-12-01"),
        ("expires: 2018-06-30", "expires: 1530316800", "'expires' is 1530316800: a day is written as 2017-12-01"),
        ("first: 2018-01-22", 'first: "1516579200"', "'first' is '1516579200': a day is written as 2017-12-01"),
    ],
)
def test_a_number_is_no_time_and_no_day(tmp_path: Path, old: str, new: str, fault: str) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", (old, new))
    assert faults_of(folder) == [f"policy.yaml:N: {fault}; correct the value"]


def test_a_window_is_what_is_written_quoted_or_not(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", ('start: "22:00", end: "05:00"', "start: 22:00, end: 05:00:30"))
    window = read_policy(folder / "policy.yaml").windows[0]
    assert (window.start, window.end) == (time(22, 0), time(5, 0, 30))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "vlan_first: 2000",
            "vlan_first: 3000",
            "VLANs from 3000 to 2999 are none; exchange vlan_first and vlan_last",
        ),
        (
            "vlan_last: 2999",
            "vlan_last: 4999",
            "'vlan_last' is 4999: input should be less than or equal to 4094; correct the value",
        ),
        (
            "autonomous_system: 65000",
            "autonomous_system: -1",
            "'autonomous_system' is -1: input should be greater than or equal to 1; correct the value",
        ),
        (
            "vni_first: 10100",
            "vni_first: 99999999",
            "'vni_first' is 99999999: input should be less than or equal to 16777215; correct the value",
        ),
        (
            "route_target_base: 100",
            "route_target_base: -5",
            "'route_target_base' is -5: input should be greater than or equal to 0; correct the value",
        ),
        (
            "overlay_pool: 169.254.64.0/20",
            "overlay_pool: 169.254.64.0/31",
            "overlay_pool 169.254.64.0/31 has no room for a link; write a prefix of 30 or less",
        ),
        (
            "- {name: tenants, prefix: 198.18.136.0/21",
            "- {name: sites, prefix: 198.18.136.0/21",
            "numbering has two pools 'sites'; make them one, or name the other one",
        ),
        (
            "trial_days: 30",
            "trial_days: 99999999999",
            "'trial_days' is 99999999999: input should be less than or equal to 3650; correct the value",
        ),
        (
            "task: mail_unified, months: 3",
            "task: mail_unified, months: -99999",
            "'months' is -99999: input should be greater than or equal to 0; correct the value",
        ),
        (
            'destination: "host:citizen", port: 443',
            'destination: "host:citizen", protocol: any',
            "F-005 has no protocol of its own; write tcp, udp or icmp, one flow for each",
        ),
        (
            'destination: "host:citizen", port: 443',
            'destination: "host:citizen", protocol: icmp, port: 443',
            "F-005 has a port, which icmp has not; remove it, or write tcp or udp",
        ),
    ],
)
def test_numbers_and_flows_that_no_box_can_carry_are_faults_before_any_design(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", (old, new))
    assert faults_of(folder) == [f"policy.yaml:N: {fault}"]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a-1.b_2.example", True),
        ("budget", True),
        ('"{{ 1 }}.example"', False),  # Ansible would carry it out
        ('"a b.example"', False),
        ('"a.example\\n192.0.2.1 other"', False),
        ("预算.example", False),
        ("-a.example", False),
        ("a..example", False),
    ],
)
def test_a_service_name_is_one_that_dns_takes(tmp_path: Path, name: str, good: bool) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "topology.yaml", ("fqdn: stats.cz.wangchao.example", f"fqdn: {name}"))
    if good:
        assert f"{name}/any" in reading_of(folder).estate.service_names
    else:
        (fault,) = faults_of(folder)
        assert "topology.yaml:N: 'fqdn' is " in fault
        assert "no name that DNS takes" in fault


def test_rules_that_the_policy_names_are_in_force_and_no_others(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", ("observation_days: 7", "rules: [R3, R4]\nobservation_days: 7"))
    assert [rule.name for rule in rules_in_force(read_policy(folder / "policy.yaml"))] == ["R3", "R4"]


def test_a_role_that_nobody_holds_and_a_shared_key_are_refused(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    people = read_policy(folder / "policy.yaml").approvals.people
    edited(
        folder,
        "policy.yaml",
        (people[1].public_key, people[2].public_key),
        ("role: audit_admin", "role: planner"),
    )
    assert faults_of(folder) == [
        "policy.yaml:N: 'security-admin-1' has the key of 'system-admin-1'; let each person make a key of their own",
        "policy.yaml:N: nobody holds the required role audit_admin; add a person with that role under approvals.people",
    ]


@pytest.mark.parametrize("text", ["AAAA", "no key", "A" * 43, "A" * 42 + "B=", "A" * 44])
def test_what_is_no_key_is_refused_before_anybody_signs(tmp_path: Path, text: str) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", (read_policy(folder / "policy.yaml").approvals.people[1].public_key, text))
    assert faults_of(folder) == [
        "policy.yaml:N: 'system-admin-1' has no Ed25519 public key here; copy what 'onefold keys' has said, whole"
    ]


def test_faults_of_the_topology_and_the_policy_come_together(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", ("t_zero: 2017-12-01", "t_zero: soon"))
    edited(
        folder,
        "topology.yaml",
        ('b: "sw-dc:p1"', 'b: "sw-cd:p1"'),
        ('a: "sw-dc:p3"', 'a: "sw-dc:p2"'),
        ("name: cz-db, organisation: cz", "name: cz-web, organisation: cy"),
        ('ports: ["pe1:lan-adm"', 'ports: ["pe9:lan-adm"'),
    )
    assert faults_of(folder) == [
        (
            "policy.yaml:N: 't_zero' is 'soon': input should be a valid date or datetime, input is too short; "
            "correct the value"
        ),
        "topology.yaml:N: hosts has 'cz-web' twice; rename or remove one",
        "topology.yaml:N: the node 'sw-cd' is not known; add it or correct b_node",
        "topology.yaml:N: the node 'cz-db' is not known; add it or correct b_node",
        "topology.yaml:N: the organisation 'cy' is not known; add it or correct organisation",
        "topology.yaml:N: the port sw-dc:p2 has two cables; give one of them another port",
        "topology.yaml:N: the device of 'pe9:lan-adm' is not known; add it under devices or correct it",
    ]


def test_a_port_in_two_zones_is_a_fault_in_either_order(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = district_copy(tmp_path / "a")
    edited(first, "topology.yaml", ('ports: ["pe1:lan-pub"]', 'ports: ["pe1:lan-pub", "pe1:lan-adm"]'))
    assert faults_of(first) == [
        "topology.yaml:N: the port 'pe1:lan-adm' is in zone common-adm and in zone common-pub; leave it in one of them"
    ]
    second = district_copy(tmp_path)
    edited(second, "topology.yaml", ('ports: ["pe1:lan-adm"', 'ports: ["pe1:lan-pub", "pe1:lan-adm"'))
    assert faults_of(second) == [
        "topology.yaml:N: the port 'pe1:lan-pub' is in zone common-adm and in zone common-pub; leave it in one of them"
    ]


@pytest.mark.parametrize("port", ["pe1", "pe1:", "pe1:lan pub"])
def test_a_segment_names_a_device_and_its_port(tmp_path: Path, port: str) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "topology.yaml", ('ports: ["pe1:lan-pub"]', f'ports: ["{port}"]'))
    assert faults_of(folder) == [f"topology.yaml:N: {port!r} is no port of a device; write it as device:port"]


def test_a_port_told_twice_for_one_zone_is_in_that_zone(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "topology.yaml", ('ports: ["pe1:lan-pub"]', 'ports: ["pe1:lan-pub", "pe1:lan-pub"]'))
    assert {one.zone for one in reading_of(folder).estate.interfaces.values() if one.name == "lan-pub"} == {
        "common-pub"
    }


def test_a_key_given_twice_is_a_fault_not_a_silent_choice() -> None:
    with pytest.raises(FaultyInputError) as caught:
        parse_document("name: a\nsize: 1\nname: b\n", "f.yaml", "project")
    assert str(caught.value) == "f.yaml:3: the key 'name' is given twice; remove one of the two"


def test_an_alias_is_refused_before_it_can_grow() -> None:
    with pytest.raises(FaultyInputError) as caught:
        parse_document("a: &a [1, 2]\nb: [*a, *a]\n", "f.yaml", "project")
    assert set(str(caught.value).splitlines()) == {"f.yaml:1: an alias (*) repeats a value; write the value itself"}


@pytest.mark.parametrize("opened", ["[" * 3000, "[" * 100_000, "- " * 3000], ids=["deep", "endless", "in_a_row"])
def test_a_file_nested_without_end_is_refused(opened: str) -> None:
    with pytest.raises(FaultyInputError) as caught:
        parse_document("first: 1\nrest:\n  " + opened + "]" * opened.count("["), "f.yaml", "project")
    assert str(caught.value) == "f.yaml:3: values are nested too deeply; write it flatter"
    assert parse_document("[" * 50 + "]" * 50, "f.yaml", "project").data != []


def test_a_name_that_is_no_word_is_refused() -> None:
    with pytest.raises(FaultyInputError) as caught:
        parse_document("a: 1\n? [b, c]\n: 2\n", "f.yaml", "project")
    assert str(caught.value) == ("f.yaml:2: a name is a list or a group of settings; write one word before the colon")


def test_a_number_of_thousands_of_digits_is_a_bad_value_like_others(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "policy.yaml", ("observation_days: 7", f"observation_days: {'7' * 5000}"))
    (fault,) = faults_of(folder)
    assert fault.startswith("policy.yaml:N: 'observation_days' is '777")
    assert len(fault) < 300


def test_a_path_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    folder = district_copy(tmp_path)
    edited(folder, "onefold.yaml", ("census: census.xlsx", 'census: "a\\0b"'))
    assert faults_of(folder) == [
        "onefold.yaml:N: 'census' leads out of the project folder; use a path below the folder"
    ]


@pytest.mark.parametrize("name", ["policy.yaml", "topology.yaml", "onefold.yaml"])
@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\n"])
def test_a_file_of_another_shape_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    folder = district_copy(tmp_path)
    (folder / name).write_text(text, "utf-8")
    lines = faults_of(folder)
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}:N: ")


def test_what_is_no_yaml_says_where() -> None:
    with pytest.raises(FaultyInputError) as caught:
        parse_document("a: [1, 2\nb: 3\n", "f.yaml", "project")
    assert str(caught.value).startswith("f.yaml:2: not YAML: ")


def test_values_that_yaml_1_1_would_twist_stay_as_typed() -> None:
    typed = "start: 22:00\nday: 2017-12-01\nanswer: no\nstate: on\nport: 0443\nflag: true\nnone: ~\n"
    typed += "quoted: '5'\nrate: 0.5\n"
    assert parse_document(typed, "f.yaml", "project").data == {
        "start": "22:00",
        "day": "2017-12-01",
        "answer": "no",
        "state": "on",
        "port": 443,
        "flag": True,
        "none": None,
        "quoted": "5",
        "rate": 0.5,
    }
