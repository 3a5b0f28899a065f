"""The inventory of a run: everybody with a management address, by platform, and no secret; the example is the same."""

import sys
from pathlib import Path
from typing import Any

import yaml

from network_models.district import now
from orchestrator.apply.access import Access
from orchestrator.apply.inventory import HOSTS, inventory

ACCESS = Access(ssh_key=Path("~/.ssh/onefold"), known_hosts=Path("~/.ssh/known_hosts"))
EXAMPLE = Path(__file__).parents[2] / "inventories" / "wangchao.yml"


def resolved(groups: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Group -> member -> its variables, the group's own among them."""
    children = groups["all"]["children"]
    return {
        group: {name: {**content.get("vars", {}), **own} for name, own in content["hosts"].items()}
        for group, content in children.items()
    }


def test_the_example_is_what_the_district_gives() -> None:
    written = EXAMPLE.read_text("utf-8").replace('"{{ ansible_playbook_python }}"', sys.executable)
    assert resolved(yaml.safe_load(written)) == resolved(inventory(now(), ACCESS))


def test_everybody_who_is_managed_is_in_it_and_nobody_else() -> None:
    groups = resolved(inventory(now(), ACCESS))
    members = {name for group in groups.values() for name in group}
    managed = {d.name for d in now().devices.values() if d.management and d.platforms}
    assert members == managed | {host.name for host in now().hosts.values() if host.management}
    assert "fw1" in groups["frr"]
    assert "fw1" in groups["nftables"]
    assert "msw1" in groups["huawei_vrp"]
    assert "cz-user1" in groups[HOSTS]
    unmanaged = {d.name for d in now().devices.values()} - managed
    assert unmanaged, "the district has boxes that nobody manages"
    assert not members & unmanaged


def test_no_secret_is_in_it() -> None:
    known = {"ansible_host", "ansible_user", "ansible_ssh_private_key_file", "ansible_python_interpreter",
             "ansible_connection"}  # fmt: skip
    for group in resolved(inventory(now(), ACCESS)).values():
        for variables in group.values():
            assert variables.keys() <= known
