"""Golden cases: rows before and after, and exactly the text that this changes; texts, and exactly what is read.

A case stands beside its vendor in `cases/*.yaml`. `python -m tests.vendors.test_cases` fills in what is expected,
to be read before it is committed.
"""

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import vendors as folder
from orchestrator.model.base import Noun
from orchestrator.model.estate import NOUN_OF, TABLE_OF, Estate
from orchestrator.model.network import Device
from orchestrator.vendors.huawei_vrp.diff import difference
from orchestrator.vendors.parsed import redact
from orchestrator.vendors.registry import parse_device, render_device, vendors

CASES = sorted(path for place in folder.__path__ for path in Path(place).glob("*/cases/*.yaml"))


def estate(device: Device, tables: dict[str, list[dict[str, Any]]]) -> Estate:
    rows = [NOUN_OF[table].model_validate({"device": device.name, **row}) for table in tables for row in tables[table]]
    return Estate.of(device, *rows)


def changes(device: Device, case: dict[str, Any]) -> dict[str, list[str]]:
    """File -> lines gone (-) and new (+), in the order of the text."""
    before, after = (render_device(estate(device, case[moment]), device.name) for moment in ("before", "after"))
    found = {}
    for file, text in after.items():
        lines = difflib.unified_diff(before[file].splitlines(), text.splitlines(), n=0, lineterm="")
        found[file] = [line for line in list(lines)[2:] if not line.startswith("@@")]
        if file == "vrp.cfg":
            found["commands"] = list(difference(before[file], text))
    return {file: lines for file, lines in found.items() if lines}


def reading(device: Device, case: dict[str, Any]) -> dict[str, list[str]]:
    """What a device's texts mean: `row` lines by key, and what is not understood."""
    parsed = parse_device(device.name, device.platforms, case["texts"])
    return {
        "rows": [f"{row.file}:{row.line}: {TABLE_OF[type(row.noun)]}[{_key(row.noun)}]" for row in parsed.rows],
        "unparsed": [str(one) for one in parsed.unparsed],
    }


def _key(noun: Noun) -> str:
    return noun.key  # type: ignore[attr-defined,no-any-return]  # every noun of a device has a key


def outcome(case: dict[str, Any]) -> dict[str, list[str]]:
    device = Device.model_validate(case["device"])
    return reading(device, case) if "texts" in case else changes(device, case)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_case(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    assert outcome(case) == case["expect"]


def test_every_vendor_has_cases_of_writing_and_of_reading() -> None:
    kinds = {(path.parts[-3], "texts" in yaml.safe_load(path.read_text())) for path in CASES}
    assert kinds == {(vendor, kind) for vendor in vendors() for kind in (True, False)}


def fill() -> None:
    """Write what comes out now as what is expected."""
    for path in CASES:
        given = path.read_text().partition("expect:")[0]
        expect = yaml.safe_dump(
            {"expect": outcome(yaml.safe_load(given))}, sort_keys=False, width=1000, allow_unicode=True
        )
        path.write_text(given + expect)


if __name__ == "__main__":
    fill()


@pytest.mark.parametrize(
    "line",
    [
        "authentication-mode hmac-sha256 1 cipher HIDDEN",
        "vrrp vrid 1 authentication-mode simple HIDDEN",
        "snmp-agent community read cipher HIDDEN",
        "ip ospf message-digest-key 1 md5 HIDDEN",
        "ike preshared HIDDEN",
        "bfd auth sha1 HIDDEN",
        "passphrase HIDDEN",
        "password=HIDDEN",
        "username admin secret 5 HIDDEN",
    ],
)
def test_a_secret_in_a_line_nobody_understands_is_not_repeated(line: str) -> None:
    assert "HIDDEN" not in redact(line)
    assert redact(line).endswith(" ******")


@pytest.mark.parametrize("line", ["ip policy route-map SECRET", "rule 5 permit ip", "ip route 10.0.0.0/8 10.1.1.1"])
def test_a_line_without_a_secret_is_told_whole(line: str) -> None:
    assert redact(line) == line
