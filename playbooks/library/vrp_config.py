#!/usr/bin/python
"""Ansible module: bring a Huawei VRP device to a wanted configuration, or carry out lines on it."""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: vrp_config
short_description: Configure a Huawei VRP device
description:
  - Runs on the controller (connection local) and logs in over SSH with the host key checked.
  - Writes only the difference, stops at the first refused line and takes the others back, reads back, saves.
  - In check mode the device is only read; a dry run that cannot be honoured fails.
options:
  host: {description: address of the device, type: str, required: true}
  port: {description: SSH port, type: int, default: 22}
  username: {description: user name, type: str, required: true}
  password: {description: password; rather use one of the files, type: str}
  password_file: {description: file with the password that only its owner may read, type: path}
  private_key: {description: file of the private key, type: path}
  known_hosts: {description: file with the host key of the device, type: path, required: true}
  want: {description: the wanted configuration, type: str}
  whole: {description: want also says all of users and SSH and the like; else these stay, type: bool, default: false}
  lines: {description: lines typed at the system view, type: list, elements: str}
  kind: {description: vrp5 (immediate) or vrp8 (two-stage commit), type: str, choices: [vrp5, vrp8], required: true}
  save: {description: save the running configuration, type: bool, default: true}
  trial_seconds: {description: commit on trial for so long (vrp8), type: int}
"""

EXAMPLES = """
- vrp_config:
    host: 198.18.0.9
    username: onefold
    password_file: /var/lib/onefold/secrets/vrp
    known_hosts: /var/lib/onefold/known_hosts
    kind: vrp8
    want: "{{ lookup('ansible.builtin.file', 'wc-sw-1.cfg') }}"
"""

RETURN = """
lines: {description: the lines sent, or to be sent, type: list, returned: success}
configuration: {description: the configuration read back (secrets replaced), type: str, returned: success}
surplus: {description: settings that the device added by itself, type: list, returned: success}
verified: {description: whether every change was found again, type: bool, returned: success}
saved: {description: whether the configuration was saved, type: bool, returned: success}
"""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 22},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "password_file": {"type": "path"},
    "private_key": {"type": "path"},
    "known_hosts": {"type": "path", "required": True},
    "want": {"type": "str"},
    "whole": {"type": "bool", "default": False},
    "lines": {"type": "list", "elements": "str"},
    "kind": {"type": "str", "choices": ["vrp5", "vrp8"], "required": True},
    "save": {"type": "bool", "default": True},
    "trial_seconds": {"type": "int"},
}


class Module(AnsibleModule):  # type: ignore[misc]  # Ansible has no types
    """Ansible writes all arguments to this machine's log: here that is passwords of users, and SNMP's communities."""

    def _log_invocation(self) -> None:
        self.log(f"Invoked for {self.params['host']}")


def main() -> None:
    """Read the arguments, deliver or preview, report."""
    module = Module(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[["want", "lines"], ["password", "password_file", "private_key"]],
        required_one_of=[["want", "lines"], ["password", "password_file", "private_key"]],
        supports_check_mode=True,
    )
    try:
        # Imported here so that a controller without the product gets a sentence and no traceback.
        from orchestrator.apply.vrp import unified
        from orchestrator.apply.vrp_connection import Target
        from orchestrator.apply.vrp_delivery import Order, deliver, preview, read_password
        from orchestrator.errors import OnefoldError
        from orchestrator.vendors.huawei_vrp.tree import redact
    except ImportError as error:
        module.fail_json(msg=f"{error}: set ansible_python_interpreter to the Python that onefold is installed in")
    given = module.params
    order = Order(
        want=given["want"],
        lines=tuple(given["lines"] or ()),
        kind=given["kind"],
        whole=given["whole"],
        save=given["save"],
        trial_seconds=given["trial_seconds"],
    )
    try:
        target = Target(
            host=given["host"],
            port=given["port"],
            username=given["username"],
            known_hosts=Path(given["known_hosts"]),
            password=read_password(Path(given["password_file"])) if given["password_file"] else given["password"],
            key_file=Path(given["private_key"]) if given["private_key"] else None,
        )
        delivery = (preview if module.check_mode else deliver)(target, order)
    except OnefoldError as error:
        module.fail_json(msg=str(error), error=type(error).__name__, exit_code=error.exit_code)
    result = delivery.result
    module.exit_json(
        changed=delivery.changed,
        lines=[redact(line) for line in result.lines],
        configuration=redact(result.after),
        surplus=list(result.surplus),
        verified=result.verified,
        saved=delivery.saved,
        diff={"prepared": unified(result.before, result.after) + "\n" if result.changed else ""},
    )


if __name__ == "__main__":
    main()
