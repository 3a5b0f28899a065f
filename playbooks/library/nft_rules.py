#!/usr/bin/python3
"""Ansible module: load filter and translation rules: checked first, then at once as a whole, then kept.

In check mode the rules are only checked. Returns `diff` of the kept file. Standard library only: it runs on the device.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.placing import draft, locked, present

SECONDS = 120


def main() -> None:
    """Run as an Ansible module."""
    fields = {"text": {"type": "str", "required": True, "no_log": True}, "path": {"type": "path", "required": True}}
    module = AnsibleModule(argument_spec=fields, supports_check_mode=True)
    text, path = module.params["text"], Path(module.params["path"])
    try:
        before = present(path)
        with draft(path, text) as new:
            _nft(module, "check", "-c", "-f", str(new))
            if not module.check_mode:
                _nft(module, "load", "-f", str(new))
                new.replace(path)  # last: what the kernel refused must not come with the next start
    except (OSError, subprocess.SubprocessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, diff={"before": before, "after": text})


def _nft(module: Any, what: str, *arguments: str) -> None:
    with locked() as lock:
        done = subprocess.run(
            ["nft", *arguments], capture_output=True, text=True, timeout=SECONDS, pass_fds=(lock,), check=False
        )
    if done.returncode:
        module.fail_json(msg=f"{what}: exit code {done.returncode}", stdout=done.stdout, stderr=done.stderr)


if __name__ == "__main__":
    main()
