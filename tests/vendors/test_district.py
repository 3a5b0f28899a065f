"""The district's exported texts: they mean exactly the district, and their own lines survive a push."""

from pathlib import Path

import pytest

from network_models import district, write_district
from orchestrator.model.base import Noun
from orchestrator.model.network import Nat, Route, Vrf
from orchestrator.vendors.huawei_vrp.diff import difference
from orchestrator.vendors.parsed import Parsed, RenderError
from orchestrator.vendors.registry import ROWS_OF_A_DEVICE, carry_device, parse_device, render_device

NOW = district.now()
MANAGED = sorted(name for name in NOW.devices if render_device(NOW, name))


def exported(device: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (write_district.FOLDER / "configs" / device).iterdir()}


def read(device: str, texts: dict[str, str]) -> Parsed:
    return parse_device(device, NOW.devices[device].platforms, texts)


def rows(device: str) -> set[Noun]:
    """The rows of a device without what configuration cannot say."""
    found = [row for table in ROWS_OF_A_DEVICE for row in getattr(NOW, table).values() if row.device == device]
    return {row.model_copy(update={"zone": ""}) if hasattr(row, "zone") else row for row in found}


def test_the_exported_texts_are_those_of_the_district(tmp_path: Path) -> None:
    written = write_district.configs(tmp_path)
    assert {path.relative_to(tmp_path) for path in written} == {
        path.relative_to(write_district.FOLDER)
        for path in (write_district.FOLDER / "configs").rglob("*")
        if path.is_file()
    }
    for path in written:
        assert path.read_text() == (write_district.FOLDER / path.relative_to(tmp_path)).read_text()


@pytest.mark.parametrize("device", MANAGED)
def test_a_device_reads_as_its_rows_and_nothing_is_left_over(device: str) -> None:
    parsed = read(device, exported(device))
    assert (parsed.unparsed, set(parsed.nouns())) == ((), rows(device))


@pytest.mark.parametrize("device", MANAGED)
def test_the_boxes_own_lines_are_kept_in_what_is_pushed(device: str) -> None:
    present, wanted = exported(device), render_device(NOW, device)
    carried = carry_device(NOW.devices[device].platforms, present, wanted)
    assert carried != wanted
    assert carry_device(NOW.devices[device].platforms, carried, carried) == carried
    assert set(read(device, carried).nouns()) == rows(device)
    for file, text in present.items():
        lost = {line.strip() for line in text.splitlines()} - {line.strip() for line in carried[file].splitlines()}
        assert {line for line in lost if not line.startswith("!")} == set()


def test_a_push_on_the_switch_leaves_its_remote_access_alone() -> None:
    present, wanted = exported("msw1"), render_device(NOW, "msw1")
    assert "undo stelnet server enable" in difference(present["vrp.cfg"], wanted["vrp.cfg"])
    carried = carry_device(["huawei_vrp"], present, wanted)
    assert difference(present["vrp.cfg"], carried["vrp.cfg"]) == ()


def test_a_row_that_no_platform_can_hold_is_refused() -> None:
    nat = {"device": "cz1", "name": "out", "kind": "source", "interface": "up0", "inside": "10.8.1.0/24"}
    strange = NOW.with_nouns(Nat.model_validate({**nat, "outside": "203.0.113.9/32"}))
    with pytest.raises(RenderError) as refused:
        render_device(strange, "cz1")
    assert str(refused.value) == (
        "nats[cz1/out] cannot be written: no platform of cz1 has nats; "
        "give the device such a platform or take the row away"
    )


def test_two_vrfs_on_one_vxlan_are_refused() -> None:
    overlay = NOW.vrfs["pe1/adm"].overlay
    strange = NOW.with_nouns(Vrf(device="pe1", name="cz", zone="", overlay=overlay))
    with pytest.raises(RenderError) as refused:
        render_device(strange, "pe1")
    assert str(refused.value) == (
        "vrfs[pe1/cz]: VNI 10001 already carries vrfs[pe1/adm]: one VXLAN carries one VRF; give it a VNI of its own"
    )


def test_a_null_route_beside_a_gateway_of_the_same_distance_is_refused() -> None:
    there = NOW.routes["cz2/default/10.8.1.0/24/10.8.254.1"]
    null = Route(device="cz2", prefix=there.prefix, next_hop=None, distance=there.distance)
    with pytest.raises(RenderError) as refused:
        render_device(NOW.with_nouns(null), "cz2")
    assert str(refused.value) == (
        "routes[cz2/default/10.8.1.0/24/10.8.254.1]: routes[cz2/default/10.8.1.0/24/blackhole] drops the same packets "
        "at the same distance: FRR takes no such pair; give the one that should step back a larger distance"
    )
    behind = NOW.with_nouns(null.model_copy(update={"distance": 250}))
    assert "ip route 10.8.1.0/24 blackhole 250\n" in render_device(behind, "cz2")["frr.conf"]
