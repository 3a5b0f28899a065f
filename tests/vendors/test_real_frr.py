"""The texts on a real FRR: it accepts them, shows them back as the same nouns, and finds nothing to change."""

import subprocess
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from network_models import district
from network_models.write_district import FOLDER
from orchestrator.model.estate import Estate
from orchestrator.model.network import Interface, Overlay, Route, Vrf
from orchestrator.vendors import frr

pytestmark = pytest.mark.lab
SCRIPT = Path(__file__).with_name("real_router.sh")
NOW = district.now()
ROUTERS = sorted(name for name, device in NOW.devices.items() if "frr" in device.platforms)


def run(
    folder: Path, estate: Estate, device: str, following: Estate | None = None, texts: dict[str, str] | None = None
) -> None:
    """Raise the router of `estate` (or of `texts`) with the ports and namespaces of `following`, when given."""
    texts = texts or frr.render(estate, device)
    largest = following or estate
    (folder / "name").write_text(device)
    (folder / "ports").write_text(" ".join({row.name for row in largest.interfaces.values() if row.device == device}))
    (folder / "frr.conf").write_text(texts["frr.conf"])
    (folder / "links.batch").write_text(frr.render(largest, device)["links.batch"])
    if following:
        (folder / "next.conf").write_text(frr.render(following, device)["frr.conf"])
    subprocess.run([str(SCRIPT), str(folder)], check=True, timeout=90, capture_output=True, text=True)


def shown(folder: Path, name: str, estate: Estate, device: str) -> frr.Parsed:
    """The nouns of a running configuration, with the links that stand for `estate`."""
    links = frr.render(estate, device)["links.batch"]
    return frr.parse(device, {"frr.conf": (folder / name).read_text(), "links.batch": links})


def with_more() -> Estate:
    """PE1 with one VRF more, of unequal targets, a second address on a port, a blackhole and a distance."""
    overlay = Overlay.model_validate(
        {
            "vni": 10003,
            "local": "198.19.254.0",
            "remote": "198.19.254.1",
            "address": "169.254.64.9/30",
            "peer": "169.254.64.10",
        }
    )
    cz = Vrf(device="pe1", name="cz", zone="", route_distinguisher="65000:3", overlay=overlay,
             import_targets=("65000:1", "65000:3"), export_targets=("65000:3",))  # fmt: skip
    rows = [
        {"name": "fw-cz", "vrf": "cz", "address": "198.19.255.9/30", "description": 'leg to "fw1", 财政'},
        {"name": "fw-cz", "vrf": "cz", "address": "198.19.255.13/30", "description": 'leg to "fw1", 财政'},
        {"name": "spare9", "vrf": "default", "address": "198.19.255.17/30"},
    ]
    routes = [
        {"vrf": "cz", "prefix": "198.18.32.0/24", "next_hop": "198.19.255.10", "distance": 250},
        {"vrf": "cz", "prefix": "198.18.0.0/15", "next_hop": None},
        {"vrf": "default", "prefix": "0.0.0.0/0", "next_hop": "198.19.255.18"},
    ]
    return NOW.with_nouns(
        cz,
        *(Interface.model_validate({"device": "pe1", **row}) for row in rows),
        *(Route.model_validate({"device": "pe1", **row}) for row in routes),
    )


@pytest.mark.parametrize("device", ROUTERS)
def test_frr_shows_back_what_was_written_and_has_nothing_to_change(device: str, tmp_path: Path) -> None:
    run(tmp_path, NOW, device)
    wanted = frr.parse(device, frr.render(NOW, device))
    read = shown(tmp_path, "running", NOW, device)
    assert (read.unparsed, set(read.nouns())) == ((), set(wanted.nouns()))
    assert (tmp_path / "difference").read_text().strip() == ""
    written = (tmp_path / "frr.conf").read_text()
    assert (tmp_path / "running").read_text().partition("Current configuration:\n!\n")[2] == written


def test_frr_reload_goes_to_a_configuration_with_one_vrf_more_and_back(tmp_path: Path) -> None:
    more = with_more()
    run(tmp_path, NOW, "pe1", more)
    assert "rt vpn import 65000:1 65000:3" in (tmp_path / "difference-next").read_text()
    there, wanted = shown(tmp_path, "running-next", more, "pe1"), frr.parse("pe1", frr.render(more, "pe1"))
    assert (there.unparsed, set(there.nouns())) == ((), set(wanted.nouns()))
    back, first = shown(tmp_path, "running-back", NOW, "pe1"), frr.parse("pe1", frr.render(NOW, "pe1"))
    assert (back.unparsed, set(back.nouns())) == ((), set(first.nouns()))


def test_a_change_by_hand_is_seen(tmp_path: Path) -> None:
    hand = IPv4Interface("198.19.254.4/31")
    run(tmp_path, NOW.with_nouns(Interface(device="pe1", name="core0", address=hand)), "pe1")
    read = shown(tmp_path, "running", NOW, "pe1")
    assert hand in {noun.address for noun in read.nouns() if isinstance(noun, Interface)}


def test_frr_keeps_the_own_lines_of_the_exported_text(tmp_path: Path) -> None:
    exported = {path.name: path.read_text() for path in (FOLDER / "configs" / "pe1").iterdir()}
    run(tmp_path, NOW, "pe1", texts=exported)
    running = (tmp_path / "running").read_text()
    own = {"log syslog informational", "log timestamp precision 3"}
    assert own <= set(running.splitlines())
    assert (tmp_path / "difference").read_text().strip() == ""
    assert shown(tmp_path, "running", NOW, "pe1").unparsed == ()
    carried = frr.carry({"frr.conf": running}, frr.render(NOW, "pe1"))
    assert own <= set(carried["frr.conf"].splitlines())
