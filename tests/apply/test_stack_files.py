"""What is read from a stack's own files, and when the engine is asked instead."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.apply.cloud_stack import free, settled
from orchestrator.apply.stack_files import deployment, is_there, may_be_locked

URN = "urn:pulumi:tenant-cz::onefold::openstack:networking/network:Network::network-net"
RESOURCES = [
    {"urn": "urn:pulumi:tenant-cz::onefold::pulumi:pulumi:Stack::onefold-tenant-cz", "type": "pulumi:pulumi:Stack"},
    {"urn": URN, "type": "openstack:networking/network:Network"},
]


class Asked:
    """Stands for the engine's stack: notes what it is asked."""

    name = "tenant-cz"

    def __init__(self, content: dict[str, Any]) -> None:
        self.deployment = content
        self.asked: list[str] = []

    def export_stack(self) -> "Asked":
        self.asked.append("export")
        return self

    def import_stack(self, exported: "Asked") -> None:
        self.asked.append(f"import {exported.deployment['pending_operations']}")

    def cancel(self) -> None:
        self.asked.append("cancel")


def backend(folder: Path, text: str = "") -> str:
    states = folder / ".pulumi" / "stacks" / "onefold"
    states.mkdir(parents=True)
    if text:
        (states / "tenant-cz.json").write_text(text, encoding="utf-8")
    return f"file://{folder}"


def state(**more: object) -> str:
    return json.dumps({"version": 3, "checkpoint": {"latest": {"resources": RESOURCES, **more}}})


def test_a_state_at_rest_is_read_without_the_engine(tmp_path: Path) -> None:
    place, stack = backend(tmp_path, state()), Asked({"resources": RESOURCES})
    assert settled(stack, place) == {"network-net"}
    assert stack.asked == []
    assert is_there("tenant-cz", place) is True
    assert is_there("tenant-mz", place) is False


def test_a_stack_without_resources_yet_is_empty(tmp_path: Path) -> None:
    place = backend(tmp_path, json.dumps({"version": 3, "checkpoint": {"stack": "organization/onefold/tenant-cz"}}))
    assert deployment("tenant-cz", place) == {}


@pytest.mark.parametrize("text", ["", state()[:-9], "[]", "5", json.dumps({"checkpoint": None}), json.dumps({"a": 1})])
def test_what_is_no_whole_state_is_asked_of_the_engine(text: str, tmp_path: Path) -> None:
    stack = Asked({"resources": RESOURCES})
    assert settled(stack, backend(tmp_path, text)) == {"network-net"}
    assert stack.asked == ["export"]


def test_what_a_killed_run_was_in_the_middle_of_is_forgotten_by_the_engine(tmp_path: Path) -> None:
    pending = [{"resource": RESOURCES[1], "type": "creating"}]
    stack = Asked({"resources": RESOURCES, "pending_operations": pending})
    assert settled(stack, backend(tmp_path, state(pending_operations=pending))) == {"network-net"}
    assert stack.asked == ["export", "import []"]


def test_a_backend_elsewhere_is_asked_of_the_engine() -> None:
    stack = Asked({"resources": RESOURCES})
    assert settled(stack, "https://states.example") == {"network-net"}
    assert stack.asked == ["export"]
    assert is_there("tenant-cz", "https://states.example") is None
    assert may_be_locked("tenant-cz", "https://states.example")


def test_only_a_lock_is_unlocked(tmp_path: Path) -> None:
    place, stack = backend(tmp_path), Asked({})
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "onefold"
    (locks / "tenant-mz").mkdir(parents=True)
    (locks / "tenant-mz" / "5.json").write_text("{}")
    free(stack, place)
    assert stack.asked == []
    (locks / "tenant-cz").mkdir()
    (locks / "tenant-cz" / "5.json").write_text("{}")
    free(stack, place)
    assert stack.asked == ["cancel"]
