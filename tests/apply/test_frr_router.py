"""The module that reloads a router: what it tries once more, and what it does not."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """As Ansible loads it: its own parts stand under ansible.module_utils there."""
    for name in ("netns_vrf", "placing"):
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
