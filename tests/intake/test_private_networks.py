from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from tests.intake.books import F1, F3, F4, OFFICE, SITES, census_of, faults_of, findings_of


def test_a_count_of_sites_that_the_sheet_of_sites_contradicts_is_found(tmp_path: Path) -> None:
    networks = [["CZ-NET", "财政专网", OFFICE, "否", 3, "10.8.1.0/24"]]
    sites = [["CZ-NET", "cz-1", "cz1", "10.8.1.0/24", "否"]]
    titles = (*SITES, "需访问公用网络区")
    assert findings_of(tmp_path, F1=(F1, []), F3=(F3, networks), SITES=(titles, sites)) == [
        (
            "census fail: census.xlsx, sheet F3, cell E2: 3 sites claimed, the sheet of sites has 1; "
            "correct the number or complete the sheet of sites"
        )
    ]


def test_a_classified_private_network_is_a_stub(tmp_path: Path) -> None:
    titles = (*F3, "运营商", "整合去向")
    secret = ["JC-NET", "检察专网", OFFICE, "是", 1, "10.9.1.0/24", "澜海电信", "行政服务域"]
    sites = [["JC-NET", "jc-1", "cz1", "10.9.1.0/24"]]
    at = "census.xlsx, sheet F3, cell"
    assert faults_of(tmp_path, F1=(F1, []), F3=(titles, [secret]), SITES=(SITES, sites)) == [
        f"{at} E2: 节点数 of a classified private network is recorded; remove the details",
        f"{at} F2: 网段 of a classified private network is recorded; remove the details",
        f"{at} G2: 运营商 of a classified private network is recorded; remove the details",
        f"{at} H2: a classified private network goes elsewhere than to the internal network; write 内网, or nothing",
        "census.xlsx, sheet F3 节点, cell A2: a site of a classified private network is recorded; remove the row",
    ]
    for target in ("内网", None):
        stub = [*secret[:4], None, None, None, target]
        census = census_of(tmp_path, F1=(F1, []), F3=(titles, [stub]), SITES=(SITES, []))
        network, _ = census.networks["JC-NET"]
        assert (network.classified, network.prefixes, network.target) == (True, (), "internal_stub")


def test_a_yes_or_no_that_nobody_gave_is_told_before_it_counts_as_no(tmp_path: Path) -> None:
    titles = (*SITES, "需访问公用网络区", "地址不可变更")
    networks = [["CZ-NET", "财政专网", OFFICE, "否", 3, "10.8.1.0/24"]]
    answers = [("是", "否"), ("否", None), ("是", "不详"), (None, "是")]
    sites = [["CZ-NET", f"cz-{n}", "cz1", f"10.8.{n}.0/24", *answer] for n, answer in enumerate(answers, 1)]
    egresses = [["E-1", OFFICE, "县", "203.0.113.64", "mz1", "inet0", "mz-inet", 6]]
    networks[0][4] = len(sites)
    sheets: dict[str, Any] = {"F1": (F1, []), "F3": (F3, networks), "SITES": (titles, sites), "F4": (F4, egresses)}
    assert findings_of(tmp_path, **sheets) == [
        (
            "census unknown: census.xlsx, sheet F3 节点, cell F4: whether addresses of site cz-3 may change is "
            "unknown: they count as free to; write 是 or 否"
        ),
        (
            "census unknown: census.xlsx, sheet F3 节点, cell E5: whether site cz-4 needs the common zone is unknown: "
            "it counts as no; write 是 or 否"
        ),
        (
            "census unknown: census.xlsx, sheet F4, cell A2: whether E-1 is the shared platform is unknown: "
            "it counts as a department's own exit; write 是 or 否"
        ),
    ]


def test_an_undecided_classification_is_unknown_never_no(tmp_path: Path) -> None:
    networks = [["CZ-NET", "财政专网", OFFICE, "待定", None, "10.8.1.0/24"]]
    census = census_of(tmp_path, F1=(F1, []), F3=(F3, networks))
    assert census.networks["CZ-NET"][0].classified is None
    assert [one.result for one in census.findings if one.where and one.where.cell == "D2"] == ["unknown"]


def test_logs_kept_too_short_are_found(tmp_path: Path) -> None:
    egresses = [["E-1", OFFICE, "县", "203.0.113.64-79", "mz1", "inet0", "mz-inet", "3个月", "否"]]
    assert findings_of(tmp_path, F1=(F1, []), F4=((*F4, "是否共享平台"), egresses)) == [
        "census fail: census.xlsx, sheet F4, cell H2: logs are kept 3 months, the law asks for 6; extend the retention"
    ]
    assert census_of(tmp_path).egresses["E-1"][0].public_prefixes == (IPv4Network("203.0.113.64/28"),)
