"""The Ansible inventory of an estate: one group a platform, and the end points. No secret is in it."""

import sys
from ipaddress import IPv4Address
from typing import Any

from orchestrator.apply.access import Access
from orchestrator.model.estate import Estate

HOSTS = "hosts"


def inventory(estate: Estate, access: Access) -> dict[str, Any]:
    """The inventory as JSON data: devices with a management address by platform, end points in the group `hosts`."""
    groups: dict[str, dict[str, Any]] = {}
    for device in estate.devices.values():
        for platform in device.platforms:
            if device.management:
                groups.setdefault(platform, {})[device.name] = _login(device.management, platform, access)
    for host in estate.hosts.values():
        if host.management:
            groups.setdefault(HOSTS, {})[host.name] = _login(host.management, HOSTS, access)
    children = {group: {"hosts": dict(sorted(members.items()))} for group, members in sorted(groups.items())}
    return {"all": {"children": children}}


def _login(address: IPv4Address, platform: str, access: Access) -> dict[str, Any]:
    if platform == "huawei_vrp":
        # a box without Python: its module runs here and speaks the box's own command line
        return {
            "ansible_host": str(address),
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }
    return {
        "ansible_host": str(address),
        "ansible_user": access.user,
        "ansible_ssh_private_key_file": str(access.ssh_key),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
