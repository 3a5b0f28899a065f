"""The module that configures VRP boxes, as Ansible runs it here: what it leaves in this machine's log."""

import importlib
import json
from pathlib import Path

import pytest
from ansible.module_utils import basic

TEXT = "snmp-agent community read cipher %^%#for-tests-only%^%#\n"


@pytest.mark.parametrize("given", [{"want": TEXT}, {"lines": [TEXT]}])
def test_the_log_names_the_box_and_no_line_of_its_configuration(
    given: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        basic.AnsibleModule, "log", lambda _self, msg, log_args=None: logged.append(f"{msg} {log_args}")
    )
    common = {"host": "198.18.0.9", "username": "onefold", "kind": "vrp8", "private_key": str(tmp_path / "key")}
    arguments = {**common, "known_hosts": str(tmp_path / "none"), **given, "_ansible_no_log": False}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        importlib.import_module("playbooks.library.vrp_config").main()
    assert "no such file: record the host key of 198.18.0.9" in json.loads(capsys.readouterr().out)["msg"]
    assert len(logged) == 1
    assert "198.18.0.9" in logged[0]
    assert "for-tests-only" not in logged[0]
