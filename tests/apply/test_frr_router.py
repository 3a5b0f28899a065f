"""The module that reloads a router: what it tries once more, and what it does not."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """As Ansible loads it: its own parts stand under ansible.module_utils there."""
    for name in ("placing", "netns_vrf", "frr_lines"):
        part = importlib.import_module(f"playbooks.module_utils.{name}")
        monkeypatch.setitem(sys.modules, f"ansible.module_utils.{name}", part)
    return importlib.import_module("playbooks.library.frr_router")


@pytest.mark.parametrize(
    ("said", "works", "runs"),
    [
        (["% Refusing to remove a non-existent route", ""], True, 2),
        (["% Refusing to remove a non-existent route"] * 2, False, 2),
        (["line 7: unknown command"], False, 1),
        ([""], True, 1),
    ],
)
def test_a_reload_is_tried_once_more_only_where_routes_went_by_themselves(
    said: list[str], works: bool, runs: int, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def run(how: str, path: Path, lock: int) -> subprocess.CompletedProcess[str]:
        done.append(said[len(done)])
        return subprocess.CompletedProcess([how, str(path), str(lock)], int(bool(done[-1])), "told", done[-1])

    monkeypatch.setattr(module, "_run", run)
    if works:
        assert module._reload("reload", "--reload", Path("frr.conf"), 3) == "told"
    else:
        with pytest.raises(module.Refused):
            module._reload("reload", "--reload", Path("frr.conf"), 3)
    assert len(done) == runs


class Vtysh:
    """A router that keeps the lines it is given, and says which routes are usable."""

    def __init__(self, usable: str = "", says: str = "") -> None:
        self.typed: list[str] = []
        self.calls = 0
        self.usable, self.says = usable, says

    def run(self, words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if words[1] == "-f":
            self.calls += 1
            self.typed += Path(words[2]).read_text().split("\n")[:-1]
            return subprocess.CompletedProcess(words, 0, "", self.says)
        hops = [{"ip": hop, "active": hop == self.usable} for hop in ("192.0.2.1", "192.0.2.5")]
        told = {"198.51.100.0/24": [{"protocol": "static", "nexthops": hops}]}
        return subprocess.CompletedProcess(words, 0, json.dumps(told), "")


REPLACED = [
    {"adds": True, "vrf": "", "port": "up0", "line": "ip address 192.0.2.6/30", "prefix": "", "hop": ""},
    {"adds": True, "vrf": "cz", "port": "", "line": "ip route 198.51.100.0/24 192.0.2.5 250",
     "prefix": "198.51.100.0/24", "hop": "192.0.2.5"},
    {"adds": False, "vrf": "cz", "port": "", "line": "no ip route 198.51.100.0/24 192.0.2.1", "prefix": "", "hop": ""},
]  # fmt: skip
PUT_IN = ["interface up0", " ip address 192.0.2.6/30", "exit", "vrf cz", " ip route 198.51.100.0/24 192.0.2.5 250",
          "exit-vrf"]  # fmt: skip
TAKEN_OUT = ["vrf cz", " no ip route 198.51.100.0/24 192.0.2.1", "exit-vrf"]


@pytest.mark.parametrize(
    ("usable", "insist", "typed"),
    [
        ("192.0.2.5", True, [*PUT_IN, *TAKEN_OUT]),
        ("192.0.2.1", True, PUT_IN),
        ("192.0.2.1", False, [*PUT_IN, *TAKEN_OUT]),
    ],
)
def test_a_route_goes_when_the_one_in_its_place_is_usable(
    usable: str, insist: bool, typed: list[str], module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box = Vtysh(usable)
    lines = importlib.import_module("playbooks.module_utils.frr_lines")
    monkeypatch.setattr(lines.subprocess, "run", box.run)
    monkeypatch.setattr(lines, "USABLE", 0.1)
    if typed == PUT_IN:
        with pytest.raises(ValueError, match=r"198\.51\.100\.0/24 by 192\.0\.2\.5 is not usable after"):
            module.carry_out(REPLACED, tmp_path, insist)
    else:
        assert module.carry_out(REPLACED, tmp_path, insist) == [line["line"] for line in REPLACED]
    assert box.typed == typed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("says", "refused"),
    [("", False), ("% Refusing to remove a non-existent route", False), ("line 2: % Unknown command: ip rute", True)],
)
def test_a_line_that_is_refused_ends_the_push_before_the_next_one(
    says: str, refused: bool, module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box = Vtysh("192.0.2.5", says)
    monkeypatch.setattr(importlib.import_module("playbooks.module_utils.frr_lines").subprocess, "run", box.run)
    if refused:
        with pytest.raises(ValueError, match="FRR refused a line: line 2: % Unknown command: ip rute"):
            module.carry_out(REPLACED, tmp_path, True)
    else:
        module.carry_out(REPLACED, tmp_path, True)
    assert box.typed == (PUT_IN[:3] if refused else [*PUT_IN, *TAKEN_OUT])
    assert box.calls == (1 if refused else 3)  # several lines in one go are one change to FRR
