"""What routers say of their namespaces, also of those that nobody of us has made."""

import json
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from network_models.district import now
from orchestrator.apply import device
from orchestrator.apply.device import links_text, read_texts
from orchestrator.errors import DeviceError
from orchestrator.vendors.registry import parse_device

NOW = now()
VXLAN = {"id": 5, "local": "192.0.2.1", "remote": "192.0.2.2", "port": 4789}


def shown(data: dict[str, Any]) -> str:
    port = {"ifname": "vx-cz", "flags": ["UP"], "mtu": 1500, "linkinfo": {"info_kind": "vxlan", "info_data": data}}
    return f"cz\n{json.dumps([port])}\n\n"


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ((), "local 192.0.2.1 remote 192.0.2.2 dstport 4789"),
        (("remote",), "local 192.0.2.1 remote any dstport 4789"),
        (("local", "remote"), "local any remote any dstport 4789"),
    ],
)
def test_an_overlay_without_fixed_ends_is_read_and_not_taken_for_one_of_ours(
    left_out: tuple[str, ...], told: str
) -> None:
    """So BGP EVPN has them. It ended drift in a traceback."""
    text = links_text(shown({key: value for key, value in VXLAN.items() if key not in left_out}))
    assert f"link add vx-cz mtu 1500 type vxlan id 5 {told}" in text.split("\n")
    lines = [line.text for line in parse_device("pe1", ("frr",), {"links.batch": text, "frr.conf": ""}).unparsed]
    assert any("any" in line for line in lines) is bool(left_out)


def test_a_namespace_that_does_not_answer_is_there_without_ports(tmp_path: Path) -> None:
    """A file under /run/netns whose namespace is gone. Its neighbours are read all the same."""
    for name in ("cz", "old"):
        (tmp_path / name).touch()
    ip = tmp_path / "bin" / "ip"
    ip.parent.mkdir()
    ip.write_text(f"#!/bin/sh\n[ $2 = old ] && exit 1\necho '{shown(VXLAN).splitlines()[1]}'\n")
    ip.chmod(0o755)
    (ip.parent / "flock").symlink_to("/bin/true")
    command = device._READ_LINKS.replace("/run/netns", f"{tmp_path} --ignore=bin")
    said = subprocess.run(["sh", "-c", command], env={"PATH": f"{ip.parent}:/usr/bin:/bin"}, capture_output=True)
    lines = links_text(said.stdout.decode()).split("\n")
    assert [line for line in lines if line.startswith("netns add")] == ["netns add cz", "netns add old"]
    assert any(line.startswith("link add vx-cz") for line in lines)


def test_an_answer_that_is_none_is_told_with_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Remote:
        def ask(self, *_: object) -> str:
            return "cz\nCommand not found\n\n"

    with pytest.raises(DeviceError) as caught:
        read_texts(NOW, "pe1", cast(Any, Remote()), cast(Any, None))
    assert str(caught.value) == "pe1 does not say which ports its namespaces have: is iproute2 there, with -json?"
