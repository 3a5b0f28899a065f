"""The module that loads filters: what the next start brings is what runs, also when the load does not succeed."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils import basic

OLD, NEW = "table inet onefold {}\n", "table inet onefold { chain forward {} }\n"


@pytest.mark.parametrize(("refused", "kept"), [("", NEW), ("-c", OLD), ("-f", OLD)])
def test_rules_that_the_kernel_refuses_are_not_there_after_a_restart(
    refused: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    placing = importlib.import_module("playbooks.module_utils.placing")
    monkeypatch.setattr(placing, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setitem(sys.modules, "ansible.module_utils.placing", placing)
    module = importlib.import_module("playbooks.library.nft_rules")
    seen: list[str] = []

    def run(words: list[str], **_how: object) -> subprocess.CompletedProcess[str]:
        seen.append(Path(words[-1]).read_text())
        return subprocess.CompletedProcess(words, int(words[1] == refused), "", "No space left" if refused else "")

    monkeypatch.setattr(module.subprocess, "run", run)
    path = tmp_path / "nftables.conf"
    path.write_text(OLD)
    arguments = {"ANSIBLE_MODULE_ARGS": {"text": NEW, "path": str(path), "_ansible_no_log": True}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        module.main()
    assert bool(json.loads(capsys.readouterr().out).get("failed")) is bool(refused)
    assert seen == [NEW] * (1 if refused == "-c" else 2)
    assert path.read_text() == kept
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lock", "nftables.conf"]
